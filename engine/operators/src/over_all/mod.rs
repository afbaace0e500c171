//! OVER over an input that ends.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, UInt32Array};
use arrow_schema::{DataType, TimeUnit};
use arrow_select::concat::concat;
use arrow_select::take::take;
use millrace_connector::RowKind;
use millrace_functions::RowError;
use millrace_functions::aggregate::{AggregateState, Partitions, Ranking, Rows, shifted};

use crate::rank::SortColumn;
use crate::{AggregateSpec, Batch, Context, Operator, OperatorError, Output, RowCodec, Watermark};

/// How many rows go out at once.
const ROWS_MAX: usize = 2_048;

/// One end of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEdge {
    /// The partition's first row.
    First,
    /// So far behind the current row, or before it if negative: rows of ROWS; of RANGE, what is added to the sort key:
    /// milliseconds or a number. 0 = CURRENT ROW.
    At(i64),
    /// The partition's last row.
    Last,
}

/// The rows that an aggregate counts for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverAllFrame {
    /// ROWS; else RANGE.
    pub rows: bool,
    /// Its first row.
    pub start: FrameEdge,
    /// Its last row.
    pub end: FrameEdge,
}

/// A call with OVER.
#[derive(Clone, Debug)]
pub enum OverAllCall {
    /// An aggregate over the frame.
    Aggregate(AggregateSpec),
    /// A function of the row's place.
    Ranking(Ranking),
    /// LEAD, or LAG where the distance is negative.
    Shifted {
        /// The column that is read.
        column: usize,
        /// How many rows on.
        distance: i64,
        /// One value, for rows without such a row.
        default: ArrayRef,
        /// One value, for rows whose such row has NULL; `None` = NULL.
        null: Option<ArrayRef>,
    },
}

/// What an OVER of everything is told.
#[derive(Clone, Debug)]
pub struct OverAllSpec {
    /// The input's types.
    pub columns: Vec<DataType>,
    /// The columns of PARTITION BY.
    pub keys: Vec<usize>,
    /// The order; rows that are equal in it keep the order of arrival.
    pub sort: Vec<SortColumn>,
    /// The frame of the aggregates.
    pub frame: OverAllFrame,
    /// The calls; each gives a column behind the input's.
    pub calls: Vec<OverAllCall>,
}

/// Keeps all rows and gives them out with the calls' results when its input has ended. Rows may be taken back before.
/// What ends is run again from its beginning after a failure, so it writes no state.
///
/// # Flink
/// `BufferDataOverWindowOperator` and `NonBufferOverWindowOperator` of batch mode. A frame is folded anew where its first
/// row moves, so sums of floats are those of Flink.
#[derive(Debug)]
pub struct OverAll {
    spec: OverAllSpec,
    rows: RowCodec,
    keys: RowCodec,
    sorts: RowCodec,
    kept: BTreeMap<Place, Vec<u8>>,
    next: u64,
    bytes: u64,
    is_done: bool,
}

/// Partition, sort key and arrival.
type Place = (Vec<u8>, Vec<u8>, u64);

impl OverAll {
    /// Returns the operator without rows.
    ///
    /// # Errors
    /// A type that has no place in Flink.
    pub fn new(spec: OverAllSpec) -> Result<Self, OperatorError> {
        let sort = spec.sort.iter();
        let sort = sort.map(|sort| (spec.columns[sort.column].clone(), sort.options));
        let keys = spec.keys.iter().map(|key| spec.columns[*key].clone());
        Ok(Self {
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            keys: RowCodec::new(keys)?,
            sorts: RowCodec::sorted(sort)?,
            kept: BTreeMap::new(),
            next: 0,
            bytes: 0,
            is_done: false,
            spec,
        })
    }

    fn take_back(&mut self, key: &[u8], sort: &[u8], row: &[u8]) {
        let from = (key.to_vec(), sort.to_vec(), 0);
        let to = (key.to_vec(), sort.to_vec(), u64::MAX);
        let mut range = self.kept.range(from..=to);
        let found = range.find(|(_, known)| known.as_slice() == row);
        if let Some(place) = found.map(|(place, _)| place.clone()) {
            self.kept.remove(&place);
            self.bytes -= (key.len() + sort.len() + row.len()) as u64;
        }
    }

