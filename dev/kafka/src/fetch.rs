//! Handing rows to readers, and waiting where there are none yet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::fetch_response::{
    AbortedTransaction, FetchableTopicResponse, PartitionData,
};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse, ProducerId};
use tokio::time::Instant;

use crate::api::code;
use crate::batch::LEADER_EPOCH;
use crate::broker::Broker;
use crate::log::{Isolation, Slice};

/// Longest wait that is granted, whatever the client asks for.
const WAIT_MAX: Duration = Duration::from_secs(60);
const NO_SESSION: i32 = 0;
/// Session epochs that ask for a full fetch.
const FULL_FETCH_EPOCHS: [i32; 2] = [-1, 0];

/// One pass over the asked partitions.
struct Pass {
    topics: Vec<FetchableTopicResponse>,
    bytes: usize,
    failed: bool,
}

impl Broker {
    /// Answers `Fetch` as soon as `min_bytes` are there, something is wrong, or time is up.
    ///
    /// Sessions are never granted (the id in the answer is 0), so each request names all its partitions.
    ///
    /// # Cancel safety
    /// Changes nothing, so it may be dropped at any time.
    pub(crate) async fn fetch(self: &Arc<Self>, request: FetchRequest) -> FetchResponse {
        let response = FetchResponse::default().with_session_id(NO_SESSION);
        let full = FULL_FETCH_EPOCHS.contains(&request.session_epoch);
        if !full || (request.session_id != NO_SESSION && request.session_epoch != -1) {
            return response.with_error_code(code(ResponseError::FetchSessionIdNotFound));
        }
        let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0);
        let deadline = Instant::now() + Duration::from_millis(wait_ms).min(WAIT_MAX);
        let bytes_min = usize::try_from(request.min_bytes).unwrap_or(0);
        let asks_nothing = request
            .topics
            .iter()
            .all(|topic| topic.partitions.is_empty());
        let mut growth = self.growth();
        loop {
            // Marked as seen before reading: rows that come in between wake the wait below.
            growth.borrow_and_update();
            let pass = self.read_all(&request);
            if asks_nothing || pass.failed || pass.bytes >= bytes_min {
                return response.with_responses(pass.topics);
            }
            match tokio::time::timeout_at(deadline, growth.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return response.with_responses(pass.topics),
            }
        }
    }

    fn read_all(&self, request: &FetchRequest) -> Pass {
        let isolation = Isolation::from(request.isolation_level);
        let mut budget = usize::try_from(request.max_bytes).unwrap_or(0).max(1);
        let mut pass = Pass {
            topics: Vec::new(),
            bytes: 0,
            failed: false,
        };
        for topic in &request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for asked in &topic.partitions {
                let data = self.read_one(&topic.topic, asked, budget, isolation);
                let taken = data.records.as_ref().map_or(0, Bytes::len);
                budget = budget.saturating_sub(taken);
                pass.bytes += taken;
                pass.failed |= data.error_code != 0;
                partitions.push(data);
            }
            let response = FetchableTopicResponse::default().with_topic(topic.topic.clone());
            pass.topics.push(response.with_partitions(partitions));
        }
        pass
    }

    fn read_one(
        &self,
        topic: &str,
        asked: &FetchPartition,
        budget: usize,
        isolation: Isolation,
    ) -> PartitionData {
        let data = PartitionData::default()
            .with_partition_index(asked.partition)
            .with_preferred_read_replica(BrokerId(-1));
        let unread = |error, data: PartitionData| {
            data.with_error_code(code(error))
                .with_high_watermark(-1)
                .with_last_stable_offset(-1)
                .with_log_start_offset(-1)
                .with_records(Some(Bytes::new()))
        };
        let log = match self.partition(topic, asked.partition) {
            Ok(log) => log,
            Err(error) => return unread(error, data),
        };
        if asked.current_leader_epoch > LEADER_EPOCH {
            return unread(ResponseError::UnknownLeaderEpoch, data);
        }
        let log = log.lock();
        let bytes_max = usize::try_from(asked.partition_max_bytes)
            .unwrap_or(0)
            .min(budget);
        let slice = match log.read(asked.fetch_offset, bytes_max, isolation) {
            Ok(_) if budget == 0 => Slice::default(),
            Ok(slice) => slice,
            Err(error) => return unread(error, data).with_log_start_offset(log.start()),
        };
        let aborted = slice.aborted.iter().map(|aborted| {
            AbortedTransaction::default()
                .with_producer_id(ProducerId(aborted.producer_id))
                .with_first_offset(aborted.first)
        });
        let aborted = match isolation {
            Isolation::Uncommitted => None,
            Isolation::Committed => Some(aborted.collect()),
        };
        data.with_high_watermark(log.end())
            .with_last_stable_offset(log.stable_end())
            .with_log_start_offset(log.start())
            .with_aborted_transactions(aborted)
            .with_records(Some(slice.records))
    }
}
