//! Runs kernels without a clock, for `benches/instructions`, or with a rough one.
//!
//! usage: kernels list | kernels run NAME BATCHES | kernels time [NAME PART]

use std::time::Instant;

use anyhow::{Context, Result, bail};
use millrace_benches::kernels::{Entry, FUNCTIONS, HOT};
use millrace_benches::messages::ROWS;

/// Batches of a round of `time`, and rounds.
const BATCHES: u32 = 4;
const ROUNDS: usize = 15;

fn all() -> impl Iterator<Item = &'static Entry> {
    HOT.iter().chain(FUNCTIONS)
}

#[expect(clippy::print_stdout, reason = "a command prints its result")]
fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["list"] => {
            for (name, _) in all() {
                println!("{name}");
            }
        }
        ["run", wanted, batches] => {
            let (_, make) = all()
                .find(|(name, _)| name == wanted)
                .with_context(|| format!("there is no kernel '{wanted}'"))?;
            let batches: u32 = batches.parse().context("BATCHES is a number")?;
            let mut kernel = make();
            for _ in 0..batches {
                kernel.run();
            }
        }
        ["time"] => time(""),
        ["time", part] => time(part),
        _ => bail!("usage: kernels list | kernels run NAME BATCHES | kernels time [NAME PART]"),
    }
    Ok(())
}

/// Prints the best and the median round; rounds of all kernels are interleaved.
#[expect(clippy::print_stdout, reason = "a command prints its result")]
fn time(part: &str) {
    let mut kernels: Vec<_> = all()
        .filter(|(name, _)| name.contains(part))
        .map(|(name, make)| (name, make(), Vec::new()))
        .collect();
    for _ in 0..ROUNDS {
        for (_, kernel, rounds) in &mut kernels {
            let begin = Instant::now();
            for _ in 0..BATCHES {
                kernel.run();
            }
            let rows = ROWS as f64 * f64::from(BATCHES);
            rounds.push(begin.elapsed().as_secs_f64() * 1e6 / rows);
        }
    }
    println!(
        "{:32} {:>12} {:>12} {:>10}",
        "kernel", "best µs/row", "median", "MB/s"
    );
    for (name, kernel, mut rounds) in kernels {
        rounds.sort_by(f64::total_cmp);
        let bytes = kernel.bytes as f64 / ROWS as f64;
        let best = rounds[0];
        println!(
            "{name:32} {best:12.4} {:12.4} {:10.0}",
            rounds[ROUNDS / 2],
            bytes / best
        );
    }
}
