//! Changes from one topic through filters and projections into sinks of every kind, beside what Flink wrote.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::broker::Broker;
use crate::pipeline::Pipeline;
use crate::reader::{Isolation, Reader, Record};

/// The sinks that `sql` writes, by the hint of their topics.
const SINKS: [&str; 6] = ["date", "filtered", "csv", "canal", "debezium", "maxwell"];

fn sql(broker: &Broker, source: &str, topics: &BTreeMap<&str, String>) -> String {
    let servers = format!("'properties.bootstrap.servers' = '{}'", broker.address);
    let upsert = |hint: &str, options: &str| {
        format!(
            "WITH ('connector' = 'upsert-kafka', 'topic' = '{}', {servers}, {options})",
            topics[hint]
        )
    };
    let changes = |hint: &str| {
        format!(
            "CREATE TABLE {hint}_changes (id BIGINT, at_s INT, v STRING, n INT)
             WITH ('connector' = 'kafka', 'topic' = '{}', {servers}, 'format' = '{hint}-json',
               'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{source}');",
            topics[hint]
        )
    };
    format!(
        "CREATE TABLE s (id BIGINT, at_s INT, v STRING, n INT, PRIMARY KEY (id) NOT ENFORCED)
         WITH ('connector' = 'kafka', 'topic' = '{source}', {servers}, 'format' = 'debezium-json',
           'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE by_date (d DATE, id BIGINT, v STRING, PRIMARY KEY (d, id) NOT ENFORCED) {};
         CREATE TABLE filtered (id BIGINT, v STRING, n INT, PRIMARY KEY (id) NOT ENFORCED) {};
         CREATE TABLE as_csv (k_id STRING, v STRING, PRIMARY KEY (k_id) NOT ENFORCED) {};
         {} {} {}
         EXECUTE STATEMENT SET BEGIN
         INSERT INTO by_date SELECT TO_DATE(CAST(TO_TIMESTAMP_LTZ(at_s, 0) AS VARCHAR)), id, v FROM s WHERE at_s IS NOT NULL;
         INSERT INTO filtered SELECT id, v, n FROM s WHERE n < 10;
         INSERT INTO as_csv SELECT CAST(id AS STRING), v FROM s;
         INSERT INTO canal_changes SELECT * FROM s;
         INSERT INTO debezium_changes SELECT * FROM s WHERE n < 10;
         INSERT INTO maxwell_changes SELECT * FROM s;
         END;",
        upsert("date", "'key.format' = 'json', 'value.format' = 'json'"),
        upsert(
            "filtered",
            "'key.format' = 'json', 'value.format' = 'json', 'value.fields-include' = 'EXCEPT_KEY'"
        ),
        upsert(
            "csv",
            "'key.format' = 'csv', 'value.format' = 'csv', 'key.fields-prefix' = 'k_', 'value.fields-include' = 'EXCEPT_KEY'"
        ),
        changes("canal"),
        changes("debezium"),
        changes("maxwell"),
    )
}

fn lines(name: &str) -> Result<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("changelog")
        .join(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Returns the last value of each key; keys whose last record has none are gone.
fn folded(records: impl IntoIterator<Item = (String, Option<String>)>) -> BTreeMap<String, String> {
    let mut table = BTreeMap::new();
    for (key, value) in records {
        match value {
            Some(value) => drop(table.insert(key, value)),
            None => drop(table.remove(&key)),
        }
    }
    table
}

fn flinks(name: &str) -> Result<BTreeMap<String, String>> {
    let records = lines(name)?.into_iter().map(|line| {
        let (key, value) = line.split_once(" => ").expect("a key and a value");
        (key.to_owned(), (value != "null").then(|| value.to_owned()))
    });
    Ok(folded(records))
}

fn texts(records: Vec<Record>) -> Vec<(String, Option<String>)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the formats write text");
    records
        .into_iter()
        .map(|record| {
            (
                record.key.map(text).unwrap_or_default(),
                record.value.map(text),
            )
        })
        .collect()
}

#[test]
fn changes_reach_every_kind_of_sink_as_in_flink() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("changes-in", 1)?;
    let changes = lines("changes.jsonl")?.into_iter();
    broker.write(&source, 0, changes.map(|line| Some(line.into_bytes())))?;
    let mut topics = BTreeMap::new();
    for hint in SINKS {
        topics.insert(hint, broker.topic(&format!("changes-{hint}"), 1)?);
    }
    Pipeline::new("changes", &sql(&broker, &source, &topics))?
        .start()?
        .ends_with(0, Duration::from_secs(60))?;
    let read = |hint: &str| -> Result<Vec<(String, Option<String>)>> {
        let reader = Reader::open(&broker, &topics[hint], Isolation::Committed)?;
        Ok(texts(reader.records_to_end()?))
    };
    for hint in ["canal", "debezium", "maxwell"] {
        let got: Vec<String> = read(hint)?
            .into_iter()
            .filter_map(|(_, value)| value)
            .collect();
        let expected = lines(&format!("{hint}.flink-1.17.2.jsonl"))?;
        ensure!(got == expected, "{hint}: {got:#?}");
    }
    for (hint, file, records) in [
        ("date", "upsert_date_and_id", 11),
        ("filtered", "upsert_filtered", 9),
        ("csv", "upsert_csv", 11),
    ] {
        let got = read(hint)?;
        // An update that keeps its key is one record, not a deletion and an insert.
        ensure!(got.len() == records, "{hint}: {got:#?}");
        let table = folded(got.clone());
        let expected = flinks(&format!("{file}.flink-1.17.2.txt"))?;
        ensure!(table == expected, "{hint}: {got:#?}");
    }
    Ok(())
}

