//! Asks one broker, again and again, for what it leads.

use std::net::Shutdown;
use std::sync::Arc;
use std::time::Instant;

use kafka_protocol::messages::{BrokerId, FetchRequest};
use kafka_protocol::protocol::StrBytes;

use super::session::{Session, Wanted};
use super::{Shared, answer};
use crate::connection::Connection;
use crate::error::WireError;

/// The oldest version knows transactions; from 13 on topics have ids instead of names.
const VERSIONS: (i16, i16) = (4, 12);
/// Failures in a row after which the log says that something lasts.
const LASTING: u32 = 5;
/// The least that is asked for in one answer.
const BYTES_MIN: usize = 64 << 10;

/// Fetches from a broker until it leads nothing any more or the fetcher is gone.
pub(super) fn run(shared: &Arc<Shared>, node: i32) {
    let mut worker = Worker {
        node,
        link: None,
        session: Session::default(),
        failures: 0,
        turn: 0,
    };
    while shared.budget.wait_for_room() {
        let Some(wanted) = worker.plan(shared) else {
            return;
        };
        match worker.fetch(shared, &wanted) {
            Ok(()) => worker.failures = 0,
            Err(WireError::Cancelled) => return,
            Err(error) => {
                worker.link = None;
                worker.session.reset();
                if !worker.recover(shared, error) {
                    return;
                }
            }
        }
    }
}

struct Worker {
    node: i32,
    link: Option<Connection>,
    session: Session,
    /// Failures in a row.
    failures: u32,
    turn: usize,
}

impl Worker {
    /// Waits until there is something to ask this broker for; `None` when there will not be.
    fn plan(&mut self, shared: &Shared) -> Option<Vec<Wanted>> {
        let mut state = shared.state.lock();
        loop {
            if state.closed {
                return None;
            }
            let bytes_max = partition_bytes(shared, state.workers.len());
            let now = Instant::now();
            let mut wanted = Vec::new();
            let mut wake = None;
            for split in state
                .splits
                .iter()
                .filter(|split| split.source(now) == Some(self.node))
            {
                match split.paused_until.filter(|until| *until > now) {
                    Some(until) => wake = Some(wake.map_or(until, |wake: Instant| wake.min(until))),
                    None => wanted.push(Wanted {
                        topic: split.topic.clone(),
                        partition: split.name.partition,
                        offset: split.next,
                        epoch: split.epoch,
                        bytes_max,
                    }),
                }
            }
            if !wanted.is_empty() {
                // An answer is filled in the order of the request: each partition gets its turn to be the first.
                self.turn = (self.turn + 1) % wanted.len();
                wanted.rotate_left(self.turn);
                return Some(wanted);
            }
            match wake {
                Some(until) => drop(shared.changed.wait_until(&mut state, until)),
                None => {
                    state.workers.remove(&self.node);
                    return None;
                }
            }
        }
    }

    fn fetch(&mut self, shared: &Arc<Shared>, wanted: &[Wanted]) -> Result<(), WireError> {
        let link = match &mut self.link {
            Some(link) => link,
            empty => {
                let link = shared.cluster.open(self.node)?;
                let socket = link.socket();
                let mut state = shared.state.lock();
                if state.closed {
                    drop(socket.shutdown(Shutdown::Both));
                    return Err(WireError::Cancelled);
                }
                state.workers.insert(self.node, Some(socket));
                empty.insert(link)
            }
        };
        let settings = &shared.settings;
        let workers = shared.state.lock().workers.len();
        let ask = self.session.ask(wanted);
        let client = shared.cluster.settings();
        let number = |bytes: usize| i32::try_from(bytes).unwrap_or(i32::MAX);
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(number(settings.wait_max.as_millis() as usize))
            .with_min_bytes(number(settings.bytes_min as usize))
            .with_max_bytes(number(answer_bytes(shared, workers)))
            .with_isolation_level(i8::from(settings.read_committed))
            .with_session_id(ask.id)
            .with_session_epoch(ask.epoch)
            .with_topics(ask.topics)
            .with_forgotten_topics_data(ask.forgotten)
            .with_rack_id(StrBytes::from_string(client.rack.clone()));
        let limit = settings.wait_max + client.request_timeout;
        let (found, _) = link.call_within(&request, VERSIONS.0, VERSIONS.1, limit)?;
        answer::take(shared, self.node, &mut self.session, found)
    }

    /// Waits after a failure; `false` when there is no use in going on.
    fn recover(&mut self, shared: &Shared, error: WireError) -> bool {
        if !error.may_pass() || matches!(error, WireError::Malformed(_)) {
            shared.state.lock().workers.remove(&self.node);
            shared.fail_all(error);
            return false;
        }
        self.failures += 1;
        if self.failures == LASTING {
            tracing::warn!(broker = self.node, %error, "a broker cannot be reached; reading from it goes on when it can");
        } else {
            tracing::debug!(broker = self.node, %error, "the connection is made anew");
        }
        let mut state = shared.state.lock();
        state.lookup = true;
        drop(state);
        shared.changed.notify_all();
        let settings = shared.cluster.settings();
        shared.pause(settings.reconnect_pause(self.failures))
    }
}

/// Returns the most that one answer of one of `workers` brokers may bring: two of each lie in half of the queue's bound.
fn answer_bytes(shared: &Shared, workers: usize) -> usize {
    let share = shared.settings.queue_bytes_max / (4 * workers.max(1));
    (shared.settings.bytes_max as usize)
        .min(share)
        .max(BYTES_MIN)
}

fn partition_bytes(shared: &Shared, workers: usize) -> i32 {
    let most = answer_bytes(shared, workers).min(shared.settings.partition_bytes_max as usize);
    i32::try_from(most.max(1)).unwrap_or(i32::MAX)
}
