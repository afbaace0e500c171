//! Transactions: whose they are, what belongs to them, how they end.
//!
//! # Source
//! KIP-98 as brokers since 2.5 speak it; KIP-890's second version, where brokers add partitions by themselves, is not used.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, GroupId,
    InitProducerIdRequest, InitProducerIdResponse, ProducerId, TransactionalId,
    TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::StrBytes;

use super::{Identity, Producer, Shared, TICK};
use crate::cluster::{Cluster, Coordinator, State as ClusterState, TopicPartition, topic_name};
use crate::error::WireError;

/// First and longest pause before a question that the end of the transaction before it holds up: a moment, while lanes wait.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));
/// How long partitions may take to be added before the sender looks around.
const JOIN_LIMIT: Duration = Duration::from_secs(10);
/// How long a new identity may take before the pilot looks around.
const RENEW_LIMIT: Duration = Duration::from_secs(5);

/// What belongs to the open transaction.
#[derive(Default)]
pub(super) struct Transaction {
    /// Partitions, by their lots.
    joined: BTreeSet<usize>,
    /// Those of the transaction before: they are likely to be written again, and one question is enough for all.
    before: BTreeSet<usize>,
    has_offsets: bool,
}

/// An offset to be committed with a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOffset {
    /// Of which partition.
    pub partition: TopicPartition,
    /// The offset.
    pub offset: i64,
    /// What is noted beside it.
    pub metadata: String,
}

impl Producer {
    /// Becomes known to the brokers. With a transactional id: whoever had it before can write nothing more, and what it left open is aborted.
    ///
    /// # Errors
    /// The brokers do not answer within `limit`, or answer no.
    pub fn init(&self, limit: Duration) -> Result<(), WireError> {
        let identity = self.shared.identify(limit)?;
        self.shared.become_known(identity);
        Ok(())
    }

    /// Opens a transaction.
    ///
    /// # Errors
    /// The one before was aborted: records of it may still be under way, and only a new producer can be sure of its own.
    pub fn begin(&self) -> Result<(), WireError> {
        if self.shared.state.lock().is_doomed {
            return Err(WireError::Config(
                "a transaction of this producer was aborted".into(),
            ));
        }
        self.shared.transaction.lock().begin();
        Ok(())
    }

    /// Adds offsets of `group` to the transaction. May be repeated.
    ///
    /// # Errors
    /// The brokers do not answer within `limit`, or answer no.
    pub fn send_offsets(
        &self,
        group: &str,
        offsets: &[NewOffset],
        limit: Duration,
    ) -> Result<(), WireError> {
        let shared = &self.shared;
        let (name, identity) = shared.named()?;
        let mut transaction = shared.transaction.lock();
        if !transaction.has_offsets {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(name.clone())
                .with_producer_id(ProducerId(identity.id))
                .with_producer_epoch(identity.epoch)
                .with_group_id(GroupId(StrBytes::from_string(group.to_owned())));
            shared.ask_coordinator(limit, |cluster, state, node, deadline| {
                let (answer, _) = cluster.ask(state, node, &request, (0, 3), deadline)?;
                checked("add offsets to the transaction", answer.error_code)
            })?;
            transaction.has_offsets = true;
        }
        let request = TxnOffsetCommitRequest::default()
            .with_transactional_id(name)
            .with_group_id(GroupId(StrBytes::from_string(group.to_owned())))
            .with_producer_id(ProducerId(identity.id))
            .with_producer_epoch(identity.epoch)
            .with_topics(topics_of(offsets));
        let cluster = &shared.cluster;
        let coordinator = Coordinator::Group(group.to_owned());
        cluster.retry_with(limit, PAUSES, |state, deadline| {
            let node = cluster.coordinator(state, &coordinator, deadline)?;
            let outcome = cluster
                .ask(state, node, &request, (0, 3), deadline)
                .and_then(|(answer, _)| {
                    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
                    let mut codes = partitions.map(|partition| partition.error_code);
                    let code = codes.find(|code| *code != 0).unwrap_or(0);
                    checked("write offsets into the transaction", code)
                });
            outcome.inspect_err(|_| state.forget_coordinator(&coordinator))
        })
    }

    /// Commits the transaction. Everything appended must be flushed.
    ///
    /// # Errors
    /// The brokers do not answer within `limit`: nobody knows then whether it is committed. Or they answer no.
    pub fn commit(&self, limit: Duration) -> Result<(), WireError> {
        self.shared.end(true, limit)
    }

