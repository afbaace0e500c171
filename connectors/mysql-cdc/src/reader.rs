//! The reader on its lane: waves of the snapshot, the stream, batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millrace_connector::source::{Poll, PollLimit, SourceBatch, SplitReader, SplitStart};
use millrace_connector::{ConnectorError, SplitId};
use parking_lot::Mutex;

use crate::config::{Config, Startup};
use crate::definition::TableName;
use crate::failover::other_server;
use crate::figures::ReadFigures;
use crate::out::{Layout, Out, snapshot_batch};
use crate::position::State;
use crate::server::Server;
use crate::snapshot::{Chunk, Cutter, Replay, Request, note};
use crate::source::{Opener, SPLIT, no_snapshot_again};
use crate::stream::{Step, Stream};
use crate::watch;

/// A batch ends after so many rows,
const ROWS_MAX: usize = 8192;
/// or so many bytes,
const BYTES_MAX: usize = 1 << 20;
/// or so long after its first row.
const AGE_MAX: Duration = Duration::from_millis(50);
/// The position moves on at least this often.
const PROGRESS_MAX: Duration = Duration::from_secs(10);

/// What was opened and is to be read.
pub(crate) struct Opened {
    pub(crate) server: Server,
    pub(crate) stream: Stream,
    /// Where it begins.
    pub(crate) state: State,
    /// Tables that the checkpoint does not know.
    pub(crate) unknown: Vec<TableName>,
}

/// What was opened, until a reader takes it.
pub(crate) type Shared = Arc<Mutex<Option<Opened>>>;

/// The reader of one lane.
pub(crate) struct Reader {
    opener: Opener,
    shared: Shared,
    /// A recorded range is read once more, up to here.
    end: Option<State>,
    active: Option<Active>,
}

impl Reader {
    pub(crate) fn new(opener: Opener, shared: Shared, end: Option<State>) -> Self {
        Self {
            opener,
            shared,
            end,
            active: None,
        }
    }

    /// Begins a recorded range once more.
    fn begin_again(&self, start: &SplitStart, end: &State) -> Result<Active, ConnectorError> {
        let opened = self.opener.prepare(Some(&start.position))?;
        let state = &opened.state;
        if state.snapshot.is_some() {
            return Err(no_snapshot_again());
        }
        if opened.server.identity != end.server || state.server != end.server {
            let config = &self.opener.config;
            return Err(other_server(config, &opened.server.identity, &end.server));
        }
        let mut active = Active::new(self, opened)?;
        active.end = Some(end.clone());
        Ok(active)
    }
}

impl SplitReader for Reader {
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError> {
        let Some(start) = splits.first() else {
            return Ok(());
        };
        if let Some(end) = &self.end {
            self.active = Some(self.begin_again(start, end)?);
            return Ok(());
        }
        let Some(opened) = self.shared.lock().take() else {
            return Ok(());
        };
        self.active = Some(Active::new(self, opened)?);
        Ok(())
    }

    fn poll(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        let is_bounded = self.end.is_some() || self.opener.config.startup == Startup::Snapshot;
        match &mut self.active {
            Some(active) => active.poll(limit),
            None if is_bounded => Ok(Poll::Finished),
            None => {
                std::thread::sleep(limit.wait);
                Ok(Poll::Idle)
            }
        }
    }
}

/// A stream that is read, and the snapshot beside it.
struct Active {
    config: Arc<Config>,
    layout: Arc<Layout>,
    stream: Stream,
    out: Out,
    cutter: Option<Cutter>,
    /// A wave was asked for and is not there yet.
    awaits: bool,
    /// Chunks at their high mark.
    ready: VecDeque<Chunk>,
    /// Where a range that is read once more ends.
    end: Option<State>,
    /// A bounded read is over.
    finished: bool,
    /// What to tell when the rows before it are out.
    failed: Option<ConnectorError>,
    told: State,
    told_at: Instant,
}

