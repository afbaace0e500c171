//! The producer's settings out of the properties of Java's producer.

use std::time::Duration;

use millrace_connector::{Diagnostic, OpenContext, Options};
use millrace_kafka_wire::{Compression, ProduceSettings, Settings};

use crate::client::{PropertyReader, named};
use crate::properties::ClientProperties;

/// How large a batch gets where nothing is written: Java's 16 KiB make many small ones, which pack badly.
const BATCH_BYTES: u64 = 1_000_000;
/// How long a batch waits for more records where nothing is written, in milliseconds; Java does not wait.
const LINGER: u64 = 20;
/// Java's default, in bytes.
const REQUEST_BYTES: u64 = 1 << 20;
/// Bound on what waits to be acknowledged: it must be flushed when an epoch ends.
const QUEUE_BYTES_MAX: u64 = 64 << 20;
/// The least that is of use: a batch that is filled, and one that is sent.
const QUEUE_BYTES_MIN: u64 = 2 << 20;
/// A transaction that lost its process is aborted by the brokers after this long, in milliseconds; readers of committed records wait for it.
const TRANSACTION_TIMEOUT: u64 = 600_000;
/// The most that a producer with numbered records may have under way, as brokers remember no more.
const IN_FLIGHT_MAX: u64 = 5;
/// Packs such rows as tightly as the default level 3, for half the work (docs/performance.md).
const ZSTD_LEVEL: u64 = 1;
/// Java's default.
const GZIP_LEVEL: u64 = 6;

/// What the properties of a table that is written come to.
#[derive(Clone, Debug)]
pub(crate) struct Writing {
    settings: Settings,
    produce: ProduceSettings,
}

/// Returns the settings; `MR0110` for what cannot be honoured.
pub(crate) fn writing(
    options: &Options,
    client: &ClientProperties,
    diagnostics: &mut Vec<Diagnostic>,
) -> Writing {
    let mut read = PropertyReader::new(options, client, diagnostics);
    let settings = Settings {
        // As Java's producer: asking for a topic makes it, where brokers do that.
        auto_create: true,
        ..read.settings()
    };
    let acks = acks(&mut read);
    let wanted = read.flag("enable.idempotence", true);
    let in_flight = read.number("max.in.flight.requests.per.connection", IN_FLIGHT_MAX);
    let retries = read.number("retries", u64::from(u32::MAX));
    // As Java's producer, which gives numbers up where it cannot have them.
    let is_idempotent = wanted && acks == -1 && retries > 0;
    let request_bytes = read.number("max.request.size", REQUEST_BYTES);
    let request_bytes = request_bytes.max(read.number("message.max.bytes", 0));
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let produce = ProduceSettings {
        acks,
        is_idempotent,
        transactional_id: None,
        transaction_timeout: read.millis("transaction.timeout.ms", TRANSACTION_TIMEOUT),
        compression: compression(&mut read),
        batch_bytes: size(read.number("batch.size", BATCH_BYTES).min(request_bytes)),
        linger: read.millis("linger.ms", LINGER),
        request_bytes_max: size(request_bytes),
        queue_bytes_max: size(read.number("buffer.memory", u64::MAX)),
        in_flight_max: size(in_flight.clamp(1, IN_FLIGHT_MAX)),
        delivery_timeout: read.millis("delivery.timeout.ms", 120_000),
        attempts_max: u32::try_from(retries.saturating_add(1)).unwrap_or(u32::MAX),
    };
    Writing { settings, produce }
}

fn acks(read: &mut PropertyReader<'_>) -> i16 {
    match read.text("acks").map(str::to_owned).as_deref() {
        None | Some("all" | "-1") => -1,
        Some("1") => 1,
        Some("0") => 0,
        Some(other) => {
            let why = format!("'{other}' is no number of replicas that acknowledge");
            read.refuse("acks", why, "write all, 1 or 0");
            -1
        }
    }
}

