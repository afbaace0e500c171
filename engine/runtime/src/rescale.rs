//! Changing the number of slots of a dataflow whose processes have stopped: closes the slots one after the other.

use std::time::Duration;

use millrace_checkpoint::Store;
use millrace_checkpoint::rescale::{Plan, Rescale, plan};
use millrace_connector::{Cancel, Retry};

use crate::attempt::{open_context, open_sinks};
use crate::{Clock, Dataflow, RunError, RuntimeOptions};

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

/// Changes a dataflow's number of slots to that of `options`. It may be ended at any moment and called again. Blocks.
///
/// # Errors
/// What the store or a sink said, or why the number cannot be changed now; slots that are closed stay closed.
pub fn rescale(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
    clock: &dyn Clock,
) -> Result<Rescaled, RunError> {
    if dataflow.operators.is_some() {
        return Err(RunError::StateInSlots {
            slots: options.slots,
        });
    }
    let mut rescale = match plan(store, &options.pipeline, &dataflow.name, options.slots)? {
        Plan::NeverRan => return Ok(Rescaled::NeverRan),
        Plan::Unchanged(_) => return Ok(Rescaled::Unchanged),
        Plan::Change(rescale) => rescale,
    };
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
    let ctx = open_context(dataflow, options, &Cancel::default());
    let (mut groups, _) = open_sinks(dataflow, &ctx)?;
    let closed = rescale.close(store, options.slot, &mut groups, clock.now_ms());
    ctx.cancel.cancel();
    Ok(closed?)
}
