//! `TABLE(TUMBLE(…))`, `HOP` and `CUMULATE`: each row with the windows that it falls into.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, TimestampMicrosecondArray, UInt32Array};
use jiff::tz::TimeZone;

use crate::emit::take_rows;
use crate::windows::{Window, WindowAssigner, instant_ms, wall_ms};
use crate::{Batch, Context, Operator, OperatorError, Output};

/// What a window table function is told.
#[derive(Clone, Debug)]
pub struct WindowTableSpec {
    /// The rowtime column; `None` = processing time.
    pub rowtime: Option<usize>,
    /// The session's zone where the time is TIMESTAMP_LTZ or processing time; `None` for TIMESTAMP.
    pub zone: Option<TimeZone>,
    /// Which windows.
    pub assigner: WindowAssigner,
}

/// Gives out each row once a window, with `window_start`, `window_end` (TIMESTAMP(3), wall clock) and `window_time` (the
/// last millisecond, of the rowtime's type) behind its columns.
///
/// # Flink
/// `WindowTableFunctionOperator`: a row whose rowtime is NULL is dropped.
#[derive(Debug)]
pub struct WindowTable {
    spec: WindowTableSpec,
}

impl WindowTable {
    /// Returns the operator.
    #[must_use]
    pub fn new(spec: WindowTableSpec) -> Self {
        Self { spec }
    }

    /// Returns the windows of all rows, and for each the row.
    fn windows(
        &self,
        batch: &Batch,
        ctx: &Context,
    ) -> Result<(Vec<Window>, Vec<u32>), OperatorError> {
        let zone = self.spec.zone.as_ref();
        let mut windows = Vec::with_capacity(batch.rows);
        let mut rows = Vec::with_capacity(batch.rows);
        let times = match self.spec.rowtime {
            Some(column) => Some(
                batch.columns[column]
                    .as_primitive_opt::<TimestampMicrosecondType>()
                    .ok_or_else(|| OperatorError::Failed("a rowtime is no timestamp".into()))?,
            ),
            None => None,
        };
        for row in 0..batch.rows {
            let time_ms = match times {
                Some(times) if times.is_null(row) => continue,
                Some(times) => times.value(row).div_euclid(1_000),
                None => ctx.now_ms,
            };
            self.spec
                .assigner
                .assign(wall_ms(time_ms, zone), &mut windows);
            rows.resize(windows.len(), row as u32);
        }
        Ok((windows, rows))
    }
}

impl Operator for WindowTable {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let (windows, rows) = self.windows(&batch, ctx)?;
        let zone = self.spec.zone.as_ref();
        let times = |time: fn(&Window, Option<&TimeZone>) -> i64| -> ArrayRef {
            let times = windows.iter().map(|window| time(window, zone) * 1_000);
            Arc::new(TimestampMicrosecondArray::from_iter_values(times))
        };
        let added = [
            times(|window, _| window.start_ms),
            times(|window, _| window.end_ms),
            times(|window, zone| instant_ms(window.end_ms - 1, zone)),
        ];
        let same = rows.len() == batch.rows
            && rows.iter().enumerate().all(|(at, row)| at == *row as usize);
        if same {
            let mut batch = batch;
            batch.columns.extend(added);
            out.batch(batch);
            return Ok(());
        }
        let origins = rows.iter().map(|row| match &batch.origins {
            Some(origins) => origins[*row as usize],
            None => *row,
        });
        let kinds = batch.kinds.as_ref();
        let kinds = kinds.map(|kinds| rows.iter().map(|row| kinds[*row as usize]).collect());
        let origins = Some(origins.collect());
        let rows = UInt32Array::from(rows);
        let columns = batch.columns.iter();
        let mut columns = columns
            .map(|column| take_rows(column, &rows))
            .collect::<Result<Vec<_>, _>>()?;
        columns.extend(added);
        out.batch(Batch {
            columns,
            rows: rows.len(),
            kinds,
            origins,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Harness, INT, TIMESTAMP};

    #[test]
    fn each_row_comes_once_a_window() {
        let spec = WindowTableSpec {
            rowtime: Some(1),
            zone: None,
            assigner: WindowAssigner::Hop {
                size_ms: 10_000,
                slide_ms: 5_000,
                offset_ms: 0,
            },
        };
        let mut test = Harness::new(WindowTable::new(spec), &[&[INT, TIMESTAMP]]);
        test.check_batch(
            0,
            &["+I 1|12", "+I 2|NULL", "+I 3|4"],
            &[
                "+I 1|12|10|20|19.999",
                "+I 1|12|5|15|14.999",
                "+I 3|4|0|10|9.999",
                "+I 3|4|-5|5|4.999",
            ],
        );
    }

    #[test]
    fn windows_of_instants_are_cut_by_the_wall_clock() {
        let spec = WindowTableSpec {
            rowtime: Some(1),
            zone: Some(TimeZone::get("Asia/Kolkata").unwrap()),
            assigner: WindowAssigner::Tumble {
                size_ms: 3_600_000,
                offset_ms: 0,
            },
        };
        let mut test = Harness::new(WindowTable::new(spec), &[&[INT, TIMESTAMP]]);
        test.check(0, "+I 1|0", &["+I 1|0|18000|21600|1799.999"]);
    }
}
