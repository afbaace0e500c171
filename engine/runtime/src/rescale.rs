//! Changing the number of slots of a dataflow whose processes have stopped, or its names at the other side, or ending it:
//! closes the slots one after the other.

use std::sync::Arc;
use std::time::Duration;

use millrace_checkpoint::rescale::{Plan, Rescale, Wanted, plan};
use millrace_checkpoint::{Generation, Store, generation_in_force};
use millrace_connector::sink::CommitRole;
use millrace_connector::{Cancel, Names, Retry, SinkSpec};
use millrace_state::StateError;

use crate::attempt::{open_context, open_sinks, recorded_names};
use crate::{Clock, Dataflow, RunError, RuntimeOptions, SinkInput};

/// What became of a dataflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rescaled {
    /// It has no checkpoint, so it starts with any number of slots.
    NeverRan,
    /// It had as many slots already.
    Unchanged,
    /// It has another number of slots now.
    Changed {
        /// How many there were.
        was: u32,
        /// The generation that is in force now.
        generation: u64,
        /// How many splits were dealt out.
        splits: usize,
    },
}

/// How often a slot is tried: its old process, started again by a supervisor, may take it back for a moment.
const TRIES_MAX: u32 = 10;
/// The wait between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Changes a dataflow's number of slots to that of `options`, and the names at the other side to those of the file. It may be
/// ended at any moment and called again. Blocks.
///
/// # Errors
/// What the store or a sink said, or why it cannot be changed now; slots that are closed stay closed.
pub fn rescale(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
    clock: &dyn Clock,
) -> Result<Rescaled, RunError> {
    if dataflow.operators.is_some() {
        let slots = options.slots;
        return Err(RunError::StateInSlots { slots });
    }
    let recorded = recorded_names(dataflow, options, store)?;
    let wanted = Wanted {
        slots: options.slots,
        names: wanted_names(dataflow, options, recorded.as_ref()),
    };
    change(dataflow, options, store, clock, wanted)
}

/// Ends a dataflow: nobody can commit anything of it any more. Returns the record in which its positions wait; `None` where
/// it has never run. It may be ended at any moment and called again. Blocks.
///
/// # Errors
/// As [`rescale`].
pub fn end(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
    clock: &dyn Clock,
) -> Result<Option<Generation>, RunError> {
    change(dataflow, options, store, clock, Wanted::default())?;
    Ok(generation_in_force(store, &options.pipeline, &dataflow.id)?)
}

/// Tells whether the file asks for other names at the other side than those that hold.
///
/// # Errors
/// What the store said.
pub fn has_other_names(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
) -> Result<bool, RunError> {
    let Some(recorded) = recorded_names(dataflow, options, store)? else {
        return Ok(false);
    };
    let wanted = wanted_names(dataflow, options, Some(&recorded));
    Ok(wanted.is_some_and(|wanted| wanted != recorded))
}

/// Returns the names that the deciding group should have by the file, given those that it has.
#[must_use]
pub fn wanted_names(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    recorded: Option<&Names>,
) -> Option<Names> {
    let specs = dataflow.sinks.iter().map(|sink| &*sink.spec);
    let deciders: Vec<&dyn SinkSpec> = specs
        .filter(|spec| spec.role() == CommitRole::Decides)
        .collect();
    let ctx = open_context(dataflow, options, None, &Cancel::default());
    deciders.first()?.names(&deciders, &ctx, recorded)
}

fn change(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
    clock: &dyn Clock,
    wanted: Wanted,
) -> Result<Rescaled, RunError> {
    let mut rescale = match plan(store, &options.pipeline, &dataflow.id, wanted)? {
        Plan::NeverRan => return Ok(Rescaled::NeverRan),
        Plan::Unchanged(_) => return Ok(Rescaled::Unchanged),
        Plan::Change(rescale) => rescale,
    };
    if dataflow.operators.is_some() {
        let text = "it would be closed and begun anew, which carries positions but no state";
        return Err(RunError::State(StateError::Foreign(text.to_owned())));
    }
    let was = rescale.from().slots;
    for slot in 0..was {
        let mut options = options.clone();
        options.slot = slot;
        close(dataflow, &options, store, clock, &mut rescale)?;
        tracing::info!(dataflow = dataflow.name, slot, slots = was, "slot closed");
    }
    let next = rescale.finish(store)?;
    Ok(Rescaled::Changed {
        was,
        generation: next.generation,
        splits: next.positions.values().map(|splits| splits.len()).sum(),
    })
}

fn close(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
    clock: &dyn Clock,
    rescale: &mut Rescale,
) -> Result<(), RunError> {
    let mut tries = 0;
    loop {
        let error = match try_close(dataflow, options, store, clock, rescale) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        tries += 1;
        let may_pass = error.is_fenced() || error.retry() != Retry::Never;
        if !may_pass || tries == TRIES_MAX {
            return Err(error);
        }
        tracing::warn!(
            dataflow = dataflow.name,
            slot = options.slot,
            %error,
            "another try to close the slot"
        );
        std::thread::sleep(PAUSE);
    }
}

fn try_close(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
    clock: &dyn Clock,
    rescale: &mut Rescale,
) -> Result<(), RunError> {
    let names = recorded_names(dataflow, options, store)?;
    let has_names = names.is_some();
    let ctx = open_context(dataflow, options, names, &Cancel::default());
    let (mut groups, _) = if has_names {
        open_sinks(&as_deciders(dataflow), &ctx)?
    } else {
        open_sinks(dataflow, &ctx)?
    };
    let accepted = options.accepted_mark;
    let closed = rescale.close(store, options.slot, &mut groups, accepted, clock.now_ms());
    ctx.cancel.cancel();
    Ok(closed?)
}

/// Returns the dataflow as it was while a sink of it decided, to settle what that sink knows.
pub(crate) fn as_deciders(dataflow: &Dataflow) -> Dataflow {
    let mut specs = dataflow.sinks.iter().map(|sink| sink.spec.role());
    let decides = specs.any(|role| role == CommitRole::Decides);
    let sink = |sink: &SinkInput| {
        let twin = sink.spec.as_decider().filter(|_| !decides);
        SinkInput {
            name: sink.name.clone(),
            spec: twin.map_or_else(|| Arc::clone(&sink.spec), Arc::from),
        }
    };
    Dataflow {
        name: dataflow.name.clone(),
        id: dataflow.id.clone(),
        names: dataflow.names.clone(),
        sources: Vec::new(),
        sinks: dataflow.sinks.iter().map(sink).collect(),
        operators: None,
    }
}
