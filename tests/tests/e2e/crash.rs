//! Processes that die, and processes that should not be there: no row is lost, none is doubled.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use crate::broker::{Broker, Feeder, RowWriter};
use crate::delivery::Delivered;
use crate::pipeline::{Flow, Pipeline, Running};
use crate::reader::{Isolation, Reader};
use crate::services::ObjectStore;

const PARTITIONS: usize = 4;
const KILLS: u32 = 20;
const ROWS_MIN: u64 = 500_000;

/// A small generator, so that one printed number repeats a run's kills.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn from_environment() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let clock = now.expect("the clock is past 1970").as_nanos() as u64;
        let seed = std::env::var("MILLRACE_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or(clock);
        eprintln!("seed {seed} (repeat with MILLRACE_SEED={seed})");
        Self(seed)
    }

    /// Returns the next number of the SplitMix64 sequence.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns another sequence, which depends on nothing but this one.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    pub(crate) fn between(&mut self, low_ms: u64, high_ms: u64) -> Duration {
        Duration::from_millis(low_ms + self.next() % (high_ms - low_ms))
    }
}

/// Kills processes of `pipeline` at random instants while rows come in; returns the writer, which has written them all.
pub(crate) fn kill_repeatedly(pipeline: &Pipeline, mut writer: RowWriter) -> Result<RowWriter> {
    let mut random = Random::from_environment();
    writer.write(200_000)?;
    let feeder = Feeder::start(writer, 10_000);
    for kill in 1..=KILLS {
        let running = pipeline.start()?;
        let instant = random.between(100, 3_000);
        std::thread::sleep(instant);
        running.kill()?;
        eprintln!("kill {kill} after {instant:?}");
    }
    let mut writer = feeder.stop()?;
    let written: u64 = writer.finish()?.iter().sum();
    writer.write(ROWS_MIN.saturating_sub(written))?;
    writer.finish()?;
    Ok(writer)
}

fn survives_kills(store: Option<&ObjectStore>) -> Result<()> {
    let broker = Broker::shared();
    let source = broker.topic("kill-in", PARTITIONS as i32)?;
    let sink = broker.topic("kill-out", 3)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let mut pipeline = Pipeline::new("kill", &sql)?;
    if let Some(store) = store {
        pipeline = store.keeps(pipeline);
    }
    let writer = kill_repeatedly(&pipeline, RowWriter::new(&broker, &source, PARTITIONS)?)?;
    let written = writer.finish()?;
    let rows = written.iter().sum::<u64>() as usize;

    let during = Delivered::read(&broker, &sink, &source)?.rows();
    eprintln!("{during} of {rows} rows were committed by the killed processes");
    ensure!(
        during > 0,
        "no process committed anything before its kill: the test tests nothing"
    );

    let mut last = pipeline.start()?;
    let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
    reader.wait_for(rows, Duration::from_secs(180), &mut last)?;
    last.ends_on_sigterm()?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}

#[test]
fn survives_twenty_kills_at_random_instants() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    survives_kills(None)
}

#[test]
fn survives_twenty_kills_with_checkpoints_on_s3() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    survives_kills(Some(&ObjectStore::shared()))
}

/// Waits until one of two processes ends; returns (ended, still running).
fn first_to_end(mut a: Running, mut b: Running, limit: Duration) -> Result<(Running, Running)> {
    let deadline = Instant::now() + limit;
    loop {
        if a.has_ended()? {
            return Ok((a, b));
        }
        if b.has_ended()? {
            return Ok((b, a));
        }
        ensure!(
            Instant::now() < deadline,
            "both copies still run after {limit:?}\n{}\n{}",
            a.log_end(),
            b.log_end()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn second_copy_of_a_pipeline_is_told_of_the_first() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("twice-in", PARTITIONS as i32)?;
    let sink = broker.topic("twice-out", 2)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let pipeline = ObjectStore::shared().keeps(Pipeline::new("twice", &sql)?);
    let mut writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    writer.write(20_000)?;
    let feeder = Feeder::start(writer, 5_000);

    let (a, b) = (pipeline.start()?, pipeline.start()?);
    let (mut ended, mut survivor) = first_to_end(a, b, Duration::from_secs(90))?;
    ended.ends_with(1, Duration::ZERO)?;
    ended.says(&["another"])?;

    // The survivor has to be able to commit after the other is gone.
    std::thread::sleep(Duration::from_secs(3));
    let written = feeder.stop()?.finish()?;
    let rows = written.iter().sum::<u64>() as usize;
    let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
    reader.wait_for(rows, Duration::from_secs(120), &mut survivor)?;
    survivor.ends_on_sigterm()?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}

#[test]
fn goes_on_past_a_transaction_that_a_dead_process_left_open() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("open-in", PARTITIONS as i32)?;
    let sink = broker.topic("open-out", 2)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let pipeline = Pipeline::new("open", &sql)?;
    let mut writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    writer.write(20_000)?;
    writer.finish()?;

    let mut dead = pipeline.start_setting("execution.checkpointing.interval", "300s")?;
    let mut any = Reader::open(&broker, &sink, Isolation::Uncommitted)?;
    any.wait_for(1, Duration::from_secs(60), &mut dead)?;
    dead.kill()?;
    let left = Delivered::read(&broker, &sink, &source)?.rows();
    ensure!(
        left == 0,
        "{left} rows were committed long before the first checkpoint"
    );

    writer.write(5_000)?;
    let written = writer.finish()?;
    let mut next = pipeline.start()?;
    let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
    reader.wait_for(25_000, Duration::from_secs(60), &mut next)?;
    next.ends_on_sigterm()?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}
