//! What lies in a store: whose checkpoints, in which folders.

use std::collections::BTreeMap;

use millrace_connector::{Origin, Place, Positions};

use crate::generation::{Generation, in_force};
use crate::path::{dataflow_folder, epoch_of, lossy_pipeline_folder, pipeline_prefix};
use crate::protocol::{ProtocolError, epochs};
use crate::record::{DataflowRecord, TableRecord};
use crate::{DecidedBy, Identity, Manifest, Store, StoreError, manifest_path};

/// How many of a folder's manifests are looked at.
const LOOKS_MAX: usize = 8;

/// The checkpoints of one folder.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataflow's id.
    pub dataflow: String,
    /// The folder.
    pub folder: String,
    /// The newest manifest.
    pub newest: Manifest,
    /// Whether others have written there too: earlier builds gave one folder to names that look alike.
    pub is_shared: bool,
}

impl Surveyed {
    /// Tells whether the folder is the one that its names have now.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        self.folder == self.own_folder()
    }

    /// Returns the folder that its names have now.
    #[must_use]
    pub fn own_folder(&self) -> String {
        dataflow_folder(&self.pipeline, &self.dataflow)
    }

    /// Returns what is known of a dataflow by its manifest alone.
    #[must_use]
    pub fn assumed(&self) -> DataflowRecord {
        let source = |(key, splits): (&String, &BTreeMap<_, _>)| {
            let stems = splits.keys().map(stem);
            let place = Place {
                objects: stems
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                ..Place::default()
            };
            let table = TableRecord {
                name: key.clone(),
                place: Some(place),
                feeds: [self.dataflow.clone()].into(),
            };
            (key.clone(), table)
        };
        let sink = TableRecord {
            name: self.dataflow.clone(),
            ..TableRecord::default()
        };
        DataflowRecord {
            sources: self.newest.sources.iter().map(source).collect(),
            sinks: [(self.dataflow.clone(), sink)].into(),
            ..DataflowRecord::default()
        }
    }
}

/// Returns a split's name without its number: a topic's name.
fn stem(split: &millrace_connector::SplitId) -> String {
    let text = split.0.trim_end_matches(|c: char| c.is_ascii_digit());
    text.strip_suffix('-').unwrap_or(text).to_owned()
}

/// Returns the checkpoints below a folder, or of the whole store for an empty one.
///
/// # Errors
/// The store did not answer.
pub fn survey(store: &dyn Store, folder: &str) -> Result<Vec<Surveyed>, StoreError> {
    let mut folders: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for path in store.list(folder)? {
        let Some(epoch) = epoch_of(&path) else {
            continue;
        };
        let parts: Vec<&str> = path.splitn(3, '/').collect();
        if let [pipeline, dataflow, _] = parts[..] {
            let folder = format!("{pipeline}/{dataflow}");
            folders.entry(folder).or_default().push((epoch.0, path));
        }
    }
    let mut found = Vec::new();
    for (folder, mut paths) in folders {
        paths.sort_unstable();
        let mut newest: Option<Manifest> = None;
        let mut is_shared = false;
        for (_, path) in paths.iter().rev().take(LOOKS_MAX) {
            // Retention may remove one while it is looked at.
            let Some(bytes) = store.get(path)? else {
                continue;
            };
            let Ok((manifest, _)) = Manifest::open(&bytes) else {
                continue;
            };
            match &newest {
                None => newest = Some(manifest),
                Some(newest) => {
                    is_shared |= newest.pipeline != manifest.pipeline
                        || newest.dataflow != manifest.dataflow;
                }
            }
        }
        if let Some(newest) = newest {
            found.push(Surveyed {
                pipeline: newest.pipeline.clone(),
                dataflow: newest.dataflow.clone(),
                folder,
                newest,
                is_shared,
            });
        }
    }
    Ok(found)
}

/// Returns the checkpoints of a pipeline, also those in folders that earlier builds gave it.
///
/// # Errors
/// The store did not answer.
pub fn survey_pipeline(store: &dyn Store, pipeline: &str) -> Result<Vec<Surveyed>, StoreError> {
    let mut found = survey(store, &pipeline_prefix(pipeline))?;
    if let Some(lossy) = lossy_pipeline_folder(pipeline) {
        found.extend(survey(store, &lossy)?);
    }
    Ok(found)
}

/// Returns where a dataflow of a copied store certainly was: what only a sink could decide is left out.
///
/// # Errors
/// The store did not answer, or what lies there cannot be used.
pub fn certain_positions(
    store: &dyn Store,
    pipeline: &str,
    dataflow: &str,
) -> Result<Option<Generation>, ProtocolError> {
    let Some(mut generation) = in_force(store, &Identity::of(pipeline, dataflow))? else {
        return Ok(None);
    };
    for slot in 0..generation.slots {
        let identity = generation.identity(slot);
        let Some(newest) = epochs(store, &identity)?.pop() else {
            continue;
        };
        let bytes = store.get(&manifest_path(&identity, newest))?;
        let Some((manifest, _)) = bytes.and_then(|bytes| Manifest::open(&bytes).ok()) else {
            continue;
        };
        generation.last.insert(slot, newest);
        generation.origins.extend(manifest.origins.clone());
        for (table, positions) in certain(&manifest) {
            generation
                .positions
                .entry(table)
                .or_default()
                .extend(positions);
        }
    }
    Ok(Some(generation))
}

fn certain(manifest: &Manifest) -> BTreeMap<String, Positions> {
    if manifest.decided_by == DecidedBy::Manifest {
        return manifest.positions();
    }
    let begins = manifest.sources.iter().map(|(table, splits)| {
        let from = splits
            .iter()
            .map(|(split, range)| (split.clone(), range.from.clone()));
        (table.clone(), from.collect())
    });
    begins.collect()
}

/// Moves what belongs to a source to the key that it has in another dataflow.
#[must_use]
pub fn share_of(generation: &Generation, key: &str) -> (Positions, Option<Origin>) {
    let positions = generation.positions.get(key).cloned().unwrap_or_default();
    (positions, generation.origins.get(key).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[test]
    fn checkpoints_in_folders_of_earlier_builds_are_found_by_whose_they_are() {
        let store = MemoryStore::default();
        let mut manifest = crate::manifest::tests::sample(3, 1, 2);
        manifest.pipeline = "订单".into();
        let put = |path: &str, manifest: &Manifest| {
            let sealed = manifest.seal().bytes;
            store.put_if_absent(path, sealed).wait().unwrap();
        };
        put("__/d/slot-0/chk-3/manifest.json", &manifest);
        let found = survey_pipeline(&store, "订单").unwrap();
        assert_eq!(found.len(), 1);
        assert!(!found[0].is_in_place() && !found[0].is_shared);
        assert_eq!(
            found[0].assumed().sources["t"]
                .place
                .as_ref()
                .unwrap()
                .objects,
            ["t"]
        );
        // Another pipeline's, in the same folder.
        let other = survey_pipeline(&store, "日志").unwrap();
        assert_eq!(other[0].pipeline, "订单");
        manifest.pipeline = "日志".into();
        put("__/d/slot-0/chk-4/manifest.json", &manifest);
        assert!(survey_pipeline(&store, "订单").unwrap()[0].is_shared);
    }
}
