//! Records that are no rows: each stops the pipeline or is counted, as the options say.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::broker::{Broker, row};
use crate::delivery::Delivered;
use crate::pipeline::{Flow, Pipeline, Running};
use crate::reader::{Isolation, Reader};

/// Rows of partition 0; those at `broken` are cut off in the middle.
fn rows(count: u64, broken: &[u64]) -> Vec<Option<Vec<u8>>> {
    (0..count)
        .map(|offset| {
            let mut text = row(0, offset).into_bytes();
            if broken.contains(&offset) {
                text.truncate(text.len() / 2);
            }
            Some(text)
        })
        .collect()
}

#[test]
fn broken_json_stops_the_pipeline_where_it_stands() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("broken-in", 1)?;
    let sink = broker.topic("broken-out", 1)?;
    broker.write(&source, 0, rows(300, &[137]))?;
    let flow = Flow::new(&broker.address, &source, &sink).bounded();
    let sql = flow.source("json.ignore-parse-errors", "false").sql();
    let mut running = Pipeline::new("broken", &sql)?.start()?;
    running.ends_with(1, Duration::from_secs(90))?;
    running.says(&[&source, "partition", "offset", "137", "json"])?;

    let offsets = Delivered::read(&broker, &sink, &source)?.offsets(0);
    let end = offsets.len() as u64;
    ensure!(
        offsets == (0..end).collect::<Vec<_>>(),
        "committed with holes: {offsets:?}"
    );
    ensure!(end <= 137, "committed past the broken record, up to {end}");
    Ok(())
}

/// Returns whether some metric that speaks of skipped records has the value.
fn counts_skipped(running: &Running, count: u64) -> bool {
    let Ok((200, body)) = running.get("/metrics") else {
        return false;
    };
    let words = ["skip", "bad", "malformed", "parse", "ignored"];
    body.lines()
        .filter(|line| words.iter().any(|word| line.contains(word)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .any(|value| value == count as f64)
}

#[test]
fn broken_json_is_counted_where_it_is_to_be_ignored() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("ignored-in", 1)?;
    let sink = broker.topic("ignored-out", 1)?;
    broker.write(&source, 0, rows(300, &[0, 137, 299]))?;
    let flow = Flow::new(&broker.address, &source, &sink);
    let sql = flow.source("json.ignore-parse-errors", "true").sql();
    let mut running = Pipeline::new("ignored", &sql)?.start()?;
    let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
    reader.wait_for(297, Duration::from_secs(60), &mut running)?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !counts_skipped(&running, 3) {
        ensure!(
            Instant::now() < deadline,
            "no metric says that 3 records were skipped:\n{:?}",
            running.get("/metrics")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    running.ends_on_sigterm()?;
    let offsets = Delivered::read(&broker, &sink, &source)?.offsets(0);
    let good: Vec<u64> = (0..300)
        .filter(|offset| ![0, 137, 299].contains(offset))
        .collect();
    ensure!(offsets == good, "other rows came out: {offsets:?}");
    Ok(())
}

#[test]
fn tombstones_are_skipped() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("tombstone-in", 1)?;
    let sink = broker.topic("tombstone-out", 1)?;
    let mut input = rows(100, &[]);
    for offset in [0, 50, 51, 99] {
        input[offset] = None;
    }
    broker.write(&source, 0, input)?;
    let sql = Flow::new(&broker.address, &source, &sink).bounded().sql();
    Pipeline::new("tombstone", &sql)?
        .start()?
        .ends_with(0, Duration::from_secs(60))?;
    let delivered = Delivered::read(&broker, &sink, &source)?;
    let good: Vec<u64> = (0..100)
        .filter(|offset| ![0, 50, 51, 99].contains(offset))
        .collect();
    ensure!(delivered.offsets(0) == good, "other rows came out");
    ensure!(delivered.rows() == good.len(), "rows were doubled");
    Ok(())
}

#[test]
fn message_of_ten_megabytes_passes() -> Result<()> {
    const NAME_BYTES: usize = 10 * 1024 * 1024;
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("large-in", 1)?;
    let sink = broker.topic("large-out", 1)?;
    let large = format!(
        r#"{{"id":1,"name":"{}","amount":1}}"#,
        "x".repeat(NAME_BYTES)
    );
    let input = [
        row(0, 0).into_bytes(),
        large.into_bytes(),
        row(0, 2).into_bytes(),
    ];
    broker.write(&source, 0, input.map(Some))?;
    let sql = Flow::new(&broker.address, &source, &sink)
        .bounded()
        .sink("properties.max.request.size", "13048576")
        .sink("properties.message.max.bytes", "13000000")
        .sql();
    Pipeline::new("large", &sql)?
        .start()?
        .ends_with(0, Duration::from_secs(60))?;
    let output = Reader::open(&broker, &sink, Isolation::Committed)?.read_to_end()?;
    ensure!(output.len() == 3, "{} rows came out", output.len());
    let large: Value = serde_json::from_slice(&output[1])?;
    let name = large["name"].as_str().unwrap_or_default();
    ensure!(
        name.len() == NAME_BYTES && name.bytes().all(|byte| byte == b'X'),
        "cut or changed"
    );
    Ok(())
}
