//! The thread that cuts tables into chunks and reads them, wave by wave.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};
use mysql::prelude::Queryable;
use mysql::{Conn, Value};

use super::bound::{literal, of_value};
use super::chunk::Keys;
use super::key::{ChunkKey, Order};
use super::marks::Marks;
use super::{Chunk, Wave};
use crate::config::Config;
use crate::connection::{Purpose, connect, failure, quoted, rows};
use crate::decode::{Columns, DeclaredColumn, KeyReader, RowDecoder};
use crate::definition::TableName;
use crate::gtid::GtidSet;
use crate::position::{Bound, Place, SnapshotProgress, TableProgress};
use crate::server::{self, Server};
use crate::tables::value_options;

/// A wave ends after so many bytes,
const WAVE_BYTES: usize = 24 << 20;
/// or so long,
const WAVE_TIME: Duration = Duration::from_millis(400);
/// or so many chunks.
const WAVE_CHUNKS: usize = 64;
/// Where every wave must wait for its low mark, there are fewer and longer ones.
const SLOW_WAVE: (usize, Duration, usize) = (128 << 20, Duration::from_secs(10), 4096);
/// A chunk is one batch: more rows than this are cut again.
const CHUNK_ROWS_MAX: u64 = 16_384;
/// Rows of a chunk wait in memory for its high mark.
const CHUNK_BYTES_MAX: usize = 256 << 20;
const CHUNK_ROWS_MIN: u64 = 16;

/// Asks for a wave.
pub(crate) struct Request {
    /// What was read before it.
    pub(crate) progress: SnapshotProgress,
    /// Where the stream stands.
    pub(crate) behind: (GtidSet, Place),
}

/// The thread's handle.
pub(crate) struct Cutter {
    requests: Sender<Request>,
    replies: Receiver<Result<Wave, ConnectorError>>,
}

