//! The binary log as a stream of changes: transactions, rows, statements, and the position after each event.
//!
//! ```text
//! dump ─► event ─► transaction ─► TABLE_MAP ─► rows ─► filter of the snapshot ─► out
//!                       │
//!                       └─ XA: kept until its end is known
//! ```

mod rows;
mod statement;
#[cfg(test)]
pub(crate) mod tests;
mod transaction;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};

use crate::birth::Birth;
use crate::config::Config;
use crate::connection::{self, Purpose, connect, wait};
use crate::dump::{Dump, End, From, Identity, Next};
use crate::events::{self, IGNORABLE, RawEvent, code};
use crate::failover::{self, Misfit};
use crate::figures::ReadFigures;
use crate::gtid::GtidSet;
use crate::inner::{self, Inner};
use crate::out::Out;
use crate::position::{PendingXa, Place, State};
use crate::server::Server;
use crate::snapshot::Replay;
use crate::startup::BEHIND_MAX;
use crate::tables::{Tables, damaged};
use transaction::{Transaction, Xa};

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// An event was taken.
    Moved,
    /// There was none in time.
    Idle,
}

/// Waits between attempts to connect again.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// After so long without a connection it is said loudly.
const ALERT_AFTER: Duration = Duration::from_secs(180);
/// How often another client with the same number may throw this one out.
pub(crate) const CLASHES_MAX: u32 = 3;
pub(crate) const CLASH_WAIT: Duration = Duration::from_secs(5);
/// within this time.
const CLASH_MEMORY: Duration = Duration::from_secs(300);

/// Where reading went on after a transaction was broken off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Resume {
    /// The transaction, where it has a GTID.
    gtid: String,
    events: u64,
    rows: u64,
    /// Rows of the whole transaction.
    trx_rows: u64,
    /// The server whose events were counted; another one is asked, so that only rows can be.
    counted_by: Option<String>,
}

/// The binary log as a stream of changes.
pub(crate) struct Stream {
    config: Arc<Config>,
    server: Server,
    identity: Identity,
    cancel: Cancel,
    pub(crate) tables: Tables,
    /// What the snapshot wants with changes, while there is one.
    pub(crate) replay: Option<Replay>,
    dump: Option<Dump>,
    at: Place,
    /// The file of the position, and when the server began it.
    log: Birth,
    gtids: GtidSet,
    transaction: Option<Transaction>,
    resume: Option<Resume>,
    inner: Option<Inner>,
    /// Prepared XA transactions by name.
    pending: HashMap<String, Xa>,
    /// Until here only these XA transactions are read, again.
    replays_xa: Option<(Place, Vec<PendingXa>)>,
    seconds: u32,
    from_seconds: u64,
    /// Events to count off before rows are read; now, and at the begin of the transaction.
    skip_events: (u64, u64),
    failures: Failures,
    pub(crate) figures: Arc<ReadFigures>,
    /// The server gave no connection since there were too many.
    pub(crate) lacks_room: bool,
    /// The server had no more when it was last heard.
    is_idle: bool,
}

/// What went wrong since the last event.
#[derive(Debug, Default)]
struct Failures {
    lost: u32,
    since: Option<Instant>,
    alerted: bool,
    clashes: u32,
    clashed_at: Option<Instant>,
    damaged_at: Option<Place>,
    /// Since when the server lacks what was read.
    behind_since: Option<Instant>,
    /// No attempt to connect before.
    retry_at: Option<Instant>,
}

impl Stream {
    /// Returns a stream that goes on from `state`. Nothing is asked of the server yet.
    pub(crate) fn new(
        config: &Arc<Config>,
        server: Server,
        identity: Identity,
        cancel: Cancel,
        tables: Tables,
        state: &State,
    ) -> Self {
        let mut stream = Self {
            config: Arc::clone(config),
            server,
            identity,
            cancel,
            tables,
            replay: None,
            dump: None,
            at: state.place(),
            log: Birth::of(state),
            gtids: state.gtids(),
            transaction: None,
            resume: Some(Resume {
                gtid: state.trx_gtid.clone(),
                events: state.events_done,
                rows: state.rows_done,
                trx_rows: state.trx_rows,
                counted_by: None,
            }),
            inner: None,
            pending: HashMap::new(),
            replays_xa: None,
            seconds: state.ts,
            from_seconds: state.from_ts,
            skip_events: (state.skip_events, state.skip_events),
            failures: Failures::default(),
            figures: Arc::default(),
            lacks_room: false,
            is_idle: false,
        };
        stream.replay_xa(state.xa.clone());
        if stream.server.has_gtids && !state.server.is_empty() {
            let now = std::mem::replace(&mut stream.server.identity, state.server.clone());
            stream.moved_to(now);
        }
        stream
    }

