//! The first or last row of each key: `ROW_NUMBER() OVER (PARTITION BY … ORDER BY time) = 1`.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use crate::emit::Emitter;
use crate::keyed_value::KeyedValue;
use crate::stored::{Stored, put_i64, take_i64};
use crate::ttl::Ttl;
use crate::{Batch, Context, EncodedRows, Operator, OperatorError, Output, RowCodec};

const ROWS: TableId = TableId(0);

/// What a deduplication is told.
#[derive(Clone, Debug)]
pub struct DeduplicateSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The partition key; may be empty.
    pub key: Vec<usize>,
    /// The rowtime column that orders the rows; `None` = processing time, which is the order of arrival.
    pub rowtime: Option<usize>,
    /// Whether the last row is kept (`ORDER BY time DESC`) or the first.
    pub keep_last: bool,
    /// Whether what comes after it needs the old row of an update.
    pub update_before: bool,
    /// Whether what comes after it tells an insertion from an update; if it needs neither, every row is a `+U`.
    pub insert: bool,
    /// `table.exec.state.ttl`.
    pub ttl: Option<Ttl>,
}

/// Keeps one row a key. Its input is insert-only.
///
/// # Flink
/// `ProcTimeDeduplicateKeepFirstRowFunction`, `…KeepLastRowFunction` and `RowTimeDeduplicateFunction`. The first by
/// rowtime gives way to an earlier one, the last to one as late or later. By processing time, a row equal to the first
/// one of its key changes nothing, as long as there is no time to live.
#[derive(Debug)]
pub struct Deduplicate {
    spec: DeduplicateSpec,
    keys: RowCodec,
    rows: RowCodec,
    state: KeyedValue<Kept>,
}

/// The row that is kept for a key.
#[derive(Debug)]
struct Kept {
    /// Microseconds; 0 by processing time.
    rowtime: i64,
    /// Whether it came as an update.
    updated: bool,
    /// Empty where nobody asks for it again.
    row: Box<[u8]>,
}

impl Stored for Kept {
    fn write(&self, out: &mut Vec<u8>) {
        put_i64(out, self.rowtime);
        out.push(u8::from(self.updated));
        out.extend_from_slice(&self.row);
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let rowtime = take_i64(&mut bytes)?;
        let (updated, row) = bytes.split_first()?;
        Some(Self {
            rowtime,
            updated: *updated != 0,
            row: row.into(),
        })
    }

    fn bytes(&self) -> usize {
        self.row.len()
    }
}

impl Deduplicate {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: DeduplicateSpec) -> Result<Self, OperatorError> {
        Ok(Self {
            keys: RowCodec::new(spec.key.iter().map(|column| spec.columns[*column].clone()))?,
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            state: KeyedValue::new(ROWS, spec.ttl),
            spec,
        })
    }

    /// Whether rows are asked for again, or only whether there was one.
    fn keeps_rows(&self) -> bool {
        self.spec.update_before
            || (self.spec.insert && self.spec.rowtime.is_none() && self.spec.keep_last)
    }

    fn keep_first(&mut self, keys: &EncodedRows, now_ms: i64, emitter: &mut Emitter) {
        for row in 0..keys.len() {
            let key = keys.row(row);
            if self.state.find(key, now_ms).is_none() {
                emitter.input(RowKind::Insert, row);
                self.set(key, 0, false, &[], now_ms);
            }
        }
    }

    fn keep_last(
        &mut self,
        keys: &EncodedRows,
        rows: &EncodedRows,
        now_ms: i64,
        emitter: &mut Emitter,
    ) {
        for row in 0..keys.len() {
            let (key, bytes) = (keys.row(row), rows.row(row));
            let before = self.state.find(key, now_ms);
            if let Some(before) = before.map(|slot| self.state.get(slot)) {
                let same = !before.updated && *before.row == *bytes;
                if same && self.spec.ttl.is_none() && self.keeps_rows() {
                    continue;
                }
                self.update(before, row, emitter);
                self.set(key, 0, true, bytes, now_ms);
            } else {
                emitter.input(RowKind::Insert, row);
                self.set(key, 0, false, bytes, now_ms);
            }
        }
    }

    fn by_rowtime(
        &mut self,
        keys: &EncodedRows,
        rows: Option<&EncodedRows>,
        times: &[i64],
        now_ms: i64,
        emitter: &mut Emitter,
    ) {
        for (row, time) in times.iter().enumerate() {
            let (key, bytes) = (keys.row(row), rows.map_or(&[][..], |rows| rows.row(row)));
            let before = self.state.find(key, now_ms);
            if let Some(before) = before.map(|slot| self.state.get(slot)) {
                let replaces = match time.cmp(&before.rowtime) {
                    Ordering::Less => !self.spec.keep_last,
                    Ordering::Equal | Ordering::Greater => self.spec.keep_last,
                };
                if !replaces {
                    continue;
                }
                self.update(before, row, emitter);
            } else if self.spec.update_before || self.spec.insert {
                emitter.input(RowKind::Insert, row);
            } else {
                emitter.input(RowKind::UpdateAfter, row);
            }
            self.set(key, *time, false, bytes, now_ms);
        }
    }

    fn update(&self, before: &Kept, row: usize, emitter: &mut Emitter) {
        if self.spec.update_before {
            emitter.stored(RowKind::UpdateBefore, &before.row);
        }
        emitter.input(RowKind::UpdateAfter, row);
    }

    fn set(&mut self, key: &[u8], rowtime: i64, updated: bool, row: &[u8], now_ms: i64) {
        let row = row.into();
        let kept = Kept {
            rowtime,
            updated,
            row,
        };
        self.state.set(key, kept, now_ms);
    }
}

impl Operator for Deduplicate {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if let Some(kind) = batch
            .kinds
            .iter()
            .flat_map(|kinds| kinds.iter())
            .find(|kind| **kind != RowKind::Insert)
        {
            return Err(OperatorError::UnexpectedKind(*kind));
        }
        self.state.expire(ctx.now_ms);
        let mut emitter = Emitter::default();
        let keys = self.keys.encode_some(&batch, &self.spec.key)?;
        let rows = if self.keeps_rows() {
            Some(self.rows.encode(&batch.columns, batch.rows)?)
        } else {
            None
        };
        if let Some(rowtime) = self.spec.rowtime {
            let times = batch.columns[rowtime].as_primitive_opt::<TimestampMicrosecondType>();
            let times =
                times.ok_or_else(|| OperatorError::Failed("a rowtime is no timestamp".into()))?;
            self.by_rowtime(
                &keys,
                rows.as_ref(),
                times.values(),
                ctx.now_ms,
                &mut emitter,
            );
        } else if !self.spec.keep_last {
            self.keep_first(&keys, ctx.now_ms, &mut emitter);
        } else if let Some(rows) = rows {
            self.keep_last(&keys, &rows, ctx.now_ms, &mut emitter);
        } else {
            (0..batch.rows).for_each(|row| emitter.input(RowKind::UpdateAfter, row));
        }
        out.batch(emitter.finish(&self.rows, &batch.columns)?);
        Ok(())
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        self.state.snapshot(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| self.state.restore(change))?;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        (self.state.len() as u64, self.state.bytes() as u64)
    }
}

#[cfg(test)]
mod tests;
