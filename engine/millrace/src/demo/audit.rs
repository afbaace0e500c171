//! Counts what a read_committed reader finds: each source record exactly once?

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::topic::read_committed;

/// How many rows are shown.
pub(super) const SAMPLES: usize = 3;
/// How much of a sample is shown.
const SAMPLE_CHARACTERS: usize = 220;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) rows: u64,
    pub(super) duplicates: u64,
    pub(super) missing: u64,
    pub(super) samples: Vec<String>,
}

/// The columns that name the record a row came from.
#[derive(Deserialize)]
struct Origin<'a> {
    topic: &'a str,
    partition_id: usize,
    kafka_offset: usize,
}

/// Reads the whole of `topic` and counts the records of `source`, whose `rows` rows lie evenly in its partitions.
pub(super) fn audit(
    brokers: &str,
    topic: &str,
    source: &str,
    partitions: u32,
    rows: u64,
) -> anyhow::Result<Audit> {
    let mut seen: Vec<Vec<bool>> = (0..u64::from(partitions))
        .map(|partition| {
            let count =
                rows / u64::from(partitions) + u64::from(partition < rows % u64::from(partitions));
            vec![false; usize::try_from(count).expect("rows fit in memory")]
        })
        .collect();
    let mut audit = Audit::default();
    read_committed(brokers, topic, partitions, |payload| {
        audit.rows += 1;
        let origin: Origin<'_> = serde_json::from_slice(payload)
            .context("a row that was written is not as it should be")?;
        ensure!(
            origin.topic == source,
            "a row says it came from '{}'",
            origin.topic
        );
        let place = seen
            .get_mut(origin.partition_id)
            .and_then(|seen| seen.get_mut(origin.kafka_offset));
        let place = place.context("a row says it came from an offset that is not there")?;
        audit.duplicates += u64::from(std::mem::replace(place, true));
        if audit.samples.len() < SAMPLES {
            audit
                .samples
                .push(shortened(&String::from_utf8_lossy(payload)));
        }
        Ok(())
    })?;
    audit.missing = seen.iter().flatten().filter(|seen| !**seen).count() as u64;
    Ok(audit)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SAMPLE_CHARACTERS) {
        Some((at, _)) => format!("{} …", &text[..at]),
        None => text.to_owned(),
    }
}
