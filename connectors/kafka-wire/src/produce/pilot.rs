//! Keeps the senders supplied: finds who leads what, sends off batches that linger, gives up on those that are too old.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::ResponseError;
use parking_lot::MutexGuard;

use super::lot::Lot;
use super::{ProduceFailure, Shared, State, sender};
use crate::error::{WireError, is_passing};

/// How long one lookup may take before it begins anew.
const LOOKUP_MAX: Duration = Duration::from_secs(10);
/// How often old batches are looked for.
const AGE_PAUSE: Duration = Duration::from_secs(1);

/// What is to be done next.
enum Task {
    /// Seal batches that linger.
    Seal,
    /// Ask who leads these topics.
    LookUp(Vec<String>),
    /// Become another producer.
    Renew,
    End,
}

/// When it did what last.
#[derive(Default)]
struct Pilot {
    looked_up: Option<Instant>,
    checked_age: Option<Instant>,
}

/// Works until the producer is gone.
pub(super) fn run(shared: &Arc<Shared>) {
    let mut pilot = Pilot::default();
    loop {
        match pilot.next(shared) {
            Task::End => return,
            Task::Seal => shared.seal_lingering(),
            Task::LookUp(topics) => {
                pilot.looked_up = Some(Instant::now());
                look_up(shared, &topics);
            }
            Task::Renew => match shared.renew() {
                Ok(()) => {}
                Err(error) if error.may_pass() => {
                    tracing::debug!(%error, "no new producer id yet");
                }
                Err(error) => {
                    shared.state.lock().must_renew = false;
                    shared.fail_all(error);
                }
            },
        }
    }
}

impl Pilot {
    /// Waits until there is something to do.
    fn next(&mut self, shared: &Arc<Shared>) -> Task {
        let mut state = shared.state.lock();
        loop {
            if state.closed {
                return Task::End;
            }
            let now = Instant::now();
            staff(shared, &mut state);
            if self.checked_age.is_none_or(|at| at + AGE_PAUSE <= now) {
                self.checked_age = Some(now);
                give_up(shared, &mut state, now);
            }
            if state.must_renew && state.in_flight == 0 {
                return Task::Renew;
            }
            let mut wake = (!state.waiting.is_empty()).then(|| now + AGE_PAUSE);
            let mut sooner = |at: Instant| wake = Some(wake.map_or(at, |wake| wake.min(at)));
            if wants_leaders(&state) {
                // Leaders are elected in a moment, and each sender may ask: once in a while is enough.
                let pause = shared.cluster.settings().retry_backoff.0;
                match self.looked_up.map(|at| at + pause).filter(|at| *at > now) {
                    None => {
                        state.lookup = false;
                        return Task::LookUp(topics(&state));
                    }
                    Some(at) => sooner(at),
                }
            }
            if let Some((since, _)) = shared.lingering.lock().front() {
                let due = *since + shared.settings.linger;
                if due <= now {
                    return Task::Seal;
                }
                sooner(due);
            }
            match wake {
                Some(at) => drop(shared.changed.wait_until(&mut state, at)),
                None => shared.changed.wait(&mut state),
            }
        }
    }
}

/// Tells whether a batch waits for a partition that nobody is known to lead, or somebody found that leaders have changed.
fn wants_leaders(state: &State) -> bool {
    let mut waiting = state.waiting.iter();
    state.lookup || waiting.any(|id| state.lines[*id].leader.is_none())
}

/// Returns the topics that batches wait for.
fn topics(state: &State) -> Vec<String> {
    let waiting = state.waiting.iter();
    let mut topics: Vec<String> = waiting
        .map(|id| state.lots[*id].name.topic.clone())
        .collect();
    topics.dedup();
    topics.sort_unstable();
    topics.dedup();
    topics
}

fn look_up(shared: &Arc<Shared>, topics: &[String]) {
    if topics.is_empty() {
        return;
    }
    match shared.cluster.topics(Some(topics), LOOKUP_MAX) {
        Ok(found) => found.iter().for_each(|topic| match topic.error {
            None => drop(shared.learn(topic)),
            // A topic that is gone may come back; its batches are given up when they are too old.
            Some(code) if is_passing(code) || code == ResponseError::UnknownTopicOrPartition => {
                shared.state.lock().lookup = true;
            }
            Some(code) => {
                let what = format!("write to topic '{}'", topic.name);
                shared.fail_all(WireError::refused(what, code));
            }
        }),
        Err(WireError::Cancelled) => {}
        Err(error) if error.may_pass() => {
            tracing::debug!(%error, "leaders cannot be looked up; trying again");
            shared.state.lock().lookup = true;
        }
        Err(error) => shared.fail_all(error),
    }
}

/// Makes a sender for each broker that a batch waits for.
fn staff(shared: &Arc<Shared>, state: &mut State) {
    let leaders: Vec<i32> = state
        .waiting
        .iter()
        .filter_map(|id| state.lines[*id].leader)
        .filter(|node| !state.senders.contains_key(node))
        .collect();
    for node in leaders {
        if state.senders.contains_key(&node) {
            continue;
        }
        let own = Arc::clone(shared);
        let made = std::thread::Builder::new()
            .name(format!("kafka-send-{node}"))
            .spawn(move || sender::run(&own, node));
        match made {
            Ok(_) => drop(state.senders.insert(node, None)),
            Err(error) => tracing::warn!(%error, "no thread for writing; trying again"),
        }
    }
}

/// Gives up on batches that have waited for too long.
fn give_up(shared: &Shared, state: &mut MutexGuard<'_, State>, now: Instant) {
    let limit = shared.settings.delivery_timeout;
    let is_late = |since: Instant| now.saturating_duration_since(since) > limit;
    let mut late: Option<ProduceFailure> = None;
    for id in state.waiting.clone() {
        if !state.lines[id].batches().any(|batch| is_late(batch.since)) {
            continue;
        }
        let removed = state.lines[id].remove(|batch| is_late(batch.since));
        state.outstanding -= removed.len();
        state.bytes -= removed.iter().map(|batch| batch.held).sum::<usize>();
        if state.lines[id].is_empty() {
            state.waiting.remove(&id);
        }
        let name = state.lots[id].name.clone();
        let why = format!("{name}: not acknowledged within {} s", limit.as_secs());
        late.get_or_insert(ProduceFailure {
            partition: Some(name),
            error: WireError::Unreachable(why),
        });
    }
    if let Some(failure) = late {
        shared.fail(state, failure);
    }
}

impl Shared {
    /// Notes that a batch has begun, so that it does not linger for ever.
    pub(super) fn linger(&self, since: Instant, lot: &Arc<Lot>) {
        let mut lingering = self.lingering.lock();
        let is_first = lingering.is_empty();
        lingering.push_back((since, Arc::clone(lot)));
        drop(lingering);
        if is_first {
            // The pilot looks at what lingers under this lock: it cannot miss the news.
            drop(self.state.lock());
            self.changed.notify_all();
        }
    }

    fn seal_lingering(&self) {
        loop {
            let mut lingering = self.lingering.lock();
            let is_due = |(since, _): &(Instant, Arc<Lot>)| since.elapsed() >= self.settings.linger;
            if !lingering.front().is_some_and(is_due) {
                return;
            }
            let Some((since, lot)) = lingering.pop_front() else {
                return;
            };
            drop(lingering);
            let mut slot = lot.open.lock();
            // A batch that has been sealed since then left its place to a younger one.
            if slot.as_ref().is_some_and(|open| open.since == since)
                && let Some(open) = slot.take()
            {
                self.seal(&lot, open);
            }
        }
    }
}
