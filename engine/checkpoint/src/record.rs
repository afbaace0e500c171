//! What a pipeline's checkpoints belong to: `<dir>/<pipeline>/=record/<n>.json`, the one with the highest number is in force.
//!
//! It says which sources and sinks each dataflow has, by where they are, and keeps their names in the file as hints. An edit
//! of the file that is told from it makes the next record, by one put on condition that nothing is there. None is ever removed.

use std::collections::{BTreeMap, BTreeSet};

use millrace_connector::{Names, Place};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::generation::Generation;
use crate::manifest::{MANIFEST_BYTES_MAX, digest};
use crate::path::{number_of, record_path, records_prefix};
use crate::protocol::{ProtocolError, epochs};
use crate::{Identity, Manifest, PutOutcome, Store, StoreError, manifest_path};

/// The version of the record's format.
const FORMAT: u32 = 1;
/// How many earlier digests of a file are kept.
const EARLIER_MAX: usize = 100;

/// What a pipeline's checkpoints belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineRecord {
    /// The pipeline's name.
    pub pipeline: String,
    /// Its number, from 1.
    pub number: u64,
    /// Where the store is: a copy of it lies elsewhere.
    pub location: String,
    /// The digest of the file's tables and ways, as they were when it was written.
    pub digest: String,
    /// Digests of earlier records, the newest last.
    #[serde(default)]
    pub earlier: Vec<String>,
    /// The dataflows by their ids.
    pub dataflows: BTreeMap<String, DataflowRecord>,
    /// What the user said when it was written: it is carried out, and means nothing more when a supervisor says it again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub carried_out: BTreeSet<String>,
    /// The name that the pipeline has now; whoever starts under the old one stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

/// What a dataflow's checkpoints belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataflowRecord {
    /// Its sources, by the keys that checkpoints know them by.
    pub sources: BTreeMap<String, TableRecord>,
    /// Its sinks.
    pub sinks: BTreeMap<String, TableRecord>,
    /// The names of the deciding group where the record of the generation does not tell them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
    /// The generation that it begins with, where it goes on from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begins: Option<Generation>,
    /// Whether others have gone on from it, or nobody wants it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_ended: bool,
    /// Keys that stand for nothing any more and are never given again.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub forgotten: BTreeSet<String>,
}

/// A source or a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableRecord {
    /// Its name in the file, when it was written.
    pub name: String,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// For a source, the keys of the sinks that it feeds.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub feeds: BTreeSet<String>,
}

/// A record that cannot be used.
#[derive(Debug, Error)]
pub enum PipelineRecordError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What lies beside it cannot be used.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// It is damaged, or written by a later version.
    #[error("record {number} of pipeline '{pipeline}' in {location} cannot be used: {why}")]
    Unusable {
        /// The pipeline.
        pipeline: String,
        /// The record's number.
        number: u64,
        /// The store.
        location: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    digest: String,
    record: Box<RawValue>,
}

impl PipelineRecord {
    /// Returns the next record, with the same content but for the file's digest.
    #[must_use]
    pub fn next(&self, digest: &str) -> Self {
        let mut next = self.clone();
        next.number += 1;
        if next.digest != digest {
            let before = std::mem::replace(&mut next.digest, digest.to_owned());
            next.earlier.retain(|earlier| earlier != digest);
            next.earlier.push(before);
            let surplus = next.earlier.len().saturating_sub(EARLIER_MAX);
            next.earlier.drain(..surplus);
        }
        next
    }

    /// Returns the dataflows that somebody may run, by their ids.
    pub fn running(&self) -> impl Iterator<Item = (&String, &DataflowRecord)> {
        let flows = self.dataflows.iter();
        flows.filter(|(_, flow)| !flow.has_ended)
    }

    /// Returns an id that no dataflow has had, made of a name of today.
    #[must_use]
    pub fn free_id(&self, name: &str) -> String {
        free(name, |id| self.dataflows.contains_key(id))
    }

    fn seal(&self) -> Vec<u8> {
        let body = serde_json::value::to_raw_value(self).expect("a record has only string keys");
        let envelope = Envelope {
            format: FORMAT,
            digest: digest(body.get()),
            record: body,
        };
        serde_json::to_vec(&envelope).expect("an envelope has only string keys")
    }

