//! What to do with the newest manifest and the mark: pure, so that every case can be enumerated.

use millrace_connector::Epoch;
use millrace_connector::sink::Mark;
use thiserror::Error;

use crate::{DecidedBy, ParentRef};

/// What decides about a manifest, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestHead {
    /// Its epoch.
    pub epoch: Epoch,
    /// Its digest.
    pub digest: String,
    /// What makes it count.
    pub decided_by: DecidedBy,
    /// The checkpoint before.
    pub parent: Option<ParentRef>,
}

/// What recovery does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing was ever committed: begin where the startup mode says.
    Fresh,
    /// The newest manifest counts: go on from it, and commit what follows it once more.
    Adopt,
    /// The newest manifest is a proposal that never counted: drop it, go on from its parent.
    Void,
}

/// Facts that cannot all be true. Going on would lose or double rows, so nobody guesses.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Contradiction {
    /// The sink's transaction log is ahead of the checkpoints.
    #[error(
        "the output was committed up to epoch {mark}, but the newest checkpoint is {}",
        newest_text(newest)
    )]
    CheckpointsMissing {
        /// The mark's epoch.
        mark: Epoch,
        /// The newest manifest's epoch.
        newest: Option<Epoch>,
    },
    /// The sink has no mark, or an older one, though an epoch must have been committed.
    #[error(
        "epoch {expected} was committed, but the output's mark says {}",
        mark_text(found)
    )]
    MarkMissing {
        /// The epoch that must have been committed.
        expected: Epoch,
        /// The epoch of the mark.
        found: Option<Epoch>,
    },
    /// The mark speaks of another manifest of the same epoch.
    #[error(
        "the output's mark for epoch {epoch} belongs to another checkpoint (digest {mark}, here {manifest})"
    )]
    OtherManifest {
        /// The epoch.
        epoch: Epoch,
        /// The mark's digest.
        mark: String,
        /// The manifest's digest.
        manifest: String,
    },
    /// The sink has no mark at all, though one was made before the first proposal.
    #[error(
        "nobody can say whether epoch {proposal} was committed: the mark that the output keeps of it is gone"
    )]
    MarkLost {
        /// The epoch of the proposal.
        proposal: Epoch,
        /// The epoch before, which counts.
        before: Epoch,
    },
    /// The manifest waits for a transaction's word, but no sink of the file is transactional any more.
    #[error(
        "epoch {epoch} was to be decided by a Kafka transaction, but no sink is exactly-once on Kafka now"
    )]
    NoDecider {
        /// The epoch.
        epoch: Epoch,
    },
}

fn newest_text(newest: &Option<Epoch>) -> String {
    newest.map_or_else(|| "missing".into(), |epoch| format!("{epoch}"))
}

fn mark_text(found: &Option<Epoch>) -> String {
    found.map_or_else(
        || "nothing (it may have expired)".into(),
        |epoch| format!("{epoch}"),
    )
}

/// Returns what to do, given the newest manifest and the mark read after fencing. `has_decider` tells whether a sink's
/// transaction decides now; without one `mark` is `None`.
///
/// # Errors
/// A contradiction.
pub fn decide(
    newest: Option<&ManifestHead>,
    mark: Option<&Mark>,
    has_decider: bool,
) -> Result<Decision, Contradiction> {
    let Some(newest) = newest else {
        return match mark {
            None => Ok(Decision::Fresh),
            Some(mark) => Err(Contradiction::CheckpointsMissing {
                mark: mark.epoch,
                newest: None,
            }),
        };
    };
    if let Some(mark) = mark
        && mark.epoch > newest.epoch
    {
        return Err(Contradiction::CheckpointsMissing {
            mark: mark.epoch,
            newest: Some(newest.epoch),
        });
    }
    if newest.decided_by == DecidedBy::Manifest {
        return Ok(Decision::Adopt);
    }
    if !has_decider {
        return Err(Contradiction::NoDecider {
            epoch: newest.epoch,
        });
    }
    match mark {
        Some(mark) if mark.epoch == newest.epoch && mark.digest == newest.digest => {
            Ok(Decision::Adopt)
        }
        Some(mark) if mark.epoch == newest.epoch => Err(Contradiction::OtherManifest {
            epoch: mark.epoch,
            mark: mark.digest.clone(),
            manifest: newest.digest.clone(),
        }),
        Some(_) => Ok(Decision::Void),
        None => Err(Contradiction::MarkLost {
            proposal: newest.epoch,
            before: newest
                .parent
                .as_ref()
                .map(|parent| parent.epoch)
                .unwrap_or_default(),
        }),
    }
}

