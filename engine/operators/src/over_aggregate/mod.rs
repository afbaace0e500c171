//! `… OVER (PARTITION BY … ORDER BY time {ROWS | RANGE} … PRECEDING AND CURRENT ROW)`.
//!
//! # Flink
//! `RowTimeRangeUnboundedPrecedingFunction`, `RowTimeRowsBoundedPrecedingFunction`, their siblings, and those of processing
//! time, 1.17. By rowtime a row waits until the watermark has passed it, then the rows of a key come in order of time and,
//! at equal times, of arrival. By processing time each row comes at once, but with a RANGE that is bounded those of one
//! millisecond together. With RANGE, rows of equal time all count for each of them.
//!
//! A row is late, and dropped, if it is not after the watermark; with a bounded frame, if it is not after the last time at
//! which something was done for its key, which is 1970 at first: a row was given out, or it was looked whether a RANGE
//! can be freed (1.5 times the frame after a row).
//!
//! # State
//! A group a key, the rows that wait, and for a bounded frame those that may still be in one. Without a bound a key's state
//! lives until its time to live is over.

mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, PrimitiveArray};
use arrow_schema::DataType;
use hashbrown::HashMap;
use millrace_connector::RowKind;
use millrace_state::{Change, StateError, StateReader, StateWriter};

use crate::aggregates::{AggregateSpec, Aggregates, GROUPS_TABLE};
use crate::columns::{indices, take};
use crate::groups::Groups;
use crate::progress::{PROGRESS_TABLE, Progress};
use crate::stored::{corrupt, put_count, put_i64, take_count, take_i64};
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec, Ttl, Watermark};

use rows::{ROWS_TABLE, StoredRows};

/// What an [`OverAggregate`] does.
#[derive(Clone, Debug)]
pub struct OverAggregateSpec {
    /// The columns of PARTITION BY; none = one group of all rows.
    pub keys: Vec<usize>,
    /// The Arrow types of the keys.
    pub key_types: Vec<DataType>,
    /// The Arrow types of all columns of the input.
    pub input_types: Vec<DataType>,
    /// The calls. The output has the input's columns, then a column a call. For a bounded frame they must be bound as for
    /// rows that can be taken back.
    pub aggregates: Vec<AggregateSpec>,
    /// The rowtime column of ORDER BY; `None` = processing time.
    pub rowtime: Option<usize>,
    /// Which rows count.
    pub frame: OverFrame,
    /// `table.exec.state.ttl`.
    pub ttl: Option<Ttl>,
}

/// From which row on rows count; the last one is the current row, or the last of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverFrame {
    /// `ROWS UNBOUNDED PRECEDING`.
    RowsUnbounded,
    /// `RANGE UNBOUNDED PRECEDING`.
    RangeUnbounded,
    /// `ROWS n PRECEDING`.
    Rows {
        /// How many rows before the current one.
        preceding: usize,
    },
    /// `RANGE INTERVAL … PRECEDING`.
    Range {
        /// How long before the current row.
        preceding_ms: i64,
    },
}

impl OverFrame {
    fn is_bounded(self) -> bool {
        matches!(self, Self::Rows { .. } | Self::Range { .. })
    }

    fn is_range(self) -> bool {
        matches!(self, Self::RangeUnbounded | Self::Range { .. })
    }
}

/// About how many rows are taken in one go; rows of one time stay together.
const ROWS_AT_ONCE: usize = 8_192;

/// Aggregates rows over those before them.
#[derive(Debug)]
pub struct OverAggregate {
    spec: OverAggregateSpec,
    keys: RowCodec,
    codec: RowCodec,
    groups: Groups,
    aggregates: Aggregates,
    /// For how many groups there is room.
    room: usize,
    rows: StoredRows,
    /// What each group of a bounded frame remembers.
    keys_state: Vec<KeyState>,
    /// When groups of a bounded RANGE are looked at.
    cleanups: BTreeSet<(i64, u32)>,
    progress: Progress,
    late_rows: u64,
}

/// What a key of a bounded frame remembers beside its rows.
#[derive(Clone, Debug, Default)]
struct KeyState {
    /// When something was done for it last, in event time.
    last_ms: i64,
    /// With RANGE, when it is looked at, in order. At the last of these times it is freed.
    cleanups_ms: Vec<i64>,
}

/// Rows that are added to their group or taken from it, and which of them go out.
#[derive(Debug, Default)]
struct Events {
    slots: Vec<u32>,
    groups: Vec<u32>,
    signs: Vec<i8>,
    /// The events of the rows that go out, in order.
    sent: Vec<u32>,
}