    /// Notes which server is read now: places in files, and counts of events, are of another one.
    fn moved_to(&mut self, server: String) {
        if server == self.server.identity {
            return;
        }
        let before = std::mem::replace(&mut self.server.identity, server);
        tracing::warn!(
            table = self.config.table,
            before,
            now = self.server.identity,
            "another server answers; reading goes on by GTIDs"
        );
        self.at = Place::default();
        self.log = Birth::default();
        if let Some(resume) = self
            .resume
            .as_mut()
            .filter(|resume| !resume.gtid.is_empty())
        {
            resume.counted_by.get_or_insert(before);
        }
    }

    fn replay_xa(&mut self, xa: Vec<PendingXa>) {
        // By GTIDs the server sends them again by itself.
        let wanted = !xa.is_empty() && !self.server.has_gtids;
        self.replays_xa = wanted.then(|| (self.at.clone(), xa));
    }

    /// Returns how far it has come, but for the snapshot.
    pub(crate) fn state(&mut self) -> State {
        let xa = self.pending_xa();
        let mut gtids = self.gtids.clone();
        for one in xa.iter().filter(|one| !one.gtid.is_empty()) {
            gtids = gtids.without(&GtidSet::parse(&one.gtid).unwrap_or_default());
        }
        let at = match &self.replays_xa {
            Some((until, _)) => until.clone(),
            None => self.at.clone(),
        };
        let at_file = at.file.clone();
        let trx = self.transaction.as_ref();
        let resume = self.resume.as_ref().filter(|_| trx.is_none());
        let (events_done, rows_done) = match (trx, resume) {
            (Some(_), _) if self.skip_events.1 > 0 => (0, self.skip_rows()),
            (Some(trx), _) => trx.done(),
            (None, Some(resume)) => (resume.events, resume.rows),
            (None, None) => (0, 0),
        };
        let left = trx.and_then(|trx| trx.skip.as_ref()).or(resume);
        let counted_by = left.and_then(|resume| resume.counted_by.as_ref());
        let trx_rows = match (left, trx) {
            (Some(resume), _) => resume.trx_rows,
            (None, Some(trx)) => trx.rows,
            (None, None) => 0,
        };
        State {
            server: counted_by.unwrap_or(&self.server.identity).clone(),
            trx_rows,
            gtid_set: gtids.to_string(),
            trx_pos: trx.map_or(at.pos, |trx| trx.place.pos),
            trx_gtid: trx
                .map(Transaction::gtid_text)
                .or(resume.map(|resume| resume.gtid.clone()))
                .unwrap_or_default(),
            events_done,
            rows_done,
            file: at.file,
            pos: at.pos,
            ts: self.seconds,
            born: if self.log.file == at_file {
                self.log.second
            } else {
                0
            },
            from_ts: self.from_seconds,
            skip_events: if trx.is_some() {
                self.skip_events.1
            } else {
                self.skip_events.0
            },
            xa,
            snapshot: None,
            finished: false,
            schema_history: self.tables.history_text().to_owned(),
        }
    }

    fn skip_rows(&self) -> u64 {
        self.transaction.as_ref().map_or(0, |trx| trx.done().1)
    }