impl Cutter {
    pub(crate) fn start(
        config: &Arc<Config>,
        server: &Server,
        declared: &[DeclaredColumn],
        cancel: &Cancel,
    ) -> Result<Self, ConnectorError> {
        let (requests, asked) = channel();
        let (answers, replies) = channel();
        let mut worker = Worker {
            config: Arc::clone(config),
            server: server.clone(),
            declared: declared.to_vec(),
            cancel: cancel.clone(),
            conn: None,
            marks: Marks::new(),
            plan: None,
            rows: HashMap::new(),
        };
        std::thread::Builder::new()
            .name("mysql-snapshot".to_owned())
            .spawn(move || {
                for request in asked {
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
        let _ = self.requests.send(request);
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

/// How a table is read.
struct Plan {
    table: TableName,
    decoder: RowDecoder,
    key: ChunkKey,
    primary_key: Option<KeyReader>,
    primary_columns: usize,
    /// What is selected: the wanted columns, the primary key, the chunk column.
    list: String,
    rows: u64,
}

struct Worker {
    config: Arc<Config>,
    server: Server,
    declared: Vec<DeclaredColumn>,
    cancel: Cancel,
    conn: Option<Conn>,
    marks: Marks,
    plan: Option<Plan>,
    /// Rows of a chunk, where they had to be fewer than asked for.
    rows: HashMap<TableName, u64>,
}

/// What went wrong in a query of a chunk.
enum Trouble {
    Failed(ConnectorError),
    /// The connection: all marks are void.
    Lost(mysql::Error),
    /// The table is not there any more.
    Gone,
    /// The rows do not fit into memory.
    TooBig,
    /// The table's definition is another one than a moment ago.
    Changed(mysql::Error),
}

impl From<ConnectorError> for Trouble {
    fn from(error: ConnectorError) -> Self {
        Self::Failed(error)
    }
}

impl From<mysql::Error> for Trouble {
    fn from(error: mysql::Error) -> Self {
        match &error {
            mysql::Error::MySqlError(inner) if matches!(inner.code, 1146 | 1049 | 1051) => {
                Self::Gone
            }
            // Unknown column; a snapshot older than the definition.
            mysql::Error::MySqlError(inner) if matches!(inner.code, 1054 | 1412) => {
                Self::Changed(error)
            }
            _ => Self::Lost(error),
        }
    }
}

/// Attempts to read a wave before the failure is told.
const ATTEMPTS: u32 = 5;

impl Worker {
    fn patient_wave(&mut self, request: &Request) -> Result<Wave, ConnectorError> {
        let mut attempt = 1;
        loop {
            let error = match self.wave(request) {
                Ok(wave) => return Ok(wave),
                Err(Trouble::Failed(error)) => error,
                Err(Trouble::Lost(error)) => failure(&self.config, &error, "read rows"),
                Err(Trouble::Changed(error)) => {
                    let mut failed = failure(&self.config, &error, "read rows");
                    failed.retry = Retry::Restart;
                    failed
                }
                Err(Trouble::Gone) => {
                    self.plan = None;
                    continue;
                }
                Err(Trouble::TooBig) => {
                    self.conn = None;
                    self.smaller()?;
                    continue;
                }
            };
            self.conn = None;
            if error.retry == Retry::Never || attempt >= ATTEMPTS || self.cancel.is_cancelled() {
                return Err(error);
            }
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

    fn smaller(&mut self) -> Result<(), ConnectorError> {
        let Some(plan) = &mut self.plan else {
            return Ok(());
        };
        if plan.key.order != Order::Whole && plan.rows > CHUNK_ROWS_MIN {
            plan.rows = (plan.rows / 4).max(CHUNK_ROWS_MIN);
            return Ok(());
        }
        Err(ConnectorError::new(
            ErrorKind::Config,
            Retry::Never,
            format!(
                "a chunk of table {} has more than {} MiB: chunks cannot be cut smaller by column '{}' ({})",
                plan.table,
                CHUNK_BYTES_MAX >> 20,
                plan.key.name,
                plan.key.kind
            ),
        )
        .help("set 'scan.incremental.snapshot.chunk.key-column' to another column that is indexed"))
    }

    fn connected(&mut self) -> Result<Conn, Trouble> {
        match self.conn.take() {
            Some(conn) => Ok(conn),
            None => Ok(connect(&self.config, Purpose::Rows)?),
        }
    }

    fn wave(&mut self, request: &Request) -> Result<Wave, Trouble> {
        let mut conn = self.connected()?;
        let mut progress = request.progress.tables.clone();
        let low = self.marks.low(
            &mut conn,
            &self.config,
            &self.server,
            &request.behind,
            &self.cancel,
        )?;
        let (bytes_max, time_max, chunks_max) =
            if self.server.has_gtids || self.server.has_binlog_snapshot {
                (WAVE_BYTES, WAVE_TIME, WAVE_CHUNKS)
            } else {
                SLOW_WAVE
            };
        let begin = Instant::now();
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut bytes = 0;
        // A definition holds for one wave: what changes it between the marks makes the wave void.
        let mut plan: Option<Plan> = None;
        if let Some(old) = self.plan.take() {
            self.rows.insert(old.table, old.rows);
        }
        for table in &request.progress.order {
            while let Some(state) = progress.get(&table.to_string()).filter(|state| !state.done) {
                let is_old = begin.elapsed() >= time_max && !chunks.is_empty();
                if chunks.len() >= chunks_max || bytes >= bytes_max || is_old {
                    break;
                }
                if self.cancel.is_cancelled() {
                    return Err(Trouble::Failed(ConnectorError::new(
                        ErrorKind::Unreachable,
                        Retry::Restart,
                        "told to stop",
                    )));
                }
                if plan.as_ref().is_none_or(|plan| plan.table != *table) {
                    plan = self.new_plan(&mut conn, table)?;
                }
                let chunk = match &mut plan {
                    None => self.nothing(table),
                    Some(known) => match next_chunk(&mut conn, known, &self.declared, state) {
                        Ok(chunk) => chunk,
                        Err(Trouble::Gone) => {
                            plan = None;
                            self.nothing(table)
                        }
                        Err(trouble) => {
                            self.plan = plan;
                            return Err(trouble);
                        }
                    },
                };
                bytes += chunk.bytes();
                progress.insert(table.to_string(), chunk.after.clone());
                chunks.push(chunk);
            }
        }
        self.plan = plan;
        let high = Marks::high(&mut conn, &self.config, &self.server, &low)?;
        self.conn = Some(conn);
        tracing::debug!(table = self.config.table, chunks = chunks.len(), rows = chunks.iter().map(|c| c.rows).sum::<usize>(), %high, "read a wave of chunks");
        Ok(Wave { low, high, chunks })
    }

    /// Returns the chunk of a table that was dropped before it was read.
    fn nothing(&self, table: &TableName) -> Chunk {
        tracing::warn!(table = %table, "the table was dropped before its snapshot");
        let columns = Columns::new(&self.declared, 0).finish();
        let after = TableProgress {
            done: true,
            ..TableProgress::default()
        };
        Chunk::new(
            table.clone(),
            (None, None),
            columns,
            0,
            Keys::default(),
            after,
        )
    }

    fn new_plan(&self, conn: &mut Conn, table: &TableName) -> Result<Option<Plan>, Trouble> {
        // SHOW CREATE TABLE needs its answer as text in UTF-8.
        conn.query_drop("SET character_set_results=utf8mb4")?;
        let definition = server::definition(conn, &self.config, table)?;
        conn.query_drop("SET character_set_results=NULL")?;
        let Some(definition) = definition else {
            return Ok(None);
        };
        let key = ChunkKey::of(&definition, &self.config)?;
        let primary = definition.primary_key.clone();
        let primary_key = match primary.as_slice() {
            [] => None,
            places => KeyReader::new(&definition, places),
        };
        let definition = Arc::new(definition);
        let decoder = RowDecoder::new(
            Arc::clone(&definition),
            &self.declared,
            &value_options(&self.config),
        )
        .map_err(|error| ConnectorError::new(ErrorKind::Config, Retry::Never, error.to_string()))?;
        let places = decoder
            .query_columns()
            .iter()
            .chain(&primary)
            .chain([&key.place]);
        let list: Vec<String> = places
            .map(|place| quoted(&definition.columns[*place].name))
            .collect();
        Ok(Some(Plan {
            table: table.clone(),
            primary_columns: primary.len(),
            list: list.join(", "),
            rows: self
                .rows
                .get(table)
                .copied()
                .unwrap_or(self.config.chunk_size.min(CHUNK_ROWS_MAX)),
            decoder,
            key,
            primary_key,
        }))
    }
}

impl Plan {
    fn table_name(&self) -> String {
        format!(
            "{}.{}",
            quoted(&self.table.database),
            quoted(&self.table.table)
        )
    }

    fn compare(&self, sign: &str, bound: &Bound) -> String {
        format!(
            "{} {sign} {}",
            quoted(&self.key.name),
            literal(bound, &self.key.kind)
        )
    }

    fn condition(&self, lower: Option<&Bound>, upper: Option<&Bound>) -> String {
        let key = quoted(&self.key.name);
        match (lower, upper) {
            (None, None) => String::new(),
            (None, Some(upper)) => {
                format!(" WHERE ({} OR {key} IS NULL)", self.compare("<", upper))
            }
            (Some(lower), None) => format!(" WHERE {}", self.compare(">=", lower)),
            (Some(lower), Some(upper)) => {
                format!(
                    " WHERE {} AND {}",
                    self.compare(">=", lower),
                    self.compare("<", upper)
                )
            }
        }
    }
}

/// Rows of a query.
struct Read {
    columns: Columns,
    keys: Keys,
    rows: usize,
    /// Where the rows with the last key begin.
    last_group: usize,
    last: Value,
}

fn read(
    conn: &mut Conn,
    plan: &mut Plan,
    declared: &[DeclaredColumn],
    condition: &str,
    limit: Option<u64>,
) -> Result<Read, Trouble> {
    let order = match limit {
        Some(limit) => format!(" ORDER BY {} LIMIT {limit}", quoted(&plan.key.name)),
        None => String::new(),
    };
    let query = format!(
        "SELECT {} FROM {}{condition}{order}",
        plan.list,
        plan.table_name()
    );
    let width = plan.decoder.query_columns().len();
    let mut out = Read {
        columns: Columns::new(declared, limit.unwrap_or(1024).min(CHUNK_ROWS_MAX) as usize),
        keys: Keys::default(),
        rows: 0,
        last_group: 0,
        last: Value::NULL,
    };
    // A statement prepared by hand, as the binary protocol needs one, and closed again.
    let statement = conn.prep(query)?;
    let result = conn.exec_iter(&statement, ())?;
    for row in result {
        let mut values = row?.unwrap();
        plan.decoder
            .append_query(&values, &mut out.columns)
            .map_err(|error| {
                let text = format!("{error} (snapshot of {})", plan.table);
                ConnectorError::new(ErrorKind::Data, Retry::Never, text)
                    .help("change the declared type, or the row, and start again")
            })?;
        if let Some(key) = &plan.primary_key {
            let start = out.keys.bytes.len();
            let values = &values[width..width + plan.primary_columns];
            if key.of_query(values, &mut out.keys.bytes).is_none() {
                out.keys.bytes.truncate(start);
            }
        }
        out.keys.ends.push(out.keys.bytes.len() as u32);
        let last = values.pop().unwrap_or(Value::NULL);
        if out.rows == 0 || last != out.last {
            out.last_group = out.rows;
            out.last = last;
        }
        out.rows += 1;
        if out.columns.bytes() + out.keys.bytes.len() > CHUNK_BYTES_MAX {
            return Err(Trouble::TooBig);
        }
    }
    conn.close(statement)?;
    Ok(out)
}

fn chunk(
    plan: &Plan,
    range: (Option<Bound>, Option<Bound>),
    mut read: Read,
    rows: usize,
    after: TableProgress,
) -> Chunk {
    let mut columns = read.columns.finish();
    if rows < read.rows {
        for column in &mut columns {
            *column = column.slice(0, rows);
        }
        read.keys.ends.truncate(rows);
    }
    Chunk::new(plan.table.clone(), range, columns, rows, read.keys, after)
}

/// Reads the next chunk of a table.
fn next_chunk(
    conn: &mut Conn,
    plan: &mut Plan,
    declared: &[DeclaredColumn],
    state: &TableProgress,
) -> Result<Chunk, Trouble> {
    let done = TableProgress {
        done: true,
        ..TableProgress::default()
    };
    if plan.key.order == Order::Whole {
        let read = read(conn, plan, declared, "", None)?;
        let rows = read.rows;
        return Ok(chunk(plan, (None, None), read, rows, done));
    }
    if let (Some(below), None) = (&state.below, &state.from) {
        return open_chunk(conn, plan, declared, below);
    }
    match plan.key.order {
        Order::Here => chunk_by_limit(conn, plan, declared, state, done),
        _ => chunk_by_walk(conn, plan, declared, state, done),
    }
}

/// Reads the chunk without an end: what is behind the greatest key of now.
fn open_chunk(
    conn: &mut Conn,
    plan: &mut Plan,
    declared: &[DeclaredColumn],
    below: &Bound,
) -> Result<Chunk, Trouble> {
    let query = format!(
        "SELECT MAX({}) FROM {}{}",
        quoted(&plan.key.name),
        plan.table_name(),
        plan.condition(Some(below), None)
    );
    let from = values(conn, &query)?
        .first()
        .and_then(of_value)
        .unwrap_or_else(|| below.clone());
    let condition = plan.condition(Some(&from), None);
    let read = read(conn, plan, declared, &condition, None)?;
    let rows = read.rows;
    let after = TableProgress {
        done: from == *below,
        below: Some(below.clone()),
        from: Some(from.clone()),
    };
    Ok(chunk(plan, (Some(from), None), read, rows, after))
}

/// Reads the next rows in the order of the key: the last one tells where the chunk ends.
fn chunk_by_limit(
    conn: &mut Conn,
    plan: &mut Plan,
    declared: &[DeclaredColumn],
    state: &TableProgress,
    done: TableProgress,
) -> Result<Chunk, Trouble> {
    let condition = plan.condition(state.below.as_ref(), state.from.as_ref());
    let mut limit = plan.rows;
    loop {
        let read = read(conn, plan, declared, &condition, Some(limit))?;
        if (read.rows as u64) < limit {
            let rows = read.rows;
            return Ok(chunk(
                plan,
                (state.below.clone(), state.from.clone()),
                read,
                rows,
                done,
            ));
        }
        match of_value(&read.last).filter(|bound| plan.key.value(bound).is_some()) {
            Some(bound) if read.last_group > 0 => {
                let after = TableProgress {
                    below: Some(bound.clone()),
                    from: state.from.clone(),
                    done: false,
                };
                let rows = read.last_group;
                return Ok(chunk(
                    plan,
                    (state.below.clone(), Some(bound)),
                    read,
                    rows,
                    after,
                ));
            }
            // So many rows with one key.
            _ => limit = limit.saturating_mul(4),
        }
    }
}

/// Reads up to a key that the server tells, since only it can compare.
fn chunk_by_walk(
    conn: &mut Conn,
    plan: &mut Plan,
    declared: &[DeclaredColumn],
    state: &TableProgress,
    done: TableProgress,
) -> Result<Chunk, Trouble> {
    let key = quoted(&plan.key.name);
    let (lower, from) = (state.below.as_ref(), state.from.as_ref());
    let grows = lower.map_or("1".to_owned(), |lower| {
        format!("MAX({key}) > {}", literal(lower, &plan.key.kind))
    });
    let query = format!(
        "SELECT MAX({key}), COUNT(*), {grows} FROM (SELECT {key} FROM {}{} ORDER BY {key} LIMIT {}) AS c",
        plan.table_name(),
        plan.condition(lower, from),
        plan.rows
    );
    let found = values(conn, &query)?;
    let count = found.get(1).and_then(number).unwrap_or(0);
    let mut upper = found.first().and_then(of_value);
    if (count as u64) < plan.rows {
        upper = None;
    } else if found.get(2).and_then(number) != Some(1) || upper.is_none() {
        let behind = lower.map_or("IS NOT NULL".to_owned(), |lower| {
            format!("> {}", literal(lower, &plan.key.kind))
        });
        let query = format!(
            "SELECT MIN({key}) FROM {} WHERE {key} {behind}",
            plan.table_name()
        );
        upper = values(conn, &query)?.first().and_then(of_value);
        if let (Some(bound), Some(from)) = (&upper, from) {
            let query = format!(
                "SELECT COUNT(*) FROM (SELECT {key} FROM {} WHERE {} LIMIT 1) AS c WHERE {}",
                plan.table_name(),
                plan.compare("=", bound),
                plan.compare("<", from)
            );
            if values(conn, &query)?.first().and_then(number) != Some(1) {
                upper = None;
            }
        }
    }
    let (upper, after) = match upper {
        Some(bound) => (
            Some(bound.clone()),
            TableProgress {
                below: Some(bound),
                from: state.from.clone(),
                done: false,
            },
        ),
        None => (state.from.clone(), done),
    };
    let condition = plan.condition(lower, upper.as_ref());
    let read = read(conn, plan, declared, &condition, None)?;
    let rows = read.rows;
    Ok(chunk(plan, (state.below.clone(), upper), read, rows, after))
}

/// Returns the values of a query's only row, by the binary protocol.
fn values(conn: &mut Conn, query: &str) -> Result<Vec<Value>, Trouble> {
    let statement = conn.prep(query)?;
    let row: Option<mysql::Row> = conn.exec_first(&statement, ())?;
    conn.close(statement)?;
    Ok(row.map(mysql::Row::unwrap).unwrap_or_default())
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::UInt(number) => i64::try_from(*number).ok(),
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).parse().ok(),
        _ => None,
    }
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

/// Returns a column's charset and collation.
pub(super) fn collation(
    conn: &mut Conn,
    table: &TableName,
    column: &str,
) -> Result<Option<String>, mysql::Error> {
    let text = |text: &str| Value::from(text).as_sql(true);
    let query = format!(
        "SELECT collation_name FROM information_schema.columns WHERE table_schema={} AND table_name={} AND column_name={}",
        text(&table.database),
        text(&table.table),
        text(column)
    );
    Ok(rows(conn, &query)?
        .first()
        .and_then(|row| crate::connection::text(row, 0)))
}
