//! The pipelines of our users over odd rows, against what Flink 1.17.2 made of the same rows (`tests/edge`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

use crate::broker::Broker;
use crate::pipeline::Pipeline;
use crate::reader::{Isolation, Reader};

/// The Kafka timestamp of the first row when Flink read them; each further row is a millisecond later.
const FIRST_TIMESTAMP_MS: i64 = 1_772_323_200_000;
/// The processing time, which no two runs share.
const CLOCK_COLUMN: &str = "flink_ts";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn lines(file: &str) -> Result<Vec<String>> {
    let path = root().join("edge").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Feeds the input files to topics of their own, runs the benchmark's SQL over them and compares the outputs as multisets.
fn check(
    pipeline: &str,
    inputs: &[(&str, &str)],
    output: &str,
    settings: &[(&str, &str)],
) -> Result<()> {
    let broker = Broker::shared();
    let sql = root().join(format!("../benches/flink/sql/{pipeline}.kafka.sql"));
    let mut sql = std::fs::read_to_string(&sql)?.replace("127.0.0.1:19092", &broker.address);
    let mut named = Vec::new();
    for (file, topic) in inputs {
        let own = broker.topic("edge", 1)?;
        broker.write_at(&own, FIRST_TIMESTAMP_MS, &lines(file)?)?;
        sql = sql.replace(
            &format!("'topic' = '{topic}'"),
            &format!("'topic' = '{own}'"),
        );
        named.push(own);
    }
    let sink = broker.topic("edge-out", 4)?;
    sql = sql.replace(
        &format!("'topic' = '{output}'"),
        &format!("'topic' = '{sink}'"),
    );
    let mut run = Pipeline::new("edge", &sql)?.set("table.local-time-zone", "Asia/Shanghai");
    for (key, value) in settings {
        run = run.set(key, value);
    }
    run.start()?.ends_with(0, Duration::from_secs(60))?;

    let mut expected: BTreeMap<String, i32> = BTreeMap::new();
    for line in lines(&format!("{pipeline}.out.jsonl"))? {
        let mut row: Map<String, Value> = serde_json::from_str(&line)?;
        row.shift_remove(CLOCK_COLUMN);
        *expected.entry(serde_json::to_string(&row)?).or_default() += 1;
    }
    let masked: Vec<String> = expected
        .keys()
        .filter(|row| row.contains("<current date>"))
        .cloned()
        .collect();
    for payload in Reader::open(&broker, &sink, Isolation::Committed)?.read_to_end()? {
        let mut row: Map<String, Value> = serde_json::from_slice(&payload)?;
        row.shift_remove(CLOCK_COLUMN);
        for column in row.values_mut() {
            if let Some(place) = named.iter().position(|own| column == own) {
                *column = format!("edge_{}", inputs[place].0.trim_end_matches(".in.jsonl")).into();
            }
        }
        let mut text = serde_json::to_string(&row)?;
        if let Some(date) = row.get("date").cloned() {
            // Flink's run and ours were on different days.
            row.insert("date".into(), "<current date>".into());
            let hidden = serde_json::to_string(&row)?;
            if masked.contains(&hidden) {
                let today = jiff::Zoned::now()
                    .with_time_zone(jiff::tz::TimeZone::get("Asia/Shanghai")?)
                    .date();
                let yesterday = today.yesterday()?;
                ensure!(
                    date == today.to_string() || date == yesterday.to_string(),
                    "{date} is not the current date"
                );
                text = hidden;
            }
        }
        *expected.entry(text).or_default() -= 1;
    }
    let differences: Vec<String> = expected
        .iter()
        .filter(|(_, count)| **count != 0)
        .map(|(row, count)| {
            format!(
                "{} {row}",
                if *count > 0 { "missing" } else { "unexpected" }
            )
        })
        .collect();
    ensure!(
        differences.is_empty(),
        "{pipeline}:\n{}",
        differences.join("\n")
    );
    Ok(())
}

#[test]
fn filebeat_gives_what_flink_gave() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    check(
        "filebeat",
        &[("filebeat.in.jsonl", "ro_sea_tlog")],
        "ro_sea_tlog_emr",
        &[],
    )
}

#[test]
fn moneyflow_gives_what_flink_gave() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    check(
        "moneyflow",
        &[("moneyflow.in.jsonl", "ro_sea_tlog_split_moneyflow")],
        "dwd_moneyflow_log",
        &[("table.exec.sink.not-null-enforcer", "DROP")],
    )
}

#[test]
fn ads_gives_what_flink_gave() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    check(
        "ads",
        &[
            ("adjust.in.jsonl", "ad_adjust_callback"),
            ("appsflyer.in.jsonl", "ad_af_callback"),
        ],
        "ods_mmp_log",
        &[],
    )
}