    /// Tells whether it has come to where `end` was taken: the same log is read once more.
    pub(crate) fn has_reached(&mut self, end: &State) -> Result<bool, ConnectorError> {
        let place = Place::new(end.file.clone(), end.pos);
        if !self.at.reaches(&place) {
            return Ok(false);
        }
        let now = self.state();
        let is_there = now.trx_gtid == end.trx_gtid
            && (now.events_done, now.rows_done) == (end.events_done, end.rows_done)
            && if self.server.has_gtids {
                now.gtid_set == end.gtid_set
            } else {
                // Between transactions a heartbeat may have moved it on.
                now.trx_pos == end.trx_pos || end.trx_pos == end.pos && now.trx_pos == now.pos
            };
        if is_there || !place.reaches(&self.at) {
            return if is_there {
                Ok(true)
            } else {
                Err(passed(end, &self.at))
            };
        }
        Ok(false)
    }

    /// Tells in the figures how far it has come.
    pub(crate) fn tell_reached(&self) {
        self.figures.reach(&self.at, self.seconds, self.is_idle);
    }

    /// Returns the place of the last event.
    pub(crate) fn at(&self) -> &Place {
        &self.at
    }

    /// Returns the transactions that were read.
    pub(crate) fn gtids(&self) -> &GtidSet {
        &self.gtids
    }

    /// Tells whether it stands between two transactions.
    pub(crate) fn is_between(&self) -> bool {
        self.transaction.is_none() && self.inner.is_none() && self.replays_xa.is_none()
    }

    /// Takes one event, waiting at most `time` for it.
    pub(crate) fn step(&mut self, time: Duration, out: &mut Out) -> Result<Step, ConnectorError> {
        if self.inner.is_some() {
            return self.step_inner(out).map(|()| Step::Moved);
        }
        if self.dump.is_none() {
            let left = self
                .failures
                .retry_at
                .map(|at| at.saturating_duration_since(Instant::now()));
            if let Some(left) = left.filter(|left| !left.is_zero()) {
                wait(left.min(time), &self.cancel);
                return Ok(Step::Idle);
            }
            if !self.connect()? {
                return Ok(Step::Idle);
            }
        }
        let Some(dump) = &mut self.dump else {
            return Ok(Step::Idle);
        };
        match dump.next(time) {
            Next::Idle => Ok(Step::Idle),
            Next::Event(event) => {
                self.failures.lost = 0;
                self.failures.since = None;
                self.is_idle = matches!(event.code, code::HEARTBEAT | code::HEARTBEAT_V2);
                if !self.is_idle {
                    ReadFigures::add(&self.figures.events, 1);
                    ReadFigures::add(&self.figures.event_bytes, u64::from(event.size));
                }
                match self.take(event, out) {
                    Ok(()) => Ok(Step::Moved),
                    Err(error) => Err(error),
                }
            }
            Next::End(end) => self.ended(end).map(|()| Step::Idle),
        }
    }

    fn step_inner(&mut self, out: &mut Out) -> Result<(), ConnectorError> {
        let Some(inner) = &mut self.inner else {
            return Ok(());
        };
        match inner.next() {
            Ok(Some(event)) => self.take_inner(&event, out),
            Ok(None) => {
                let ends = matches!(inner, Inner::Kept(_));
                self.inner = None;
                if ends {
                    self.end_transaction();
                }
                Ok(())
            }
            Err(text) => Err(damaged(
                &format!("the TRANSACTION_PAYLOAD event that ends here does not unpack: {text}"),
                &self.at,
            )),
        }
    }

    /// Asks for the log from the transaction in progress on.
    fn connect(&mut self) -> Result<bool, ConnectorError> {
        if self.cancel.is_cancelled() {
            return Ok(false);
        }
        let from = self.from();
        match self.dump_from(&from) {
            Ok(dump) => {
                self.dump = Some(dump);
                self.figures.is_connected.store(true, Ordering::Relaxed);
                self.failures.behind_since = None;
                Ok(true)
            }
            Err(Misfit::Behind(error)) => {
                let since = *self.failures.behind_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= BEHIND_MAX {
                    return Err(error);
                }
                self.lost(&error.message);
                Ok(false)
            }
            Err(Misfit::Failed(error)) if error.retry != Retry::Never => {
                self.lost(&error.message);
                Ok(false)
            }
            Err(Misfit::Failed(error) | Misfit::Elsewhere(error)) => Err(error),
        }
    }

