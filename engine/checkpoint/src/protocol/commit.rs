//! The commit of one epoch: prepare, decide, follow.

use std::collections::BTreeMap;

use millrace_connector::sink::{CommitOutcome, CommitRole, Mark};
use millrace_connector::{Epoch, Origin, Positions, SplitId};

use super::{NamedGroup, ProtocolError, epochs};
use crate::generation;
use crate::{
    DecidedBy, Identity, Manifest, ParentRef, PendingObject, PutOutcome, Ranges, SealedManifest,
    SinkRecord, SplitRange, StateRecord, Store, StoreError, manifest_path,
};

/// One epoch to be committed.
#[derive(Debug)]
pub struct EpochCommit<'a> {
    /// Whose it is.
    pub identity: &'a Identity,
    /// Its number: what [`Recovered::next_epoch`] says, then one more each time.
    pub epoch: Epoch,
    /// The checkpoint it continues; `None` only for the genesis.
    pub parent: Option<&'a ParentRef>,
    /// The parent's positions by source table.
    pub from: &'a BTreeMap<String, Positions>,
    /// The positions at the barrier by source table.
    pub to: &'a BTreeMap<String, Positions>,
    /// The ranges that it repeats, where it is a [`Replay`]; `from` and `to` are then equal.
    pub replay: Option<&'a Ranges>,
    /// Whether it is the slot's last in its generation.
    pub closes: bool,
    /// The state of the operators at the barrier; the parent's where it moves no position. `None` where there are none.
    pub state: Option<&'a StateRecord>,
    /// What the positions count, by source table.
    pub origins: &'a BTreeMap<String, Origin>,
    /// The clock, for people.
    pub now_ms: i64,
}

impl EpochCommit<'_> {
    fn manifest(&self, decided_by: DecidedBy, sinks: Vec<SinkRecord>) -> Manifest {
        let range = |table: &str, split: &SplitId, to: &millrace_connector::Position| {
            let from = self
                .from
                .get(table)
                .and_then(|positions| positions.get(split))
                .unwrap_or(to);
            (
                split.clone(),
                SplitRange {
                    from: from.clone(),
                    to: to.clone(),
                },
            )
        };
        let sources = self.to.iter().map(|(table, splits)| {
            (
                table.clone(),
                splits
                    .iter()
                    .map(|(split, to)| range(table, split, to))
                    .collect(),
            )
        });
        Manifest {
            pipeline: self.identity.pipeline.clone(),
            dataflow: self.identity.dataflow.clone(),
            generation: self.identity.generation,
            slot: self.identity.slot,
            slots: self.identity.slots,
            epoch: self.epoch,
            parent: self.parent.cloned(),
            decided_by,
            sources: sources.collect(),
            sinks,
            replay: self.replay.cloned(),
            closes: self.closes,
            state: self.state.cloned(),
            origins: self.origins.clone(),
            created_ms: self.now_ms,
        }
    }
}

/// Writes the first checkpoint of a slot in its generation: the positions before any row, so that a crash before the first
/// commit starts from the same place again. Without it, a startup mode like `latest-offset` would be resolved anew and rows
/// in between be lost.
///
/// # Errors
/// The store did not answer, or another copy was first.
pub fn commit_genesis(
    store: &dyn Store,
    groups: &[NamedGroup],
    commit: &EpochCommit<'_>,
) -> Result<ParentRef, ProtocolError> {
    assert!(commit.parent.is_none(), "a genesis has no parent");
    let names = groups.iter().find_map(|named| named.group.names());
    generation::found(store, commit.identity, names)?;
    let manifest = commit.manifest(DecidedBy::Manifest, Vec::new());
    let sealed = manifest.seal();
    put(store, commit.identity, commit.epoch, &sealed)
        .and_then(|()| check_newest(store, commit.identity, commit.epoch))
        .map_err(|error| raced(has_decider(groups), error))?;
    Ok(ParentRef {
        epoch: commit.epoch,
        digest: sealed.digest,
    })
}

/// Commits one epoch: prepare, decide, follow. The writers are idle, and `begin(epoch)` was called on every group.
///
/// # Errors
/// After any error the epoch may or may not count: go through [`recover`].
pub fn commit_epoch(
    store: &dyn Store,
    groups: &mut [NamedGroup],
    commit: &EpochCommit<'_>,
) -> Result<ParentRef, ProtocolError> {
    commit_epoch_after(store, groups, commit, Vec::new())
}

