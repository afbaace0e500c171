//! Aggregates over the windows of TUMBLE, HOP and CUMULATE: `GROUP BY window_start, window_end, …`.
//!
//! # Flink
//! `SlicingWindowOperator` with its assigners and processors, 1.17. Rows are aggregated by slice, the longest stretch of
//! time that no window's edge cuts; a window is merged from its slices when it is complete:
//!
//! ```text
//!  TUMBLE     a slice is a window
//!  HOP        slices of the slide; window = size / slide slices; a slice lives until its last window is out
//!  CUMULATE   slices of the step, each merged into the first one of its longest window when it is complete
//! ```
//!
//! A row is late, and dropped, if the last window of its slice is out; if only earlier ones are, it counts in those to
//! come. Windows without rows give nothing.
//!
//! # State
//! A group a slice and key. It is freed with the slice's last window.

mod slices;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_schema::DataType;
use hashbrown::HashMap;
use jiff::tz::TimeZone;
use millrace_connector::RowKind;
use millrace_state::{Change, StateError, StateReader, StateWriter};

use crate::aggregates::{AggregateSpec, Aggregates, GROUPS_TABLE};
use crate::groups::Groups;
use crate::progress::{PROGRESS_TABLE, Progress};
use crate::stored::corrupt;
use crate::window_time::WindowProperty;
use crate::{
    Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark, WindowAssigner, timer_ms,
    wall_ms,
};

use slices::Slices;

/// What a [`WindowAggregate`] does.
#[derive(Clone, Debug)]
pub struct WindowAggregateSpec {
    /// The input's columns that are the key, without the window's; none = one group a window.
    pub keys: Vec<usize>,
    /// The Arrow types of the keys.
    pub key_types: Vec<DataType>,
    /// The calls.
    pub aggregates: Vec<AggregateSpec>,
    /// The time by which rows fall into windows.
    pub time: WindowTime,
    /// The windows.
    pub assigner: WindowAssigner,
    /// The session's zone where the time is TIMESTAMP_LTZ or processing time; `None` for TIMESTAMP.
    pub zone: Option<TimeZone>,
    /// The window's columns. The output has the keys, a column a call, then these.
    pub properties: Vec<WindowProperty>,
}

/// The time by which rows fall into windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowTime {
    /// A rowtime column; NULL in it is an error.
    Rowtime(usize),
    /// Processing time.
    Processing,
    /// Each row has its window already.
    Attached {
        /// The column `window_end`, TIMESTAMP(3).
        end: usize,
        /// Whether the windows are of processing time.
        processing: bool,
    },
}

impl WindowTime {
    fn is_processing(self) -> bool {
        matches!(
            self,
            Self::Processing
                | Self::Attached {
                    processing: true,
                    ..
                }
        )
    }
}

/// How many rows go out in one batch.
const ROWS_OUT: usize = 8_192;

/// The bytes of a slice's end in front of a key.
const SLICE_BYTES: usize = size_of::<i64>();

/// Groups rows by window and key and aggregates them.
#[derive(Debug)]
pub struct WindowAggregate {
    spec: WindowAggregateSpec,
    slices: Slices,
    codec: RowCodec,
    groups: Groups,
    aggregates: Aggregates,
    /// For how many groups the aggregates have room.
    room: usize,
    /// The groups of each slice, by its end in wall-clock milliseconds.
    by_slice: BTreeMap<i64, Vec<u32>>,
    /// The end of the next window to go out.
    next_end: Option<i64>,
    progress: Progress,
    late_rows: u64,
}

/// Where the rows of a slice go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Slice(i64),
    Late,
}

impl WindowAggregate {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A key of a type that has no place in Flink.
    pub fn new(spec: WindowAggregateSpec) -> Result<Self, OperatorError> {
        let is_attached = matches!(spec.time, WindowTime::Attached { .. });
        Ok(Self {
            slices: Slices::new(spec.assigner, is_attached),
            codec: RowCodec::new(spec.key_types.iter().cloned())?,
            groups: Groups::new(None),
            aggregates: Aggregates::new(spec.aggregates.clone()),
            room: 0,
            by_slice: BTreeMap::new(),
            next_end: None,
            progress: Progress::new(),
            late_rows: 0,
            spec,
        })
    }