    /// Asks the server that answers now for its log, if it is one to go on from.
    fn dump_from(&mut self, from: &From) -> Result<Dump, Misfit> {
        let (config, server) = (&self.config, &self.server);
        let mut conn = match connect(config, Purpose::Dump) {
            Ok(conn) => conn,
            Err(error) => {
                self.lacks_room = connection::is_full(&error);
                return Err(connection::failure(config, &error, "connect").into());
            }
        };
        let mut read = self.gtids.clone();
        if let Some(resume) = self.resume.as_ref().filter(|resume| resume.trx_rows > 0) {
            read.add_all(&GtidSet::parse(&resume.gtid).unwrap_or_default());
        }
        let now = failover::check(&mut conn, config, server, &read)?;
        if now == server.identity {
            self.log
                .check(&mut conn, config, server, &self.identity, &self.cancel)?;
        }
        if now != server.identity && (self.replay.is_some() || self.tables.has_history()) {
            // Marks of the snapshot, and of definitions, are places in the other server's files.
            return Err(Misfit::Elsewhere(ConnectorError::new(
                ErrorKind::Rejected,
                Retry::Restart,
                format!(
                    "another server answers at {}: places in the files of the one before mean nothing there",
                    config.address()
                ),
            )));
        }
        let dump = Dump::begin(conn, config, server, &self.identity, from, false)?;
        self.moved_to(now);
        Ok(dump)
    }

    /// Breaks the transaction in progress off and returns where the server is to begin again.
    fn from(&mut self) -> From {
        let pending = self.pending_xa();
        if let Some(trx) = self.transaction.take() {
            self.at.pos = trx.place.pos;
            let (events, rows) = if self.skip_events.1 > 0 {
                (0, trx.done().1)
            } else {
                trx.done()
            };
            self.skip_events.0 = self.skip_events.1;
            self.resume = Some(Resume {
                gtid: trx.gtid_text(),
                events,
                rows,
                trx_rows: trx.skip.as_ref().map_or(trx.rows, |skip| skip.trx_rows),
                counted_by: trx.skip.and_then(|skip| skip.counted_by),
            });
        }
        self.inner = None;
        if let Some((until, _)) = self.replays_xa.take() {
            self.at = until;
        }
        self.pending.clear();
        self.tables.forget_ids();
        if self.server.has_gtids {
            for one in &pending {
                let set = GtidSet::parse(&one.gtid).unwrap_or_default();
                self.gtids = self.gtids.without(&set);
            }
            return From::Gtids(self.gtids.clone());
        }
        let first = pending.iter().map(|xa| &xa.place).fold(
            None,
            |first: Option<&Place>, place| match first {
                Some(first) if place.reaches(first) => Some(first),
                _ => Some(place),
            },
        );
        let start = first.cloned().unwrap_or_else(|| self.at.clone());
        self.replay_xa(pending);
        From::File {
            file: start.file,
            pos: start.pos,
        }
    }

    fn ended(&mut self, end: End) -> Result<(), ConnectorError> {
        self.dump = None;
        self.is_idle = false;
        ReadFigures::add(&self.figures.reconnects, 1);
        self.figures.is_connected.store(false, Ordering::Relaxed);
        match end {
            End::Log => self.lost("the server ended the connection"),
            End::Lost(text) => self.lost(&text),
            End::Damaged(text) => {
                if self.failures.damaged_at.as_ref() == Some(&self.at) {
                    return Err(damaged(&text, &self.at));
                }
                self.failures.damaged_at = Some(self.at.clone());
                tracing::warn!(table = self.config.table, place = %self.at, "reading the binary log once more: {text}");
            }
            End::Refused { code, message } => self.refused(code, &message)?,
        }
        Ok(())
    }

    fn refused(&mut self, code: u16, message: &str) -> Result<(), ConnectorError> {
        if is_clash(message) {
            let last = self.failures.clashed_at.replace(Instant::now());
            if last.is_none_or(|last| last.elapsed() > CLASH_MEMORY) {
                self.failures.clashes = 0;
            }
            self.failures.clashes += 1;
            if self.failures.clashes > CLASHES_MAX {
                return Err(clash(&self.identity, message));
            }
            let time = CLASH_WAIT * self.failures.clashes;
            tracing::warn!(
                table = self.config.table,
                server_id = self.identity.server_id,
                "another client connected with the same server-id"
            );
            self.failures.retry_at = Some(Instant::now() + time);
            return Ok(());
        }
        let error = mysql::Error::MySqlError(mysql::MySqlError {
            state: String::new(),
            message: message.to_owned(),
            code,
        });
        if connection::is_passing(&error) {
            self.lost(message);
            return Ok(());
        }
        Err(refusal(
            &self.config,
            &self.identity,
            &self.at,
            code,
            message,
        ))
    }

