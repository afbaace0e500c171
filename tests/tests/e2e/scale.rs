//! Shapes at the edge: many columns, big rows, many partitions and topics; and `millrace bench`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::broker::{Broker, RowWriter};
use crate::delivery::Delivered;
use crate::pipeline::{Flow, Pipeline};
use crate::reader::{Isolation, Reader};

const COLUMNS: usize = 500;
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// A pipeline between two topics with the given columns, each passed on.
fn copy_of(broker: &Broker, source: &str, sink: &str, columns: &[(String, &str)]) -> String {
    let definitions = columns
        .iter()
        .map(|(name, ty)| format!("`{name}` {ty}"))
        .collect::<Vec<_>>()
        .join(", ");
    let servers = &broker.address;
    format!(
        "CREATE TABLE src ({definitions}) WITH ('connector' = 'kafka', 'topic' = '{source}',
           'properties.bootstrap.servers' = '{servers}', 'format' = 'json',
           'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE dst ({definitions}) WITH ('connector' = 'kafka', 'topic' = '{sink}',
           'properties.bootstrap.servers' = '{servers}', 'format' = 'json', 'properties.max.request.size' = '13048576',
           'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{sink}');
         INSERT INTO dst SELECT * FROM src;"
    )
}

fn sorted(mut rows: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    rows.sort();
    rows
}

#[test]
fn five_hundred_columns_pass_unchanged() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let (source, sink) = (broker.topic("wide-in", 2)?, broker.topic("wide-out", 2)?);
    let columns: Vec<(String, &str)> = (0..COLUMNS)
        .map(|at| {
            (
                format!("c{at}"),
                if at % 2 == 0 { "BIGINT" } else { "STRING" },
            )
        })
        .collect();
    let row = |number: usize| {
        let mut text = String::from("{");
        for at in 0..COLUMNS {
            let comma = if at == 0 { "" } else { "," };
            let value = number * COLUMNS + at;
            if at % 2 == 0 {
                write!(text, "{comma}\"c{at}\":{value}").expect("a String takes all");
            } else {
                write!(text, "{comma}\"c{at}\":\"v{value}\"").expect("a String takes all");
            }
        }
        text.push('}');
        text.into_bytes()
    };
    let rows: Vec<Vec<u8>> = (0..300).map(row).collect();
    broker.write(&source, 0, rows.iter().cloned().map(Some))?;
    Pipeline::new("wide", &copy_of(&broker, &source, &sink, &columns))?
        .start()?
        .ends_with(0, ENDS_WITHIN)?;
    let out = Reader::open(&broker, &sink, Isolation::Committed)?.read_to_end()?;
    ensure!(
        sorted(out) == sorted(rows),
        "rows of {COLUMNS} columns differ"
    );
    Ok(())
}

#[test]
fn rows_of_a_megabyte_pass_unchanged() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let (source, sink) = (broker.topic("big-in", 2)?, broker.topic("big-out", 2)?);
    let rows: Vec<Vec<u8>> = (0..40_usize)
        .map(|number| {
            let filler = "abcdefgh".repeat((1 << 20) / 8 - 8 * number);
            format!("{{\"id\":{number},\"body\":\"{filler}\"}}").into_bytes()
        })
        .collect();
    broker.write(&source, 1, rows.iter().cloned().map(Some))?;
    let columns = [("id".to_owned(), "INT"), ("body".to_owned(), "STRING")];
    Pipeline::new("big", &copy_of(&broker, &source, &sink, &columns))?
        .start()?
        .ends_with(0, ENDS_WITHIN)?;
    let out = Reader::open(&broker, &sink, Isolation::Committed)?.read_to_end()?;
    ensure!(sorted(out) == sorted(rows), "rows of a megabyte differ");
    Ok(())
}

/// Half a gigabyte is what a small pod has; queues are bounded in bytes, whatever the number of partitions.
#[test]
fn a_thousand_partitions_are_read_within_half_a_gigabyte() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let partitions = 1_000;
    let source = broker.topic("many-in", partitions)?;
    let sink = broker.topic("many-out", 4)?;
    let mut writer = RowWriter::new(&broker, &source, usize::try_from(partitions)?)?;
    writer.write(100_000)?;
    let written = writer.finish()?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let mut running = Pipeline::new("many", &sql)?.start()?;
    Reader::open(&broker, &sink, Isolation::Committed)?.wait_for(
        100_000,
        ENDS_WITHIN,
        &mut running,
    )?;
    let peak = running.peak_memory_bytes()?;
    running.ends_on_sigterm()?;
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)?;
    ensure!(peak < 512 << 20, "the process took {} MiB", peak >> 20);
    Ok(())
}

/// One process reads all topics of a pattern, and each row says truly which one it came from.
#[test]
fn two_hundred_topics_are_read_by_one_process() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let topics = 200;
    let start = broker.topics("topics-in", topics, 2)?;
    let sink = broker.topic("topics-out", 4)?;
    let rows = |copy: usize| {
        let start = start.clone();
        (0..topics).map(move |at| (format!("{start}-{at}"), format!("{{\"id\":{}}}", at + copy)))
    };
    let bytes = |(topic, row): (String, String)| (topic, row.into_bytes());
    broker.write_each(rows(0).map(bytes))?;
    let servers = &broker.address;
    let sql = format!(
        "CREATE TABLE src (id INT, origin STRING METADATA FROM 'topic' VIRTUAL) WITH ('connector' = 'kafka',
           'topic-pattern' = '{start}-[0-9]+', 'properties.bootstrap.servers' = '{servers}', 'format' = 'json',
           'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE dst (id INT, origin STRING) WITH ('connector' = 'kafka', 'topic' = '{sink}',
           'properties.bootstrap.servers' = '{servers}', 'format' = 'json',
           'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '{sink}');
         INSERT INTO dst SELECT id, origin FROM src;"
    );
    broker.write_each(rows(1_000).map(bytes))?;
    Pipeline::new("topics", &sql)?
        .start()?
        .ends_with(0, ENDS_WITHIN)?;
    let expected = rows(0).chain(rows(1_000)).map(|(topic, row)| {
        let row = row.trim_end_matches('}');
        format!("{row},\"origin\":\"{topic}\"}}").into_bytes()
    });
    let out = Reader::open(&broker, &sink, Isolation::Committed)?.read_to_end()?;
    ensure!(
        sorted(out) == sorted(expected.collect()),
        "rows of {topics} topics differ"
    );
    Ok(())
}

