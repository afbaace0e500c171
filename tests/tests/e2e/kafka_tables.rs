//! What a table of Kafka gives and writes, as Flink's connector does: keys, offsets out of range, metadata, headers.

use std::time::Duration;

use anyhow::{Result, ensure};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};

use crate::broker::Broker;
use crate::pipeline::Pipeline;
use crate::reader::{Isolation, Reader};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs a bounded pipeline from a topic into another one and returns the values that it wrote, sorted.
fn run(
    broker: &Broker,
    source: &str,
    columns: &str,
    options: &str,
    select: &str,
) -> Result<Vec<String>> {
    let sink = broker.topic("tables-out", 1)?;
    let brokers = &broker.address;
    let sql = format!(
        "CREATE TABLE s ({columns}) WITH ('connector' = 'kafka', 'topic' = '{source}', 'properties.bootstrap.servers' = '{brokers}',
           'scan.bounded.mode' = 'latest-offset', {options});
         CREATE TABLE o (v STRING) WITH ('connector' = 'kafka', 'topic' = '{sink}', 'properties.bootstrap.servers' = '{brokers}', 'format' = 'raw');
         INSERT INTO o SELECT {select} FROM s;"
    );
    Pipeline::new("tables", &sql)?
        .start()?
        .ends_with(0, LIMIT)?;
    let rows = Reader::open(broker, &sink, Isolation::Committed)?.read_to_end()?;
    let mut texts: Vec<String> = rows
        .iter()
        .map(|row| String::from_utf8_lossy(row).into_owned())
        .collect();
    texts.sort();
    Ok(texts)
}

