//! Regular joins: each row beside every row of the other side with the same key, for as long as both stand.

mod pairs;
mod side;

use std::sync::Arc;

use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use self::pairs::Pairs;
use self::side::Side;
use crate::condition::JoinCondition;
use crate::emit::{Matchable, matchable};
use crate::pair_output::{Other, PairOutput, Shape, Sides};
use crate::stored::unknown_table;
use crate::ttl::Ttl;
use crate::{Batch, Context, EncodedRows, Operator, OperatorError, Output};

const LEFT: TableId = TableId(0);
const RIGHT: TableId = TableId(1);

/// Which rows a join gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
    Inner,
    /// Pairs, and left rows without one.
    Left,
    /// Pairs, and right rows without one.
    Right,
    /// Pairs, and rows of both sides without one.
    Full,
    /// Left rows that have a pair: `IN`, `EXISTS`.
    Semi,
    /// Left rows that have none: `NOT EXISTS`, and `NOT IN` with its NULLs in the condition.
    Anti,
}

impl JoinKind {
    /// Tells whether rows of the left (0) or right (1) input come out without a pair.
    #[must_use]
    pub fn is_outer(self, input: usize) -> bool {
        match self {
            Self::Inner | Self::Semi | Self::Anti => false,
            Self::Left => input == 0,
            Self::Right => input == 1,
            Self::Full => true,
        }
    }

    pub(crate) fn shape(self, input: usize) -> Shape {
        match (self, input) {
            (Self::Semi | Self::Anti, 0) => Shape::Input,
            (Self::Semi | Self::Anti, _) => Shape::Other,
            (_, 0) => Shape::InputOther,
            _ => Shape::OtherInput,
        }
    }
}

/// What is known of a side's unique key, which decides how its rows are kept and retracted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UniqueKey {
    /// Nothing: rows are kept with how often they came (`NoUniqueKey`).
    None,
    /// The join key holds it: one row a join key (`JoinKeyContainsUniqueKey`).
    JoinKey,
    /// These columns: one row for each (`HasUniqueKey`).
    Columns(Vec<usize>),
}

/// What a join is told about a side.
#[derive(Clone, Debug)]
pub struct JoinSideSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The join key's columns, in the order of the other side's and of the same types; may be empty.
    pub key: Vec<usize>,
    /// What is known of a unique key.
    pub unique: UniqueKey,
    /// `table.exec.state.ttl`.
    pub ttl: Option<Ttl>,
}

/// What a join is told. Its output has the columns of the left side, then of the right; of a semi or anti join only the
/// left side's.
#[derive(Debug)]
pub struct JoinSpec {
    /// Which rows come out.
    pub kind: JoinKind,
    /// The left side, input 0.
    pub left: JoinSideSpec,
    /// The right side, input 1.
    pub right: JoinSideSpec,
    /// For each column of the key, whether NULL equals nothing (`=`) or NULL (`IS NOT DISTINCT FROM`).
    pub filter_nulls: Vec<bool>,
    /// What a pair must fulfil beside equal keys.
    pub condition: Option<Box<dyn JoinCondition>>,
}

/// Joins two inputs of any changes.
///
/// # Flink
/// `StreamingJoinOperator` and `StreamingSemiAntiJoinOperator`. An inner join hands the kind of a change on; an outer one
/// gives `+I` and `-D` only, and takes the row beside NULLs back before the first pair. Rows whose key equals nothing
/// are never kept here, since nothing can meet them.
#[derive(Debug)]
pub struct Join {
    kind: JoinKind,
    sides: [Side; 2],
    filter_nulls: Vec<bool>,
    condition: Option<Box<dyn JoinCondition>>,
    pending: Option<Pending>,
}

/// A batch whose rows from `from` on are not joined yet.
#[derive(Debug)]
struct Pending {
    input: usize,
    batch: Batch,
    keys: EncodedRows,
    rows: EncodedRows,
    uniques: Option<EncodedRows>,
    matchable: Matchable,
    from: usize,
}

impl Join {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// Keys of different types, or a type that has no place in state.
    pub fn new(spec: JoinSpec) -> Result<Self, OperatorError> {
        let types = |side: &JoinSideSpec| -> Vec<DataType> {
            let key = side.key.iter();
            key.map(|column| side.columns[*column].clone()).collect()
        };
        if types(&spec.left) != types(&spec.right) || spec.left.key.len() != spec.filter_nulls.len()
        {
            return Err(OperatorError::Failed(
                "the sides of a join have other keys".into(),
            ));
        }
        Ok(Self {
            kind: spec.kind,
            sides: [Side::new(LEFT, spec.left)?, Side::new(RIGHT, spec.right)?],
            filter_nulls: spec.filter_nulls,
            condition: spec.condition,
            pending: None,
        })
    }

