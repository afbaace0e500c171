//! What a user is told, with which exit code. Texts are asserted loosely: what must be named, not how.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::broker::{Broker, unique};
use crate::pipeline::{Flow, Pipeline};

const NOBODY_LISTENS: &str = "127.0.0.1:1";

/// A flow whose addresses lead nowhere: an error that is found before start never gets there.
fn unconnected() -> Flow {
    Flow::new(NOBODY_LISTENS, "in", "out")
}

/// Runs `sql`; checks that it is refused before start and that each of `words` is named.
fn refused(sql: &str, words: &[&str]) -> Result<()> {
    let mut running = Pipeline::new("refused", sql)?.start()?;
    running.ends_with(2, Duration::from_secs(20))?;
    running.says(words)
}

#[test]
fn unknown_option_names_the_one_that_was_meant() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let sql = unconnected()
        .source("scan.startup.mod", "earliest-offset")
        .sql();
    refused(
        &sql,
        &[
            "scan.startup.mod'",
            "did you mean",
            "'scan.startup.mode'",
            "pipeline.sql:",
        ],
    )
}

#[test]
fn value_that_an_option_does_not_have_is_refused() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let sql = unconnected()
        .sql()
        .replace("earliest-offset", "earliest-ofset");
    refused(&sql, &["earliest-ofset", "earliest-offset"])
}

#[test]
fn unknown_connector_is_refused() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let sql = unconnected()
        .sql()
        .replace("'connector' = 'kafka'", "'connector' = 'kafak'");
    refused(&sql, &["kafak", "kafka"])
}

#[test]
fn required_option_that_is_missing_is_named() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let sql = unconnected().sql().replace(
        "  'format' = 'json'\n",
        "  'value.fields-include' = 'ALL'\n",
    );
    refused(&sql, &["format"])
}

#[test]
fn broken_syntax_is_shown_in_its_place() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let sql = unconnected()
        .sql()
        .replace("FROM numbered;", "FORM numbered;");
    refused(&sql, &["pipeline.sql:", "numbered"])
}

#[test]
fn unknown_names_are_all_reported_at_once() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let sql = unconnected().sql();
    let sql = sql
        .replace("amount * 2", "amont * 2")
        .replace("UPPER(", "UPER(");
    refused(&sql, &["amont", "amount", "uper", "upper"])
}

#[test]
fn variable_without_a_value_is_named() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let sql = unconnected()
        .sql()
        .replace(NOBODY_LISTENS, "${source.brokers}");
    refused(&sql, &["source.brokers", "--var"])
}

#[test]
fn file_that_is_not_there_is_named() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let pipeline = Pipeline::new("conf", &unconnected().sql())?;
    let mut running = pipeline.start_with(&["--conf", "nowhere.conf"])?;
    running.ends_with(2, Duration::from_secs(20))?;
    running.says(&["nowhere.conf"])
}

#[test]
fn variables_are_taken_from_the_command_line() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let source = broker.topic("var-in", 1)?;
    let sink = broker.topic("var-out", 1)?;
    let sql = Flow::new("${brokers}", "${source.topic}", &sink)
        .bounded()
        .sql();
    let brokers = format!("brokers={}", broker.address);
    let topic = format!("source.topic={source}");
    let pipeline = Pipeline::new("var", &sql)?;
    let mut running = pipeline.start_with(&["--var", &brokers, "--var", &topic])?;
    running.ends_with(0, Duration::from_secs(60))
}

#[test]
fn topic_that_is_not_there_is_named() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let broker = Broker::shared();
    let missing = unique("never-made");
    let sink = broker.topic("missing-out", 1)?;
    let sql = Flow::new(&broker.address, &missing, &sink).sql();
    let mut running = Pipeline::new("missing", &sql)?.start()?;
    let status = running.wait(Duration::from_secs(60))?;
    ensure!(
        matches!(status.code(), Some(1 | 2)),
        "ended with {status}\n{}",
        running.log_end()
    );
    running.says(&["topic", &missing])
}

#[test]
fn broker_that_does_not_answer_is_named() -> Result<()> {
    if !crate::enabled() {
        return Ok(());
    }
    let mut running = Pipeline::new("nobody", &unconnected().sql())?.start()?;
    let status = running.wait(Duration::from_secs(90))?;
    ensure!(
        matches!(status.code(), Some(1 | 2)),
        "ended with {status}\n{}",
        running.log_end()
    );
    running.says(&[NOBODY_LISTENS])
}