impl Active {
    fn new(reader: &Reader, opened: Opened) -> Result<Self, ConnectorError> {
        let Opened {
            server,
            mut stream,
            state,
            ..
        } = opened;
        let Opener {
            config,
            layout,
            ctx,
            figures,
            ..
        } = &reader.opener;
        stream.figures = Arc::clone(figures);
        watch::start(config, figures, &ctx.cancel);
        let mut cutter = None;
        if let Some(progress) = state.snapshot.clone().filter(|_| !state.finished) {
            let declared = &layout.declared;
            let emits = config.startup != Startup::Snapshot;
            stream.replay = Some(Replay::new(config, declared, progress, emits));
            cutter = Some(Cutter::start(
                config,
                &server,
                declared,
                figures,
                &ctx.cancel,
            )?);
            figures.has_snapshot.store(true, Ordering::Relaxed);
            let tables = state.snapshot.iter().map(|progress| progress.tables.len());
            ReadFigures::set(&figures.tables_left, tables.sum::<usize>() as u64);
        }
        Ok(Self {
            config: Arc::clone(config),
            layout: Arc::clone(layout),
            stream,
            out: Out::new(Arc::clone(layout)),
            cutter,
            awaits: false,
            ready: VecDeque::new(),
            end: None,
            finished: state.finished,
            failed: None,
            told: state,
            told_at: Instant::now(),
        })
    }