/// Does the same where objects of state are on their way: they are in the store before the deciding act.
///
/// # Errors
/// As [`commit_epoch`].
pub fn commit_epoch_after(
    store: &dyn Store,
    groups: &mut [NamedGroup],
    commit: &EpochCommit<'_>,
    mut uploads: Vec<PendingObject>,
) -> Result<ParentRef, ProtocolError> {
    let epoch = commit.epoch;
    assert!(
        commit.parent.is_some_and(|parent| parent.epoch < epoch),
        "numbers go up"
    );
    let has_decider = has_decider(groups);
    let has_followers = groups
        .iter()
        .any(|named| named.group.role() == CommitRole::Follows);
    let decided_by = if has_decider {
        DecidedBy::Transaction
    } else {
        DecidedBy::Manifest
    };

    // A proposal without handles of followers is known before they prepare: the store works while the sinks flush.
    let sealed = if has_decider && !has_followers {
        let sealed = seal(commit, decided_by, Vec::new())?;
        let pending =
            store.put_if_absent(&manifest_path(commit.identity, epoch), sealed.bytes.clone());
        let prepared = prepare(groups, epoch);
        let put = settle(store, commit.identity, epoch, &sealed, pending.wait());
        prepared?;
        put.map_err(|error| raced(true, error))?;
        arrive(&mut uploads, store)?;
        sealed
    } else {
        let sealed = seal(commit, decided_by, prepare(groups, epoch)?)?;
        arrive(&mut uploads, store)?;
        put(store, commit.identity, epoch, &sealed).map_err(|error| raced(has_decider, error))?;
        if !has_decider {
            check_newest(store, commit.identity, epoch)?;
        }
        sealed
    };

    let mark = Mark {
        epoch,
        generation: commit.identity.generation,
        slot: commit.identity.slot,
        digest: sealed.digest.clone(),
    };
    for role in [CommitRole::Decides, CommitRole::Follows] {
        for named in groups.iter_mut().filter(|named| named.group.role() == role) {
            let manifest = Manifest::open(&sealed.bytes)
                .expect("it was sealed above")
                .0;
            let record = manifest
                .sinks
                .iter()
                .find(|record| record.group == named.key);
            let committable = record
                .map(|record| record.committable.clone())
                .unwrap_or_default();
            match named.group.commit(epoch, &committable, &mark)? {
                CommitOutcome::Committed => {}
                CommitOutcome::Lost(_) => return Err(ProtocolError::Lost { epoch }),
                CommitOutcome::NotCommitted | CommitOutcome::Unknown => {
                    return Err(ProtocolError::Unknown { epoch });
                }
            }
        }
    }
    Ok(ParentRef {
        epoch,
        digest: sealed.digest,
    })
}

/// Commits an epoch that moves no position and holds no output, decided by its manifest alone: everything before it is
/// done, so whoever goes on from it needs no word of a sink. Only directly behind a commit of this process's own, or behind
/// a checkpoint that was found without void proposals: then whoever else runs the slot wants the same number, and one of
/// the two gets it.
///
/// # Errors
/// The store did not answer, or another copy was first.
pub fn commit_rest(
    store: &dyn Store,
    groups: &[NamedGroup],
    commit: &EpochCommit<'_>,
) -> Result<ParentRef, ProtocolError> {
    assert!(
        commit
            .parent
            .is_some_and(|parent| parent.epoch.next() == commit.epoch),
        "a rest directly follows its parent"
    );
    let sealed = seal(commit, DecidedBy::Manifest, Vec::new())?;
    put(store, commit.identity, commit.epoch, &sealed)
        .and_then(|()| check_newest(store, commit.identity, commit.epoch))
        .map_err(|error| raced(has_decider(groups), error))?;
    Ok(ParentRef {
        epoch: commit.epoch,
        digest: sealed.digest,
    })
}

/// Waits until everything that a record of state names is in the store.
fn arrive(uploads: &mut Vec<PendingObject>, store: &dyn Store) -> Result<(), StoreError> {
    uploads.drain(..).try_for_each(|upload| upload.wait(store))
}

pub(super) fn has_decider(groups: &[NamedGroup]) -> bool {
    groups
        .iter()
        .any(|named| named.group.role() == CommitRole::Decides)
}

/// Where a sink decides, a manifest that is there already proves nothing about who goes on: a copy that is fenced, and does
/// not know yet, may have written it. If its writer and its finder both stopped, nobody would be left.
fn raced(has_decider: bool, error: ProtocolError) -> ProtocolError {
    match error {
        ProtocolError::OtherCopy { epoch, location } if has_decider => {
            ProtocolError::Raced { epoch, location }
        }
        other => other,
    }
}

fn seal(
    commit: &EpochCommit<'_>,
    decided_by: DecidedBy,
    sinks: Vec<SinkRecord>,
) -> Result<SealedManifest, ProtocolError> {
    let manifest = commit.manifest(decided_by, sinks);
    manifest
        .check_continues(commit.from)
        .map_err(|source| ProtocolError::Manifest {
            epoch: manifest.epoch,
            source,
        })?;
    Ok(manifest.seal())
}

fn prepare(groups: &mut [NamedGroup], epoch: Epoch) -> Result<Vec<SinkRecord>, ProtocolError> {
    let mut records = Vec::new();
    for named in groups.iter_mut() {
        let committable = named.group.prepare(epoch)?;
        if named.group.role() == CommitRole::Follows {
            records.push(SinkRecord {
                group: named.key.clone(),
                committable,
            });
        }
    }
    Ok(records)
}

fn put(
    store: &dyn Store,
    identity: &Identity,
    epoch: Epoch,
    sealed: &SealedManifest,
) -> Result<(), ProtocolError> {
    let outcome = store
        .put_if_absent(&manifest_path(identity, epoch), sealed.bytes.clone())
        .wait();
    settle(store, identity, epoch, sealed, outcome)
}

/// Tells a lost reply to our own put from another writer's file: a retried put finds what the first try made.
fn settle(
    store: &dyn Store,
    identity: &Identity,
    epoch: Epoch,
    sealed: &SealedManifest,
    outcome: Result<PutOutcome, StoreError>,
) -> Result<(), ProtocolError> {
    if matches!(outcome, Ok(PutOutcome::Created)) {
        return Ok(());
    }
    let there = store.get(&manifest_path(identity, epoch))?;
    if there.as_deref() == Some(sealed.bytes.as_slice()) {
        return Ok(());
    }
    match outcome {
        Ok(_) => Err(ProtocolError::OtherCopy {
            epoch,
            location: store.location(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Checks that no later checkpoint exists. Retention frees the numbers that a copy which slept for long would take next: its
/// conditional put then succeeds, but a later manifest is there, since the newest is never removed.
fn check_newest(store: &dyn Store, identity: &Identity, epoch: Epoch) -> Result<(), ProtocolError> {
    match epochs(store, identity)?.last() {
        Some(newest) if *newest > epoch => Err(ProtocolError::OtherCopy {
            epoch: *newest,
            location: store.location(),
        }),
        _ => Ok(()),
    }
}
