//! Another number of slots, without a new pipeline name: every slot of the generation in force is closed, then their
//! positions are dealt out anew as the next generation.
//!
//! ```text
//! for each old slot:   recover (fence, find, commit followers once more) ─► an epoch that closes the slot, without rows
//! then, in one put:    generation g+1 = positions of all closed slots, dealt out to the new ones by `owner`
//! ```
//! The closing epoch takes the slot's next number, so whoever else runs the slot is fenced, or loses that number; and
//! whoever recovers the slot afterwards finds it closed and stops. Nothing can follow it, so the merged positions are
//! the same for every run of the rescale: it may die anywhere and be started again, by several at once too. The put of the
//! record is the deciding act.
//!
//! With the same number of slots it changes the names at the other side: the old slots are closed under the names of before.
//! With none it ends the dataflow, and its positions wait in the record for whoever goes on from them.

use std::collections::BTreeMap;

use millrace_connector::{Epoch, Names, Origin, Positions};
use serde_json::Value;
use thiserror::Error;

use crate::generation::{self, FIRST, Generation};
use crate::manifest::Manifest;
use crate::protocol::{
    EpochCommit, NamedGroup, ProtocolError, commit_epoch, commit_genesis, commit_rest,
    discard_void, epochs, recover_in, renew_mark,
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
    names: Option<Names>,
    closed: BTreeMap<u32, Closed>,
}

#[derive(Debug)]
struct Closed {
    epoch: Epoch,
    positions: BTreeMap<String, Positions>,
    origins: BTreeMap<String, Origin>,
}

/// What a dataflow shall be from the next generation on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// How many slots; 0 ends it.
    pub slots: u32,
    /// The names of the deciding group; `None` = those that it has.
    pub names: Option<Names>,
}

/// Finds out what a change of a dataflow needs. Changes nothing.
///
/// # Errors
/// The store did not answer, or a slot has never run.
pub fn plan(
    store: &dyn Store,
    pipeline: &str,
    dataflow: &str,
    wanted: Wanted,
) -> Result<Plan, RescaleError> {
    let Wanted { slots, names } = wanted;
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
    let has_names = names.is_none() || names == from.names;
    if from.slots == slots && has_names && !is_closing {
        return Ok(Plan::Unchanged(from));
    }
    match never_ran {
        // The only slot may have died before its first checkpoint: nothing is known then, and nothing was read.
        Some(slot) if from.generation == FIRST && from.slots > 1 => Err(RescaleError::NeverRan {
            slot,
            slots: from.slots,
        }),
        _ => Ok(Plan::Change(Rescale {
            from,
            slots,
            names,
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
        accepted: Option<Epoch>,
        now_ms: i64,
    ) -> Result<(), RescaleError> {
        let identity = self.from.identity(slot);
        let slots = self.from.slots;
        let from = Some(&self.from);
        let (mut recovered, is_closed) = recover_in(store, &identity, from, groups, accepted)?;
        let mut last = recovered.checkpoint.take();
        if recovered.replay.is_some() {
            return Err(RescaleError::Lost { slot, slots });
        }
        let positions = recovered.positions;
        let origins = recovered.origins;
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
                origins: &origins,
                now_ms,
            };
            let mut epoch = recovered.next_epoch;
            if last.is_none() {
                // Its positions stand in the record of the generation: it was never started since the last rescale.
                if identity.generation == FIRST && slots > 1 {
                    return Err(RescaleError::NeverRan { slot, slots });
                }
                last = Some(commit_genesis(store, groups, &commit(epoch, None, false))?);
                epoch = epoch.next();
            }
            let closing = commit(epoch, last.as_ref(), true);
            last = Some(if recovered.void.is_empty() {
                commit_rest(store, groups, &closing)?
            } else {
                // Another process may be about to commit one of the proposals that look void: the sink has to decide.
                for named in groups.iter_mut() {
                    named.group.begin(epoch).map_err(ProtocolError::from)?;
                }
                if let Some(checkpoint) = last.as_ref().filter(|_| !recovered.is_marked) {
                    renew_mark(groups, &identity, checkpoint, epoch)?;
                }
                commit_epoch(store, groups, &closing)?
            });
            discard_void(groups, &recovered.void)?;
        }
        let names = groups.iter().find_map(|named| named.group.names());
        // Records of earlier builds do not tell the names that the slots had.
        self.names = self.names.take().or(self.from.names.clone()).or(names);
        let epoch = last.map(|last| last.epoch).unwrap_or_default();
        let closed = Closed {
            epoch,
            positions,
            origins,
        };
        self.closed.insert(slot, closed);
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
        let was = self.from.slots;
        let mut next = Generation {
            generation: self.from.generation + 1,
            slots: self.slots,
            names: self.names.or(self.from.names),
            ..self.from
        };
        if was > 0 {
            next.positions.clear();
        }
        for slot in 0..was {
            let closed = self.closed.get(&slot).expect("every slot is closed");
            next.last.insert(slot, closed.epoch);
            for (table, origin) in &closed.origins {
                let merged = next.origins.entry(table.clone());
                let merged = merged.or_insert_with(|| origin.clone());
                merge(&mut merged.0, &origin.0);
            }
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
        let names = next.names.clone();
        let there = next.put(store)?;
        if there.slots == self.slots && there.names == names {
            Ok(there)
        } else {
            Err(RescaleError::Other { slots: there.slots })
        }
    }
}

/// Adds what `more` has and `value` lacks: each slot knows of what it has seen.
fn merge(value: &mut Value, more: &Value) {
    if let (Value::Object(fields), Value::Object(more)) = (value, more) {
        for (name, more) in more {
            match fields.get_mut(name) {
                Some(field) => merge(field, more),
                None => drop(fields.insert(name.clone(), more.clone())),
            }
        }
    }
}