impl Events {
    fn push(&mut self, slot: u32, group: u32, sign: i8) {
        if sign > 0 {
            let event = u32::try_from(self.slots.len()).expect("fewer than 2^32 events");
            self.sent.push(event);
        }
        self.slots.push(slot);
        self.groups.push(group);
        self.signs.push(sign);
    }
}

impl OverAggregate {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A column of a type that has no place in Flink.
    pub fn new(spec: OverAggregateSpec) -> Result<Self, OperatorError> {
        Ok(Self {
            keys: RowCodec::new(spec.key_types.iter().cloned())?,
            codec: RowCodec::new(spec.input_types.iter().cloned())?,
            groups: Groups::new(spec.ttl),
            aggregates: Aggregates::new(spec.aggregates.clone()),
            room: 0,
            rows: StoredRows::default(),
            keys_state: Vec::new(),
            cleanups: BTreeSet::new(),
            progress: Progress::new(),
            late_rows: 0,
            spec,
        })
    }

    fn group(&mut self, key: &[u8], now_ms: i64) -> u32 {
        let (group, _) = self.groups.find_or_add(key);
        self.make_room();
        self.groups.touch(group, now_ms);
        group
    }

    fn make_room(&mut self) {
        let end = self.groups.end();
        if end > self.room {
            self.room = end + end / 2 + 16;
            self.aggregates.resize(self.room);
            self.rows.resize(self.room);
            self.keys_state.resize(self.room, KeyState::default());
        }
    }

    fn expire(&mut self, now_ms: i64) {
        for group in self.groups.expired(now_ms) {
            // Rows that still wait are not idle.
            if self.rows.waiting(group) == 0 {
                self.drop_group(group);
            } else {
                self.groups.touch(group, now_ms);
            }
        }
    }

    fn drop_group(&mut self, group: u32) {
        self.rows.forget_group(group);
        self.aggregates.reset(group);
        self.keys_state[group as usize] = KeyState::default();
        self.groups.remove(group);
    }

    /// Tells whether a row by rowtime comes too late.
    fn is_late(&self, key: &[u8], time_ms: i64) -> bool {
        if !self.spec.frame.is_bounded() {
            return time_ms <= self.progress.time_ms();
        }
        let group = self.groups.find(key);
        time_ms <= group.map_or(0, |group| self.keys_state[group as usize].last_ms)
    }

    /// Notes when the key of a row may be freed.
    fn plan_cleanup(&mut self, group: u32, time_ms: i64) {
        let OverFrame::Range { preceding_ms } = self.spec.frame else {
            return;
        };
        if self.spec.rowtime.is_none() {
            return;
        }
        let earliest_ms = time_ms.saturating_add(preceding_ms + 1);
        let state = &mut self.keys_state[group as usize];
        if state
            .cleanups_ms
            .last()
            .is_none_or(|planned| *planned < earliest_ms)
        {
            let planned_ms = time_ms.saturating_add(preceding_ms + preceding_ms / 2 + 1);
            state.cleanups_ms.push(planned_ms);
            self.cleanups.insert((planned_ms, group));
        }
    }

