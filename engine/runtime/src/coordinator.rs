//! One dataflow from start to end: attempts, epochs, barriers, commits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use millrace_checkpoint::protocol::{EpochCommit, commit_epoch_after, discard_void, retire};
use millrace_checkpoint::{Store, retire_objects};
use millrace_connector::{Cancel, Epoch, Figure, Positions, Retry};

use crate::attempt::{Attempt, Surroundings, keep_own};
use crate::lane::{Command, Event};
use crate::replay;
use crate::restart::RestartPolicy;
use crate::snapshot::LaneSnapshot;
use crate::state::StateKeeper;
use crate::{Clock, Dataflow, DataflowStatus, Phase, RunError, RuntimeOptions};

/// How a run ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All sources are read to their end and everything is committed.
    Finished,
    /// It was asked to stop, and everything read so far is committed.
    Stopped,
}

/// How often the coordinator looks up from waiting.
pub(crate) const TICK: Duration = Duration::from_millis(10);
/// After the first rows, the first commit comes this soon, so that a start shows its first rows at once.
const FIRST_COMMIT_DELAY: Duration = Duration::from_millis(100);
/// How long a first start is tried again while a server does not answer.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How often the lag is asked for.
const LAG_INTERVAL: Duration = Duration::from_secs(2);
/// How often old checkpoints are removed.
const RETIRE_INTERVAL: Duration = Duration::from_secs(10);

/// Runs a dataflow until its sources end, `stop` is set, or it fails for good. Blocks; to be called on a thread of its own,
/// outside of any async runtime.
///
/// # Errors
/// The failure that no restart can mend.
pub fn run(
    dataflow: &Dataflow,
    options: &RuntimeOptions,
    store: &dyn Store,
    status: &Arc<DataflowStatus>,
    clock: &Arc<dyn Clock>,
    stop: &Cancel,
) -> Result<End, RunError> {
    if dataflow.operators.is_some() && options.slots > 1 {
        let slots = options.slots;
        return Err(RunError::StateInSlots { slots });
    }
    let around = Surroundings {
        dataflow,
        options,
        store,
        status,
        clock,
    };
    let mut policy = RestartPolicy::new(options.restart.clone());
    let begun = clock.monotonic();
    status.lag.store(-1, Ordering::Relaxed);
    loop {
        status.set_phase(Phase::Starting);
        let error = match attempt(&around, stop) {
            Ok(Some(end)) => {
                status.set_phase(Phase::Finished);
                return Ok(end);
            }
            Ok(None) => continue,
            Err(error) => error,
        };
        status.set_error(error.to_string());
        let wait = match error.retry() {
            Retry::Never => None,
            // A wrong address looks like a server that is down: before anything ever ran, somebody is waiting for the answer.
            Retry::Backoff | Retry::Restart
                if never_ran(status) && clock.monotonic() - begun > START_PATIENCE =>
            {
                None
            }
            Retry::Backoff | Retry::Restart => policy.after_failure(clock.monotonic()),
        };
        let Some(wait) = wait.filter(|_| !stop.is_cancelled()) else {
            status.set_phase(Phase::Failed);
            return Err(error);
        };
        status.set_phase(Phase::Waiting);
        DataflowStatus::add(&status.restarts, 1);
        tracing::warn!(dataflow = dataflow.name, error = %chain(&error), wait_ms = wait.as_millis(), "restarting from the last checkpoint");
        pause(clock.as_ref(), wait, stop);
    }
}

fn never_ran(status: &DataflowStatus) -> bool {
    !status.has_run.load(Ordering::Relaxed)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let part = error.to_string();
        if !text.ends_with(&part) {
            text = format!("{text}: {part}");
        }
        cause = error.source();
    }
    text
}

fn pause(clock: &dyn Clock, wait: Duration, stop: &Cancel) {
    let until = clock.monotonic() + wait;
    while clock.monotonic() < until && !stop.is_cancelled() {
        std::thread::sleep(TICK);
    }
}

