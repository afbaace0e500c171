//! One worker thread: reads its splits, runs its programs, writes. Shares nothing with other lanes on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TryRecvError};
use millrace_connector::sink::{SinkBatch, SinkWriter};
use millrace_connector::source::{Poll, PollLimit, SourceBatch, SplitReader, SplitStart};
use millrace_connector::{ConnectorError, Position, RowKind, SplitId};

use crate::stages::{Stage, StopWatch};
use crate::{ChangeForm, Clock, DataflowStatus, DropCause, RunError, Transform, Transformed};

/// What the coordinator asks of a lane.
#[derive(Debug)]
pub(crate) enum Command {
    /// Read these too.
    Assign(Vec<SplitStart>),
    /// Stop between two batches and tell the positions.
    Barrier,
    /// Go on.
    Resume,
    /// End the thread.
    Stop,
}

/// What a lane tells the coordinator.
#[derive(Debug)]
pub(crate) enum Event {
    /// It stands at the barrier.
    AtBarrier(BTreeMap<SplitId, Position>),
    /// All of its splits, so many, are read to their end; it waits for commands. A lane that has been given more splits
    /// meanwhile did not know of them when it said this.
    Finished(usize),
    /// It failed and is gone.
    Failed(RunError),
}

/// The longest a lane waits for a first record before it looks for commands.
const POLL_WAIT: Duration = Duration::from_millis(20);
/// How many batches a lane reads ahead while an epoch is committed.
const AHEAD_BATCHES_MAX: usize = 4;
/// The same for a first record while it stands at a barrier, where the end of the commit must not be missed.
const AHEAD_WAIT: Duration = Duration::from_millis(1);

pub(crate) struct Lane {
    pub(crate) id: u32,
    pub(crate) table: String,
    pub(crate) reader: Box<dyn SplitReader>,
    pub(crate) branches: Vec<LaneBranch>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) events: Sender<(u32, Event)>,
    pub(crate) status: Arc<DataflowStatus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limit: PollLimit,
    pub(crate) positions: BTreeMap<SplitId, Position>,
    pub(crate) watch: StopWatch,
}

pub(crate) struct LaneBranch {
    pub(crate) transform: Box<dyn Transform>,
    pub(crate) changes: ChangeForm,
    pub(crate) writer: Box<dyn SinkWriter>,
    pub(crate) sink_table: String,
}

/// A batch that is transformed, but not written.
struct Ready {
    /// For each branch, its rows and their kinds; empty for a batch without rows.
    outputs: Vec<(Transformed, Option<Vec<RowKind>>)>,
    positions: Vec<SplitStart>,
    records: u64,
    bytes: u64,
    skipped: u64,
}

enum Next {
    Go,
    Stop,
}

impl Lane {
    pub(crate) fn poll_limit(rows_max: usize, bytes_max: usize) -> PollLimit {
        PollLimit {
            rows_max,
            bytes_max,
            wait: POLL_WAIT,
        }
    }

    /// Runs until it is told to stop or fails.
    pub(crate) fn run(mut self) {
        self.watch = StopWatch::start(&*self.clock);
        let alarm = PanicAlarm {
            id: self.id,
            table: self.table.clone(),
            events: self.events.clone(),
        };
        if let Err(error) = self.work() {
            self.tell(Event::Failed(error));
        }
        drop(alarm);
    }

