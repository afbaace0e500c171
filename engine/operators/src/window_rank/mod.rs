//! The first rows of each window and key: window Top-N and window deduplication.

use std::sync::Arc;

use arrow_array::{Array, Int64Array};
use arrow_schema::DataType;
use jiff::tz::TimeZone;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use crate::emit::ByteRows;
use crate::pair_output::JOINED_ROWS_MAX;
use crate::rank::SortColumn;
use crate::timed_rows::{TimedRows, time_bytes, times};
use crate::windows::{is_window_over, timer_ms};
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark};

const ROWS: TableId = TableId(0);

/// What a window Top-N is told. A window deduplication is one of rank 1 by the rowtime, ascending for the first row and
/// descending for the last.
#[derive(Clone, Debug)]
pub struct WindowRankSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The partition key beside the window; may be empty.
    pub partition: Vec<usize>,
    /// The column `window_end`.
    pub window_end: usize,
    /// The session's zone where the window is one of TIMESTAMP_LTZ times; else `None`.
    pub zone: Option<TimeZone>,
    /// The order within a window; rows that are equal in it rank by arrival.
    pub sort: Vec<SortColumn>,
    /// Whether of equal rows the later one counts, as in a deduplication that keeps the last row.
    pub later_wins: bool,
    /// The first rank that is shown, from 1.
    pub start: i64,
    /// The last rank that is shown.
    pub end: i64,
    /// Whether the rank is given out, a BIGINT behind the columns.
    pub with_number: bool,
}

/// Keeps the first rows of each window and key and gives them out when the watermark has passed the window.
///
/// # Flink
/// `WindowRankProcessor` and `RowTimeWindowDeduplicateProcessor`. Rows of windows that are over are dropped.
#[derive(Debug)]
pub struct WindowRank {
    spec: WindowRankSpec,
    partitions: RowCodec,
    sorts: RowCodec,
    rows: RowCodec,
    state: TimedRows,
    late_rows: u64,
}

impl WindowRank {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: WindowRankSpec) -> Result<Self, OperatorError> {
        let sort = spec.sort.iter();
        let sort = sort.map(|sort| (spec.columns[sort.column].clone(), sort.options));
        let partition = spec.partition.iter();
        Ok(Self {
            partitions: RowCodec::new(partition.map(|column| spec.columns[*column].clone()))?,
            sorts: RowCodec::sorted(sort)?,
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            state: TimedRows::new(ROWS),
            late_rows: 0,
            spec,
        })
    }

    /// Adds a row unless enough others come before it.
    fn add(&mut self, partition: &[u8], time: &[u8], sort: &[u8], row: &[u8]) {
        let in_window = |sort: &[u8]| sort.starts_with(time);
        if let Some(rows) = self.state.find(partition) {
            let first = rows.lower_bound(time);
            let before = rows.upper_bound(sort) - first;
            let same = rows.get(first).filter(|row| row.sort() == sort);
            if self.spec.later_wins && same.is_some() {
                let slot = self.state.state().partition(partition, 0);
                self.state.state().replace(slot, first, &[], row, 0);
                return;
            }
            if before as i64 >= self.spec.end {
                return;
            }
        }
        let (slot, _) = self.state.insert(partition, sort, &[], row);
        let rows = self.state.rows(slot);
        let last = rows.lower_bound(time) + usize::try_from(self.spec.end).unwrap_or(0);
        if rows.get(last).is_some_and(|row| in_window(row.sort())) {
            self.state.state().remove(slot, last);
        }
    }

    fn give(
        &self,
        ready: &mut ByteRows,
        ranks: &mut Vec<i64>,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let ready = std::mem::take(ready);
        let ranks = std::mem::take(ranks);
        let mut columns = self.rows.decode(ready.iter())?;
        if self.spec.with_number {
            columns.push(Arc::new(Int64Array::from(ranks)));
        }
        out.batch(Batch::inserts(columns, ready.len()));
        Ok(())
    }
}

impl Operator for WindowRank {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        _out: &mut Output,
    ) -> Result<(), OperatorError> {
        let partitions = self.partitions.encode_some(&batch, &self.spec.partition)?;
        let columns: Vec<usize> = self.spec.sort.iter().map(|sort| sort.column).collect();
        let sorts = self.sorts.encode_some(&batch, &columns)?;
        let rows = self.rows.encode(&batch.columns, batch.rows)?;
        let ends = times(&batch.columns[self.spec.window_end])?;
        let mut sort = Vec::new();
        for row in 0..batch.rows {
            if batch.kind(row) != RowKind::Insert {
                return Err(OperatorError::UnexpectedKind(batch.kind(row)));
            }
            let end_ms = ends.value(row).div_euclid(1_000);
            if ends.is_null(row) || is_window_over(end_ms, ctx.watermark, self.spec.zone.as_ref()) {
                self.late_rows += 1;
                continue;
            }
            let time = time_bytes(end_ms);
            sort.clear();
            sort.extend_from_slice(&time);
            sort.extend_from_slice(sorts.row(row));
            self.add(partitions.row(row), &time, &sort, rows.row(row));
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let mut ready = ByteRows::default();
        let mut ranks = Vec::new();
        while let Some(end_ms) = self.state.first_time() {
            if timer_ms(end_ms - 1, self.spec.zone.as_ref()) > watermark.0 {
                break;
            }
            let Some((end_ms, partitions)) = self.state.take_time(end_ms) else {
                break;
            };
            for (_, slot) in partitions {
                for (row, rank) in self.state.take(slot, end_ms).iter().zip(1..) {
                    if rank < self.spec.start {
                        continue;
                    }
                    ready.push(row.row());
                    ranks.push(rank);
                    if ready.len() == JOINED_ROWS_MAX {
                        self.give(&mut ready, &mut ranks, out)?;
                    }
                }
            }
        }
        if ready.len() > 0 {
            self.give(&mut ready, &mut ranks, out)?;
        }
        out.watermark(watermark);
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
        self.state.size()
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }
}

#[cfg(test)]
mod tests;
