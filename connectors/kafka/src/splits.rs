//! Partitions as splits.

use std::fmt;

use millrace_connector::{ConnectorError, ErrorKind, Position, Retry, SplitId};

/// A partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TopicPartition {
    pub(crate) topic: String,
    pub(crate) partition: i32,
}

impl TopicPartition {
    /// Returns the split's name: `topic-partition`.
    pub(crate) fn id(&self) -> SplitId {
        SplitId(format!("{}-{}", self.topic, self.partition))
    }

    /// Returns the partition that a split's name means.
    pub(crate) fn from_id(id: &SplitId) -> Option<Self> {
        let (topic, partition) = id.0.rsplit_once('-')?;
        Some(Self {
            topic: topic.to_owned(),
            partition: partition.parse().ok()?,
        })
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "topic '{}', partition {}", self.topic, self.partition)
    }
}

/// Returns the position that an offset is.
pub(crate) fn position(offset: i64) -> Position {
    Position(offset.into())
}

/// Returns the partition and offset of a split's checkpointed position.
pub(crate) fn read(
    id: &SplitId,
    position: &Position,
) -> Result<(TopicPartition, i64), ConnectorError> {
    TopicPartition::from_id(id)
        .zip(position.0.as_i64())
        .ok_or_else(|| {
            ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                format!(
                    "the checkpoint's position {} of split '{id}' is not one of Kafka",
                    position.0
                ),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        let partition = TopicPartition {
            topic: "a-b-1".into(),
            partition: 12,
        };
        assert_eq!(TopicPartition::from_id(&partition.id()), Some(partition));
        assert_eq!(TopicPartition::from_id(&SplitId("nonsense".into())), None);
    }
}
