//! Fills the source topic.

use std::time::{Duration, Instant};

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::generator::FilebeatEvents;
use super::scene::Scene;

const PATIENCE: Duration = Duration::from_secs(120);

/// What was written.
pub(crate) struct Fed {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
}

/// Writes `rows` events, row i to partition i modulo the partitions, and puts the group at the topic's beginning, as a
/// pipeline that moves here from elsewhere finds it.
pub(crate) fn feed(
    scene: Scene,
    brokers: &str,
    (topic, group): (&str, &str),
    partitions: u32,
    rows: u64,
    seed: u64,
) -> anyhow::Result<Fed> {
    let started = Instant::now();
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("compression.type", "lz4")
        .set("linger.ms", "20")
        .set("batch.size", "1000000")
        .set("acks", "all")
        .create()
        .context("cannot make a Kafka producer")?;
    let mut generators: Vec<FilebeatEvents> = (0..partitions)
        .map(|partition| FilebeatEvents::new(seed, partition))
        .collect();
    let mut event = String::new();
    let mut bytes = 0;
    for row in 0..rows {
        let partition = usize::try_from(row % u64::from(partitions)).expect("partitions are few");
        let at = scene.next(&mut generators[partition], &mut event);
        bytes += event.len() as u64;
        let partition = i32::try_from(partition).expect("partitions are few");
        send(&producer, topic, partition, at, &event)?;
    }
    producer
        .flush(PATIENCE)
        .context("the events were not taken in time")?;
    put_group_at_start(brokers, topic, group, partitions)?;
    Ok(Fed {
        rows,
        bytes,
        elapsed: started.elapsed(),
    })
}

fn send(
    producer: &ThreadedProducer<DefaultProducerContext>,
    topic: &str,
    partition: i32,
    at: i64,
    event: &str,
) -> anyhow::Result<()> {
    loop {
        let record = BaseRecord::<(), str>::to(topic)
            .partition(partition)
            .timestamp(at)
            .payload(event);
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error).context("cannot write an event"),
        }
    }
}

fn put_group_at_start(
    brokers: &str,
    topic: &str,
    group: &str,
    partitions: u32,
) -> anyhow::Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", group)
        .create()
        .context("cannot make a Kafka consumer")?;
    let mut offsets = TopicPartitionList::new();
    for partition in 0..partitions {
        let partition = i32::try_from(partition).expect("partitions are few");
        offsets
            .add_partition_offset(topic, partition, Offset::Offset(0))
            .context("cannot name an offset")?;
    }
    consumer
        .commit(&offsets, CommitMode::Sync)
        .context("cannot set the group's offsets")
}
