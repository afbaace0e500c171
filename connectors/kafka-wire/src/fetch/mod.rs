//! Fetching: threads that keep a lane supplied with batches.
//!
//! ```text
//! lane ── assign ─► splits ◄── leaders ── pilot
//!                     │ what to ask, from where
//!                     ▼
//!                  worker of each broker ── chunks ─► queue ── next ─► lane
//!                     ▲                                                  │
//!                     └── room ◄── Permit dropped with the last chunk ◄──┘
//! ```

mod answer;
mod budget;
mod pilot;
mod session;
mod splits;
mod worker;

use std::collections::{HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_protocol::messages::TopicName;
use millrace_connector::Cancel;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::chunk::Chunk;
use crate::cluster::{Cluster, TopicPartition};
use crate::error::WireError;
use crate::settings::{FetchSettings, Settings};

pub(crate) use budget::{Budget, Permit};
use splits::Split;

/// Reads partitions on behalf of one lane.
pub struct Fetcher {
    shared: Arc<Shared>,
}

/// Why a partition cannot be read on.
#[derive(Clone, Debug)]
pub struct FetchFailure {
    /// Which one, by the number that it was assigned with; `None` = all that a broker leads.
    pub partition: Option<usize>,
    /// Whether what was to be read next is not there any more.
    pub is_gone: bool,
    /// Why.
    pub error: WireError,
}

/// What the lane and the threads share.
pub(crate) struct Shared {
    cluster: Cluster,
    settings: FetchSettings,
    budget: Arc<Budget>,
    state: Mutex<State>,
    /// Something for the lane.
    arrived: Condvar,
    /// Something for the pilot and the workers.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    splits: Vec<Split>,
    /// Where each partition is in `splits`.
    places: HashMap<(TopicName, i32), usize>,
    queue: VecDeque<Result<Chunk, FetchFailure>>,
    /// Brokers that have a worker, with the socket that it waits on.
    workers: HashMap<i32, Option<Arc<TcpStream>>>,
    /// Whether somebody found that leaders are not who they were.
    lookup: bool,
    closed: bool,
}

impl Fetcher {
    /// Returns a fetcher without partitions.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn new(settings: Settings, fetch: FetchSettings) -> Result<Self, WireError> {
        let cluster = Cluster::new(settings, Cancel::default())?;
        let shared = Arc::new(Shared {
            cluster,
            settings: fetch,
            budget: Arc::new(Budget::new(fetch.queue_bytes_max / 2)),
            state: Mutex::default(),
            arrived: Condvar::new(),
            changed: Condvar::new(),
        });
        let own = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("kafka-leaders".into())
            .spawn(move || pilot::run(&own))
            .map_err(|error| WireError::Config(format!("no thread for fetching: {error}")))?;
        Ok(Self { shared })
    }

    /// Reads these partitions too, each under a number of the caller's, from an offset on.
    pub fn assign(&self, partitions: impl IntoIterator<Item = (usize, TopicPartition, i64)>) {
        let mut state = self.shared.state.lock();
        for (id, name, next) in partitions {
            let split = Split::new(id, name, next);
            let place = state.splits.len();
            state
                .places
                .insert((split.topic.clone(), split.name.partition), place);
            state.splits.push(split);
        }
        state.lookup = true;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Reads a partition no further. What has arrived of it already still comes out of [`Fetcher::next`].
    pub fn stop(&self, partition: usize) {
        let mut state = self.shared.state.lock();
        for split in state
            .splits
            .iter_mut()
            .filter(|split| split.id == partition)
        {
            split.active = false;
        }
    }

    /// Returns what has arrived, waiting for it at most `wait`. What one partition brings comes in order.
    ///
    /// # Errors
    /// A partition cannot be read on.
    pub fn next(&self, wait: Duration) -> Result<Option<Chunk>, FetchFailure> {
        let mut state = self.shared.state.lock();
        if state.queue.is_empty() && !wait.is_zero() {
            self.shared.arrived.wait_while_for(
                &mut state,
                |state| state.queue.is_empty() && !state.closed,
                wait,
            );
        }
        state.queue.pop_front().transpose()
    }
}

impl Drop for Fetcher {
    fn drop(&mut self) {
        self.shared.cluster.cancel().cancel();
        self.shared.budget.close();
        let mut state = self.shared.state.lock();
        state.closed = true;
        for socket in state.workers.values().flatten() {
            drop(socket.shutdown(Shutdown::Both));
        }
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.shared.changed.notify_all();
        drop(queue);
    }
}

impl Shared {
    fn fail(&self, state: &mut MutexGuard<'_, State>, failure: FetchFailure) {
        if !state.closed {
            state.queue.push_back(Err(failure));
            self.arrived.notify_one();
        }
    }

    /// Fails everything, as no partition can be read.
    fn fail_all(&self, error: WireError) {
        let failure = FetchFailure {
            partition: None,
            is_gone: false,
            error,
        };
        self.fail(&mut self.state.lock(), failure);
    }

    /// Waits; comes back early, with `false`, when the fetcher is gone.
    fn pause(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.closed && !self.changed.wait_until(&mut state, deadline).timed_out() {}
        !state.closed
    }

    /// Makes a worker for each broker that something is read from.
    fn staff(self: &Arc<Self>, state: &mut State) {
        let now = Instant::now();
        let sources: Vec<i32> = state
            .splits
            .iter()
            .filter_map(|split| split.source(now))
            .collect();
        for node in sources {
            if state.closed || state.workers.contains_key(&node) {
                continue;
            }
            state.workers.insert(node, None);
            let own = Arc::clone(self);
            let made = std::thread::Builder::new()
                .name(format!("kafka-fetch-{node}"))
                .spawn(move || worker::run(&own, node));
            if let Err(error) = made {
                tracing::warn!(%error, "no thread for fetching; trying again");
                state.workers.remove(&node);
                state.lookup = true;
            }
        }
    }
}
