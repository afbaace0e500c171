//! The consumer's settings out of the properties of Java's consumer.

use std::time::Duration;

use millrace_connector::{Diagnostic, OpenContext, Options};
use millrace_kafka_wire::{FetchSettings, Mechanism, Pem, Sasl, Settings, Tls};

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

/// Reads properties and keeps what is wrong with them.
struct Reader<'a> {
    options: &'a Options,
    client: &'a ClientProperties,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn text(&self, key: &str) -> Option<&str> {
        self.client.values.get(key).map(String::as_str)
    }

    fn refuse(&mut self, key: &str, why: String, help: &str) {
        let key = format!("properties.{key}");
        let span = self.options.span(&key).unwrap_or_default();
        let refused = Diagnostic::error("MR0110", format!("'{key}' cannot be honoured"), span);
        self.diagnostics.push(refused.label(why).help(help));
    }

    fn number(&mut self, key: &str, default: u64) -> u64 {
        let Some(text) = self.text(key) else {
            return default;
        };
        match text.trim().parse() {
            Ok(number) => number,
            Err(_) => {
                let why = format!("'{text}' is not a whole number");
                self.refuse(key, why, "write a number without a unit");
                default
            }
        }
    }

    fn flag(&mut self, key: &str, default: bool) -> bool {
        let text = self.text(key).map(str::to_ascii_lowercase);
        match text.as_deref() {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(other) => {
                self.refuse(
                    key,
                    format!("'{other}' is neither true nor false"),
                    "write true or false",
                );
                default
            }
        }
    }

    fn millis(&mut self, key: &str, default: u64) -> Duration {
        Duration::from_millis(self.number(key, default))
    }

    /// Returns a pause and the longest pause.
    fn pauses(
        &mut self,
        key: &str,
        default: u64,
        key_max: &str,
        default_max: u64,
    ) -> (Duration, Duration) {
        let first = self.millis(key, default);
        (first, self.millis(key_max, default_max).max(first))
    }

    fn sasl(&mut self) -> Option<Sasl> {
        let name = self.text("sasl.mechanism").unwrap_or("GSSAPI").to_owned();
        let Some(mechanism) = Mechanism::from_name(&name) else {
            let why = format!("mechanism '{name}' is not built in");
            self.refuse(
                "sasl.mechanism",
                why,
                "write 'properties.sasl.mechanism' = 'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'",
            );
            return None;
        };
        let part = |key: &str| self.text(key).map(str::to_owned);
        let (Some(username), Some(password)) = (part("sasl.username"), part("sasl.password"))
        else {
            let why = "the brokers will ask for a name and a password".to_owned();
            self.refuse("sasl.jaas.config", why, "write 'properties.sasl.jaas.config' = 'org.apache.kafka.common.security.plain.PlainLoginModule required username=\"…\" password=\"…\";'");
            return None;
        };
        Some(Sasl {
            mechanism,
            username,
            password,
        })
    }

    fn tls(&mut self) -> Tls {
        let text = |key: &str| self.text(key).map(|text| Pem::Text(text.to_owned()));
        let file = |key: &str| self.text(key).map(|path| Pem::File(path.into()));
        let authorities = text("ssl.truststore.certificates").or_else(|| file("ssl.ca.location"));
        let certificates = text("ssl.keystore.certificate.chain");
        let certificates = certificates.or_else(|| file("ssl.certificate.location"));
        let key = text("ssl.keystore.key").or_else(|| file("ssl.key.location"));
        if self.text("ssl.key.password").is_some() {
            let why = "a key under a password is not read".to_owned();
            self.refuse("ssl.key.password", why, "take the password away once: openssl pkey -in keys.pem -out key.pem, and guard the file");
        }
        if certificates.is_some() != key.is_some() {
            let why = "a certificate needs its key, and the key its certificate".to_owned();
            self.refuse("ssl.keystore.key", why, "write both 'properties.ssl.keystore.certificate.chain' and 'properties.ssl.keystore.key'");
        }
        let check = self.text("ssl.endpoint.identification.algorithm");
        Tls {
            authorities,
            identity: certificates.zip(key),
            check_host: check.is_none_or(|name| !name.eq_ignore_ascii_case("none")),
        }
    }
}

/// Returns the settings; `MR0110` for what cannot be honoured.
pub(crate) fn reading(
    options: &Options,
    client: &ClientProperties,
    diagnostics: &mut Vec<Diagnostic>,
) -> Reading {
    let mut read = Reader {
        options,
        client,
        diagnostics,
    };
    let protocol = read.text("security.protocol").unwrap_or("PLAINTEXT");
    let protocol = protocol.to_ascii_uppercase();
    let (is_encrypted, is_named) = match protocol.as_str() {
        "PLAINTEXT" => (false, false),
        "SSL" => (true, false),
        "SASL_PLAINTEXT" => (false, true),
        "SASL_SSL" => (true, true),
        _ => {
            let why = format!("nobody knows the protocol '{protocol}'");
            read.refuse(
                "security.protocol",
                why,
                "write PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
            );
            (false, false)
        }
    };
    let bytes = |number: u64| u32::try_from(number.min(i32::MAX as u64)).unwrap_or(u32::MAX);
    let servers = options
        .text("properties.bootstrap.servers")
        .unwrap_or_default();
    let settings = Settings {
        bootstrap: servers
            .split(',')
            .map(|one| one.trim().to_owned())
            .collect(),
        client_id: read.text("client.id").unwrap_or_default().to_owned(),
        rack: read.text("client.rack").unwrap_or_default().to_owned(),
        tls: is_encrypted.then(|| read.tls()),
        sasl: if is_named { read.sasl() } else { None },
        request_timeout: read.millis("request.timeout.ms", 30_000),
        connect_timeout: read.millis("socket.connection.setup.timeout.ms", 10_000),
        reconnect_backoff: read.pauses(
            "reconnect.backoff.ms",
            50,
            "reconnect.backoff.max.ms",
            1000,
        ),
        retry_backoff: read.pauses("retry.backoff.ms", 100, "retry.backoff.max.ms", 1000),
        metadata_age_max: read.millis("metadata.max.age.ms", 300_000),
        auto_create: read.flag("allow.auto.create.topics", false),
    };
    let isolation = read.text("isolation.level").unwrap_or("read_uncommitted");
    let isolation = isolation.to_ascii_lowercase();
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
        let mut settings = self.settings.clone();
        let name = if settings.client_id.is_empty() {
            &ctx.pipeline
        } else {
            &settings.client_id
        };
        settings.client_id = format!("{name}-{role}");
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
    use millrace_connector::{
        OptionDef, OptionKind, Span, Spanned, TableDefinition, check_options,
    };

    use super::*;
    use crate::properties::{self, Role};

    fn read(written: &[(&str, &str)]) -> Result<Reading, Vec<String>> {
        let spanned = |text: &str| Spanned::new(text.to_owned(), Span::default());
        let options = written.iter();
        let table = TableDefinition {
            name: spanned("t"),
            columns: Vec::new(),
            primary_key: Vec::new(),
            options: options
                .map(|(key, value)| (spanned(&format!("properties.{key}")), spanned(value)))
                .collect(),
            options_span: Span::default(),
        };
        let any = OptionDef {
            kind: OptionKind::Prefix,
            ..OptionDef::text("properties.", "")
        };
        let options = check_options(&table, &[("properties.".into(), any)], "kafka").unwrap();
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
        ] {
            let refused = read(written).unwrap_err();
            assert!(refused[0].contains(named), "{written:?}: {refused:?}");
        }
    }
}