    fn poll(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        if self.finished {
            return Ok(Poll::Finished);
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if let Some(chunk) = self.ready.pop_front() {
            return Ok(Poll::Batch(self.chunk_batch(chunk)));
        }
        if self.stream.replay.is_some() {
            return self.poll_snapshot(limit);
        }
        self.poll_stream(limit)
    }

    /// Goes on with the snapshot: asks for a wave, brings it to its high mark, hands it on.
    fn poll_snapshot(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        let Some(replay) = &mut self.stream.replay else {
            return Ok(Poll::Idle);
        };
        if replay.is_done() {
            self.stream.replay = None;
            self.cutter = None;
            self.stream
                .figures
                .has_snapshot
                .store(false, Ordering::Relaxed);
            tracing::info!(table = self.config.table, place = %self.stream.at(), "the snapshot is done");
            self.finished = self.config.startup == Startup::Snapshot;
            return Ok(Poll::Batch(self.batch()));
        }
        if replay.high().is_none() {
            if !self.awaits {
                let progress = replay.progress.clone();
                self.ask(progress);
            }
            let wave = match &self.cutter {
                Some(cutter) => cutter.wave(limit.wait)?,
                None => None,
            };
            let Some(wave) = wave else {
                return Ok(Poll::Idle);
            };
            self.awaits = false;
            if let Some(replay) = &mut self.stream.replay {
                replay.begin(wave);
            }
            return Ok(Poll::Idle);
        }
        if !self.is_at_high_mark() {
            return self.poll_stream(limit);
        }
        self.end_wave();
        // Changes of before the mark come before its rows.
        match self.out.rows() {
            0 => Ok(Poll::Idle),
            _ => Ok(Poll::Batch(self.batch())),
        }
    }

    fn is_at_high_mark(&self) -> bool {
        let high = self.stream.replay.as_ref().and_then(Replay::high);
        self.stream.is_between() && high.is_some_and(|high| self.stream.at().reaches(high))
    }

    fn end_wave(&mut self) {
        let Some(replay) = &mut self.stream.replay else {
            return;
        };
        let chunks = replay.end();
        let mut progress = replay.progress.clone();
        if replay.is_void {
            tracing::debug!(
                table = self.config.table,
                "reading a wave of chunks once more"
            );
        } else {
            for chunk in &chunks {
                note(&mut progress, &chunk.table, &chunk.after);
            }
            self.ready = chunks.into();
        }
        if !progress.tables.is_empty() {
            self.ask(progress);
        }
    }

    fn ask(&mut self, progress: crate::position::SnapshotProgress) {
        if let Some(cutter) = &self.cutter {
            self.awaits = true;
            cutter.ask(Request {
                progress,
                behind: (self.stream.gtids().clone(), self.stream.at().clone()),
            });
        }
    }

    fn poll_stream(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError> {
        let begin = Instant::now();
        let rows_max = limit.rows_max.min(ROWS_MAX);
        let bytes_max = limit.bytes_max.min(BYTES_MAX);
        loop {
            let has_rows = self.out.rows() > 0;
            let age = begin.elapsed();
            let time = if has_rows {
                Duration::ZERO
            } else {
                limit.wait.saturating_sub(age)
            };
            let step = match self.stream.step(time, &mut self.out) {
                Ok(step) => step,
                Err(error) if self.out.rows() > 0 => {
                    self.failed = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            };
            self.note_changes();
            self.make_room();
            if let Some(end) = &self.end
                && self.stream.has_reached(end)?
            {
                self.finished = true;
                return Ok(Poll::Batch(self.batch()));
            }
            let is_full = self.out.rows() >= rows_max || self.out.columns.bytes() >= bytes_max;
            let is_old = age >= if has_rows { AGE_MAX } else { limit.wait };
            if step == Step::Idle || is_full || is_old || self.is_at_high_mark() {
                break;
            }
        }
        self.stream.tell_reached();
        if self.out.rows() > 0 {
            return Ok(Poll::Batch(self.batch()));
        }
        if self.told_at.elapsed() >= self.config.heartbeat.min(PROGRESS_MAX) {
            let state = self.state();
            if state != self.told {
                return Ok(Poll::Batch(self.batch()));
            }
            self.told_at = Instant::now();
        }
        Ok(Poll::Idle)
    }

    /// Where connections are few, the stream goes before the readers of the snapshot.
    fn make_room(&mut self) {
        if !std::mem::take(&mut self.stream.lacks_room) {
            return;
        }
        if let Some(cutter) = &self.cutter {
            cutter.make_room();
        }
    }

    fn note_changes(&mut self) {
        if self.stream.tables.changed.is_empty() {
            return;
        }
        let changed = std::mem::take(&mut self.stream.tables.changed);
        if let Some(replay) = &mut self.stream.replay {
            replay.changed(&changed);
        }
    }

    fn state(&mut self) -> State {
        let mut state = self.stream.state();
        state.snapshot = self
            .stream
            .replay
            .as_ref()
            .map(|replay| replay.progress.clone());
        state.finished = self.finished;
        state
    }

    fn position(&mut self) -> SplitStart {
        self.told = self.state();
        self.told_at = Instant::now();
        SplitStart {
            split: SplitId(SPLIT.to_owned()),
            position: self.told.to_position(),
        }
    }

    fn batch(&mut self) -> SourceBatch {
        let at = self.position();
        let place = self.stream.at().to_string();
        self.out.finish(self.stream.tables.names(), place, at)
    }

    fn chunk_batch(&mut self, mut chunk: Chunk) -> SourceBatch {
        let bytes = chunk.bytes() as u64;
        let (columns, rows) = chunk.finish();
        let table = self.stream.tables.number(&chunk.table);
        if let Some(replay) = &mut self.stream.replay {
            replay.advance(&chunk.table, &chunk.after);
            let left = replay.progress.tables.len() as u64;
            ReadFigures::set(&self.stream.figures.tables_left, left);
        }
        let figures = &self.stream.figures;
        figures.chunk(&chunk.table, rows, chunk.after.done);
        let at = self.position();
        let place = format!("snapshot up to {}", self.stream.at());
        let names = self.stream.tables.names();
        let mut batch = snapshot_batch(&self.layout, &columns, rows, table, names, place, at);
        batch.bytes = bytes;
        batch
    }
}
