//! Partitions as splits.

use millrace_connector::{ConnectorError, ErrorKind, Position, Retry, SplitId};
use millrace_kafka_wire::TopicPartition;

/// Returns the split's name: `topic-partition`.
pub(crate) fn split(name: &TopicPartition) -> SplitId {
    SplitId(format!("{}-{}", name.topic, name.partition))
}

/// Returns the partition that a split's name means.
fn partition(id: &SplitId) -> Option<TopicPartition> {
    let (topic, partition) = id.0.rsplit_once('-')?;
    Some(TopicPartition {
        topic: topic.to_owned(),
        partition: partition.parse().ok()?,
    })
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
    partition(id).zip(position.0.as_i64()).ok_or_else(|| {
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
        let name = TopicPartition {
            topic: "a-b-1".into(),
            partition: 12,
        };
        assert_eq!(partition(&split(&name)), Some(name));
        assert_eq!(partition(&SplitId("nonsense".into())), None);
    }
}
