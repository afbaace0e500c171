//! Questions about offsets: the ends of partitions, by time, and those that a group has committed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use kafka_protocol::messages::{
    BrokerId, GroupId, ListOffsetsRequest, OffsetCommitRequest, OffsetFetchRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::cluster::{Cluster, Coordinator, State, TopicPartition, topic_name};
use crate::error::{WireError, is_passing};

/// Which offset of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The first that is still there.
    Earliest,
    /// The one that comes next; of committed records where only those are read.
    Latest,
    /// The first whose timestamp is this or later.
    Time(i64),
}

/// What a group has committed of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset.
    pub offset: i64,
    /// What was noted beside it.
    pub metadata: Option<String>,
}

impl At {
    fn number(self) -> i64 {
        match self {
            Self::Latest => -1,
            Self::Earliest => -2,
            // Times before 1970 would be taken for the others.
            Self::Time(at) => at.max(0),
        }
    }
}

/// "We are no broker."
const NO_REPLICA: i32 = -1;
/// "We are no member of the group."
const NO_GENERATION: i32 = -1;

fn by_topic<'a>(
    partitions: impl IntoIterator<Item = &'a TopicPartition>,
) -> BTreeMap<&'a str, Vec<&'a TopicPartition>> {
    let mut topics: BTreeMap<&str, Vec<&TopicPartition>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition);
    }
    topics
}

impl Cluster {
    /// Returns the offset `at` of each partition; `None` where there is none as late as the time asked for.
    ///
    /// # Errors
    /// The brokers do not answer within `limit`, or answer no.
    pub fn list_offsets(
        &self,
        partitions: &[TopicPartition],
        at: At,
        read_committed: bool,
        limit: Duration,
    ) -> Result<BTreeMap<TopicPartition, Option<i64>>, WireError> {
        let mut found = BTreeMap::new();
        self.retry(limit, |state, deadline| {
            let missing = partitions.iter().filter(|name| !found.contains_key(*name));
            let leaders = self.leaders(state, missing, deadline)?;
            let mut failed = None;
            for (node, partitions) in leaders {
                let request = ListOffsetsRequest::default()
                    .with_replica_id(BrokerId(NO_REPLICA))
                    .with_isolation_level(i8::from(read_committed))
                    .with_topics(asked_topics(&partitions, at));
                // Version 2 is the first that knows about committed records.
                let answer = self.ask(state, node, &request, (2, 7), deadline);
                let (answer, _) = answer.inspect_err(|_| state.forget_leaders())?;
                for topic in &answer.topics {
                    for partition in &topic.partitions {
                        let name = TopicPartition {
                            topic: topic.name.to_string(),
                            partition: partition.partition_index,
                        };
                        match ResponseError::try_from_code(partition.error_code) {
                            None => {
                                let offset = Some(partition.offset).filter(|offset| *offset >= 0);
                                found.insert(name, offset);
                            }
                            Some(code) => {
                                let what = format!("ask for the offsets of {name}");
                                failed = Some(WireError::refused(what, code));
                            }
                        }
                    }
                }
            }
            match failed {
                None => Ok(()),
                Some(error) => {
                    state.forget_leaders();
                    Err(error)
                }
            }
        })?;
        Ok(found)
    }

    /// Returns the offsets that `group` has committed; `None` where it has none. Waits for open transactions that hold offsets of the group,
    /// where brokers can tell (2.5).
    ///
    /// # Errors
    /// The brokers do not answer within `limit`, or answer no.
    pub fn committed(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        limit: Duration,
    ) -> Result<HashMap<TopicPartition, Option<Committed>>, WireError> {
        let topics: Vec<_> = by_topic(partitions)
            .into_iter()
            .map(|(topic, partitions)| {
                OffsetFetchRequestTopic::default()
                    .with_name(topic_name(topic))
                    .with_partition_indexes(partitions.iter().map(|name| name.partition).collect())
            })
            .collect();
        let request = OffsetFetchRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_require_stable(true)
            .with_topics(Some(topics));
        let coordinator = Coordinator::Group(group.to_owned());
        self.retry(limit, |state, deadline| {
            let node = self.coordinator(state, &coordinator, deadline)?;
            let answer = self.ask(state, node, &request, (1, 7), deadline);
            let (answer, _) = answer.inspect_err(|_| state.forget_coordinator(&coordinator))?;
            let mut found = HashMap::new();
            let mut failed = ResponseError::try_from_code(answer.error_code);
            for topic in &answer.topics {
                for partition in &topic.partitions {
                    let name = TopicPartition {
                        topic: topic.name.to_string(),
                        partition: partition.partition_index,
                    };
                    failed = failed.or(ResponseError::try_from_code(partition.error_code));
                    let committed = Committed {
                        offset: partition.committed_offset,
                        metadata: partition.metadata.as_ref().map(ToString::to_string),
                    };
                    found.insert(name, Some(committed).filter(|found| found.offset >= 0));
                }
            }
            judge(state, &coordinator, "read the group's offsets", failed)?;
            Ok(found)
        })
    }

    /// Commits offsets for `group`, as somebody who is no member of it.
    ///
    /// # Errors
    /// The brokers do not answer within `limit`, or answer no.
    pub fn commit(
        &self,
        group: &str,
        offsets: &HashMap<TopicPartition, i64>,
        limit: Duration,
    ) -> Result<(), WireError> {
        let topics: Vec<_> = by_topic(offsets.keys())
            .into_iter()
            .map(|(topic, partitions)| {
                let one = |name: &&TopicPartition| {
                    OffsetCommitRequestPartition::default()
                        .with_partition_index(name.partition)
                        .with_committed_offset(offsets[*name])
                        .with_committed_metadata(Some(StrBytes::new()))
                };
                OffsetCommitRequestTopic::default()
                    .with_name(topic_name(topic))
                    .with_partitions(partitions.iter().map(one).collect())
            })
            .collect();
        let request = OffsetCommitRequest::default()
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_generation_id_or_member_epoch(NO_GENERATION)
            .with_topics(topics);
        let coordinator = Coordinator::Group(group.to_owned());
        self.retry(limit, |state, deadline| {
            let node = self.coordinator(state, &coordinator, deadline)?;
            let answer = self.ask(state, node, &request, (2, 8), deadline);
            let (answer, _) = answer.inspect_err(|_| state.forget_coordinator(&coordinator))?;
            let mut codes = answer.topics.iter().flat_map(|topic| &topic.partitions);
            let failed = codes.find_map(|found| ResponseError::try_from_code(found.error_code));
            judge(state, &coordinator, "publish offsets", failed)
        })
    }
}

fn asked_topics(partitions: &[&TopicPartition], at: At) -> Vec<ListOffsetsTopic> {
    by_topic(partitions.iter().copied())
        .into_iter()
        .map(|(topic, partitions)| {
            let one = |name: &&TopicPartition| {
                ListOffsetsPartition::default()
                    .with_partition_index(name.partition)
                    .with_current_leader_epoch(-1)
                    .with_timestamp(at.number())
            };
            ListOffsetsTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(partitions.iter().map(one).collect())
        })
        .collect()
}

fn judge(
    state: &mut State,
    coordinator: &Coordinator,
    what: &str,
    failed: Option<ResponseError>,
) -> Result<(), WireError> {
    let Some(code) = failed else { return Ok(()) };
    if is_passing(code) {
        state.forget_coordinator(coordinator);
    }
    Err(WireError::refused(what, code))
}
