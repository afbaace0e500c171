//! Temporal joins: each row beside the version of its key that was valid at its time.
//!
//! ```text
//!  versions of a key:   1 ───── 4 ─────────── 9 (-D) ── 12 ──►
//!  rows:                    3→1     6→4     8→4   10→none   13→12      when the watermark has passed them
//! ```

use arrow_array::UInt32Array;
use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use crate::condition::{JoinCondition, add_matches, without_row};
use crate::emit::{ByteRows, matchable, take_rows};
use crate::keyed_sorted::KeyedSorted;
use crate::pair_output::{JOINED_ROWS_MAX, Other, PairOutput, Shape, Sides};
use crate::stored::unknown_table;
use crate::timed_rows::{time_bytes, time_of, times};
use crate::timers::Timers;
use crate::ttl::Ttl;
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark};

const LEFT: TableId = TableId(0);
const RIGHT: TableId = TableId(1);
const TIMERS: TableId = TableId(2);
const CLEAN_UPS: TableId = TableId(3);

/// What a temporal join is told about a side.
#[derive(Clone, Debug)]
pub struct TemporalSideSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The join key's columns, in the order of the other side's and of the same types; on the right the primary key.
    pub key: Vec<usize>,
    /// The rowtime column.
    pub rowtime: usize,
}

/// What a temporal join is told: `left [LEFT] JOIN right FOR SYSTEM_TIME AS OF left.rowtime`.
#[derive(Debug)]
pub struct TemporalJoinSpec {
    /// Whether a row without a version comes out beside NULLs.
    pub is_left_outer: bool,
    /// The rows, input 0, of any changes.
    pub left: TemporalSideSpec,
    /// The versions, input 1: a changelog or upserts by the key.
    pub right: TemporalSideSpec,
    /// For each column of the key, whether NULL equals nothing. Flink's versions may have a NULL key, which it finds, so
    /// it is false there.
    pub filter_nulls: Vec<bool>,
    /// What a row and its version must fulfil beside.
    pub condition: Option<Box<dyn JoinCondition>>,
    /// `table.exec.state.ttl`: a key that had no row for one to one and a half of it is forgotten.
    pub ttl: Option<Ttl>,
}

/// Keeps rows until the watermark has passed them, and versions until a later one is valid for all that may come.
///
/// # Flink
/// `TemporalRowTimeJoinOperator`. A row keeps its kind; of two versions of one time the later one in arrival counts; a `-D` or
/// `-U` ends the version before. Versions go when a timer of the key goes off, one for the earliest row that came since.
/// Processing time is not here: Flink 1.17 joins by it only with a table that can be looked up.
#[derive(Debug)]
pub struct TemporalJoin {
    is_left_outer: bool,
    left: Side,
    right: Side,
    filter_nulls: Vec<bool>,
    condition: Option<Box<dyn JoinCondition>>,
    timers: Timers,
    clean_ups: Timers,
    ttl: Option<Ttl>,
}

#[derive(Debug)]
struct Side {
    spec: TemporalSideSpec,
    keys: RowCodec,
    rows: RowCodec,
    state: KeyedSorted,
}

/// Rows that go out, with their versions.
#[derive(Debug, Default)]
struct Ready {
    left: ByteRows,
    right: ByteRows,
    kinds: Vec<RowKind>,
    /// The version of each row.
    versions: Vec<Option<u32>>,
}

impl Side {
    fn new(table: TableId, spec: TemporalSideSpec) -> Result<Self, OperatorError> {
        let key = spec.key.iter();
        Ok(Self {
            keys: RowCodec::new(key.map(|column| spec.columns[*column].clone()))?,
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            state: KeyedSorted::new(table, None),
            spec,
        })
    }

    fn clear(&mut self, key: &[u8]) {
        if let Some(slot) = self.state.find(key) {
            while self.state.rows(slot).len() > 0 {
                self.state.remove(slot, 0);
            }
            self.state.done(slot);
        }
    }

    fn is_empty(&self, key: &[u8]) -> bool {
        self.state.find(key).is_none()
    }
}

/// A kind as the tag of a row; the second byte says whether its key can equal another.
fn tag(kind: RowKind, matchable: bool) -> [u8; 2] {
    let kind = match kind {
        RowKind::Insert => 0,
        RowKind::UpdateBefore => 1,
        RowKind::UpdateAfter => 2,
        RowKind::Delete => 3,
    };
    [kind, u8::from(matchable)]
}

