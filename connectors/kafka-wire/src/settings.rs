//! What a client is told once.

use std::time::Duration;

use crate::tls::Tls;

/// How to reach the brokers, and how long to be patient.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `host:port` of the brokers to ask first.
    pub bootstrap: Vec<String>,
    /// The name under which the brokers know this client.
    pub client_id: String,
    /// Where this client stands, for reading from replicas nearby; empty = from leaders only.
    pub rack: String,
    /// How connections are encrypted; `None` = not at all.
    pub tls: Option<Tls>,
    /// Who we are; `None` = the brokers do not ask.
    pub sasl: Option<Sasl>,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// First and longest pause before another attempt to connect.
    pub reconnect_backoff: (Duration, Duration),
    /// First and longest pause before another attempt to ask.
    pub retry_backoff: (Duration, Duration),
    /// How old what is known of leaders may get.
    pub metadata_age_max: Duration,
    /// Whether asking for a topic may make it.
    pub auto_create: bool,
}

/// Name and password.
#[derive(Clone)]
pub struct Sasl {
    /// How the password is shown.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sasl")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// How a password is shown to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// As it is.
    Plain,
    /// Not at all: RFC 5802 with SHA-256.
    ScramSha256,
    /// Not at all: RFC 5802 with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// Returns the mechanism's name in the protocol.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    /// Returns the mechanism of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }
}

/// How much is fetched, and what of it counts.
#[derive(Clone, Copy, Debug)]
pub struct FetchSettings {
    /// How long a broker waits for `bytes_min`.
    pub wait_max: Duration,
    /// What a broker waits for.
    pub bytes_min: u32,
    /// The most that one answer brings.
    pub bytes_max: u32,
    /// The most that one answer brings of one partition; a larger batch still comes, alone.
    pub partition_bytes_max: u32,
    /// The most that lies between the brokers and the lane.
    pub queue_bytes_max: usize,
    /// Whether records of open and aborted transactions are left out.
    pub read_committed: bool,
    /// Whether batches' checksums are looked at.
    pub check_crcs: bool,
}
