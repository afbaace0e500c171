//! Reading a topic as a consumer of it would.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::Broker;
use crate::pipeline::Running;

/// What a reader sees of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Only what was committed.
    Committed,
    /// Everything, rows of open and aborted transactions included.
    Uncommitted,
}

/// A record as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its key, if it has one.
    pub(crate) key: Option<Vec<u8>>,
    /// Its value, if it has one.
    pub(crate) value: Option<Vec<u8>>,
}

/// What one poll brought.
enum Polled {
    Row(Record),
    End(i32),
    Nothing,
}

/// A consumer of all partitions of one topic, from its beginning.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    topic: String,
    partitions: usize,
    rows: usize,
}

/// Returns how many partitions a topic has, once the broker that is asked knows it: one that was just made has none there.
fn partitions(consumer: &BaseConsumer, topic: &str) -> Result<usize> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30))?;
        let known = metadata.topics().first().context("the topic is gone")?;
        if known.error().is_none() && !known.partitions().is_empty() {
            return Ok(known.partitions().len());
        }
        ensure!(
            Instant::now() < deadline,
            "no partition of {topic} is known: {:?}",
            known.error()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Reader {
    /// Opens `topic`.
    pub(crate) fn open(broker: &Broker, topic: &str, isolation: Isolation) -> Result<Self> {
        let level = match isolation {
            Isolation::Committed => "read_committed",
            Isolation::Uncommitted => "read_uncommitted",
        };
        let mut config = broker.config();
        config
            .set("group.id", "millrace-e2e-reader")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("isolation.level", level)
            .set("fetch.message.max.bytes", "14000000")
            .set("fetch.wait.max.ms", "50");
        let consumer: BaseConsumer = config.create()?;
        let partitions = partitions(&consumer, topic)?;
        let mut all = TopicPartitionList::new();
        for partition in 0..partitions {
            all.add_partition_offset(topic, partition as i32, Offset::Beginning)?;
        }
        consumer.assign(&all)?;
        Ok(Self {
            consumer,
            topic: topic.to_owned(),
            partitions,
            rows: 0,
        })
    }

    fn poll(&mut self) -> Result<Polled> {
        match self.consumer.poll(Duration::from_millis(100)) {
            None => Ok(Polled::Nothing),
            Some(Ok(message)) => {
                self.rows += 1;
                Ok(Polled::Row(Record {
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().map(<[u8]>::to_vec),
                }))
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => Ok(Polled::End(partition)),
            // The client connects again by itself; the caller's deadline ends a long outage.
            Some(Err(KafkaError::MessageConsumption(_))) => Ok(Polled::Nothing),
            Some(Err(error)) => Err(error).context("the output could not be read"),
        }
    }

    /// Returns the values of all rows up to the end that the topic has now.
    pub(crate) fn read_to_end(self) -> Result<Vec<Vec<u8>>> {
        let records = self.records_to_end()?.into_iter();
        Ok(records
            .map(|record| record.value.unwrap_or_default())
            .collect())
    }

    /// Returns all records up to the end that the topic has now.
    pub(crate) fn records_to_end(mut self) -> Result<Vec<Record>> {
        let mut rows = Vec::new();
        let mut ended = vec![false; self.partitions];
        let deadline = Instant::now() + Duration::from_secs(180);
        while ended.contains(&false) {
            match self.poll()? {
                Polled::Row(row) => rows.push(row),
                Polled::End(partition) => ended[partition as usize] = true,
                Polled::Nothing => {}
            }
            ensure!(
                Instant::now() < deadline,
                "{} did not come to an end",
                self.topic
            );
        }
        Ok(rows)
    }

    /// Waits until `rows` rows were read, as long as the pipeline runs and `limit` is not over.
    pub(crate) fn wait_for(
        &mut self,
        rows: usize,
        limit: Duration,
        running: &mut Running,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.rows < rows {
            if matches!(self.poll()?, Polled::Row(_)) {
                continue;
            }
            running.ensure_alive()?;
            ensure!(
                Instant::now() < deadline,
                "{} of {rows} rows in {} after {limit:?}\n{}",
                self.rows,
                self.topic,
                running.log_end()
            );
        }
        Ok(())
    }
}
