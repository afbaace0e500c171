//! The queries of chunks: where a chunk ends, and its rows.

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use mysql::prelude::Queryable;
use mysql::{Conn, Value};

use super::Chunk;
use super::bound::{literal, of_value};
use super::chunk::Keys;
use super::key::Order;
use super::plan::Plan;
use crate::connection::{is_full, quoted, rows};
use crate::decode::{Columns, DeclaredColumn, RowDecoder};
use crate::definition::TableName;
use crate::position::{Bound, TableProgress};

/// A chunk is one batch: more rows than this are cut again.
pub(super) const CHUNK_ROWS_MAX: u64 = 16_384;

/// What went wrong in a query of a chunk.
pub(super) enum Trouble {
    Failed(ConnectorError),
    /// The connection.
    Lost(mysql::Error),
    /// The table is not there any more.
    Gone,
    /// The rows do not fit into memory.
    TooBig,
    /// The table's definition is another one than a moment ago.
    Changed(mysql::Error),
    /// The server gives no connection more.
    Full(mysql::Error),
    /// It failed too often.
    GaveUp(ConnectorError),
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
            _ if is_full(&error) => Self::Full(error),
            _ => Self::Lost(error),
        }
    }
}

/// A table in the hands of one reader.
pub(super) struct Reading<'a> {
    pub(super) conn: &'a mut Conn,
    pub(super) plan: &'a Plan,
    pub(super) decoder: &'a mut RowDecoder,
    pub(super) declared: &'a [DeclaredColumn],
    /// The most bytes of one chunk.
    pub(super) bytes_max: usize,
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

fn done() -> TableProgress {
    TableProgress {
        done: true,
        ..TableProgress::default()
    }
}