    /// Notes that the connection is gone, and waits before the next attempt.
    fn lost(&mut self, text: &str) {
        let failures = &mut self.failures;
        let since = *failures.since.get_or_insert_with(Instant::now);
        let time = (BACKOFF_MIN * 2_u32.saturating_pow(failures.lost.min(5))).min(BACKOFF_MAX);
        failures.lost += 1;
        if since.elapsed() > ALERT_AFTER && !failures.alerted {
            failures.alerted = true;
            tracing::error!(
                table = self.config.table,
                address = self.config.address(),
                "no connection to MySQL for 3 minutes: {text}"
            );
        } else {
            tracing::warn!(table = self.config.table, place = %self.at, "connecting to MySQL again: {text}");
        }
        if failures.lost > 1 {
            failures.retry_at = Some(Instant::now() + time);
        }
    }

    /// Takes an event of the log.
    fn take(&mut self, event: RawEvent, out: &mut Out) -> Result<(), ConnectorError> {
        let end = self.end_of(&event);
        match event.code {
            code::ROTATE => return self.rotate(&event),
            code::HEARTBEAT => {
                self.heartbeat(&event);
                return Ok(());
            }
            code::TRANSACTION_PAYLOAD => {
                if let Some(end) = end {
                    self.at.pos = end;
                }
                let opened = inner::open(event.body);
                self.inner = Some(opened.map_err(|text| {
                    damaged(
                        &format!("a TRANSACTION_PAYLOAD event does not unpack: {text}"),
                        &self.at,
                    )
                })?);
                return Ok(());
            }
            _ => {}
        }
        let start = Place::new(
            self.at.file.clone(),
            end.map_or(self.at.pos, |end| end.saturating_sub(u64::from(event.size))),
        );
        if !event.is_artificial() {
            self.seconds = event.timestamp.max(if event.timestamp == 0 {
                self.seconds
            } else {
                0
            });
        }
        let taken = self.dispatch(&event, &start, end, out);
        if end.is_some() {
            self.skip_events.0 = self.skip_events.0.saturating_sub(1);
        }
        if let (Some(end), true) = (end, taken.is_ok()) {
            self.at.pos = end;
        }
        taken
    }

    fn take_inner(&mut self, event: &RawEvent, out: &mut Out) -> Result<(), ConnectorError> {
        let start = self.at.clone();
        self.dispatch(event, &start, None, out)
    }

    fn dispatch(
        &mut self,
        event: &RawEvent,
        start: &Place,
        end: Option<u64>,
        out: &mut Out,
    ) -> Result<(), ConnectorError> {
        match event.code {
            code::GTID | code::ANONYMOUS_GTID | code::GTID_TAGGED | code::MARIADB_GTID => {
                self.begin(event, start)
            }
            code if code::is_query(code) => self.query(event, start),
            code::XID => {
                self.end_transaction();
                Ok(())
            }
            code::XA_PREPARE => self.xa_prepared(event),
            code::TABLE_MAP => self.table_map(event),
            code::FORMAT_DESCRIPTION => {
                // A server that starts anew begins a file in the middle of nothing.
                if end.is_some() {
                    self.transaction = None;
                }
                self.log
                    .compare(&self.config, &self.at.file, event.timestamp)?;
                self.log = Birth {
                    file: self.at.file.clone(),
                    second: event.timestamp,
                };
                Ok(())
            }
            code::INCIDENT => Err(ConnectorError::new(
                ErrorKind::Data,
                Retry::Never,
                format!("the server says at {start} that changes were lost from its binary log (INCIDENT event)"),
            )
            .help("start anew with 'initial'")),
            code::STOP | code::PREVIOUS_GTIDS | code::MARIADB_START_ENCRYPTION | code::HEARTBEAT_V2 => Ok(()),
            other if code::is_rows(other) => self.rows(event, other, &event.body, start, out),
            other if code::is_passed_over(other) || event.flags & IGNORABLE != 0 => Ok(()),
            other => match code::of_compressed_rows(other) {
                Some(plain) => {
                    let body = events::inflate_rows(plain, &event.body)
                        .ok_or_else(|| damaged("a compressed row event does not unpack", start))?;
                    self.rows(event, plain, &body, start, out)
                }
                None => Err(damaged(&format!("{} is not known", code::name(other)), start)),
            },
        }
    }

