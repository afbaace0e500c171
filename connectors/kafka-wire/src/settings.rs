//! What a client is told once.

use std::time::Duration;

use crate::codec::Compression;
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

impl Settings {
    /// Returns what Java's clients do where nothing is said, for brokers that do not ask who we are.
    #[must_use]
    pub fn of(bootstrap: &str, client_id: &str) -> Self {
        let brokers = bootstrap.split(',');
        Self {
            bootstrap: brokers.map(|one| one.trim().to_owned()).collect(),
            client_id: client_id.to_owned(),
            rack: String::new(),
            tls: None,
            sasl: None,
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            reconnect_backoff: (Duration::from_millis(50), Duration::from_secs(1)),
            retry_backoff: (Duration::from_millis(100), Duration::from_secs(1)),
            metadata_age_max: Duration::from_secs(300),
            auto_create: false,
        }
    }

    /// Returns the pause before another attempt to connect, after so many failures in a row.
    pub(crate) fn reconnect_pause(&self, failures: u32) -> Duration {
        const LEAST: Duration = Duration::from_millis(10);
        let (first, most) = self.reconnect_backoff;
        let pause = first.saturating_mul(1 << failures.min(10).saturating_sub(1));
        pause.min(most).max(LEAST)
    }
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

impl Default for FetchSettings {
    /// Java's defaults.
    fn default() -> Self {
        Self {
            wait_max: Duration::from_millis(500),
            bytes_min: 1,
            bytes_max: 50 << 20,
            partition_bytes_max: 1 << 20,
            queue_bytes_max: 32 << 20,
            read_committed: false,
            check_crcs: true,
        }
    }
}

/// How records are written.
#[derive(Clone, Debug)]
pub struct ProduceSettings {
    /// How many replicas acknowledge: all (-1), the leader (1), none (0).
    pub acks: i16,
    /// Whether records have numbers, so that what is sent twice is taken once. Needs all replicas to acknowledge.
    pub is_idempotent: bool,
    /// The name of the producer's transactions; `None` = there are none. Needs `is_idempotent`.
    pub transactional_id: Option<String>,
    /// How long brokers wait for a transaction before they abort it.
    pub transaction_timeout: Duration,
    /// How batches are packed.
    pub compression: Compression,
    /// How large a batch gets before it is packed.
    pub batch_bytes: usize,
    /// How long a batch waits for more records.
    pub linger: Duration,
    /// How large one record may be, unpacked.
    pub request_bytes_max: usize,
    /// How much may wait to be acknowledged; a batch of each lane more in the worst case.
    pub queue_bytes_max: usize,
    /// How many requests may be under way to a broker, and batches of a partition.
    pub in_flight_max: usize,
    /// How long a batch may take to be acknowledged, from its first record on.
    pub delivery_timeout: Duration,
    /// How often a batch may be sent.
    pub attempts_max: u32,
}

impl Default for ProduceSettings {
    /// Idempotent, unpacked, in large batches.
    fn default() -> Self {
        Self {
            acks: -1,
            is_idempotent: true,
            transactional_id: None,
            transaction_timeout: Duration::from_secs(60),
            compression: Compression::None,
            batch_bytes: 1_000_000,
            linger: Duration::from_millis(20),
            request_bytes_max: 1 << 20,
            queue_bytes_max: 32 << 20,
            in_flight_max: 5,
            delivery_timeout: Duration::from_secs(120),
            attempts_max: u32::MAX,
        }
    }
}
