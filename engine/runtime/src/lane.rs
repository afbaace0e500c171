//! One worker thread: reads its splits, runs its programs, writes. Shares nothing with other lanes on the way.

mod branches;
mod operators;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use millrace_connector::sink::{SinkBatch, SinkWriter};
use millrace_connector::source::{Poll, PollLimit, SourceBatch, SplitReader, SplitStart};
use millrace_connector::{ConnectorError, Position, RowKind, SplitId};

use crate::snapshot::LaneSnapshot;
use crate::stages::{Stage, StopWatch};
use crate::{Clock, DataflowStatus, RunError, Transformed};

pub(crate) use branches::LaneBranch;
pub(crate) use operators::{LaneOperators, LaneSource};

/// What the coordinator asks of a lane.
#[derive(Debug)]
pub(crate) enum Command {
    /// Read these too, with the reader of this number.
    Assign(usize, Vec<SplitStart>),
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
    AtBarrier(Standing),
    /// All of its splits, so many, are read to their end; it waits for commands. A lane that has been given more splits
    /// meanwhile did not know of them when it said this.
    Finished(usize),
    /// It failed and is gone.
    Failed(RunError),
}

/// What a lane says at a barrier.
#[derive(Debug)]
pub(crate) struct Standing {
    /// The positions of each reader.
    pub(crate) positions: Vec<BTreeMap<SplitId, Position>>,
    /// The state of its operators; `None` where it has none.
    pub(crate) state: Option<LaneSnapshot>,
}

/// The longest a lane waits for a first record before it looks for commands.
const POLL_WAIT: Duration = Duration::from_millis(20);
/// How many batches a lane reads ahead while an epoch is committed.
const AHEAD_BATCHES_MAX: usize = 4;
/// The same for a lane with operators: there the commit takes longer, since the state is packed first.
const AHEAD_BATCHES_OPERATORS_MAX: usize = 64;
/// The same for a first record while it stands at a barrier, where the end of the commit must not be missed.
const AHEAD_WAIT: Duration = Duration::from_millis(1);

/// With several readers, how long it waits for one of them while all have nothing.
const TURN_WAIT: Duration = Duration::from_millis(1);

pub(crate) struct Lane {
    pub(crate) id: u32,
    pub(crate) inputs: Vec<LaneInput>,
    pub(crate) work: LaneWork,
    /// By the number that outputs name.
    pub(crate) writers: Vec<LaneWriter>,
    pub(crate) commands: Receiver<Command>,
    pub(crate) events: Sender<(u32, Event)>,
    pub(crate) status: Arc<DataflowStatus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) limit: PollLimit,
    pub(crate) watch: StopWatch,
    /// The reader that is asked next.
    pub(crate) turn: usize,
}

/// A source as one lane reads it.
pub(crate) struct LaneInput {
    pub(crate) table: String,
    pub(crate) reader: Box<dyn SplitReader>,
    pub(crate) positions: BTreeMap<SplitId, Position>,
    pub(crate) is_assigned: bool,
    pub(crate) is_finished: bool,
}

impl LaneInput {
    pub(crate) fn new(table: &str, reader: Box<dyn SplitReader>) -> Self {
        Self {
            table: table.to_owned(),
            reader,
            positions: BTreeMap::new(),
            is_assigned: false,
            is_finished: false,
        }
    }

    fn error(&self, source: ConnectorError) -> RunError {
        RunError::Connector {
            table: self.table.clone(),
            source,
        }
    }
}

/// What happens to rows.
pub(crate) enum LaneWork {
    /// Each goes its own way.
    Branches(Vec<LaneBranch>),
    /// They meet.
    Operators(Box<LaneOperators>),
}

/// A sink as one lane writes it.
pub(crate) struct LaneWriter {
    pub(crate) table: String,
    pub(crate) writer: Box<dyn SinkWriter>,
}

/// Rows for a writer.
struct Output {
    writer: usize,
    rows: Transformed,
    kinds: Option<Vec<RowKind>>,
}

/// A batch that is transformed, but not written.
#[derive(Default)]
struct Ready {
    outputs: Vec<Output>,
    input: usize,
    positions: Vec<SplitStart>,
    records: u64,
    bytes: u64,
    skipped: u64,
}

