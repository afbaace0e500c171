//! What becomes of `jdbc.properties.*` and `debezium.*`.

use std::path::PathBuf;
use std::time::Duration;

use millrace_connector::{Diagnostic, Options, Span};
use regex::Regex;

use crate::decode::{DecimalMode, TimeMode};

/// How the connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TlsMode {
    /// Not at all.
    Disabled,
    /// If the server can; no certificate is checked.
    #[default]
    Preferred,
    /// Always; no certificate is checked.
    Required,
    /// Always; the certificate must come from a known authority.
    VerifyCa,
    /// Always; the certificate must also name the host.
    VerifyIdentity,
}

impl Properties {
    /// Returns the statement that gives a session time for its rows or events to be taken, where it needs one.
    pub(crate) fn patience(&self) -> Option<String> {
        let seconds = self.net_write_timeout.unwrap_or(NET_WRITE_TIMEOUT);
        (seconds > 0).then(|| format!("SET net_write_timeout={seconds}"))
    }
}

/// The server's own default, 60 s, is short for a sink that is down for a while.
const NET_WRITE_TIMEOUT: u32 = 600;

impl TlsMode {
    fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().replace('-', "_").as_str() {
            "disabled" => Some(Self::Disabled),
            "preferred" => Some(Self::Preferred),
            "required" => Some(Self::Required),
            "verify_ca" => Some(Self::VerifyCa),
            "verify_identity" => Some(Self::VerifyIdentity),
            _ => None,
        }
    }
}

/// What the passed-through properties ask for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Properties {
    pub(crate) tls: TlsMode,
    /// A PEM file of authorities.
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) allow_public_key_retrieval: bool,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) socket_timeout: Option<Duration>,
    pub(crate) keep_alive: Option<bool>,
    /// Seconds that the server waits for rows and events to be taken; 0 leaves its own setting.
    pub(crate) net_write_timeout: Option<u32>,
    /// Changes logged as statements stop the pipeline.
    pub(crate) fails_on_statements: bool,
    /// Events of a table whose definition cannot be known are left out.
    pub(crate) skips_unknown_definitions: bool,
    /// Two-digit years mean 1970 to 2069.
    pub(crate) keeps_small_years: bool,
    pub(crate) decimals: Option<DecimalMode>,
    pub(crate) times: Option<TimeMode>,
    /// BIGINT UNSIGNED over 2^63-1 wraps.
    pub(crate) wraps_unsigned_bigint: bool,
    pub(crate) skips: SkippedOperations,
    pub(crate) gtid_sources: GtidSources,
    /// What the user should be told.
    pub(crate) notes: Vec<String>,
}

/// Kinds of change that are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SkippedOperations {
    pub(crate) inserts: bool,
    pub(crate) updates: bool,
    pub(crate) deletes: bool,
}

/// Whose transactions are read, by the server's uuid in their GTIDs.
#[derive(Clone, Debug, Default)]
pub(crate) struct GtidSources {
    includes: Vec<Regex>,
    excludes: Vec<Regex>,
}

impl GtidSources {
    pub(crate) fn takes(&self, uuid: &str) -> bool {
        let hit = |list: &[Regex]| list.iter().any(|regex| regex.is_match(uuid));
        (self.includes.is_empty() || hit(&self.includes)) && !hit(&self.excludes)
    }

    pub(crate) fn takes_all(&self) -> bool {
        self.includes.is_empty() && self.excludes.is_empty()
    }
}

/// Debezium's properties without effect here, each with the reason.
const DEBEZIUM_ACCEPTED: &[(&str, &str)] = &[
    ("max.batch.size", "batches are bounded by bytes here"),
    ("max.queue.size", "queues are bounded by bytes here"),
    (
        "max.queue.size.in.bytes",
        "queues are bounded by bytes here",
    ),
    ("poll.interval.ms", "rows are handed on at once here"),
    ("snapshot.locking.mode", "the snapshot takes no locks here"),
    ("snapshot.fetch.size", "rows are streamed here"),
    (
        "include.schema.changes",
        "the table's declaration rules here",
    ),
    (
        "connect.keep.alive.interval.ms",
        "the server's heartbeats are used here",
    ),
];

