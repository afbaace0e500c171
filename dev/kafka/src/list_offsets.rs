//! Finding offsets: the ends of a log, by timestamp, and by leader epoch.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::ListOffsetsPartition;
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::offset_for_leader_epoch_response::{
    EpochEndOffset, OffsetForLeaderTopicResult,
};
use kafka_protocol::messages::{
    ListOffsetsRequest, ListOffsetsResponse, OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
};

use crate::api::{code, outcome};
use crate::batch::LEADER_EPOCH;
use crate::broker::Broker;
use crate::log::Isolation;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// In both fields: there is no such row.
const NOT_FOUND: (i64, i64) = (-1, -1);

impl Broker {
    /// Answers `ListOffsets`.
    pub(crate) fn list_offsets(&self, request: ListOffsetsRequest) -> ListOffsetsResponse {
        let isolation = Isolation::from(request.isolation_level);
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let found = self.find_offset(&topic.name, asked, isolation);
                let (offset, timestamp) = *found.as_ref().unwrap_or(&NOT_FOUND);
                ListOffsetsPartitionResponse::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(outcome(&found))
                    .with_offset(offset)
                    .with_timestamp(timestamp)
                    .with_leader_epoch(if offset < 0 { -1 } else { LEADER_EPOCH })
            });
            let partitions = partitions.collect();
            ListOffsetsTopicResponse::default()
                .with_partitions(partitions)
                .with_name(topic.name)
        });
        ListOffsetsResponse::default().with_topics(topics.collect())
    }

    /// Returns offset and timestamp of what was asked for.
    fn find_offset(
        &self,
        topic: &str,
        asked: &ListOffsetsPartition,
        isolation: Isolation,
    ) -> Result<(i64, i64), ResponseError> {
        let log = self.partition(topic, asked.partition_index)?;
        if asked.current_leader_epoch > LEADER_EPOCH {
            return Err(ResponseError::UnknownLeaderEpoch);
        }
        let log = log.lock();
        Ok(match asked.timestamp {
            LATEST => (log.visible_end(isolation), -1),
            EARLIEST => (log.start(), -1),
            MAX_TIMESTAMP => log.find_max_timestamp().unwrap_or(NOT_FOUND),
            time if time < 0 => return Err(ResponseError::UnsupportedVersion),
            time => log.find_by_timestamp(time, isolation).unwrap_or(NOT_FOUND),
        })
    }

    /// Answers `OffsetForLeaderEpoch`: the only epoch ends where the log ends.
    pub(crate) fn epoch_ends(
        &self,
        request: OffsetForLeaderEpochRequest,
    ) -> OffsetForLeaderEpochResponse {
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let answer = EpochEndOffset::default().with_partition(asked.partition);
                let unknown = answer.clone().with_leader_epoch(-1).with_end_offset(-1);
                match self.partition(&topic.topic, asked.partition) {
                    Err(error) => unknown.with_error_code(code(error)),
                    Ok(_) if asked.current_leader_epoch > LEADER_EPOCH => {
                        unknown.with_error_code(code(ResponseError::UnknownLeaderEpoch))
                    }
                    Ok(_) if asked.leader_epoch != LEADER_EPOCH => unknown,
                    Ok(log) => answer
                        .with_leader_epoch(LEADER_EPOCH)
                        .with_end_offset(log.lock().end()),
                }
            });
            let partitions = partitions.collect();
            OffsetForLeaderTopicResult::default()
                .with_partitions(partitions)
                .with_topic(topic.topic)
        });
        OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
    }
}
