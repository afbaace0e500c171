//! Joins of rows whose times lie within an interval of each other.

mod candidates;

use std::sync::Arc;

use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{Change, StateReader, StateWriter, TableId};

use self::candidates::Candidates;
use crate::condition::JoinCondition;
use crate::emit::{Matchable, matchable};
use crate::join::JoinKind;
use crate::keyed_sorted::KeyedSorted;
use crate::pair_output::{Other, PairOutput, Shape, Sides};
use crate::stored::{corrupt, put_i64, take_i64, unknown_table};
use crate::timed_rows::{time_bytes, time_of, times};
use crate::timers::Timers;
use crate::{Batch, Context, EncodedRows, Operator, OperatorError, Output, RowCodec, Watermark};

const ROWS: [TableId; 2] = [TableId(0), TableId(1)];
const TIMERS: TableId = TableId(2);
const EXPIRED: TableId = TableId(3);

/// What an interval join is told about a side.
#[derive(Clone, Debug)]
pub struct IntervalSideSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The join key's columns, in the order of the other side's and of the same types; may be empty.
    pub key: Vec<usize>,
    /// The rowtime column; `None` = processing time, on both sides.
    pub rowtime: Option<usize>,
}

/// What an interval join is told: pairs have `right + lower_ms <= left <= right + upper_ms`.
#[derive(Debug)]
pub struct IntervalJoinSpec {
    /// Which rows come out; not semi or anti, which Flink plans as regular joins.
    pub kind: JoinKind,
    /// The left side, input 0.
    pub left: IntervalSideSpec,
    /// The right side, input 1.
    pub right: IntervalSideSpec,
    /// Flink's `leftLowerBound`.
    pub lower_ms: i64,
    /// Flink's `leftUpperBound`.
    pub upper_ms: i64,
    /// For each column of the key, whether NULL equals nothing (`=`) or NULL (`IS NOT DISTINCT FROM`).
    pub filter_nulls: Vec<bool>,
    /// What a pair must fulfil beside equal keys and the interval.
    pub condition: Option<Box<dyn JoinCondition>>,
}

/// Joins two insert-only inputs; rows are kept until no row of the other side can meet them.
///
/// # Flink
/// `RowTimeIntervalJoin` and `ProcTimeIntervalJoin`. A row without a pair comes out beside NULLs when it is cleaned up: by
/// the key's timer, half of the interval's length after the row's own end, or when a row of the other side passes by. The
/// watermark goes on later by the longer half of the interval. How far each side is cleaned up is known for all keys
/// together, as there; a checkpoint keeps it, so that a restart changes nothing.
#[derive(Debug)]
pub struct IntervalJoin {
    kind: JoinKind,
    sides: [Side; 2],
    /// How long a row of each side waits for the other.
    sizes: [i64; 2],
    filter_nulls: Vec<bool>,
    condition: Option<Box<dyn JoinCondition>>,
    timers: Timers,
    /// Up to when each side's rows are cleaned up.
    expired: [i64; 2],
    saved_expired: [i64; 2],
    pending: Option<Pending>,
}

/// A batch whose rows from `from` on are not joined yet.
#[derive(Debug)]
struct Pending {
    input: usize,
    batch: Batch,
    keys: EncodedRows,
    rows: EncodedRows,
    matchable: Matchable,
    times: Vec<i64>,
    candidates: Candidates,
    from: usize,
}

#[derive(Debug)]
struct Side {
    spec: IntervalSideSpec,
    keys: RowCodec,
    rows: Arc<RowCodec>,
    state: KeyedSorted,
}

/// The tag of a row that had no pair yet, and of one that had.
const ALONE: &[u8] = &[0];
const JOINED: &[u8] = &[1];

impl Side {
    fn new(table: TableId, spec: IntervalSideSpec) -> Result<Self, OperatorError> {
        let key = spec.key.iter();
        Ok(Self {
            keys: RowCodec::new(key.map(|column| spec.columns[*column].clone()))?,
            rows: Arc::new(RowCodec::new(spec.columns.iter().cloned())?),
            state: KeyedSorted::new(table, None),
            spec,
        })
    }

    /// Returns the time of each row in milliseconds.
    fn times(&self, batch: &Batch, now_ms: i64) -> Result<Vec<i64>, OperatorError> {
        let Some(column) = self.spec.rowtime else {
            return Ok(vec![now_ms; batch.rows]);
        };
        let times = times(&batch.columns[column])?.values();
        Ok(times.iter().map(|time| time.div_euclid(1_000)).collect())
    }
}

