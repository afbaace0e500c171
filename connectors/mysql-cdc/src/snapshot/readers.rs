//! The threads that read chunks side by side, each over its own connection.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::Chunk;
use super::marks::{Low, consistent};
use super::plan::Plan;
use super::query::{Reading, Trouble};
use crate::config::Config;
use crate::connection::{Purpose, connect, failure, wait};
use crate::decode::{DeclaredColumn, RowDecoder};
use crate::failover::identity;
use crate::gtid::GtidSet;
use crate::position::{Bound, Place, TableProgress};
use crate::server::Server;

/// Attempts to read a chunk before the failure is told.
const ATTEMPTS: u32 = 5;

/// What is the same for all chunks of a wave.
pub(super) struct Between {
    /// The mark that was taken before; nothing where each task takes its own.
    pub(super) low: Option<Arc<Low>>,
    /// Where the stream stands.
    pub(super) behind: (GtidSet, Place),
}

/// Rows to read.
#[derive(Clone)]
pub(super) enum Range {
    /// The next chunk behind a state; where it ends is told by its rows.
    Next(TableProgress),
    /// Rows from one key to below another, and the state behind them.
    Between(Bound, Bound, TableProgress),
    /// The same, in chunks of as many rows as the plan says.
    Pieces(Bound, Bound, TableProgress),
}

/// What one reader is to do.
#[derive(Clone)]
pub(super) struct Task {
    /// The table's and the chunk's number in the wave.
    pub(super) place: (usize, usize),
    pub(super) wave: Arc<Between>,
    pub(super) plan: Arc<Plan>,
    pub(super) range: Range,
    /// The most bytes of one chunk.
    pub(super) bytes_max: usize,
    /// Nothing else is read beside it.
    pub(super) is_alone: bool,
}

/// What became of a task.
pub(super) struct Done {
    reader: usize,
    pub(super) task: Option<Task>,
    pub(super) outcome: Result<(Vec<Chunk>, Arc<Low>), Trouble>,
}

/// The readers.
pub(super) struct Readers {
    /// Nothing in the place of one that was let go.
    tasks: Vec<Option<Sender<Task>>>,
    idle: Vec<usize>,
    /// All but one are to be let go.
    shrinks: bool,
    /// The one task that is out is to be alone.
    is_taken: bool,
    done: Receiver<Done>,
}

impl Readers {
    pub(super) fn start(
        count: usize,
        config: &Arc<Config>,
        server: &Server,
        declared: &[DeclaredColumn],
        cancel: &Cancel,
    ) -> Result<Self, ConnectorError> {
        let (tell, done) = channel();
        let mut tasks = Vec::new();
        for number in 0..count {
            let (give, given) = channel();
            let hand = Hand {
                config: Arc::clone(config),
                server: server.clone(),
                declared: declared.to_vec(),
                cancel: cancel.clone(),
                conn: None,
                decoder: None,
            };
            let tell = tell.clone();
            std::thread::Builder::new()
                .name(format!("mysql-chunks-{number}"))
                .spawn(move || hand.run(number, &given, &tell))
                .map_err(|error| {
                    let text = "cannot start a thread";
                    ConnectorError::new(ErrorKind::Internal, Retry::Restart, text).caused_by(error)
                })?;
            tasks.push(Some(give));
        }
        Ok(Self {
            tasks,
            idle: (0..count).rev().collect(),
            shrinks: false,
            is_taken: false,
            done,
        })
    }

    pub(super) fn count(&self) -> usize {
        self.tasks.iter().flatten().count()
    }

    /// Lets all readers but one go, first the one that came back last: connections are few, and the stream needs one.
    pub(super) fn shrink(&mut self) {
        self.shrinks = true;
        while self.count() > 1
            && let Some(reader) = self.idle.pop()
        {
            // Its thread ends, and with it its connection.
            self.tasks[reader] = None;
        }
    }

    /// Tells whether one reader reads alone.
    pub(super) fn is_taken(&self) -> bool {
        self.is_taken
    }

    /// Tells whether there is a reader without a task.
    pub(super) fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// Returns how many tasks are out.
    pub(super) fn busy(&self) -> usize {
        self.count() - self.idle.len()
    }

    /// Hands a task to a reader that has none; there must be one.
    pub(super) fn give(&mut self, task: Task) {
        if let Some(reader) = self.idle.pop() {
            self.is_taken = task.is_alone;
            // One that is gone has told why.
            if let Some(give) = &self.tasks[reader] {
                let _ = give.send(task);
            }
        }
    }

    /// Waits for the next task that is done. Some must be out.
    pub(super) fn next(&mut self) -> Result<Done, ConnectorError> {
        let done = self.done.recv().map_err(|_| {
            let text = "the readers of the snapshot are gone";
            ConnectorError::new(ErrorKind::Internal, Retry::Restart, text)
        })?;
        self.idle.push(done.reader);
        self.is_taken = false;
        if self.shrinks {
            self.shrink();
        }
        Ok(done)
    }

