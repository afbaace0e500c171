//! Offsets that groups commit, at once or with a transaction.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_delete_response::{
    OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse,
    OffsetFetchRequest, OffsetFetchResponse, TopicName, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
};
use kafka_protocol::protocol::StrBytes;

use crate::api::{code, outcome};
use crate::broker::Broker;
use crate::connection::Caller;
use crate::metadata::topic_name;
use crate::transaction::Owner;

/// Longest text kept with an offset, as Apache Kafka's `offset.metadata.max.bytes`.
const METADATA_BYTES_MAX: usize = 4096;
/// From this version on many groups are asked about at once.
const FETCH_MANY: i16 = 8;
/// What is told about a partition without an offset.
const NO_OFFSET: i64 = -1;
const NO_EPOCH: i32 = -1;

type Place = (String, i32);

/// The offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<Place, Committed>,
    /// By producer id: sent in a transaction that is still open.
    pending: HashMap<i64, BTreeMap<Place, Committed>>,
}

/// A committed offset with what was said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    offset: i64,
    leader_epoch: i32,
    metadata: String,
}

impl Committed {
    fn new(offset: i64, leader_epoch: i32, metadata: Option<&StrBytes>) -> Self {
        let metadata = metadata.map_or_else(String::new, ToString::to_string);
        Self {
            offset,
            leader_epoch,
            metadata,
        }
    }
}

impl Offsets {
    /// Applies or drops what a producer sent in the transaction that ends.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, committed: bool) {
        let sent = self.pending.remove(&producer_id);
        if committed {
            self.committed.extend(sent.into_iter().flatten());
        }
    }

    /// Drops what is known about a topic.
    pub(crate) fn forget_topic(&mut self, topic: &str) {
        self.committed.retain(|(name, _), _| name != topic);
        for sent in self.pending.values_mut() {
            sent.retain(|(name, _), _| name != topic);
        }
    }

    fn is_pending(&self, place: &Place) -> bool {
        self.pending.values().any(|sent| sent.contains_key(place))
    }

    /// Returns a partition's offset.
    ///
    /// # Errors
    /// `UnstableOffsetCommit` where only settled offsets are wanted and an open transaction holds one.
    fn get(&self, place: &Place, stable: bool) -> Result<Option<&Committed>, ResponseError> {
        if stable && self.is_pending(place) {
            return Err(ResponseError::UnstableOffsetCommit);
        }
        Ok(self.committed.get(place))
    }

    /// Returns all partitions that have an offset, or will have one when a transaction commits.
    fn places(&self) -> Vec<(String, Vec<i32>)> {
        let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        let pending = self.pending.values().flat_map(BTreeMap::keys);
        for (topic, index) in self.committed.keys().chain(pending) {
            by_topic.entry(topic).or_default().push(*index);
        }
        let tidy = |(topic, mut indexes): (&str, Vec<i32>)| {
            indexes.sort_unstable();
            indexes.dedup();
            (topic.to_owned(), indexes)
        };
        by_topic.into_iter().map(tidy).collect()
    }
}

impl Broker {
    /// Checks what every commit of an offset must fulfil.
    fn check_offset(
        &self,
        place: &Place,
        metadata: Option<&StrBytes>,
    ) -> Result<(), ResponseError> {
        if metadata.is_some_and(|text| text.len() > METADATA_BYTES_MAX) {
            return Err(ResponseError::OffsetMetadataTooLarge);
        }
        self.partition(&place.0, place.1).map(|_| ())
    }

