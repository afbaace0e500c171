//! Properties of Kafka's Java clients, and what becomes of each: used under its name, without meaning here, or refused.

use std::collections::BTreeMap;

use millrace_connector::{Diagnostic, Options, Spanned, did_you_mean};

use crate::jaas;

/// Whether the client reads or writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A consumer.
    Consumer,
    /// A producer.
    Producer,
}

/// What becomes of a Java property.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// Used for reading and writing.
    Same,
    /// Used for reading.
    Read,
    /// Used for writing.
    Write,
    /// Has no meaning here, and why.
    Meaningless(&'static str),
    /// Cannot be honoured, and what to do instead.
    Refused(&'static str),
    /// Read by this connector itself.
    Own,
    /// One of the properties of key and trust stores.
    Store,
}

use Fate::{Meaningless, Own, Read, Refused, Same, Store, Write};
use Role::{Consumer, Producer};

const ENGINE: &str = "the engine sets it itself";
const NO_JVM: &str = "there is no JVM";

/// Every property of Kafka's Java clients that users write, sorted by name.
const FATES: &[(&str, Fate)] = &[
    ("acks", Write),
    ("allow.auto.create.topics", Read),
    (
        "auto.commit.interval.ms",
        Meaningless("offsets are published with each checkpoint"),
    ),
    ("auto.include.jmx.reporter", Meaningless(NO_JVM)),
    ("auto.offset.reset", Own),
    ("batch.size", Write),
    ("bootstrap.servers", Same),
    ("buffer.memory", Write),
    ("check.crcs", Read),
    (
        "client.dns.lookup",
        Meaningless("all addresses of a name are tried"),
    ),
    ("client.id", Same),
    (
        "client.id.prefix",
        Meaningless("the client id is the pipeline's name where none is written"),
    ),
    ("client.rack", Same),
    ("compression.gzip.level", Write),
    (
        "compression.lz4.level",
        Meaningless("LZ4 is written at its fastest level"),
    ),
    ("compression.type", Write),
    ("compression.zstd.level", Write),
    (
        "connections.max.idle.ms",
        Meaningless("a connection that a broker closes is made anew"),
    ),
    (
        "default.api.timeout.ms",
        Meaningless("calls have bounds of their own"),
    ),
    ("delivery.timeout.ms", Write),
    (
        "enable.auto.commit",
        Meaningless("offsets are published with each checkpoint"),
    ),
    ("enable.idempotence", Write),
    (
        "exclude.internal.topics",
        Meaningless("only the topics of the table are read"),
    ),
    ("fetch.max.bytes", Read),
    ("fetch.max.wait.ms", Read),
    ("fetch.min.bytes", Read),
    ("group.id", Own),
    (
        "group.instance.id",
        Meaningless("partitions are assigned by the engine, not by the group"),
    ),
    (
        "group.protocol",
        Meaningless("partitions are assigned by the engine, not by the group"),
    ),
    (
        "heartbeat.interval.ms",
        Meaningless("partitions are assigned by the engine, not by the group"),
    ),
    (
        "interceptor.classes",
        Refused("Java code cannot run here; remove the option"),
    ),
    ("isolation.level", Read),
    ("key.deserializer", Meaningless(ENGINE)),
    ("key.deserializer.encoding", Meaningless(ENGINE)),
    ("key.serializer", Meaningless(ENGINE)),
    ("linger.ms", Write),
    (
        "max.block.ms",
        Meaningless("a slow broker slows the pipeline down, without an end"),
    ),
    ("max.in.flight.requests.per.connection", Write),
    ("max.partition.fetch.bytes", Read),
    (
        "max.poll.interval.ms",
        Meaningless("partitions are assigned by the engine, not by the group"),
    ),
    (
        "max.poll.records",
        Meaningless("batches are sized by the engine"),
    ),
    ("max.request.size", Write),
    ("message.max.bytes", Write),
    ("metadata.max.age.ms", Same),
    (
        "metadata.max.idle.ms",
        Meaningless("topics in use are never idle"),
    ),
    ("metric.reporters", Meaningless("figures are at /metrics")),
    (
        "metrics.num.samples",
        Meaningless("figures are at /metrics"),
    ),
    (
        "metrics.recording.level",
        Meaningless("figures are at /metrics"),
    ),
    (
        "metrics.sample.window.ms",
        Meaningless("figures are at /metrics"),
    ),
    (
        "partition.assignment.strategy",
        Meaningless("partitions are assigned by the engine, not by the group"),
    ),
    ("partition.discovery.interval.ms", Own),
    (
        "partitioner.adaptive.partitioning.enable",
        Meaningless("records without a key go to the partitions in turn, a batch to each"),
    ),
    (
        "partitioner.availability.timeout.ms",
        Meaningless("records without a key go to the partitions in turn, a batch to each"),
    ),
    (
        "partitioner.class",
        Refused("Java code cannot run here; use 'sink.partitioner'"),
    ),
    (
        "partitioner.ignore.keys",
        Refused("use 'sink.partitioner' = 'round-robin'"),
    ),
    (
        "receive.buffer.bytes",
        Meaningless("the system sizes the buffers of its sockets"),
    ),
    ("reconnect.backoff.max.ms", Same),
    ("reconnect.backoff.ms", Same),
    (
        "register.consumer.metrics",
        Meaningless("figures are at /metrics"),
    ),
    (
        "register.producer.metrics",
        Meaningless("figures are at /metrics"),
    ),
    ("request.timeout.ms", Same),
    ("retries", Write),
    ("retry.backoff.max.ms", Same),
    ("retry.backoff.ms", Same),
    (
        "sasl.client.callback.handler.class",
        Refused("Java code cannot run here; write user and password in 'sasl.jaas.config'"),
    ),
    ("sasl.jaas.config", Own),
    (
        "sasl.kerberos.kinit.cmd",
        Refused("Kerberos is not built in; use SCRAM, PLAIN or TLS certificates"),
    ),
    (
        "sasl.kerberos.service.name",
        Refused("Kerberos is not built in; use SCRAM, PLAIN or TLS certificates"),
    ),
    (
        "sasl.login.callback.handler.class",
        Refused("Java code cannot run here; write user and password in 'sasl.jaas.config'"),
    ),
    (
        "sasl.login.class",
        Refused("Java code cannot run here; write user and password in 'sasl.jaas.config'"),
    ),
    ("sasl.mechanism", Same),
    ("sasl.password", Same),
    ("sasl.username", Same),
    ("security.protocol", Same),
    ("security.providers", Refused("Java code cannot run here")),
    (
        "send.buffer.bytes",
        Meaningless("the system sizes the buffers of its sockets"),
    ),
    (
        "session.timeout.ms",
        Meaningless("partitions are assigned by the engine, not by the group"),
    ),
    (
        "socket.connection.setup.timeout.max.ms",
        Meaningless("'socket.connection.setup.timeout.ms' is the bound"),
    ),
    ("socket.connection.setup.timeout.ms", Same),
    (
        "ssl.cipher.suites",
        Meaningless("only suites without known weakness are offered"),
    ),
    (
        "ssl.enabled.protocols",
        Meaningless("TLS 1.2 and 1.3 are offered"),
    ),
    ("ssl.endpoint.identification.algorithm", Own),
    (
        "ssl.engine.factory.class",
        Refused("Java code cannot run here"),
    ),
    ("ssl.key.password", Same),
    ("ssl.keymanager.algorithm", Meaningless(NO_JVM)),
    ("ssl.keystore.certificate.chain", Same),
    ("ssl.keystore.key", Same),
    ("ssl.keystore.location", Store),
    ("ssl.keystore.password", Store),
    ("ssl.keystore.type", Store),
    ("ssl.protocol", Meaningless("TLS 1.2 and 1.3 are offered")),
    ("ssl.provider", Meaningless(NO_JVM)),
    ("ssl.secure.random.implementation", Meaningless(NO_JVM)),
    ("ssl.trustmanager.algorithm", Meaningless(NO_JVM)),
    ("ssl.truststore.certificates", Same),
    ("ssl.truststore.location", Store),
    ("ssl.truststore.password", Store),
    ("ssl.truststore.type", Store),
    ("transaction.timeout.ms", Write),
    (
        "transactional.id",
        Meaningless("ids are made from 'sink.transactional-id-prefix'"),
    ),
    ("value.deserializer", Meaningless(ENGINE)),
    ("value.serializer", Meaningless(ENGINE)),
];

/// Client properties, and what the user should be told.
#[derive(Clone, Default)]
pub(crate) struct ClientProperties {
    /// By their Java names; those of stores by what the stores hold. May hold passwords.
    pub(crate) values: BTreeMap<String, String>,
    /// Properties without meaning here, each with its reason.
    pub(crate) notes: Vec<String>,
}

impl std::fmt::Debug for ClientProperties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientProperties")
            .field("keys", &self.values.keys())
            .finish_non_exhaustive()
    }
}

