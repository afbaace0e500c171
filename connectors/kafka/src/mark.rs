//! The mark: what a transaction says about the epoch that it commits, kept as a group's offset.
//!
//! The offset of (an output topic, partition 0) in a group of our own is the epoch; its metadata holds the rest. It is sent into the
//! transaction, so it becomes readable exactly when the rows do, whatever the source is and wherever it lives.

use std::time::Duration;

use millrace_connector::sink::Mark;
use millrace_connector::{ConnectorError, Epoch, ErrorKind, Retry};
use millrace_kafka_wire::{Cluster, NewOffset, TopicPartition};

use crate::trouble::trouble;

/// How long reading the mark may take; a transaction that is just being aborted delays it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a group of sinks keeps its mark.
pub(crate) struct MarkKeeper {
    servers: String,
    group: String,
    partition: TopicPartition,
}

impl MarkKeeper {
    /// Returns the keeper of the mark of `transactional_id`.
    pub(crate) fn new(servers: &str, transactional_id: &str, topic: &str) -> Self {
        Self {
            servers: servers.to_owned(),
            group: format!("millrace-mark-{transactional_id}"),
            partition: TopicPartition {
                topic: topic.to_owned(),
                partition: 0,
            },
        }
    }

    /// Returns the group that the mark is an offset of.
    pub(crate) fn group(&self) -> &str {
        &self.group
    }

    /// Returns the mark of the last committed transaction. To be called only after an open one was ended: it would hold the
    /// answer back.
    pub(crate) fn read(&self, cluster: &Cluster) -> Result<Option<Mark>, ConnectorError> {
        let partitions = [self.partition.clone()];
        let mut found = cluster
            .committed(&self.group, &partitions, READ_TIMEOUT)
            .map_err(|error| trouble("read the mark of the last epoch", &self.servers, error))?;
        let Some(committed) = found.remove(&self.partition).flatten() else {
            return Ok(None);
        };
        let topic = &self.partition.topic;
        let bad = |what: String| ConnectorError::new(ErrorKind::Internal, Retry::Never, what);
        let text = committed.metadata.unwrap_or_default();
        let mark: Mark = serde_json::from_str(&text).map_err(|error| {
            bad(format!(
                "the mark on topic '{topic}' is not one of millrace's"
            ))
            .caused_by(error)
        })?;
        let offset = committed.offset;
        if u64::try_from(offset) != Ok(mark.epoch.0) {
            return Err(bad(format!(
                "the mark on topic '{topic}' contradicts itself: offset {offset}, epoch {}",
                mark.epoch
            )));
        }
        Ok(Some(mark))
    }

    /// Returns the offset that leaves `mark`.
    pub(crate) fn offset(&self, mark: &Mark) -> Result<NewOffset, ConnectorError> {
        let Epoch(epoch) = mark.epoch;
        let offset = i64::try_from(epoch).map_err(|_| {
            let what = format!("epoch {epoch} is too large");
            ConnectorError::new(ErrorKind::Internal, Retry::Never, what)
        })?;
        Ok(NewOffset {
            partition: self.partition.clone(),
            offset,
            metadata: serde_json::to_string(mark).expect("a mark is plain data"),
        })
    }
}