struct Mapper<'a> {
    out: Properties,
    faults: Vec<Diagnostic>,
    prefix: &'a str,
}

/// Returns what the properties ask for.
///
/// # Errors
/// Properties that would change the data if they were ignored, and bad values.
pub(crate) fn map(options: &Options) -> Result<Properties, Vec<Diagnostic>> {
    let mut mapper = Mapper {
        out: Properties::default(),
        faults: Vec::new(),
        prefix: "jdbc.properties.",
    };
    for (name, value) in options.with_prefix("jdbc.properties.") {
        mapper.jdbc(name, value.value.trim(), value.span);
    }
    mapper.prefix = "debezium.";
    for (name, value) in options.with_prefix("debezium.") {
        let key_span = options
            .key_span(&format!("debezium.{name}"))
            .unwrap_or(value.span);
        mapper.debezium(name, value.value.trim(), value.span, key_span);
    }
    if mapper.faults.is_empty() {
        Ok(mapper.out)
    } else {
        Err(mapper.faults)
    }
}

fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

impl Mapper<'_> {
    fn jdbc(&mut self, name: &str, value: &str, span: Span) {
        let out = &mut self.out;
        match name {
            "useSSL" => match is_true(value) {
                false => out.tls = TlsMode::Disabled,
                true if out.tls == TlsMode::Disabled => out.tls = TlsMode::Preferred,
                true => {}
            },
            "requireSSL" if is_true(value) => out.tls = out.tls.max(TlsMode::Required),
            "verifyServerCertificate" if is_true(value) => {
                out.tls = out.tls.max(TlsMode::VerifyCa);
            }
            "requireSSL" | "verifyServerCertificate" => {}
            "sslMode" => match TlsMode::parse(value) {
                Some(mode) => out.tls = mode,
                None => self.bad(
                    name,
                    span,
                    "none of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY",
                ),
            },
            "trustCertificateKeyStoreUrl" => {
                out.authorities = Some(PathBuf::from(
                    value
                        .trim_start_matches("file://")
                        .trim_start_matches("file:"),
                ));
            }
            "trustCertificateKeyStoreType" => {
                if !value.eq_ignore_ascii_case("PEM") {
                    self.bad(
                        name,
                        span,
                        "only 'PEM' can be read here: keytool -exportcert -rfc",
                    );
                }
            }
            "trustCertificateKeyStorePassword" => {}
            "allowPublicKeyRetrieval" => out.allow_public_key_retrieval = is_true(value),
            "connectTimeout" => match value.parse().ok().filter(|ms| *ms > 0) {
                Some(ms) => out.connect_timeout = Some(Duration::from_millis(ms)),
                None => self.bad(name, span, "not a number of milliseconds"),
            },
            "socketTimeout" => match value.parse::<u64>() {
                Ok(0) => {}
                Ok(ms) => out.socket_timeout = Some(Duration::from_millis(ms)),
                Err(_) => self.bad(name, span, "not a number of milliseconds"),
            },
            "netTimeoutForStreamingResults" => match value.parse() {
                Ok(seconds) => out.net_write_timeout = Some(seconds),
                Err(_) => self.bad(name, span, "not a number of seconds"),
            },
            "characterEncoding"
            | "useUnicode"
            | "zeroDateTimeBehavior"
            | "tinyInt1isBit"
            | "useInformationSchema"
            | "nullCatalogMeansCurrent"
            | "useCursorFetch"
            | "transformedBitIsBoolean"
            | "serverTimezone"
            | "connectionTimeZone" => {}
            _ => out
                .notes
                .push(format!("'jdbc.properties.{name}' has no effect here")),
        }
    }

    fn debezium(&mut self, name: &str, value: &str, span: Span, key_span: Span) {
        let lower = value.to_ascii_lowercase();
        let out = &mut self.out;
        match name {
            "database.ssl.mode" => match TlsMode::parse(value) {
                Some(mode) => out.tls = mode,
                None => self.bad(
                    name,
                    span,
                    "none of disabled, preferred, required, verify_ca, verify_identity",
                ),
            },
            "database.ssl.truststore" => out.authorities = Some(PathBuf::from(value)),
            "database.ssl.truststore.password" => {}
            "connect.timeout.ms" => match value.parse().ok().filter(|ms| *ms > 0) {
                Some(ms) => out.connect_timeout = Some(Duration::from_millis(ms)),
                None => self.bad(name, span, "not a number of milliseconds"),
            },
            "connect.keep.alive" => out.keep_alive = Some(is_true(value)),
            "event.processing.failure.handling.mode" => match lower.as_str() {
                "fail" => out.fails_on_statements = true,
                "warn" | "skip" | "ignore" => {}
                _ => self.bad(name, span, "none of fail, warn, skip"),
            },
            "inconsistent.schema.handling.mode" => match lower.as_str() {
                "fail" => {}
                "warn" | "skip" => out.skips_unknown_definitions = true,
                _ => self.bad(name, span, "none of fail, warn, skip"),
            },
            "bigint.unsigned.handling.mode" => match lower.as_str() {
                "precise" => out.wraps_unsigned_bigint = false,
                "long" => out.wraps_unsigned_bigint = true,
                _ => self.bad(name, span, "none of precise, long"),
            },
            "decimal.handling.mode" => match lower.as_str() {
                "precise" => out.decimals = Some(DecimalMode::Precise),
                "double" => out.decimals = Some(DecimalMode::Double),
                "string" => out.decimals = Some(DecimalMode::Text),
                _ => self.bad(name, span, "none of precise, double, string"),
            },
            "time.precision.mode" => match lower.as_str() {
                "adaptive_time_microseconds" => {
                    out.times = Some(TimeMode::AdaptiveTimeMicroseconds)
                }
                "adaptive" => out.times = Some(TimeMode::Adaptive),
                "connect" => out.times = Some(TimeMode::Connect),
                _ => self.bad(
                    name,
                    span,
                    "none of adaptive, adaptive_time_microseconds, connect",
                ),
            },
            "enable.time.adjuster" => out.keeps_small_years = lower == "false",
            "skipped.operations" => self.skipped_operations(&lower, span),
            "gtid.source.includes" => self.gtid_sources(name, value, span, true),
            "gtid.source.excludes" => self.gtid_sources(name, value, span, false),
            _ => self.debezium_other(name, key_span),
        }
    }

    fn debezium_other(&mut self, name: &str, key_span: Span) {
        if let Some((_, why)) = DEBEZIUM_ACCEPTED.iter().find(|(known, _)| *known == name) {
            self.out
                .notes
                .push(format!("'debezium.{name}' has no effect: {why}"));
            return;
        }
        self.faults.push(
            Diagnostic::error(
                "MR0140",
                format!("'debezium.{name}' is not supported"),
                key_span,
            )
            .label("ignoring it could change the data")
            .help("take it out; the connector's page lists the properties that are honoured"),
        );
    }

    fn skipped_operations(&mut self, value: &str, span: Span) {
        for word in value
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match word {
                "c" | "i" => self.out.skips.inserts = true,
                "u" => self.out.skips.updates = true,
                "d" => self.out.skips.deletes = true,
                "t" | "none" => {}
                _ => self.bad("skipped.operations", span, "none of c, u, d, t, none"),
            }
        }
    }

    fn gtid_sources(&mut self, name: &str, value: &str, span: Span, includes: bool) {
        for part in value
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            match Regex::new(&format!("^(?i:{part})$")) {
                Ok(regex) if includes => self.out.gtid_sources.includes.push(regex),
                Ok(regex) => self.out.gtid_sources.excludes.push(regex),
                Err(_) => self.bad(
                    name,
                    span,
                    "not a regular expression that is understood here",
                ),
            }
        }
    }

    fn bad(&mut self, name: &str, span: Span, why: &str) {
        self.faults.push(
            Diagnostic::error(
                "MR0102",
                format!("bad value for option '{}{name}'", self.prefix),
                span,
            )
            .label(why),
        );
    }
}

impl TlsMode {
    fn max(self, other: Self) -> Self {
        if (self as u8) < (other as u8) {
            other
        } else {
            self
        }
    }
}