/// What the readers gave.
enum Polled {
    /// Rows of a reader.
    Batch(usize, SourceBatch),
    /// Nothing in time.
    Idle,
    /// All are at their end.
    Finished,
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
            table: self.tables(),
            events: self.events.clone(),
        };
        if let Err(error) = self.work() {
            self.tell(Event::Failed(error));
        }
        drop(alarm);
    }

    fn tables(&self) -> String {
        let tables: Vec<&str> = self.inputs.iter().map(|input| &*input.table).collect();
        tables.join("', '")
    }

    fn work(&mut self) -> Result<(), RunError> {
        // Before the first assignment a bounded reader would take itself for finished.
        while self.inputs.iter().any(|input| !input.is_assigned) {
            let Ok(first) = self.commands.recv() else {
                return Ok(());
            };
            if let Next::Stop = self.obey(first)? {
                return Ok(());
            }
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
            let polled = self.poll(self.limit);
            self.book(Stage::Read);
            match polled? {
                Polled::Batch(input, batch) => self.process(input, batch)?,
                Polled::Idle => {}
                Polled::Finished => {
                    let splits = self.inputs.iter().map(|input| input.positions.len());
                    self.tell(Event::Finished(splits.sum()));
                    if let Next::Stop = self.await_command()? {
                        return Ok(());
                    }
                }
            }
            self.tick()?;
        }
    }

    /// Asks the readers in turn; the first that has rows is the answer. Only while none has, one of them waits.
    fn poll(&mut self, limit: PollLimit) -> Result<Polled, RunError> {
        let count = self.inputs.len();
        if count > 1 {
            let at_once = PollLimit {
                wait: Duration::ZERO,
                ..limit
            };
            for _ in 0..count {
                if let Some(found) = self.poll_next(at_once)? {
                    return Ok(found);
                }
            }
        }
        let wait = match count {
            1 => limit.wait,
            _ => limit.wait.min(TURN_WAIT),
        };
        if let Some(found) = self.poll_next(PollLimit { wait, ..limit })? {
            return Ok(found);
        }
        let is_finished = self.inputs.iter().all(|input| input.is_finished);
        Ok(if is_finished {
            Polled::Finished
        } else {
            Polled::Idle
        })
    }

    /// Asks the reader whose turn it is.
    fn poll_next(&mut self, limit: PollLimit) -> Result<Option<Polled>, RunError> {
        let index = self.turn;
        self.turn = (index + 1) % self.inputs.len();
        let input = &mut self.inputs[index];
        if input.is_finished {
            return Ok(None);
        }
        let polled = input.reader.poll(&limit);
        match polled.map_err(|error| input.error(error))? {
            Poll::Batch(batch) => return Ok(Some(Polled::Batch(index, batch))),
            Poll::Idle => {}
            Poll::Finished => input.is_finished = true,
        }
        Ok(None)
    }

    /// Waits for a command at the end of all splits; operators still see the time pass.
    fn await_command(&mut self) -> Result<Next, RunError> {
        loop {
            self.tick()?;
            let command = match self.work {
                LaneWork::Branches(_) => self.commands.recv().ok(),
                LaneWork::Operators(_) => match self.commands.recv_timeout(POLL_WAIT) {
                    Err(RecvTimeoutError::Timeout) => continue,
                    other => other.ok(),
                },
            };
            return command.map_or(Ok(Next::Stop), |command| self.obey(command));
        }
    }

    fn obey(&mut self, command: Command) -> Result<Next, RunError> {
        match command {
            Command::Assign(input, splits) => self.assign(input, splits).map(|()| Next::Go),
            Command::Resume => Ok(Next::Go),
            Command::Stop => Ok(Next::Stop),
            Command::Barrier => self.stand_at_barrier(),
        }
    }

    fn stand_at_barrier(&mut self) -> Result<Next, RunError> {
        let standing = self.standing()?;
        self.tell(Event::AtBarrier(standing));
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
                Some(Command::Assign(input, splits)) => self.assign(input, splits)?,
                Some(Command::Resume) => {
                    self.book(Stage::Commit);
                    for ready in held {
                        self.write(ready?)?;
                    }
                    return Ok(Next::Go);
                }
                Some(Command::Barrier) => {
                    // What was read ahead has gone into the operators already: their state is behind the barrier.
                    assert!(held.is_empty(), "an epoch ends with Resume");
                    let standing = self.standing()?;
                    self.tell(Event::AtBarrier(standing));
                }
                Some(Command::Stop) | None => return Ok(Next::Stop),
            }
        }
    }

    /// Ends the epoch on this side: what is held back is written, what has changed is handed over.
    fn standing(&mut self) -> Result<Standing, RunError> {
        let now_ms = self.clock.now_ms();
        let flushed = match &mut self.work {
            LaneWork::Branches(_) => None,
            LaneWork::Operators(operators) => Some(operators.flush(now_ms)?),
        };
        if let Some(outputs) = flushed {
            self.write_outputs(&outputs)?;
        }
        let state = match &mut self.work {
            LaneWork::Branches(_) => None,
            LaneWork::Operators(operators) => {
                self.status.set_operators(operators.figures());
                Some(operators.snapshot()?)
            }
        };
        let positions = self.inputs.iter().map(|input| input.positions.clone());
        Ok(Standing {
            positions: positions.collect(),
            state,
        })
    }

    fn assign(&mut self, index: usize, splits: Vec<SplitStart>) -> Result<(), RunError> {
        let input = &mut self.inputs[index];
        let assigned = input.reader.assign(&splits);
        assigned.map_err(|error| input.error(error))?;
        input.is_assigned = true;
        input.is_finished = false;
        if let LaneWork::Operators(operators) = &mut self.work {
            let now_ms = self.clock.now_ms();
            for start in &splits {
                operators.assign(index, &start.split, now_ms);
            }
        }
        let starts = splits.into_iter();
        let starts = starts.map(|start| (start.split, start.position));
        self.inputs[index].positions.extend(starts);
        Ok(())
    }

    fn process(&mut self, input: usize, batch: SourceBatch) -> Result<(), RunError> {
        let ready = self.transform(input, batch)?;
        self.write(ready)
    }

    /// Runs the programs over a batch; nothing can be seen of it yet.
    fn transform(&mut self, input: usize, mut batch: SourceBatch) -> Result<Ready, RunError> {
        let now_ms = self.clock.now_ms();
        let mut ready = Ready {
            input,
            positions: std::mem::take(&mut batch.positions),
            records: batch.records,
            bytes: batch.bytes,
            skipped: batch.skipped,
            ..Ready::default()
        };
        // A batch without rows still moves positions: tombstones, transaction markers.
        if batch.rows > 0 {
            ready.outputs = match &mut self.work {
                LaneWork::Branches(ways) => {
                    branches::run(ways, &self.inputs[input].table, &batch, now_ms)?
                }
                LaneWork::Operators(operators) => {
                    operators.batch(input, &ready.positions, batch, now_ms)?
                }
            };
        }
        self.book(Stage::Transform);
        Ok(ready)
    }

    /// Tells operators that time has passed, and which sources have ended.
    fn tick(&mut self) -> Result<(), RunError> {
        let LaneWork::Operators(operators) = &mut self.work else {
            return Ok(());
        };
        let now_ms = self.clock.now_ms();
        let mut outputs = operators.tick(now_ms)?;
        for (index, input) in self.inputs.iter().enumerate() {
            if input.is_finished {
                outputs.extend(operators.end(index, now_ms)?);
            }
        }
        self.write_outputs(&outputs)
    }

    /// Hands a transformed batch to the sinks, and moves the positions behind it.
    fn write(&mut self, ready: Ready) -> Result<(), RunError> {
        self.write_outputs(&ready.outputs)?;
        self.book(Stage::Write);
        let status = &self.status;
        DataflowStatus::add(&status.records_in, ready.records);
        DataflowStatus::add(&status.bytes_in, ready.bytes);
        DataflowStatus::add(&status.records_skipped, ready.skipped);
        let starts = ready.positions.into_iter();
        let starts = starts.map(|start| (start.split, start.position));
        self.inputs[ready.input].positions.extend(starts);
        Ok(())
    }

    fn write_outputs(&mut self, outputs: &[Output]) -> Result<(), RunError> {
        for Output {
            writer,
            rows,
            kinds,
        } in outputs
        {
            if rows.rows == 0 {
                continue;
            }
            let batch = SinkBatch {
                columns: &rows.columns,
                rows: rows.rows,
                kinds: kinds.as_deref(),
            };
            let LaneWriter { table, writer } = &mut self.writers[*writer];
            let written = writer.write(&batch).map_err(|source| RunError::Connector {
                table: table.clone(),
                source,
            })?;
            DataflowStatus::add(&self.status.records_out, written.records);
            DataflowStatus::add(&self.status.bytes_out, written.bytes);
        }
        Ok(())
    }

    /// Reads and transforms while the epoch is committed. What it finds belongs to the next epoch: it is written, and
    /// the positions move, only after `Resume`. Returns `None` when there is nothing to be had, or enough is held.
    fn read_ahead(&mut self, held: &[Result<Ready, RunError>]) -> Option<Result<Ready, RunError>> {
        let bytes: u64 = held.iter().flatten().map(|ready| ready.bytes).sum();
        let failed = held.last().is_some_and(Result::is_err);
        let batches_max = match self.work {
            LaneWork::Branches(_) => AHEAD_BATCHES_MAX,
            LaneWork::Operators(_) => AHEAD_BATCHES_OPERATORS_MAX,
        };
        if failed || held.len() >= batches_max || bytes >= self.limit.bytes_max as u64 {
            return None;
        }
        let limit = PollLimit {
            wait: AHEAD_WAIT,
            ..self.limit
        };
        let polled = self.poll(limit);
        self.book(Stage::Read);
        match polled {
            Ok(Polled::Batch(input, batch)) => Some(self.transform(input, batch)),
            Ok(Polled::Idle | Polled::Finished) => None,
            Err(error) => Some(Err(error)),
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
