//! The protocol itself: recovery, and the commit of one epoch.
//!
//! Order is everything here. Recovery fences, **then** lists the manifests, **then** reads the mark: after the fence no
//! predecessor can commit, so every epoch that a predecessor committed is in the list; and a mark read after the list cannot be
//! older than it. A copy that starts later may still overtake this one at any time. Therefore recovery destroys nothing:
//! a void proposal keeps its number and its file until retention, its prepared output is discarded only after this
//! process has committed an epoch of its own (which proves that nobody overtook it), and numbers are never used twice.
//!
//! A follower may have thrown away what it had prepared for an epoch that counts: it waited too long for its commit. Then
//! recovery asks for a [`Replay`], an epoch of its own that repeats the rows of the recorded ranges for the members that
//! lost them and moves no position. Its manifest names the ranges, so it can be lost and repeated in turn.

use std::collections::BTreeMap;

use millrace_connector::sink::{CommitOutcome, CommitRole, Committable, Mark, SinkGroup};
use millrace_connector::{ConnectorError, Epoch, Positions, SplitId};
use thiserror::Error;

use crate::decision::{Contradiction, Decision, ManifestHead, check_parent, decide};
use crate::generation::{self, Generation};
use crate::path::epoch_of;
use crate::{
    DecidedBy, Identity, Manifest, ManifestError, ParentRef, PendingObject, PutOutcome, Ranges,
    RecordError, SealedManifest, SinkRecord, SplitRange, StateRecord, Store, StoreError,
    manifest_path, slot_prefix,
};

/// A sink group with its key.
pub struct NamedGroup {
    /// The key, as in the manifest.
    pub key: String,
    /// The group.
    pub group: Box<dyn SinkGroup>,
}

impl std::fmt::Debug for NamedGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NamedGroup")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// Where to go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last checkpoint that counts; `None` on the slot's first start in its generation.
    pub checkpoint: Option<ParentRef>,
    /// Its positions by source table; on a first start after a rescale those that were dealt out.
    pub positions: BTreeMap<String, Positions>,
    /// The number of the next epoch, on a first start that of the genesis; numbers of void proposals are passed over.
    pub next_epoch: Epoch,
    /// What proposals that never counted had prepared: for [`discard_void`] after the next commit.
    pub void: Vec<(Epoch, Vec<SinkRecord>)>,
    /// What must be written again, as epoch `next_epoch`, before anything else.
    pub replay: Option<Replay>,
    /// The state of the operators at the checkpoint.
    pub state: Option<StateRecord>,
}

/// Rows of an epoch that counts which followers have lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Where the rows were read from.
    pub ranges: Ranges,
    /// Who lost them: groups by key, with their members.
    pub lost: Vec<(String, Vec<usize>)>,
}

