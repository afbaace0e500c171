//! Storing what producers send.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::produce_request::PartitionProduceData;
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse};

use crate::api::code;
use crate::batch::{self, Batch};
use crate::broker::Broker;

/// Where a partition's rows went.
struct Stored {
    base_offset: i64,
    log_start: i64,
}

impl Broker {
    /// Answers `Produce`. Every setting of `acks` means the same here: stored, by the only replica.
    pub(crate) fn produce(&self, request: ProduceRequest) -> ProduceResponse {
        let transactional = request.transactional_id.is_some();
        let topics = request.topic_data.into_iter().map(|topic| {
            let name = topic.name;
            let partitions = topic.partition_data.into_iter().map(|data| {
                let response = PartitionProduceResponse::default().with_index(data.index);
                match self.store(&name, data, transactional) {
                    Ok(stored) => response
                        .with_base_offset(stored.base_offset)
                        .with_log_append_time_ms(-1)
                        .with_log_start_offset(stored.log_start),
                    Err(error) => response
                        .with_error_code(code(error))
                        .with_base_offset(-1)
                        .with_log_append_time_ms(-1)
                        .with_log_start_offset(-1),
                }
            });
            let partitions = partitions.collect();
            TopicProduceResponse::default()
                .with_partition_responses(partitions)
                .with_name(name)
        });
        let responses = topics.collect();
        self.announce_growth();
        ProduceResponse::default().with_responses(responses)
    }

    fn store(
        &self,
        topic: &str,
        data: PartitionProduceData,
        transactional: bool,
    ) -> Result<Stored, ResponseError> {
        let records = data.records.ok_or(ResponseError::InvalidRecord)?;
        // Checksums are the dear part, so they come before any lock.
        let batches = batch::split(records, self.options.message_max_bytes)?;
        if batches
            .iter()
            .any(|batch| batch.header.is_transactional() != transactional)
        {
            return Err(ResponseError::InvalidTxnState);
        }
        let partition = self.partition(topic, data.index)?;
        // Held until the rows are stored: no transaction can end between the question and the answer.
        let admission = if transactional {
            let transactions = self.transactions.lock();
            for Batch { header, .. } in &batches {
                transactions.admit(header.producer_id, header.producer_epoch, topic, data.index)?;
            }
            Some(transactions)
        } else {
            None
        };
        let mut log = partition.lock();
        let mut base_offset = None;
        for batch in &batches {
            let base = log.append(batch)?;
            base_offset.get_or_insert(base);
        }
        let stored = Stored {
            base_offset: base_offset.expect("split returns at least one batch"),
            log_start: log.start(),
        };
        drop(log);
        drop(admission);
        Ok(stored)
    }
}