#[test]
fn bench_reads_so_many_rows_and_writes_none() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    // Nobody listens there: the rows come from the file, and none are written.
    let sql = Flow::new("127.0.0.1:1", "in", "out").sql();
    std::fs::write(folder.path().join("pipeline.sql"), sql)?;
    let lines: BTreeMap<usize, String> = (0..50)
        .map(|id| {
            (
                id,
                format!("{{\"id\":{id},\"name\":\"n{id}\",\"amount\":{id}}}\n"),
            )
        })
        .collect();
    let text: String = lines.into_values().collect();
    std::fs::write(folder.path().join("rows.jsonl"), text)?;
    let output = Command::new(crate::pipeline::binary()?)
        .current_dir(folder.path())
        .args([
            "bench",
            "pipeline.sql",
            "--input",
            "rows.jsonl",
            "--rows",
            "20000",
        ])
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}{errors}");
    for word in [
        "20,000",
        "rows a second per core",
        "read and decode",
        "UPPER(`name`)",
        "pods of one core",
    ] {
        ensure!(
            said.contains(word) || word == "pods of one core" && said.contains("pod of one core"),
            "no '{word}' in:\n{said}"
        );
    }
    Ok(())
}

/// The plan of a thousand expressions is as good as that of one: each comes out in its column.
#[test]
fn a_thousand_expressions_are_planned_and_right() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let (source, sink) = (broker.topic("expr-in", 1)?, broker.topic("expr-out", 1)?);
    let count = 1_000;
    let expressions: Vec<String> = (0..count)
        .map(|at| {
            format!(
                "CAST(SPLIT_INDEX(line, '|', {}) AS INT) + {at} AS c{at}",
                at % 40
            )
        })
        .collect();
    let columns: Vec<String> = (0..count).map(|at| format!("c{at} INT")).collect();
    let servers = &broker.address;
    let sql = format!(
        "CREATE TABLE src (line STRING) WITH ('connector' = 'kafka', 'topic' = '{source}',
           'properties.bootstrap.servers' = '{servers}', 'format' = 'json',
           'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
         CREATE TABLE dst ({}) WITH ('connector' = 'kafka', 'topic' = '{sink}',
           'properties.bootstrap.servers' = '{servers}', 'format' = 'json');
         INSERT INTO dst SELECT {} FROM src;",
        columns.join(", "),
        expressions.join(", ")
    );
    let fields: Vec<String> = (0..40).map(|at| (at * 7).to_string()).collect();
    let row = format!("{{\"line\":\"{}\"}}", fields.join("|"));
    broker.write(&source, 0, [Some(row.into_bytes())])?;
    Pipeline::new("expressions", &sql)?
        .start()?
        .ends_with(0, ENDS_WITHIN)?;
    let out = Reader::open(&broker, &sink, Isolation::Committed)?.read_to_end()?;
    let row: Value = serde_json::from_slice(out.first().context("no row came out")?)?;
    for at in 0..count {
        let expected = (at % 40) * 7 + at;
        let found = &row[format!("c{at}")];
        ensure!(found.as_i64() == Some(expected), "c{at} is {found}");
    }
    Ok(())
}

/// Three processes share twelve partitions; one of them is killed on the way and started again.
#[test]
fn slots_share_the_partitions_and_each_row_arrives_once() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let (source, sink) = (broker.topic("slots-in", 12)?, broker.topic("slots-out", 4)?);
    let mut writer = RowWriter::new(&broker, &source, 12)?;
    writer.write(60_000)?;
    let sql = Flow::new(&broker.address, &source, &sink).sql();
    let pipeline = Pipeline::new("slots", &sql)?.set("millrace.slots", "3");
    let start = |slot: &str| pipeline.start_setting("millrace.slot", slot);
    let mut first = start("pod-0")?;
    let mut second = start("1")?;
    let third = start("2")?;
    Reader::open(&broker, &sink, Isolation::Committed)?.wait_for(
        10_000,
        ENDS_WITHIN,
        &mut first,
    )?;
    third.kill()?;
    writer.write(60_000)?;
    let written = writer.finish()?;
    let mut third = start("2")?;
    Reader::open(&broker, &sink, Isolation::Committed)?.wait_for(
        120_000,
        ENDS_WITHIN,
        &mut third,
    )?;
    for running in [&mut first, &mut second, &mut third] {
        running.ends_on_sigterm()?;
    }
    Delivered::read(&broker, &sink, &source)?.ensure_exactly_once(&written)?;
    let mut other = pipeline.start_with(&["-D", "millrace.slots=2"])?;
    other.ends_with(1, ENDS_WITHIN)?;
    other.says(&["those of 3 slots", "millrace.slots"])
}