    /// Waits for what is still out and throws it away.
    pub(super) fn give_up(&mut self) -> Result<(), ConnectorError> {
        while self.busy() > 0 {
            self.next()?;
        }
        Ok(())
    }
}

/// Connects to the server that the marks are of: behind one name there may be several.
pub(super) fn open(config: &Config, server: &Server) -> Result<Conn, Trouble> {
    let mut conn = connect(config, Purpose::Rows)?;
    let found = identity(&mut conn, config, server)?;
    if found == server.identity {
        return Ok(conn);
    }
    let text = format!(
        "{} answers at {} while the snapshot of {} is read",
        found,
        config.address(),
        server.identity
    );
    let error = ConnectorError::new(ErrorKind::Rejected, Retry::Restart, text);
    Err(Trouble::Failed(error.help(
        "connect to one server, not to a name that several answer to",
    )))
}

/// One reader, on its thread.
struct Hand {
    config: Arc<Config>,
    server: Server,
    declared: Vec<DeclaredColumn>,
    cancel: Cancel,
    conn: Option<Conn>,
    decoder: Option<(Arc<Plan>, RowDecoder)>,
}

/// Tells that a reader is gone by a panic, so that nobody waits for it.
struct Announce<'a> {
    reader: usize,
    tell: &'a Sender<Done>,
    armed: bool,
}

impl Drop for Announce<'_> {
    fn drop(&mut self) {
        if self.armed {
            let text = "a reader of the snapshot ended unexpectedly";
            let _ = self.tell.send(Done {
                reader: self.reader,
                task: None,
                outcome: Err(Trouble::GaveUp(ConnectorError::new(
                    ErrorKind::Internal,
                    Retry::Restart,
                    text,
                ))),
            });
        }
    }
}

impl Hand {
    fn run(mut self, number: usize, given: &Receiver<Task>, tell: &Sender<Done>) {
        let mut announce = Announce {
            reader: number,
            tell,
            armed: false,
        };
        for task in given {
            announce.armed = true;
            let outcome = self.patiently(&task);
            announce.armed = false;
            let done = Done {
                reader: number,
                task: Some(task),
                outcome,
            };
            if tell.send(done).is_err() {
                return;
            }
        }
    }

    /// Reads, with another connection where one is lost: the marks hold whichever connection reads between them.
    fn patiently(&mut self, task: &Task) -> Result<(Vec<Chunk>, Arc<Low>), Trouble> {
        let mut attempt = 1;
        loop {
            let error = match self.read(task) {
                Err(Trouble::Lost(error)) => failure(&self.config, &error, "read rows"),
                Err(Trouble::Failed(error)) if error.retry != Retry::Never => error,
                Err(trouble) => {
                    // Rows that nobody reads may still be on their way.
                    self.conn = None;
                    return Err(trouble);
                }
                read => return read,
            };
            self.conn = None;
            if error.retry == Retry::Never || attempt >= ATTEMPTS || self.cancel.is_cancelled() {
                return Err(Trouble::GaveUp(error));
            }
            tracing::warn!(
                table = self.config.table,
                attempt,
                "reading a chunk of {} once more: {}",
                task.plan.table,
                error.message
            );
            wait(Duration::from_secs(1) * attempt, &self.cancel);
            attempt += 1;
        }
    }

    fn read(&mut self, task: &Task) -> Result<(Vec<Chunk>, Arc<Low>), Trouble> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => open(&self.config, &self.server)?,
        };
        let low = match &task.wave.low {
            Some(low) => Arc::clone(low),
            None => {
                let behind = &task.wave.behind.1;
                let place = consistent(&mut conn, &self.config, behind, &self.cancel)?;
                Arc::new(Low::Place(place))
            }
        };
        if !matches!(&self.decoder, Some((plan, _)) if Arc::ptr_eq(plan, &task.plan)) {
            let decoder = task.plan.decoder(&self.config, &self.declared)?;
            self.decoder = Some((Arc::clone(&task.plan), decoder));
        }
        let (_, decoder) = self.decoder.as_mut().expect("it was just put there");
        let mut reading = Reading {
            conn: &mut conn,
            plan: &task.plan,
            decoder,
            declared: &self.declared,
            bytes_max: task.bytes_max,
        };
        let chunks = match &task.range {
            Range::Next(state) => vec![reading.next(state)?],
            Range::Between(lower, upper, after) => vec![reading.between(lower, upper, after)?],
            Range::Pieces(lower, upper, after) => reading.pieces(lower, upper, after)?,
        };
        if task.wave.low.is_none() {
            // Not held until others are done: a transaction keeps an ALTER TABLE waiting, and that the others.
            conn.query_drop("COMMIT")?;
        }
        self.conn = Some(conn);
        Ok((chunks, low))
    }
}