/// Runs until the end, or until an epoch that was lost is written again: then the next attempt goes on from there.
fn attempt(around: &Surroundings<'_>, stop: &Cancel) -> Result<Option<End>, RunError> {
    let mut attempt = Attempt::open(around)?;
    let committed = attempt.recovered.next_epoch.0.saturating_sub(1);
    around.status.epoch.store(committed, Ordering::Relaxed);
    around.status.set_phase(Phase::Running);
    around.status.has_run.store(true, Ordering::Relaxed);
    let result = std::thread::scope(|scope| {
        let state = attempt.state_keeper(around, scope);
        match attempt.recovered.replay.take() {
            None => EpochLoop::new(around, &mut attempt, state)
                .run(stop)
                .map(Some),
            Some(lost) => replay::finish(around, &mut attempt, state, &lost, stop)
                .map(|is_done| (!is_done).then_some(End::Stopped)),
        }
    });
    attempt.cancel.cancel();
    attempt.close();
    if result.is_err() {
        let epoch = attempt.recovered.next_epoch;
        for named in &mut attempt.groups {
            // What cannot be thrown away now is aborted by the next attempt's fence.
            if let Err(error) = named.group.discard(epoch, None) {
                tracing::debug!(group = named.key, %error, "could not discard the epoch");
            }
        }
    }
    result
}

/// The epochs of one attempt.
struct EpochLoop<'a, 'b, 'scope> {
    around: &'a Surroundings<'b>,
    attempt: &'a mut Attempt,
    state: Option<StateKeeper<'scope, 'a>>,
    records_at_commit: u64,
    written_at_commit: u64,
    next_commit: Duration,
    next_lag: Duration,
    next_retire: Duration,
    next_discovery: Vec<Option<Duration>>,
    committed_once: bool,
    /// Whether this attempt has committed an epoch: then no older copy can commit any more.
    has_committed: bool,
}

impl<'a, 'b, 'scope> EpochLoop<'a, 'b, 'scope> {
    fn new(
        around: &'a Surroundings<'b>,
        attempt: &'a mut Attempt,
        state: Option<StateKeeper<'scope, 'a>>,
    ) -> Self {
        let now = around.clock.monotonic();
        let next_discovery = attempt
            .sources
            .iter()
            .map(|open| {
                open.source
                    .discovery_interval()
                    .map(|interval| now + interval)
            })
            .collect();
        let figures = around.status.snapshot();
        Self {
            state,
            records_at_commit: figures.records_in,
            written_at_commit: figures.records_out,
            next_commit: now + around.options.checkpoint_interval,
            next_lag: now,
            next_retire: now + RETIRE_INTERVAL,
            next_discovery,
            committed_once: false,
            has_committed: false,
            around,
            attempt,
        }
    }

    fn run(&mut self, stop: &Cancel) -> Result<End, RunError> {
        loop {
            self.wait()?;
            if stop.is_cancelled() {
                self.commit()?;
                return Ok(End::Stopped);
            }
            if self.attempt.lanes.iter().all(|lane| lane.finished) {
                self.commit()?;
                return Ok(End::Finished);
            }
            let now = self.around.clock.monotonic();
            if now >= self.next_commit {
                self.commit()?;
                self.attempt.tell_all(|| Command::Resume);
            }
            self.discover(now)?;
            self.housekeeping(now);
        }
    }