    /// Answers `OffsetCommit`.
    pub(crate) fn commit_offsets(&self, request: OffsetCommitRequest) -> OffsetCommitResponse {
        let mut groups = self.groups.lock();
        let group = groups.get_or_create(&request.group_id);
        let allowed = if request.group_id.is_empty() {
            Err(ResponseError::InvalidGroupId)
        } else {
            group.check_committer(
                &request.member_id,
                request.group_instance_id.as_deref(),
                request.generation_id_or_member_epoch,
                Instant::now(),
            )
        };
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let place = (topic.name.to_string(), asked.partition_index);
                let metadata = asked.committed_metadata.as_ref();
                let checked = allowed.and_then(|()| self.check_offset(&place, metadata));
                if checked.is_ok() {
                    let (offset, epoch) = (asked.committed_offset, asked.committed_leader_epoch);
                    let committed = Committed::new(offset, epoch, metadata);
                    group.offsets.committed.insert(place, committed);
                }
                OffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(outcome(&checked))
            });
            let partitions = partitions.collect();
            OffsetCommitResponseTopic::default()
                .with_partitions(partitions)
                .with_name(topic.name)
        });
        OffsetCommitResponse::default().with_topics(topics.collect())
    }

    /// Answers `TxnOffsetCommit`: the offsets wait for the end of the transaction.
    pub(crate) fn commit_in_transaction(
        &self,
        request: TxnOffsetCommitRequest,
    ) -> TxnOffsetCommitResponse {
        let owner = Owner {
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        };
        // Held to the end, so that the transaction can't end before its offsets are noted.
        let mut transactions = self.transactions.lock();
        let admitted =
            transactions.admit_offsets(&request.transactional_id, owner, &request.group_id);
        let mut groups = self.groups.lock();
        let group = groups.get_or_create(&request.group_id);
        let by_member = request.generation_id >= 0 || !request.member_id.is_empty();
        let allowed = match admitted {
            // This request has no code for "fenced" but the old one.
            Err(ResponseError::ProducerFenced) => Err(ResponseError::InvalidProducerEpoch),
            Ok(()) if by_member => group.check_member(
                &request.member_id,
                request.group_instance_id.as_deref(),
                request.generation_id,
            ),
            admitted => admitted,
        };
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let place = (topic.name.to_string(), asked.partition_index);
                let metadata = asked.committed_metadata.as_ref();
                let checked = allowed.and_then(|()| self.check_offset(&place, metadata));
                if checked.is_ok() {
                    let (offset, epoch) = (asked.committed_offset, asked.committed_leader_epoch);
                    let committed = Committed::new(offset, epoch, metadata);
                    let sent = group.offsets.pending.entry(owner.producer_id).or_default();
                    sent.insert(place, committed);
                }
                TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(outcome(&checked))
            });
            let partitions = partitions.collect();
            TxnOffsetCommitResponseTopic::default()
                .with_partitions(partitions)
                .with_name(topic.name)
        });
        TxnOffsetCommitResponse::default().with_topics(topics.collect())
    }

    /// Answers `OffsetFetch`, for one group or many.
    pub(crate) fn fetch_offsets(
        &self,
        caller: &Caller,
        request: OffsetFetchRequest,
    ) -> OffsetFetchResponse {
        let stable = request.require_stable;
        if caller.version < FETCH_MANY {
            let asked = request.topics.map(|topics| {
                topics
                    .into_iter()
                    .map(|topic| (topic.name, topic.partition_indexes))
                    .collect()
            });
            let topics = self
                .offsets_of(&request.group_id, asked, stable)
                .into_iter();
            let topics = topics.map(|(name, partitions)| {
                let partitions = partitions.into_iter().map(single).collect();
                OffsetFetchResponseTopic::default()
                    .with_name(name)
                    .with_partitions(partitions)
            });
            return OffsetFetchResponse::default().with_topics(topics.collect());
        }
        let groups = request.groups.into_iter().map(|group| {
            let asked = group.topics.map(|topics| {
                topics
                    .into_iter()
                    .map(|topic| (topic.name, topic.partition_indexes))
                    .collect()
            });
            let topics = self.offsets_of(&group.group_id, asked, stable).into_iter();
            let topics = topics.map(|(name, partitions)| {
                OffsetFetchResponseTopics::default()
                    .with_name(name)
                    .with_partitions(partitions)
            });
            OffsetFetchResponseGroup::default()
                .with_topics(topics.collect())
                .with_group_id(group.group_id)
        });
        OffsetFetchResponse::default().with_groups(groups.collect())
    }

    /// Returns the asked offsets of a group, or all that it has.
    fn offsets_of(
        &self,
        group: &str,
        asked: Option<Vec<(TopicName, Vec<i32>)>>,
        stable: bool,
    ) -> Vec<(TopicName, Vec<OffsetFetchResponsePartitions>)> {
        let groups = self.groups.lock();
        let none = Offsets::default();
        let offsets = groups.get(group).map_or(&none, |group| &group.offsets);
        let asked = asked.unwrap_or_else(|| {
            let places = offsets.places().into_iter();
            places
                .map(|(topic, indexes)| (topic_name(&topic), indexes))
                .collect()
        });
        let answer = |topic: &TopicName, index: i32| {
            let partition = OffsetFetchResponsePartitions::default()
                .with_partition_index(index)
                .with_committed_offset(NO_OFFSET)
                .with_committed_leader_epoch(NO_EPOCH)
                .with_metadata(Some(StrBytes::default()));
            match offsets.get(&(topic.to_string(), index), stable) {
                Err(error) => partition.with_error_code(code(error)),
                Ok(None) => partition,
                Ok(Some(found)) => partition
                    .with_committed_offset(found.offset)
                    .with_committed_leader_epoch(found.leader_epoch)
                    .with_metadata(Some(StrBytes::from_string(found.metadata.clone()))),
            }
        };
        let answers = asked.into_iter().map(|(topic, indexes)| {
            let partitions = indexes
                .into_iter()
                .map(|index| answer(&topic, index))
                .collect();
            (topic, partitions)
        });
        answers.collect()
    }

    /// Answers `OffsetDelete`; a topic that has members on it is left alone.
    pub(crate) fn delete_offsets(&self, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
        let mut groups = self.groups.lock();
        let response = OffsetDeleteResponse::default();
        let Some(group) = groups.get_mut(&request.group_id) else {
            return response.with_error_code(code(ResponseError::GroupIdNotFound));
        };
        let in_use = !group.members.is_empty();
        let topics = request.topics.into_iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|asked| {
                let place = (topic.name.to_string(), asked.partition_index);
                let error = if in_use {
                    Some(ResponseError::GroupSubscribedToTopic)
                } else {
                    group.offsets.committed.remove(&place);
                    None
                };
                OffsetDeleteResponsePartition::default()
                    .with_partition_index(asked.partition_index)
                    .with_error_code(code(error))
            });
            let partitions = partitions.collect();
            OffsetDeleteResponseTopic::default()
                .with_partitions(partitions)
                .with_name(topic.name)
        });
        response.with_topics(topics.collect())
    }
}