fn kind_of(tag: &[u8]) -> RowKind {
    match tag.first() {
        Some(1) => RowKind::UpdateBefore,
        Some(2) => RowKind::UpdateAfter,
        Some(3) => RowKind::Delete,
        _ => RowKind::Insert,
    }
}

impl TemporalJoin {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: TemporalJoinSpec) -> Result<Self, OperatorError> {
        Ok(Self {
            is_left_outer: spec.is_left_outer,
            left: Side::new(LEFT, spec.left)?,
            right: Side::new(RIGHT, spec.right)?,
            filter_nulls: spec.filter_nulls,
            condition: spec.condition,
            timers: Timers::new(TIMERS),
            clean_ups: Timers::new(CLEAN_UPS),
            ttl: spec.ttl.filter(|ttl| ttl.ms > 0),
        })
    }

    fn set_smallest_timer(&mut self, key: &[u8], time_ms: i64) {
        if self.timers.get(key, 0).is_none_or(|timer| timer > time_ms) {
            self.timers.set(key, 0, Some(time_ms));
        }
    }

    /// Puts the moment off at which a key is forgotten.
    fn keep(&mut self, key: &[u8], now_ms: i64) {
        let Some(ttl) = self.ttl else { return };
        let current = self.clean_ups.get(key, 0);
        if current.is_none_or(|current| now_ms + ttl.ms > current) {
            let clean_up_ms = now_ms + ttl.ms + ttl.ms / 2;
            self.clean_ups.set(key, 0, Some(clean_up_ms));
        }
    }

    /// Collects the rows of a key that the watermark has passed, in the order in which they came.
    fn collect(&mut self, key: &[u8], watermark: Watermark, ready: &mut Ready) {
        let Some(slot) = self.left.state.find(key) else {
            return;
        };
        let end = self
            .left
            .state
            .rows(slot)
            .upper_bound(&time_bytes(watermark.0));
        let passed = (0..end).map(|_| self.left.state.remove(slot, 0));
        let mut passed: Vec<_> = passed.collect();
        self.left.state.done(slot);
        passed.sort_unstable_by_key(|row| row.number);
        let versions = self.right.state.find(key);
        let versions = versions.map(|slot| self.right.state.rows(slot));
        for row in passed {
            let matchable = row.tag().get(1) == Some(&1);
            let version = versions.filter(|_| matchable).and_then(|versions| {
                let last = versions.upper_bound(row.sort()).checked_sub(1)?;
                versions.get(last)
            });
            let is_there = |kind| matches!(kind, RowKind::Insert | RowKind::UpdateAfter);
            let version = version.filter(|version| is_there(kind_of(version.tag())));
            if version.is_none() && !self.is_left_outer {
                continue;
            }
            ready.left.push(row.row());
            ready.kinds.push(kind_of(row.tag()));
            ready.versions.push(version.map(|version| {
                ready.right.push(version.row());
                ready.right.len() as u32 - 1
            }));
        }
    }

    /// Removes the versions that a later one has replaced for all rows that may come.
    fn remove_versions(&mut self, key: &[u8], watermark: Watermark) {
        if let Some(slot) = self.right.state.find(key) {
            let passed = self
                .right
                .state
                .rows(slot)
                .upper_bound(&time_bytes(watermark.0));
            for _ in 1..passed {
                self.right.state.remove(slot, 0);
            }
            self.right.state.done(slot);
        }
    }

    fn give(&mut self, ready: &Ready, now_ms: i64, out: &mut Output) -> Result<(), OperatorError> {
        if ready.kinds.is_empty() {
            return Ok(());
        }
        let left = self.left.rows.decode(ready.left.iter())?;
        let right = self.right.rows.decode(ready.right.iter())?;
        let mut matches = Vec::with_capacity(ready.kinds.len());
        if let Some(condition) = &mut self.condition {
            let versions = UInt32Array::from(ready.versions.clone());
            let versions = right.iter().map(|column| take_rows(column, &versions));
            let columns = left.iter().cloned().map(Ok).chain(versions);
            let columns = columns.collect::<Result<Vec<_>, _>>()?;
            let mask = condition
                .evaluate(&columns, ready.kinds.len(), now_ms)
                .map_err(without_row)?;
            add_matches(&mask, &mut matches);
        } else {
            matches.resize(ready.kinds.len(), true);
        }
        let sides = Sides {
            input: &left,
            input_types: &self.left.spec.columns,
            codec: &self.right.rows,
            other_types: &self.right.spec.columns,
        };
        let mut output = PairOutput::new(Shape::InputOther, sides, Some(&right));
        for (row, (kind, version)) in ready.kinds.iter().zip(&ready.versions).enumerate() {
            let version = version.filter(|_| matches[row]);
            if version.is_none() && !self.is_left_outer {
                continue;
            }
            let version = version.map(|version| Other::Decoded(version as usize));
            output.push(*kind, Some(row), version, out)?;
        }
        output.flush(out)
    }
}