    /// Waits a tick for an event, and brings the first commit forward once rows are there.
    fn wait(&mut self) -> Result<(), RunError> {
        match self.attempt.events.recv_timeout(TICK) {
            Ok((lane, Event::Finished(splits))) => self.attempt.lane_finished(lane, splits),
            Ok((_, Event::Failed(error))) => return Err(error),
            Ok((_, Event::AtBarrier(_)))
            | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if !self.committed_once && self.records_in() > self.records_at_commit {
            self.committed_once = true;
            let soon = self.around.clock.monotonic() + FIRST_COMMIT_DELAY;
            self.next_commit = self.next_commit.min(soon);
        }
        Ok(())
    }

    fn records_in(&self) -> u64 {
        self.around.status.records_in.load(Ordering::Relaxed)
    }

    /// Ends the epoch: barrier, commit, begin of the next. Lanes stand still afterwards and wait for `Resume`.
    fn commit(&mut self) -> Result<(), RunError> {
        let clock = self.around.clock;
        let started = clock.monotonic();
        self.next_commit = started + self.around.options.checkpoint_interval;
        let Stopped { to, snapshot } = barrier(self.around, self.attempt)?;
        let records_out = self.around.status.records_out.load(Ordering::Relaxed);
        let is_quiet = self.records_in() == self.records_at_commit
            && records_out == self.written_at_commit
            && snapshot.as_ref().is_none_or(LaneSnapshot::is_unchanged);
        if to == self.attempt.positions && is_quiet {
            return Ok(());
        }
        let epoch = self.attempt.recovered.next_epoch;
        let uploads = match (&mut self.state, &snapshot) {
            (Some(keeper), Some(snapshot)) => keeper.commit(epoch, snapshot),
            _ => Vec::new(),
        };
        let recovered = &mut self.attempt.recovered;
        let commit = EpochCommit {
            identity: &self.attempt.identity,
            epoch: recovered.next_epoch,
            parent: recovered.checkpoint.as_ref(),
            from: &self.attempt.positions,
            to: &to,
            replay: None,
            closes: false,
            state: self.state.as_ref().map(StateKeeper::record),
            now_ms: clock.now_ms(),
        };
        let groups = &mut self.attempt.groups;
        let done = commit_epoch_after(self.around.store, groups, &commit, uploads)?;
        discard_void(
            &mut self.attempt.groups,
            &std::mem::take(&mut recovered.void),
        )?;
        recovered.next_epoch = done.epoch.next();
        recovered.checkpoint = Some(done);
        let next = recovered.next_epoch;
        self.attempt.positions = to;
        self.records_at_commit = self.records_in();
        self.written_at_commit = records_out;
        self.has_committed = true;
        if let Some(state) = &mut self.state {
            state.fold(next);
        }
        self.committed(next, started, records_out);
        for named in &mut self.attempt.groups {
            named
                .group
                .begin(next)
                .map_err(|source| RunError::Connector {
                    table: named.key.clone(),
                    source,
                })?;
        }
        self.publish();
        Ok(())
    }

    fn committed(&self, next: Epoch, started: Duration, records_out: u64) {
        let status = self.around.status;
        let took = self.around.clock.monotonic().saturating_sub(started);
        status.epoch.store(next.0 - 1, Ordering::Relaxed);
        status.checkpoint_ms.store(
            u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        status
            .checkpoint_at_ms
            .store(self.around.clock.now_ms(), Ordering::Relaxed);
        status
            .records_committed
            .store(records_out, Ordering::Relaxed);
        DataflowStatus::add(&status.checkpoints, 1);
    }

    /// Tells the sources' own systems how far the committed epoch has come.
    fn publish(&mut self) {
        for open in &mut self.attempt.sources {
            if let Err(error) = open.source.publish(&self.attempt.positions[&open.table]) {
                tracing::warn!(table = open.table, error = %chain(&error), "could not publish the committed positions");
            }
        }
    }

    fn discover(&mut self, now: Duration) -> Result<(), RunError> {
        for index in 0..self.attempt.sources.len() {
            if self.next_discovery[index].is_none_or(|at| now < at) {
                continue;
            }
            let open = &mut self.attempt.sources[index];
            self.next_discovery[index] = open
                .source
                .discovery_interval()
                .map(|interval| now + interval);
            let known = &self.attempt.positions[&open.table];
            let mut found = open
                .source
                .discover(known)
                .map_err(|source| RunError::Connector {
                    table: open.table.clone(),
                    source,
                })?;
            keep_own(&mut found, &open.table, self.around.options);
            if found.is_empty() {
                continue;
            }
            tracing::info!(table = open.table, splits = found.len(), "found new splits");
            let starts = found
                .iter()
                .map(|start| (start.split.clone(), start.position.clone()));
            let table = open.table.clone();
            self.attempt
                .positions
                .get_mut(&table)
                .expect("each source has positions")
                .extend(starts);
            self.attempt.assign(index, found);
        }
        Ok(())
    }

    fn housekeeping(&mut self, now: Duration) {
        if now >= self.next_lag {
            self.next_lag = now + LAG_INTERVAL;
            let attempt = &mut *self.attempt;
            let lags = attempt
                .sources
                .iter_mut()
                .map(|open| open.source.lag(&attempt.positions[&open.table]));
            let total = lags.collect::<Option<Vec<u64>>>().map_or(-1, |lags| {
                i64::try_from(lags.iter().sum::<u64>()).unwrap_or(i64::MAX)
            });
            self.around.status.lag.store(total, Ordering::Relaxed);
            let sources = attempt.sources.iter();
            let mut figures: Vec<Figure> = sources.flat_map(|open| open.source.figures()).collect();
            let groups = attempt.groups.iter();
            figures.extend(groups.flat_map(|named| named.group.figures()));
            self.around.status.set_figures(figures);
        }
        if now >= self.next_retire {
            self.next_retire = now + RETIRE_INTERVAL;
            let newest = self
                .attempt
                .recovered
                .checkpoint
                .as_ref()
                .map(|parent| parent.epoch)
                .unwrap_or_default();
            let retained = self.around.options.checkpoints_retained;
            let (store, identity) = (self.around.store, &self.attempt.identity);
            if let Err(error) = retire(store, identity, newest, retained) {
                tracing::warn!(error = %chain(&error), "could not remove old checkpoints");
            }
            if let Some(state) = self.state.as_ref().filter(|_| self.has_committed)
                && let Err(error) = retire_objects(store, identity, &state.pinned())
            {
                tracing::warn!(error = %chain(&error), "could not remove old state");
            }
        }
    }
}

/// What all lanes say at a barrier.
pub(crate) struct Stopped {
    /// The positions of all sources.
    pub(crate) to: BTreeMap<String, Positions>,
    /// The state of the operators' lane.
    pub(crate) snapshot: Option<LaneSnapshot>,
}

/// Stops all lanes between two batches.
pub(crate) fn barrier(
    around: &Surroundings<'_>,
    attempt: &mut Attempt,
) -> Result<Stopped, RunError> {
    let timeout = around.options.checkpoint_timeout;
    let deadline = around.clock.monotonic() + timeout;
    attempt.tell_all(|| Command::Barrier);
    let mut stopped = Stopped {
        to: attempt.positions.clone(),
        snapshot: None,
    };
    let mut waiting: Vec<bool> = vec![true; attempt.lanes.len()];
    while waiting.contains(&true) {
        match attempt.events.recv_timeout(TICK) {
            Ok((lane, Event::AtBarrier(standing))) => {
                waiting[lane as usize] = false;
                let sources = attempt.lanes[lane as usize].sources.iter();
                for (source, positions) in sources.zip(standing.positions) {
                    let table = &attempt.sources[*source].table;
                    let to = stopped.to.get_mut(table);
                    to.expect("each source has positions").extend(positions);
                }
                stopped.snapshot = standing.state.or(stopped.snapshot);
            }
            Ok((lane, Event::Finished(splits))) => attempt.lane_finished(lane, splits),
            Ok((_, Event::Failed(error))) => return Err(error),
            Err(_) if around.clock.monotonic() > deadline => {
                let epoch = attempt.recovered.next_epoch.0;
                return Err(RunError::CheckpointTimeout { epoch, timeout });
            }
            Err(_) => {}
        }
    }
    Ok(stopped)
}
