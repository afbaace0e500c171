//! How to run, with every bound named.

use std::time::Duration;

/// How to run a dataflow.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The pipeline's name.
    pub pipeline: String,
    /// The slot, counted from 0: `millrace.slot`.
    pub slot: u32,
    /// How many slots share the splits: `millrace.slots`.
    pub slots: u32,
    /// Lanes for each source: `parallelism.default`.
    pub parallelism: u32,
    /// `execution.checkpointing.interval`.
    pub checkpoint_interval: Duration,
    /// How long a barrier and its commit may take before the epoch is given up: `execution.checkpointing.timeout`.
    pub checkpoint_timeout: Duration,
    /// How many checkpoints to keep: `state.checkpoints.num-retained`.
    pub checkpoints_retained: usize,
    /// Bound on the bytes in queues of connectors, all sources and sinks together.
    pub buffer_bytes_max: u64,
    /// Most rows a batch has.
    pub batch_rows_max: usize,
    /// Most bytes a batch has (one record is always taken).
    pub batch_bytes_max: usize,
    /// What to do after a failure.
    pub restart: RestartStrategy,
    /// For dataflows with operators.
    pub operators: OperatorOptions,
}

/// How to run operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorOptions {
    /// How many key groups the keys of states are spread over: `pipeline.max-parallelism`. It belongs to the state.
    pub key_groups: u16,
    /// Most bytes that the states of one process's operators may have: `taskmanager.memory.managed.size`.
    pub state_bytes_max: u64,
    /// After how long without rows a split no longer holds the watermark back; zero = never:
    /// `table.exec.source.idle-timeout`.
    pub idle_timeout: Duration,
    /// The longest time between two watermarks while rows come; zero = one behind each batch:
    /// `pipeline.auto-watermark-interval`.
    pub watermark_interval: Duration,
}

impl Default for OperatorOptions {
    fn default() -> Self {
        Self {
            key_groups: 128,
            state_bytes_max: 1 << 30,
            idle_timeout: Duration::ZERO,
            watermark_interval: Duration::from_millis(200),
        }
    }
}

/// What to do after a failure, by Flink's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartStrategy {
    /// `none`: stop.
    None,
    /// `fixed-delay`.
    FixedDelay {
        /// How many restarts.
        attempts_max: u32,
        /// The wait before each.
        delay: Duration,
    },
    /// `failure-rate`.
    FailureRate {
        /// How many failures within the interval.
        failures_max: u32,
        /// The interval.
        interval: Duration,
        /// The wait before each restart.
        delay: Duration,
    },
    /// `exponential-delay`, the default.
    ExponentialDelay {
        /// The first wait.
        initial: Duration,
        /// The longest wait.
        max: Duration,
        /// How long without a failure until the wait is the first one again.
        reset_after: Duration,
    },
}

impl Default for RestartStrategy {
    fn default() -> Self {
        Self::ExponentialDelay {
            initial: Duration::from_secs(1),
            max: Duration::from_secs(60),
            reset_after: Duration::from_secs(600),
        }
    }
}