    fn open(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err("it is too large".to_owned());
        }
        let envelope: Envelope =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if envelope.format > FORMAT {
            let found = envelope.format;
            return Err(format!(
                "it has format {found}, this build reads up to {FORMAT}"
            ));
        }
        if digest(envelope.record.get()) != envelope.digest {
            return Err("it is damaged".to_owned());
        }
        serde_json::from_str(envelope.record.get()).map_err(|error| error.to_string())
    }

    /// Returns a pipeline's record with the highest number.
    ///
    /// # Errors
    /// The store did not answer, or the record cannot be used.
    pub fn newest(store: &dyn Store, pipeline: &str) -> Result<Option<Self>, PipelineRecordError> {
        let paths = store.list(&records_prefix(pipeline))?;
        match paths.iter().filter_map(|path| number_of(path)).max() {
            Some(number) => load(store, pipeline, number),
            None => Ok(None),
        }
    }

    /// Returns the newest record of each pipeline of a store; what cannot be read is left out.
    ///
    /// # Errors
    /// The store did not answer.
    pub fn all(store: &dyn Store) -> Result<Vec<Self>, StoreError> {
        let mut newest: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for path in store.list("")? {
            let Some((folder, _)) = path.split_once("/=record/") else {
                continue;
            };
            let Some(number) = number_of(&path) else {
                continue;
            };
            let known = newest.entry(folder.to_owned()).or_default();
            if number > known.0 {
                *known = (number, path);
            }
        }
        let mut records = Vec::new();
        for (_, path) in newest.into_values() {
            let bytes = store.get(&path)?;
            records.extend(bytes.and_then(|bytes| Self::open(&bytes).ok()));
        }
        Ok(records)
    }

    /// Writes it if its number is free. Returns what stands under the number then: it, or another's.
    ///
    /// # Errors
    /// The store did not answer, or what stands there cannot be used.
    pub fn put(self, store: &dyn Store) -> Result<Self, PipelineRecordError> {
        let path = record_path(&self.pipeline, self.number);
        let outcome = store.put_if_absent(&path, self.seal()).wait();
        if matches!(outcome, Ok(PutOutcome::Created)) {
            return Ok(self);
        }
        match (load(store, &self.pipeline, self.number)?, outcome) {
            (Some(there), _) => Ok(there),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Err(unusable(store, &self.pipeline, self.number, "it is gone")),
        }
    }
}

impl DataflowRecord {
    /// Returns a key that no source of the dataflow has had, made of a name of today.
    #[must_use]
    pub fn free_source(&self, name: &str) -> String {
        free(name, |key| {
            self.sources.contains_key(key) || self.forgotten.contains(key)
        })
    }

    /// Returns a key that no sink of the dataflow has, made of a name of today.
    #[must_use]
    pub fn free_sink(&self, name: &str) -> String {
        free(name, |key| self.sinks.contains_key(key))
    }
}

fn free(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    if !is_taken(name) {
        return name.to_owned();
    }
    let numbered = (2_u64..).map(|number| format!("{name}-{number}"));
    let mut free = numbered.filter(|name| !is_taken(name));
    free.next().expect("the numbers do not end")
}

fn unusable(store: &dyn Store, pipeline: &str, number: u64, why: &str) -> PipelineRecordError {
    PipelineRecordError::Unusable {
        pipeline: pipeline.to_owned(),
        number,
        location: store.location(),
        why: why.to_owned(),
    }
}

fn load(
    store: &dyn Store,
    pipeline: &str,
    number: u64,
) -> Result<Option<PipelineRecord>, PipelineRecordError> {
    let Some(bytes) = store.get(&record_path(pipeline, number))? else {
        return Ok(None);
    };
    let record =
        PipelineRecord::open(&bytes).map_err(|why| unusable(store, pipeline, number, &why))?;
    if record.pipeline != pipeline {
        return Err(unusable(
            store,
            pipeline,
            number,
            "it is another pipeline's",
        ));
    }
    Ok(Some(record))
}

/// Returns the newest manifest of a dataflow, of whichever slot.
///
/// # Errors
/// The store did not answer.
pub fn newest_manifest(
    store: &dyn Store,
    pipeline: &str,
    dataflow: &str,
    slots: u32,
) -> Result<Option<Manifest>, StoreError> {
    for slot in 0..slots.max(1) {
        let identity = Identity {
            slot,
            ..Identity::of(pipeline, dataflow)
        };
        let Some(newest) = epochs(store, &identity)?.pop() else {
            continue;
        };
        let bytes = store.get(&manifest_path(&identity, newest))?;
        if let Some((manifest, _)) = bytes.and_then(|bytes| Manifest::open(&bytes).ok()) {
            return Ok(Some(manifest));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    fn record(number: u64, digest: &str) -> PipelineRecord {
        PipelineRecord {
            pipeline: "订单".into(),
            number,
            digest: digest.into(),
            ..PipelineRecord::default()
        }
    }

    #[test]
    fn the_first_writer_of_a_number_decides() {
        let store = MemoryStore::default();
        assert_eq!(PipelineRecord::newest(&store, "订单").unwrap(), None);
        let first = record(1, "a").put(&store).unwrap();
        assert_eq!(record(1, "b").put(&store).unwrap(), first);
        let second = first.next("b").put(&store).unwrap();
        assert_eq!((second.number, second.earlier.len()), (2, 1));
        assert_eq!(PipelineRecord::all(&store).unwrap(), [second.clone()]);
        let newest = PipelineRecord::newest(&store, "订单").unwrap();
        assert_eq!(newest, Some(second));
        assert_eq!(PipelineRecord::newest(&store, "日志").unwrap(), None);
    }

    #[test]
    fn ids_and_keys_are_never_given_twice() {
        let mut record = record(1, "a");
        let mut flow = DataflowRecord::default();
        flow.forgotten.insert("src".into());
        assert_eq!(flow.free_source("src"), "src-2");
        record.dataflows.insert("snk".into(), flow);
        assert_eq!(record.free_id("snk"), "snk-2");
        assert_eq!(record.free_id("other"), "other");
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let bytes = record(3, "d").seal();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            if let Ok(opened) = PipelineRecord::open(&bytes) {
                assert_eq!(opened, record(3, "d"), "byte {at}");
            }
        }
    }
}
