//! Joins of rows of the same window.

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_schema::DataType;
use jiff::tz::TimeZone;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use crate::condition::{JoinCondition, add_matches, without_row};
use crate::emit::{ByteRows, matchable, take_rows};
use crate::join::JoinKind;
use crate::pair_output::{JOINED_ROWS_MAX, Other, PairOutput, Shape, Sides};
use crate::stored::unknown_table;
use crate::timed_rows::{TimedRows, time_bytes, times};
use crate::windows::{is_window_over, timer_ms};
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark};

const LEFT: TableId = TableId(0);
const RIGHT: TableId = TableId(1);

/// What a window join is told about a side.
#[derive(Clone, Debug)]
pub struct WindowSideSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The join key's columns without the window's, in the order of the other side's and of the same types; may be empty.
    pub key: Vec<usize>,
    /// The column `window_end`.
    pub window_end: usize,
}

/// What a window join is told. Its output has the columns of the left side, then of the right; of a semi or anti join only
/// the left side's.
#[derive(Debug)]
pub struct WindowJoinSpec {
    /// Which rows come out.
    pub kind: JoinKind,
    /// The left side, input 0.
    pub left: WindowSideSpec,
    /// The right side, input 1.
    pub right: WindowSideSpec,
    /// For each column of the key, whether NULL equals nothing (`=`) or NULL (`IS NOT DISTINCT FROM`).
    pub filter_nulls: Vec<bool>,
    /// What a pair must fulfil beside equal keys and windows.
    pub condition: Option<Box<dyn JoinCondition>>,
    /// The session's zone where the windows are of TIMESTAMP_LTZ times; else `None`.
    pub zone: Option<TimeZone>,
}

/// Keeps the rows of both sides until the watermark has passed their window, and joins them then.
///
/// # Flink
/// `WindowJoinOperator`: insert-only; rows of windows that are over are dropped.
#[derive(Debug)]
pub struct WindowJoin {
    kind: JoinKind,
    sides: [Side; 2],
    filter_nulls: Vec<bool>,
    condition: Option<Box<dyn JoinCondition>>,
    zone: Option<TimeZone>,
    late_rows: u64,
    /// A watermark whose windows are not all given out yet.
    pending: Option<Watermark>,
}

#[derive(Debug)]
struct Side {
    spec: WindowSideSpec,
    keys: RowCodec,
    rows: RowCodec,
    state: TimedRows,
}

/// The rows of some keys of windows that are over.
#[derive(Debug, Default)]
struct Ready {
    left: ByteRows,
    right: ByteRows,
    /// Where the rows of each key and window begin on both sides.
    groups: Vec<Group>,
    pairs: usize,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    left: (usize, usize),
    right: (usize, usize),
    /// Whether the key can equal another.
    matchable: bool,
}

impl Side {
    fn new(table: TableId, spec: WindowSideSpec) -> Result<Self, OperatorError> {
        let key = spec.key.iter();
        Ok(Self {
            keys: RowCodec::new(key.map(|column| spec.columns[*column].clone()))?,
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            state: TimedRows::new(table),
            spec,
        })
    }
}