/// Checks that `parent`, which a void proposal was built on, was committed as the mark says.
///
/// # Errors
/// A contradiction: a proposal is only ever made after its parent counted.
pub fn check_parent(parent: &ManifestHead, mark: Option<&Mark>) -> Result<(), Contradiction> {
    if parent.decided_by == DecidedBy::Manifest {
        return Ok(());
    }
    match mark {
        Some(mark) if mark.epoch == parent.epoch && mark.digest == parent.digest => Ok(()),
        Some(mark) if mark.epoch == parent.epoch => Err(Contradiction::OtherManifest {
            epoch: mark.epoch,
            mark: mark.digest.clone(),
            manifest: parent.digest.clone(),
        }),
        other => Err(Contradiction::MarkMissing {
            expected: parent.epoch,
            found: other.map(|mark| mark.epoch),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(epoch: u64, decided_by: DecidedBy) -> ManifestHead {
        ManifestHead {
            epoch: Epoch(epoch),
            digest: format!("d{epoch}"),
            decided_by,
            parent: None,
        }
    }

    fn mark(epoch: u64, digest: &str) -> Mark {
        Mark {
            epoch: Epoch(epoch),
            generation: 1,
            slot: 0,
            digest: digest.into(),
        }
    }

    #[test]
    fn each_case_has_its_answer() {
        use DecidedBy::{Manifest, Transaction};
        type Case = (Option<ManifestHead>, Option<Mark>, bool, Option<Decision>);
        let cases: Vec<Case> = vec![
            (None, None, true, Some(Decision::Fresh)),
            (None, Some(mark(1, "d1")), true, None),
            (Some(head(0, Manifest)), None, true, Some(Decision::Adopt)),
            (Some(head(5, Manifest)), None, false, Some(Decision::Adopt)),
            (
                Some(head(5, Manifest)),
                Some(mark(4, "d4")),
                true,
                Some(Decision::Adopt),
            ),
            (Some(head(5, Manifest)), Some(mark(6, "d6")), true, None),
            (
                Some(head(5, Transaction)),
                Some(mark(5, "d5")),
                true,
                Some(Decision::Adopt),
            ),
            (Some(head(5, Transaction)), Some(mark(5, "x")), true, None),
            (
                Some(head(5, Transaction)),
                Some(mark(4, "d4")),
                true,
                Some(Decision::Void),
            ),
            // A mark is made before the first proposal, so it is lost.
            (Some(head(1, Transaction)), None, true, None),
            (
                Some(head(2, Transaction)),
                Some(mark(0, "d0")),
                true,
                Some(Decision::Void),
            ),
            (Some(head(5, Transaction)), Some(mark(6, "d6")), true, None),
            (Some(head(5, Transaction)), None, false, None),
        ];
        for (newest, mark, has_decider, expected) in cases {
            let got = decide(newest.as_ref(), mark.as_ref(), has_decider).ok();
            assert_eq!(got, expected, "{newest:?} {mark:?} {has_decider}");
        }
    }

    #[test]
    fn a_parent_without_its_mark_is_a_contradiction() {
        let parent = head(4, DecidedBy::Transaction);
        assert!(check_parent(&parent, Some(&mark(4, "d4"))).is_ok());
        assert!(check_parent(&parent, Some(&mark(4, "x"))).is_err());
        assert!(check_parent(&parent, Some(&mark(3, "d3"))).is_err());
        assert!(check_parent(&parent, None).is_err());
        assert!(check_parent(&head(0, DecidedBy::Manifest), None).is_ok());
    }
}
