//! What a run tells about itself: counters that lanes and coordinator write and anybody may read.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use millrace_connector::Figure;
use parking_lot::Mutex;

use crate::stages::{StageCounters, StageTimes};

/// The figures of one dataflow. Written without locks on the hot path, a few adds a batch.
#[derive(Debug, Default)]
pub struct DataflowStatus {
    phase: AtomicU8,
    pub(crate) has_run: AtomicBool,
    pub(crate) records_in: AtomicU64,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) records_out: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    pub(crate) records_skipped: AtomicU64,
    pub(crate) epoch: AtomicU64,
    pub(crate) checkpoints: AtomicU64,
    pub(crate) checkpoint_ms: AtomicU64,
    pub(crate) checkpoint_at_ms: AtomicI64,
    pub(crate) records_committed: AtomicU64,
    pub(crate) restarts: AtomicU64,
    pub(crate) replays: AtomicU64,
    pub(crate) lag: AtomicI64,
    pub(crate) stages: StageCounters,
    last_error: Mutex<Option<String>>,
    figures: Mutex<Vec<Figure>>,
    operators: Mutex<Vec<OperatorStatus>>,
    pub(crate) state: StateCounters,
}

/// The figures of one operator at the last barrier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorStatus {
    /// Its name.
    pub name: String,
    /// Whether it keeps state.
    pub has_state: bool,
    /// How many keys it holds.
    pub keys: u64,
    /// About how many bytes they have in memory.
    pub state_bytes: u64,
    /// How many rows it dropped because they were late, since the process started.
    pub late_rows: u64,
    /// The watermark that it knows, milliseconds since the epoch; `None` = none yet.
    pub watermark_ms: Option<i64>,
}

/// What became of state in the store, as counters.
#[derive(Debug, Default)]
pub(crate) struct StateCounters {
    pub(crate) delta_bytes: AtomicU64,
    pub(crate) folded_bytes: AtomicU64,
    pub(crate) objects: AtomicU64,
    pub(crate) stored_bytes: AtomicU64,
    pub(crate) restore_ms: AtomicU64,
}

/// What became of state in the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateFigures {
    /// Bytes of changes written with epochs.
    pub delta_bytes: u64,
    /// Bytes written by folds.
    pub folded_bytes: u64,
    /// How many objects the newest checkpoint names.
    pub objects: u64,
    /// How many bytes those have.
    pub stored_bytes: u64,
    /// How long the last restore took, in milliseconds.
    pub restore_ms: u64,
}

/// What a dataflow is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Connecting and recovering.
    #[default]
    Starting,
    /// Reading and writing.
    Running,
    /// Waiting before the next attempt.
    Waiting,
    /// Ended well.
    Finished,
    /// Ended with an error.
    Failed,
}

impl Phase {
    /// Returns its word in status pages and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Finished => "finished",
            Self::Failed => "failed",
        }
    }
}

/// The figures at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusSnapshot {
    /// What it is doing.
    pub phase: Phase,
    /// Records read.
    pub records_in: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Records written, committed or not.
    pub records_out: u64,
    /// Bytes written, committed or not.
    pub bytes_out: u64,
    /// Records left out under a table's policy for bad records.
    pub records_skipped: u64,
    /// The last committed epoch.
    pub epoch: u64,
    /// How many epochs were committed by this process.
    pub checkpoints: u64,
    /// How long the last commit took, from barrier to resume, in milliseconds.
    pub checkpoint_ms: u64,
    /// When the last commit ended, milliseconds since the epoch; 0 = not yet.
    pub checkpoint_at_ms: i64,
    /// Records written and committed.
    pub records_committed: u64,
    /// Attempts after the first.
    pub restarts: u64,
    /// Epochs that repeated what a sink had lost.
    pub replays: u64,
    /// Records between the read positions and the end; `None` where the source does not tell.
    pub lag: Option<u64>,
    /// Where the lanes spent their time.
    pub stages: StageTimes,
    /// The last failure.
    pub last_error: Option<String>,
}

impl DataflowStatus {
    /// Returns the figures now.
    #[must_use]
    pub fn snapshot(&self) -> StatusSnapshot {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StatusSnapshot {
            phase: match self.phase.load(Ordering::Acquire) {
                0 => Phase::Starting,
                1 => Phase::Running,
                2 => Phase::Waiting,
                3 => Phase::Finished,
                _ => Phase::Failed,
            },
            records_in: read(&self.records_in),
            bytes_in: read(&self.bytes_in),
            records_out: read(&self.records_out),
            bytes_out: read(&self.bytes_out),
            records_skipped: read(&self.records_skipped),
            epoch: read(&self.epoch),
            checkpoints: read(&self.checkpoints),
            checkpoint_ms: read(&self.checkpoint_ms),
            checkpoint_at_ms: self.checkpoint_at_ms.load(Ordering::Relaxed),
            records_committed: read(&self.records_committed),
            restarts: read(&self.restarts),
            replays: read(&self.replays),
            lag: u64::try_from(self.lag.load(Ordering::Relaxed)).ok(),
            stages: self.stages.read(),
            last_error: self.last_error.lock().clone(),
        }
    }

    /// Returns what sources and sinks told of their work, a few seconds ago at most.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        self.figures.lock().clone()
    }

    /// Returns the figures of the operators at the last barrier; none where the dataflow has no operators.
    #[must_use]
    pub fn operators(&self) -> Vec<OperatorStatus> {
        self.operators.lock().clone()
    }

    /// Returns what became of state in the store.
    #[must_use]
    pub fn state(&self) -> StateFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StateFigures {
            delta_bytes: read(&self.state.delta_bytes),
            folded_bytes: read(&self.state.folded_bytes),
            objects: read(&self.state.objects),
            stored_bytes: read(&self.state.stored_bytes),
            restore_ms: read(&self.state.restore_ms),
        }
    }

    pub(crate) fn restored(&self, took: Duration) {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.state.restore_ms.store(ms, Ordering::Relaxed);
    }

    pub(crate) fn set_operators(&self, operators: Vec<OperatorStatus>) {
        *self.operators.lock() = operators;
    }

    pub(crate) fn set_figures(&self, figures: Vec<Figure>) {
        *self.figures.lock() = figures;
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        let code = match phase {
            Phase::Starting => 0,
            Phase::Running => 1,
            Phase::Waiting => 2,
            Phase::Finished => 3,
            Phase::Failed => 4,
        };
        self.phase.store(code, Ordering::Release);
    }

    pub(crate) fn set_error(&self, error: String) {
        *self.last_error.lock() = Some(error);
    }

    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}
