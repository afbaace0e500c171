//! Top-N: `ROW_NUMBER() OVER (PARTITION BY … ORDER BY …) <= n`, and `ORDER BY … LIMIT`.

mod algorithm;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array};
use arrow_schema::{DataType, SortOptions};
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use self::algorithm::Shown;

use crate::keyed_sorted::KeyedSorted;
use crate::keyed_value::KeyedValue;
use crate::stored::unknown_table;
use crate::ttl::Ttl;
use crate::{Batch, Context, EncodedRows, Operator, OperatorError, Output, RowCodec};

const ROWS: TableId = TableId(0);
const RANK_ENDS: TableId = TableId(1);
const COUNTS: TableId = TableId(2);

/// A column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortColumn {
    /// The column.
    pub column: usize,
    /// Direction and place of NULLs; Flink's default is NULLs first ascending and last descending.
    pub options: SortOptions,
}

/// How the input changes, which decides what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RankStrategy {
    /// Insert-only, ordered by processing time ascending: only a count a partition is kept (`AppendOnlyFirstNFunction`).
    First,
    /// Insert-only: at most n rows a partition are kept (`AppendFastStrategy`).
    Append,
    /// `+I` and `+U` of rows that only move up: at most n rows are kept (`UpdateFastStrategy`).
    Update {
        /// The key of the input's rows, which holds the partition key.
        key: Vec<usize>,
    },
    /// Any changes: all rows are kept (`RetractStrategy`).
    Retract,
}

/// Where the ranks end that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RankEnd {
    /// The same for all partitions.
    Constant(i64),
    /// A SMALLINT, INT or BIGINT column; the first row of a partition decides.
    Column(usize),
}

/// What a Top-N is told. `ORDER BY … LIMIT n OFFSET m` is one without partition, ranks m+1 to m+n, and without numbers;
/// `LIMIT` alone has no sort columns besides.
#[derive(Clone, Debug)]
pub struct RankSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The partition key; may be empty.
    pub partition: Vec<usize>,
    /// The order; rows that are equal in it rank by arrival.
    pub sort: Vec<SortColumn>,
    /// The first rank that is shown, from 1.
    pub start: i64,
    /// The last rank that is shown.
    pub end: RankEnd,
    /// Whether the rank is given out, a BIGINT behind the columns.
    pub with_number: bool,
    /// Whether what comes after it needs the old row of an update.
    pub update_before: bool,
    /// How the input changes.
    pub strategy: RankStrategy,
    /// `table.exec.state.ttl`.
    pub ttl: Option<Ttl>,
}

/// Keeps the first rows of each partition.
///
/// # Flink
/// `AppendOnlyFirstNFunction`, `FastTop1Function`, `AppendOnlyTopNFunction`, `UpdatableTopNFunction` and
/// `RetractableTopNFunction`. Without numbers and with ranks from 1, a row that falls out is a `-D` and one that comes in a
/// `+I`; else each rank whose row changes is updated, but of a Top-1 over rows that only come or move up, where there is
/// an update in both.
#[derive(Debug)]
pub struct Rank {
    spec: RankSpec,
    partitions: RowCodec,
    sorts: RowCodec,
    keys: Option<RowCodec>,
    rows: RowCodec,
    state: KeyedSorted,
    rank_ends: KeyedValue<i64>,
    counts: KeyedValue<i64>,
}

