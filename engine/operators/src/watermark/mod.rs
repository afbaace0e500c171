//! The assigner of watermarks: `WATERMARK FOR ts AS …`.
//!
//! ```text
//!  rows:       10  12  11  20
//!  watermark:   ↑9   ↑11    ↑19      with `ts - INTERVAL '1' …` and interval 0: behind each row that raises it
//! ```

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef};
use millrace_state::{Change, StateReader, StateWriter, TableId};

use crate::stored::{corrupt, put_i64, take_i64};
use crate::{Batch, Context, Operator, OperatorError, Output, Watermark};

const WATERMARK: TableId = TableId(0);

/// What a watermark assigner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatermarkSpec {
    /// The rowtime column, TIMESTAMP(p) or TIMESTAMP_LTZ(p), p ≤ 3; a row without it is an error.
    pub rowtime: usize,
    /// The column with the watermark's expression, of the same type; NULL gives no new watermark.
    pub watermark: usize,
    /// How many columns are handed on, from the first; the planner may put the expression behind them.
    pub columns: usize,
    /// `pipeline.auto-watermark-interval`; 0 = behind every row that raises it.
    pub interval_ms: i64,
}

/// Hands rows on and puts watermarks between them. Whether its source is idle is for the graph to know.
///
/// # Flink
/// `WatermarkAssignerOperator`: the watermark starts at 0 and is the largest value so far. With an interval it is sent
/// once an interval of processing time, and behind a row that raises it by more than the interval. Other than Flink,
/// which forgets the watermark in a restart, a checkpoint keeps it, so a late row stays late.
#[derive(Debug)]
pub struct WatermarkAssigner {
    spec: WatermarkSpec,
    current_ms: i64,
    sent_ms: i64,
    /// `current_ms` and `sent_ms` of the last checkpoint.
    saved_ms: (i64, i64),
    ended: bool,
    next_timer_ms: Option<i64>,
}

impl WatermarkAssigner {
    /// Returns an assigner that has seen no row.
    #[must_use]
    pub fn new(spec: WatermarkSpec) -> Self {
        Self {
            spec,
            current_ms: 0,
            sent_ms: 0,
            saved_ms: (0, 0),
            ended: false,
            next_timer_ms: None,
        }
    }

    fn open(&mut self, now_ms: i64) {
        if self.next_timer_ms.is_none() && self.spec.interval_ms > 0 {
            self.next_timer_ms = Some(now_ms + self.spec.interval_ms);
        }
    }

    fn advance(&mut self, out: &mut Output) {
        if self.current_ms > self.sent_ms {
            self.sent_ms = self.current_ms;
            out.watermark(Watermark(self.sent_ms));
        }
    }

    fn forward(&self, batch: &Batch, from: usize, to: usize, out: &mut Output) {
        if from == to {
            return;
        }
        let rows = to - from;
        let columns = batch.columns[..self.spec.columns].iter();
        let columns = columns.map(|column| column.slice(from, rows));
        let part = Batch {
            columns: columns.collect(),
            rows,
            kinds: batch.kinds.as_ref().map(|kinds| kinds[from..to].into()),
            origins: Some(origins(batch, from, to)),
        };
        out.batch(part);
    }
}

fn origins(batch: &Batch, from: usize, to: usize) -> std::sync::Arc<[u32]> {
    match &batch.origins {
        Some(origins) => origins[from..to].into(),
        None => (from..to).map(|row| row as u32).collect(),
    }
}

fn micros(column: &ArrayRef) -> Result<&[i64], OperatorError> {
    let column = column.as_primitive_opt::<TimestampMicrosecondType>();
    let column = column.ok_or_else(|| OperatorError::Failed("a rowtime is no timestamp".into()))?;
    Ok(column.values())
}

impl Operator for WatermarkAssigner {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        self.open(ctx.now_ms);
        if batch.rows == 0 {
            return Ok(());
        }
        let rowtime = &batch.columns[self.spec.rowtime];
        if let Some(row) = (0..batch.rows).find(|row| rowtime.is_null(*row)) {
            return Err(OperatorError::Row {
                row,
                message: "the rowtime is NULL; filter such rows out or convert it to a value that is not NULL"
                    .into(),
            });
        }
        let expression = ArrayRef::clone(&batch.columns[self.spec.watermark]);
        let values = micros(&expression)?;
        let mut sent = 0;
        for (row, value) in values.iter().enumerate() {
            if expression.is_valid(row) {
                self.current_ms = self.current_ms.max(value.div_euclid(1_000));
            }
            if self.current_ms - self.sent_ms > self.spec.interval_ms {
                self.forward(&batch, sent, row + 1, out);
                self.advance(out);
                sent = row + 1;
            }
        }
        if sent == 0 && batch.columns.len() == self.spec.columns {
            out.batch(batch);
        } else {
            self.forward(&batch, sent, batch.rows, out);
        }
        Ok(())
    }

    /// Watermarks from before are ignored; only the end of the input counts.
    fn watermark(
        &mut self,
        watermark: Watermark,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if watermark == Watermark::END && !std::mem::replace(&mut self.ended, true) {
            out.watermark(watermark);
        }
        Ok(())
    }

    fn timer(&mut self, ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        self.advance(out);
        self.next_timer_ms = Some(ctx.now_ms + self.spec.interval_ms);
        Ok(())
    }

    fn next_timer_ms(&self) -> Option<i64> {
        self.next_timer_ms.filter(|_| !self.ended)
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        let now = (self.current_ms, self.sent_ms);
        if now == self.saved_ms {
            return Ok(());
        }
        let mut value = Vec::new();
        put_i64(&mut value, self.current_ms);
        put_i64(&mut value, self.sent_ms);
        writer.write(Change {
            table: WATERMARK,
            partition: &[],
            key: &[],
            value: Some(&value),
        });
        self.saved_ms = now;
        Ok(())
    }

    /// Of several, as after a rescale, the earliest counts: rows behind it may still come.
    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        let mut found: Option<(i64, i64)> = None;
        reader.for_each(&mut |change| {
            let mut value = change.value.unwrap_or_default();
            let pair = take_i64(&mut value).zip(take_i64(&mut value));
            let pair = pair.ok_or_else(|| corrupt("a watermark"))?;
            found = Some(found.map_or(pair, |found| found.min(pair)));
            Ok(())
        })?;
        if let Some(found) = found {
            (self.current_ms, self.sent_ms) = found;
            self.saved_ms = found;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