#[test]
fn what_cannot_take_changes_is_refused_before_start() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let source = "CREATE TABLE s (id BIGINT, n INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'kafka', 'topic' = 's',
           'properties.bootstrap.servers' = '127.0.0.1:1', 'format' = 'debezium-json', 'scan.startup.mode' = 'earliest-offset');";
    let kafka = "'properties.bootstrap.servers' = '127.0.0.1:1', 'topic' = 'k'";
    for (sink, words) in [
        (
            format!("(id BIGINT, n INT) WITH ('connector' = 'kafka', {kafka}, 'format' = 'json')"),
            ["MR0603", "doesn't support consuming update and delete changes"],
        ),
        (
            format!(
                "(id BIGINT, n INT, PRIMARY KEY (n) NOT ENFORCED)
                 WITH ('connector' = 'upsert-kafka', {kafka}, 'key.format' = 'json', 'value.format' = 'json')"
            ),
            ["MR0171", "table.exec.sink.upsert-materialize"],
        ),
        (
            format!(
                "(id BIGINT, n INT) WITH ('connector' = 'upsert-kafka', {kafka}, 'key.format' = 'json', 'value.format' = 'json')"
            ),
            ["MR0173", "PRIMARY KEY"],
        ),
        (
            format!(
                "(id BIGINT, n INT, PRIMARY KEY (id) NOT ENFORCED)
                 WITH ('connector' = 'upsert-kafka', {kafka}, 'key.format' = 'json', 'value.format' = 'canal-json')"
            ),
            ["MR0173", "is not in insert-only mode"],
        ),
    ] {
        refuses(&format!("{source} CREATE TABLE k {sink}; INSERT INTO k SELECT * FROM s;"), &words)?;
    }
    refuses(
        &format!(
            "{source} CREATE TABLE k (id BIGINT, n INT) WITH ('connector' = 'blackhole');
             INSERT INTO k SELECT * FROM s WHERE n < 10 UNION ALL SELECT id, 0 FROM s WHERE n >= 10;"
        ),
        &["MR0175", "UNION ALL"],
    )
}

fn refuses(sql: &str, words: &[&str]) -> Result<()> {
    let mut running = Pipeline::new("refused", sql)?.start()?;
    running.ends_with(2, Duration::from_secs(20))?;
    running.says(words)
}