impl Rank {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: RankSpec) -> Result<Self, OperatorError> {
        let codec = |columns: &[usize]| {
            RowCodec::new(columns.iter().map(|column| spec.columns[*column].clone()))
        };
        let sort = spec.sort.iter();
        let sort = sort.map(|sort| (spec.columns[sort.column].clone(), sort.options));
        let keys = match &spec.strategy {
            RankStrategy::Update { key } => Some(codec(key)?),
            RankStrategy::First | RankStrategy::Append | RankStrategy::Retract => None,
        };
        Ok(Self {
            partitions: codec(&spec.partition)?,
            sorts: RowCodec::sorted(sort)?,
            keys,
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            state: KeyedSorted::new(ROWS, spec.ttl),
            rank_ends: KeyedValue::new(RANK_ENDS, spec.ttl),
            counts: KeyedValue::new(COUNTS, spec.ttl),
            spec,
        })
    }

    fn is_top_1(&self) -> bool {
        self.spec.start == 1 && self.spec.end == RankEnd::Constant(1)
    }

    fn rank_end(
        &mut self,
        partition: &[u8],
        row: usize,
        ends: Option<&ArrayRef>,
        now_ms: i64,
    ) -> i64 {
        let ends = match (self.spec.end, ends) {
            (RankEnd::Constant(end), _) => return end,
            (RankEnd::Column(_), ends) => ends.expect("the column of the rank's end was read"),
        };
        if let Some(slot) = self.rank_ends.find(partition, now_ms) {
            return *self.rank_ends.get(slot);
        }
        let end = if ends.is_null(row) {
            0
        } else if let Some(ends) = ends.as_primitive_opt::<Int64Type>() {
            ends.value(row)
        } else if let Some(ends) = ends.as_primitive_opt::<Int32Type>() {
            ends.value(row).into()
        } else if let Some(ends) = ends.as_primitive_opt::<Int16Type>() {
            ends.value(row).into()
        } else {
            0
        };
        self.rank_ends.set(partition, end, now_ms);
        end
    }

    fn first(&mut self, partition: &[u8], row: usize, shown: &mut Shown, now_ms: i64) {
        let slot = self.counts.find(partition, now_ms);
        let rank = slot.map_or(0, |slot| *self.counts.get(slot)) + 1;
        if rank <= shown.end {
            self.counts.set(partition, rank, now_ms);
            shown.input(RowKind::Insert, row, rank);
        }
    }

    fn sorted(
        &mut self,
        batch: &Batch,
        partitions: &EncodedRows,
        shown: &mut Shown,
        now_ms: i64,
    ) -> Result<(), OperatorError> {
        let sort_columns: Vec<usize> = self.spec.sort.iter().map(|sort| sort.column).collect();
        let sorts = self.sorts.encode_some(batch, &sort_columns)?;
        let keys = match (&self.keys, &self.spec.strategy) {
            (Some(codec), RankStrategy::Update { key }) => Some(codec.encode_some(batch, key)?),
            _ => None,
        };
        let rows = self.rows.encode(&batch.columns, batch.rows)?;
        let ends = self.ends(batch);
        let top_1 = self.is_top_1();
        for row in 0..batch.rows {
            shown.end = self.rank_end(partitions.row(row), row, ends.as_ref(), now_ms);
            let slot = self.state.partition(partitions.row(row), now_ms);
            let given = algorithm::Given {
                slot,
                row,
                sort: sorts.row(row),
                key: keys.as_ref().map_or(&[], |keys| keys.row(row)),
                bytes: rows.row(row),
                now_ms,
            };
            let adds = matches!(batch.kind(row), RowKind::Insert | RowKind::UpdateAfter);
            match &self.spec.strategy {
                RankStrategy::Append | RankStrategy::Update { .. } if !adds => {
                    return Err(OperatorError::UnexpectedKind(batch.kind(row)));
                }
                RankStrategy::Append | RankStrategy::Update { .. } if top_1 => {
                    algorithm::top_1(&mut self.state, &given, shown);
                }
                RankStrategy::First | RankStrategy::Append => {
                    algorithm::append(&mut self.state, &given, shown);
                }
                RankStrategy::Update { .. } => algorithm::update(&mut self.state, &given, shown),
                RankStrategy::Retract if adds => algorithm::add(&mut self.state, &given, shown),
                RankStrategy::Retract => algorithm::retract(&mut self.state, &given, shown),
            }
            self.state.done(slot);
        }
        Ok(())
    }

    fn ends(&self, batch: &Batch) -> Option<ArrayRef> {
        match self.spec.end {
            RankEnd::Constant(_) => None,
            RankEnd::Column(column) => Some(ArrayRef::clone(&batch.columns[column])),
        }
    }
}

impl Operator for Rank {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let now_ms = ctx.now_ms;
        self.state.expire(now_ms);
        self.rank_ends.expire(now_ms);
        self.counts.expire(now_ms);
        let partitions = self.partitions.encode_some(&batch, &self.spec.partition)?;
        let mut shown = Shown::new(&self.spec);
        if self.spec.strategy == RankStrategy::First {
            let ends = self.ends(&batch);
            for row in 0..batch.rows {
                if batch.kind(row) != RowKind::Insert {
                    return Err(OperatorError::UnexpectedKind(batch.kind(row)));
                }
                let partition = partitions.row(row);
                shown.end = self.rank_end(partition, row, ends.as_ref(), now_ms);
                self.first(partition, row, &mut shown, now_ms);
            }
        } else {
            self.sorted(&batch, &partitions, &mut shown, now_ms)?;
        }
        let mut result = shown.emitter.finish(&self.rows, &batch.columns)?;
        if self.spec.with_number {
            let ranks = Int64Array::from(shown.ranks);
            result.columns.push(std::sync::Arc::new(ranks));
        }
        out.batch(result);
        Ok(())
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        self.state.snapshot(writer);
        self.rank_ends.snapshot(writer);
        self.counts.snapshot(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| match change.table {
            RANK_ENDS => self.rank_ends.restore(change),
            COUNTS => self.counts.restore(change),
            ROWS => self.state.restore(change).map(|_| ()),
            table => Err(unknown_table(table)),
        })?;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let keys = self.state.len() + self.counts.len();
        let bytes = self.state.bytes() + self.counts.bytes() + self.rank_ends.bytes();
        (keys as u64, bytes as u64)
    }
}

#[cfg(test)]
mod tests;
