//! How many slots a dataflow has: a record for each generation, `<dir>/<pipeline>/<dataflow>/generations/<n>.json`.
//!
//! The record with the highest number is in force. Number 1 is written before the first checkpoint, each later one by a
//! rescale, which closed every slot of the generation before: the record then holds where all of its splits go on. All are
//! written on condition that nothing is there, and none is ever removed, so a generation has one number of slots for good.

use std::collections::BTreeMap;

use millrace_connector::{Epoch, Names, Origin, Positions};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::manifest::{MANIFEST_BYTES_MAX, digest};
use crate::path::{dataflow_prefix, generation_path, generations_prefix, number_of};
use crate::protocol::ProtocolError;
use crate::{Identity, Manifest, PutOutcome, Store, owner};

/// The newest version of the record's format that this build reads.
const FORMAT: u32 = 2;
/// What is written while the dataflow runs: builds from before know no ends.
const FORMAT_WITHOUT_END: u32 = 1;
/// The generation that begins without a record of the one before.
pub(crate) const FIRST: u64 = 1;

/// One assignment of a dataflow's splits to slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataflow's name.
    pub dataflow: String,
    /// Its number, from 1.
    pub generation: u64,
    /// How many slots there are; 0 = the dataflow has ended, and its positions wait for whoever goes on from them.
    pub slots: u32,
    /// Where the splits of all slots go on, by source table; empty in the first generation, which begins where the startup
    /// modes say.
    #[serde(default)]
    pub positions: BTreeMap<String, Positions>,
    /// The last epoch of each slot that there was in any generation before: numbers go on, so that labels and marks stay
    /// unique.
    #[serde(default)]
    pub last: BTreeMap<u32, Epoch>,
    /// What the positions count, by source table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, Origin>,
    /// The names of the deciding group; `None` without one, or where an earlier build wrote the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Names>,
}

/// A record that cannot be used.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not JSON of the right shape.
    #[error("the record cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// Written by a later version.
    #[error("the record has format {found}, this build reads up to {FORMAT}")]
    Format {
        /// The format it has.
        found: u32,
    },
    /// Larger than any record may be, or with another content than its digest says.
    #[error("the record is damaged")]
    Damaged,
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    digest: String,
    generation: Box<RawValue>,
}

impl Generation {
    fn first(identity: &Identity) -> Self {
        Self {
            pipeline: identity.pipeline.clone(),
            dataflow: identity.dataflow.clone(),
            generation: FIRST,
            slots: identity.slots,
            positions: BTreeMap::new(),
            last: BTreeMap::new(),
            origins: BTreeMap::new(),
            names: None,
        }
    }

    /// Tells whether nobody may run it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.slots == 0
    }

    /// Returns who a process of this generation is.
    #[must_use]
    pub fn identity(&self, slot: u32) -> Identity {
        Identity {
            pipeline: self.pipeline.clone(),
            dataflow: self.dataflow.clone(),
            generation: self.generation,
            slot,
            slots: self.slots,
        }
    }

    /// Returns where a slot begins; a table is there also if the slot has none of its splits.
    pub(crate) fn share(&self, slot: u32) -> BTreeMap<String, Positions> {
        let own = |(table, positions): (&String, &Positions)| {
            let mut positions = positions.clone();
            positions.retain(|split, _| owner(table, split, self.slots) == slot);
            (table.clone(), positions)
        };
        self.positions.iter().map(own).collect()
    }

    /// Returns the number that a slot's first checkpoint has, given the newest that lies in the store.
    pub(crate) fn first_epoch(&self, slot: u32, newest: Option<Epoch>) -> Epoch {
        let last = self.last.get(&slot).copied().max(newest);
        last.map_or(Epoch(0), Epoch::next)
    }

    fn seal(&self) -> Vec<u8> {
        let body = serde_json::value::to_raw_value(self).expect("a record is plain data");
        let envelope = Envelope {
            format: if self.has_ended() {
                FORMAT
            } else {
                FORMAT_WITHOUT_END
            },
            digest: digest(body.get()),
            generation: body,
        };
        serde_json::to_vec(&envelope).expect("an envelope has only string keys")
    }

    fn open(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(RecordError::Damaged);
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(RecordError::Syntax)?;
        if envelope.format > FORMAT {
            return Err(RecordError::Format {
                found: envelope.format,
            });
        }
        if digest(envelope.generation.get()) != envelope.digest {
            return Err(RecordError::Damaged);
        }
        serde_json::from_str(envelope.generation.get()).map_err(RecordError::Syntax)
    }

    /// Writes it if its number is free. Returns what stands under the number then: it, or another's.
    ///
    /// # Errors
    /// The store did not answer, or what stands there cannot be used.
    pub fn put(self, store: &dyn Store) -> Result<Self, ProtocolError> {
        let number = self.generation;
        let path = generation_path(&self.identity(0), number);
        let outcome = store.put_if_absent(&path, self.seal()).wait();
        if matches!(outcome, Ok(PutOutcome::Created)) {
            return Ok(self);
        }
        // A lost reply to our own put, or another's record.
        match (load(store, &path, number)?, outcome) {
            (Some(there), _) => Ok(there),
            (None, Err(error)) => Err(error.into()),
            (None, Ok(_)) => Err(ProtocolError::RecordGone {
                generation: number,
                location: store.location(),
            }),
        }
    }
}

