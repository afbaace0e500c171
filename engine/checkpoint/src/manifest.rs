//! The small file that records one checkpoint.

use std::collections::BTreeMap;

use millrace_connector::sink::Committable;
use millrace_connector::{Epoch, Position, Positions, SplitId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::StateRecord;
use crate::generation::FIRST;

/// The newest version of the format that this build reads.
pub(crate) const FORMAT: u32 = 4;
/// What is written while it names no state: builds from before know none.
const FORMAT_WITHOUT_STATE: u32 = 3;
/// What is written while the number of slots has never changed: builds from before know no generations.
const FORMAT_WITHOUT_RESCALE: u32 = 2;
/// What is written while a manifest repeats nothing either, so that builds from before can read it.
const FORMAT_WITHOUT_REPLAY: u32 = 1;
/// The most bytes a manifest may have; a larger one is a bug or an attack.
pub(crate) const MANIFEST_BYTES_MAX: usize = 64 << 20;
/// How many hexadecimal digits of the SHA-256 a digest keeps.
const DIGEST_DIGITS: usize = 32;

/// One checkpoint of a dataflow in one slot: how far every source was read, and what its sinks prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The pipeline's name.
    pub pipeline: String,
    /// The dataflow's name.
    pub dataflow: String,
    /// The generation of the split assignment.
    pub generation: u64,
    /// The slot.
    pub slot: u32,
    /// How many slots there are.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub slots: u32,
    /// The epoch that it ends; 0 holds the positions before any row.
    pub epoch: Epoch,
    /// The checkpoint before; `None` for epoch 0.
    pub parent: Option<ParentRef>,
    /// What makes it count.
    pub decided_by: DecidedBy,
    /// For each source by table name, the half-open range of each split.
    pub sources: Ranges,
    /// What the sinks that follow the decision prepared.
    pub sinks: Vec<SinkRecord>,
    /// Set where it only repeats rows of earlier epochs that a sink had lost: the ranges that they were read from. Then
    /// `sources` goes no further than the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Ranges>,
    /// Set where it is the last one of its slot in its generation: nothing may be built on it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub closes: bool,
    /// The state of the operators at its end; `None` where the dataflow has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<StateRecord>,
    /// When it was made, milliseconds since the epoch; for people, never for decisions.
    pub created_ms: i64,
}

fn one() -> u32 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_one(slots: &u32) -> bool {
    *slots == 1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
fn is_false(closes: &bool) -> bool {
    !*closes
}

/// For each source by table name, the half-open range of each split.
pub type Ranges = BTreeMap<String, BTreeMap<SplitId, SplitRange>>;

/// A reference to the checkpoint before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentRef {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its digest.
    pub digest: String,
}

/// What makes a manifest count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecidedBy {
    /// That it exists.
    Manifest,
    /// The mark inside a sink's transaction; until then it is a proposal.
    Transaction,
}

/// What an epoch covers of one split: `[from, to)` in the connector's positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRange {
    /// The parent's `to`.
    pub from: Position,
    /// Where the next epoch begins.
    pub to: Position,
}

/// What one sink group prepared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkRecord {
    /// The group's key.
    pub group: String,
    /// Its handles.
    pub committable: Committable,
}

/// A manifest as it lies in the store.
#[derive(Clone, Debug)]
pub struct SealedManifest {
    /// The bytes of the file.
    pub bytes: Vec<u8>,
    /// The digest of its content.
    pub digest: String,
}

