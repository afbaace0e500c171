//! Finds who leads what, at first and whenever somebody finds that it has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;

use super::{FetchFailure, Shared};
use crate::cluster::Topic;
use crate::error::{WireError, is_passing};

/// How long one lookup may take before it begins anew.
const LOOKUP_MAX: Duration = Duration::from_secs(30);

/// Looks leaders up until the fetcher is gone.
pub(super) fn run(shared: &Arc<Shared>) {
    let settings = shared.cluster.settings();
    while let Some(topics) = wait(shared, settings.metadata_age_max) {
        match shared.cluster.topics(Some(&topics), LOOKUP_MAX) {
            Ok(found) => learn(shared, &found),
            Err(WireError::Cancelled) => return,
            Err(error) if error.may_pass() => {
                tracing::debug!(%error, "leaders cannot be looked up; trying again");
                shared.state.lock().lookup = true;
            }
            Err(error) => {
                shared.fail_all(error);
                return;
            }
        }
        // Leaders are elected in a moment, and each worker may ask: once in a while is enough.
        if !shared.pause(settings.retry_backoff.0) {
            return;
        }
    }
}

/// Waits until leaders are wanted; returns the topics in question, or `None` at the end.
fn wait(shared: &Shared, age_max: Duration) -> Option<Vec<String>> {
    let deadline = Instant::now() + age_max;
    let mut state = shared.state.lock();
    loop {
        if state.closed {
            return None;
        }
        let active = state.splits.iter().filter(|split| split.active);
        let mut topics: Vec<String> = active.map(|split| split.name.topic.clone()).collect();
        let is_due = state.lookup || Instant::now() >= deadline;
        if is_due && !topics.is_empty() {
            state.lookup = false;
            topics.sort_unstable();
            topics.dedup();
            return Some(topics);
        }
        if topics.is_empty() {
            shared.changed.wait(&mut state);
        } else {
            shared.changed.wait_until(&mut state, deadline);
        }
    }
}

fn learn(shared: &Arc<Shared>, found: &[Topic]) {
    let topics: HashMap<&str, &Topic> = found
        .iter()
        .map(|topic| (topic.name.as_str(), topic))
        .collect();
    let mut state = shared.state.lock();
    let mut failures = Vec::new();
    let mut again = false;
    for split in state.splits.iter_mut().filter(|split| split.active) {
        let Some(topic) = topics.get(split.name.topic.as_str()) else {
            continue;
        };
        let known = topic
            .partitions
            .iter()
            .find(|found| found.id == split.name.partition);
        if topic.error.is_none() && !split.is_of(topic.id.as_deref()) {
            split.active = false;
            failures.push(FetchFailure {
                partition: Some(split.id),
                is_gone: false,
                error: WireError::MadeAnew(topic.name.clone()),
            });
            continue;
        }
        let unknown = match (topic.error, known) {
            (None, Some(found)) => {
                split.is_there();
                again |= !split.learn(found.leader, found.epoch) || found.leader.is_none();
                None
            }
            (None, None) => Some(ResponseError::UnknownTopicOrPartition),
            (Some(code), _) => Some(code),
        };
        let Some(code) = unknown else { continue };
        split.leader = None;
        again = true;
        let is_unknown = code == ResponseError::UnknownTopicOrPartition;
        if (is_unknown && !split.is_missing()) || is_passing(code) {
            continue;
        }
        split.active = false;
        failures.push(FetchFailure {
            partition: Some(split.id),
            is_gone: false,
            error: WireError::refused(format!("read {}", split.name), code),
        });
    }
    state.lookup |= again;
    for failure in failures {
        shared.fail(&mut state, failure);
    }
    shared.staff(&mut state);
    drop(state);
    shared.changed.notify_all();
}