impl WindowJoin {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: WindowJoinSpec) -> Result<Self, OperatorError> {
        Ok(Self {
            kind: spec.kind,
            sides: [Side::new(LEFT, spec.left)?, Side::new(RIGHT, spec.right)?],
            filter_nulls: spec.filter_nulls,
            condition: spec.condition,
            zone: spec.zone,
            late_rows: 0,
            pending: None,
        })
    }

    /// Takes the rows of a window's end on both sides, key by key.
    fn collect(
        &mut self,
        end_ms: i64,
        ready: &mut Ready,
        out: &mut Output,
        now_ms: i64,
    ) -> Result<(), OperatorError> {
        let mut keys: std::collections::BTreeMap<Box<[u8]>, [Option<u32>; 2]> =
            std::collections::BTreeMap::new();
        for (input, side) in self.sides.iter_mut().enumerate() {
            if side.state.first_time() == Some(end_ms) {
                let (_, partitions) = side.state.take_time(end_ms).unwrap_or_default();
                for (key, slot) in partitions {
                    keys.entry(key).or_default()[input] = Some(slot);
                }
            }
        }
        for slots in keys.into_values() {
            let mut ranges = [(0, 0); 2];
            let mut matchable = true;
            let rows = [&mut ready.left, &mut ready.right];
            for (((side, slot), rows), range) in
                self.sides.iter_mut().zip(slots).zip(rows).zip(&mut ranges)
            {
                range.0 = rows.len();
                for row in slot
                    .map(|slot| side.state.take(slot, end_ms))
                    .into_iter()
                    .flatten()
                {
                    matchable &= row.tag().is_empty();
                    rows.push(row.row());
                }
                range.1 = rows.len();
            }
            let [left, right] = ranges;
            ready.pairs += (left.1 - left.0).max(1) * (right.1 - right.0).max(1);
            ready.groups.push(Group {
                left,
                right,
                matchable,
            });
            if ready.pairs >= JOINED_ROWS_MAX {
                self.give(&std::mem::take(ready), out, now_ms)?;
            }
        }
        Ok(())
    }

    fn give(&mut self, ready: &Ready, out: &mut Output, now_ms: i64) -> Result<(), OperatorError> {
        if ready.groups.is_empty() {
            return Ok(());
        }
        let left = self.sides[0].rows.decode(ready.left.iter())?;
        let right = self.sides[1].rows.decode(ready.right.iter())?;
        let shape = match self.kind {
            JoinKind::Semi | JoinKind::Anti => Shape::Input,
            _ => Shape::InputOther,
        };
        let sides = Sides {
            input: &left,
            input_types: &self.sides[0].spec.columns,
            codec: &self.sides[1].rows,
            other_types: &self.sides[1].spec.columns,
        };
        let mut output = PairOutput::new(shape, sides, Some(&right));
        for group in &ready.groups {
            let matches = matches(self.condition.as_deref_mut(), group, &left, &right, now_ms)?;
            join(self.kind, group, &matches, |left, right| {
                output.push(RowKind::Insert, left, right.map(Other::Decoded), out)
            })?;
        }
        output.flush(out)
    }
}