    fn work(&mut self) -> Result<(), RunError> {
        // Before the first assignment a bounded reader would take itself for finished.
        let Ok(first) = self.commands.recv() else {
            return Ok(());
        };
        if let Next::Stop = self.obey(first)? {
            return Ok(());
        }
        loop {
            loop {
                match self.commands.try_recv() {
                    Ok(command) => {
                        if let Next::Stop = self.obey(command)? {
                            return Ok(());
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            let polled = self.reader.poll(&self.limit);
            self.book(Stage::Read);
            match polled.map_err(|error| self.connector_error(error))? {
                Poll::Batch(batch) => self.process(batch)?,
                Poll::Idle => {}
                Poll::Finished => {
                    self.tell(Event::Finished(self.positions.len()));
                    let Ok(command) = self.commands.recv() else {
                        return Ok(());
                    };
                    if let Next::Stop = self.obey(command)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<Next, RunError> {
        match command {
            Command::Assign(splits) => self.assign(splits).map(|()| Next::Go),
            Command::Resume => Ok(Next::Go),
            Command::Stop => Ok(Next::Stop),
            Command::Barrier => self.stand_at_barrier(),
        }
    }

    fn stand_at_barrier(&mut self) -> Result<Next, RunError> {
        self.tell(Event::AtBarrier(self.positions.clone()));
        let mut held = Vec::new();
        loop {
            let command = match self.commands.try_recv() {
                Err(TryRecvError::Empty) => match self.read_ahead(&held) {
                    Some(ready) => {
                        held.push(ready);
                        continue;
                    }
                    None => self.commands.recv().ok(),
                },
                other => other.ok(),
            };
            match command {
                Some(Command::Assign(splits)) => self.assign(splits)?,
                Some(Command::Resume) => {
                    self.book(Stage::Commit);
                    for ready in held {
                        self.write(ready?)?;
                    }
                    return Ok(Next::Go);
                }
                Some(Command::Barrier) => self.tell(Event::AtBarrier(self.positions.clone())),
                Some(Command::Stop) | None => return Ok(Next::Stop),
            }
        }
    }

    fn assign(&mut self, splits: Vec<SplitStart>) -> Result<(), RunError> {
        self.reader
            .assign(&splits)
            .map_err(|error| self.connector_error(error))?;
        self.positions.extend(
            splits
                .into_iter()
                .map(|start| (start.split, start.position)),
        );
        Ok(())
    }

    fn process(&mut self, batch: SourceBatch) -> Result<(), RunError> {
        let ready = self.transform(batch)?;
        self.write(ready)
    }

    /// Runs the programs over a batch; nothing can be seen of it yet.
    fn transform(&mut self, batch: SourceBatch) -> Result<Ready, RunError> {
        let now_ms = self.clock.now_ms();
        let mut outputs = Vec::with_capacity(self.branches.len());
        // A batch without rows still moves positions: tombstones, transaction markers.
        for branch in self.branches.iter_mut().filter(|_| batch.rows > 0) {
            let out = branch
                .transform
                .run(&batch.columns, batch.rows, now_ms)
                .map_err(|(row, message)| RunError::Row {
                    table: self.table.clone(),
                    origin: batch.origin.describe(row),
                    message,
                })?;
            outputs.push(match kinds_of(&batch, &out) {
                None => (out, None),
                Some(kinds) => {
                    let (out, kinds) = branch.changes.apply(out, kinds);
                    (out, Some(kinds))
                }
            });
        }
        self.book(Stage::Transform);
        Ok(Ready {
            outputs,
            positions: batch.positions,
            records: batch.records,
            bytes: batch.bytes,
            skipped: batch.skipped,
        })
    }

    /// Hands a transformed batch to the sinks, and moves the positions behind it.
    fn write(&mut self, ready: Ready) -> Result<(), RunError> {
        let status = Arc::clone(&self.status);
        for (branch, (out, kinds)) in self.branches.iter_mut().zip(&ready.outputs) {
            status.drop_rows(&branch.sink_table, DropCause::NotNull, out.not_null_dropped);
            if out.rows == 0 {
                continue;
            }
            let rows = SinkBatch {
                columns: &out.columns,
                rows: out.rows,
                kinds: kinds.as_deref(),
            };
            let written = branch
                .writer
                .write(&rows)
                .map_err(|source| RunError::Connector {
                    table: branch.sink_table.clone(),
                    source,
                })?;
            DataflowStatus::add(&status.records_out, written.records);
            DataflowStatus::add(&status.bytes_out, written.bytes);
            status.drop_rows(&branch.sink_table, DropCause::BadRow, written.bad_rows);
        }
        self.book(Stage::Write);
        DataflowStatus::add(&status.records_in, ready.records);
        DataflowStatus::add(&status.bytes_in, ready.bytes);
        DataflowStatus::add(&status.records_skipped, ready.skipped);
        status.drop_rows(&self.table, DropCause::ParseError, ready.skipped);
        self.positions.extend(
            ready
                .positions
                .into_iter()
                .map(|start| (start.split, start.position)),
        );
        Ok(())
    }

    /// Reads and transforms while the epoch is committed. What it finds belongs to the next epoch: it is written, and
    /// the positions move, only after `Resume`. Returns `None` when there is nothing to be had, or enough is held.
    fn read_ahead(&mut self, held: &[Result<Ready, RunError>]) -> Option<Result<Ready, RunError>> {
        let bytes: u64 = held.iter().flatten().map(|ready| ready.bytes).sum();
        let failed = held.last().is_some_and(Result::is_err);
        if failed || held.len() >= AHEAD_BATCHES_MAX || bytes >= self.limit.bytes_max as u64 {
            return None;
        }
        let limit = PollLimit {
            wait: AHEAD_WAIT,
            ..self.limit
        };
        let polled = self.reader.poll(&limit);
        self.book(Stage::Read);
        match polled {
            Ok(Poll::Batch(batch)) => Some(self.transform(batch)),
            Ok(Poll::Idle | Poll::Finished) => None,
            Err(error) => Some(Err(self.connector_error(error))),
        }
    }

    fn connector_error(&self, source: ConnectorError) -> RunError {
        RunError::Connector {
            table: self.table.clone(),
            source,
        }
    }

    fn book(&mut self, stage: Stage) {
        self.watch.book(stage, &self.status.stages, &*self.clock);
    }

    fn tell(&self, event: Event) {
        // Nobody listens any more only when the attempt is over, and then nothing is to be told.
        drop(self.events.send((self.id, event)));
    }
}

fn kinds_of(batch: &SourceBatch, out: &Transformed) -> Option<Vec<RowKind>> {
    let kinds = batch.kinds.as_ref()?;
    Some(match &out.origins {
        None => kinds.clone(),
        Some(origins) => origins
            .iter()
            .map(|origin| kinds[*origin as usize])
            .collect(),
    })
}

/// Tells the coordinator when the thread unwinds, so that it does not wait for a dead lane.
struct PanicAlarm {
    id: u32,
    table: String,
    events: Sender<(u32, Event)>,
}

impl Drop for PanicAlarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let error = RunError::Panicked {
                lane: self.id,
                table: self.table.clone(),
            };
            drop(self.events.send((self.id, Event::Failed(error))));
        }
    }
}
