//! The group windows TUMBLE, HOP and SESSION in GROUP BY, with TUMBLE_START and the like.
//!
//! # Flink
//! The legacy `WindowOperator` with its assigners and triggers, 1.17. A window goes out when the watermark has passed its
//! last millisecond, earlier and again later where `table.exec.emit.*` says so, and is forgotten when it has passed the
//! allowed lateness too. A row that comes after that is dropped. Input rows may be taken back. A session ends a gap
//! after its last row; a row that falls between two sessions joins them.
//!
//! # State
//! A group a window and key: its times, how many rows it has, what went out of it, and what its aggregates keep.

mod sessions;
mod spec;
#[cfg(test)]
mod tests;
mod timers;
mod window;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, PrimitiveArray, TimestampMicrosecondArray};
use millrace_connector::RowKind;
use millrace_state::{Change, StateError, StateReader, StateWriter};

use crate::aggregates::{Aggregates, GROUPS_TABLE};
use crate::columns::{indices, take};
use crate::groups::Groups;
use crate::progress::{PROGRESS_TABLE, Progress};
use crate::stored::corrupt;
use crate::{
    Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark, Window, timer_ms, wall_ms,
};

pub use spec::{Firing, GroupWindowSpec, GroupWindows, WindowEmit};

use sessions::Sessions;
use timers::Timers;
use window::WindowState;

/// The bytes of a window's start and end in front of a key.
const WINDOW_BYTES: usize = 2 * size_of::<i64>();

/// Groups rows by window and key and aggregates them.
#[derive(Debug)]
pub struct GroupWindow {
    spec: GroupWindowSpec,
    codec: RowCodec,
    results: RowCodec,
    groups: Groups,
    aggregates: Aggregates,
    windows: Vec<WindowState>,
    sessions: Sessions,
    timers: Timers,
    progress: Progress,
    late_rows: u64,
    pending: Pairs,
    scratch: Scratch,
    /// A window and key on their way to a group.
    key: Vec<u8>,
}

/// The windows of a row and their groups, kept for their memory.
#[derive(Debug, Default)]
struct Scratch {
    windows: Vec<Window>,
    groups: Vec<u32>,
}

impl Scratch {
    fn clear(&mut self) {
        self.windows.clear();
        self.groups.clear();
    }
}

/// Rows with the groups that they fall into; a row may come several times.
#[derive(Debug, Default)]
struct Pairs {
    rows: Vec<u32>,
    groups: Vec<u32>,
    signs: Vec<i8>,
}

impl GroupWindow {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A column of a type that has no place in Flink.
    pub fn new(spec: GroupWindowSpec) -> Result<Self, OperatorError> {
        Ok(Self {
            codec: RowCodec::new(spec.key_types.iter().cloned())?,
            results: RowCodec::new(spec.result_types.iter().cloned())?,
            groups: Groups::new(None),
            aggregates: Aggregates::new(spec.aggregates.clone()),
            windows: Vec::new(),
            sessions: Sessions::default(),
            timers: Timers::default(),
            progress: Progress::new(),
            late_rows: 0,
            pending: Pairs::default(),
            scratch: Scratch::default(),
            key: Vec::new(),
            spec,
        })
    }

    fn is_event_time(&self) -> bool {
        self.spec.rowtime.is_some()
    }

    /// Returns the time at which a window is complete: its last millisecond, as an instant.
    fn complete_ms(&self, end_ms: i64) -> i64 {
        timer_ms(end_ms - 1, self.spec.zone.as_ref())
    }

    /// Returns the time at which a window is forgotten.
    fn cleanup_ms(&self, end_ms: i64) -> i64 {
        let lateness_ms = if self.is_event_time() {
            self.spec.emit.lateness_ms
        } else {
            0
        };
        timer_ms(
            (end_ms - 1).saturating_add(lateness_ms),
            self.spec.zone.as_ref(),
        )
    }

