//! The checkpoint store of a run.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use millrace_checkpoint::{ConditionsError, Store, check_conditions, open_store};
use millrace_connector::Cancel;
use tokio::runtime::Handle;

use crate::failure::Failure;
use crate::settings::RunSettings;

/// How often it is looked whether the store has answered.
const TICK: Duration = Duration::from_millis(10);

/// Opens the store where the settings say.
pub(crate) fn open(settings: &RunSettings, runtime: Handle) -> anyhow::Result<Arc<dyn Store>> {
    let location = absolute(&settings.checkpoints)?;
    Ok(open_store(&location, &settings.store, runtime)?)
}

/// Opens the store for a run, and checks that it keeps what a run rests on.
pub(crate) fn open_checked(
    settings: &RunSettings,
    runtime: Handle,
    stop: &Cancel,
) -> Result<Arc<dyn Store>, Failure> {
    let store = open(settings, runtime)?;
    // On a thread, so that a store that does not answer holds no signal back.
    let checked = Arc::clone(&store);
    let check = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || check_conditions(&*checked))
        .context("cannot start a thread")?;
    while !check.is_finished() {
        if stop.is_cancelled() {
            let error = anyhow::anyhow!("stopped before the checkpoint store answered");
            return Err(Failure::coded("MR0810", error, None));
        }
        std::thread::sleep(TICK);
    }
    let Ok(outcome) = check.join() else {
        return Err(anyhow::anyhow!("the check of the checkpoint store panicked").into());
    };
    match outcome {
        Ok(()) => Ok(store),
        Err(ConditionsError::Store(error)) => {
            let help = error.permanent().map(str::to_owned);
            Err(Failure::coded("MR0810", error.into(), help))
        }
        Err(error @ ConditionsError::Ignored { .. }) => Err(Failure::coded(
            "MR0811",
            error.into(),
            Some("keep checkpoints in a store with conditional writes, or in a folder: two copies of a pipeline would both write here".to_owned()),
        )),
    }
}

/// Returns the location with a relative folder made absolute; addresses stay as they are.
pub(crate) fn absolute(location: &str) -> anyhow::Result<String> {
    if location.contains("://") {
        return Ok(location.to_owned());
    }
    let relative = location.strip_prefix("file:").unwrap_or(location);
    let path = std::path::absolute(relative)
        .with_context(|| format!("'{location}' is no folder for checkpoints"))?;
    // As the user's shell shows it, without `./` in the middle.
    let clean: std::path::PathBuf = path.components().collect();
    Ok(clean.display().to_string())
}
