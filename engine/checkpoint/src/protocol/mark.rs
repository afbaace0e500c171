//! The mark between epochs: made before the first proposal of a generation, renewed while a pipeline rests.
//!
//! A proposal is only ever made where a mark of its generation lies at the other side. So a mark that is missing beside a
//! proposal was lost, and is never taken for "nothing was committed".

use millrace_connector::Epoch;
use millrace_connector::sink::{CommitOutcome, CommitRole, Committable, Mark};

use super::{Loaded, NamedGroup, ProtocolError};
use crate::{Identity, ParentRef};

/// Commits a transaction without rows that marks `checkpoint`, which counts already. Every deciding group has begun epoch
/// `next` and nothing was written since; it has begun it again afterwards. Whoever is fenced cannot do this.
///
/// # Errors
/// What the sink said. After any error go through [`super::recover`].
pub fn renew_mark(
    groups: &mut [NamedGroup],
    identity: &Identity,
    checkpoint: &ParentRef,
    next: Epoch,
) -> Result<(), ProtocolError> {
    let mark = Mark {
        epoch: checkpoint.epoch,
        generation: identity.generation,
        slot: identity.slot,
        digest: checkpoint.digest.clone(),
    };
    for named in groups {
        if named.group.role() != CommitRole::Decides {
            continue;
        }
        match named.group.commit(next, &Committable::default(), &mark)? {
            CommitOutcome::Committed => named.group.begin(next)?,
            CommitOutcome::NotCommitted | CommitOutcome::Unknown | CommitOutcome::Lost(_) => {
                return Err(ProtocolError::Unknown {
                    epoch: checkpoint.epoch,
                });
            }
        }
    }
    Ok(())
}

/// Returns the mark that was lost, where somebody vouches for it: the newest proposal's, or that of the checkpoint before.
pub(super) fn accepted(newest: &Loaded, epoch: Epoch) -> Option<Mark> {
    let digest = if epoch == newest.head.epoch {
        newest.head.digest.clone()
    } else {
        let parent = newest.head.parent.as_ref()?;
        (parent.epoch == epoch).then(|| parent.digest.clone())?
    };
    Some(Mark {
        epoch,
        generation: newest.manifest.generation,
        slot: newest.manifest.slot,
        digest,
    })
}
