//! Why a run ended or must begin again.

use millrace_checkpoint::protocol::ProtocolError;
use millrace_checkpoint::rescale::RescaleError;
use millrace_connector::{ConnectorError, ErrorKind, Retry};
use millrace_state::StateError;
use thiserror::Error;

/// Why a run ended or must begin again.
#[derive(Debug, Error)]
pub enum RunError {
    /// A connector failed.
    #[error("{table}: {source}")]
    Connector {
        /// The table.
        table: String,
        /// The failure.
        source: ConnectorError,
    },
    /// A row that the SQL cannot take, which in Flink fails the job.
    #[error("a row of '{table}' fails the pipeline: {message} ({origin})")]
    Row {
        /// The source table.
        table: String,
        /// The record it came from.
        origin: String,
        /// What went wrong.
        message: String,
    },
    /// An operator that no single record can be blamed for.
    #[error("{operator} fails the pipeline: {message}")]
    Operator {
        /// Its name.
        operator: String,
        /// What went wrong.
        message: String,
    },
    /// The state of the operators cannot be used, or not be reached.
    #[error(transparent)]
    State(#[from] StateError),
    /// The operators keep more than they may.
    #[error(
        "the state of the operators has {bytes} bytes, and {bytes_max} are allowed; most of it is in {operator}: {operator_bytes} bytes for {keys} keys"
    )]
    StateTooLarge {
        /// How much it is.
        bytes: u64,
        /// The bound.
        bytes_max: u64,
        /// The operator that has most.
        operator: String,
        /// How much that has.
        operator_bytes: u64,
        /// For so many keys.
        keys: u64,
    },
    /// Rows of one key would meet in several processes.
    #[error(
        "the rows of a key must meet in one process, and splits of the sources are shared between {slots}: a query that keeps state runs in one slot"
    )]
    StateInSlots {
        /// How many there are to be.
        slots: u32,
    },
    /// A step of the commit protocol failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// The number of slots cannot be changed now.
    #[error(transparent)]
    Rescale(RescaleError),
    /// Lanes did not come to the barrier, or the commit did not end, in time.
    #[error("epoch {epoch} was not committed within {} s", timeout.as_secs())]
    CheckpointTimeout {
        /// The epoch.
        epoch: u64,
        /// The bound.
        timeout: std::time::Duration,
    },
    /// A lane panicked: a bug of ours.
    #[error("lane {lane} of '{table}' panicked; this is a bug, please report it")]
    Panicked {
        /// The lane.
        lane: u32,
        /// Its source table.
        table: String,
    },
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}

impl From<RescaleError> for RunError {
    fn from(error: RescaleError) -> Self {
        match error {
            RescaleError::Protocol(error) => Self::Protocol(error),
            other => Self::Rescale(other),
        }
    }
}

