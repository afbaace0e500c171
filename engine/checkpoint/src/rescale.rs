//! Another number of slots, without a new pipeline name: every slot of the generation in force is closed, then their
//! positions are dealt out anew as the next generation.
//!
//! ```text
//! for each old slot:   recover (fence, find, commit followers once more) ─► an epoch that closes the slot, without rows
//! then, in one put:    generation g+1 = positions of all closed slots, dealt out to the new ones by `owner`
//! ```
//! The closing epoch is committed as any other, so whoever else runs the slot is fenced, or loses its next number; and
//! whoever recovers the slot afterwards finds it closed and stops. Nothing can follow it, so the merged positions are
//! the same for every run of the rescale: it may die anywhere and be started again, by several at once too. The put of the
//! record is the deciding act.

use std::collections::BTreeMap;

use millrace_connector::{Epoch, Positions};
use thiserror::Error;

use crate::generation::{self, FIRST, Generation};
use crate::manifest::Manifest;
use crate::protocol::{
    EpochCommit, NamedGroup, ProtocolError, commit_epoch, commit_genesis, discard_void, epochs,
    recover_in,
};
use crate::{Identity, Store, manifest_path};

/// Why the number of slots cannot be changed now.
#[derive(Debug, Error)]
pub enum RescaleError {
    /// A step of the protocol failed.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// Nobody knows where the splits of a slot begin.
    #[error("slot {slot} of {slots} has no checkpoint: it has never run")]
    NeverRan {
        /// The slot.
        slot: u32,
        /// How many there are.
        slots: u32,
    },
    /// A sink threw away output that counts.
    #[error("a sink has thrown away output of slot {slot} of {slots} that counts")]
    Lost {
        /// The slot.
        slot: u32,
        /// How many there are.
        slots: u32,
    },
    /// Two slots say where one split goes on.
    #[error("slot {slot} and another both have read split '{split}' of '{table}'")]
    Twice {
        /// One of the slots.
        slot: u32,
        /// The source table.
        table: String,
        /// The split.
        split: String,
    },
    /// Somebody else has changed the number meanwhile.
    #[error("another rescale was first: there are {slots} slots now")]
    Other {
        /// How many there are.
        slots: u32,
    },
}

/// What there is to do.
#[derive(Debug)]
pub enum Plan {
    /// The dataflow has no checkpoint: it starts with any number of slots.
    NeverRan,
    /// There are as many slots as asked for.
    Unchanged(Generation),
    /// The slots are to be closed.
    Change(Rescale),
}

/// A rescale of one dataflow under way.
#[derive(Debug)]
pub struct Rescale {
    from: Generation,
    slots: u32,
    closed: BTreeMap<u32, Closed>,
}

#[derive(Debug)]
struct Closed {
    epoch: Epoch,
    positions: BTreeMap<String, Positions>,
}

/// Finds out what a change to `slots` slots of a dataflow needs. Changes nothing.
///
/// # Errors
/// The store did not answer, or a slot has never run.
pub fn plan(
    store: &dyn Store,
    pipeline: &str,
    dataflow: &str,
    slots: u32,
) -> Result<Plan, RescaleError> {
    let identity = Identity {
        pipeline: pipeline.to_owned(),
        dataflow: dataflow.to_owned(),
        generation: FIRST,
        slot: 0,
        slots,
    };
    let Some(from) = generation::in_force(store, &identity)? else {
        return Ok(Plan::NeverRan);
    };
    let mut is_closing = false;
    let mut never_ran = None;
    for slot in 0..from.slots {
        let identity = from.identity(slot);
        let Some(newest) = epochs(store, &identity).map_err(ProtocolError::from)?.pop() else {
            never_ran = never_ran.or(Some(slot));
            continue;
        };
        let bytes = store
            .get(&manifest_path(&identity, newest))
            .map_err(ProtocolError::from)?;
        let manifest = bytes.and_then(|bytes| Manifest::open(&bytes).ok());
        is_closing |= manifest
            .is_some_and(|(manifest, _)| manifest.closes && manifest.generation == from.generation);
    }
    // One that was begun and given up must be brought to an end, even if that is the number of before.
    if from.slots == slots && !is_closing {
        return Ok(Plan::Unchanged(from));
    }
    match never_ran {
        Some(slot) if from.generation == FIRST => Err(RescaleError::NeverRan {
            slot,
            slots: from.slots,
        }),
        _ => Ok(Plan::Change(Rescale {
            from,
            slots,
            closed: BTreeMap::new(),
        })),
    }
}

impl Rescale {
    /// Returns the generation that ends.
    #[must_use]
    pub fn from(&self) -> &Generation {
        &self.from
    }

    /// Closes a slot of the generation that ends, with its sinks opened under that slot's name. May be called again after
    /// an error, with sinks opened anew.
    ///
    /// # Errors
    /// As [`crate::protocol::recover`] and [`commit_epoch`]; another process of the slot may have come in between.
    pub fn close(
        &mut self,
        store: &dyn Store,
        slot: u32,
        groups: &mut [NamedGroup],
        now_ms: i64,
    ) -> Result<(), RescaleError> {
        let identity = self.from.identity(slot);
        let slots = self.from.slots;
        let (mut recovered, is_closed) = recover_in(store, &identity, Some(&self.from), groups)?;
        let mut last = recovered.checkpoint.take();
        if recovered.replay.is_some() {
            return Err(RescaleError::Lost { slot, slots });
        }
        let positions = recovered.positions;
        if !is_closed {
            let commit = |epoch, parent, closes| EpochCommit {
                identity: &identity,
                epoch,
                parent,
                from: &positions,
                to: &positions,
                replay: None,
                closes,
                state: recovered.state.as_ref(),
                now_ms,
            };
            let mut epoch = recovered.next_epoch;
            if last.is_none() {
                // Its positions stand in the record of the generation: it was never started since the last rescale.
                if identity.generation == FIRST {
                    return Err(RescaleError::NeverRan { slot, slots });
                }
                last = Some(commit_genesis(store, groups, &commit(epoch, None, false))?);
                epoch = epoch.next();
            }
            for named in groups.iter_mut() {
                named.group.begin(epoch).map_err(ProtocolError::from)?;
            }
            let closing = commit(epoch, last.as_ref(), true);
            last = Some(commit_epoch(store, groups, &closing)?);
            discard_void(groups, &recovered.void)?;
        }
        let epoch = last.map(|last| last.epoch).unwrap_or_default();
        self.closed.insert(slot, Closed { epoch, positions });
        Ok(())
    }

    /// Puts the next generation in force. Every slot is closed.
    ///
    /// # Errors
    /// The store did not answer, or another rescale was first.
    ///
    /// # Panics
    /// A slot is not closed.
    pub fn finish(self, store: &dyn Store) -> Result<Generation, RescaleError> {
        let mut next = Generation {
            generation: self.from.generation + 1,
            slots: self.slots,
            positions: BTreeMap::new(),
            ..self.from
        };
        for slot in 0..self.from.slots {
            let closed = self.closed.get(&slot).expect("every slot is closed");
            next.last.insert(slot, closed.epoch);
            for (table, positions) in &closed.positions {
                let merged = next.positions.entry(table.clone()).or_default();
                for (split, position) in positions {
                    if merged.insert(split.clone(), position.clone()).is_some() {
                        return Err(RescaleError::Twice {
                            slot,
                            table: table.clone(),
                            split: split.0.clone(),
                        });
                    }
                }
            }
        }
        let there = next.put(store)?;
        if there.slots == self.slots {
            Ok(there)
        } else {
            Err(RescaleError::Other { slots: there.slots })
        }
    }
}