    /// Returns the time at which a window is complete: its last millisecond, as an instant.
    fn complete_ms(&self, end_ms: i64) -> i64 {
        timer_ms(end_ms - 1, self.spec.zone.as_ref())
    }

    fn is_out(&self, end_ms: i64) -> bool {
        self.complete_ms(end_ms) <= self.progress.time_ms()
    }

    /// Returns where the rows of a slice go, and when the first window that they count in goes out.
    fn target(&self, slice_end: i64) -> (Target, i64) {
        if self.spec.time.is_processing() || !self.is_out(slice_end) {
            return (Target::Slice(slice_end), slice_end);
        }
        if self.is_out(self.slices.last_end(slice_end)) {
            return (Target::Late, slice_end);
        }
        let mut first_end = slice_end;
        while self.is_out(first_end) {
            first_end += self.slices.interval_ms();
        }
        (Target::Slice(self.slices.late_target(slice_end)), first_end)
    }

    /// Finds the group of each row; rows that are late get sign 0.
    fn assign(
        &mut self,
        batch: &Batch,
        ctx: &Context,
    ) -> Result<(Vec<u32>, Option<Vec<i8>>), OperatorError> {
        let times = self.times(batch)?;
        let keys = self.codec.encode_some(batch, &self.spec.keys)?;
        let mut groups = Vec::with_capacity(batch.rows);
        let mut late: Vec<usize> = Vec::new();
        let mut key = Vec::new();
        let mut last: Option<(i64, Target)> = None;
        for row in 0..batch.rows {
            let time = match times {
                Some(times) if times.is_null(row) => return Err(no_time(row)),
                Some(times) => times.value(row).div_euclid(1_000),
                None => ctx.now_ms,
            };
            let slice_end = self.slice_end(time);
            let target = match last {
                Some((slice, target)) if slice == slice_end => target,
                _ => {
                    let (target, first_end) = self.target(slice_end);
                    if target != Target::Late {
                        self.next_end =
                            Some(self.next_end.map_or(first_end, |end| end.min(first_end)));
                    }
                    last = Some((slice_end, target));
                    target
                }
            };
            let Target::Slice(slice) = target else {
                late.push(row);
                groups.push(0);
                continue;
            };
            key.clear();
            key.extend_from_slice(&slice.to_be_bytes());
            key.extend_from_slice(keys.row(row));
            groups.push(self.group(slice, &key, ctx.now_ms));
        }
        self.late_rows += late.len() as u64;
        let signs = (!late.is_empty()).then(|| {
            let mut signs = vec![1; batch.rows];
            late.iter().for_each(|row| signs[*row] = 0);
            signs
        });
        Ok((groups, signs))
    }