/// Returns the client properties of a table. `MR0110` refuses a property, `MR0102` a value.
pub(crate) fn map(options: &Options, role: Role) -> Result<ClientProperties, Vec<Diagnostic>> {
    let mut mapped = ClientProperties::default();
    let mut diagnostics = Vec::new();
    for (key, value) in options.with_prefix("properties.") {
        match FATES.binary_search_by(|(name, _)| (*name).cmp(key)) {
            Ok(index) => {
                if let Err(why) = apply(&mut mapped, key, &value.value, FATES[index].1, role) {
                    diagnostics.push(refusal(key, value, why));
                }
            }
            Err(_) => {
                let near = did_you_mean(key, FATES.iter().map(|(name, _)| *name));
                let hint = near
                    .map(|near| format!("; did you mean 'properties.{near}'?"))
                    .unwrap_or_default();
                mapped.notes.push(format!("'properties.{key}' is no property of Kafka's clients and is ignored, as Java's clients do{hint}"));
            }
        }
    }
    stores(options, &mut mapped, &mut diagnostics);
    security(options, &mut mapped, &mut diagnostics);
    if diagnostics.is_empty() {
        Ok(mapped)
    } else {
        Err(diagnostics)
    }
}

fn refusal(key: &str, value: &Spanned<String>, why: &str) -> Diagnostic {
    Diagnostic::error(
        "MR0110",
        format!("'properties.{key}' cannot be honoured"),
        value.span,
    )
    .label(why)
}