/// Why a protocol step failed.
#[derive(Debug, Error)]
pub enum ProtocolError {
    /// A sink said no.
    #[error(transparent)]
    Sink(#[from] ConnectorError),
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A manifest cannot be used.
    #[error("checkpoint {epoch} cannot be used")]
    Manifest {
        /// Its epoch.
        epoch: Epoch,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A checkpoint that another one refers to is gone.
    #[error("checkpoint {epoch} is missing in {location}, though a later one was built on it")]
    ParentGone {
        /// Its epoch.
        epoch: Epoch,
        /// The store.
        location: String,
    },
    /// The facts contradict each other.
    #[error(transparent)]
    Contradiction(#[from] Contradiction),
    /// Another copy of this slot wrote the checkpoint first.
    #[error(
        "another copy of this pipeline is running: it wrote checkpoint {epoch} in {location} first"
    )]
    OtherCopy {
        /// The epoch.
        epoch: Epoch,
        /// The store.
        location: String,
    },
    /// Another copy of this slot wrote the checkpoint first, and the deciding sink has yet to say which of the two goes on:
    /// the one that fences last. The other learns from its sink that it is fenced.
    #[error(
        "another copy of this pipeline wrote checkpoint {epoch} in {location} first; the one that is fenced stops"
    )]
    Raced {
        /// The epoch.
        epoch: Epoch,
        /// The store.
        location: String,
    },
    /// The checkpoints are those of another number of slots.
    #[error(
        "the checkpoints are those of {was} slots, and this process is started as one of {now}"
    )]
    SlotsChanged {
        /// How many there were.
        was: u32,
        /// How many there are now.
        now: u32,
    },
    /// A rescale has closed the slot, and either has not come to its end, or there are fewer slots now.
    #[error("slot {slot} of {slots} was closed by a rescale")]
    SlotClosed {
        /// The slot.
        slot: u32,
        /// How many there were.
        slots: u32,
    },
    /// A rescale came to its end between two looks at the store.
    #[error("the number of slots was changed a moment ago")]
    GenerationChanged,
    /// The record of a generation cannot be used.
    #[error("the record of generation {generation} cannot be used")]
    Record {
        /// Its number.
        generation: u64,
        /// Why.
        #[source]
        source: RecordError,
    },
    /// The record of a generation is gone.
    #[error(
        "the record of generation {generation} is missing in {location}, though there are checkpoints of it"
    )]
    RecordGone {
        /// Its number.
        generation: u64,
        /// The store.
        location: String,
    },
    /// Nobody can say whether the epoch counts; recovery will.
    #[error("the commit of epoch {epoch} got no clear answer")]
    Unknown {
        /// The epoch.
        epoch: Epoch,
    },
    /// The epoch counts, but a sink has thrown away what it had prepared; recovery asks for a replay.
    #[error("the output of epoch {epoch} was thrown away before its commit; it is written again")]
    Lost {
        /// The epoch.
        epoch: Epoch,
    },
}

/// How often recovery looks again when another copy seems to overtake it.
const LOOKS_MAX: u32 = 5;

/// Fences every group, finds the last checkpoint that counts, and commits what follows it once more. Sets the generation
/// of `identity` to the one in force.
///
/// # Errors
/// Contradictions are for people; the other errors may pass by themselves.
pub fn recover(
    store: &dyn Store,
    identity: &mut Identity,
    groups: &mut [NamedGroup],
) -> Result<Recovered, ProtocolError> {
    let record = generation::enter(store, identity)?;
    match recover_in(store, identity, record.as_ref(), groups)? {
        (recovered, false) => Ok(recovered),
        (_, true) => Err(ProtocolError::SlotClosed {
            slot: identity.slot,
            slots: identity.slots,
        }),
    }
}

/// Recovers in the generation of `identity`, whose record is `record`. Returns whether the slot is closed, too.
pub(crate) fn recover_in(
    store: &dyn Store,
    identity: &Identity,
    record: Option<&Generation>,
    groups: &mut [NamedGroup],
) -> Result<(Recovered, bool), ProtocolError> {
    for named in groups.iter_mut() {
        named.group.fence()?;
    }
    let mut look = 1;
    loop {
        match find(store, identity, record, groups) {
            // A copy that overtook this one between the two reads looks like lost checkpoints, but only for a moment.
            Err(ProtocolError::Contradiction(_) | ProtocolError::ParentGone { .. })
                if look < LOOKS_MAX =>
            {
                look += 1
            }
            other => {
                let found = other?;
                let counts = found.counts.as_ref();
                let is_closed = counts.is_some_and(|counts| counts.manifest.closes);
                return Ok((adopt(groups, found)?, is_closed));
            }
        }
    }
}

#[derive(Default)]
struct Found {
    counts: Option<Loaded>,
    /// Where a first start begins.
    dealt: BTreeMap<String, Positions>,
    next_epoch: Epoch,
    void: Vec<(Epoch, Vec<SinkRecord>)>,
}