impl IntervalJoin {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A semi or anti join, or a type that has no place in state.
    pub fn new(spec: IntervalJoinSpec) -> Result<Self, OperatorError> {
        if matches!(spec.kind, JoinKind::Semi | JoinKind::Anti) {
            return Err(OperatorError::Failed("an interval join gives pairs".into()));
        }
        Ok(Self {
            kind: spec.kind,
            sides: [
                Side::new(ROWS[0], spec.left)?,
                Side::new(ROWS[1], spec.right)?,
            ],
            sizes: [-spec.lower_ms, spec.upper_ms],
            filter_nulls: spec.filter_nulls,
            condition: spec.condition,
            timers: Timers::new(TIMERS),
            expired: [0; 2],
            saved_expired: [0; 2],
            pending: None,
        })
    }

    fn is_rowtime(&self) -> bool {
        self.sides[0].spec.rowtime.is_some()
    }

    fn operator_time(&self, watermark: Watermark, now_ms: i64) -> i64 {
        if self.is_rowtime() {
            watermark.0.max(0)
        } else {
            now_ms
        }
    }

    /// Returns up to when rows of a side meet nobody any more.
    fn expiration(&self, side: usize, operator_ms: i64) -> i64 {
        if operator_ms == i64::MAX {
            return i64::MAX;
        }
        operator_ms - self.sizes[side] - 1
    }

    fn clean_up_ms(&self, side: usize, time_ms: i64) -> i64 {
        let wait_ms = (self.sizes[0] + self.sizes[1]) / 2;
        time_ms + self.sizes[side] + wait_ms + 1
    }

    /// Takes rows of a batch until enough came out.
    fn part(
        &mut self,
        pending: &mut Pending,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let input = pending.input;
        let [own, other] = [input, 1 - input].map(|side| &self.sides[side]);
        let types = [own.spec.columns.clone(), other.spec.columns.clone()];
        let codec = Arc::clone(&other.rows);
        let sides = Sides {
            input: &pending.batch.columns,
            input_types: &types[0],
            codec: &codec,
            other_types: &types[1],
        };
        let mut output = PairOutput::new(shape(input), sides, None);
        while pending.from < pending.batch.rows && !out.is_full() {
            let at = pending.from;
            if let Some(condition) = self.condition.as_deref_mut()
                && !pending.candidates.has(at)
            {
                let range = candidates::Range {
                    input,
                    before_ms: self.sizes[1 - input],
                    after_ms: self.sizes[input],
                };
                let known = candidates::Known {
                    batch: &pending.batch,
                    keys: &pending.keys,
                    times: &pending.times,
                    matchable: &pending.matchable,
                };
                let other = &self.sides[1 - input];
                let found = Candidates::find(at, range, &known, other, condition, ctx.now_ms);
                pending.candidates = found?;
            }
            let given = Given {
                input,
                at,
                time_ms: pending.times[at],
                operator_ms: self.operator_time(ctx.watermark, ctx.now_ms),
                key: pending.keys.row(at),
                bytes: pending.rows.row(at),
                matchable: pending.matchable.has(at),
                candidates: &pending.candidates,
            };
            let mut show = Show {
                output: &mut output,
                out,
            };
            self.row(&given, &mut show)?;
            pending.from += 1;
        }
        output.flush(out)
    }

    fn row(&mut self, given: &Given<'_>, show: &mut Show<'_, '_>) -> Result<(), OperatorError> {
        let (input, other) = (given.input, 1 - given.input);
        let upper = given.time_ms + self.sizes[input];
        let mut joined = false;
        if self.expired[other] < upper {
            self.expired[other] = self.expiration(other, given.operator_ms);
            joined = self.meet(given, upper, show)?;
            if let Some(slot) = self.sides[other].state.find(given.key) {
                self.clean_up(other, slot, show)?;
            }
        }
        if given.operator_ms < upper {
            if !given.matchable && !self.kind.is_outer(input) {
                return Ok(());
            }
            let state = &mut self.sides[input].state;
            let slot = state.partition(given.key, 0);
            let tag = if joined { JOINED } else { ALONE };
            state.insert(slot, &time_bytes(given.time_ms), tag, given.bytes, 0);
            let clean_up_ms = self.clean_up_ms(input, given.time_ms);
            self.timers.set_if_none(given.key, input, clean_up_ms);
        } else if !joined && self.kind.is_outer(input) {
            show.output
                .push(RowKind::Insert, Some(given.at), None, show.out)?;
        }
        Ok(())
    }

