//! `millrace checkpoints`: what lies in the checkpoint store.

use std::path::Path;

use anyhow::Context;
use comfy_table::{Table, presets};
use millrace_checkpoint::{DecidedBy, Manifest, Store, open_store};
use millrace_runtime::{Clock, SystemClock};

use crate::cli::PipelineArgs;
use crate::failure::Failure;
use crate::settings::{RunSettings, gather};
use crate::{output, pipeline, run, secrets, store};

/// What the name of every manifest's file ends with.
const MANIFEST: &str = "/manifest.json";

struct Found {
    path: String,
    manifest: Manifest,
}

/// Lists the checkpoints of a file's pipeline, or below a location.
pub(crate) fn command(args: &PipelineArgs, positions: bool) -> Result<u8, Failure> {
    let runtime = run::async_runtime()?;
    let (store, name) = open(args, runtime.handle())?;
    let mut found = read(&*store, name.as_deref())?;
    if found.is_empty() {
        output::line(format!(
            "no checkpoints of {} in {}",
            name.as_deref().unwrap_or("any pipeline"),
            store.location()
        ));
        return Ok(0);
    }
    let key = |one: &Found| {
        (
            one.manifest.pipeline.clone(),
            one.manifest.dataflow.clone(),
            one.manifest.slot,
            one.manifest.epoch,
        )
    };
    found.sort_by_key(key);
    output::print(&table(&found, SystemClock::default().now_ms()));
    if positions {
        for one in &found {
            output::print(&positions_of(one));
        }
    }
    output::line(format!("{} in {}", found.len(), store.location()));
    Ok(0)
}

type OpenStore = (std::sync::Arc<dyn Store>, Option<String>);

fn open(args: &PipelineArgs, runtime: &tokio::runtime::Handle) -> Result<OpenStore, Failure> {
    if is_location(&args.file) {
        let outside = gather(args, std::env::vars());
        secrets::note_settings(&outside.settings);
        secrets::note_text(&args.file.to_string_lossy());
        let settings = RunSettings::new(&outside.settings, &args.file).map_err(|diagnostics| {
            Failure::Refused {
                diagnostics,
                text: Default::default(),
            }
        })?;
        let location = store::absolute(&args.file.to_string_lossy())?;
        let store =
            open_store(&location, &settings.store, runtime.clone()).map_err(anyhow::Error::new)?;
        return Ok((store, None));
    }
    let pipeline = pipeline::load(args)?;
    let store = store::open(&pipeline.run, runtime.clone())?;
    Ok((store, Some(pipeline.run.runtime.pipeline)))
}

fn is_location(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().contains(":/")
}

fn read(store: &dyn Store, name: Option<&str>) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for path in store.list("")? {
        if !path.ends_with(MANIFEST) {
            continue;
        }
        // It may have been retired since the list was made.
        let Some(bytes) = store.get(&path)? else {
            continue;
        };
        let (manifest, _) = Manifest::open(&bytes).with_context(|| format!("checkpoint {path}"))?;
        if name.is_none_or(|name| manifest.pipeline == name) {
            found.push(Found { path, manifest });
        }
    }
    Ok(found)
}

fn table(found: &[Found], now_ms: i64) -> String {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header([
        "pipeline",
        "dataflow",
        "generation",
        "slot",
        "epoch",
        "made",
        "age",
        "splits",
        "counts when",
    ]);
    for one in found {
        let manifest = &one.manifest;
        let splits: usize = manifest
            .sources
            .values()
            .map(std::collections::BTreeMap::len)
            .sum();
        table.add_row([
            manifest.pipeline.clone(),
            manifest.dataflow.clone(),
            manifest.generation.to_string(),
            format!("{} of {}", manifest.slot, manifest.slots),
            manifest.epoch.to_string(),
            time(manifest.created_ms),
            age(now_ms - manifest.created_ms),
            splits.to_string(),
            counts_when(manifest),
        ]);
    }
    format!("{table}\n")
}

fn counts_when(manifest: &Manifest) -> String {
    let when = match manifest.decided_by {
        DecidedBy::Manifest => "it exists",
        DecidedBy::Transaction => "the sink's transaction says so",
    };
    let closes = if manifest.closes {
        "; closes the slot"
    } else {
        ""
    };
    format!("{when}{closes}")
}

fn positions_of(found: &Found) -> String {
    let mut text = format!("{}\n", found.path);
    for (table, splits) in &found.manifest.sources {
        for (split, range) in splits {
            text.push_str(&format!(
                "  {table} {split}: {} to {}\n",
                range.from.0, range.to.0
            ));
        }
    }
    text
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| format!("{at:.0}"))
}

fn age(ms: i64) -> String {
    match ms.max(0) / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
