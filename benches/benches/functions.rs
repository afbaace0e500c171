//! How many rows and bytes a second each kernel takes, over batches of 8,192 rows.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use millrace_benches::kernels::{Entry, FUNCTIONS, HOT};
use millrace_benches::messages::ROWS;

fn measure(criterion: &mut Criterion, group: &str, kernels: &[Entry]) {
    let mut group = criterion.benchmark_group(group);
    for (name, make) in kernels {
        let mut kernel = make();
        let throughput = Throughput::ElementsAndBytes {
            elements: ROWS as u64,
            bytes: kernel.bytes as u64,
        };
        group.throughput(throughput);
        group.bench_function(*name, |bencher| bencher.iter(|| kernel.run()));
    }
    group.finish();
}

fn all(criterion: &mut Criterion) {
    measure(criterion, "hot", HOT);
    measure(criterion, "function", FUNCTIONS);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(700))
        .sample_size(20)
        .without_plots();
    targets = all
}
criterion_main!(benches);