fn apply(
    mapped: &mut ClientProperties,
    key: &str,
    value: &str,
    fate: Fate,
    role: Role,
) -> Result<(), &'static str> {
    match (fate, role) {
        (Same, _) | (Read, Consumer) | (Write, Producer) => {
            mapped.values.insert(key.to_owned(), value.to_owned());
        }
        (Read, Producer) | (Write, Consumer) => {
            let other = match role {
                Producer => "reading",
                Consumer => "writing",
            };
            mapped
                .notes
                .push(format!("'properties.{key}' only matters for {other}"));
        }
        (Meaningless(why), _) => mapped
            .notes
            .push(format!("'properties.{key}' has no meaning here: {why}")),
        (Refused(why), _) => return Err(why),
        (Own | Store, _) => {}
    }
    Ok(())
}

/// Maps Java's key and trust stores: PEM only.
fn stores(options: &Options, mapped: &mut ClientProperties, diagnostics: &mut Vec<Diagnostic>) {
    for (store, pem) in [("truststore", "ssl.ca.location"), ("keystore", "")] {
        let key = format!("properties.ssl.{store}.location");
        let Some(location) = options.text(&key) else {
            continue;
        };
        let kind = options
            .text(&format!("properties.ssl.{store}.type"))
            .unwrap_or("JKS")
            .to_ascii_uppercase();
        let looks_like = |ending: &str| location.to_ascii_lowercase().ends_with(ending);
        let set = |mapped: &mut ClientProperties, name: &str, value: &str| {
            mapped.values.insert(name.to_owned(), value.to_owned());
        };
        if kind == "PEM" || looks_like(".pem") || looks_like(".crt") {
            if store == "truststore" {
                set(mapped, pem, location);
            } else {
                set(mapped, "ssl.certificate.location", location);
                set(mapped, "ssl.key.location", location);
            }
        } else {
            let span = options.span(&key).unwrap_or_default();
            let file = location.rsplit('/').next().unwrap_or(location);
            let way_out = if store == "truststore" {
                format!(
                    "keytool -exportcert -rfc -keystore {file} -alias <alias> > ca.pem, then 'ssl.truststore.location' = 'ca.pem' and 'ssl.truststore.type' = 'PEM'"
                )
            } else {
                format!(
                    "keytool -importkeystore -srckeystore {file} -destkeystore keys.p12 -deststoretype PKCS12; openssl pkcs12 -in keys.p12 -nodes -out keys.pem; then 'ssl.keystore.location' = 'keys.pem' and 'ssl.keystore.type' = 'PEM'"
                )
            };
            diagnostics.push(
                Diagnostic::error(
                    "MR0110",
                    format!("a {store} of type {kind} cannot be read here"),
                    span,
                )
                .label("a Java key store")
                .help(format!("convert it once: {way_out}")),
            );
        }
    }
}