    fn times<'a>(
        &self,
        batch: &'a Batch,
    ) -> Result<Option<&'a PrimitiveArray<TimestampMicrosecondType>>, OperatorError> {
        let column = match self.spec.time {
            WindowTime::Rowtime(column) | WindowTime::Attached { end: column, .. } => column,
            WindowTime::Processing => return Ok(None),
        };
        batch.columns[column]
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map(Some)
            .ok_or_else(|| OperatorError::Failed("a rowtime is no timestamp".into()))
    }

    fn slice_end(&self, time: i64) -> i64 {
        match self.spec.time {
            WindowTime::Attached { .. } => time,
            _ => self
                .slices
                .slice_end(wall_ms(time, self.spec.zone.as_ref())),
        }
    }

    /// Returns the group of a slice and key.
    fn group(&mut self, slice: i64, key: &[u8], now_ms: i64) -> u32 {
        let (group, is_new) = self.groups.find_or_add(key);
        if is_new {
            self.by_slice.entry(slice).or_default().push(group);
            self.make_room(self.groups.end());
        }
        self.groups.touch(group, now_ms);
        group
    }

    fn make_room(&mut self, groups: usize) {
        if groups > self.room {
            // By half more, so that states do not grow row by row.
            self.room = groups + groups / 2 + 16;
            self.aggregates.resize(self.room);
        }
    }

    fn drop_groups(&mut self, groups: &[u32]) {
        for group in groups {
            self.aggregates.reset(*group);
            self.groups.remove(*group);
        }
    }

    /// Gives out the windows that are complete at a time, in the order of their ends.
    fn fire(&mut self, time_ms: i64, now_ms: i64, out: &mut Output) -> Result<(), OperatorError> {
        while let Some(end) = self.next_end {
            if self.complete_ms(end) > time_ms {
                break;
            }
            self.emit(end, now_ms, out)?;
            self.free(end);
            let follower = end + self.slices.interval_ms();
            self.next_end = self.by_slice.keys().next().map(|first| {
                if *first <= end && self.slices.is_shared() {
                    follower
                } else {
                    *first
                }
            });
        }
        self.groups.settle();
        Ok(())
    }

    /// Frees slices whose last window is out.
    fn free(&mut self, end: i64) {
        while let Some(entry) = self.by_slice.first_entry() {
            if self.slices.last_end(*entry.key()) > end {
                break;
            }
            let groups = entry.remove();
            self.drop_groups(&groups);
        }
    }

    fn emit(&mut self, end: i64, now_ms: i64, out: &mut Output) -> Result<(), OperatorError> {
        let start = self.slices.window_start(end);
        if let Some(first) = self.slices.cumulates_into(end) {
            if first != end {
                self.cumulate(end, first, now_ms)?;
            }
            let groups = self.by_slice.get(&first).cloned().unwrap_or_default();
            return self.send(&groups, &groups, (start, end), out);
        }
        let parts: Vec<Vec<u32>> = self
            .by_slice
            .range(start + 1..=end)
            .map(|(_, groups)| groups.clone())
            .collect();
        match parts.as_slice() {
            [] => Ok(()),
            [groups] => self.send(groups, groups, (start, end), out),
            parts => self.send_merged(parts, (start, end), out),
        }
    }

    /// Merges the groups of a slice into those of the first slice of their window.
    fn cumulate(&mut self, slice: i64, first: i64, now_ms: i64) -> Result<(), OperatorError> {
        let Some(from) = self.by_slice.remove(&slice) else {
            return Ok(());
        };
        let mut into = Vec::with_capacity(from.len());
        let mut key = Vec::new();
        for group in &from {
            key.clear();
            key.extend_from_slice(&first.to_be_bytes());
            key.extend_from_slice(&self.groups.key(*group)[SLICE_BYTES..]);
            into.push(self.group(first, &key, now_ms));
        }
        self.aggregates.merge(&into, &from)?;
        self.drop_groups(&from);
        Ok(())
    }

    /// Gives out a window that several slices make up.
    fn send_merged(
        &mut self,
        parts: &[Vec<u32>],
        window: (i64, i64),
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        // Numbers behind those of all groups, for as long as this call.
        let scratch = u32::try_from(self.groups.end()).expect("groups are counted in 32 bits");
        let mut places: HashMap<&[u8], u32> = HashMap::new();
        let (mut named, mut into, mut from) = (Vec::new(), Vec::new(), Vec::new());
        for group in parts.iter().flatten() {
            let key = &self.groups.key(*group)[SLICE_BYTES..];
            let next = scratch + u32::try_from(places.len()).expect("fewer than groups");
            let place = *places.entry(key).or_insert_with(|| {
                named.push(*group);
                next
            });
            into.push(place);
            from.push(*group);
        }
        drop(places);
        let merged: Vec<u32> = (scratch..).take(named.len()).collect();
        self.make_room(self.groups.end() + merged.len());
        self.aggregates.merge(&into, &from)?;
        self.send(&named, &merged, window, out)?;
        for group in merged {
            self.aggregates.reset(group);
        }
        Ok(())
    }

    /// Gives out a row a group: the keys of `named`, the results of `groups`.
    fn send(
        &self,
        named: &[u32],
        groups: &[u32],
        (start, end): (i64, i64),
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        for (named, groups) in named.chunks(ROWS_OUT).zip(groups.chunks(ROWS_OUT)) {
            let keys = named
                .iter()
                .map(|group| &self.groups.key(*group)[SLICE_BYTES..]);
            let mut columns = self.codec.decode(keys)?;
            columns.extend(self.aggregates.values(groups));
            let zone = self.spec.zone.as_ref();
            let properties = self.spec.properties.iter();
            columns.extend(
                properties.map(|property| -> ArrayRef {
                    property.column((start, end), zone, groups.len())
                }),
            );
            out.batch(Batch::inserts(columns, groups.len()));
        }
        Ok(())
    }
}