impl Reading<'_> {
    fn read(&mut self, condition: &str, limit: Option<u64>) -> Result<Read, Trouble> {
        let plan = self.plan;
        let order = match limit {
            Some(limit) => format!(" ORDER BY {} LIMIT {limit}", quoted(&plan.key.name)),
            None => String::new(),
        };
        let query = format!(
            "SELECT {} FROM {}{condition}{order}",
            plan.list,
            plan.table_name()
        );
        let width = self.decoder.query_columns().len();
        let expected = limit.unwrap_or(1024).min(CHUNK_ROWS_MAX) as usize;
        let mut out = Read {
            columns: Columns::new(self.declared, expected),
            keys: Keys::default(),
            rows: 0,
            last_group: 0,
            last: Value::NULL,
        };
        // A statement prepared by hand, as the binary protocol needs one, and closed again.
        let statement = self.conn.prep(query)?;
        let result = self.conn.exec_iter(&statement, ())?;
        for row in result {
            let mut values = row?.unwrap();
            self.decoder
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
            if out.columns.bytes() + out.keys.bytes.len() > self.bytes_max {
                return Err(Trouble::TooBig);
            }
        }
        self.conn.close(statement)?;
        Ok(out)
    }

    fn chunk(
        &self,
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
        let table = self.plan.table.clone();
        Chunk::new(table, range, columns, rows, read.keys, after)
    }

    /// Reads the next chunk of a table.
    pub(super) fn next(&mut self, state: &TableProgress) -> Result<Chunk, Trouble> {
        if self.plan.key.order == Order::Whole {
            let read = self.read("", None)?;
            let rows = read.rows;
            return Ok(self.chunk((None, None), read, rows, done()));
        }
        if let (Some(below), None) = (&state.below, &state.from) {
            return self.open_chunk(below);
        }
        match self.plan.key.order {
            Order::Here => self.chunk_by_limit(state),
            _ => self.chunk_by_walk(state),
        }
    }

    /// Reads the rows from one key to below another as one chunk.
    pub(super) fn between(
        &mut self,
        lower: &Bound,
        upper: &Bound,
        after: &TableProgress,
    ) -> Result<Chunk, Trouble> {
        let condition = self.plan.condition(Some(lower), Some(upper));
        let read = self.read(&condition, None)?;
        let rows = read.rows;
        let range = (Some(lower.clone()), Some(upper.clone()));
        Ok(self.chunk(range, read, rows, after.clone()))
    }

    /// Reads the rows from one key to below another, chunk by chunk, but no more than fit into memory.
    pub(super) fn pieces(
        &mut self,
        lower: &Bound,
        upper: &Bound,
        after: &TableProgress,
    ) -> Result<Vec<Chunk>, Trouble> {
        let mut state = TableProgress {
            below: Some(lower.clone()),
            from: Some(upper.clone()),
            done: false,
        };
        let mut chunks = Vec::new();
        let mut bytes = 0;
        loop {
            let mut chunk = self.next(&state)?;
            bytes += chunk.bytes();
            if chunk.after.done {
                chunk.after = after.clone();
                chunks.push(chunk);
                return Ok(chunks);
            }
            state = chunk.after.clone();
            chunk.after.from.clone_from(&after.from);
            if after.done {
                // Until the last piece the table is open above what was read.
                chunk.after.from = Some(upper.clone());
            }
            chunks.push(chunk);
            if bytes >= self.bytes_max {
                return Ok(chunks);
            }
        }
    }

    /// Reads the chunk without an end: what is behind the greatest key of now.
    fn open_chunk(&mut self, below: &Bound) -> Result<Chunk, Trouble> {
        let plan = self.plan;
        let query = format!(
            "SELECT MAX({}) FROM {}{}",
            quoted(&plan.key.name),
            plan.table_name(),
            plan.condition(Some(below), None)
        );
        let from = values(self.conn, &query)?
            .first()
            .and_then(of_value)
            .unwrap_or_else(|| below.clone());
        let condition = plan.condition(Some(&from), None);
        let read = self.read(&condition, None)?;
        let rows = read.rows;
        let after = TableProgress {
            done: from == *below,
            below: Some(below.clone()),
            from: Some(from.clone()),
        };
        Ok(self.chunk((Some(from), None), read, rows, after))
    }

    /// Reads the next rows in the order of the key: the last one tells where the chunk ends.
    fn chunk_by_limit(&mut self, state: &TableProgress) -> Result<Chunk, Trouble> {
        let plan = self.plan;
        let condition = plan.condition(state.below.as_ref(), state.from.as_ref());
        let mut limit = plan.rows;
        loop {
            let read = self.read(&condition, Some(limit))?;
            if (read.rows as u64) < limit {
                let rows = read.rows;
                let range = (state.below.clone(), state.from.clone());
                return Ok(self.chunk(range, read, rows, done()));
            }
            match of_value(&read.last).filter(|bound| plan.key.value(bound).is_some()) {
                Some(bound) if read.last_group > 0 => {
                    let after = TableProgress {
                        below: Some(bound.clone()),
                        from: state.from.clone(),
                        done: false,
                    };
                    let rows = read.last_group;
                    let range = (state.below.clone(), Some(bound));
                    return Ok(self.chunk(range, read, rows, after));
                }
                // So many rows with one key.
                _ => limit = limit.saturating_mul(4),
            }
        }
    }

    /// Reads up to a key that the server tells, since only it can compare.
    fn chunk_by_walk(&mut self, state: &TableProgress) -> Result<Chunk, Trouble> {
        let (upper, after) = match walk(self.conn, self.plan, state)? {
            Some(bound) => (
                Some(bound.clone()),
                TableProgress {
                    below: Some(bound),
                    from: state.from.clone(),
                    done: false,
                },
            ),
            None => (state.from.clone(), done()),
        };
        let condition = self.plan.condition(state.below.as_ref(), upper.as_ref());
        let read = self.read(&condition, None)?;
        let rows = read.rows;
        Ok(self.chunk((state.below.clone(), upper), read, rows, after))
    }
}

/// Where a chunk ends that another one follows.
pub(super) enum Cut {
    /// There.
    At(Bound),
    /// What is left is one chunk.
    Rest,
    /// Only who reads the rows can tell.
    Unknown,
}

