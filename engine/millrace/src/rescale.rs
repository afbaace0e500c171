//! `millrace rescale`: another number of slots for a pipeline whose processes have stopped.

use clap::Args;
use millrace_connector::Cancel;
use millrace_plan::Origin;
use millrace_runtime::{Rescaled, SystemClock, rescale};

use crate::belongs::{self, BelongArgs};
use crate::cli::PipelineArgs;
use crate::failure::Failure;
use crate::settings::definitions::key;
use crate::{output, pipeline, run, store};

/// What to change.
#[derive(Clone, Debug, Args)]
pub(crate) struct RescaleArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    #[command(flatten)]
    belongs: BelongArgs,
    /// How many processes share the pipeline's splits from now on
    #[arg(long, value_name = "N")]
    slots: u32,
}

/// Changes the number of slots of every dataflow of a file.
pub(crate) fn command(args: &RescaleArgs) -> Result<u8, Failure> {
    let slots = args.slots;
    let pipeline = pipeline::load_with(&args.pipeline, |outside| {
        let mut set =
            |key: &str, value: &str| outside.settings.set(key, value, Origin::CommandLine);
        // Whichever of its processes the rest of the options is meant for.
        set(key::SLOTS, &slots.to_string());
        set(key::SLOT, "0");
    })?;
    let runtime = run::async_runtime()?;
    let store = store::open_checked(&pipeline.run, runtime.handle().clone(), &Cancel::default())?;
    let clock = SystemClock::default();
    let settled = belongs::settle(&pipeline, &store, &clock, &args.belongs, true)?;
    let options = &settled.options;
    let mut has_run = false;
    for dataflow in settled.flows {
        let rescaled = rescale(&dataflow, options, &*store, &clock)
            .map_err(|error| run::failed(&dataflow.name, error, &pipeline.text.name))?;
        has_run |= rescaled != Rescaled::NeverRan;
        output::line(format!("{}: {}", dataflow.name, told(rescaled, slots)));
    }
    if has_run {
        let processes = if slots == 1 { "process" } else { "processes" };
        output::line(format!(
            "start {slots} {processes} with '{}' = '{slots}'",
            key::SLOTS
        ));
    } else {
        output::line(format!(
            "no checkpoints of {} in {}: start with any number of slots",
            options.pipeline,
            store.location()
        ));
    }
    runtime.shutdown_background();
    Ok(0)
}

fn told(rescaled: Rescaled, slots: u32) -> String {
    let word = if slots == 1 { "slot" } else { "slots" };
    match rescaled {
        Rescaled::NeverRan => "has never run".to_owned(),
        Rescaled::Unchanged => format!("has {slots} {word} already"),
        Rescaled::Changed {
            was,
            generation,
            splits,
        } => {
            format!("{was} -> {slots} {word}, {splits} splits dealt out (generation {generation})")
        }
    }
}