#[test]
fn a_key_without_a_row_leaves_its_record_out() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("keys", 1)?;
    broker.write_keyed(
        &source,
        &[
            (Some(r#"{"k":7}"#), r#"{"b":"x"}"#),
            (None, r#"{"b":"z"}"#),
            (Some(""), r#"{"b":"e"}"#),
            (Some("null"), r#"{"b":"n"}"#),
            (Some(r#"{"k":8}"#), r#"{"b":"y"}"#),
        ],
    )?;
    let options = "'scan.startup.mode' = 'earliest-offset', 'key.format' = 'json', 'key.fields' = 'k', 'value.format' = 'json',
        'value.fields-include' = 'EXCEPT_KEY'";
    let found = run(
        &broker,
        &source,
        "k INT, b STRING",
        options,
        "CONCAT(CAST(k AS STRING), b)",
    )?;
    ensure!(found == ["7x", "8y"], "{found:?}");
    // The same where no column of the key is wanted.
    let found = run(&broker, &source, "k INT, b STRING", options, "b")?;
    ensure!(found == ["x", "y"], "{found:?}");
    Ok(())
}

/// Ten records of which the first six are deleted, and what the group has committed.
fn worn(broker: &Broker, group: &str, committed: i64) -> Result<String> {
    let topic = broker.topic("worn", 1)?;
    broker.write(
        &topic,
        0,
        (0..10).map(|n| Some(format!(r#"{{"b":"{n}"}}"#).into_bytes())),
    )?;
    let admin: AdminClient<DefaultClientContext> = broker.config().create()?;
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic, 0, Offset::Offset(6))?;
    tokio::runtime::Builder::new_current_thread()
        .build()?
        .block_on(admin.delete_records(&before, &AdminOptions::new()))?;
    let mut config = broker.config();
    let consumer: BaseConsumer = config.set("group.id", group).create()?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&topic, 0, Offset::Offset(committed))?;
    consumer.commit(&offsets, CommitMode::Sync)?;
    Ok(topic)
}

#[test]
fn an_offset_out_of_range_follows_the_reset_of_a_first_start() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    for committed in [2, 50] {
        let group = crate::broker::unique("worn");
        let topic = worn(&broker, &group, committed)?;
        let options = format!("'format' = 'json', 'properties.group.id' = '{group}'");
        let reset = |to: &str| format!("{options}, 'properties.auto.offset.reset' = '{to}'");
        // A run publishes its offsets, so the one that reads nothing comes first.
        let latest = run(&broker, &topic, "b STRING", &reset("latest"), "b")?;
        ensure!(latest.is_empty(), "{latest:?}");
        let other = crate::broker::unique("worn");
        let topic = worn(&broker, &other, committed)?;
        let options = format!("'format' = 'json', 'properties.group.id' = '{other}'");
        let earliest = format!("{options}, 'properties.auto.offset.reset' = 'earliest'");
        let found = run(&broker, &topic, "b STRING", &earliest, "b")?;
        ensure!(found == ["6", "7", "8", "9"], "{committed}: {found:?}");
        let named = format!(
            "'format' = 'json', 'scan.startup.mode' = 'specific-offsets', 'scan.startup.specific-offsets' = 'partition:0,offset:{committed}'"
        );
        let found = run(&broker, &topic, "b STRING", &named, "b")?;
        ensure!(found == ["6", "7", "8", "9"], "{committed}: {found:?}");
    }
    let group = crate::broker::unique("worn");
    let topic = worn(&broker, &group, 50)?;
    let sql = format!(
        "CREATE TABLE s (b STRING) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{}',
           'properties.group.id' = '{group}', 'format' = 'json');
         CREATE TABLE o (b STRING) WITH ('connector' = 'blackhole'); INSERT INTO o SELECT b FROM s;",
        broker.address
    );
    let mut refused = Pipeline::new("worn", &sql)?.start()?;
    refused.ends_with(1, LIMIT)?;
    let told = refused.log_end();
    ensure!(
        told.contains("committed offset 50")
            && told.contains("6 to 10")
            && told.contains("auto.offset.reset"),
        "{told}"
    );
    Ok(())
}

#[test]
fn formats_of_changes_tell_where_a_change_is_from() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("debezium", 1)?;
    let message = r#"{"before":null,"after":{"id":1,"n":"a"},"op":"c","ts_ms":5,"source":{"table":"tt","db":"dd"}}"#;
    broker.write(&source, 0, [Some(message.as_bytes().to_vec())])?;
    let columns = "id INT, n STRING, tb STRING METADATA FROM 'value.source.table' VIRTUAL,
        it TIMESTAMP_LTZ(3) METADATA FROM 'value.ingestion-timestamp' VIRTUAL, p INT METADATA FROM 'partition' VIRTUAL";
    let sink = broker.topic("debezium-out", 1)?;
    let brokers = &broker.address;
    let sql = format!(
        "CREATE TABLE s ({columns}) WITH ('connector' = 'kafka', 'topic' = '{source}', 'properties.bootstrap.servers' = '{brokers}',
           'scan.bounded.mode' = 'latest-offset', 'scan.startup.mode' = 'earliest-offset', 'format' = 'debezium-json');
         CREATE TABLE o (id INT, tb STRING, it STRING, p INT) WITH ('connector' = 'kafka', 'topic' = '{sink}',
           'properties.bootstrap.servers' = '{brokers}', 'format' = 'debezium-json');
         INSERT INTO o SELECT id, tb, CAST(it AS STRING), p FROM s;"
    );
    Pipeline::new("debezium", &sql)?
        .start()?
        .ends_with(0, LIMIT)?;
    let rows = Reader::open(&broker, &sink, Isolation::Committed)?.read_to_end()?;
    let text = String::from_utf8_lossy(&rows[0]).into_owned();
    let expected = r#"{"before":null,"after":{"id":1,"tb":"tt","it":"1970-01-01 00:00:00.005","p":0},"op":"c"}"#;
    ensure!(rows.len() == 1 && text == expected, "{text}");
    Ok(())
}

#[test]
fn headers_without_a_value_are_not_written() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let sink = broker.topic("headers", 1)?;
    let sql = format!(
        "CREATE TABLE o (s STRING, h MAP<STRING, BYTES> METADATA FROM 'headers') WITH ('connector' = 'kafka', 'topic' = '{sink}',
           'properties.bootstrap.servers' = '{}', 'format' = 'json');
         INSERT INTO o SELECT 'a', MAP['a', X'00ff', 'b', CAST(NULL AS BYTES)];",
        broker.address
    );
    Pipeline::new("headers", &sql)?
        .start()?
        .ends_with(0, LIMIT)?;
    let mut config = broker.config();
    let consumer: BaseConsumer = config.set("group.id", "headers").create()?;
    let mut all = TopicPartitionList::new();
    all.add_partition_offset(&sink, 0, Offset::Beginning)?;
    consumer.assign(&all)?;
    let message = loop {
        if let Some(message) = consumer.poll(LIMIT) {
            break message?;
        }
    };
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers
            .iter()
            .map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
            .collect()
    });
    ensure!(
        headers == [("a".to_owned(), Some(vec![0, 255]))],
        "{headers:?}"
    );
    Ok(())
}
