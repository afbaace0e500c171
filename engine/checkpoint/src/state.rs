//! Objects of state beside the manifests: `<dir>/<pipeline>/<dataflow>/slot-<n>/state/<epoch>-<digest>`.
//!
//! An object is written before the manifest that names it counts, and never changes. Its name is a function of its content,
//! so a put that is tried again makes the same file, and two copies of a slot never write over each other.
//!
//! Whether an object may go is a question of manifests: it goes if no manifest in the store names it and it is older than
//! all of them. A copy that recovers takes a number above all that it found, so what it uploads is younger than everything
//! that an older copy could remove; and what it names besides was named by the manifest that it recovered from.

use std::collections::BTreeSet;
use std::ops::Range;

use millrace_connector::Epoch;
use serde::{Deserialize, Serialize};

use crate::path::epoch_of;
use crate::protocol::ProtocolError;
use crate::{
    Identity, Manifest, PendingPut, PutOutcome, Store, StoreError, manifest_path, slot_prefix,
};

/// The state of a dataflow's operators at the end of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRecord {
    /// The objects that hold it, the oldest first: of each entry the last change counts.
    pub objects: Vec<ObjectRef>,
    /// What else the lanes know at the barrier, in the runtime's own form: watermarks, the clock.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub lanes: serde_json::Value,
    /// The state before the epoch, where a sink follows the decision: its rows may have to be written again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<StateRecord>>,
}

/// An object of state, as a manifest names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectRef {
    /// The epoch in which it was begun.
    pub epoch: Epoch,
    /// The digest of its contents.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
    /// How many bytes at its end are its contents.
    pub contents: u32,
    /// Which part of its run it is, from 0: a run is what one epoch or one fold wrote.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part: u16,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_zero(part: &u16) -> bool {
    *part == 0
}

impl StateRecord {
    /// Returns every object that the record needs.
    pub fn needed(&self) -> impl Iterator<Item = &ObjectRef> {
        let before = self.before.iter().flat_map(|before| &before.objects);
        self.objects.iter().chain(before)
    }
}

/// Returns the folder of a slot's objects, without a slash at its end.
fn objects_prefix(identity: &Identity) -> String {
    format!("{}/state", slot_prefix(identity))
}

/// Returns the path of an object.
#[must_use]
pub fn object_path(identity: &Identity, object: &ObjectRef) -> String {
    let (epoch, digest) = (object.epoch, &object.digest);
    format!("{}/{epoch}-{digest}", objects_prefix(identity))
}

/// Returns the epoch of an object's path, or `None` for any other file.
fn epoch_of_object(path: &str, identity: &Identity) -> Option<Epoch> {
    let name = path.strip_prefix(&objects_prefix(identity))?;
    let (epoch, _) = name.strip_prefix('/')?.split_once('-')?;
    epoch.parse().ok().map(Epoch)
}

/// An upload under way.
#[derive(Debug)]
pub struct PendingObject {
    put: PendingPut,
    path: String,
    bytes: u64,
}

/// Begins to write an object.
pub fn put_object(
    store: &dyn Store,
    identity: &Identity,
    object: &ObjectRef,
    bytes: Vec<u8>,
) -> PendingObject {
    let path = object_path(identity, object);
    PendingObject {
        bytes: bytes.len() as u64,
        put: store.put_if_absent(&path, bytes),
        path,
    }
}

impl PendingObject {
    /// Waits until the object is there.
    ///
    /// # Errors
    /// The store did not answer, or has a file of another size under the name.
    pub fn wait(self, store: &dyn Store) -> Result<(), StoreError> {
        let outcome = self.put.wait();
        if matches!(outcome, Ok(PutOutcome::Created)) {
            return Ok(());
        }
        // A lost reply to our own put, or the same content of an attempt before: its name has its digest. Whether the
        // blocks are whole their checksums tell; a file that was torn has another size.
        let last = self.bytes.saturating_sub(1)..self.bytes;
        let end = store.get_range(&self.path, last)?;
        let beyond = store.get_range(&self.path, self.bytes..self.bytes + 1)?;
        let is_whole =
            end.is_some_and(|end| end.len() == 1) && beyond.is_none_or(|beyond| beyond.is_empty());
        match outcome {
            _ if is_whole => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(StoreError {
                action: "create",
                path: self.path,
                location: store.location(),
                source: "a file of another size is there".into(),
            }),
        }
    }
}

/// Reads a range of an object; `None` where it is gone or shorter.
///
/// # Errors
/// The store did not answer.
pub fn read_object(
    store: &dyn Store,
    identity: &Identity,
    object: &ObjectRef,
    range: Range<u64>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let length = range.end - range.start;
    let bytes = store.get_range(&object_path(identity, object), range)?;
    Ok(bytes.filter(|bytes| bytes.len() as u64 == length))
}