    fn is_late(&self, end_ms: i64) -> bool {
        self.is_event_time() && self.cleanup_ms(end_ms) <= self.progress.time_ms()
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

    /// Takes one row; windows that go out with it go out at once.
    fn row(
        &mut self,
        batch: &Batch,
        row: usize,
        (time_ms, key): (i64, &[u8]),
        now_ms: i64,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let sign = match batch.kind(row) {
            RowKind::Insert | RowKind::UpdateAfter => 1,
            kind if !self.spec.retract => return Err(OperatorError::UnexpectedKind(kind)),
            RowKind::UpdateBefore | RowKind::Delete => -1,
        };
        let wall = wall_ms(time_ms, self.spec.zone.as_ref());
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let Scratch { groups, windows } = &mut scratch;
        match self.spec.windows {
            GroupWindows::Fixed(assigner) => {
                assigner.assign(wall, windows);
                // With a slide greater than the size, time between windows is in none.
                if windows.is_empty() {
                    self.scratch = scratch;
                    return Ok(());
                }
                for window in windows.iter() {
                    if !self.is_late(window.end_ms) {
                        groups.push(self.group(*window, key));
                    }
                }
            }
            GroupWindows::Session { gap_ms } => {
                let window = Window {
                    start_ms: wall,
                    end_ms: wall + gap_ms,
                };
                groups.extend(self.session(batch, window, key)?);
            }
        }
        if groups.is_empty() {
            self.late_rows += 1;
        }
        for group in groups.iter() {
            self.groups.touch(*group, now_ms);
            self.windows[*group as usize].count += i64::from(sign);
            self.pending.rows.push(index(row));
            self.pending.groups.push(*group);
            self.pending.signs.push(sign);
        }
        for group in groups.iter() {
            if self.on_row(*group, now_ms) {
                self.fold_pending(batch)?;
                self.emit(&[*group], out)?;
            }
        }
        self.scratch = scratch;
        Ok(())
    }

    /// Returns the group of a window and key.
    fn group(&mut self, window: Window, key: &[u8]) -> u32 {
        let full = &mut self.key;
        full.clear();
        full.extend_from_slice(&window.start_ms.to_be_bytes());
        full.extend_from_slice(&window.end_ms.to_be_bytes());
        full.extend_from_slice(key);
        let (group, is_new) = self.groups.find_or_add(full);
        if is_new {
            self.make_room();
            self.windows[group as usize] = WindowState::new(window);
        }
        group
    }

    fn make_room(&mut self) {
        let end = self.groups.end();
        if end > self.windows.len() {
            let room = end + end / 2 + 16;
            self.windows.resize_with(room, WindowState::default);
            self.aggregates.resize(room);
        }
    }

    /// Returns the group of the session that a row's window makes or joins; `None` = it is late.
    fn session(
        &mut self,
        batch: &Batch,
        window: Window,
        key: &[u8],
    ) -> Result<Option<u32>, OperatorError> {
        let (merged, cover) = self.sessions.merge(key, window, &self.windows);
        let [Some(target), other] = merged else {
            if self.is_late(window.end_ms) {
                return Ok(None);
            }
            let group = self.group(window, key);
            self.sessions.add(key, group, &self.windows);
            return Ok(Some(group));
        };
        if let Some(other) = other {
            self.fold_pending(batch)?;
            self.aggregates.merge(&[target], &[other])?;
            let count = self.windows[other as usize].count;
            self.windows[target as usize].count += count;
            self.sessions.remove(key, other);
            self.drop_window(other);
        }
        if self.windows[target as usize].window != cover {
            self.sessions.remove(key, target);
            self.windows[target as usize].window = cover;
            self.sessions.add(key, target, &self.windows);
        }
        Ok(Some(target))
    }

    /// Asks the trigger about a row of a window: whether the window goes out.
    fn on_row(&mut self, group: u32, now_ms: i64) -> bool {
        let end_ms = self.windows[group as usize].window.end_ms;
        if self.windows[group as usize].timed_end_ms != Some(end_ms) {
            self.set_timers(group, end_ms);
        }
        let window = &self.windows[group as usize];
        if window.has_fired {
            return self.firing(self.spec.emit.late, group, now_ms);
        }
        if self.is_event_time() && window.complete_ms <= self.progress.time_ms() {
            return true;
        }
        self.firing(self.spec.emit.early, group, now_ms)
    }

    /// Notes when a window is complete and when it is forgotten.
    fn set_timers(&mut self, group: u32, end_ms: i64) {
        let complete_ms = self.complete_ms(end_ms);
        self.timers.set_time(self.cleanup_ms(end_ms), group);
        let window = &mut self.windows[group as usize];
        window.complete_ms = complete_ms;
        window.timed_end_ms = Some(end_ms);
        let is_past = self.spec.rowtime.is_some() && complete_ms <= self.progress.time_ms();
        if !window.has_fired && !is_past {
            self.timers.set_time(complete_ms, group);
        }
    }

    fn firing(&mut self, firing: Option<Firing>, group: u32, now_ms: i64) -> bool {
        match firing {
            None => false,
            Some(Firing::EachRow) => true,
            Some(Firing::Every { ms }) => {
                let next = &mut self.windows[group as usize].next_fire_ms;
                if next.is_none() {
                    *next = Some(now_ms + ms);
                    self.timers.set_firing(now_ms + ms, group);
                }
                false
            }
        }
    }

    /// Folds the rows that were taken so far.
    fn fold_pending(&mut self, batch: &Batch) -> Result<(), OperatorError> {
        let pairs = std::mem::take(&mut self.pending);
        if pairs.rows.is_empty() {
            return Ok(());
        }
        let signs = pairs.signs.contains(&-1).then_some(pairs.signs.as_slice());
        let is_whole = pairs.rows.len() == batch.rows
            && pairs
                .rows
                .iter()
                .enumerate()
                .all(|(at, row)| at == *row as usize);
        if is_whole {
            return self.aggregates.fold(batch, &pairs.groups, signs);
        }
        let rows = indices(pairs.rows.clone());
        let columns = batch.columns.iter();
        let columns = columns
            .map(|column| take(column, &rows))
            .collect::<Result<Vec<_>, _>>()?;
        let taken = Batch::inserts(columns, rows.len());
        self.aggregates
            .fold(&taken, &pairs.groups, signs)
            .map_err(|error| match error {
                OperatorError::Row { row, message } => OperatorError::Row {
                    row: pairs.rows[row] as usize,
                    message,
                },
                error => error,
            })
    }

    /// Gives out windows, or what has changed in them since they went out.
    fn emit(&mut self, groups: &[u32], out: &mut Output) -> Result<(), OperatorError> {
        let retract = self.spec.retract;
        let is_empty = |window: &WindowState| retract && window.count == 0;
        if !self.spec.emit.updates {
            let full: Vec<u32> = groups
                .iter()
                .copied()
                .filter(|group| !is_empty(&self.windows[*group as usize]))
                .collect();
            let values = self.aggregates.values(&full);
            let kinds = vec![RowKind::Insert; full.len()];
            return self.send(kinds, &full, values, out);
        }
        let values = self.aggregates.values(groups);
        let encoded = self.results.encode(&values, groups.len())?;
        let (mut kinds, mut named, mut rows) = (Vec::new(), Vec::new(), Vec::<Box<[u8]>>::new());
        let mut push = |kind: RowKind, group: u32, row: Box<[u8]>| {
            kinds.push(kind);
            named.push(group);
            rows.push(row);
        };
        for (place, group) in groups.iter().enumerate() {
            let window = &mut self.windows[*group as usize];
            let new: Box<[u8]> = encoded.row(place).into();
            match window.previous.take() {
                None if is_empty(window) => continue,
                None => push(RowKind::Insert, *group, new.clone()),
                Some(old) if is_empty(window) => {
                    push(RowKind::Delete, *group, old);
                    continue;
                }
                Some(old) if old == new => {}
                Some(old) => {
                    if self.spec.emit.update_before {
                        push(RowKind::UpdateBefore, *group, old);
                    }
                    push(RowKind::UpdateAfter, *group, new.clone());
                }
            }
            window.previous = Some(new);
        }
        let values = self.results.decode(rows.iter().map(|row| &**row))?;
        self.send(kinds, &named, values, out)
    }

    /// Gives out a row a group with these results.
    fn send(
        &self,
        kinds: Vec<RowKind>,
        groups: &[u32],
        values: Vec<ArrayRef>,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let keys = groups
            .iter()
            .map(|group| &self.groups.key(*group)[WINDOW_BYTES..]);
        let mut columns = self.codec.decode(keys)?;
        columns.extend(values);
        let zone = self.spec.zone.as_ref();
        for property in &self.spec.properties {
            let times = groups.iter().map(|group| {
                let window = self.windows[*group as usize].window;
                property.time_ms(window.start_ms, window.end_ms, zone) * 1_000
            });
            columns.push(std::sync::Arc::new(
                TimestampMicrosecondArray::from_iter_values(times),
            ));
        }
        let mut batch = Batch::changes(columns, kinds);
        if !self.spec.emit.updates {
            batch.kinds = None;
        }
        out.batch(batch);
        Ok(())
    }

    fn drop_window(&mut self, group: u32) {
        self.aggregates.reset(group);
        self.windows[group as usize] = WindowState::default();
        self.groups.remove(group);
    }

    /// Gives out the windows that are complete at a time, and forgets those whose time is over.
    fn on_time(
        &mut self,
        time_ms: i64,
        now_ms: i64,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let mut fired = Vec::new();
        let mut over = Vec::new();
        while let Some((at_ms, group)) = self.timers.take_time(time_ms) {
            // A timer may be of a window that has grown, or is gone.
            let window = &self.windows[group as usize];
            if !window.is_used {
                continue;
            }
            let end_ms = window.window.end_ms;
            if at_ms == self.complete_ms(end_ms) && !window.has_fired {
                self.windows[group as usize].has_fired = true;
                self.groups.touch(group, now_ms);
                fired.push(group);
            }
            if at_ms == self.cleanup_ms(end_ms) {
                over.push(group);
            }
        }
        if !fired.is_empty() {
            self.emit(&fired, out)?;
        }
        for group in over {
            if matches!(self.spec.windows, GroupWindows::Session { .. }) {
                let key = self.groups.key(group)[WINDOW_BYTES..].to_vec();
                self.sessions.remove(&key, group);
            }
            self.drop_window(group);
        }
        self.groups.settle();
        Ok(())
    }

    /// Gives out windows whose delay is over.
    fn on_delay(&mut self, now_ms: i64, out: &mut Output) -> Result<(), OperatorError> {
        while let Some((at_ms, group)) = self.timers.take_firing(now_ms) {
            let window = &self.windows[group as usize];
            if !window.is_used || window.next_fire_ms != Some(at_ms) {
                continue;
            }
            let firing = if window.has_fired {
                self.spec.emit.late
            } else {
                self.spec.emit.early
            };
            let Some(Firing::Every { ms }) = firing else {
                self.windows[group as usize].next_fire_ms = None;
                continue;
            };
            self.windows[group as usize].next_fire_ms = Some(at_ms + ms);
            self.timers.set_firing(at_ms + ms, group);
            self.groups.touch(group, now_ms);
            self.emit(&[group], out)?;
        }
        Ok(())
    }
}

fn index(row: usize) -> u32 {
    u32::try_from(row).expect("a batch has fewer than 2^32 rows")
}

impl Operator for GroupWindow {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let times = self.times(&batch)?;
        let keys = self.codec.encode_some(&batch, &self.spec.keys)?;
        for row in 0..batch.rows {
            let time_ms = match times {
                Some(times) if times.is_null(row) => {
                    return Err(OperatorError::Row {
                        row,
                        message: "the rowtime of a group window is NULL".into(),
                    });
                }
                Some(times) => times.value(row).div_euclid(1_000),
                None => ctx.now_ms,
            };
            self.row(&batch, row, (time_ms, keys.row(row)), ctx.now_ms, out)?;
        }
        self.fold_pending(&batch)?;
        self.groups.settle();
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if self.is_event_time() {
            // Windows that wait for their end see it before it has come.
            self.on_time(watermark.0, ctx.now_ms, out)?;
            self.progress.advance(watermark.0);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn timer(&mut self, ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        self.on_delay(ctx.now_ms, out)?;
        if !self.is_event_time() {
            self.on_time(ctx.now_ms - 1, ctx.now_ms, out)?;
        }
        Ok(())
    }

    fn next_timer_ms(&self) -> Option<i64> {
        let end_ms = self
            .timers
            .next_time()
            .filter(|_| !self.is_event_time())
            .map(|time| time + 1);
        [self.timers.next_firing(), end_ms]
            .into_iter()
            .flatten()
            .min()
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        let (aggregates, windows) = (&self.aggregates, &self.windows);
        self.groups.take_changes(|key, group, value, is_there| {
            if is_there {
                windows[group as usize].write(value);
                aggregates.write(group, value);
            }
            let (window, key) = key.split_at(WINDOW_BYTES);
            writer.write(Change {
                table: GROUPS_TABLE,
                partition: key,
                key: window,
                value: is_there.then_some(value.as_slice()),
            });
        });
        let groups = &self.groups;
        self.aggregates.write_entries(writer, |group, place| {
            let (window, key) = groups.key(group).split_at(WINDOW_BYTES);
            place.extend_from_slice(window);
            key
        });
        self.groups.recycle();
        self.progress.write(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| self.restore_entry(change))?;
        let groups: Vec<u32> = self.groups.all().collect();
        for group in groups {
            let window = &self.windows[group as usize];
            let end_ms = window.window.end_ms;
            if let Some(next_ms) = window.next_fire_ms {
                self.timers.set_firing(next_ms, group);
            }
            self.set_timers(group, end_ms);
            if matches!(self.spec.windows, GroupWindows::Session { .. }) {
                let key = self.groups.key(group)[WINDOW_BYTES..].to_vec();
                self.sessions.add(&key, group, &self.windows);
            }
        }
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let bytes = self.groups.bytes()
            + self.aggregates.bytes()
            + self.windows.capacity() * size_of::<WindowState>();
        (self.groups.len() as u64, bytes as u64)
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }
}

impl GroupWindow {
    fn restore_entry(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let mut value = change.value.ok_or_else(|| corrupt("a removed entry"))?;
        if change.table == PROGRESS_TABLE {
            return self.progress.restore(value);
        }
        let (window, rest) = change
            .key
            .split_at_checked(WINDOW_BYTES)
            .ok_or_else(|| corrupt("a window"))?;
        let key = [window, change.partition].concat();
        let (group, _) = self.groups.find_or_add(&key);
        self.make_room();
        if change.table != GROUPS_TABLE {
            return self.aggregates.read_entry(change.table, group, rest, value);
        }
        self.groups.restore(group, &mut value)?;
        self.windows[group as usize] =
            WindowState::read(&mut value).ok_or_else(|| corrupt("a window's state"))?;
        self.aggregates.read(group, &mut value)
    }
}