    /// Returns where partitions and peers end.
    fn ends(&self) -> (Vec<usize>, Vec<usize>) {
        let (mut ends, mut peer_ends) = (Vec::new(), Vec::new());
        let mut last: Option<&Place> = None;
        for (row, place) in self.kept.keys().enumerate() {
            if let Some(last) = last {
                if last.0 != place.0 {
                    ends.push(row);
                }
                if (&last.0, &last.1) != (&place.0, &place.1) {
                    peer_ends.push(row);
                }
            }
            last = Some(place);
        }
        if last.is_some() {
            ends.push(self.kept.len());
            peer_ends.push(self.kept.len());
        }
        (ends, peer_ends)
    }

    fn finish(&mut self, out: &mut Output) -> Result<(), OperatorError> {
        let rows = self.kept.len();
        if rows == 0 {
            return Ok(());
        }
        let (ends, peer_ends) = self.ends();
        let mut columns = self.rows.decode(self.kept.values().map(Vec::as_slice))?;
        let partitions = Partitions {
            ends: &ends,
            peer_ends: &peer_ends,
        };
        let mut frames = None;
        let mut results = Vec::with_capacity(self.spec.calls.len());
        for call in &self.spec.calls {
            results.push(match call {
                OverAllCall::Ranking(ranking) => ranking.evaluate(partitions),
                OverAllCall::Shifted {
                    column,
                    distance,
                    default,
                    null,
                } => {
                    let values = shifted(&columns[*column], &ends, *distance, Some(default));
                    match null {
                        Some(null) => filled(&values, null)?,
                        None => values,
                    }
                }
                OverAllCall::Aggregate(spec) => {
                    if frames.is_none() {
                        frames = Some(self.frames(&columns, partitions)?);
                    }
                    aggregate(spec, &columns, frames.as_deref().unwrap_or_default())?
                }
            });
        }
        columns.append(&mut results);
        self.kept.clear();
        self.bytes = 0;
        for start in (0..rows).step_by(ROWS_MAX) {
            let count = ROWS_MAX.min(rows - start);
            let part = columns.iter().map(|column| column.slice(start, count));
            out.batch(Batch::inserts(part.collect(), count));
        }
        Ok(())
    }

    /// Returns the frame of each row.
    fn frames(
        &self,
        columns: &[ArrayRef],
        partitions: Partitions<'_>,
    ) -> Result<Vec<Range<usize>>, OperatorError> {
        let OverAllFrame { rows, start, end } = self.spec.frame;
        let is_distance = |edge| matches!(edge, FrameEdge::At(distance) if distance != 0);
        let distances = match self.spec.sort.as_slice() {
            [sort] if !rows && (is_distance(start) || is_distance(end)) => {
                Some(Distances::of(&columns[sort.column], sort)?)
            }
            _ if !rows && (is_distance(start) || is_distance(end)) => {
                return Err(OperatorError::Failed(
                    "a RANGE with a distance needs one sort key".to_owned(),
                ));
            }
            _ => None,
        };
        let mut frames = Vec::with_capacity(partitions.ends.last().copied().unwrap_or(0));
        let (mut first, mut peers_start) = (0, 0);
        let mut peer_ends = partitions.peer_ends.iter().copied();
        let mut peers_end = 0;
        for last in partitions.ends.iter().copied() {
            let partition = first..last;
            for row in partition.clone() {
                if row == peers_end {
                    peers_start = row;
                    peers_end = peer_ends.next().unwrap_or(last);
                }
                let peers = peers_start..peers_end;
                let edge = |edge, is_end: bool| match edge {
                    FrameEdge::First => first,
                    FrameEdge::Last => last,
                    FrameEdge::At(distance) if rows => {
                        let to = row as i128 + i128::from(distance) + i128::from(is_end);
                        usize::try_from(to).unwrap_or(0).clamp(first, last)
                    }
                    FrameEdge::At(distance) => match &distances {
                        Some(distances) if distance != 0 => {
                            distances.edge(&partition, &peers, distance, is_end)
                        }
                        _ if is_end => peers.end,
                        _ => peers.start,
                    },
                };
                let (from, to) = (edge(start, false), edge(end, true));
                frames.push(from..to.max(from));
            }
            first = last;
        }
        Ok(frames)
    }
}

