//! Where manifests lie: `<dir>/<pipeline>/<dataflow>/slot-<n>/chk-<epoch>/manifest.json`, records of generations:
//! `<dir>/<pipeline>/<dataflow>/generations/<n>.json`, and records of the pipeline: `<dir>/<pipeline>/=record/<n>.json`.
//!
//! A name is one segment of a path, and two names are never the same one: what is not a letter, a digit, `-`, `_` or `.`
//! is written as `=` and two hexadecimal digits for each byte. `=` needs no escape of its own in any store, and the
//! spelling before, which put `_` for all of that, never had it.

use millrace_connector::Epoch;

use crate::manifest::digest;

/// The most bytes a segment has: file systems take 255.
const SEGMENT_BYTES_MAX: usize = 200;

/// Whose checkpoints these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataflow's id.
    pub dataflow: String,
    /// The generation of the split assignment.
    pub generation: u64,
    /// The slot, counted from 0.
    pub slot: u32,
    /// How many slots there are.
    pub slots: u32,
}

impl Identity {
    /// Returns slot 0 of a dataflow in whatever generation.
    pub(crate) fn of(pipeline: &str, dataflow: &str) -> Self {
        Self {
            pipeline: pipeline.to_owned(),
            dataflow: dataflow.to_owned(),
            generation: 0,
            slot: 0,
            slots: 0,
        }
    }
}

/// Returns the folder of a pipeline, without a slash at its end.
#[must_use]
pub fn pipeline_prefix(pipeline: &str) -> String {
    segment(pipeline)
}

/// Returns the folder of all slots of a dataflow, without a slash at its end.
pub(crate) fn dataflow_prefix(identity: &Identity) -> String {
    dataflow_folder(&identity.pipeline, &identity.dataflow)
}

/// Returns the folder of a dataflow, without a slash at its end.
pub(crate) fn dataflow_folder(pipeline: &str, dataflow: &str) -> String {
    format!("{}/{}", segment(pipeline), segment(dataflow))
}

/// Returns the folder that builds before 0.2 gave a pipeline, if it is another one.
pub(crate) fn lossy_pipeline_folder(pipeline: &str) -> Option<String> {
    let lossy = lossy_segment(pipeline);
    (lossy != segment(pipeline)).then_some(lossy)
}

/// Returns the folder of a slot, without a slash at its end.
#[must_use]
pub fn slot_prefix(identity: &Identity) -> String {
    format!("{}/slot-{}", dataflow_prefix(identity), identity.slot)
}

/// Returns the path of the manifest of `epoch`.
#[must_use]
pub fn manifest_path(identity: &Identity, epoch: Epoch) -> String {
    format!("{}/chk-{epoch}/manifest.json", slot_prefix(identity))
}

/// Returns the folder of a dataflow's generations, without a slash at its end.
pub(crate) fn generations_prefix(identity: &Identity) -> String {
    format!("{}/generations", dataflow_prefix(identity))
}

/// Returns the path of the record of a generation.
pub(crate) fn generation_path(identity: &Identity, generation: u64) -> String {
    format!("{}/{generation}.json", generations_prefix(identity))
}

/// Returns the folder of a pipeline's records, without a slash at its end. No dataflow's id is spelled so.
pub(crate) fn records_prefix(pipeline: &str) -> String {
    format!("{}/=record", segment(pipeline))
}

/// Returns the path of a record of a pipeline.
pub(crate) fn record_path(pipeline: &str, number: u64) -> String {
    format!("{}/{number}.json", records_prefix(pipeline))
}

/// Returns the number of a record, or `None` for any other file.
pub(crate) fn number_of(path: &str) -> Option<u64> {
    let (_, name) = path.strip_suffix(".json")?.rsplit_once('/')?;
    name.parse().ok()
}

/// Returns the epoch of a manifest's path, or `None` for any other file.
pub(crate) fn epoch_of(path: &str) -> Option<Epoch> {
    let folder = path.strip_suffix("/manifest.json")?;
    let (_, name) = folder.rsplit_once('/')?;
    name.strip_prefix("chk-")?.parse().ok().map(Epoch)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// Returns `name` as one segment of a path that no other name has.
fn segment(name: &str) -> String {
    // `.` and `..` mean folders, and an empty segment vanishes.
    let is_dots = name.bytes().all(|byte| byte == b'.');
    let mut spelled = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_plain(byte) && !is_dots {
            spelled.push(char::from(byte));
        } else {
            spelled.push_str(&format!("={byte:02X}"));
        }
    }
    if name.is_empty() {
        spelled.push('=');
    }
    if spelled.len() > SEGMENT_BYTES_MAX {
        // The digest stands behind a `-`, which is no hexadecimal digit.
        let tail = format!("=-{}", digest(name));
        spelled.truncate(SEGMENT_BYTES_MAX - tail.len());
        spelled.push_str(&tail);
    }
    spelled
}

/// Returns `name` as builds before 0.2 spelled it: with `_` for everything but letters, digits, `-`, `_` and `.`.
fn lossy_segment(name: &str) -> String {
    let plain = |c: char| u8::try_from(c).is_ok_and(is_plain);
    let clean: String = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    if clean.trim_matches('.').is_empty() {
        format!("_{clean}")
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_tells_its_epoch() {
        let identity = Identity {
            pipeline: "a/b c".into(),
            dataflow: "..".into(),
            generation: 1,
            slot: 2,
            slots: 3,
        };
        let path = manifest_path(&identity, Epoch(17));
        assert_eq!(path, "a=2Fb=20c/=2E=2E/slot-2/chk-17/manifest.json");
        assert_eq!(epoch_of(&path), Some(Epoch(17)));
        assert_eq!(epoch_of("a/b/slot-2/chk-x/manifest.json"), None);
        assert_eq!(epoch_of("a/b/slot-2/chk-1/state.arrow"), None);
        let path = generation_path(&identity, 12);
        assert_eq!(path, "a=2Fb=20c/=2E=2E/generations/12.json");
        assert_eq!(number_of(&path), Some(12));
        assert_eq!(epoch_of(&path), None);
        assert_eq!(number_of("a/generations/x.json"), None);
    }

    #[test]
    fn names_that_looked_alike_have_folders_of_their_own() {
        let names = [
            "订单同步",
            "日志同步",
            "____",
            "a b",
            "a_b",
            "a/b",
            "a=20b",
            "",
            "=",
            "_",
            ".",
            "..",
        ];
        let folders: BTreeSet<String> = names.iter().map(|name| segment(name)).collect();
        assert_eq!(folders.len(), names.len(), "{folders:?}");
        // What was plain stays where it was.
        assert_eq!(lossy_pipeline_folder("filebeat_sync"), None);
        assert_eq!(
            lossy_pipeline_folder("订单").as_deref(),
            Some("__"),
            "as 0.1.0 spelled it"
        );
    }

    proptest! {
        #[test]
        fn no_two_names_share_a_folder(a in ".{0,90}", b in ".{0,90}") {
            let (spelled, other) = (segment(&a), segment(&b));
            prop_assert_eq!(spelled == other, a == b);
            prop_assert!(!spelled.is_empty() && spelled.len() <= SEGMENT_BYTES_MAX);
            prop_assert!(!spelled.contains('/') && spelled != "=record");
        }
    }
}
