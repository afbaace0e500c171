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

mod commit;
mod follow;
mod mark;

use std::collections::BTreeMap;

use millrace_connector::sink::{CommitRole, Mark, SinkGroup};
use millrace_connector::{ConnectorError, Epoch, Origin, Positions};
use thiserror::Error;

use crate::decision::{Contradiction, Decision, ManifestHead, check_parent, decide};
use crate::generation::{self, Generation};
use crate::path::epoch_of;
use crate::state;
use crate::{
    Identity, Manifest, ManifestError, ParentRef, Ranges, RecordError, SinkRecord, StateRecord,
    Store, StoreError, manifest_path, slot_prefix,
};

pub use commit::{EpochCommit, commit_epoch, commit_epoch_after, commit_genesis, commit_rest};
pub use follow::discard_void;
pub use mark::renew_mark;

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
    /// What the positions count, by source table.
    pub origins: BTreeMap<String, Origin>,
    /// Whether the deciding sink has a mark of this generation; without one, [`renew_mark`] comes before the next proposal.
    pub is_marked: bool,
    /// Whether the checkpoint needs no word of a sink and nobody waits for a commit of it.
    pub is_settled: bool,
    /// What must be written again, as epoch `next_epoch`, before anything else.
    pub replay: Option<Replay>,
    /// The state of the operators at the checkpoint.
    pub state: Option<StateRecord>,
    /// How often the next epoch was tried before: part of the names of its objects of state.
    pub tries: u16,
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
    /// An edit of the file has ended the dataflow.
    #[error("this part of the pipeline has ended: a change of the file goes on from it")]
    Ended,
    /// The folder holds checkpoints of something else.
    #[error(
        "the folder '{folder}' in {location} holds checkpoints of dataflow '{dataflow}' of pipeline '{pipeline}'"
    )]
    OtherOwner {
        /// The folder.
        folder: String,
        /// The store.
        location: String,
        /// Whose they are.
        pipeline: String,
        /// Of which dataflow.
        dataflow: String,
    },
    /// Prepared output waits for its commit at a place where nobody writes any more.
    #[error(
        "prepared output for {group} waits for its commit, and no sink of the file knows of it"
    )]
    Owed {
        /// The key of the group that prepared it.
        group: String,
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
    #[error("the number of slots, or the names at the other side, were changed a moment ago")]
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
    recover_accepting(store, identity, groups, None)
}

/// Does the same. Where the mark is lost and the newest proposal may count or not, `accepted` says which epoch was the last
/// that was committed.
///
/// # Errors
/// As [`recover`].
pub fn recover_accepting(
    store: &dyn Store,
    identity: &mut Identity,
    groups: &mut [NamedGroup],
    accepted: Option<Epoch>,
) -> Result<Recovered, ProtocolError> {
    let record = generation::enter(store, identity)?;
    match recover_in(store, identity, record.as_ref(), groups, accepted)? {
        (recovered, false) => Ok(recovered),
        (_, true) => Err(ProtocolError::SlotClosed {
            slot: identity.slot,
            slots: identity.slots,
        }),
    }
}

/// Checks that the groups have the names of the generation: they were opened before it was entered, and under names of
/// before nobody would fence whoever has those of now.
fn check_names(record: Option<&Generation>, groups: &[NamedGroup]) -> Result<(), ProtocolError> {
    let recorded = record.and_then(|record| record.names.as_ref());
    let mut names = groups.iter().filter_map(|named| named.group.names());
    match recorded.zip(names.next()) {
        Some((recorded, names)) if *recorded != names => Err(ProtocolError::GenerationChanged),
        _ => Ok(()),
    }
}

/// Recovers in the generation of `identity`, whose record is `record`. Returns whether the slot is closed, too.
pub(crate) fn recover_in(
    store: &dyn Store,
    identity: &Identity,
    record: Option<&Generation>,
    groups: &mut [NamedGroup],
    accepted: Option<Epoch>,
) -> Result<(Recovered, bool), ProtocolError> {
    check_names(record, groups)?;
    for named in groups.iter_mut() {
        named.group.fence()?;
    }
    let mut look = 1;
    loop {
        match find(store, identity, record, groups, accepted) {
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
                return Ok((follow::adopt(groups, found)?, is_closed));
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
    tries: u16,
    origins: BTreeMap<String, Origin>,
    is_marked: bool,
}

fn find(
    store: &dyn Store,
    identity: &Identity,
    record: Option<&Generation>,
    groups: &mut [NamedGroup],
    accepted: Option<Epoch>,
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
    let is_marked = mark.is_some();
    let mark = mark.or_else(|| mark::accepted(newest.as_ref()?, accepted?));
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
            origins: record
                .map(|record| record.origins.clone())
                .unwrap_or_default(),
            ..Found::default()
        });
    };
    let next_epoch = newest.head.epoch.next();
    let tries = match &newest.manifest.state {
        Some(_) => state::tries(store, identity, next_epoch)?,
        None => 0,
    };
    if decision == Decision::Adopt {
        return Ok(Found {
            counts: Some(newest),
            next_epoch,
            tries,
            is_marked,
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
        tries,
        is_marked,
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
    generation::check_owner(store, identity, (&manifest.pipeline, &manifest.dataflow))?;
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
