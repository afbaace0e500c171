//! Topics of a stand-in, filled and read from this process: what the demo and `bench` need of Kafka beside the pipeline itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use millrace_connector::Cancel;
use millrace_kafka_wire::{
    Arena, At, Cluster, Compression, FetchSettings, Fetcher, NewRecord, Outlet, ProduceSettings,
    Producer, Settings, Step, TopicPartition, Unpacker, WireError, read_record,
};

/// How long the brokers may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a wait for records lasts before it looks around.
const TICK: Duration = Duration::from_millis(100);

fn settings(brokers: &str) -> Settings {
    Settings::of(brokers, "millrace")
}

fn partitions_of(topic: &str, count: u32) -> Vec<TopicPartition> {
    let partitions = 0..i32::try_from(count).expect("partitions are few");
    partitions
        .map(|partition| TopicPartition {
            topic: topic.to_owned(),
            partition,
        })
        .collect()
}

/// Fills a topic.
pub(crate) struct Filler {
    producer: Producer,
    outlet: Outlet,
    cancel: Cancel,
}

impl Filler {
    /// Returns a filler of a topic that is there.
    pub(crate) fn open(brokers: &str, topic: &str) -> anyhow::Result<Self> {
        let produce = ProduceSettings {
            compression: Compression::Lz4,
            ..ProduceSettings::default()
        };
        let producer =
            Producer::new(settings(brokers), produce).context("cannot make a Kafka producer")?;
        producer
            .init(PATIENCE)
            .context("cannot become a Kafka producer")?;
        let outlet = producer
            .outlet(topic, PATIENCE)
            .with_context(|| format!("cannot write to topic '{topic}'"))?;
        Ok(Self {
            producer,
            outlet,
            cancel: Cancel::default(),
        })
    }

    /// Writes a value, with a timestamp in milliseconds since 1970.
    pub(crate) fn write(
        &self,
        partition: usize,
        timestamp: i64,
        value: &[u8],
    ) -> anyhow::Result<()> {
        let record = NewRecord {
            value: Some(value),
            timestamp,
            ..NewRecord::default()
        };
        self.outlet
            .append(partition, [record], &self.cancel)
            .context("cannot write a record")
    }

    /// Waits until everything is taken.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        self.producer
            .flush(PATIENCE, &self.cancel)
            .map_err(|failure| anyhow!(failure.error).context("the records were not taken"))
    }
}

/// Makes a topic, if the brokers make topics and it is not there.
pub(crate) fn create(brokers: &str, topic: &str, partitions: u32) -> anyhow::Result<()> {
    let cluster = Cluster::new(settings(brokers), Cancel::default())?;
    let partitions = i32::try_from(partitions).context("so many partitions no topic has")?;
    match cluster.create_topic(topic, partitions, PATIENCE) {
        Ok(_) => Ok(()),
        // Brokers that are too old for it may make topics on first use.
        Err(WireError::Config(_)) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot make topic '{topic}'")),
    }
}

/// Puts a group at the beginning of a topic, as a pipeline that moves here from elsewhere finds it.
pub(crate) fn put_group_at_start(
    brokers: &str,
    topic: &str,
    group: &str,
    partitions: u32,
) -> anyhow::Result<()> {
    let cluster = Cluster::new(settings(brokers), Cancel::default())?;
    let partitions = partitions_of(topic, partitions).into_iter();
    let offsets: HashMap<TopicPartition, i64> = partitions.map(|name| (name, 0)).collect();
    cluster
        .commit(group, &offsets, PATIENCE)
        .context("cannot set the group's offsets")
}

/// Gives the value of every committed record to `take`, as far as the topic reaches now.
pub(crate) fn read_committed(
    brokers: &str,
    topic: &str,
    partitions: u32,
    mut take: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let names = partitions_of(topic, partitions);
    let cluster = Cluster::new(settings(brokers), Cancel::default())?;
    let ends = cluster
        .list_offsets(&names, At::Latest, true, PATIENCE)
        .context("cannot find where the topic ends")?;
    let fetch = FetchSettings {
        read_committed: true,
        ..FetchSettings::default()
    };
    let fetcher = Fetcher::new(settings(brokers), fetch).context("cannot make a Kafka consumer")?;
    let ends: Vec<i64> = names
        .iter()
        .map(|name| ends.get(name).copied().flatten().unwrap_or(0))
        .collect();
    let mut next = vec![0; ends.len()];
    fetcher.assign(
        names
            .into_iter()
            .enumerate()
            .map(|(id, name)| (id, name, 0)),
    );
    let (mut arena, mut unpacker) = (Arena::default(), Unpacker::default());
    let mut last = Instant::now();
    while next.iter().zip(&ends).any(|(next, end)| next < end) {
        let chunk = fetcher.next(TICK).map_err(|failure| failure.error);
        let Some(mut chunk) = chunk.context("cannot read what was written")? else {
            ensure!(
                last.elapsed() < PATIENCE,
                "the topic '{topic}' does not end"
            );
            continue;
        };
        last = Instant::now();
        let next = &mut next[chunk.partition];
        while let Some(step) = chunk.step()? {
            let batch = match step {
                Step::Skip(offset) => {
                    *next = offset + 1;
                    continue;
                }
                Step::Records(batch) => batch,
            };
            arena = Arena::reuse(arena.into_vec());
            let range = batch.unpack(&mut unpacker, &mut arena)?;
            let records = &arena.bytes()[range];
            let mut at = 0;
            while at < records.len() {
                let record = read_record(records, &mut at)?;
                let value = record.value.map_or(&[][..], |range| &records[range]);
                take(value)?;
            }
            *next = batch.last_offset + 1;
        }
    }
    Ok(())
}