    /// Aborts the transaction, and throws away what was appended. The producer can write nothing more.
    ///
    /// # Errors
    /// The brokers do not answer within `limit`, or answer no.
    pub fn abort(&self, limit: Duration) -> Result<(), WireError> {
        let shared = &self.shared;
        shared.doom();
        // What arrives behind the end of its transaction would open another one.
        if !shared.wait_for_landing(limit / 2) {
            for socket in shared.state.lock().senders.values().flatten() {
                drop(socket.shutdown(Shutdown::Both));
            }
            shared.wait_for_landing(limit / 4);
        }
        shared.end(false, limit)
    }
}

impl Transaction {
    fn begin(&mut self) {
        self.before = std::mem::take(&mut self.joined);
        self.has_offsets = false;
    }

    fn is_empty(&self) -> bool {
        self.joined.is_empty() && !self.has_offsets
    }
}

impl Shared {
    /// Adds partitions to the transaction, those that are in it already left out.
    pub(super) fn join(&self, lots: impl Iterator<Item = usize>) -> Result<(), WireError> {
        let mut transaction = self.transaction.lock();
        let mut missing: BTreeSet<usize> =
            lots.filter(|id| !transaction.joined.contains(id)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.append(&mut std::mem::take(&mut transaction.before));
        let (name, identity) = self.named()?;
        let request = AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(name)
            .with_v3_and_below_producer_id(ProducerId(identity.id))
            .with_v3_and_below_producer_epoch(identity.epoch)
            .with_v3_and_below_topics(self.named_topics(&missing));
        self.ask_coordinator(JOIN_LIMIT, |cluster, state, node, deadline| {
            let (answer, _) = cluster.ask(state, node, &request, (0, 3), deadline)?;
            let topics = answer.results_by_topic_v3_and_below.iter();
            let codes = topics
                .flat_map(|topic| &topic.results_by_partition)
                .filter_map(|found| ResponseError::try_from_code(found.partition_error_code));
            // One that is refused keeps the others from being attempted: the reason is with that one.
            let reason = codes
                .max_by_key(|code| *code != ResponseError::OperationNotAttempted)
                .map_or(0, |code| code.code());
            checked("add partitions to the transaction", reason)
        })?;
        transaction.joined.append(&mut missing);
        Ok(())
    }

    fn named_topics(&self, lots: &BTreeSet<usize>) -> Vec<AddPartitionsToTxnTopic> {
        let state = self.state.lock();
        let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
        for id in lots {
            let name = &state.lots[*id].name;
            topics.entry(&name.topic).or_default().push(name.partition);
        }
        let topics = topics.into_iter();
        topics
            .map(|(topic, partitions)| {
                AddPartitionsToTxnTopic::default()
                    .with_name(topic_name(topic))
                    .with_partitions(partitions)
            })
            .collect()
    }

    fn end(&self, commits: bool, limit: Duration) -> Result<(), WireError> {
        let transaction = self.transaction.lock();
        if transaction.is_empty() {
            return Ok(());
        }
        let (name, identity) = self.named()?;
        let request = EndTxnRequest::default()
            .with_transactional_id(name)
            .with_producer_id(ProducerId(identity.id))
            .with_producer_epoch(identity.epoch)
            .with_committed(commits);
        let what = if commits {
            "commit the transaction"
        } else {
            "abort the transaction"
        };
        self.ask_coordinator(limit, |cluster, state, node, deadline| {
            let (answer, _) = cluster.ask(state, node, &request, (0, 3), deadline)?;
            checked(what, answer.error_code)
        })
    }

    /// Asks whoever coordinates our transactions, until there is an answer that lasts.
    fn ask_coordinator<T>(
        &self,
        limit: Duration,
        mut ask: impl FnMut(&Cluster, &mut ClusterState, i32, Instant) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        let id = self.settings.transactional_id.clone().unwrap_or_default();
        let coordinator = Coordinator::Transaction(id);
        let cluster = &self.cluster;
        cluster.retry_with(limit, PAUSES, |state, deadline| {
            let node = cluster.coordinator(state, &coordinator, deadline)?;
            let outcome = ask(cluster, state, node, deadline);
            outcome.inspect_err(|error| {
                let waits = matches!(
                    error,
                    WireError::Refused {
                        code: ResponseError::ConcurrentTransactions,
                        ..
                    }
                );
                if !waits {
                    state.forget_coordinator(&coordinator);
                }
            })
        })
    }

    fn named(&self) -> Result<(TransactionalId, Identity), WireError> {
        let id = self.settings.transactional_id.clone();
        let identity = self.state.lock().identity;
        let (id, identity) = id.zip(identity).ok_or_else(|| {
            WireError::Config("a producer without a name has no transactions".into())
        })?;
        Ok((TransactionalId(StrBytes::from_string(id)), identity))
    }

    /// Asks for an identity; `None` where records need none.
    fn identify(&self, limit: Duration) -> Result<Option<Identity>, WireError> {
        if !self.settings.is_idempotent {
            return Ok(None);
        }
        let timeout = self.settings.transaction_timeout.as_millis();
        let name = self.settings.transactional_id.clone();
        let is_transactional = name.is_some();
        let request = InitProducerIdRequest::default()
            .with_transactional_id(name.map(|id| TransactionalId(StrBytes::from_string(id))))
            .with_transaction_timeout_ms(i32::try_from(timeout).unwrap_or(i32::MAX))
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let read = |answer: InitProducerIdResponse| {
            checked("become a producer", answer.error_code)?;
            Ok(Some(Identity {
                id: answer.producer_id.0,
                epoch: answer.producer_epoch,
            }))
        };
        if is_transactional {
            return self.ask_coordinator(limit, |cluster, state, node, deadline| {
                read(cluster.ask(state, node, &request, (0, 4), deadline)?.0)
            });
        }
        let cluster = &self.cluster;
        cluster.retry(limit, |state, deadline| {
            read(cluster.ask_any(state, &request, (0, 4), deadline)?.0)
        })
    }

    fn become_known(&self, identity: Option<Identity>) {
        let mut state = self.state.lock();
        state.identity = identity;
        state.must_renew = false;
        state.lines.iter_mut().for_each(super::lot::Line::restart);
        drop(state);
        self.changed.notify_all();
    }

    /// Becomes another producer, since the brokers have lost track of this one.
    pub(super) fn renew(&self) -> Result<(), WireError> {
        let identity = self.identify(RENEW_LIMIT)?;
        tracing::warn!(
            "a broker has lost track of what was written; the last records may come twice"
        );
        self.become_known(identity);
        Ok(())
    }

    /// Throws everything away that is not under way.
    fn doom(&self) {
        let mut state = self.state.lock();
        state.is_doomed = true;
        self.throw_away(&mut state);
        drop(state);
        // What is sealed now is thrown away too.
        self.seal_all();
    }

    /// Waits until nothing is under way.
    fn wait_for_landing(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut state = self.state.lock();
        while state.in_flight > 0 {
            if Instant::now() >= deadline {
                return false;
            }
            self.settled.wait_for(&mut state, TICK);
        }
        true
    }
}

/// Refuses a code that is not zero. What brokers do not know yet they may know soon.
fn checked(what: &str, code: i16) -> Result<(), WireError> {
    match ResponseError::try_from_code(code) {
        None => Ok(()),
        Some(ResponseError::UnknownTopicOrPartition) => Err(WireError::refused(
            format!("{what}, as a broker does not know the topic"),
            ResponseError::LeaderNotAvailable,
        )),
        Some(code) => Err(WireError::refused(what, code)),
    }
}

fn topics_of(offsets: &[NewOffset]) -> Vec<TxnOffsetCommitRequestTopic> {
    let mut topics: BTreeMap<&str, Vec<TxnOffsetCommitRequestPartition>> = BTreeMap::new();
    for new in offsets {
        topics.entry(&new.partition.topic).or_default().push(
            TxnOffsetCommitRequestPartition::default()
                .with_partition_index(new.partition.partition)
                .with_committed_offset(new.offset)
                .with_committed_leader_epoch(-1)
                .with_committed_metadata(Some(StrBytes::from_string(new.metadata.clone()))),
        );
    }
    let topics = topics.into_iter();
    topics
        .map(|(topic, partitions)| {
            TxnOffsetCommitRequestTopic::default()
                .with_name(topic_name(topic))
                .with_partitions(partitions)
        })
        .collect()
}
