//! The codes of failures at run time: each has a page.

use millrace_checkpoint::protocol::ProtocolError;
use millrace_connector::{ConnectorError, ErrorKind};
use millrace_runtime::RunError;

/// A bug of ours.
pub(crate) const BUG: &str = "MR0807";

/// Returns the code of a run's failure.
pub(crate) fn code(error: &RunError) -> &'static str {
    match error {
        RunError::Connector { source, .. } | RunError::Protocol(ProtocolError::Sink(source)) => {
            of_connector(source)
        }
        RunError::Row { .. } | RunError::Operator { .. } => "MR0808",
        RunError::State(_) => "MR0812",
        RunError::StateTooLarge { .. } => "MR0815",
        RunError::StateInSlots { .. } => "MR0813",
        RunError::Protocol(error) => of_protocol(error),
        RunError::Rescale(_) => "MR0813",
        RunError::CheckpointTimeout { .. } => "MR0814",
        RunError::Panicked { .. } | RunError::Thread(_) => BUG,
    }
}

fn of_connector(error: &ConnectorError) -> &'static str {
    match error.kind {
        ErrorKind::Config => "MR0801",
        ErrorKind::Auth => "MR0802",
        ErrorKind::Unreachable => "MR0803",
        ErrorKind::Rejected => "MR0804",
        ErrorKind::Data => "MR0805",
        ErrorKind::Fenced => "MR0806",
        ErrorKind::Internal => BUG,
    }
}

fn of_protocol(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::Store(_) | ProtocolError::Unknown { .. } => "MR0810",
        ProtocolError::OtherCopy { .. } | ProtocolError::Raced { .. } => "MR0806",
        ProtocolError::SlotsChanged { .. }
        | ProtocolError::SlotClosed { .. }
        | ProtocolError::GenerationChanged => "MR0813",
        // What the store holds does not fit together.
        _ => "MR0812",
    }
}