/// Puts a value in place of NULLs.
fn filled(values: &ArrayRef, null: &ArrayRef) -> Result<ArrayRef, OperatorError> {
    let rows = u32::try_from(values.len()).map_err(|_| too_many())?;
    let places = (0..rows).map(|row| match values.is_null(row as usize) {
        true => rows,
        false => row,
    });
    let places = UInt32Array::from_iter_values(places);
    concat(&[&**values, &**null])
        .and_then(|both| take(&both, &places, None))
        .map_err(|error| OperatorError::Failed(error.to_string()))
}

/// Returns an aggregate's results over frames.
fn aggregate(
    spec: &AggregateSpec,
    columns: &[ArrayRef],
    frames: &[Range<usize>],
) -> Result<ArrayRef, OperatorError> {
    let mut state = spec.aggregate.state();
    state.resize(1);
    let (mut values, mut places): (Vec<ArrayRef>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut known: Option<Range<usize>> = None;
    for frame in frames {
        if known.as_ref() != Some(frame) {
            let from = match &known {
                Some(known) if known.start == frame.start && known.end <= frame.end => known.end,
                _ => {
                    state.reset(0);
                    frame.start
                }
            };
            fold(spec, state.as_mut(), columns, from..frame.end)?;
            values.push(state.value(&[0]));
            known = Some(frame.clone());
        }
        places.push(u32::try_from(values.len() - 1).map_err(|_| too_many())?);
    }
    let values: Vec<&dyn Array> = values.iter().map(|value| &**value).collect();
    concat(&values)
        .and_then(|values| take(&values, &UInt32Array::from(places), None))
        .map_err(|error| OperatorError::Failed(error.to_string()))
}

fn fold(
    spec: &AggregateSpec,
    state: &mut dyn AggregateState,
    columns: &[ArrayRef],
    rows: Range<usize>,
) -> Result<(), OperatorError> {
    if rows.is_empty() {
        return Ok(());
    }
    let groups = vec![0; rows.len()];
    let args = spec.columns.iter();
    let args: Vec<ArrayRef> = args
        .map(|column| columns[*column].slice(rows.start, rows.len()))
        .collect();
    state
        .fold(Rows {
            groups: &groups,
            args: &args,
            signs: None,
        })
        .map_err(|RowError { message, .. }| OperatorError::Failed(message))
}

fn too_many() -> OperatorError {
    OperatorError::Failed("OVER has more than 2^32 rows".to_owned())
}

/// A day, in the unit of distances over times.
const DAY_MS: i128 = 86_400_000;

/// The values of the one sort key of a RANGE, such that they ascend.
enum Distances {
    Whole {
        values: Vec<Option<i128>>,
        /// What a distance of 1 is.
        unit: i128,
        /// Distances are cut to whole ones of so many.
        per: i128,
    },
    Float(Vec<Option<f64>>),
}

impl Distances {
    fn of(column: &ArrayRef, sort: &SortColumn) -> Result<Self, OperatorError> {
        let down = sort.options.descending;
        let whole = |values: Vec<Option<i128>>, unit: i128, per: i128| {
            let sign = |value: i128| if down { -value } else { value };
            let values = values.into_iter().map(|value| value.map(sign));
            Self::Whole {
                values: values.collect(),
                unit,
                per,
            }
        };
        let float = |values: Vec<Option<f64>>| {
            let sign = |value: f64| if down { -value } else { value };
            Self::Float(values.into_iter().map(|value| value.map(sign)).collect())
        };
        Ok(match column.data_type() {
            DataType::Int8 => whole(whole_of::<Int8Type>(column), 1, 1),
            DataType::Int16 => whole(whole_of::<Int16Type>(column), 1, 1),
            DataType::Int32 => whole(whole_of::<Int32Type>(column), 1, 1),
            DataType::Int64 => whole(whole_of::<Int64Type>(column), 1, 1),
            DataType::Decimal128(_, scale) => {
                let unit = 10_i128.pow(u32::try_from(*scale).unwrap_or(0));
                whole(whole_of::<Decimal128Type>(column), unit, 1)
            }
            DataType::Date32 => whole(whole_of::<Date32Type>(column), 1, DAY_MS),
            DataType::Time32(TimeUnit::Millisecond) => {
                whole(whole_of::<Time32MillisecondType>(column), 1, 1)
            }
            DataType::Timestamp(unit, _) => match unit {
                TimeUnit::Second => whole(whole_of::<TimestampSecondType>(column), 1, 1_000),
                TimeUnit::Millisecond => whole(whole_of::<TimestampMillisecondType>(column), 1, 1),
                TimeUnit::Microsecond => {
                    whole(whole_of::<TimestampMicrosecondType>(column), 1_000, 1)
                }
                TimeUnit::Nanosecond => {
                    whole(whole_of::<TimestampNanosecondType>(column), 1_000_000, 1)
                }
            },
            DataType::Float32 => {
                let values = column.as_primitive::<Float32Type>().iter();
                float(values.map(|value| value.map(f64::from)).collect())
            }
            DataType::Float64 => float(column.as_primitive::<Float64Type>().iter().collect()),
            other => {
                return Err(OperatorError::Failed(format!(
                    "a RANGE has no distances over {other}"
                )));
            }
        })
    }

    /// Returns where a frame begins, or ends, for the rows that are peers. NULLs stand for themselves.
    fn edge(
        &self,
        partition: &Range<usize>,
        peers: &Range<usize>,
        distance: i64,
        is_end: bool,
    ) -> usize {
        match self {
            Self::Whole { values, unit, per } => {
                let distance = i128::from(distance) * unit / per;
                let plus = |value: i128| value.saturating_add(distance);
                find(values, partition, peers, is_end, plus, Ord::cmp)
            }
            Self::Float(values) => {
                let plus = |value: f64| value + distance as f64;
                find(values, partition, peers, is_end, plus, f64::total_cmp)
            }
        }
    }
}

fn find<T: Copy>(
    values: &[Option<T>],
    partition: &Range<usize>,
    peers: &Range<usize>,
    is_end: bool,
    plus: impl Fn(T) -> T,
    compare: impl Fn(&T, &T) -> Ordering,
) -> usize {
    let Some(value) = values[peers.start] else {
        return if is_end { peers.end } else { peers.start };
    };
    let to = plus(value);
    // NULLs are all at one end.
    let first_is_null = values[partition.start].is_none();
    let is_before = |value: &Option<T>| match value {
        None => first_is_null,
        Some(value) => match compare(value, &to) {
            Ordering::Less => true,
            Ordering::Equal => is_end,
            Ordering::Greater => false,
        },
    };
    partition.start + values[partition.clone()].partition_point(is_before)
}

fn whole_of<T: ArrowPrimitiveType<Native: Into<i128>>>(column: &ArrayRef) -> Vec<Option<i128>> {
    let values = column.as_primitive::<T>().iter();
    values.map(|value| value.map(Into::into)).collect()
}

impl Operator for OverAll {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        _ctx: &Context,
        _out: &mut Output,
    ) -> Result<(), OperatorError> {
        let columns: Vec<usize> = self.spec.sort.iter().map(|sort| sort.column).collect();
        let sorts = self.sorts.encode_some(&batch, &columns)?;
        let keys = self.keys.encode_some(&batch, &self.spec.keys)?;
        let rows = self.rows.encode(&batch.columns, batch.rows)?;
        for row in 0..batch.rows {
            let (key, sort, bytes) = (keys.row(row), sorts.row(row), rows.row(row));
            match batch.kind(row) {
                RowKind::Insert | RowKind::UpdateAfter => {
                    let place = (key.to_vec(), sort.to_vec(), self.next);
                    self.kept.insert(place, bytes.to_vec());
                    self.next += 1;
                    self.bytes += (key.len() + sort.len() + bytes.len()) as u64;
                }
                RowKind::UpdateBefore | RowKind::Delete => self.take_back(key, sort, bytes),
            }
        }
        Ok(())
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        if watermark == Watermark::END && !std::mem::replace(&mut self.is_done, true) {
            self.finish(out)?;
        }
        out.watermark(watermark);
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        (self.kept.len() as u64, self.bytes)
    }
}
