//! Writing: record batches on their way to the brokers, idempotent and in transactions.
//!
//! ```text
//! lanes ── append ─► open batch of a partition ── full, old or flushed ─► line of the partition
//!                         ▲ memory used again          seal                   │ pack, sign, send; at most five under way
//!                         └────────────────────────────────────────── sender of each broker ◄─► broker
//! pilot: who leads what, batches that linger, batches that are too old
//! ```
//! A batch keeps its sequence numbers until it is acknowledged: however often it is sent, the broker takes it once.
//!
//! # Source
//! Kafka's protocol and KIP-98; numbers and defaults as in Java's `KafkaProducer` 3.2.

mod batch;
mod lot;
mod pilot;
mod sender;
mod topic;
mod transaction;
mod verdict;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_connector::Cancel;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::cluster::{Cluster, Topic, TopicPartition};
use crate::codec::Packer;
use crate::error::WireError;
use crate::settings::{ProduceSettings, Settings};

use batch::Open;
use lot::{Line, Lot};
pub use topic::{Outlet, Sticky};
pub use transaction::NewOffset;
use transaction::Transaction;

/// How often whoever waits looks whether it is still wanted.
const TICK: Duration = Duration::from_millis(100);
/// Memory of batches that is kept for later ones.
const SPARE_MAX: usize = 8;

/// Writes to the topics of one cluster, from any number of lanes.
pub struct Producer {
    shared: Arc<Shared>,
}

/// As whom the brokers know a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    id: i64,
    epoch: i16,
}

/// Records that could not be written, and why.
#[derive(Clone, Debug)]
pub struct ProduceFailure {
    /// Where they should have gone; `None` = nothing can be written at all.
    pub partition: Option<TopicPartition>,
    /// Why.
    pub error: WireError,
}

/// What lanes, senders and the pilot share.
struct Shared {
    cluster: Cluster,
    settings: ProduceSettings,
    state: Mutex<State>,
    /// Something for senders and the pilot.
    changed: Condvar,
    /// Room for lanes; something settled for whoever flushes.
    settled: Condvar,
    /// Batches that take records, by the time of their first.
    lingering: Mutex<VecDeque<(Instant, Arc<Lot>)>>,
    transaction: Mutex<Transaction>,
}

#[derive(Default)]
struct State {
    lots: Vec<Arc<Lot>>,
    /// A line for each lot.
    lines: Vec<Line>,
    places: HashMap<TopicPartition, usize>,
    /// Lots with batches to be sent.
    waiting: BTreeSet<usize>,
    /// Bytes of records that are not acknowledged.
    bytes: usize,
    /// Batches that are sealed and neither acknowledged nor failed.
    outstanding: usize,
    /// Batches that are sent and not answered.
    in_flight: usize,
    identity: Option<Identity>,
    failure: Option<ProduceFailure>,
    /// A transaction that lost records can only be aborted: nothing more of it is sent.
    is_doomed: bool,
    /// The brokers do not know our numbers any more: a new identity is needed.
    must_renew: bool,
    /// Brokers that have a sender, with the socket that it waits on.
    senders: HashMap<i32, Option<Arc<TcpStream>>>,
    lookup: bool,
    closed: bool,
    spare: Vec<Vec<u8>>,
}

impl Producer {
    /// Returns a producer that knows no topic yet. Asks nobody; reads certificates.
    ///
    /// # Errors
    /// The settings cannot work.
    pub fn new(settings: Settings, produce: ProduceSettings) -> Result<Self, WireError> {
        // Each sender has its own; whether the level is one is known here already.
        Packer::new(produce.compression)?;
        let shared = Arc::new(Shared {
            cluster: Cluster::new(settings, Cancel::default())?,
            settings: produce,
            state: Mutex::default(),
            changed: Condvar::new(),
            settled: Condvar::new(),
            lingering: Mutex::default(),
            transaction: Mutex::default(),
        });
        let own = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("kafka-pilot".into())
            .spawn(move || pilot::run(&own))
            .map_err(|error| WireError::Config(format!("no thread for writing: {error}")))?;
        Ok(Self { shared })
    }

