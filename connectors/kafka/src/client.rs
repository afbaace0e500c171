//! What a client of either kind is told: how to reach the brokers, and who we are.

use std::time::Duration;

use millrace_connector::{Diagnostic, OpenContext, Options};
use millrace_kafka_wire::{Mechanism, Pem, Sasl, Settings, Tls};

use crate::properties::ClientProperties;

/// Reads properties and keeps what is wrong with them.
pub(crate) struct PropertyReader<'a> {
    options: &'a Options,
    client: &'a ClientProperties,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> PropertyReader<'a> {
    pub(crate) fn new(
        options: &'a Options,
        client: &'a ClientProperties,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            options,
            client,
            diagnostics,
        }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.client.values.get(key).map(String::as_str)
    }

    pub(crate) fn refuse(&mut self, key: &str, why: String, help: &str) {
        let key = format!("properties.{key}");
        let span = self.options.span(&key).unwrap_or_default();
        let refused = Diagnostic::error("MR0110", format!("'{key}' cannot be honoured"), span);
        self.diagnostics.push(refused.label(why).help(help));
    }

    pub(crate) fn number(&mut self, key: &str, default: u64) -> u64 {
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

    pub(crate) fn flag(&mut self, key: &str, default: bool) -> bool {
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

    pub(crate) fn millis(&mut self, key: &str, default: u64) -> Duration {
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

    /// Returns how the brokers are reached.
    pub(crate) fn settings(&mut self) -> Settings {
        let protocol = self.text("security.protocol").unwrap_or("PLAINTEXT");
        let protocol = protocol.to_ascii_uppercase();
        let (is_encrypted, is_named) = match protocol.as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                let why = format!("nobody knows the protocol '{protocol}'");
                self.refuse(
                    "security.protocol",
                    why,
                    "write PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
                );
                (false, false)
            }
        };
        let servers = self
            .options
            .text("properties.bootstrap.servers")
            .unwrap_or_default();
        Settings {
            bootstrap: servers
                .split(',')
                .map(|one| one.trim().to_owned())
                .collect(),
            client_id: self.text("client.id").unwrap_or_default().to_owned(),
            rack: self.text("client.rack").unwrap_or_default().to_owned(),
            tls: is_encrypted.then(|| self.tls()),
            sasl: if is_named { self.sasl() } else { None },
            request_timeout: self.millis("request.timeout.ms", 30_000),
            connect_timeout: self.millis("socket.connection.setup.timeout.ms", 10_000),
            reconnect_backoff: self.pauses(
                "reconnect.backoff.ms",
                50,
                "reconnect.backoff.max.ms",
                1000,
            ),
            retry_backoff: self.pauses("retry.backoff.ms", 100, "retry.backoff.max.ms", 1000),
            metadata_age_max: self.millis("metadata.max.age.ms", 300_000),
            auto_create: false,
        }
    }
}

/// Returns `settings` for the client of a pipeline that does `role`.
pub(crate) fn named(settings: &Settings, ctx: &OpenContext, role: &str) -> Settings {
    let name = if settings.client_id.is_empty() {
        &ctx.pipeline
    } else {
        &settings.client_id
    };
    Settings {
        client_id: format!("{name}-{role}"),
        ..settings.clone()
    }
}

/// Returns the options of a table with these `properties.*`, for tests.
#[cfg(test)]
pub(crate) fn options_of(properties: &[(&str, &str)]) -> Options {
    use millrace_connector::{
        OptionDef, OptionKind, Span, Spanned, TableDefinition, check_options,
    };
    let spanned = |text: &str| Spanned::new(text.to_owned(), Span::default());
    let properties = properties.iter();
    let table = TableDefinition {
        name: spanned("t"),
        columns: Vec::new(),
        primary_key: Vec::new(),
        options: properties
            .map(|(key, value)| (spanned(&format!("properties.{key}")), spanned(value)))
            .collect(),
        options_span: Span::default(),
    };
    let any = OptionDef {
        kind: OptionKind::Prefix,
        ..OptionDef::text("properties.", "")
    };
    check_options(&table, &[("properties.".into(), any)], "kafka").expect("all are properties")
}