impl RunError {
    /// Returns what helps.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Connector { source, .. } => Self::connector_retry(source),
            Self::Row { .. } | Self::Panicked { .. } | Self::Thread(_) | Self::Rescale(_) => {
                Retry::Never
            }
            Self::Operator { .. } | Self::StateTooLarge { .. } | Self::StateInSlots { .. } => {
                Retry::Never
            }
            Self::State(error) => match error {
                StateError::Unreachable(_) => Retry::Restart,
                StateError::Corrupt { .. } | StateError::Newer { .. } | StateError::Foreign(_) => {
                    Retry::Never
                }
            },
            Self::CheckpointTimeout { .. } => Retry::Restart,
            Self::Protocol(error) => match error {
                ProtocolError::Sink(source) => Self::connector_retry(source),
                ProtocolError::Store(_)
                | ProtocolError::Unknown { .. }
                | ProtocolError::Raced { .. }
                | ProtocolError::GenerationChanged
                | ProtocolError::Lost { .. } => Retry::Restart,
                ProtocolError::Manifest { .. }
                | ProtocolError::ParentGone { .. }
                | ProtocolError::Contradiction(_)
                | ProtocolError::SlotsChanged { .. }
                | ProtocolError::SlotClosed { .. }
                | ProtocolError::Record { .. }
                | ProtocolError::RecordGone { .. }
                | ProtocolError::OtherCopy { .. } => Retry::Never,
            },
        }
    }

    /// A whole attempt can be made again where a single call could: the call's own retries are over.
    fn connector_retry(error: &ConnectorError) -> Retry {
        if error.kind == ErrorKind::Fenced {
            Retry::Never
        } else {
            error.retry
        }
    }

    /// Tells whether another copy of this pipeline has taken over.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        match self {
            Self::Connector { source, .. } | Self::Protocol(ProtocolError::Sink(source)) => {
                source.kind == ErrorKind::Fenced
            }
            Self::Protocol(error) => matches!(error, ProtocolError::OtherCopy { .. }),
            _ => false,
        }
    }

    /// Returns the way out, where one is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Connector { source, .. } | Self::Protocol(ProtocolError::Sink(source)) => source.help.clone(),
            Self::Row { .. } => Some(
                "use TRY_CAST for values that may be bad, or filter such rows with WHERE; nothing after the last checkpoint was committed".into(),
            ),
            Self::Protocol(ProtocolError::Contradiction(_)) => Some(
                "nothing was written; restore the checkpoint directory this pipeline used before, or give it another 'pipeline.name' (and transactional-id prefix) to start from scratch".into(),
            ),
            Self::Protocol(ProtocolError::SlotsChanged { was, now }) => Some(format!(
                "nothing was read; start with 'millrace.slots' = '{was}', or change the number: stop all processes, then 'millrace rescale FILE --slots {now}' with the file and the options of 'millrace run'"
            )),
            Self::Protocol(ProtocolError::SlotClosed { slots, .. }) => Some(format!(
                "bring the rescale to its end: run 'millrace rescale FILE --slots N' once more (N = {slots} undoes it), then start that many processes"
            )),
            Self::Protocol(ProtocolError::RecordGone { .. }) => Some(
                "nothing was written; bring back the folder 'generations' beside the folders of the slots".into(),
            ),
            Self::Rescale(error) => rescale_help(error),
            Self::StateTooLarge { .. } => Some(
                "state that does not fit is not spilled to disk yet: give it more with 'taskmanager.memory.managed.size', let it go with 'table.exec.state.ttl', or narrow the keys; nothing after the last checkpoint was committed".into(),
            ),
            Self::State(StateError::Foreign(_)) => Some(
                "nothing was read; take the change of the file back, or give it another 'pipeline.name' to start from scratch".into(),
            ),
            Self::State(StateError::Newer { .. }) => Some("nothing was read; run the build that wrote it, or a later one".into()),
            Self::State(StateError::Corrupt { .. }) => Some(
                "nothing was read, and nothing is guessed; bring the file back from a copy of the checkpoint store, or give the pipeline another 'pipeline.name' to start from scratch".into(),
            ),
            Self::Protocol(ProtocolError::OtherCopy { .. }) => {
                Some("run one copy for each pipeline.name and slot; this one stops and leaves the other alone".into())
            }
            _ => None,
        }
    }
}

fn rescale_help(error: &RescaleError) -> Option<String> {
    match error {
        RescaleError::NeverRan { slot, slots } => Some(format!(
            "nothing was changed; start it once with 'millrace.slots' = '{slots}' and 'millrace.slot' = '{slot}', so that it is known where its share begins, and rescale again; all slots must have one checkpoint store"
        )),
        RescaleError::Lost { slot, slots } => Some(format!(
            "start that slot once more, with 'millrace.slots' = '{slots}' and 'millrace.slot' = '{slot}': it writes the output again; then rescale again"
        )),
        RescaleError::Other { slots } => Some(format!(
            "start {slots} processes, or rescale again"
        )),
        RescaleError::Twice { .. } => Some(
            "nothing was changed; these are checkpoints of two pipelines in one folder: give each its own 'pipeline.name'".into(),
        ),
        RescaleError::Protocol(_) => None,
    }
}
