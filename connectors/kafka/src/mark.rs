//! The mark: what a transaction says about the epoch that it commits, kept as a group's offset.
//!
//! The offset of (an output topic, partition 0) in a group of our own is the epoch; its metadata holds the rest. It is sent into the
//! transaction, so it becomes readable exactly when the rows do, whatever the source is and wherever it lives.

use std::time::Duration;

use millrace_connector::sink::Mark;
use millrace_connector::{ConnectorError, Epoch, ErrorKind, Retry};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerGroupMetadata};
use rdkafka::{Offset, TopicPartitionList};

use crate::client::{Ear, config, failure};
use crate::properties::ClientProperties;

/// How long reading the mark may take; a transaction that is just being aborted delays it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a group of sinks keeps its mark.
pub(crate) struct MarkKeeper {
    servers: String,
    topic: String,
    consumer: BaseConsumer<Ear>,
    ear: Ear,
}

impl MarkKeeper {
    /// Returns the keeper of the mark of `transactional_id`.
    pub(crate) fn open(
        servers: &str,
        client: &ClientProperties,
        transactional_id: &str,
        topic: &str,
    ) -> Result<Self, ConnectorError> {
        let ear = Ear::default();
        let mut values = client.values.clone();
        // A producer's properties stand beside what both kinds of client share.
        for key in PRODUCER_ONLY {
            values.remove(*key);
        }
        let settings = [
            ("group.id", format!("millrace-mark-{transactional_id}")),
            ("isolation.level", "read_committed".to_owned()),
            ("enable.auto.commit", "false".to_owned()),
        ];
        let consumer = config(&values, &settings)
            .create_with_context(ear.clone())
            .map_err(|error| failure("make a Kafka consumer", servers, error, &ear))?;
        Ok(Self {
            servers: servers.to_owned(),
            topic: topic.to_owned(),
            consumer,
            ear,
        })
    }

    /// Returns the mark of the last committed transaction. To be called after `init_transactions` only: an open transaction
    /// would hold the answer back.
    pub(crate) fn read(&self) -> Result<Option<Mark>, ConnectorError> {
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.topic, 0);
        let found = self
            .consumer
            .committed_offsets(list, READ_TIMEOUT)
            .map_err(|error| {
                failure(
                    "read the mark of the last epoch",
                    &self.servers,
                    error,
                    &self.ear,
                )
            })?;
        let Some(element) = found.elements().into_iter().next() else {
            return Ok(None);
        };
        let Offset::Offset(offset) = element.offset() else {
            return Ok(None);
        };
        let mark: Mark = serde_json::from_str(element.metadata()).map_err(|error| {
            ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                format!(
                    "the mark on topic '{}' is not one of millrace's",
                    self.topic
                ),
            )
            .caused_by(error)
        })?;
        if u64::try_from(offset) != Ok(mark.epoch.0) {
            return Err(ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                format!(
                    "the mark on topic '{}' contradicts itself: offset {offset}, epoch {}",
                    self.topic, mark.epoch
                ),
            ));
        }
        Ok(Some(mark))
    }

    /// Returns what `send_offsets_to_transaction` takes to leave `mark`.
    pub(crate) fn offsets(
        &self,
        mark: &Mark,
    ) -> Result<(TopicPartitionList, ConsumerGroupMetadata), ConnectorError> {
        let internal = |what: String| ConnectorError::new(ErrorKind::Internal, Retry::Never, what);
        let Epoch(epoch) = mark.epoch;
        let offset =
            i64::try_from(epoch).map_err(|_| internal(format!("epoch {epoch} is too large")))?;
        let mut list = TopicPartitionList::new();
        let text = serde_json::to_string(mark).expect("a mark is plain data");
        let mut element = list.add_partition(&self.topic, 0);
        element
            .set_offset(Offset::Offset(offset))
            .map_err(|error| failure("write the mark", &self.servers, error, &self.ear))?;
        element.set_metadata(text);
        let group = self
            .consumer
            .group_metadata()
            .ok_or_else(|| internal("the mark's group has no metadata".into()))?;
        Ok((list, group))
    }
}

/// Properties that librdkafka would warn of on a consumer.
const PRODUCER_ONLY: &[&str] = &[
    "acks",
    "batch.size",
    "compression.type",
    "compression.level",
    "delivery.timeout.ms",
    "enable.idempotence",
    "linger.ms",
    "queue.buffering.max.kbytes",
    "retries",
    "transaction.timeout.ms",
];
