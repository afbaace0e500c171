//! A pipeline rests for longer than its broker keeps offsets of groups and transactional ids.

use std::time::Duration;

use anyhow::Result;

use crate::broker::RowWriter;
use crate::delivery::Delivered;
use crate::pipeline::{Flow, Pipeline};
use crate::reader::{Isolation, Reader};
use crate::services::Service;

const PORT: u16 = 19492;
/// The least that a broker takes for groups is a minute; ids go sooner.
const FORGETFUL: &str = "offsets.retention.minutes=1
offsets.retention.check.interval.ms=5000
transactional.id.expiration.ms=20000
transaction.remove.expired.transaction.cleanup.interval.ms=5000
producer.id.expiration.ms=20000
producer.id.expiration.check.interval.ms=5000";
const REST: Duration = Duration::from_secs(85);
const LIMIT: Duration = Duration::from_secs(90);
const PARTITIONS: usize = 2;

/// One process rests while it runs, another one is killed in its rest and started again much later.
#[test]
fn a_rest_longer_than_the_broker_remembers_loses_and_doubles_nothing() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let (_kafka, broker) = Service::kafka_with(PORT, FORGETFUL)?;
    let mut scenes = Vec::new();
    for hint in ["rests", "killed"] {
        let source = broker.topic(&format!("{hint}-in"), i32::try_from(PARTITIONS)?)?;
        let sink = broker.topic(&format!("{hint}-out"), 2)?;
        let flow = Flow::new(&broker.address, &source, &sink);
        let sql = flow.sql().replace("'600000'", "'15000'");
        let pipeline = Pipeline::new(hint, &sql)?.set("execution.checkpointing.interval", "200ms");
        let mut writer = RowWriter::new(&broker, &source, PARTITIONS)?;
        let mut running = pipeline.start()?;
        let mut rows = 0;
        for _ in 0..3 {
            writer.write(100)?;
            rows += 100;
            writer.finish()?;
            let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
            reader.wait_for(rows, LIMIT, &mut running)?;
        }
        scenes.push((source, sink, pipeline, writer, Some(running)));
    }
    // Long enough to settle the last epoch.
    std::thread::sleep(Duration::from_secs(15));
    if let Some(running) = scenes[1].4.take() {
        running.kill()?;
    }
    std::thread::sleep(REST);
    for (source, sink, pipeline, mut writer, running) in scenes {
        let mut running = match running {
            Some(running) => running,
            None => pipeline.start()?,
        };
        writer.write(100)?;
        let written = writer.finish()?;
        Reader::open(&broker, &sink, Isolation::Committed)?.wait_for(400, LIMIT, &mut running)?;
        running.ends_on_sigterm()?;
        Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)?;
    }
    Ok(())
}
