//! Writing again what a sink has lost: the recorded ranges, once more, for the members that lost them and nobody else.
//!
//! ```text
//! recover says who lost what ─► lanes read [from, to) of each split, branches to other sinks cut off
//!                            ─► an epoch of its own is committed: no position moves ─► a new attempt begins
//! ```

use std::collections::BTreeMap;

use crossbeam_channel::RecvTimeoutError;
use millrace_checkpoint::protocol::{EpochCommit, Replay, commit_epoch_after, discard_void};
use millrace_checkpoint::{PendingObject, StateRecord};
use millrace_connector::source::SplitStart;
use millrace_connector::{Cancel, ConnectorError, ErrorKind, Positions, Retry};

use crate::attempt::{Attempt, OpenSource, Surroundings};
use crate::coordinator::{Stopped, TICK, barrier};
use crate::lane::Event;
use crate::state::StateKeeper;
use crate::{Dataflow, DataflowStatus, RunError};

/// Returns where each source begins to read again, after it was told where to end.
pub(crate) fn bound_sources(
    sources: &mut [OpenSource],
    replay: &Replay,
) -> Result<BTreeMap<String, Vec<SplitStart>>, RunError> {
    let mut starts = BTreeMap::new();
    for (table, ranges) in &replay.ranges {
        let gone = || {
            RunError::Connector {
            table: table.clone(),
            source: ConnectorError::new(
                ErrorKind::Config,
                Retry::Never,
                "rows of this source are to be written again, but the file no longer reads it",
            )
            .help("start once with the file as it was before; when that has committed an epoch, the source may go"),
        }
        };
        let open = sources
            .iter_mut()
            .find(|open| open.table == *table)
            .ok_or_else(gone)?;
        let ends: Positions = ranges
            .iter()
            .map(|(split, range)| (split.clone(), range.to.clone()))
            .collect();
        open.source
            .stop_at(&ends)
            .map_err(|source| RunError::Connector {
                table: table.clone(),
                source: source.help(
                    "a sink has thrown away rows of an epoch that counts, and they cannot be read again: \
                     put them into its table by hand, or start from the checkpoint before, which writes them again to every sink",
                ),
            })?;
        let splits = ranges
            .iter()
            .filter(|(_, range)| range.from != range.to)
            .map(|(split, range)| SplitStart {
                split: split.clone(),
                position: range.from.clone(),
            });
        starts.insert(table.clone(), splits.collect());
    }
    Ok(starts)
}

/// Tells whether the member of a group lost its rows.
pub(crate) fn has_lost(replay: &Replay, key: &str, member: usize) -> bool {
    let mut lost = replay.lost.iter();
    lost.any(|(known, members)| known == key && members.contains(&member))
}

/// Waits until the ranges are read, and commits their epoch. Returns whether it came to that: not if `stop` was set.
pub(crate) fn finish(
    around: &Surroundings<'_>,
    attempt: &mut Attempt,
    state: Option<StateKeeper<'_, '_>>,
    replay: &Replay,
    stop: &Cancel,
) -> Result<bool, RunError> {
    tell(around.dataflow, attempt, replay);
    while !attempt.lanes.iter().all(|lane| lane.finished) {
        match attempt.events.recv_timeout(TICK) {
            Ok((lane, Event::Finished(splits))) => {
                attempt.lane_finished(lane, splits);
            }
            Ok((_, Event::Failed(error))) => return Err(error),
            Ok((_, Event::AtBarrier(_)))
            | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if stop.is_cancelled() {
            // Nothing is lost: the next start finds the same.
            return Ok(false);
        }
    }
    let (state, uploads) = match state {
        None => (None, Vec::new()),
        Some(keeper) => state_after(around, attempt, keeper, replay)?,
    };
    let recovered = &mut attempt.recovered;
    let commit = EpochCommit {
        identity: &attempt.identity,
        epoch: recovered.next_epoch,
        parent: recovered.checkpoint.as_ref(),
        from: &recovered.positions,
        to: &recovered.positions,
        replay: Some(&replay.ranges),
        closes: false,
        state: state.as_ref(),
        now_ms: around.clock.now_ms(),
    };
    commit_epoch_after(around.store, &mut attempt.groups, &commit, uploads)?;
    discard_void(&mut attempt.groups, &std::mem::take(&mut recovered.void))?;
    DataflowStatus::add(&around.status.replays, 1);
    Ok(true)
}

/// Returns the state that counts behind a replay.
///
/// The rows may have met in another order than the first time, and watermarks may have come between others. Where every
/// sink gets what the replay writes, the state that goes with it is the replay's. Where some keep what the first time wrote,
/// it is that of the first time.
fn state_after(
    around: &Surroundings<'_>,
    attempt: &mut Attempt,
    mut keeper: StateKeeper<'_, '_>,
    replay: &Replay,
) -> Result<(Option<StateRecord>, Vec<PendingObject>), RunError> {
    let Stopped { snapshot, .. } = barrier(around, attempt)?;
    let members: usize = replay.lost.iter().map(|(_, members)| members.len()).sum();
    if members == around.dataflow.sinks.len()
        && let Some(snapshot) = &snapshot
    {
        let uploads = keeper.commit(attempt.recovered.next_epoch, snapshot);
        return Ok((Some(keeper.record().clone()), uploads));
    }
    Ok((attempt.recovered.state.clone(), Vec::new()))
}

fn tell(dataflow: &Dataflow, attempt: &Attempt, replay: &Replay) {
    for (key, members) in &replay.lost {
        tracing::warn!(
            dataflow = dataflow.name,
            group = key,
            members = members.len(),
            epoch = attempt.recovered.next_epoch.0,
            "output that counts was thrown away before its commit; its rows are read and written again"
        );
    }
}