    /// Takes some rows of a batch, at least one, and returns the row behind them.
    fn part(
        &mut self,
        pending: &Pending,
        now_ms: i64,
        out: &mut Output,
    ) -> Result<usize, OperatorError> {
        let Pending {
            input,
            batch,
            keys,
            matchable,
            ..
        } = pending;
        let [own, other] = [*input, 1 - input].map(|side| &self.sides[side]);
        // Shared, so that the sides can change beside the output.
        let types = [own.spec.columns.clone(), other.spec.columns.clone()];
        let codec = Arc::clone(&other.rows);
        let sides = Sides {
            input: &batch.columns,
            input_types: &types[0],
            codec: &codec,
            other_types: &types[1],
        };
        let mut pairs = Pairs::find(other, keys, matchable, pending.from, now_ms);
        if let Some(condition) = &mut self.condition {
            let other = &self.sides[1 - input];
            pairs.check(*input, batch, other, condition.as_mut(), now_ms)?;
        }
        let mut output = PairOutput::new(self.kind.shape(*input), sides, pairs.columns());
        for at in pending.from..pairs.end() {
            let uniques = pending.uniques.as_ref();
            let change = Change {
                at,
                kind: batch.kind(at),
                key: keys.row(at),
                unique: uniques.map_or(&[], |uniques| uniques.row(at)),
                row: pending.rows.row(at),
                matchable: matchable.has(at),
                now_ms,
            };
            let mut show = Show {
                at,
                output: &mut output,
                out,
            };
            self.apply(*input, &change, &pairs, &mut show)?;
        }
        output.flush(out)?;
        Ok(pairs.end())
    }

    fn apply(
        &mut self,
        input: usize,
        change: &Change<'_>,
        pairs: &Pairs,
        show: &mut Show<'_, '_>,
    ) -> Result<(), OperatorError> {
        let [left, right] = &mut self.sides;
        let (own, other) = if input == 0 {
            (left, right)
        } else {
            (right, left)
        };
        let mut meeting = Meeting {
            kind: self.kind,
            input_is_outer: self.kind.is_outer(input),
            other_is_outer: self.kind.is_outer(1 - input),
            change,
            pairs,
            other,
            show,
        };
        let adds = matches!(change.kind, RowKind::Insert | RowKind::UpdateAfter);
        let copies = match (self.kind, input) {
            (JoinKind::Semi | JoinKind::Anti, 0) => meeting.left_of_semi()?,
            (JoinKind::Semi | JoinKind::Anti, _) => meeting.right_of_semi(adds)?,
            _ if adds => meeting.add()?,
            _ => meeting.retract()?,
        };
        if change.matchable && adds {
            own.add(change.key, change.unique, change.row, copies, change.now_ms);
        } else if change.matchable {
            own.retract(change.key, change.unique, change.row, change.now_ms);
        }
        Ok(())
    }
}

/// A row of the batch.
struct Change<'a> {
    at: usize,
    kind: RowKind,
    key: &'a [u8],
    unique: &'a [u8],
    row: &'a [u8],
    matchable: bool,
    now_ms: i64,
}

/// Gives pairs out.
struct Show<'a, 'b> {
    at: usize,
    output: &'a mut PairOutput<'b>,
    out: &'a mut Output,
}

impl Show<'_, '_> {
    fn pair(&mut self, kind: RowKind, other: Other<'_>) -> Result<(), OperatorError> {
        self.output.push(kind, Some(self.at), Some(other), self.out)
    }

    fn input(&mut self, kind: RowKind) -> Result<(), OperatorError> {
        self.output.push(kind, Some(self.at), None, self.out)
    }

    fn other(&mut self, kind: RowKind, other: Other<'_>) -> Result<(), OperatorError> {
        self.output.push(kind, None, Some(other), self.out)
    }
}

/// A row and the rows of the other side that it meets.
struct Meeting<'a, 'b, 'c> {
    kind: JoinKind,
    input_is_outer: bool,
    other_is_outer: bool,
    change: &'a Change<'a>,
    pairs: &'a Pairs,
    other: &'a mut Side,
    show: &'a mut Show<'b, 'c>,
}

