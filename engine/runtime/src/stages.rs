//! Where lanes spend their time: a few clock readings a batch, none a row.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::Clock;

/// What a lane does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Asking the source for a batch: waiting for it, and decoding.
    Read,
    /// Filter and projection.
    Transform,
    /// Encoding, and handing over to the sink: waiting while it is slow.
    Write,
    /// Standing at a barrier while the epoch is committed.
    Commit,
}

impl Stage {
    /// All stages in the order of a row's path.
    pub const ALL: [Self; 4] = [Self::Read, Self::Transform, Self::Write, Self::Commit];

    /// Returns its word in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Transform => "transform",
            Self::Write => "write",
            Self::Commit => "commit",
        }
    }
}

/// The time that all lanes of a dataflow spent in a stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTime {
    /// By the clock.
    pub elapsed: Duration,
    /// On a processor; the rest was waiting.
    pub busy: Duration,
}

/// Times by stage, in the order of [`Stage::ALL`].
pub type StageTimes = [StageTime; 4];

#[derive(Debug, Default)]
struct Counter {
    elapsed_ns: AtomicU64,
    busy_ns: AtomicU64,
}

/// The counters that lanes add to.
#[derive(Debug, Default)]
pub(crate) struct StageCounters([Counter; 4]);

impl StageCounters {
    pub(crate) fn read(&self) -> StageTimes {
        let time = |counter: &AtomicU64| Duration::from_nanos(counter.load(Ordering::Relaxed));
        std::array::from_fn(|stage| StageTime {
            elapsed: time(&self.0[stage].elapsed_ns),
            busy: time(&self.0[stage].busy_ns),
        })
    }

    fn add(&self, stage: Stage, time: StageTime) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let counter = &self.0[stage as usize];
        counter
            .elapsed_ns
            .fetch_add(nanos(time.elapsed), Ordering::Relaxed);
        counter
            .busy_ns
            .fetch_add(nanos(time.busy), Ordering::Relaxed);
    }
}

/// A lane's stop watch: each reading ends one stage and begins the next.
pub(crate) struct StopWatch {
    elapsed: Duration,
    busy: Duration,
}

impl StopWatch {
    pub(crate) fn start(clock: &dyn Clock) -> Self {
        Self {
            elapsed: clock.monotonic(),
            busy: clock.thread_cpu(),
        }
    }

    /// Books the time since the last reading.
    pub(crate) fn book(&mut self, stage: Stage, counters: &StageCounters, clock: &dyn Clock) {
        let now = Self::start(clock);
        counters.add(
            stage,
            StageTime {
                elapsed: now.elapsed.saturating_sub(self.elapsed),
                busy: now.busy.saturating_sub(self.busy),
            },
        );
        *self = now;
    }
}