fn find(
    store: &dyn Store,
    identity: &Identity,
    record: Option<&Generation>,
    groups: &mut [NamedGroup],
) -> Result<Found, ProtocolError> {
    let epochs = epochs(store, identity)?;
    let newest = match epochs.last() {
        Some(epoch) => {
            let gone = || ProtocolError::ParentGone {
                epoch: *epoch,
                location: store.location(),
            };
            Some(load(store, identity, *epoch)?.ok_or_else(gone)?)
        }
        None => None,
    };
    let mut mark = None;
    let mut has_decider = false;
    for named in groups
        .iter_mut()
        .filter(|named| named.group.role() == CommitRole::Decides)
    {
        has_decider = true;
        mark = named.group.read_mark()?;
    }
    let newest_epoch = newest.as_ref().map(|newest| newest.head.epoch);
    let (newest, mark) = of_generation(store, identity, newest, mark)?;
    let decision = decide(
        newest.as_ref().map(|loaded| &loaded.head),
        mark.as_ref(),
        has_decider,
    )?;
    let Some(newest) = newest else {
        let dealt = record.map(|record| record.share(identity.slot));
        let first = record.map(|record| record.first_epoch(identity.slot, newest_epoch));
        return Ok(Found {
            dealt: dealt.unwrap_or_default(),
            next_epoch: first.unwrap_or_default(),
            ..Found::default()
        });
    };
    let next_epoch = newest.head.epoch.next();
    if decision == Decision::Adopt {
        return Ok(Found {
            counts: Some(newest),
            next_epoch,
            ..Found::default()
        });
    }
    let parent = parent_of(store, identity, &newest)?;
    check_parent(&parent.head, mark.as_ref())?;
    let mut void = Vec::new();
    for epoch in epochs
        .into_iter()
        .filter(|epoch| *epoch > parent.head.epoch)
    {
        if let Some(loaded) = load(store, identity, epoch)? {
            void.push((epoch, loaded.manifest.sinks));
        }
    }
    Ok(Found {
        counts: Some(parent),
        next_epoch,
        void,
        ..Found::default()
    })
}

/// Leaves out what an earlier generation has left: the rescale that ended it has settled all of that, and the positions
/// went into the record. Of a later one there must be nothing.
fn of_generation(
    store: &dyn Store,
    identity: &Identity,
    newest: Option<Loaded>,
    mark: Option<Mark>,
) -> Result<(Option<Loaded>, Option<Mark>), ProtocolError> {
    let of_manifest = newest.as_ref().map(|newest| newest.manifest.generation);
    let of_mark = mark.as_ref().map(|mark| mark.generation);
    let Some(latest) = of_manifest.max(of_mark) else {
        return Ok((None, None));
    };
    if latest > identity.generation {
        let record = generation::newest(store, identity)?;
        return Err(match record {
            Some(record) if record.generation >= latest => ProtocolError::GenerationChanged,
            _ => ProtocolError::RecordGone {
                generation: latest,
                location: store.location(),
            },
        });
    }
    let own = Some(identity.generation);
    // The first generation has no record yet when its first processes enter it: one of another number may have been first.
    if let Some(newest) = &newest
        && of_manifest == own
    {
        generation::check(newest.manifest.slots, identity)?;
    }
    Ok((
        newest.filter(|_| of_manifest == own),
        mark.filter(|_| of_mark == own),
    ))
}

struct Loaded {
    head: ManifestHead,
    manifest: Manifest,
}

/// Returns the epochs of all manifests of a slot, ascending.
///
/// # Errors
/// The store did not answer.
pub fn epochs(store: &dyn Store, identity: &Identity) -> Result<Vec<Epoch>, StoreError> {
    let mut epochs: Vec<_> = store
        .list(&slot_prefix(identity))?
        .iter()
        .filter_map(|path| epoch_of(path))
        .collect();
    epochs.sort_unstable();
    Ok(epochs)
}

fn load(
    store: &dyn Store,
    identity: &Identity,
    epoch: Epoch,
) -> Result<Option<Loaded>, ProtocolError> {
    let Some(bytes) = store.get(&manifest_path(identity, epoch))? else {
        return Ok(None);
    };
    let (manifest, digest) =
        Manifest::open(&bytes).map_err(|source| ProtocolError::Manifest { epoch, source })?;
    let head = ManifestHead {
        epoch: manifest.epoch,
        digest,
        decided_by: manifest.decided_by,
        parent: manifest.parent.clone(),
    };
    Ok(Some(Loaded { head, manifest }))
}