impl<'b, 'c> Meeting<'_, 'b, 'c> {
    /// Calls `emit` with each row of the other side that is met, as often as it came, and with how many rows that one
    /// meets, to which `step` is then added where that is counted. Returns how many rows are met.
    fn each(
        &mut self,
        step: Option<i32>,
        mut emit: impl FnMut(&mut Show<'b, 'c>, Other<'_>, u32) -> Result<(), OperatorError>,
    ) -> Result<u32, OperatorError> {
        let mut copies = 0;
        for pair in self.pairs.of(self.change.at) {
            let entry = self.pairs.entry(pair);
            let (count, meets) = self.other.counts(entry);
            copies += count;
            let row = self
                .pairs
                .decoded(pair)
                .map_or_else(|| Other::Stored(self.other.row(entry)), Other::Decoded);
            for _ in 0..count {
                emit(self.show, row, meets)?;
            }
            if let Some(step) = step {
                let meets = meets.saturating_add_signed(step);
                self.other.set_meets(entry, meets, self.change.now_ms);
            }
        }
        Ok(copies)
    }

    fn add(&mut self) -> Result<u32, OperatorError> {
        let other_is_outer = self.other_is_outer;
        let kind = if self.input_is_outer || other_is_outer {
            RowKind::Insert
        } else {
            self.change.kind
        };
        let copies = self.each(other_is_outer.then_some(1), |show, other, meets| {
            if other_is_outer && meets == 0 {
                show.other(RowKind::Delete, other)?;
            }
            show.pair(kind, other)
        })?;
        if copies == 0 && self.input_is_outer {
            self.show.input(RowKind::Insert)?;
        }
        Ok(copies)
    }

    fn retract(&mut self) -> Result<u32, OperatorError> {
        let other_is_outer = self.other_is_outer;
        let kind = if self.input_is_outer {
            RowKind::Delete
        } else {
            self.change.kind
        };
        let copies = self.each(other_is_outer.then_some(-1), |show, other, meets| {
            show.pair(kind, other)?;
            if other_is_outer && meets == 1 {
                show.other(RowKind::Insert, other)?;
            }
            Ok(())
        })?;
        if copies == 0 && self.input_is_outer {
            self.show.input(RowKind::Delete)?;
        }
        Ok(copies)
    }

    fn left_of_semi(&mut self) -> Result<u32, OperatorError> {
        let copies = self.each(None, |_, _, _| Ok(()))?;
        if (copies == 0) == (self.kind == JoinKind::Anti) {
            self.show.input(self.change.kind)?;
        }
        Ok(copies)
    }

    fn right_of_semi(&mut self, adds: bool) -> Result<u32, OperatorError> {
        let (turning, step) = if adds { (0, 1) } else { (1, -1) };
        let kind = match (self.kind, adds) {
            (JoinKind::Anti, true) => RowKind::Delete,
            (JoinKind::Anti, false) => RowKind::Insert,
            _ => self.change.kind,
        };
        self.each(Some(step), |show, other, meets| {
            if meets == turning {
                show.other(kind, other)?;
            }
            Ok(())
        })
    }
}

impl Operator for Join {
    fn batch(
        &mut self,
        input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        for side in &mut self.sides {
            side.expire(ctx.now_ms);
        }
        let own = &self.sides[input];
        self.pending = Some(Pending {
            keys: own.keys.encode_some(&batch, &own.spec.key)?,
            rows: own.rows.encode(&batch.columns, batch.rows)?,
            uniques: own.encode_unique(&batch)?,
            matchable: matchable(&batch, &own.spec.key, &self.filter_nulls),
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
        while pending.from < pending.batch.rows && !out.is_full() {
            pending.from = self.part(&pending, ctx.now_ms, out)?;
        }
        let more = pending.from < pending.batch.rows;
        self.pending = more.then_some(pending);
        Ok(more)
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        for side in &mut self.sides {
            side.snapshot(writer);
        }
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        let [left, right] = &mut self.sides;
        reader.for_each(&mut |change| match change.table {
            LEFT => left.restore(change),
            RIGHT => right.restore(change),
            table => Err(unknown_table(table)),
        })?;
        left.restored();
        right.restored();
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let sizes = self.sides.iter().map(Side::size);
        sizes.fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1))
    }
}

#[cfg(test)]
mod tests;