fn no_time(row: usize) -> OperatorError {
    OperatorError::Row {
        row,
        message: "RowTime field should not be null, please convert it to a non-null long value."
            .into(),
    }
}

impl Operator for WindowAggregate {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        _out: &mut Output,
    ) -> Result<(), OperatorError> {
        if let Some(kinds) = &batch.kinds
            && let Some(kind) = kinds.iter().find(|kind| **kind != RowKind::Insert)
        {
            return Err(OperatorError::UnexpectedKind(*kind));
        }
        let (groups, signs) = self.assign(&batch, ctx)?;
        if self.groups.end() == 0 {
            return Ok(());
        }
        self.aggregates.fold(&batch, &groups, signs.as_deref())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if !self.spec.time.is_processing() {
            self.fire(watermark.0, ctx.now_ms, out)?;
            self.progress.advance(watermark.0);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn timer(&mut self, ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        if self.spec.time.is_processing() {
            // A window is complete once its last millisecond is over.
            self.fire(ctx.now_ms - 1, ctx.now_ms, out)?;
            self.progress.advance(ctx.now_ms - 1);
        }
        Ok(())
    }

    fn next_timer_ms(&self) -> Option<i64> {
        self.next_end
            .filter(|_| self.spec.time.is_processing())
            .map(|end| self.complete_ms(end) + 1)
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        let aggregates = &self.aggregates;
        self.groups.take_changes(|key, group, value, is_there| {
            if is_there {
                aggregates.write(group, value);
            }
            let (slice, key) = key.split_at(SLICE_BYTES);
            writer.write(Change {
                table: GROUPS_TABLE,
                partition: key,
                key: slice,
                value: is_there.then_some(value.as_slice()),
            });
        });
        let groups = &self.groups;
        self.aggregates.write_entries(writer, |group, place| {
            let (slice, key) = groups.key(group).split_at(SLICE_BYTES);
            place.extend_from_slice(slice);
            key
        });
        self.groups.recycle();
        self.progress.write(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| self.restore_entry(change))?;
        for slice_end in self.by_slice.keys() {
            let (target, first_end) = self.target(*slice_end);
            if target != Target::Late {
                self.next_end = Some(self.next_end.map_or(first_end, |end| end.min(first_end)));
            }
        }
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let bytes = self.groups.bytes() + self.aggregates.bytes();
        (self.groups.len() as u64, bytes as u64)
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }
}

impl WindowAggregate {
    fn restore_entry(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let mut value = change.value.ok_or_else(|| corrupt("a removed entry"))?;
        if change.table == PROGRESS_TABLE {
            return self.progress.restore(value);
        }
        let (slice, rest) = change
            .key
            .split_first_chunk::<SLICE_BYTES>()
            .ok_or_else(|| corrupt("a slice"))?;
        let key = [slice.as_slice(), change.partition].concat();
        let (group, is_new) = self.groups.find_or_add(&key);
        if is_new {
            let slice = i64::from_be_bytes(*slice);
            self.by_slice.entry(slice).or_default().push(group);
            self.make_room(self.groups.end());
        }
        if change.table != GROUPS_TABLE {
            return self.aggregates.read_entry(change.table, group, rest, value);
        }
        self.groups.restore(group, &mut value)?;
        self.aggregates.read(group, &mut value)
    }
}