impl Operator for TemporalJoin {
    fn batch(
        &mut self,
        input: usize,
        batch: Batch,
        ctx: &Context,
        _out: &mut Output,
    ) -> Result<(), OperatorError> {
        let side = if input == 0 { &self.left } else { &self.right };
        let keys = side.keys.encode_some(&batch, &side.spec.key)?;
        let rows = side.rows.encode(&batch.columns, batch.rows)?;
        let matchable = matchable(&batch, &side.spec.key, &self.filter_nulls);
        let times = times(&batch.columns[side.spec.rowtime])?.values();
        for (row, time) in times.iter().enumerate() {
            let time_ms = time.div_euclid(1_000);
            let sort = time_bytes(time_ms);
            let tag = tag(batch.kind(row), matchable.has(row));
            let (key, bytes) = (keys.row(row), rows.row(row));
            let side = if input == 0 {
                &mut self.left
            } else {
                &mut self.right
            };
            let slot = side.state.partition(key, 0);
            if input == 1 {
                let place = side.state.rows(slot).lower_bound(&sort);
                let same = side.state.rows(slot).get(place);
                if same.is_some_and(|version| *version.sort() == sort) {
                    side.state.remove(slot, place);
                }
            }
            side.state.insert(slot, &sort, &tag, bytes, 0);
            self.set_smallest_timer(key, time_ms);
            self.keep(key, ctx.now_ms);
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let mut ready = Ready::default();
        while let Some((time_ms, keys)) = self.timers.take_due(watermark.0) {
            for due in keys {
                // A key whose timer was moved to an earlier time stands in the index for both.
                if !self.timers.is_due(&due, 0, time_ms) {
                    continue;
                }
                let key = due.key;
                self.collect(&key, watermark, &mut ready);
                self.remove_versions(&key, watermark);
                let rest = self.left.state.find(&key);
                let rest = rest.and_then(|slot| self.left.state.rows(slot).get(0));
                let next = rest.and_then(|row| time_of(row.sort()));
                self.timers.set(&key, 0, next);
                if next.is_some() || !self.right.is_empty(&key) {
                    self.keep(&key, ctx.now_ms);
                } else {
                    self.clean_ups.set(&key, 0, None);
                }
                if ready.kinds.len() >= JOINED_ROWS_MAX {
                    self.give(&std::mem::take(&mut ready), ctx.now_ms, out)?;
                }
            }
        }
        self.give(&ready, ctx.now_ms, out)?;
        out.watermark(watermark);
        Ok(())
    }

    /// Forgets keys that had no row for long.
    fn timer(&mut self, ctx: &Context, _out: &mut Output) -> Result<(), OperatorError> {
        while let Some((time_ms, keys)) = self.clean_ups.take_due(ctx.now_ms) {
            for due in keys {
                if self.clean_ups.is_due(&due, 0, time_ms) {
                    let key = due.key;
                    self.left.clear(&key);
                    self.right.clear(&key);
                    self.timers.set(&key, 0, None);
                    self.clean_ups.set(&key, 0, None);
                }
            }
        }
        Ok(())
    }

    fn next_timer_ms(&self) -> Option<i64> {
        self.clean_ups.first()
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        self.left.state.snapshot(writer);
        self.right.state.snapshot(writer);
        self.timers.snapshot(writer);
        self.clean_ups.snapshot(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| match change.table {
            LEFT => self.left.state.restore(change).map(|_| ()),
            RIGHT => self.right.state.restore(change).map(|_| ()),
            TIMERS => self.timers.restore(change),
            CLEAN_UPS => self.clean_ups.restore(change),
            table => Err(unknown_table(table)),
        })?;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let (left, right) = (&self.left.state, &self.right.state);
        (
            (left.len() + right.len()) as u64,
            (left.bytes() + right.bytes()) as u64,
        )
    }
}

#[cfg(test)]
mod tests;