fn compression(read: &mut PropertyReader<'_>) -> Compression {
    let level = |number: u64| i32::try_from(number).unwrap_or(i32::MAX);
    let name = read.text("compression.type").unwrap_or("none").to_owned();
    match name.as_str() {
        "none" => Compression::None,
        "gzip" => match read.number("compression.gzip.level", GZIP_LEVEL) {
            number @ 1..=9 => Compression::Gzip(level(number)),
            number => {
                let why = format!("gzip has no level {number}");
                read.refuse("compression.gzip.level", why, "write a level from 1 to 9");
                Compression::None
            }
        },
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => match read.number("compression.zstd.level", ZSTD_LEVEL) {
            number @ 1..=22 => Compression::Zstd(level(number)),
            number => {
                let why = format!("zstd has no level {number}");
                read.refuse("compression.zstd.level", why, "write a level from 1 to 22");
                Compression::None
            }
        },
        other => {
            let why = format!("nobody knows the compression '{other}'");
            read.refuse(
                "compression.type",
                why,
                "write none, gzip, snappy, lz4 or zstd",
            );
            Compression::None
        }
    }
}

impl Writing {
    /// Returns what the producer of a pipeline is told.
    pub(crate) fn open(
        &self,
        ctx: &OpenContext,
        transactional_id: Option<String>,
    ) -> (Settings, ProduceSettings) {
        let most = ctx.buffer_bytes_max.min(QUEUE_BYTES_MAX);
        let most = usize::try_from(most.max(QUEUE_BYTES_MIN)).unwrap_or(usize::MAX);
        let is_idempotent = self.produce.is_idempotent || transactional_id.is_some();
        let produce = ProduceSettings {
            transactional_id,
            is_idempotent,
            // Without numbers a batch that is sent again would overtake the one behind it.
            in_flight_max: if is_idempotent {
                self.produce.in_flight_max
            } else {
                1
            },
            queue_bytes_max: self.produce.queue_bytes_max.min(most),
            ..self.produce.clone()
        };
        (named(&self.settings, ctx, "producer"), produce)
    }

    /// Returns how long all output of an epoch may take to be acknowledged.
    pub(crate) fn patience(&self) -> Duration {
        self.produce.delivery_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::options_of;
    use crate::properties::{self, Role};

    fn write(written: &[(&str, &str)]) -> Result<Writing, Vec<String>> {
        let options = options_of(written);
        let client = properties::map(&options, Role::Producer).unwrap();
        let mut diagnostics = Vec::new();
        let writing = writing(&options, &client, &mut diagnostics);
        if diagnostics.is_empty() {
            Ok(writing)
        } else {
            Err(diagnostics.into_iter().map(|found| found.message).collect())
        }
    }

    #[test]
    fn records_are_numbered_unless_less_is_asked_for() {
        let writing = write(&[("compression.type", "zstd")]).unwrap();
        assert!(writing.produce.is_idempotent);
        assert_eq!(writing.produce.compression, Compression::Zstd(1));
        assert_eq!(writing.produce.in_flight_max, 5);
        for less in [
            ("acks", "1"),
            ("enable.idempotence", "false"),
            ("retries", "0"),
        ] {
            assert!(!write(&[less]).unwrap().produce.is_idempotent, "{less:?}");
        }
    }

    #[test]
    fn the_users_sizes_hold_within_the_pipelines_bounds() {
        let writing = write(&[
            ("max.request.size", "13048576"),
            ("message.max.bytes", "13000000"),
            ("batch.size", "16384"),
            ("buffer.memory", "83554432"),
            ("linger.ms", "5"),
        ])
        .unwrap();
        assert_eq!(writing.produce.request_bytes_max, 13_048_576);
        assert_eq!(writing.produce.batch_bytes, 16_384);
        assert_eq!(writing.produce.linger, Duration::from_millis(5));
        assert_eq!(writing.produce.queue_bytes_max, 83_554_432);
        // No batch is larger than what a request may be.
        let small = write(&[("max.request.size", "100000")]).unwrap();
        assert_eq!(small.produce.batch_bytes, 100_000);
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for (key, value) in [
            ("acks", "2"),
            ("acks", "ALL"),
            ("compression.type", "GZIP"),
            ("compression.type", "brotli"),
            ("linger.ms", "soon"),
            ("security.protocol", "SASL_SSL"),
        ] {
            let refused = write(&[(key, value)]).unwrap_err();
            assert!(!refused.is_empty(), "{key} = {value}");
        }
        let level = [
            ("compression.type", "zstd"),
            ("compression.zstd.level", "99"),
        ];
        assert!(write(&level).unwrap_err()[0].contains("zstd.level"));
    }
}
