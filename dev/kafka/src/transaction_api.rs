//! The requests of idempotent and transactional producers.

use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use kafka_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest,
    InitProducerIdResponse, ProducerId,
};

use crate::api::code;
use crate::broker::Broker;
use crate::connection::Caller;
use crate::transaction::Owner;

/// From these versions on clients know `ProducerFenced`; older ones are told `InvalidProducerEpoch`.
const INIT_KNOWS_FENCED: i16 = 4;
const OTHERS_KNOW_FENCED: i16 = 2;

impl Broker {
    /// Answers `InitProducerId`, for idempotent producers and for transactional ones.
    pub(crate) fn init_producer(
        &self,
        caller: &Caller,
        request: &InitProducerIdRequest,
    ) -> InitProducerIdResponse {
        let response = InitProducerIdResponse::default();
        let mut transactions = self.transactions.lock();
        let made = match &request.transactional_id {
            None => Ok((transactions.new_producer(), None)),
            Some(id) if id.is_empty() => Err(ResponseError::InvalidRequest),
            Some(id) => {
                let timeout_ms = u64::try_from(request.transaction_timeout_ms).unwrap_or(0);
                let current = Owner {
                    producer_id: request.producer_id.0,
                    epoch: request.producer_epoch,
                };
                let current = (current.producer_id >= 0).then_some(current);
                transactions.init(id, Duration::from_millis(timeout_ms), current)
            }
        };
        match made {
            Ok((owner, ending)) => {
                if let Some(ending) = ending {
                    self.finish(&ending);
                }
                response
                    .with_producer_id(ProducerId(owner.producer_id))
                    .with_producer_epoch(owner.epoch)
            }
            Err(error) => response
                .with_error_code(fenced_code(error, caller.version >= INIT_KNOWS_FENCED))
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1),
        }
    }

    /// Answers `AddPartitionsToTxn`: all partitions are taken, or none.
    pub(crate) fn add_partitions(
        &self,
        caller: &Caller,
        request: AddPartitionsToTxnRequest,
    ) -> AddPartitionsToTxnResponse {
        let owner = Owner {
            producer_id: request.v3_and_below_producer_id.0,
            epoch: request.v3_and_below_producer_epoch,
        };
        let topics = request.v3_and_below_topics;
        let exists = |topic: &str, index: i32| self.partition(topic, index).is_ok();
        let all_exist = topics.iter().all(|topic| {
            topic
                .partitions
                .iter()
                .all(|index| exists(&topic.name, *index))
        });
        let added = if all_exist {
            let partitions = topics.iter().flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|index| (topic.name.to_string(), *index))
            });
            let id = &request.v3_and_below_transactional_id;
            self.transactions
                .lock()
                .add_partitions(id, owner, partitions, Instant::now())
        } else {
            Err(ResponseError::OperationNotAttempted)
        };
        let error_of = |topic: &str, index: i32| match added {
            Err(ResponseError::OperationNotAttempted) if !exists(topic, index) => {
                code(ResponseError::UnknownTopicOrPartition)
            }
            Err(error) => fenced_code(error, caller.version >= OTHERS_KNOW_FENCED),
            Ok(()) => 0,
        };
        let results = topics.into_iter().map(|topic: AddPartitionsToTxnTopic| {
            let partitions = topic.partitions.iter().map(|index| {
                AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(*index)
                    .with_partition_error_code(error_of(&topic.name, *index))
            });
            let partitions = partitions.collect();
            AddPartitionsToTxnTopicResult::default()
                .with_results_by_partition(partitions)
                .with_name(topic.name)
        });
        AddPartitionsToTxnResponse::default().with_results_by_topic_v3_and_below(results.collect())
    }

    /// Answers `AddOffsetsToTxn`.
    pub(crate) fn add_offsets(
        &self,
        caller: &Caller,
        request: &AddOffsetsToTxnRequest,
    ) -> AddOffsetsToTxnResponse {
        let owner = Owner {
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        };
        let added = if request.group_id.is_empty() {
            Err(ResponseError::InvalidGroupId)
        } else {
            let id = &request.transactional_id;
            self.transactions
                .lock()
                .add_group(id, owner, &request.group_id, Instant::now())
        };
        let knows_fenced = caller.version >= OTHERS_KNOW_FENCED;
        let error = added
            .err()
            .map_or(0, |error| fenced_code(error, knows_fenced));
        AddOffsetsToTxnResponse::default().with_error_code(error)
    }

    /// Answers `EndTxn`: once it is answered, readers see the rows and offsets, or never will.
    pub(crate) fn end_transaction(
        &self,
        caller: &Caller,
        request: &EndTxnRequest,
    ) -> EndTxnResponse {
        let owner = Owner {
            producer_id: request.producer_id.0,
            epoch: request.producer_epoch,
        };
        let mut transactions = self.transactions.lock();
        let ended = transactions.end(&request.transactional_id, owner, request.committed);
        if let Ok(Some(ending)) = &ended {
            self.finish(ending);
        }
        let error = match ended {
            Err(error) => fenced_code(error, caller.version >= OTHERS_KNOW_FENCED),
            Ok(_) => 0,
        };
        EndTxnResponse::default().with_error_code(error)
    }
}

fn fenced_code(error: ResponseError, knows_fenced: bool) -> i16 {
    match error {
        ResponseError::ProducerFenced if !knows_fenced => code(ResponseError::InvalidProducerEpoch),
        error => code(error),
    }
}