/// Maps `sasl.jaas.config` and the check of host names.
fn security(options: &Options, mapped: &mut ClientProperties, diagnostics: &mut Vec<Diagnostic>) {
    if let Some(algorithm) = options.text("properties.ssl.endpoint.identification.algorithm") {
        let value = if algorithm.trim().is_empty() {
            "none"
        } else {
            algorithm
        };
        mapped.values.insert(
            "ssl.endpoint.identification.algorithm".into(),
            value.to_owned(),
        );
    }
    let key = "properties.sasl.jaas.config";
    let Some(text) = options.text(key) else {
        return;
    };
    let span = options.span(key).unwrap_or_default();
    let mut refuse = |why: String| {
        diagnostics.push(
            Diagnostic::error("MR0110", "'properties.sasl.jaas.config' cannot be honoured", span).label(why).help(
                "write: org.apache.kafka.common.security.plain.PlainLoginModule required username=\"…\" password=\"…\";",
            ),
        );
    };
    match jaas::parse(text) {
        Err(why) => refuse(why),
        Ok(module) => {
            let class = module.class.rsplit('.').next().unwrap_or_default();
            if !["PlainLoginModule", "ScramLoginModule"].contains(&class) {
                return refuse(format!(
                    "login module '{class}' is not built in; PlainLoginModule and ScramLoginModule are"
                ));
            }
            for (name, ours) in [("username", "sasl.username"), ("password", "sasl.password")] {
                match module.options.get(name) {
                    Some(value) => drop(mapped.values.insert(ours.into(), value.clone())),
                    None => refuse(format!("no {name} in it")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::options_of;

    fn map_all(written: &[(&str, &str)], role: Role) -> Result<ClientProperties, Vec<Diagnostic>> {
        map(&options_of(written), role)
    }

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(FATES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn maps_what_the_documents_write() {
        let consumer = map_all(
            &[
                ("bootstrap.servers", "a:1"),
                ("session.timeout.ms", "60000"),
                ("request.timeout.ms", "60000"),
                ("fetch.max.wait.ms", "2000"),
                ("max.poll.records", "1000"),
            ],
            Consumer,
        )
        .unwrap();
        assert_eq!(consumer.values["fetch.max.wait.ms"], "2000");
        assert_eq!(consumer.values["request.timeout.ms"], "60000");
        assert_eq!(consumer.notes.len(), 2, "{:?}", consumer.notes);
        let producer = map_all(
            &[
                ("max.request.size", "13048576"),
                ("buffer.memory", "83554432"),
                ("acks", "-1"),
                ("fetch.max.bytes", "1"),
            ],
            Producer,
        )
        .unwrap();
        assert_eq!(producer.values["max.request.size"], "13048576");
        assert_eq!(producer.values["buffer.memory"], "83554432");
        assert!(!producer.values.contains_key("fetch.max.bytes"));
        assert_eq!(producer.notes.len(), 1, "{:?}", producer.notes);
    }

    #[test]
    fn maps_or_refuses_security() {
        let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"p\";";
        let mapped = map_all(
            &[("sasl.jaas.config", plain), ("sasl.mechanism", "PLAIN")],
            Consumer,
        )
        .unwrap();
        assert_eq!(mapped.values["sasl.username"], "u");
        assert!(
            !format!("{mapped:?}").contains("\"p\""),
            "no secret in debug output"
        );
        for bad in [
            ("ssl.truststore.location", "/a/trust.jks"),
            ("interceptor.classes", "x.Y"),
            (
                "sasl.jaas.config",
                "com.sun.security.auth.module.Krb5LoginModule required;",
            ),
        ] {
            assert_eq!(
                map_all(&[bad], Consumer).unwrap_err()[0].code,
                "MR0110",
                "{bad:?}"
            );
        }
        let pem = map_all(
            &[
                ("ssl.truststore.location", "/a/ca.pem"),
                ("ssl.truststore.type", "PEM"),
            ],
            Consumer,
        );
        assert_eq!(pem.unwrap().values["ssl.ca.location"], "/a/ca.pem");
    }

    #[test]
    fn an_unknown_property_is_told() {
        let mapped = map_all(&[("fetch.max.byte", "1")], Consumer).unwrap();
        assert!(
            mapped.notes[0].contains("did you mean 'properties.fetch.max.bytes'"),
            "{:?}",
            mapped.notes
        );
    }
}