fn load(
    store: &dyn Store,
    path: &str,
    generation: u64,
) -> Result<Option<Generation>, ProtocolError> {
    let Some(bytes) = store.get(path)? else {
        return Ok(None);
    };
    let opened = Generation::open(&bytes);
    opened
        .map(Some)
        .map_err(|source| ProtocolError::Record { generation, source })
}

/// Checks that what lies in a dataflow's folder is its own: earlier builds gave one folder to names that look alike.
pub(crate) fn check_owner(
    store: &dyn Store,
    identity: &Identity,
    (pipeline, dataflow): (&str, &str),
) -> Result<(), ProtocolError> {
    if pipeline == identity.pipeline && dataflow == identity.dataflow {
        return Ok(());
    }
    Err(ProtocolError::OtherOwner {
        folder: dataflow_prefix(identity),
        location: store.location(),
        pipeline: pipeline.to_owned(),
        dataflow: dataflow.to_owned(),
    })
}

/// Returns the record with the highest number.
pub(crate) fn newest(
    store: &dyn Store,
    identity: &Identity,
) -> Result<Option<Generation>, ProtocolError> {
    let paths = store.list(&generations_prefix(identity))?;
    match paths.iter().filter_map(|path| number_of(path)).max() {
        Some(number) => {
            let record = load(store, &generation_path(identity, number), number)?;
            if let Some(record) = &record {
                check_owner(store, identity, (&record.pipeline, &record.dataflow))?;
            }
            Ok(record)
        }
        None => Ok(None),
    }
}

/// Returns the generation of a dataflow that is in force; `None` where it has never had a checkpoint.
///
/// # Errors
/// The store did not answer, or the record cannot be used.
pub fn generation_in_force(
    store: &dyn Store,
    pipeline: &str,
    dataflow: &str,
) -> Result<Option<Generation>, ProtocolError> {
    in_force(store, &Identity::of(pipeline, dataflow))
}

/// Returns the generation in force; `None` where the dataflow has never had a checkpoint. Checkpoints of builds that knew
/// no records get one.
pub(crate) fn in_force(
    store: &dyn Store,
    identity: &Identity,
) -> Result<Option<Generation>, ProtocolError> {
    if let Some(record) = newest(store, identity)? {
        return Ok(Some(record));
    }
    let Some(slots) = slots_of_manifests(store, identity)? else {
        return Ok(None);
    };
    let first = Generation::first(&Identity {
        slots,
        ..identity.clone()
    });
    first.put(store).map(Some)
}

/// Returns the number of slots that manifests of whichever slot tell.
fn slots_of_manifests(
    store: &dyn Store,
    identity: &Identity,
) -> Result<Option<u32>, ProtocolError> {
    let mut paths = store.list(&dataflow_prefix(identity))?;
    paths.retain(|path| path.ends_with("/manifest.json"));
    // Retention may remove one while it is looked at.
    for path in paths.iter().rev().take(3) {
        let Some(bytes) = store.get(path)? else {
            continue;
        };
        if let Ok((manifest, _)) = Manifest::open(&bytes) {
            check_owner(store, identity, (&manifest.pipeline, &manifest.dataflow))?;
            return Ok(Some(manifest.slots));
        }
    }
    Ok(None)
}

/// Checks that a process belongs to a generation of so many slots.
pub(crate) fn check(was: u32, identity: &Identity) -> Result<(), ProtocolError> {
    let now = identity.slots;
    if was == now {
        return Ok(());
    }
    if was == 0 {
        return Err(ProtocolError::Ended);
    }
    Err(ProtocolError::SlotsChanged { was, now })
}