fn single(from: OffsetFetchResponsePartitions) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(from.partition_index)
        .with_committed_offset(from.committed_offset)
        .with_committed_leader_epoch(from.committed_leader_epoch)
        .with_metadata(from.metadata)
        .with_error_code(from.error_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> Committed {
        Committed::new(offset, 0, None)
    }

    #[test]
    fn offsets_of_a_transaction_appear_when_it_commits() {
        let place = ("t".to_owned(), 0);
        let mut offsets = Offsets::default();
        offsets.committed.insert(place.clone(), at(1));
        for (producer, committed, expected) in [(7, false, 1), (8, true, 9)] {
            offsets
                .pending
                .entry(producer)
                .or_default()
                .insert(place.clone(), at(9));
            assert_eq!(
                offsets.get(&place, true),
                Err(ResponseError::UnstableOffsetCommit)
            );
            assert_eq!(offsets.get(&place, false), Ok(Some(&at(1))));
            offsets.end_transaction(producer, committed);
            assert_eq!(offsets.get(&place, true), Ok(Some(&at(expected))));
        }
    }

    #[test]
    fn all_places_of_a_group_are_listed_once() {
        let mut offsets = Offsets::default();
        offsets.committed.insert(("b".to_owned(), 1), at(1));
        offsets.committed.insert(("a".to_owned(), 0), at(1));
        let sent = offsets.pending.entry(3).or_default();
        sent.insert(("b".to_owned(), 1), at(2));
        sent.insert(("b".to_owned(), 0), at(2));
        let expected = [("a".to_owned(), vec![0]), ("b".to_owned(), vec![0, 1])];
        assert_eq!(offsets.places(), expected);
        offsets.forget_topic("b");
        assert_eq!(offsets.places(), expected[..1]);
    }
}