    /// Gives out the pairs of a row and tells whether there are any.
    fn meet(
        &mut self,
        given: &Given<'_>,
        upper: i64,
        show: &mut Show<'_, '_>,
    ) -> Result<bool, OperatorError> {
        let other = 1 - given.input;
        let lower = given.time_ms - self.sizes[other];
        let state = &mut self.sides[other].state;
        let Some(slot) = state.find(given.key).filter(|_| given.matchable) else {
            return Ok(false);
        };
        let first = state.rows(slot).lower_bound(&time_bytes(lower));
        let count = state.rows(slot).upper_bound(&time_bytes(upper)) - first;
        let mut met = Vec::new();
        for (row, place) in state.rows(slot).from(first).take(count).zip(first..) {
            if !given.candidates.is_match(given.at, row.number) {
                continue;
            }
            met.push((place, row.tag() == ALONE));
            let stored = Other::Stored(row.row());
            show.output
                .push(RowKind::Insert, Some(given.at), Some(stored), show.out)?;
        }
        if self.kind.is_outer(other) {
            for (place, _) in met.iter().filter(|(_, alone)| *alone) {
                state.set_tag(slot, *place, JOINED);
            }
        }
        Ok(!met.is_empty())
    }

    /// Removes the rows of a key that are too old, and gives those without a pair out beside NULLs.
    fn clean_up(
        &mut self,
        side: usize,
        slot: u32,
        show: &mut Show<'_, '_>,
    ) -> Result<(), OperatorError> {
        let state = &mut self.sides[side].state;
        let last = time_bytes(self.expired[side]);
        while state
            .rows(slot)
            .get(0)
            .is_some_and(|row| *row.sort() <= last[..])
        {
            let row = state.remove(slot, 0);
            if row.tag() == ALONE && self.kind.is_outer(side) {
                let stored = Other::Stored(row.row());
                show.output
                    .push(RowKind::Insert, None, Some(stored), show.out)?;
            }
        }
        state.done(slot);
        Ok(())
    }

    /// Lets the timers run that are due. What they give out is collected over all keys, side by side.
    fn fire(
        &mut self,
        until_ms: i64,
        operator_ms: i64,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let types = [0, 1].map(|side| self.sides[side].spec.columns.clone());
        let codecs = [0, 1].map(|side| Arc::clone(&self.sides[side].rows));
        let mut outputs = [0, 1].map(|side| {
            let sides = Sides {
                input: &[],
                input_types: &types[1 - side],
                codec: &codecs[side],
                other_types: &types[side],
            };
            PairOutput::new(shape(1 - side), sides, None)
        });
        while let Some((time_ms, keys)) = self.timers.take_due(until_ms) {
            for due in keys {
                // Flink's left timer, which cleans the right side up, comes first.
                for side in [1, 0] {
                    if self.timers.is_due(&due, side, time_ms) {
                        self.expired[side] = self.expiration(side, operator_ms);
                        let mut show = Show {
                            output: &mut outputs[side],
                            out,
                        };
                        self.fire_key(&due.key, side, &mut show)?;
                    }
                }
            }
        }
        outputs.iter_mut().try_for_each(|output| output.flush(out))
    }

    fn fire_key(
        &mut self,
        key: &[u8],
        side: usize,
        show: &mut Show<'_, '_>,
    ) -> Result<(), OperatorError> {
        if let Some(slot) = self.sides[side].state.find(key) {
            self.clean_up(side, slot, show)?;
        }
        let state = &self.sides[side].state;
        let first = state.find(key).and_then(|slot| state.rows(slot).get(0));
        let first = first.and_then(|row| time_of(row.sort()));
        let next = first.map(|time_ms| self.clean_up_ms(side, time_ms));
        self.timers.set(key, side, next);
        Ok(())
    }

    /// An interval that no pair can lie in.
    fn without_pairs(
        &self,
        input: usize,
        batch: &Batch,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if !self.kind.is_outer(input) {
            return Ok(());
        }
        let [own, other] = [input, 1 - input].map(|side| &self.sides[side]);
        let sides = Sides {
            input: &batch.columns,
            input_types: &own.spec.columns,
            codec: &other.rows,
            other_types: &other.spec.columns,
        };
        let mut output = PairOutput::new(shape(input), sides, None);
        for row in 0..batch.rows {
            output.push(RowKind::Insert, Some(row), None, out)?;
        }
        output.flush(out)
    }
}

