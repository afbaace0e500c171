//! `ORDER BY time, …` over a stream: rows wait for the watermark and come out in order.

use arrow_array::Array;
use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use crate::emit::ByteRows;
use crate::keyed_value::KeyedValue;
use crate::pair_output::JOINED_ROWS_MAX;
use crate::rank::SortColumn;
use crate::stored::unknown_table;
use crate::timed_rows::{TimedRows, time_bytes, times};
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark};

const ROWS: TableId = TableId(0);
const LAST: TableId = TableId(1);

/// What a sort by time is told.
#[derive(Clone, Debug)]
pub struct TemporalSortSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The rowtime column, which comes first in the order, ascending.
    pub rowtime: usize,
    /// What orders rows of one time; those that are equal in it too keep the order of arrival.
    pub sort: Vec<SortColumn>,
}

/// Gives insert-only rows out in the order of their time when the watermark has reached it.
///
/// # Flink
/// `RowTimeSortOperator`: a row not later than the last one given out is dropped. It runs in one lane, without a key.
#[derive(Debug)]
pub struct TemporalSort {
    spec: TemporalSortSpec,
    rows: RowCodec,
    sorts: RowCodec,
    state: TimedRows,
    /// The time of the last row that was given out.
    last: KeyedValue<i64>,
    late_rows: u64,
}

impl TemporalSort {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: TemporalSortSpec) -> Result<Self, OperatorError> {
        let sort = spec.sort.iter();
        let sort = sort.map(|sort| (spec.columns[sort.column].clone(), sort.options));
        Ok(Self {
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            sorts: RowCodec::sorted(sort)?,
            state: TimedRows::new(ROWS),
            last: KeyedValue::new(LAST, None),
            late_rows: 0,
            spec,
        })
    }

    fn give(&self, ready: &mut ByteRows, out: &mut Output) -> Result<(), OperatorError> {
        let ready = std::mem::take(ready);
        let columns = self.rows.decode(ready.iter())?;
        out.batch(Batch::inserts(columns, ready.len()));
        Ok(())
    }
}

impl Operator for TemporalSort {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        _out: &mut Output,
    ) -> Result<(), OperatorError> {
        let columns: Vec<usize> = self.spec.sort.iter().map(|sort| sort.column).collect();
        let sorts = self.sorts.encode_some(&batch, &columns)?;
        let rows = self.rows.encode(&batch.columns, batch.rows)?;
        let times = times(&batch.columns[self.spec.rowtime])?;
        let last = self.last.find(&[], ctx.now_ms);
        let last = last.map_or(i64::MIN, |slot| *self.last.get(slot));
        let mut sort = Vec::new();
        for row in 0..batch.rows {
            if batch.kind(row) != RowKind::Insert {
                return Err(OperatorError::UnexpectedKind(batch.kind(row)));
            }
            let time_ms = times.value(row).div_euclid(1_000);
            if times.is_null(row) || time_ms <= last {
                self.late_rows += 1;
                continue;
            }
            sort.clear();
            sort.extend_from_slice(&time_bytes(time_ms));
            sort.extend_from_slice(sorts.row(row));
            self.state.insert(&[], &sort, &[], rows.row(row));
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let mut ready = ByteRows::default();
        while let Some((time, partitions)) = self.state.take_time(watermark.0) {
            for (_, slot) in partitions {
                self.last.set(&[], time, ctx.now_ms);
                for row in self.state.take(slot, time) {
                    ready.push(row.row());
                    if ready.len() == JOINED_ROWS_MAX {
                        self.give(&mut ready, out)?;
                    }
                }
            }
        }
        if ready.len() > 0 {
            self.give(&mut ready, out)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        self.state.snapshot(writer);
        self.last.snapshot(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| match change.table {
            LAST => self.last.restore(change),
            ROWS => self.state.restore(change),
            table => Err(unknown_table(table)),
        })?;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        self.state.size()
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }
}

#[cfg(test)]
mod tests;
