//! Compares what went in with what came out.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::broker::{Broker, row_id};
use crate::reader::{Isolation, Reader};

/// How often each (partition, offset) of the source stands in the output.
#[derive(Default)]
pub(crate) struct Delivered {
    times: BTreeMap<(u64, u64), u32>,
}

impl Delivered {
    /// Reads what `sink_topic` has committed and checks each row against its place in `source_topic`.
    pub(crate) fn read(broker: &Broker, sink_topic: &str, source_topic: &str) -> Result<Self> {
        let mut delivered = Self::default();
        for row in Reader::open(broker, sink_topic, Isolation::Committed)?.read_to_end()? {
            let text = String::from_utf8_lossy(&row);
            serde_json::from_slice(&row)
                .map_err(Into::into)
                .and_then(|row| delivered.count(&row, source_topic))
                .with_context(|| format!("output row {text:.300}"))?;
        }
        Ok(delivered)
    }

    /// Counts rows of a table and checks each against its place in `source_topic`.
    pub(crate) fn of_table(rows: &[Value], source_topic: &str) -> Result<Self> {
        let mut delivered = Self::default();
        for row in rows {
            delivered
                .count(row, source_topic)
                .with_context(|| format!("table row {row}"))?;
        }
        Ok(delivered)
    }

    fn count(&mut self, row: &Value, source_topic: &str) -> Result<()> {
        ensure!(row["src_topic"] == source_topic, "not from {source_topic}");
        let partition = row["src_partition"].as_u64().context("no partition")?;
        let offset = row["src_offset"].as_u64().context("no offset")?;
        let id = row_id(partition as usize, offset);
        ensure!(
            row["id"] == id,
            "the row at {partition}/{offset} has number {id}"
        );
        ensure!(row["name"] == format!("ROW {id}"), "wrong name");
        ensure!(row["amount"] == offset % 1000 * 2, "wrong amount");
        *self.times.entry((partition, offset)).or_default() += 1;
        Ok(())
    }

    /// Returns how many rows came out, doubles included.
    pub(crate) fn rows(&self) -> usize {
        self.times.values().map(|times| *times as usize).sum()
    }

    /// Returns the offsets of one partition that came out.
    pub(crate) fn offsets(&self, partition: u64) -> Vec<u64> {
        let all = self.times.keys().filter(|key| key.0 == partition);
        all.map(|key| key.1).collect()
    }

    /// Checks that each of the first `written[p]` offsets of each partition `p` came out once, and nothing else.
    pub(crate) fn ensure_exactly_once(&self, written: &[u64]) -> Result<()> {
        let mut missing = Vec::new();
        for (partition, rows) in written.iter().enumerate() {
            let partition = partition as u64;
            missing.extend(
                (0..*rows)
                    .map(|offset| (partition, offset))
                    .filter(|place| !self.times.contains_key(place)),
            );
        }
        let several = |times: &u32| *times > 1;
        let doubled: Vec<_> = self
            .times
            .iter()
            .filter(|(_, times)| several(times))
            .collect();
        let strange: Vec<_> = self
            .times
            .keys()
            .filter(|(partition, offset)| {
                written
                    .get(*partition as usize)
                    .is_none_or(|rows| offset >= rows)
            })
            .collect();
        ensure!(
            missing.is_empty() && doubled.is_empty() && strange.is_empty(),
            "{} rows went in, {} came out; (partition, offset) of\n  {} missing: {:?}\n  {} more than once: {:?}\n  {} never written: {:?}",
            written.iter().sum::<u64>(),
            self.rows(),
            missing.len(),
            first(&missing),
            doubled.len(),
            first(&doubled),
            strange.len(),
            first(&strange),
        );
        Ok(())
    }
}

fn first<T>(places: &[T]) -> &[T] {
    &places[..places.len().min(10)]
}