fn parent_of(
    store: &dyn Store,
    identity: &Identity,
    child: &Loaded,
) -> Result<Loaded, ProtocolError> {
    let parent = child
        .head
        .parent
        .as_ref()
        .map(|parent| parent.epoch)
        .unwrap_or_default();
    let loaded = load(store, identity, parent)?.filter(|loaded| {
        child
            .head
            .parent
            .as_ref()
            .is_some_and(|p| p.digest == loaded.head.digest)
    });
    loaded.ok_or_else(|| ProtocolError::ParentGone {
        epoch: parent,
        location: store.location(),
    })
}

/// Commits what follows the decision once more, since the predecessor may have died before it could.
fn adopt(groups: &mut [NamedGroup], found: Found) -> Result<Recovered, ProtocolError> {
    let Some(Loaded { head, manifest }) = found.counts else {
        return Ok(Recovered {
            positions: found.dealt,
            next_epoch: found.next_epoch,
            ..Recovered::default()
        });
    };
    let mark = mark_of(&manifest, &head.digest);
    let mut lost = Vec::new();
    for (named, committable) in followers(groups, &manifest.sinks) {
        match named.group.commit(head.epoch, committable, &mark)? {
            CommitOutcome::Committed => {}
            CommitOutcome::Lost(members) => lost.push((named.key.clone(), members)),
            CommitOutcome::NotCommitted | CommitOutcome::Unknown => {
                return Err(ProtocolError::Unknown { epoch: head.epoch });
            }
        }
    }
    let replay = (!lost.is_empty()).then(|| Replay {
        ranges: manifest.ranges().clone(),
        lost,
    });
    Ok(Recovered {
        checkpoint: Some(ParentRef {
            epoch: head.epoch,
            digest: head.digest,
        }),
        positions: manifest.positions(),
        next_epoch: found.next_epoch,
        void: found.void,
        replay,
        state: manifest.state,
    })
}

/// Throws away what void proposals had prepared. To be called after a commit of this process's own: only that proves that no
/// other copy has taken over and may yet commit them.
///
/// # Errors
/// What a sink said; the prepared output then goes by its own time-out.
pub fn discard_void(
    groups: &mut [NamedGroup],
    void: &[(Epoch, Vec<SinkRecord>)],
) -> Result<(), ProtocolError> {
    for (epoch, records) in void {
        for (named, committable) in followers(groups, records) {
            named.group.discard(*epoch, Some(committable))?;
        }
    }
    Ok(())
}

fn followers<'a>(
    groups: &'a mut [NamedGroup],
    records: &'a [SinkRecord],
) -> impl Iterator<Item = (&'a mut NamedGroup, &'a Committable)> {
    groups
        .iter_mut()
        .filter(|named| named.group.role() == CommitRole::Follows)
        .filter_map(|named| {
            let record = records.iter().find(|record| record.group == named.key)?;
            Some((named, &record.committable))
        })
}

fn mark_of(manifest: &Manifest, digest: &str) -> Mark {
    Mark {
        epoch: manifest.epoch,
        generation: manifest.generation,
        slot: manifest.slot,
        digest: digest.to_owned(),
    }
}

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
    generation::found(store, commit.identity)?;
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

/// Waits until everything that a record of state names is in the store.
fn arrive(uploads: &mut Vec<PendingObject>, store: &dyn Store) -> Result<(), StoreError> {
    uploads.drain(..).try_for_each(|upload| upload.wait(store))
}

fn has_decider(groups: &[NamedGroup]) -> bool {
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

/// Removes the checkpoints that retention no longer asks for: all but the last `retained` up to `newest`, which counts.
///
/// # Errors
/// The store did not answer; what is left is removed the next time.
pub fn retire(
    store: &dyn Store,
    identity: &Identity,
    newest: Epoch,
    retained: usize,
) -> Result<(), StoreError> {
    let mut epochs = epochs(store, identity)?;
    epochs.retain(|epoch| *epoch <= newest);
    let old = epochs.len().saturating_sub(retained.max(1));
    for epoch in &epochs[..old] {
        store.delete(&manifest_path(identity, *epoch))?;
    }
    Ok(())
}
