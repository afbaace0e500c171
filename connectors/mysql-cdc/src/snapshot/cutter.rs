//! The thread that cuts tables into chunks and has them read, wave by wave.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};
use mysql::Conn;

use super::chunk::Keys;
use super::key::Order;
use super::marks::{Low, Marks};
use super::plan::Plan;
use super::query::{CHUNK_ROWS_MAX, Cut, Trouble, cut};
use super::readers::{Between, Done, Range, Readers, Task, open};
use super::wave::{CHUNK_BYTES_MAX, Draft, Limits, smaller};
use super::{Chunk, Wave};
use crate::config::Config;
use crate::connection::{failure, rows, text};
use crate::decode::{Columns, DeclaredColumn};
use crate::definition::TableName;
use crate::figures::ReadFigures;
use crate::gtid::GtidSet;
use crate::position::{Place, SnapshotProgress, TableProgress};
use crate::server::Server;

/// When a wave ends: with more readers it is larger, so that they do not wait for the last of them too often.
const WAVE: Limits = Limits {
    bytes: 24 << 20,
    time: Duration::from_millis(400),
    chunks: 64,
};
/// Where every wave must wait for its low mark, there are fewer and longer ones.
const SLOW_WAVE: Limits = Limits {
    bytes: 128 << 20,
    time: Duration::from_secs(10),
    chunks: 4096,
};
/// Bytes of a wave for each reader behind the first one.
const WAVE_BYTES_A_READER: usize = 12 << 20;

/// Asks for a wave.
pub(crate) struct Request {
    /// What was read before it.
    pub(crate) progress: SnapshotProgress,
    /// Where the stream stands.
    pub(crate) behind: (GtidSet, Place),
}

/// What the thread is asked for.
enum Ask {
    Wave(Request),
    /// Fewer connections.
    Room,
}

/// The thread's handle.
pub(crate) struct Cutter {
    requests: Sender<Ask>,
    replies: Receiver<Result<Wave, ConnectorError>>,
}