    fn times<'a>(
        &self,
        batch: &'a Batch,
    ) -> Result<Option<&'a PrimitiveArray<TimestampMicrosecondType>>, OperatorError> {
        let Some(column) = self.spec.rowtime else {
            return Ok(None);
        };
        batch.columns[column]
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map(Some)
            .ok_or_else(|| OperatorError::Failed("a rowtime is no timestamp".into()))
    }

    /// Keeps the rows of a batch until their time has come.
    fn keep(&mut self, batch: &Batch, ctx: &Context) -> Result<(), OperatorError> {
        let times = self.times(batch)?;
        let keys = self.keys.encode_some(batch, &self.spec.keys)?;
        let encoded = self.codec.encode(&batch.columns, batch.rows)?;
        for row in 0..batch.rows {
            let time_ms = match times {
                // A row without a time has none that could come.
                Some(times) if times.is_null(row) => i64::MIN,
                Some(times) => times.value(row).div_euclid(1_000),
                None => ctx.now_ms,
            };
            if times.is_some() && self.is_late(keys.row(row), time_ms) {
                self.late_rows += 1;
                continue;
            }
            let group = self.group(keys.row(row), ctx.now_ms);
            self.plan_cleanup(group, time_ms);
            self.rows.wait(group, time_ms, encoded.row(row));
        }
        Ok(())
    }

    /// Aggregates the rows of a batch as they come, where no row needs to be kept.
    fn at_once(
        &mut self,
        mut batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let keys = self.keys.encode_some(&batch, &self.spec.keys)?;
        let groups: Vec<u32> = (0..batch.rows)
            .map(|row| self.group(keys.row(row), ctx.now_ms))
            .collect();
        let traces = self.aggregates.trace(&batch, &groups, None)?;
        batch
            .columns
            .extend(traces.into_iter().map(|trace| trace.after));
        out.batch(batch);
        Ok(())
    }

    /// Gives out the rows whose time has come.
    fn fire(&mut self, time_ms: i64, now_ms: i64, out: &mut Output) -> Result<(), OperatorError> {
        loop {
            let due = self.rows.take_due(time_ms, ROWS_AT_ONCE);
            if due.is_empty() {
                break;
            }
            self.process(&due, now_ms, out)?;
        }
        self.clean_up(time_ms, now_ms);
        self.groups.settle();
        Ok(())
    }

    fn process(&mut self, due: &[u32], now_ms: i64, out: &mut Output) -> Result<(), OperatorError> {
        let mut events = Events::default();
        match self.spec.frame {
            OverFrame::RowsUnbounded | OverFrame::RangeUnbounded => {
                for slot in due {
                    events.push(*slot, self.rows.group(*slot), 1);
                }
            }
            OverFrame::Rows { preceding } => {
                for slot in due {
                    let group = self.rows.group(*slot);
                    if let Some(old) = self.rows.push_history(*slot, preceding + 1) {
                        events.push(old, group, -1);
                    }
                    events.push(*slot, group, 1);
                }
            }
            OverFrame::Range { preceding_ms } => self.range_events(due, preceding_ms, &mut events),
        }
        for slot in due {
            let group = self.rows.group(*slot);
            self.groups.touch(group, now_ms);
            self.keys_state[group as usize].last_ms = self.rows.time_ms(*slot);
        }
        self.send(&events, out)?;
        let bounded = self.spec.frame.is_bounded();
        for (slot, sign) in events.slots.iter().zip(&events.signs) {
            if *sign < 0 || !bounded {
                self.rows.forget(*slot);
            }
        }
        Ok(())
    }

    /// Takes out, for each time of a key, the rows that are too old for it before those of that time come in.
    fn range_events(&mut self, due: &[u32], preceding_ms: i64, events: &mut Events) {
        let mut at: HashMap<u32, i64> = HashMap::new();
        for slot in due {
            let (group, time_ms) = (self.rows.group(*slot), self.rows.time_ms(*slot));
            if at.insert(group, time_ms) != Some(time_ms) {
                let first_ms = time_ms.saturating_sub(preceding_ms);
                while let Some(old) = self.rows.pop_history_before(group, first_ms) {
                    events.push(old, group, -1);
                }
            }
            self.rows.push_history(*slot, usize::MAX);
            events.push(*slot, group, 1);
        }
    }

    /// Aggregates the rows of events and gives out those that are added.
    fn send(&mut self, events: &Events, out: &mut Output) -> Result<(), OperatorError> {
        let rows = events.slots.iter().map(|slot| self.rows.bytes(*slot));
        let columns = self.codec.decode(rows)?;
        let batch = Batch::inserts(columns, events.slots.len());
        let traces = self
            .aggregates
            .trace(&batch, &events.groups, Some(&events.signs))?;
        let sent = indices(events.sent.clone());
        let results = if self.spec.frame.is_range() {
            indices(self.last_of_time(events))
        } else {
            sent.clone()
        };
        let mut columns = Vec::with_capacity(batch.columns.len() + traces.len());
        for column in &batch.columns {
            columns.push(take(column, &sent)?);
        }
        for trace in &traces {
            columns.push(take(&trace.after, &results)?);
        }
        out.batch(Batch::inserts(columns, events.sent.len()));
        Ok(())
    }

    /// Returns for each row that goes out the last event of its key and time.
    fn last_of_time(&self, events: &Events) -> Vec<u32> {
        let place = |event: u32| {
            let slot = events.slots[event as usize];
            (events.groups[event as usize], self.rows.time_ms(slot))
        };
        let last: HashMap<(u32, i64), u32> = events
            .sent
            .iter()
            .map(|event| (place(*event), *event))
            .collect();
        events
            .sent
            .iter()
            .map(|event| last[&place(*event)])
            .collect()
    }

    /// Looks at the keys whose time has come: those without later rows are freed.
    fn clean_up(&mut self, time_ms: i64, now_ms: i64) {
        while let Some((at_ms, group)) = self.cleanups.first().copied() {
            if at_ms > time_ms {
                break;
            }
            self.cleanups.pop_first();
            let state = &mut self.keys_state[group as usize];
            // Without such a plan the key is gone, or another has its number.
            let Some(place) = state
                .cleanups_ms
                .iter()
                .position(|planned| *planned == at_ms)
            else {
                continue;
            };
            state.cleanups_ms.drain(..=place);
            if state.cleanups_ms.is_empty() {
                self.drop_group(group);
            } else {
                state.last_ms = state.last_ms.max(at_ms);
                self.groups.touch(group, now_ms);
            }
        }
    }
}

