//! Servers that go away for a while: the process waits and goes on by itself.

use std::time::Duration;

use anyhow::Result;

use crate::broker::{Broker, Feeder, RowWriter};
use crate::delivery::Delivered;
use crate::pipeline::{Flow, Pipeline};
use crate::reader::{Isolation, Reader};
use crate::services::{ObjectStore, Service};

const PARTITIONS: usize = 4;
const SPARE_KAFKA_PORT: u16 = 19292;
const LOST_KAFKA_PORT: u16 = 19392;
const SPARE_S3_PORT: u16 = 19101;

/// Runs a pipeline over a steady stream, calls `outage` in the middle and checks the output.
fn outlives(
    broker: &Broker,
    store: Option<&ObjectStore>,
    outage: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let source = broker.topic("outage-in", PARTITIONS as i32)?;
    let sink = broker.topic("outage-out", 2)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let mut pipeline = Pipeline::new("outage", &sql)?;
    if let Some(store) = store {
        pipeline = store.keeps(pipeline);
    }
    let mut writer = RowWriter::new(broker, &source, PARTITIONS)?;
    writer.write(10_000)?;

    let mut running = pipeline.start()?;
    let mut reader = Reader::open(broker, &sink, Isolation::Committed)?;
    reader.wait_for(10_000, Duration::from_secs(60), &mut running)?;
    let feeder = Feeder::start(writer, 3_000);
    std::thread::sleep(Duration::from_secs(2));
    outage()?;
    std::thread::sleep(Duration::from_secs(3));

    let written = feeder.stop()?.finish()?;
    let rows = written.iter().sum::<u64>() as usize;
    reader.wait_for(rows, Duration::from_secs(180), &mut running)?;
    running.ends_on_sigterm()?;
    Delivered::read(broker, &sink, &source)?.ensure_exactly_once(&written)
}

#[test]
fn outlives_restarts_of_the_broker() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let (kafka, broker) = Service::kafka(SPARE_KAFKA_PORT)?;
    outlives(&broker, None, || {
        kafka.stop()?;
        std::thread::sleep(Duration::from_secs(5));
        kafka.start()?;
        std::thread::sleep(Duration::from_secs(5));
        kafka.kill()?;
        kafka.start()
    })
}

#[test]
fn outlives_thirty_seconds_without_the_checkpoint_store() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let (s3, store) = Service::s3(SPARE_S3_PORT)?;
    outlives(&Broker::shared(), Some(&store), || {
        s3.stop()?;
        std::thread::sleep(Duration::from_secs(30));
        s3.start()
    })
}

#[test]
fn a_stop_without_the_broker_ends_in_its_time_and_loses_nothing() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let (kafka, broker) = Service::kafka(LOST_KAFKA_PORT)?;
    let source = broker.topic("lost-in", PARTITIONS as i32)?;
    let sink = broker.topic("lost-out", 2)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let pipeline = Pipeline::new("lost", &sql)?
        .set("execution.checkpointing.interval", "300s")
        .set("millrace.shutdown-timeout", "5s");
    let mut writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    writer.write(10_000)?;
    let mut running = pipeline.start()?;
    let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
    reader.wait_for(1, Duration::from_secs(60), &mut running)?;
    writer.write(10_000)?;
    let written = writer.finish()?;
    let mut any = Reader::open(&broker, &sink, Isolation::Uncommitted)?;
    any.wait_for(15_000, Duration::from_secs(60), &mut running)?;

    kafka.kill()?;
    running.terminate()?;
    running.ends_with(1, Duration::from_secs(15))?;
    running.says(&["could not be committed within 5 s of SIGTERM"])?;

    kafka.start()?;
    let mut next = pipeline.start_setting("execution.checkpointing.interval", "1s")?;
    reader.wait_for(20_000, Duration::from_secs(60), &mut next)?;
    next.ends_on_sigterm()?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}