fn shape(input: usize) -> Shape {
    if input == 0 {
        Shape::InputOther
    } else {
        Shape::OtherInput
    }
}

/// A row of the batch.
struct Given<'a> {
    input: usize,
    at: usize,
    time_ms: i64,
    operator_ms: i64,
    key: &'a [u8],
    bytes: &'a [u8],
    matchable: bool,
    candidates: &'a Candidates,
}

/// Gives pairs out.
struct Show<'a, 'b> {
    output: &'a mut PairOutput<'b>,
    out: &'a mut Output,
}

impl Operator for IntervalJoin {
    fn batch(
        &mut self,
        input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let kinds = batch.kinds.iter().flat_map(|kinds| kinds.iter());
        if let Some(kind) = kinds.into_iter().find(|kind| **kind != RowKind::Insert) {
            return Err(OperatorError::UnexpectedKind(*kind));
        }
        if self.sizes[0] + self.sizes[1] < 0 {
            return self.without_pairs(input, &batch, out);
        }
        let own = &self.sides[input];
        self.pending = Some(Pending {
            keys: own.keys.encode_some(&batch, &own.spec.key)?,
            rows: own.rows.encode(&batch.columns, batch.rows)?,
            matchable: matchable(&batch, &own.spec.key, &self.filter_nulls),
            times: own.times(&batch, ctx.now_ms)?,
            candidates: Candidates::default(),
            input,
            batch,
            from: 0,
        });
        self.more(ctx, out).map(|_| ())
    }

    fn more(&mut self, ctx: &Context, out: &mut Output) -> Result<bool, OperatorError> {
        let Some(mut pending) = self.pending.take() else {
            return Ok(false);
        };
        self.part(&mut pending, ctx, out)?;
        let more = pending.from < pending.batch.rows;
        self.pending = more.then_some(pending);
        Ok(more)
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if !self.is_rowtime() || self.sizes[0] + self.sizes[1] < 0 {
            out.watermark(watermark);
            return Ok(());
        }
        self.fire(watermark.0, self.operator_time(watermark, ctx.now_ms), out)?;
        let delay_ms = self.sizes[0].max(self.sizes[1]);
        out.watermark(match watermark {
            Watermark::END => watermark,
            Watermark(time_ms) => Watermark(time_ms.saturating_sub(delay_ms)),
        });
        Ok(())
    }

    fn timer(&mut self, ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        self.fire(ctx.now_ms, ctx.now_ms, out)
    }

    fn next_timer_ms(&self) -> Option<i64> {
        if self.is_rowtime() {
            None
        } else {
            self.timers.first()
        }
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        for side in &mut self.sides {
            side.state.snapshot(writer);
        }
        self.timers.snapshot(writer);
        if self.expired != self.saved_expired {
            let mut value = Vec::new();
            self.expired
                .iter()
                .for_each(|time_ms| put_i64(&mut value, *time_ms));
            writer.write(Change {
                table: EXPIRED,
                partition: &[],
                key: &[],
                value: Some(&value),
            });
            self.saved_expired = self.expired;
        }
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        let mut expired: Option<[i64; 2]> = None;
        reader.for_each(&mut |change| match change.table {
            TIMERS => self.timers.restore(change),
            EXPIRED => {
                let mut value = change.value.unwrap_or_default();
                let times = take_i64(&mut value).zip(take_i64(&mut value));
                let (left, right) = times.ok_or_else(|| corrupt("the time of a clean-up"))?;
                // Of several, after a rescale, the earliest: rows are cleaned up later, not too early.
                let [a, b] = expired.unwrap_or([left, right]);
                expired = Some([a.min(left), b.min(right)]);
                Ok(())
            }
            table => {
                let side = ROWS.iter().position(|rows| *rows == table);
                let side = side.ok_or_else(|| unknown_table(table))?;
                self.sides[side].state.restore(change).map(|_| ())
            }
        })?;
        self.expired = expired.unwrap_or_default();
        self.saved_expired = self.expired;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let sizes = self
            .sides
            .iter()
            .map(|side| (side.state.len() as u64, side.state.bytes() as u64));
        sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1))
    }
}

#[cfg(test)]
mod tests;
