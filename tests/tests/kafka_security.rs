//! Reading from and writing to a real broker that wants to know who asks: passwords, certificates, and what a user sees when they are wrong.
//!
//! Runs with `MILLRACE_E2E=1` and says so when it is skipped; starts a broker of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const PORT: &str = "19392";
const TOPIC: &str = "guarded";

/// The broker; stopped, with its data removed, when dropped.
struct Broker;

impl Broker {
    fn run(arguments: &[&str]) -> Result<String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/kafka.sh");
        let output = Command::new(&script)
            .args(arguments)
            .env("KAFKA_PORT", PORT)
            .env("KAFKA_SECURE", "1")
            .output()
            .with_context(|| format!("{} could not be run", script.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let why = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kafka.sh {arguments:?}: {why}");
        Ok(text)
    }

    /// Starts the broker; returns where it listens and where its certificates are.
    fn start() -> Result<(Self, BTreeMap<String, String>)> {
        Self::run(&["wipe"])?;
        let broker = Self;
        Self::run(&["start"])?;
        Self::run(&["topic", TOPIC, "1"])?;
        let info = Self::run(&["info"])?;
        let pairs = info.lines().filter_map(|line| line.split_once('='));
        let info = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok((broker, info.collect()))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = Self::run(&["wipe"]) {
            eprintln!("{error:#}");
        }
    }
}

/// Returns the binary under test.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("MILLRACE_BIN") {
        return path.into();
    }
    let folder = std::env::current_exe().expect("a test has a path");
    let target = folder
        .ancestors()
        .nth(2)
        .expect("it stands in target/debug/deps");
    target.join("millrace")
}

fn options(properties: &[(&str, &str)]) -> String {
    let options = properties.iter();
    options
        .map(|(key, value)| format!(",\n  'properties.{key}' = '{value}'"))
        .collect()
}

/// Reads the topic to its end with these properties.
fn read(properties: &[(&str, &str)]) -> Result<Output> {
    run(&format!(
        "CREATE TABLE guarded (v STRING) WITH (
  'connector' = 'kafka',
  'topic' = '{TOPIC}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'raw'{}
);
CREATE TABLE nothing (v STRING) WITH ('connector' = 'print');
INSERT INTO nothing SELECT v FROM guarded;
",
        options(properties)
    ))
}

/// Writes a row in a transaction with these properties.
fn write(row: &str, properties: &[(&str, &str)]) -> Result<Output> {
    run(&format!(
        "CREATE TABLE guarded (v STRING) WITH (
  'connector' = 'kafka',
  'topic' = '{TOPIC}',
  'sink.delivery-guarantee' = 'exactly-once',
  'sink.transactional-id-prefix' = '{row}',
  'format' = 'raw'{}
);
INSERT INTO guarded VALUES ('{row}');
",
        options(properties)
    ))
}

fn run(sql: &str) -> Result<Output> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("guarded.sql");
    std::fs::write(&path, sql)?;
    let checkpoints = format!("state.checkpoints.dir=file://{}/c", folder.path().display());
    let output = Command::new(binary())
        .arg("run")
        .arg(&path)
        .args(["-D", &checkpoints, "-D", "restart-strategy=none"])
        .output()?;
    Ok(output)
}

fn text(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    out.into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Writes a row and reads all.
fn is_let_in(what: &str, properties: &[(&str, &str)]) -> Result<()> {
    let row = format!("written as {what}");
    let output = write(&row, properties)?;
    ensure!(output.status.success(), "{what}: {}", text(&output));
    let output = read(properties)?;
    let text = text(&output);
    ensure!(output.status.success(), "{what}: {text}");
    for row in ["row 0", "row 2", &row] {
        ensure!(text.contains(row), "{what}: no '{row}' in {text}");
    }
    Ok(())
}

/// Neither reads nor writes.
fn is_refused(what: &str, properties: &[(&str, &str)], words: &[&str]) -> Result<()> {
    for output in [read(properties)?, write("a guest was here", properties)?] {
        let text = text(&output);
        ensure!(!output.status.success(), "{what} was let in: {text}");
        for word in words {
            ensure!(text.contains(word), "{what}: no '{word}' in {text}");
        }
    }
    Ok(())
}

fn write_rows(brokers: &str) -> Result<()> {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()?;
    for row in 0..3 {
        let payload = format!("row {row}");
        let record: BaseRecord<'_, (), str> = BaseRecord::to(TOPIC).payload(&payload);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(Duration::from_secs(30))?;
    Ok(())
}

#[test]
fn only_who_is_known_reads_and_writes() -> Result<()> {
    if std::env::var("MILLRACE_E2E").is_ok_and(|value| value == "1") {
        let (_broker, info) = Broker::start()?;
        write_rows(&info["KAFKA_BOOTSTRAP"])?;
        passwords(&info["KAFKA_SASL"])?;
        certificates(&info["KAFKA_SSL"], &info["KAFKA_TLS"])
    } else {
        eprintln!("skipped: end-to-end tests need servers; run ./test or set MILLRACE_E2E=1");
        Ok(())
    }
}

fn passwords(brokers: &str) -> Result<()> {
    let module = |class: &str, password: &str| {
        format!(
            "org.apache.kafka.common.security.{class} required username=\"alice\" password=\"{password}\";"
        )
    };
    for (mechanism, class) in [
        ("PLAIN", "plain.PlainLoginModule"),
        ("SCRAM-SHA-256", "scram.ScramLoginModule"),
        ("SCRAM-SHA-512", "scram.ScramLoginModule"),
    ] {
        let (right, wrong) = (module(class, "alice-secret"), module(class, "guess"));
        let with = |login| {
            [
                ("bootstrap.servers", brokers),
                ("security.protocol", "SASL_PLAINTEXT"),
                ("sasl.mechanism", mechanism),
                ("sasl.jaas.config", login),
            ]
        };
        is_let_in(mechanism, &with(&right))?;
        is_refused(
            mechanism,
            &with(&wrong),
            &["refuse the credentials", brokers],
        )?;
    }
    Ok(())
}

fn certificates(brokers: &str, folder: &str) -> Result<()> {
    let authority = format!("{folder}/ca.pem");
    let keys = format!("{folder}/client-keys.pem");
    let base = [
        ("bootstrap.servers", brokers),
        ("security.protocol", "SSL"),
        ("ssl.truststore.type", "PEM"),
    ];
    let trusting = [
        &base[..],
        &[("ssl.truststore.location", authority.as_str())],
    ]
    .concat();
    is_let_in("a trusted broker", &trusting)?;
    let known = [
        ("ssl.keystore.type", "PEM"),
        ("ssl.keystore.location", keys.as_str()),
    ];
    is_let_in(
        "a client with a certificate",
        &[&trusting[..], &known].concat(),
    )?;
    is_refused(
        "a broker nobody vouches for",
        &base,
        &["refuse the credentials", "certificate"],
    )?;
    // The certificate is for the address, not for this name.
    let renamed = brokers.replace("127.0.0.1", "localhost");
    let other = [
        ("bootstrap.servers", renamed.as_str()),
        ("security.protocol", "SSL"),
        ("ssl.truststore.type", "PEM"),
        ("ssl.truststore.location", authority.as_str()),
    ];
    is_refused(
        "a broker under another name",
        &other,
        &["refuse the credentials"],
    )?;
    let unchecked = [&other[..], &[("ssl.endpoint.identification.algorithm", "")]].concat();
    is_let_in("a broker whose name is not looked at", &unchecked)
}
