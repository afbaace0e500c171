//! What becomes of a broker's answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use kafka_protocol::messages::FetchResponse;
use kafka_protocol::messages::fetch_response::PartitionData;

use super::session::Session;
use super::splits::Split;
use super::{FetchFailure, Permit, Shared};
use crate::chunk::{Chunk, last_offset};
use crate::error::{WireError, is_passing};

/// What to do about one partition.
enum Outcome {
    Nothing,
    Arrived(Chunk),
    /// Ask who leads.
    Lookup,
    Failed(FetchFailure),
}

/// Puts what came into the queue.
pub(super) fn take(
    shared: &Arc<Shared>,
    node: i32,
    session: &mut Session,
    answer: FetchResponse,
) -> Result<(), WireError> {
    if let Some(code) = ResponseError::try_from_code(answer.error_code) {
        use ResponseError as Code;
        session.reset();
        let is_session = matches!(
            code,
            Code::FetchSessionIdNotFound
                | Code::InvalidFetchSessionEpoch
                | Code::FetchSessionTopicIdError
        );
        // The broker has thrown the session out to make room, or has been restarted: the next request begins another.
        return if is_session {
            Ok(())
        } else {
            Err(WireError::refused("fetch", code))
        };
    }
    session.answered(answer.session_id);
    let records = |data: &PartitionData| data.records.as_ref().map_or(0, bytes::Bytes::len);
    let partitions = answer.responses.iter().flat_map(|topic| &topic.partitions);
    let bytes: usize = partitions.map(records).sum();
    // All parts of an answer share its memory.
    let permit = (bytes > 0).then(|| Arc::new(shared.budget.take(bytes)));
    let mut arrived = Vec::new();
    let mut state = shared.state.lock();
    let mut lookup = false;
    let mut failures = Vec::new();
    let now = Instant::now();
    for topic in answer.responses {
        for data in topic.partitions {
            let key = (topic.topic.clone(), data.partition_index);
            let place = state.places.get(&key).copied();
            let asked = session.asked(&key);
            let split = place.map(|place| &mut state.splits[place]).filter(|split| {
                // Meanwhile it may be read from elsewhere, or not at all.
                split.source(now) == Some(node) && Some(split.next) == asked
            });
            let Some(split) = split else { continue };
            match one(shared, split, data, permit.as_ref()) {
                Outcome::Nothing => {}
                Outcome::Arrived(chunk) => arrived.push(chunk),
                Outcome::Lookup => lookup = true,
                Outcome::Failed(failure) => {
                    split.active = false;
                    failures.push(failure);
                }
            }
        }
    }
    if state.closed {
        return Err(WireError::Cancelled);
    }
    state.lookup |= lookup;
    let has_news = !arrived.is_empty();
    state.queue.extend(arrived.into_iter().map(Ok));
    for failure in failures {
        shared.fail(&mut state, failure);
    }
    shared.staff(&mut state);
    drop(state);
    if has_news {
        shared.arrived.notify_one();
    }
    if lookup {
        shared.changed.notify_all();
    }
    Ok(())
}

fn one(
    shared: &Shared,
    split: &mut Split,
    data: PartitionData,
    permit: Option<&Arc<Permit>>,
) -> Outcome {
    let backoff = shared
        .cluster
        .settings()
        .retry_backoff
        .0
        .max(Duration::from_millis(10));
    let Some(code) = ResponseError::try_from_code(data.error_code) else {
        return records(shared, split, data, permit);
    };
    let failed = |split: &Split, is_gone: bool, what: String| {
        Outcome::Failed(FetchFailure {
            partition: Some(split.id),
            is_gone,
            error: WireError::refused(what, code),
        })
    };
    if code == ResponseError::OffsetOutOfRange {
        if split.replica.take().is_some() {
            // A replica may lag; the leader decides.
            return Outcome::Nothing;
        }
        let begins = match data.log_start_offset {
            ..0 => String::new(),
            start => format!("; what is there begins at offset {start}"),
        };
        let what = format!("read {} at offset {}{begins}", split.name, split.next);
        return failed(split, true, what);
    }
    let is_unknown = code == ResponseError::UnknownTopicOrPartition;
    if (is_unknown && !split.is_missing()) || is_passing(code) {
        tracing::debug!(partition = %split.name, %code, "looking for the leader");
        split.pause(backoff);
        return Outcome::Lookup;
    }
    failed(split, false, format!("read {}", split.name))
}

fn records(
    shared: &Shared,
    split: &mut Split,
    data: PartitionData,
    permit: Option<&Arc<Permit>>,
) -> Outcome {
    let nearby = data.preferred_read_replica.0;
    if nearby >= 0 {
        let until = Instant::now() + shared.cluster.settings().metadata_age_max;
        split.replica = Some((nearby, until));
        return Outcome::Nothing;
    }
    let Some(records) = data.records.filter(|records| !records.is_empty()) else {
        return Outcome::Nothing;
    };
    let Some(last) = last_offset(&records) else {
        // Not even one whole batch: other partitions took the room. It is asked for again, in its turn first.
        return Outcome::Nothing;
    };
    split.next = split.next.max(last.saturating_add(1));
    let aborted = shared.settings.read_committed.then(|| {
        let list = data.aborted_transactions.into_iter().flatten();
        list.map(|aborted| (aborted.producer_id.0, aborted.first_offset))
            .collect()
    });
    Outcome::Arrived(Chunk::new(
        split.id,
        records,
        shared.settings.check_crcs,
        aborted,
        permit.cloned(),
    ))
}
