//! Rows from a file instead of the real topic: a stand-in for Kafka in this process is filled with its lines.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use millrace_connector::{Spanned, TableDefinition};
use millrace_dev_kafka::{EmbeddedBroker, Options};

use crate::topic::Filler;

const PARTITIONS: i32 = 4;
/// The stand-in keeps everything in memory.
const BYTES_MAX: u64 = 4 << 30;

/// Starts a stand-in and fills each of `topics` with the file's lines, over and over until there are `rows`.
pub(super) fn serve(path: &Path, topics: &[String], rows: u64) -> anyhow::Result<EmbeddedBroker> {
    let lines = lines(path)?;
    let mean = lines.iter().map(Vec::len).sum::<usize>() as u64 / lines.len() as u64 + 1;
    if mean.saturating_mul(rows) > BYTES_MAX {
        bail!(
            "{rows} rows of {mean} bytes do not fit into the stand-in's memory: --rows {} at most",
            BYTES_MAX / mean
        );
    }
    let broker = EmbeddedBroker::start(Options {
        default_partitions: PARTITIONS,
        retention_bytes: BYTES_MAX,
        ..Options::default()
    })
    .context("cannot start the stand-in for Kafka")?;
    for topic in topics {
        broker
            .create_topic(topic, PARTITIONS)
            .context("cannot make a topic")?;
        fill(&broker.address().to_string(), topic, &lines, rows)?;
    }
    Ok(broker)
}

fn lines(path: &Path) -> anyhow::Result<Vec<Vec<u8>>> {
    let shown = path.display();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {shown}"))?;
    let lines = BufReader::new(file)
        .split(b'\n')
        .map(|line| {
            line.map(|mut line| {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                line
            })
        })
        .filter(|line| line.as_ref().map_or(true, |line| !line.is_empty()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("cannot read {shown}"))?;
    if lines.is_empty() {
        bail!("{shown} has no lines: write one record's value on each");
    }
    Ok(lines)
}

fn fill(brokers: &str, topic: &str, lines: &[Vec<u8>], rows: u64) -> anyhow::Result<()> {
    let filler = Filler::open(brokers, topic)?;
    let now = jiff::Timestamp::now().as_millisecond();
    let mut lines = lines.iter().cycle();
    for row in 0..rows {
        let line = lines.next().expect("there are lines");
        let partition = usize::try_from(row % PARTITIONS as u64).expect("partitions are few");
        filler.write(partition, now, line)?;
    }
    filler.finish()
}

/// Returns the topics that a table reads, where it names them.
pub(super) fn topics(table: &TableDefinition) -> Vec<String> {
    let named = table.option("topic").map(|option| option.value.as_str());
    named
        .unwrap_or_default()
        .split(';')
        .map(str::trim)
        .filter(|topic| !topic.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Returns the table with other options, and without those that begin with one of `without`.
pub(super) fn with_options(
    table: &TableDefinition,
    changes: &[(&str, &str)],
    without: &[&str],
) -> Arc<TableDefinition> {
    let mut table = table.clone();
    let span = table.options_span;
    table.options.retain(|(name, _)| {
        !without.iter().any(|prefix| name.value.starts_with(prefix))
            && !changes.iter().any(|(key, _)| *key == name.value)
    });
    let spanned = |text: &str| Spanned {
        value: text.to_owned(),
        span,
    };
    table.options.extend(
        changes
            .iter()
            .map(|(key, value)| (spanned(key), spanned(value))),
    );
    Arc::new(table)
}
