//! How a connector fails, and what the runtime may do about it.

use std::error::Error as StdError;

use thiserror::Error;

/// What was at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The user's options, found out only by talking to the other side.
    Config,
    /// Credentials or rights.
    Auth,
    /// Nobody answers.
    Unreachable,
    /// The other side answers no.
    Rejected,
    /// A record that cannot be read or written.
    Data,
    /// A newer copy of this pipeline has taken over.
    Fenced,
    /// A broken invariant of ours.
    Internal,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Nothing: stop and tell the user.
    Never,
    /// The same call again, later.
    Backoff,
    /// Throw the epoch away and start again from the last checkpoint.
    Restart,
}

/// A failure of a connector. The runtime decides by `kind` and `retry` and by nothing else.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct ConnectorError {
    /// What was at fault.
    pub kind: ErrorKind,
    /// What helps.
    pub retry: Retry,
    /// What was tried, with topic, partition, label …; lower case, no full stop, no secrets.
    pub message: String,
    /// What the user can do, if it is known.
    pub help: Option<String>,
    /// The cause.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ConnectorError {
    /// Returns a failure without cause or help.
    pub fn new(kind: ErrorKind, retry: Retry, message: impl Into<String>) -> Self {
        Self {
            kind,
            retry,
            message: message.into(),
            help: None,
            source: None,
        }
    }

    /// Adds what the user can do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}
