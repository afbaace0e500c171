//! How a run ends when all is well.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::broker::{Broker, RowWriter};
use crate::delivery::Delivered;
use crate::pipeline::{Flow, Pipeline};
use crate::reader::{Isolation, Reader};

const PARTITIONS: usize = 4;

#[test]
fn bounded_source_ends_with_everything_committed() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("bounded-in", PARTITIONS as i32)?;
    let sink = broker.topic("bounded-out", 2)?;
    let sql = Flow::new(&broker.address, &source, &sink).bounded().sql();
    let pipeline = Pipeline::new("bounded", &sql)?;
    let mut writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    writer.write(100_000)?;
    let written = writer.finish()?;
    pipeline.start()?.ends_with(0, Duration::from_secs(120))?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}

#[test]
fn empty_bounded_source_ends_at_once() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("empty-in", PARTITIONS as i32)?;
    let sink = broker.topic("empty-out", 1)?;
    let sql = Flow::new(&broker.address, &source, &sink).bounded().sql();
    let pipeline = Pipeline::new("empty", &sql)?;
    pipeline.start()?.ends_with(0, Duration::from_secs(60))?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&[0; PARTITIONS])
}

#[test]
fn sigterm_commits_the_running_epoch() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("term-in", PARTITIONS as i32)?;
    let sink = broker.topic("term-out", 2)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    // No checkpoint falls due while the test runs: what is committed, SIGTERM has committed.
    let pipeline = Pipeline::new("term", &sql)?.set("execution.checkpointing.interval", "300s");
    let mut writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    writer.write(50_000)?;
    writer.finish()?;

    let mut first = pipeline.start()?;
    let mut any = Reader::open(&broker, &sink, Isolation::Uncommitted)?;
    any.wait_for(1, Duration::from_secs(60), &mut first)?;
    first.wait_until_ready(Duration::from_secs(60))?;
    let (status, _) = first.get("/healthz")?;
    ensure!(status == 200, "/healthz answers {status}");
    first.ends_on_sigterm()?;
    let committed = Delivered::read(&broker, &sink, &source)?.rows();
    ensure!(
        committed > 0,
        "SIGTERM committed nothing\n{}",
        first.log_end()
    );

    writer.write(10_000)?;
    let written = writer.finish()?;
    let mut second = pipeline.start_setting("execution.checkpointing.interval", "1s")?;
    let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
    reader.wait_for(60_000, Duration::from_secs(60), &mut second)?;
    second.ends_on_sigterm()?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}
