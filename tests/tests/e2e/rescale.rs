//! The number of processes of a pipeline changes while rows flow.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;

use crate::broker::{Broker, Feeder, RowWriter};
use crate::delivery::Delivered;
use crate::doris::Doris;
use crate::pipeline::{Flow, Pipeline, Running};
use crate::reader::{Isolation, Reader};

const PARTITIONS: usize = 12;
const ROWS_PER_SECOND: u64 = 3_000;
const LIMIT: Duration = Duration::from_secs(90);

/// The processes of a pipeline with so many slots.
fn start_all(pipeline: &Pipeline, slots: u32) -> Result<Vec<Running>> {
    (0..slots)
        .map(|slot| start(pipeline, slot, slots))
        .collect()
}

fn start(pipeline: &Pipeline, slot: u32, slots: u32) -> Result<Running> {
    let slots = format!("millrace.slots={slots}");
    let slot = format!("millrace.slot={slot}");
    pipeline.start_with(&["-D", &slots, "-D", &slot])
}

/// Waits until every process has committed `checkpoints` of its own.
fn wait_for_checkpoints(processes: &mut [Running], checkpoints: u64) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    for running in processes {
        while !running
            .get("/status")
            .is_ok_and(|(_, body)| committed(&body) >= checkpoints)
        {
            running.ensure_alive()?;
            ensure!(
                Instant::now() < deadline,
                "no checkpoints\n{}",
                running.log_end()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(())
}

fn committed(status: &str) -> u64 {
    let status: serde_json::Value = serde_json::from_str(status).unwrap_or_default();
    status["dataflows"][0]["checkpoints"]
        .as_u64()
        .unwrap_or_default()
}

/// Two processes become three and then one. Some are killed, some still run when the number changes, and one change is
/// killed on its way.
#[test]
fn the_number_of_slots_changes_and_each_row_arrives_once() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("rescale-in", i32::try_from(PARTITIONS)?)?;
    let sink = broker.topic("rescale-out", 4)?;
    let writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    let feeder = Feeder::start(writer, ROWS_PER_SECOND);
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let pipeline = Pipeline::new("rescale", &sql)?;

    let mut two = start_all(&pipeline, 2)?;
    wait_for_checkpoints(&mut two, 2)?;
    let mut other = start(&pipeline, 0, 3)?;
    other.ends_with(1, LIMIT)?;
    other.says(&["those of 2 slots", "--slots 3", "pipeline.sql"])?;
    two.remove(1).kill()?;
    // The other one still runs and commits: it is fenced.
    let mut change = pipeline.rescale(3)?;
    change.ends_with(0, LIMIT)?;
    change.says(&["2 -> 3 slots", "12 splits", "start 3 processes"])?;
    two[0].ends_with(1, LIMIT)?;

    let mut three = start_all(&pipeline, 3)?;
    wait_for_checkpoints(&mut three, 2)?;
    three.remove(0).kill()?;
    three.insert(0, start(&pipeline, 0, 3)?);
    wait_for_checkpoints(&mut three, 2)?;
    let mut old = start(&pipeline, 1, 2)?;
    old.ends_with(1, LIMIT)?;
    old.says(&["those of 3 slots"])?;
    for running in &mut three {
        running.ends_on_sigterm()?;
    }
    let mut change = pipeline.rescale(1)?;
    wait_until_first_is_closed(&mut change)?;
    // It may have come to its end already.
    drop(change);
    let mut change = pipeline.rescale(1)?;
    change.ends_with(0, LIMIT)?;
    change.says(&["start 1 process"])?;

    let mut one = start_all(&pipeline, 1)?;
    wait_for_checkpoints(&mut one, 2)?;
    let written = feeder.stop()?.finish()?;
    let rows = usize::try_from(written.iter().sum::<u64>())?;
    Reader::open(&broker, &sink, Isolation::Committed)?.wait_for(rows, LIMIT, &mut one[0])?;
    one[0].ends_on_sigterm()?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}

fn wait_until_first_is_closed(change: &mut Running) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !change.log().contains("slot closed") && !change.has_ended()? {
        ensure!(
            Instant::now() < deadline,
            "no slot closed\n{}",
            change.log_end()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Without a Kafka sink nobody is fenced: processes that still run lose the number of their next checkpoint.
#[test]
fn processes_that_load_into_doris_stop_when_their_number_changes() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("rescale-doris", i32::try_from(PARTITIONS)?)?;
    let doris = Doris::start()?;
    let writer = RowWriter::new(&broker, &source, PARTITIONS)?;
    let feeder = Feeder::start(writer, ROWS_PER_SECOND);
    let pipeline = Pipeline::new("rescale-doris", &doris.sql(&broker, &source, &["checked"]))?;
    let mut two = start_all(&pipeline, 2)?;
    wait_for_checkpoints(&mut two, 2)?;
    pipeline.rescale(3)?.ends_with(0, LIMIT)?;
    for running in &mut two {
        running.ends_with(1, LIMIT)?;
    }
    let mut three = start_all(&pipeline, 3)?;
    wait_for_checkpoints(&mut three, 2)?;
    let written = feeder.stop()?.finish()?;
    doris.wait_for(written.iter().sum(), LIMIT, &mut three[0])?;
    for running in &mut three {
        running.ends_on_sigterm()?;
    }
    doris
        .delivered("checked", &source)?
        .ensure_exactly_once(&written)
}

/// A partition that comes up while its slot stands still, and had no other, is read from its beginning all the same: where
/// reading starts is asked once in the life of a pipeline, not once for each slot.
#[test]
fn a_slot_without_partitions_reads_a_new_one_from_its_beginning() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("grown-in", 1)?;
    let sink = broker.topic("grown-out", 1)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let sql = sql.replace("'earliest-offset'", "'latest-offset'");
    let pipeline = Pipeline::new("grown", &sql)?;
    let mut two = start_all(&pipeline, 2)?;
    for running in &mut two {
        running.wait_until_ready(LIMIT)?;
        running.ends_on_sigterm()?;
    }
    grow(&broker, &source, 2)?;
    let mut writer = RowWriter::new(&broker, &source, 2)?;
    writer.write(1_000)?;
    let written = writer.finish()?;
    let mut two = start_all(&pipeline, 2)?;
    let mut reader = Reader::open(&broker, &sink, Isolation::Committed)?;
    reader.wait_for(1_000, LIMIT, &mut two[0])?;
    for running in &mut two {
        running.ends_on_sigterm()?;
    }
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)
}

/// Makes the topic one of so many partitions, and waits until the broker says so.
fn grow(broker: &Broker, topic: &str, partitions: usize) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = broker.config().create()?;
    let grown = tokio::runtime::Builder::new_current_thread()
        .build()?
        .block_on(admin.create_partitions(
            &[NewPartitions::new(topic, partitions)],
            &AdminOptions::new(),
        ))?;
    for result in grown {
        result.map_err(|(topic, code)| anyhow!("topic {topic} could not grow: {code}"))?;
    }
    let deadline = Instant::now() + LIMIT;
    loop {
        let metadata = admin
            .inner()
            .fetch_metadata(Some(topic), Duration::from_secs(30))?;
        if metadata.topics()[0].partitions().len() == partitions {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{topic} does not grow");
        std::thread::sleep(Duration::from_millis(50));
    }
}