impl Cutter {
    pub(crate) fn start(
        config: &Arc<Config>,
        server: &Server,
        declared: &[DeclaredColumn],
        figures: &Arc<ReadFigures>,
        cancel: &Cancel,
    ) -> Result<Self, ConnectorError> {
        let (requests, asked) = channel();
        let (answers, replies) = channel();
        let count = config.snapshot_readers();
        let mut worker = Worker {
            readers: Readers::start(count, config, server, declared, cancel)?,
            config: Arc::clone(config),
            server: server.clone(),
            declared: declared.to_vec(),
            cancel: cancel.clone(),
            conn: None,
            marks: Marks::new(),
            rows: HashMap::new(),
            fill: HashMap::new(),
            figures: Some(Arc::clone(figures)),
        };
        std::thread::Builder::new()
            .name("mysql-snapshot".to_owned())
            .spawn(move || {
                for ask in asked {
                    let Ask::Wave(request) = ask else {
                        worker.make_room();
                        continue;
                    };
                    let answer = worker.patient_wave(&request);
                    let failed = answer.is_err();
                    if answers.send(answer).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(|error| {
                ConnectorError::new(ErrorKind::Internal, Retry::Restart, "cannot start a thread")
                    .caused_by(error)
            })?;
        Ok(Self { requests, replies })
    }

    pub(crate) fn ask(&self, request: Request) {
        // A thread that is gone has told why.
        let _ = self.requests.send(Ask::Wave(request));
    }

    /// Lets all readers but one go, once the wave that was asked for is read.
    pub(crate) fn make_room(&self) {
        let _ = self.requests.send(Ask::Room);
    }

    /// Returns the wave that was asked for; `None` if it is not there in time.
    pub(crate) fn wave(&self, time: Duration) -> Result<Option<Wave>, ConnectorError> {
        match self.replies.recv_timeout(time) {
            Ok(Ok(wave)) => Ok(Some(wave)),
            Ok(Err(error)) => Err(error),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(ConnectorError::new(
                ErrorKind::Internal,
                Retry::Restart,
                "the thread of the snapshot is gone",
            )),
        }
    }
}

struct Worker {
    readers: Readers,
    config: Arc<Config>,
    server: Server,
    declared: Vec<DeclaredColumn>,
    cancel: Cancel,
    conn: Option<Conn>,
    marks: Marks,
    /// Rows of a chunk, where they had to be fewer than asked for.
    rows: HashMap<TableName, u64>,
    /// Rows for each number of the chunk column, as last seen.
    fill: HashMap<TableName, f64>,
    /// Until it was told about how many chunks there are.
    figures: Option<Arc<ReadFigures>>,
}

/// Attempts to read a wave before the failure is told.
const ATTEMPTS: u32 = 5;

impl Worker {
    fn patient_wave(&mut self, request: &Request) -> Result<Wave, ConnectorError> {
        let mut attempt = 1;
        loop {
            let read = self.wave(request);
            let error = match read {
                Ok(wave) => return Ok(wave),
                Err(Trouble::GaveUp(error)) => return Err(error),
                Err(Trouble::Failed(error)) => error,
                Err(Trouble::Lost(error) | Trouble::Full(error)) => {
                    failure(&self.config, &error, "read rows")
                }
                Err(Trouble::Changed(error)) => {
                    let mut failed = failure(&self.config, &error, "read rows");
                    failed.retry = Retry::Restart;
                    failed
                }
                // The next look at the definition tells that it is gone.
                Err(Trouble::Gone | Trouble::TooBig) => {
                    self.readers.give_up()?;
                    continue;
                }
            };
            self.conn = None;
            if error.retry == Retry::Never || attempt >= ATTEMPTS || self.cancel.is_cancelled() {
                return Err(error);
            }
            self.readers.give_up()?;
            tracing::warn!(
                table = self.config.table,
                attempt,
                "reading the snapshot once more: {}",
                error.message
            );
            crate::connection::wait(Duration::from_secs(1) * attempt, &self.cancel);
            attempt += 1;
        }
    }

    fn wave(&mut self, request: &Request) -> Result<Wave, Trouble> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => open(&self.config, &self.server)?,
        };
        let is_first = self.figures.is_some();
        if let Some(figures) = self.figures.take() {
            figures.expect(self.estimate(&mut conn, &request.progress));
        }
        let has_own_marks = !self.server.has_gtids && self.server.has_binlog_snapshot;
        let low = if has_own_marks {
            None
        } else {
            let (config, server) = (&self.config, &self.server);
            let behind = &request.behind;
            let low = self
                .marks
                .low(&mut conn, config, server, behind, &self.cancel)?;
            Some(Arc::new(low))
        };
        let is_slow = !self.server.has_gtids && !has_own_marks;
        let mut limits = if is_slow { SLOW_WAVE } else { WAVE };
        if is_first && !is_slow {
            // So that a start shows its first rows at once.
            limits.chunks = self.readers.count();
        }
        limits.bytes += WAVE_BYTES_A_READER * (self.readers.count() - 1);
        let between = Arc::new(Between {
            low,
            behind: request.behind.clone(),
        });
        let mut draft = Draft::new(&request.progress, limits);
        self.read(&mut conn, &mut draft, &between)?;
        let declared = &self.declared;
        let (chunks, mut lows) = draft.finish(|table| nothing(table, declared));
        if lows.is_empty() {
            // Nothing was read: no table is there any more.
            lows.extend(between.low.clone());
        }
        let high = match greatest(&lows).filter(|_| has_own_marks) {
            Some(high) => high,
            None => Marks::high(&mut conn, &self.config)?,
        };
        self.conn = Some(conn);
        tracing::debug!(table = self.config.table, chunks = chunks.len(), rows = chunks.iter().map(|c| c.rows).sum::<usize>(), %high, "read a wave of chunks");
        Ok(Wave { lows, high, chunks })
    }

    fn make_room(&mut self) {
        if self.readers.count() > 1 {
            tracing::warn!(
                table = self.config.table,
                "MySQL gives no more connections, reading the snapshot over one"
            );
            self.readers.shrink();
        }
    }

    /// Returns about how many chunks the tables have, as far as the server says.
    fn estimate(&self, conn: &mut Conn, progress: &SnapshotProgress) -> BTreeMap<TableName, u64> {
        let query = "SELECT table_schema, table_name, table_rows FROM information_schema.tables \
            WHERE table_schema NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')";
        let chunk_rows = self.config.chunk_size.min(CHUNK_ROWS_MAX);
        let found = rows(conn, query).unwrap_or_default();
        let known: HashMap<TableName, u64> = found
            .iter()
            .filter_map(|row| {
                let name = TableName::new(text(row, 0)?, text(row, 1)?);
                Some((name, text(row, 2)?.parse().ok()?))
            })
            .collect();
        let tables = progress.order.iter();
        let chunks = |table: &TableName| {
            let rows = known.get(table).copied().unwrap_or(0);
            rows.div_ceil(chunk_rows).max(1)
        };
        tables.map(|table| (table.clone(), chunks(table))).collect()
    }

    /// Hands out tasks until the wave is full, and takes what comes back.
    fn read(
        &mut self,
        conn: &mut Conn,
        draft: &mut Draft,
        wave: &Arc<Between>,
    ) -> Result<(), Trouble> {
        loop {
            while self.readers.has_idle() {
                if self.cancel.is_cancelled() {
                    let text = "told to stop";
                    return Err(Trouble::GaveUp(ConnectorError::new(
                        ErrorKind::Unreachable,
                        Retry::Restart,
                        text,
                    )));
                }
                let Some(task) = self.task(conn, draft, wave)? else {
                    break;
                };
                let is_alone = task.is_alone;
                self.readers.give(task);
                if is_alone {
                    break;
                }
            }
            if self.readers.busy() == 0 {
                return Ok(());
            }
            let done = self.readers.next()?;
            self.take(done, draft)?;
        }
    }

    /// Returns what the next reader is to do; `None` if there is nothing now.
    fn task(
        &mut self,
        conn: &mut Conn,
        draft: &mut Draft,
        wave: &Arc<Between>,
    ) -> Result<Option<Task>, Trouble> {
        if self.readers.is_taken() {
            return Ok(None);
        }
        if let Some(task) = draft.again.pop_front() {
            if task.is_alone && self.readers.busy() > 0 {
                draft.again.push_front(task);
                return Ok(None);
            }
            return Ok(Some(task));
        }
        while draft.has_room() {
            let Some(number) = draft.ready() else {
                return Ok(None);
            };
            let course = &mut draft.courses[number];
            let plan = match &course.plan {
                Some(plan) => Arc::clone(plan),
                // A definition holds for one wave: what changes it between the marks makes the wave void.
                None => match self.plan(conn, &course.table)? {
                    Some(plan) => Arc::clone(course.plan.insert(plan)),
                    None => {
                        draft.gone(number);
                        continue;
                    }
                },
            };
            let is_alone = plan.key.order == Order::Whole;
            if is_alone && self.readers.busy() > 0 {
                return Ok(None);
            }
            let range = self.range(conn, draft, number, &plan)?;
            return Ok(Some(Task {
                place: draft.hand_out(number),
                wave: Arc::clone(wave),
                plan,
                range,
                bytes_max: if is_alone {
                    CHUNK_BYTES_MAX
                } else {
                    CHUNK_BYTES_MAX / self.readers.count()
                },
                is_alone,
            }));
        }
        Ok(None)
    }

    fn plan(&self, conn: &mut Conn, table: &TableName) -> Result<Option<Arc<Plan>>, Trouble> {
        let asked = self.config.chunk_size.min(CHUNK_ROWS_MAX);
        let rows = self.rows.get(table).copied().unwrap_or(asked);
        let plan = Plan::of(conn, &self.config, &self.declared, table, rows)?;
        Ok(plan.map(Arc::new))
    }

    /// Cuts the next chunk of a table: ahead of its reader, where there are more readers than tables.
    fn range(
        &self,
        conn: &mut Conn,
        draft: &mut Draft,
        number: usize,
        plan: &Plan,
    ) -> Result<Range, Trouble> {
        let readers = self.readers.count();
        let is_ahead = readers > 1 && draft.left() < readers;
        let course = &mut draft.courses[number];
        let state = course.state.clone();
        if let (true, Some(below), Some(from)) = (is_ahead, &state.below, &state.from)
            && plan.key.order != Order::Whole
        {
            let fill = self.fill.get(&course.table).copied().unwrap_or(0.0);
            let mut after = TableProgress {
                done: true,
                ..TableProgress::default()
            };
            let upper = match cut(conn, plan, below, from, fill)? {
                Cut::At(bound) => {
                    after = TableProgress {
                        below: Some(bound.clone()),
                        from: Some(from.clone()),
                        done: false,
                    };
                    Some(bound)
                }
                Cut::Rest => Some(from.clone()),
                Cut::Unknown => None,
            };
            if let Some(upper) = upper {
                course.state = after.clone();
                return Ok(Range::Between(below.clone(), upper, after));
            }
        }
        course.waits = true;
        Ok(Range::Next(state))
    }

    /// Takes what became of a task.
    fn take(&mut self, done: Done, draft: &mut Draft) -> Result<(), Trouble> {
        let trouble = match (done.outcome, &done.task) {
            (Ok((chunks, low)), Some(task)) => {
                let table = &task.plan.table;
                let fill = draft.take(task, chunks, &low);
                if let Some(fill) = fill {
                    self.fill.insert(table.clone(), fill);
                }
                return Ok(());
            }
            (Err(trouble), _) => trouble,
            (Ok(_), None) => return Ok(()),
        };
        let Some(task) = done.task else {
            return Err(trouble);
        };
        match trouble {
            Trouble::Gone => {
                draft.came_back_empty();
                draft.gone(task.place.0);
                Ok(())
            }
            Trouble::TooBig => {
                let task = smaller(&task).ok_or_else(|| too_big(&task.plan))?;
                let table = task.plan.table.clone();
                self.rows.insert(table, task.plan.rows);
                draft.courses[task.place.0].plan = Some(Arc::clone(&task.plan));
                draft.again.push_back(task);
                Ok(())
            }
            Trouble::Full(error) if self.readers.count() > 1 => {
                tracing::debug!(
                    table = self.config.table,
                    "a reader cannot connect: {error}"
                );
                self.make_room();
                draft.again.push_back(task);
                Ok(())
            }
            trouble => Err(trouble),
        }
    }
}

/// Returns the chunk of a table that was dropped before it was read.
fn nothing(table: &TableName, declared: &[DeclaredColumn]) -> Chunk {
    let columns = Columns::new(declared, 0).finish();
    let after = TableProgress {
        done: true,
        ..TableProgress::default()
    };
    let keys = Keys::default();
    Chunk::new(table.clone(), (None, None), columns, 0, keys, after)
}

fn greatest(lows: &[Arc<Low>]) -> Option<Place> {
    let places = lows.iter().filter_map(|low| match &**low {
        Low::Place(place) => Some(place),
        Low::Gtids(_) => None,
    });
    let greatest = places.reduce(|one, other| if one.reaches(other) { one } else { other });
    greatest.cloned()
}

fn too_big(plan: &Plan) -> Trouble {
    let error = ConnectorError::new(
        ErrorKind::Config,
        Retry::Never,
        format!(
            "a chunk of table {} has more than {} MiB: chunks cannot be cut smaller by column '{}' ({})",
            plan.table,
            CHUNK_BYTES_MAX >> 20,
            plan.key.name,
            plan.key.kind
        ),
    );
    Trouble::GaveUp(
        error.help(
            "set 'scan.incremental.snapshot.chunk.key-column' to another column that is indexed",
        ),
    )
}

/// Returns the state of a snapshot that has not begun.
pub(crate) fn begin(tables: Vec<TableName>) -> SnapshotProgress {
    let states: BTreeMap<String, TableProgress> = tables
        .iter()
        .map(|table| (table.to_string(), TableProgress::default()))
        .collect();
    SnapshotProgress {
        tables: states,
        order: tables,
    }
}
