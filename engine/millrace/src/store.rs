//! The checkpoint store of a run.

use std::sync::Arc;

use anyhow::Context;
use millrace_checkpoint::{Store, open_store};
use tokio::runtime::Handle;

use crate::settings::RunSettings;

/// Opens the store where the settings say.
pub(crate) fn open(settings: &RunSettings, runtime: Handle) -> anyhow::Result<Arc<dyn Store>> {
    let location = absolute(&settings.checkpoints)?;
    Ok(open_store(&location, &settings.store, runtime)?)
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