impl Operator for OverAggregate {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if let Some(kinds) = &batch.kinds
            && let Some(kind) = kinds.iter().find(|kind| **kind != RowKind::Insert)
        {
            return Err(OperatorError::UnexpectedKind(*kind));
        }
        self.expire(ctx.now_ms);
        if self.spec.rowtime.is_some() {
            return self.keep(&batch, ctx);
        }
        match self.spec.frame {
            OverFrame::RowsUnbounded | OverFrame::RangeUnbounded => self.at_once(batch, ctx, out),
            OverFrame::Rows { .. } => {
                self.keep(&batch, ctx)?;
                self.fire(ctx.now_ms, ctx.now_ms, out)
            }
            OverFrame::Range { .. } => self.keep(&batch, ctx),
        }
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if self.spec.rowtime.is_some() {
            self.fire(watermark.0, ctx.now_ms, out)?;
            self.progress.advance(watermark.0);
        } else if watermark == Watermark::END {
            self.fire(i64::MAX, ctx.now_ms, out)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn timer(&mut self, ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        if self.spec.rowtime.is_none() {
            self.fire(ctx.now_ms - 1, ctx.now_ms, out)?;
        }
        Ok(())
    }

    fn next_timer_ms(&self) -> Option<i64> {
        let first_ms = self.rows.first_waiting_ms()?;
        self.spec.rowtime.is_none().then_some(first_ms + 1)
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        let (aggregates, states) = (&self.aggregates, &self.keys_state);
        let is_bounded = self.spec.frame.is_bounded();
        self.groups.take_changes(|key, group, value, is_there| {
            if is_there {
                if is_bounded {
                    let state = &states[group as usize];
                    put_i64(value, state.last_ms);
                    put_count(value, state.cleanups_ms.len() as u64);
                    for planned_ms in &state.cleanups_ms {
                        put_i64(value, *planned_ms);
                    }
                }
                aggregates.write(group, value);
            }
            writer.write(Change {
                table: GROUPS_TABLE,
                partition: key,
                key: &[],
                value: is_there.then_some(value.as_slice()),
            });
        });
        let groups = &self.groups;
        self.aggregates
            .write_entries(writer, |group, _| groups.key(group));
        self.rows.write(writer, |group| groups.key(group));
        self.groups.recycle();
        self.progress.write(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| self.restore_entry(change))?;
        self.rows.sort_history();
        for group in self.groups.all() {
            for planned_ms in &self.keys_state[group as usize].cleanups_ms {
                self.cleanups.insert((*planned_ms, group));
            }
        }
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let bytes = self.groups.bytes() + self.aggregates.bytes() + self.rows.size();
        (self.groups.len() as u64, bytes as u64)
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }
}

impl OverAggregate {
    fn restore_entry(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let mut value = change.value.ok_or_else(|| corrupt("a removed entry"))?;
        if change.table == PROGRESS_TABLE {
            return self.progress.restore(value);
        }
        let (group, _) = self.groups.find_or_add(change.partition);
        self.make_room();
        if change.table == ROWS_TABLE {
            return self.rows.restore(group, change.key, value);
        }
        if change.table != GROUPS_TABLE {
            return self
                .aggregates
                .read_entry(change.table, group, change.key, value);
        }
        self.groups.restore(group, &mut value)?;
        if self.spec.frame.is_bounded() {
            self.keys_state[group as usize] =
                read_key_state(&mut value).ok_or_else(|| corrupt("a key's times"))?;
        }
        self.aggregates.read(group, &mut value)
    }
}

fn read_key_state(bytes: &mut &[u8]) -> Option<KeyState> {
    let last_ms = take_i64(bytes)?;
    let count = take_count(bytes)?;
    let cleanups_ms = (0..count)
        .map(|_| take_i64(bytes))
        .collect::<Option<Vec<_>>>()?;
    Some(KeyState {
        last_ms,
        cleanups_ms,
    })
}