/// Finds where the next chunk of a table ends, without its rows; `fill` is how many rows the last chunk had for each
/// number of the chunk column.
pub(super) fn cut(
    conn: &mut Conn,
    plan: &Plan,
    lower: &Bound,
    from: &Bound,
    fill: f64,
) -> Result<Cut, Trouble> {
    if plan.key.order == Order::Server {
        let state = TableProgress {
            below: Some(lower.clone()),
            from: Some(from.clone()),
            done: false,
        };
        return Ok(walk(conn, plan, &state)?.map_or(Cut::Rest, Cut::At));
    }
    if fill >= DENSE
        && plan.counts_by_key()
        && let Some(cut) = by_arithmetic(lower, from, plan.rows)
    {
        return Ok(cut);
    }
    let key = quoted(&plan.key.name);
    let query = format!(
        "SELECT {key} FROM {}{} ORDER BY {key} LIMIT {},1",
        plan.table_name(),
        plan.condition(Some(lower), Some(from)),
        plan.rows
    );
    let found = values(conn, &query)?;
    let Some(value) = found.first() else {
        return Ok(Cut::Rest);
    };
    Ok(of_value(value)
        .filter(|bound| plan.key.value(bound).is_some() && bound != lower)
        .map_or(Cut::Unknown, Cut::At))
}

/// From so many rows for each number on, numbers are counted instead of rows.
const DENSE: f64 = 0.5;

/// Cuts so many numbers behind the lower bound: at most as many rows.
fn by_arithmetic(lower: &Bound, from: &Bound, rows: u64) -> Option<Cut> {
    let cut = match (lower, from) {
        (Bound::Int(lower), Bound::Int(from)) => {
            let upper = lower.saturating_add(i64::try_from(rows).ok()?);
            (upper < *from).then_some(Bound::Int(upper))
        }
        (Bound::UInt(lower), Bound::UInt(from)) => {
            let upper = lower.saturating_add(rows);
            (upper < *from).then_some(Bound::UInt(upper))
        }
        _ => return None,
    };
    Some(cut.map_or(Cut::Rest, Cut::At))
}

/// Returns how many rows a chunk has for each number between its bounds; `None` if they are no numbers.
pub(super) fn fill(chunk: &Chunk) -> Option<f64> {
    let numbers = match (chunk.lower.as_ref()?, chunk.upper.as_ref()?) {
        (Bound::Int(lower), Bound::Int(upper)) => upper.saturating_sub(*lower) as f64,
        (Bound::UInt(lower), Bound::UInt(upper)) => upper.saturating_sub(*lower) as f64,
        _ => return None,
    };
    (numbers > 0.0).then(|| chunk.rows as f64 / numbers)
}

/// Returns the key at which the server ends a chunk; `None` where the rest is one.
fn walk(conn: &mut Conn, plan: &Plan, state: &TableProgress) -> Result<Option<Bound>, Trouble> {
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
    let upper = found.first().and_then(of_value);
    if (count as u64) < plan.rows {
        return Ok(None);
    }
    if found.get(2).and_then(number) == Some(1) && upper.is_some() {
        return Ok(upper);
    }
    let behind = lower.map_or("IS NOT NULL".to_owned(), |lower| {
        format!("> {}", literal(lower, &plan.key.kind))
    });
    let query = format!(
        "SELECT MIN({key}) FROM {} WHERE {key} {behind}",
        plan.table_name()
    );
    let upper = values(conn, &query)?.first().and_then(of_value);
    if let (Some(bound), Some(from)) = (&upper, from) {
        let query = format!(
            "SELECT COUNT(*) FROM (SELECT {key} FROM {} WHERE {} LIMIT 1) AS c WHERE {}",
            plan.table_name(),
            plan.compare("=", bound),
            plan.compare("<", from)
        );
        if values(conn, &query)?.first().and_then(number) != Some(1) {
            return Ok(None);
        }
    }
    Ok(upper)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_up_to_the_open_chunk() {
        let at = |lower, from| match by_arithmetic(&lower, &from, 100) {
            Some(Cut::At(bound)) => Some(bound),
            Some(Cut::Rest) => None,
            other => panic!("{}", other.is_some()),
        };
        assert_eq!(at(Bound::Int(-50), Bound::Int(1000)), Some(Bound::Int(50)));
        assert_eq!(at(Bound::Int(900), Bound::Int(1000)), None);
        assert_eq!(at(Bound::Int(i64::MAX - 5), Bound::Int(i64::MAX)), None);
        assert_eq!(
            at(Bound::UInt(u64::MAX - 500), Bound::UInt(u64::MAX)),
            Some(Bound::UInt(u64::MAX - 400))
        );
        assert_eq!(at(Bound::UInt(u64::MAX - 5), Bound::UInt(u64::MAX)), None);
        assert!(by_arithmetic(&Bound::Int(1), &Bound::UInt(9), 5).is_none());
    }
}
