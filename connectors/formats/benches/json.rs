//! What a row of JSON costs: messages of a log shipper to 7 columns, and 13 columns to messages.
//!
//! `cargo bench -p millrace-formats --bench json`; prints the median of rounds in µs a row.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use arrow_buffer::Buffer;
use millrace_connector::{FlinkType, TypeKind};
use millrace_formats::{EncodedBatch, FormatContext, Payloads, create_decoder, create_encoder};

const ROWS: usize = 4_096;
const ROUNDS: usize = 41;

fn message(row: usize) -> String {
    format!(
        r#"{{"@timestamp":"2026-03-01T00:00:01.{:03}Z","@metadata":{{"beat":"filebeat","type":"_doc","version":"7.17.9"}},"env":"prod","uuid":"826d3cc5-0513-4346-ac0d-{row:012}","host":{{"name":"sea-game-{}"}},"tags":["normal"],"log":{{"offset":{row},"file":{{"path":"/data/tlog/game_1117/tlog_20260305.log"}}}},"input":{{"type":"log"}},"ecs":{{"version":"1.12.0"}},"agent":{{"hostname":"sea-game-1117","type":"filebeat","version":"7.17.9"}},"message":"ItemFlow|1202|2026-03-01 07:00:00|wx5d9f2c1b7e8|1|24|76865859d1a84e2cfa0a8ae0c52f|408872851|晨曦{row}|2|0|88|2|7|29395|8|2025-05-28 07:16:47|7176|36049|Eclipse|32|46|2102199208|122|643|7|81259|73207723|5815443|0|17723232000581202fe97cd|28|PetFeed||8|d176c9a5670928ed|adddbf53-539b-4427-a24f-65e6abe9e321|3|2025-07-24 10:45:16"}}"#,
        row % 1000,
        row % 1300
    )
}

fn strings(names: &[&str]) -> Vec<(String, FlinkType)> {
    names
        .iter()
        .map(|name| ((*name).to_owned(), FlinkType::string()))
        .collect()
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
fn report(what: &str, bytes: usize, mut round: impl FnMut()) {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            round();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let median = times[ROUNDS / 2];
    println!(
        "{what}: {:.3} µs a row, {:.0} MB/s, best {:.3}",
        median * 1e6 / ROWS as f64,
        bytes as f64 / median / 1e6,
        times[0] * 1e6 / ROWS as f64
    );
}

fn main() {
    let mut bytes = Vec::new();
    let mut ranges = Vec::new();
    for row in 0..ROWS {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(message(row).as_bytes());
        ranges.push(Some(start..bytes.len() as u32));
    }
    let buffer = Buffer::from_vec(bytes);
    let schema = strings(&[
        "@timestamp",
        "env",
        "uuid",
        "host",
        "tags",
        "log",
        "message",
    ]);
    let wanted: Vec<usize> = (0..schema.len()).collect();
    let ctx = FormatContext::default();
    let mut decoder =
        create_decoder("json", &BTreeMap::new(), &schema, &wanted, &ctx).expect("a decoder");
    let payloads = Payloads {
        buffer: &buffer,
        ranges: &ranges,
    };
    report("decode 7 of 11 columns", buffer.len(), || {
        black_box(decoder.decode(black_box(&payloads)).expect("rows"));
    });

    let mut scan_only =
        create_decoder("json", &BTreeMap::new(), &schema, &[1], &ctx).expect("a decoder");
    report("decode 1 short column", buffer.len(), || {
        black_box(scan_only.decode(black_box(&payloads)).expect("rows"));
    });

    let rows = decoder.decode(&payloads).expect("rows");
    let mut schema = schema;
    schema.extend(strings(&["a", "b", "c"]));
    schema.push(("n".to_owned(), TypeKind::BigInt.nullable()));
    schema.push(("t".to_owned(), TypeKind::Timestamp(3).nullable()));
    schema.push(("d".to_owned(), TypeKind::Double.nullable()));
    let numbers: Vec<String> = (0..ROWS)
        .map(|i| {
            format!(
                r#"{{"n":{},"t":"2026-03-01 07:{:02}:{:02}.{:03}","d":{}.5}}"#,
                i * 1_234_567,
                i / 60 % 60,
                i % 60,
                i % 1000,
                i
            )
        })
        .collect();
    let mut bytes = Vec::new();
    let mut ranges = Vec::new();
    for text in &numbers {
        let start = bytes.len() as u32;
        bytes.extend_from_slice(text.as_bytes());
        ranges.push(Some(start..bytes.len() as u32));
    }
    let buffer = Buffer::from_vec(bytes);
    let mut decoder =
        create_decoder("json", &BTreeMap::new(), &schema, &[10, 11, 12], &ctx).expect("a decoder");
    let payloads = Payloads {
        buffer: &buffer,
        ranges: &ranges,
    };
    let numbers = decoder.decode(&payloads).expect("rows");
    let mut columns = rows.columns.clone();
    columns.extend([
        rows.columns[1].clone(),
        rows.columns[0].clone(),
        rows.columns[1].clone(),
    ]);
    columns.extend(numbers.columns);
    let mut encoder = create_encoder("json", &BTreeMap::new(), &schema, &ctx).expect("an encoder");
    let mut out = EncodedBatch::default();
    encoder.encode(&columns, None, &mut out).expect("messages");
    report("encode 13 columns", out.bytes.len(), || {
        out.clear();
        encoder
            .encode(black_box(&columns), None, &mut out)
            .expect("messages");
    });
}