    /// Returns the brokers that are written to.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.shared.cluster
    }

    /// Returns a way to write to a topic.
    ///
    /// # Errors
    /// The brokers do not know the topic within `limit`, or answer no.
    pub fn outlet(&self, topic: &str, limit: Duration) -> Result<Outlet, WireError> {
        topic::open(&self.shared, topic, limit)
    }

    /// Sends everything that was appended and waits until it is acknowledged. Nobody may append meanwhile.
    ///
    /// # Errors
    /// Records could not be written, not all are acknowledged within `limit`, or the wait is cancelled.
    pub fn flush(&self, limit: Duration, cancel: &Cancel) -> Result<(), ProduceFailure> {
        let deadline = Instant::now() + limit;
        self.shared.seal_all();
        let mut state = self.shared.state.lock();
        loop {
            if let Some(failure) = state.failure.take() {
                return Err(failure);
            }
            let is_doomed = state.is_doomed;
            if state.outstanding == 0 && !is_doomed {
                return Ok(());
            }
            let over = if is_doomed {
                WireError::Unreachable("records of this transaction were lost before".into())
            } else if cancel.is_cancelled() {
                WireError::Cancelled
            } else if Instant::now() >= deadline {
                WireError::Unreachable(format!(
                    "{} batches are not acknowledged after {} s",
                    state.outstanding,
                    limit.as_secs()
                ))
            } else {
                self.shared.settled.wait_for(&mut state, TICK);
                continue;
            };
            return Err(ProduceFailure {
                partition: None,
                error: over,
            });
        }
    }

    /// Returns the first failure since the last call.
    #[must_use]
    pub fn take_failure(&self) -> Option<ProduceFailure> {
        self.shared.state.lock().failure.take()
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.shared.cluster.cancel().cancel();
        let mut state = self.shared.state.lock();
        state.closed = true;
        for socket in state.senders.values().flatten() {
            drop(socket.shutdown(Shutdown::Both));
        }
        drop(state);
        self.shared.changed.notify_all();
        self.shared.settled.notify_all();
    }
}

impl Shared {
    /// Waits until there is room for more records.
    fn wait_for_room(&self, cancel: &Cancel) -> Result<(), WireError> {
        let mut state = self.state.lock();
        while state.bytes >= self.settings.queue_bytes_max {
            if cancel.is_cancelled() || state.closed {
                return Err(WireError::Cancelled);
            }
            if state.is_doomed {
                return Ok(());
            }
            self.settled.wait_for(&mut state, TICK);
        }
        Ok(())
    }

    /// Returns memory for a batch.
    fn spare(&self) -> Vec<u8> {
        let kept = self.state.lock().spare.pop();
        kept.unwrap_or_default()
    }

    /// Queues a batch up for its partition. To be called under the lock of the lot's open batch.
    fn seal(&self, lot: &Lot, open: Open) {
        if open.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        if state.is_doomed {
            state.bytes -= open.len();
            return;
        }
        let line = &mut state.lines[lot.id];
        let order = line.order();
        line.push(open.seal(order));
        state.outstanding += 1;
        state.waiting.insert(lot.id);
        drop(state);
        self.changed.notify_all();
    }

    fn seal_all(&self) {
        let lots = self.state.lock().lots.clone();
        for lot in &lots {
            let mut open = lot.open.lock();
            if let Some(open) = open.take() {
                self.seal(lot, open);
            }
        }
    }

    /// Keeps the first failure. In a transaction nothing more of it needs to be sent.
    fn fail(&self, state: &mut MutexGuard<'_, State>, failure: ProduceFailure) {
        tracing::debug!(error = %failure.error, "records could not be written");
        if self.settings.transactional_id.is_some() {
            state.is_doomed = true;
            self.throw_away(state);
        }
        state.failure.get_or_insert(failure);
        self.settled.notify_all();
        self.changed.notify_all();
    }

    /// Fails all, as nothing can be written.
    fn fail_all(&self, error: WireError) {
        let partition = None;
        self.fail(&mut self.state.lock(), ProduceFailure { partition, error });
    }

    /// Throws away all batches that are not under way.
    fn throw_away(&self, state: &mut MutexGuard<'_, State>) {
        let mut batches = VecDeque::new();
        for line in &mut state.lines {
            batches.append(&mut line.clear());
        }
        state.waiting.clear();
        state.outstanding -= batches.len();
        state.bytes -= batches.iter().map(|batch| batch.held).sum::<usize>();
        self.settled.notify_all();
    }

    /// Makes a line for each partition of a topic that has none, and notes who leads.
    fn learn(&self, topic: &Topic) -> Vec<Arc<Lot>> {
        let mut partitions = topic.partitions.clone();
        partitions.sort_unstable_by_key(|partition| partition.id);
        let mut state = self.state.lock();
        let mut lots = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let name = TopicPartition {
                topic: topic.name.clone(),
                partition: partition.id,
            };
            let known = state.places.get(&name).copied();
            let place = known.unwrap_or_else(|| {
                let id = state.lots.len();
                state.places.insert(name.clone(), id);
                state.lots.push(Arc::new(Lot {
                    id,
                    name,
                    open: Mutex::default(),
                }));
                state.lines.push(Line::default());
                id
            });
            state.lines[place].leader = partition.leader;
            lots.push(Arc::clone(&state.lots[place]));
        }
        drop(state);
        self.changed.notify_all();
        lots
    }

    /// Waits; comes back early, with `false`, when the producer is gone.
    fn pause(&self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.closed && !self.changed.wait_until(&mut state, deadline).timed_out() {}
        !state.closed
    }
}
