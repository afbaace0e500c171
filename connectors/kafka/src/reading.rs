//! The consumer's settings out of the properties of Java's consumer.

use millrace_connector::{Diagnostic, OpenContext, Options};
use millrace_kafka_wire::{FetchSettings, Settings};

use crate::client::{PropertyReader, named};
use crate::properties::ClientProperties;

/// Where the properties say nothing, Java's defaults hold.
const FETCH_BYTES: u64 = 50 << 20;
const PARTITION_BYTES: u64 = 1 << 20;

/// What the properties of a table that is read come to.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    settings: Settings,
    fetch: FetchSettings,
}

/// Returns the settings; `MR0110` for what cannot be honoured.
pub(crate) fn reading(
    options: &Options,
    client: &ClientProperties,
    diagnostics: &mut Vec<Diagnostic>,
) -> Reading {
    let mut read = PropertyReader::new(options, client, diagnostics);
    let bytes = |number: u64| u32::try_from(number.min(i32::MAX as u64)).unwrap_or(u32::MAX);
    let settings = Settings {
        auto_create: read.flag("allow.auto.create.topics", false),
        ..read.settings()
    };
    let isolation = read.text("isolation.level").unwrap_or("read_uncommitted");
    let isolation = isolation.to_owned();
    if !["read_committed", "read_uncommitted"].contains(&isolation.as_str()) {
        let why = format!("nobody knows the level '{isolation}'");
        read.refuse(
            "isolation.level",
            why,
            "write read_committed or read_uncommitted",
        );
    }
    let fetch = FetchSettings {
        wait_max: read.millis("fetch.max.wait.ms", 500),
        bytes_min: bytes(read.number("fetch.min.bytes", 1)),
        bytes_max: bytes(read.number("fetch.max.bytes", FETCH_BYTES)),
        partition_bytes_max: bytes(read.number("max.partition.fetch.bytes", PARTITION_BYTES)),
        queue_bytes_max: 0,
        read_committed: isolation == "read_committed",
        check_crcs: read.flag("check.crcs", true),
    };
    Reading { settings, fetch }
}

impl Reading {
    /// Tells whether records of open and aborted transactions are left out.
    pub(crate) fn read_committed(&self) -> bool {
        self.fetch.read_committed
    }

    /// Returns what a client for `role` in a pipeline is told.
    pub(crate) fn open(&self, ctx: &OpenContext, role: &str) -> (Settings, FetchSettings) {
        let settings = named(&self.settings, ctx, role);
        let queue = usize::try_from(ctx.buffer_bytes_max).unwrap_or(usize::MAX);
        let fetch = FetchSettings {
            queue_bytes_max: queue.max(1 << 20),
            ..self.fetch
        };
        (settings, fetch)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::client::options_of;
    use crate::properties::{self, Role};
    use millrace_kafka_wire::Mechanism;

    fn read(written: &[(&str, &str)]) -> Result<Reading, Vec<String>> {
        let options = options_of(written);
        let client = properties::map(&options, Role::Consumer).unwrap();
        let mut diagnostics = Vec::new();
        let reading = reading(&options, &client, &mut diagnostics);
        if diagnostics.is_empty() {
            Ok(reading)
        } else {
            Err(diagnostics.into_iter().map(|found| found.message).collect())
        }
    }

    #[test]
    fn javas_defaults_hold_where_nothing_is_written() {
        let reading = read(&[("bootstrap.servers", "a:1, b:2")]).unwrap();
        assert_eq!(reading.settings.bootstrap, ["a:1", "b:2"]);
        assert!(reading.settings.tls.is_none() && reading.settings.sasl.is_none());
        assert_eq!(reading.fetch.partition_bytes_max, 1 << 20);
        assert!(reading.fetch.check_crcs && !reading.read_committed());
    }

    #[test]
    fn names_and_passwords_are_taken_over() {
        let login = "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"u\" password=\"p\";";
        let reading = read(&[
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.jaas.config", login),
            ("isolation.level", "read_committed"),
            ("fetch.max.wait.ms", "2000"),
        ])
        .unwrap();
        let sasl = reading.settings.sasl.clone().unwrap();
        assert_eq!(
            (sasl.mechanism, sasl.username.as_str()),
            (Mechanism::ScramSha512, "u")
        );
        assert!(
            !format!("{reading:?}").contains("\"p\""),
            "no secret in debug output"
        );
        assert!(reading.settings.tls.is_some_and(|tls| tls.check_host));
        assert!(reading.fetch.read_committed);
        assert_eq!(reading.fetch.wait_max, Duration::from_secs(2));
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        for (written, named) in [
            (
                &[("security.protocol", "KERBEROS")][..],
                "security.protocol",
            ),
            (&[("security.protocol", "SASL_SSL")], "sasl.mechanism"),
            (
                &[
                    ("security.protocol", "SASL_SSL"),
                    ("sasl.mechanism", "PLAIN"),
                ],
                "sasl.jaas.config",
            ),
            (
                &[("security.protocol", "SSL"), ("ssl.key.password", "x")],
                "ssl.key.password",
            ),
            (&[("fetch.max.bytes", "much")], "fetch.max.bytes"),
            (&[("isolation.level", "some")], "isolation.level"),
            (&[("isolation.level", "READ_COMMITTED")], "isolation.level"),
        ] {
            let refused = read(written).unwrap_err();
            assert!(refused[0].contains(named), "{written:?}: {refused:?}");
        }
    }
}
