//! Where manifests lie: `<dir>/<pipeline>/<dataflow>/slot-<n>/chk-<epoch>/manifest.json`, and records of generations:
//! `<dir>/<pipeline>/<dataflow>/generations/<n>.json`.

use millrace_connector::Epoch;

/// Whose checkpoints these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataflow's name.
    pub dataflow: String,
    /// The generation of the split assignment.
    pub generation: u64,
    /// The slot, counted from 0.
    pub slot: u32,
    /// How many slots there are.
    pub slots: u32,
}

/// Returns the folder of all slots of a dataflow, without a slash at its end.
pub(crate) fn dataflow_prefix(identity: &Identity) -> String {
    format!(
        "{}/{}",
        segment(&identity.pipeline),
        segment(&identity.dataflow)
    )
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

/// Returns the number of a generation's record, or `None` for any other file.
pub(crate) fn generation_of(path: &str) -> Option<u64> {
    let (_, name) = path.strip_suffix(".json")?.rsplit_once('/')?;
    name.parse().ok()
}

/// Returns the epoch of a manifest's path, or `None` for any other file.
pub(crate) fn epoch_of(path: &str) -> Option<Epoch> {
    let folder = path.strip_suffix("/manifest.json")?;
    let (_, name) = folder.rsplit_once('/')?;
    name.strip_prefix("chk-")?.parse().ok().map(Epoch)
}

/// Returns `name` with everything but letters, digits, `-`, `_` and `.` replaced, so that it is one path segment anywhere.
fn segment(name: &str) -> String {
    let clean: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '_'
            }
        })
        .collect();
    if clean.trim_matches('.').is_empty() {
        format!("_{clean}")
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(path, "a_b_c/_../slot-2/chk-17/manifest.json");
        assert_eq!(epoch_of(&path), Some(Epoch(17)));
        assert_eq!(epoch_of("a/b/slot-2/chk-x/manifest.json"), None);
        assert_eq!(epoch_of("a/b/slot-2/chk-1/state.arrow"), None);
        let path = generation_path(&identity, 12);
        assert_eq!(path, "a_b_c/_../generations/12.json");
        assert_eq!(generation_of(&path), Some(12));
        assert_eq!(epoch_of(&path), None);
        assert_eq!(generation_of("a/generations/x.json"), None);
    }
}