/// Returns for each pair of a group, the left row's pairs one after another, whether it matches.
fn matches(
    condition: Option<&mut (dyn JoinCondition + 'static)>,
    group: &Group,
    left: &[ArrayRef],
    right: &[ArrayRef],
    now_ms: i64,
) -> Result<Vec<bool>, OperatorError> {
    let width = group.right.1 - group.right.0;
    let count = (group.left.1 - group.left.0) * width;
    let Some(condition) = condition.filter(|_| group.matchable) else {
        return Ok(vec![group.matchable; count]);
    };
    let mut matches = Vec::with_capacity(count);
    while matches.len() < count {
        let from = matches.len();
        let to = count.min(from + JOINED_ROWS_MAX);
        let lefts = (from..to).map(|pair| (group.left.0 + pair / width) as u32);
        let rights = (from..to).map(|pair| (group.right.0 + pair % width) as u32);
        let lefts = UInt32Array::from_iter_values(lefts);
        let rights = UInt32Array::from_iter_values(rights);
        let left = left.iter().map(|column| take_rows(column, &lefts));
        let right = right.iter().map(|column| take_rows(column, &rights));
        let columns = left.chain(right).collect::<Result<Vec<_>, _>>()?;
        let mask = condition
            .evaluate(&columns, to - from, now_ms)
            .map_err(without_row)?;
        add_matches(&mask, &mut matches);
    }
    Ok(matches)
}

/// Gives a group out in Flink's order: by the left row, for a right join by the right one.
fn join(
    kind: JoinKind,
    group: &Group,
    matches: &[bool],
    mut emit: impl FnMut(Option<usize>, Option<usize>) -> Result<(), OperatorError>,
) -> Result<(), OperatorError> {
    let (lefts, rights) = (group.left.0..group.left.1, group.right.0..group.right.1);
    let width = rights.len();
    let is_pair = |left: usize, right: usize| {
        matches[(left - group.left.0) * width + (right - group.right.0)]
    };
    if kind == JoinKind::Right {
        for right in rights {
            let mut met = false;
            for left in lefts.clone().filter(|left| is_pair(*left, right)) {
                met = true;
                emit(Some(left), Some(right))?;
            }
            if !met {
                emit(None, Some(right))?;
            }
        }
        return Ok(());
    }
    for left in lefts.clone() {
        let mut met = false;
        for right in rights.clone().filter(|right| is_pair(left, *right)) {
            met = true;
            match kind {
                JoinKind::Semi | JoinKind::Anti => break,
                _ => emit(Some(left), Some(right))?,
            }
        }
        match kind {
            JoinKind::Semi if met => emit(Some(left), None)?,
            JoinKind::Anti | JoinKind::Left | JoinKind::Full if !met => emit(Some(left), None)?,
            _ => {}
        }
    }
    if kind == JoinKind::Full {
        for right in rights {
            if !lefts.clone().any(|left| is_pair(left, right)) {
                emit(None, Some(right))?;
            }
        }
    }
    Ok(())
}

impl Operator for WindowJoin {
    fn batch(
        &mut self,
        input: usize,
        batch: Batch,
        ctx: &Context,
        _out: &mut Output,
    ) -> Result<(), OperatorError> {
        let side = &mut self.sides[input];
        let keys = side.keys.encode_some(&batch, &side.spec.key)?;
        let rows = side.rows.encode(&batch.columns, batch.rows)?;
        let ends = times(&batch.columns[side.spec.window_end])?;
        let matchable = matchable(&batch, &side.spec.key, &self.filter_nulls);
        for row in 0..batch.rows {
            let kind = batch.kind(row);
            if !matches!(kind, RowKind::Insert | RowKind::UpdateAfter) {
                return Err(OperatorError::UnexpectedKind(kind));
            }
            let end_ms = ends.value(row).div_euclid(1_000);
            if ends.is_null(row) || is_window_over(end_ms, ctx.watermark, self.zone.as_ref()) {
                self.late_rows += 1;
                continue;
            }
            // A tag says that the key equals nothing.
            let tag: &[u8] = if matchable.has(row) { &[] } else { &[1] };
            side.state
                .insert(keys.row(row), &time_bytes(end_ms), tag, rows.row(row));
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        self.pending = Some(watermark);
        self.more(ctx, out).map(|_| ())
    }

    fn more(&mut self, ctx: &Context, out: &mut Output) -> Result<bool, OperatorError> {
        let Some(watermark) = self.pending.take() else {
            return Ok(false);
        };
        let mut ready = Ready::default();
        loop {
            let ends = self.sides.iter().filter_map(|side| side.state.first_time());
            let end_ms = ends.min().filter(|end_ms| {
                let timer_ms = timer_ms(end_ms - 1, self.zone.as_ref());
                timer_ms <= watermark.0
            });
            let Some(end_ms) = end_ms else { break };
            self.collect(end_ms, &mut ready, out, ctx.now_ms)?;
            if out.is_full() {
                self.give(&ready, out, ctx.now_ms)?;
                self.pending = Some(watermark);
                return Ok(true);
            }
        }
        self.give(&ready, out, ctx.now_ms)?;
        out.watermark(watermark);
        Ok(false)
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        for side in &mut self.sides {
            side.state.snapshot(writer);
        }
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        let [left, right] = &mut self.sides;
        reader.for_each(&mut |change| match change.table {
            LEFT => left.state.restore(change),
            RIGHT => right.state.restore(change),
            table => Err(unknown_table(table)),
        })?;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let sizes = self.sides.iter().map(|side| side.state.size());
        sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1))
    }

    fn late_rows(&self) -> u64 {
        self.late_rows
    }
}

#[cfg(test)]
mod tests;
