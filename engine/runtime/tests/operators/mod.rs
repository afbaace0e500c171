//! Operators of a few lines, whose answers can be counted by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use millrace_connector::RowKind;
use millrace_operators::{Batch, Context, Operator, OperatorError, Output, Watermark};
use millrace_runtime::{Transform, Transformed};
use millrace_state::{Change, StateError, StateReader, StateWriter, TableId};

use crate::world::Row;

pub(crate) const KEYS: i64 = 7;
/// How many numbers a window holds.
pub(crate) const WINDOW: i64 = 50;
/// Where the keys of windows begin at the sink.
pub(crate) const WINDOWS: i64 = 1_000_000;

/// Counts the numbers of each remainder, and tells each change.
#[derive(Default)]
pub(crate) struct Counter {
    counts: BTreeMap<i64, i64>,
    changed: BTreeSet<i64>,
}

fn rows(list: &[Row]) -> Batch {
    let column = |value: fn(&Row) -> i64| -> ArrayRef {
        Arc::new(list.iter().map(value).collect::<Int64Array>())
    };
    let kinds = list.iter().map(|row| row.0).collect();
    Batch::changes(vec![column(|row| row.1), column(|row| row.2)], kinds)
}

fn numbers(batch: &Batch) -> Vec<i64> {
    let values = batch.columns[0].as_primitive::<Int64Type>();
    values.values().to_vec()
}

fn write(writer: &mut dyn StateWriter, key: i64, value: Option<&i64>) {
    writer.write(Change {
        table: TableId(0),
        partition: &key.to_be_bytes(),
        key: &[],
        value: value
            .map(|value| value.to_be_bytes())
            .as_ref()
            .map(|bytes| &bytes[..]),
    });
}

fn read(reader: &mut dyn StateReader) -> Result<BTreeMap<i64, i64>, StateError> {
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    let mut entries = BTreeMap::new();
    reader.for_each(&mut |change| {
        let value = number(change.value.unwrap());
        let before = entries.insert(number(change.partition), value);
        assert_eq!(before, None, "an entry comes once");
        Ok(())
    })?;
    Ok(entries)
}

impl Operator for Counter {
    fn batch(
        &mut self,
        _: usize,
        batch: Batch,
        _: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let mut told = Vec::new();
        for number in numbers(&batch) {
            let key = number % KEYS;
            let count = self.counts.entry(key).or_default();
            if *count > 0 {
                told.push((RowKind::UpdateBefore, key, *count));
            }
            *count += 1;
            let kind = if *count == 1 {
                RowKind::Insert
            } else {
                RowKind::UpdateAfter
            };
            told.push((kind, key, *count));
            self.changed.insert(key);
        }
        out.batch(rows(&told));
        Ok(())
    }
    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        for key in std::mem::take(&mut self.changed) {
            write(writer, key, self.counts.get(&key));
        }
        Ok(())
    }
    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        self.counts = read(reader)?;
        Ok(())
    }
    fn size(&self) -> (u64, u64) {
        (self.counts.len() as u64, 16 * self.counts.len() as u64)
    }
}

/// Counts the numbers of each window, and tells it when the watermark has passed.
#[derive(Default)]
pub(crate) struct Windows {
    counts: BTreeMap<i64, i64>,
    changed: BTreeSet<i64>,
    late: u64,
}

impl Operator for Windows {
    fn batch(
        &mut self,
        _: usize,
        batch: Batch,
        ctx: &Context,
        _: &mut Output,
    ) -> Result<(), OperatorError> {
        for number in numbers(&batch) {
            let window = number / WINDOW;
            if (window + 1) * WINDOW - 1 <= ctx.watermark.0 {
                self.late += 1;
                continue;
            }
            *self.counts.entry(window).or_default() += 1;
            self.changed.insert(window);
        }
        Ok(())
    }
    fn watermark(
        &mut self,
        watermark: Watermark,
        _: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let mut told = Vec::new();
        while let Some(entry) = self.counts.first_entry() {
            let window = *entry.key();
            if (window + 1) * WINDOW - 1 > watermark.0 {
                break;
            }
            told.push((RowKind::Insert, WINDOWS + window, entry.remove()));
            self.changed.insert(window);
        }
        out.batch(rows(&told));
        out.watermark(watermark);
        Ok(())
    }
    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        for window in std::mem::take(&mut self.changed) {
            write(writer, window, self.counts.get(&window));
        }
        Ok(())
    }
    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        self.counts = read(reader)?;
        Ok(())
    }
    fn size(&self) -> (u64, u64) {
        (self.counts.len() as u64, 16 * self.counts.len() as u64)
    }
    fn late_rows(&self) -> u64 {
        self.late
    }
}

/// Holds the number of rows of its two inputs back, and tells it when it is asked to.
#[derive(Default)]
pub(crate) struct Holder {
    /// Whether a timer makes it speak, else only the end of an epoch.
    pub(crate) by_timer: bool,
    pub(crate) rows: [i64; 2],
    pub(crate) due_ms: Option<i64>,
    /// The watermarks that came.
    pub(crate) watermarks: Vec<i64>,
}

/// Keys at the sink: rows of each input by timer or flush, and watermarks.
pub(crate) const BY_TIMER: i64 = 0;
pub(crate) const BY_FLUSH: i64 = 10;
pub(crate) const WATERMARK: i64 = 20;

impl Holder {
    fn tell(&mut self, key: i64, out: &mut Output) {
        let mut told: Vec<Row> = self
            .watermarks
            .drain(..)
            .map(|watermark| (RowKind::Insert, WATERMARK, watermark))
            .collect();
        for (input, rows) in self.rows.iter_mut().enumerate() {
            if *rows > 0 {
                told.push((RowKind::Insert, key + input as i64, std::mem::take(rows)));
            }
        }
        out.batch(rows(&told));
    }
}

impl Operator for Holder {
    fn batch(
        &mut self,
        input: usize,
        batch: Batch,
        ctx: &Context,
        _: &mut Output,
    ) -> Result<(), OperatorError> {
        self.rows[input] += batch.rows as i64;
        if self.by_timer {
            self.due_ms = self.due_ms.or(Some(ctx.now_ms + 5));
        }
        Ok(())
    }
    fn watermark(
        &mut self,
        watermark: Watermark,
        _: &Context,
        _: &mut Output,
    ) -> Result<(), OperatorError> {
        self.watermarks.push(watermark.0);
        Ok(())
    }
    fn next_timer_ms(&self) -> Option<i64> {
        self.due_ms
    }
    fn timer(&mut self, ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        assert!(self.due_ms.take().is_some_and(|due| due <= ctx.now_ms));
        self.tell(BY_TIMER, out);
        Ok(())
    }
    fn flush(&mut self, _: &Context, out: &mut Output) -> Result<(), OperatorError> {
        self.tell(BY_FLUSH, out);
        Ok(())
    }
}

/// The number is its time in milliseconds.
pub(crate) struct Times;

impl Transform for Times {
    fn run(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        _: i64,
    ) -> Result<Transformed, (usize, String)> {
        let numbers = columns[0].as_primitive::<Int64Type>();
        let micros = numbers.values().iter().map(|number| number * 1_000);
        let times = TimestampMicrosecondArray::from_iter_values(micros);
        Ok(Transformed {
            columns: vec![Arc::new(times)],
            rows,
            origins: None,
        })
    }
}