/// A manifest that cannot be used.
#[derive(Debug, Error)]
pub enum ManifestError {
    /// Not JSON of the right shape.
    #[error("the manifest cannot be read")]
    Syntax(#[source] serde_json::Error),
    /// Written by a later version.
    #[error("the manifest has format {found}, this build reads up to {FORMAT}")]
    Format {
        /// The format it has.
        found: u32,
    },
    /// Larger than any manifest may be.
    #[error("the manifest has {bytes} bytes, more than {MANIFEST_BYTES_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Its content is not what its digest says.
    #[error("the manifest is damaged: its content has digest {actual}, it says {stated}")]
    Digest {
        /// What it says.
        stated: String,
        /// What it has.
        actual: String,
    },
    /// Its ranges do not meet its parent's.
    #[error("split '{split}' of '{table}' begins at {from}, but its parent ended at {parent}")]
    Gap {
        /// The source table.
        table: String,
        /// The split.
        split: String,
        /// Where it begins.
        from: String,
        /// Where the parent ended.
        parent: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    digest: String,
    manifest: Box<RawValue>,
}

impl Manifest {
    /// Returns the file's bytes and digest.
    #[must_use]
    pub fn seal(&self) -> SealedManifest {
        let body = serde_json::value::to_raw_value(self).expect("a manifest has only string keys");
        let digest = digest(body.get());
        let envelope = Envelope {
            format: self.format(),
            digest: digest.clone(),
            manifest: body,
        };
        let bytes = serde_json::to_vec(&envelope).expect("an envelope has only string keys");
        SealedManifest { bytes, digest }
    }

    fn format(&self) -> u32 {
        if self.state.is_some() {
            FORMAT
        } else if self.closes || self.generation > FIRST {
            FORMAT_WITHOUT_STATE
        } else if self.replay.is_some() {
            FORMAT_WITHOUT_RESCALE
        } else {
            FORMAT_WITHOUT_REPLAY
        }
    }

    /// Returns the manifest in `bytes` and its digest.
    ///
    /// # Errors
    /// A file that is damaged, or of a later version.
    pub fn open(bytes: &[u8]) -> Result<(Self, String), ManifestError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(ManifestError::Syntax)?;
        if envelope.format > FORMAT {
            return Err(ManifestError::Format {
                found: envelope.format,
            });
        }
        let actual = digest(envelope.manifest.get());
        if actual != envelope.digest {
            return Err(ManifestError::Digest {
                stated: envelope.digest,
                actual,
            });
        }
        let manifest =
            serde_json::from_str(envelope.manifest.get()).map_err(ManifestError::Syntax)?;
        Ok((manifest, actual))
    }

    /// Returns the positions where the next epoch begins, by source table.
    #[must_use]
    pub fn positions(&self) -> BTreeMap<String, Positions> {
        self.sources
            .iter()
            .map(|(table, splits)| {
                let ends = splits
                    .iter()
                    .map(|(split, range)| (split.clone(), range.to.clone()));
                (table.clone(), ends.collect())
            })
            .collect()
    }

    /// Returns the ranges whose rows the prepared output holds.
    #[must_use]
    pub fn ranges(&self) -> &Ranges {
        self.replay.as_ref().unwrap_or(&self.sources)
    }

    /// Checks that every split begins where `parent` ended it. A split that the parent lacks is new.
    ///
    /// # Errors
    /// The first gap or overlap.
    pub fn check_continues(
        &self,
        parent: &BTreeMap<String, Positions>,
    ) -> Result<(), ManifestError> {
        for (table, splits) in &self.sources {
            for (split, range) in splits {
                let ended = parent.get(table).and_then(|positions| positions.get(split));
                if let Some(ended) = ended.filter(|ended| **ended != range.from) {
                    return Err(ManifestError::Gap {
                        table: table.clone(),
                        split: split.0.clone(),
                        from: range.from.0.to_string(),
                        parent: ended.0.to_string(),
                    });
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn digest(body: &str) -> String {
    let hash = Sha256::digest(body.as_bytes());
    let mut text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(DIGEST_DIGITS);
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn sample(epoch: u64, from: u64, to: u64) -> Manifest {
        let range = SplitRange {
            from: Position(from.into()),
            to: Position(to.into()),
        };
        Manifest {
            pipeline: "p".into(),
            dataflow: "d".into(),
            generation: 1,
            slot: 0,
            slots: 1,
            epoch: Epoch(epoch),
            parent: None,
            decided_by: DecidedBy::Manifest,
            sources: [("t".to_owned(), [(SplitId("t-0".into()), range)].into())].into(),
            sinks: Vec::new(),
            replay: None,
            closes: false,
            state: None,
            created_ms: 0,
        }
    }

    #[test]
    fn comes_back_as_it_was_sealed() {
        let manifest = sample(3, 10, 20);
        let sealed = manifest.seal();
        let (opened, digest) = Manifest::open(&sealed.bytes).unwrap();
        assert_eq!(opened, manifest);
        assert_eq!(digest, sealed.digest);
    }

    #[test]
    fn only_a_replay_needs_a_build_that_knows_of_it() {
        let format = |manifest: &Manifest| {
            let envelope: Envelope = serde_json::from_slice(&manifest.seal().bytes).unwrap();
            envelope.format
        };
        let mut manifest = sample(3, 20, 20);
        assert_eq!(format(&manifest), 1);
        assert_eq!(manifest.ranges(), &manifest.sources);
        let lost = sample(2, 10, 20).sources;
        manifest.replay = Some(lost.clone());
        assert_eq!(format(&manifest), 2);
        let (opened, _) = Manifest::open(&manifest.seal().bytes).unwrap();
        assert_eq!(opened.ranges(), &lost);
    }

    #[test]
    fn builds_that_know_no_generations_refuse_what_a_rescale_leaves() {
        let format = |manifest: &Manifest| {
            let envelope: Envelope = serde_json::from_slice(&manifest.seal().bytes).unwrap();
            envelope.format
        };
        let mut manifest = sample(3, 20, 20);
        manifest.closes = true;
        assert_eq!(format(&manifest), 3);
        assert!(Manifest::open(&manifest.seal().bytes).unwrap().0.closes);
        manifest.closes = false;
        manifest.generation = 2;
        assert_eq!(format(&manifest), 3);
    }

    #[test]
    fn builds_that_know_no_state_refuse_a_manifest_that_names_some() {
        let mut manifest = sample(3, 10, 20);
        manifest.state = Some(StateRecord::default());
        let sealed = manifest.seal();
        let envelope: Envelope = serde_json::from_slice(&sealed.bytes).unwrap();
        assert_eq!(envelope.format, 4);
        assert_eq!(Manifest::open(&sealed.bytes).unwrap().0, manifest);
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let sealed = sample(3, 10, 20).seal();
        for at in 0..sealed.bytes.len() {
            let mut bytes = sealed.bytes.clone();
            bytes[at] ^= 1;
            if let Ok((_, digest)) = Manifest::open(&bytes) {
                // Only the envelope's own words may change without touching the content.
                assert_eq!(digest, sealed.digest, "byte {at}");
            }
        }
    }

    #[test]
    fn refuses_ranges_that_do_not_meet() {
        let parent = sample(1, 0, 10).positions();
        sample(2, 10, 20).check_continues(&parent).unwrap();
        assert!(matches!(
            sample(2, 11, 20).check_continues(&parent),
            Err(ManifestError::Gap { .. })
        ));
        assert!(matches!(
            sample(2, 9, 20).check_continues(&parent),
            Err(ManifestError::Gap { .. })
        ));
    }
}