    /// Returns where an event ends in its file; `None` if it is in none.
    fn end_of(&self, event: &RawEvent) -> Option<u64> {
        if event.is_artificial() {
            return None;
        }
        // Positions have 32 bits in events, files may be longer.
        const HIGH: u64 = !0xffff_ffff;
        let end = self.at.pos & HIGH | u64::from(event.log_pos);
        Some(if end + (1 << 31) < self.at.pos {
            end + (1 << 32)
        } else {
            end
        })
    }

    fn rotate(&mut self, event: &RawEvent) -> Result<(), ConnectorError> {
        let Some((file, pos)) = events::rotate(&event.body) else {
            return Err(damaged("a ROTATE event is cut short", &self.at));
        };
        if !event.is_artificial() {
            self.tables.forget_ids();
            self.transaction = None;
        }
        if file != self.at.file || !event.is_artificial() {
            self.at = Place::new(file, pos);
        }
        Ok(())
    }

    /// A heartbeat tells how far the server has come without anything to send.
    fn heartbeat(&mut self, event: &RawEvent) {
        let name = String::from_utf8_lossy(&event.body);
        let told = u64::from(event.log_pos);
        if self.transaction.is_none() && name.starts_with(&self.at.file) && told > self.at.pos {
            self.at.pos = told;
        }
    }

    fn table_map(&mut self, event: &RawEvent) -> Result<(), ConnectorError> {
        if self.is_replaying_xa() {
            return Ok(());
        }
        if let Some(trx) = &mut self.transaction
            && trx.keeps()
        {
            return trx.keep(event.clone());
        }
        self.tables.map(&event.body, &self.at)
    }
}

/// Returns the failure of a log that does not lead to the place where it led before.
fn passed(end: &State, at: &Place) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Rejected,
        Retry::Never,
        format!(
            "reading again up to {}:{} came to {at}, and not to the same transactions and rows",
            end.file, end.pos
        ),
    )
    .help("start from the checkpoint before, which writes the rows again to every sink")
}

/// Tells whether the server says that another client has the same number: MySQL and MariaDB throw the first client out,
/// newer MariaDB does not let the second in.
pub(crate) fn is_clash(message: &str) -> bool {
    message
        .to_ascii_lowercase()
        .contains("same server_uuid/server_id")
}

/// Returns the failure of two clients with one number.
fn clash(identity: &Identity, message: &str) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Rejected,
        Retry::Never,
        format!(
            "another client connected with server-id {}: {message}",
            identity.server_id
        ),
    )
    .help("give every pipeline, and every other replica of the server, its own 'server-id', and run a pipeline only once")
}

/// Returns the failure that an answer of the server to a request for its log means.
pub(crate) fn refusal(
    config: &Config,
    identity: &Identity,
    at: &Place,
    code: u16,
    message: &str,
) -> ConnectorError {
    if is_clash(message) {
        return clash(identity, message);
    }
    let lower = message.to_ascii_lowercase();
    let is_gone = [
        "could not find first log",
        "purged",
        "position > file size",
        "impossible position",
        "not found",
    ]
    .iter()
    .any(|part| lower.contains(part));
    match code {
        1236 if is_gone => crate::startup::gone(&at.to_string(), message),
        1045 | 1227 => connection::lacks(config, "REPLICATION SLAVE", message),
        _ => ConnectorError::new(
            ErrorKind::Rejected,
            Retry::Never,
            format!(
                "MySQL at {} cannot send its binary log from {at} on (error {code}): {message}",
                config.address()
            ),
        ),
    }
}