/// Removes the objects that no manifest in the store needs and that are older than all of them, except `pinned` ones: what
/// a fold under way has written. Only to be called after a commit of this process's own.
///
/// # Errors
/// The store did not answer, or a manifest cannot be read; then nothing is removed.
pub fn retire_objects(
    store: &dyn Store,
    identity: &Identity,
    pinned: &[ObjectRef],
) -> Result<(), ProtocolError> {
    let paths = store.list(&slot_prefix(identity))?;
    let mut needed: BTreeSet<String> = pinned
        .iter()
        .map(|object| object_path(identity, object))
        .collect();
    let mut oldest = None;
    for epoch in paths.iter().filter_map(|path| epoch_of(path)) {
        let Some(bytes) = store.get(&manifest_path(identity, epoch))? else {
            // Retention of another copy removed it meanwhile: what it knows is not known here.
            return Ok(());
        };
        let (manifest, _) =
            Manifest::open(&bytes).map_err(|source| ProtocolError::Manifest { epoch, source })?;
        oldest = oldest.map_or(Some(epoch), |oldest: Epoch| Some(oldest.min(epoch)));
        let objects = manifest.state.iter().flat_map(StateRecord::needed);
        needed.extend(objects.map(|object| object_path(identity, object)));
    }
    let Some(oldest) = oldest else {
        return Ok(());
    };
    for path in &paths {
        let is_old = epoch_of_object(path, identity).is_some_and(|epoch| epoch < oldest);
        if is_old && !needed.contains(path) {
            store.delete(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;
    use crate::manifest::tests::sample;

    fn identity() -> Identity {
        Identity {
            pipeline: "p".into(),
            dataflow: "d".into(),
            generation: 1,
            slot: 0,
            slots: 1,
        }
    }

    fn object(epoch: u64, name: &str) -> ObjectRef {
        ObjectRef {
            epoch: Epoch(epoch),
            digest: name.into(),
            bytes: 3,
            contents: 1,
            part: 0,
        }
    }

    fn put(store: &dyn Store, object: &ObjectRef) {
        let pending = put_object(store, &identity(), object, b"abc".to_vec());
        pending.wait(store).unwrap();
    }

    fn put_manifest(store: &dyn Store, epoch: u64, state: Option<StateRecord>) {
        let mut manifest = sample(epoch, 0, 0);
        manifest.state = state;
        let path = manifest_path(&identity(), Epoch(epoch));
        store
            .put_if_absent(&path, manifest.seal().bytes)
            .wait()
            .unwrap();
    }

    fn left(store: &dyn Store, objects: &[&ObjectRef]) -> Vec<bool> {
        let there = |object: &&ObjectRef| store.get(&object_path(&identity(), object)).unwrap();
        objects
            .iter()
            .map(|object| there(object).is_some())
            .collect()
    }

    #[test]
    fn only_what_nobody_needs_and_is_older_than_all_goes() {
        let store = MemoryStore::default();
        let [free, base, before, pinned, young] = [
            object(1, "free"),
            object(2, "base"),
            object(3, "before"),
            object(4, "pinned"),
            object(9, "young"),
        ];
        let all = [&free, &base, &before, &pinned, &young];
        for object in all {
            put(&store, object);
        }
        // Without a manifest nobody knows anything.
        retire_objects(&store, &identity(), &[]).unwrap();
        assert_eq!(left(&store, &all), [true; 5]);
        let record = |objects: &[&ObjectRef]| StateRecord {
            objects: objects.iter().map(|object| (*object).clone()).collect(),
            ..StateRecord::default()
        };
        put_manifest(&store, 7, Some(record(&[&base])));
        let mut replayable = record(&[&base]);
        replayable.before = Some(Box::new(record(&[&before])));
        put_manifest(&store, 8, Some(replayable));
        retire_objects(&store, &identity(), std::slice::from_ref(&pinned)).unwrap();
        assert_eq!(left(&store, &all), [false, true, true, true, true]);
        retire_objects(&store, &identity(), &[]).unwrap();
        assert_eq!(left(&store, &all), [false, true, true, false, true]);
    }

    #[test]
    fn a_manifest_that_cannot_be_read_keeps_everything() {
        let store = MemoryStore::default();
        let free = object(1, "free");
        put(&store, &free);
        put_manifest(&store, 7, None);
        let path = manifest_path(&identity(), Epoch(8));
        store.put_if_absent(&path, b"{".to_vec()).wait().unwrap();
        assert!(retire_objects(&store, &identity(), &[]).is_err());
        assert_eq!(left(&store, &[&free]), [true]);
    }

    #[test]
    fn a_torn_upload_is_told_and_a_repeated_one_is_not() {
        let store = MemoryStore::default();
        let whole = object(1, "whole");
        put(&store, &whole);
        put(&store, &whole);
        for torn in [&b"ab"[..], b"abcd", b""] {
            let store = MemoryStore::default();
            let path = object_path(&identity(), &whole);
            store.put_if_absent(&path, torn.to_vec()).wait().unwrap();
            let pending = put_object(&store, &identity(), &whole, b"abc".to_vec());
            assert!(pending.wait(&store).is_err(), "{torn:?}");
        }
    }
}