/// Makes `identity` one of the generation in force, and returns its record. Comes before the fence: a process of another
/// number of slots must not stop those that work.
pub(crate) fn enter(
    store: &dyn Store,
    identity: &mut Identity,
) -> Result<Option<Generation>, ProtocolError> {
    identity.generation = FIRST;
    let record = in_force(store, identity)?;
    if let Some(record) = &record {
        check(record.slots, identity)?;
        identity.generation = record.generation;
    }
    Ok(record)
}

/// Makes sure that the first generation has its record, before its first checkpoint.
pub(crate) fn found(
    store: &dyn Store,
    identity: &Identity,
    names: Option<Names>,
) -> Result<(), ProtocolError> {
    if identity.generation != FIRST {
        return Ok(());
    }
    let first = Generation {
        names,
        ..Generation::first(identity)
    };
    let record = first.clone().put(store)?;
    check(record.slots, identity)?;
    // Whoever was first has chosen the names, too: under others, nobody would fence anybody.
    match record.names.as_ref().zip(first.names.as_ref()) {
        Some((there, own)) if there != own => Err(ProtocolError::GenerationChanged),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use millrace_connector::{Position, SplitId};

    use super::*;
    use crate::MemoryStore;

    fn identity(slots: u32) -> Identity {
        Identity {
            pipeline: "p".into(),
            dataflow: "d".into(),
            generation: 0,
            slot: 0,
            slots,
        }
    }

    #[test]
    fn the_first_writer_of_a_number_decides() {
        let store = MemoryStore::default();
        assert_eq!(enter(&store, &mut identity(2)).unwrap(), None);
        let mut two = identity(2);
        two.generation = FIRST;
        found(&store, &two, None).unwrap();
        found(&store, &two, None).unwrap();
        let three = Identity {
            slots: 3,
            ..two.clone()
        };
        let refused = found(&store, &three, None);
        assert!(matches!(
            refused,
            Err(ProtocolError::SlotsChanged { was: 2, now: 3 })
        ));
        let next = |slots| Generation {
            generation: 2,
            slots,
            ..Generation::first(&two)
        };
        assert_eq!(next(3).put(&store).unwrap().slots, 3);
        assert_eq!(next(5).put(&store).unwrap().slots, 3);
        assert!(enter(&store, &mut two).is_err());
        let mut three = identity(3);
        enter(&store, &mut three).unwrap();
        assert_eq!(three.generation, 2);
    }

    #[test]
    fn checkpoints_from_before_get_a_record() {
        let store = MemoryStore::default();
        let mut manifest = crate::manifest::tests::sample(3, 1, 2);
        manifest.slots = 4;
        let path = crate::manifest_path(&identity(4), manifest.epoch);
        store
            .put_if_absent(&path, manifest.seal().bytes)
            .wait()
            .unwrap();
        assert!(matches!(
            enter(&store, &mut identity(2)),
            Err(ProtocolError::SlotsChanged { was: 4, now: 2 })
        ));
        let record = newest(&store, &identity(9)).unwrap().unwrap();
        assert_eq!((record.slots, record.generation), (4, 1));
    }

    #[test]
    fn shares_are_disjoint_and_whole() {
        let splits = (0..50).map(|at| (SplitId(format!("t-{at}")), Position(at.into())));
        let record = Generation {
            generation: 2,
            positions: [("t".to_owned(), splits.collect::<Positions>())].into(),
            last: [(1, Epoch(7))].into(),
            ..Generation::first(&identity(60))
        };
        let mut all = Positions::new();
        for slot in 0..60 {
            let share = record.share(slot);
            for (split, position) in &share["t"] {
                assert_eq!(all.insert(split.clone(), position.clone()), None);
            }
        }
        assert_eq!(all, record.positions["t"]);
        assert_eq!(record.first_epoch(0, None), Epoch(0));
        assert_eq!(record.first_epoch(0, Some(Epoch(3))), Epoch(4));
        assert_eq!(record.first_epoch(1, None), Epoch(8));
        assert_eq!(record.first_epoch(1, Some(Epoch(3))), Epoch(8));
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let record = Generation::first(&identity(3));
        let bytes = record.seal();
        assert_eq!(Generation::open(&bytes).unwrap(), record);
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            if let Ok(opened) = Generation::open(&bytes) {
                assert_eq!(opened, record, "byte {at}");
            }
        }
    }
}
