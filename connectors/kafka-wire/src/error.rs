//! How asking a broker fails.

use kafka_protocol::ResponseError;
use thiserror::Error;

/// Why a question to the brokers has no answer.
#[derive(Clone, Debug, Error)]
pub enum WireError {
    /// Nobody answers, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// The other side does not take us for who we say we are, or we do not take it.
    #[error("{0}")]
    Auth(String),
    /// The settings cannot work.
    #[error("{0}")]
    Config(String),
    /// A broker answered no.
    #[error("{what}: {code} ({number})", number = code.code())]
    Refused {
        /// What was asked.
        what: String,
        /// The answer.
        code: ResponseError,
    },
    /// An answer that is not the protocol's.
    #[error("{0}")]
    Malformed(String),
    /// Bytes of a record batch that cannot be read.
    #[error("{0}")]
    Data(String),
    /// A topic was deleted, and another one of its name is there.
    #[error("topic '{0}' was deleted and made anew")]
    MadeAnew(String),
    /// Whoever asked no longer wants to know.
    #[error("the attempt is over")]
    Cancelled,
}

impl WireError {
    pub(crate) fn refused(what: impl Into<String>, code: ResponseError) -> Self {
        Self::Refused {
            what: what.into(),
            code,
        }
    }

    pub(crate) fn malformed(what: &str, why: impl std::fmt::Display) -> Self {
        Self::Malformed(format!("the answer to {what} cannot be read: {why}"))
    }

    /// Tells whether the same question may be answered later, or by another broker.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Malformed(_) => true,
            Self::Refused { code, .. } => is_passing(*code),
            Self::Auth(_)
            | Self::Config(_)
            | Self::Data(_)
            | Self::MadeAnew(_)
            | Self::Cancelled => false,
        }
    }
}

/// Tells whether an error of a broker passes when leaders or coordinators are looked up again after a while.
pub(crate) fn is_passing(code: ResponseError) -> bool {
    use ResponseError as Code;
    matches!(
        code,
        Code::UnknownServerError
            | Code::CorruptMessage
            | Code::LeaderNotAvailable
            | Code::NotLeaderOrFollower
            | Code::RequestTimedOut
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::KafkaStorageError
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::OffsetNotAvailable
            | Code::UnstableOffsetCommit
            | Code::ThrottlingQuotaExceeded
            | Code::ConcurrentTransactions
            | Code::PreferredLeaderNotAvailable
            | Code::UnknownTopicId
            | Code::InconsistentTopicId
    )
}
