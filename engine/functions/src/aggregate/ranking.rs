//! Window functions that look at a whole partition in its order: RANK and its kin, LAG and LEAD in batch mode.
//!
//! # Flink
//! `RankAggFunction`, `DenseRankAggFunction`, `PercentRankAggFunction`, `CumeDistAggFunction`, `NTILEAggFunction` and
//! `LeadLagAggFunction`, 1.17. Other than in the standard, CUME_DIST counts the rows up to each row and not up to the last of
//! its peers. In streaming mode Flink has none of them but LAG, which is an aggregate there.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, UInt32Array};
use arrow_select::concat::concat;
use arrow_select::take::take;
use millrace_connector::{FlinkType, TypeKind};

/// A function of a row's place in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranking {
    /// ROW_NUMBER.
    RowNumber,
    /// RANK.
    Rank,
    /// DENSE_RANK.
    DenseRank,
    /// PERCENT_RANK.
    PercentRank,
    /// CUME_DIST, as Flink counts it.
    CumeDist,
    /// NTILE.
    Ntile {
        /// Into how many parts the partition is cut, at least 1.
        parts: usize,
    },
}

/// Rows in order, cut into partitions and those into peers, rows that are equal in that order.
#[derive(Clone, Copy, Debug)]
pub struct Partitions<'a> {
    /// Where each partition ends.
    pub ends: &'a [usize],
    /// Where the peers of each kind end, all partitions together.
    pub peer_ends: &'a [usize],
}

impl Partitions<'_> {
    fn rows(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Calls `each` with each partition and, in order, its peers.
    fn for_each(&self, mut each: impl FnMut(Range<usize>, &mut dyn Iterator<Item = Range<usize>>)) {
        let (mut start, mut peers) = (0, self.peer_ends);
        for end in self.ends {
            let count = peers.partition_point(|peer_end| peer_end <= end);
            let (of_partition, rest) = peers.split_at(count);
            let mut from = start;
            let mut ranges = of_partition.iter().map(|end| {
                let range = from..*end;
                from = *end;
                range
            });
            each(start..*end, &mut ranges);
            start = *end;
            peers = rest;
        }
    }
}

impl Ranking {
    /// Returns the result's type.
    #[must_use]
    pub fn return_type(self) -> FlinkType {
        match self {
            Self::PercentRank | Self::CumeDist => TypeKind::Double.not_null(),
            _ => TypeKind::BigInt.not_null(),
        }
    }

    /// Returns the function's results for all rows.
    #[must_use]
    pub fn evaluate(self, partitions: Partitions<'_>) -> ArrayRef {
        match self {
            Self::PercentRank => shares(partitions, |_, first_peer, rows| {
                if rows == 1 {
                    0.0
                } else {
                    first_peer as f64 / (rows - 1) as f64
                }
            }),
            Self::CumeDist => shares(partitions, |row, _, rows| (row + 1) as f64 / rows as f64),
            _ => self.numbers(partitions),
        }
    }

    fn numbers(self, partitions: Partitions<'_>) -> ArrayRef {
        let mut numbers: Vec<i64> = Vec::with_capacity(partitions.rows());
        partitions.for_each(|partition, peers| {
            let rows = partition.len();
            match self {
                Self::Ntile { parts } => {
                    numbers.extend((0..rows).map(|row| number(tile(row, rows, parts))));
                }
                Self::RowNumber => numbers.extend((1..=rows).map(number)),
                _ => {
                    for (kind, range) in peers.enumerate() {
                        let rank = match self {
                            Self::DenseRank => kind + 1,
                            _ => range.start - partition.start + 1,
                        };
                        numbers.extend(range.map(|_| number(rank)));
                    }
                }
            }
        });
        Arc::new(Int64Array::from(numbers))
    }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).expect("rows are counted in 63 bits")
}

/// Returns the part of a row: the first ones have a row more where the rows do not divide evenly.
fn tile(row: usize, rows: usize, parts: usize) -> usize {
    let (least, more) = (rows / parts, rows % parts);
    let in_larger = more * (least + 1);
    if row < in_larger {
        row / (least + 1) + 1
    } else {
        more + (row - in_larger) / least + 1
    }
}

/// Returns a share for each row, of its place and that of its first peer in the partition, and the partition's rows.
fn shares(partitions: Partitions<'_>, share: impl Fn(usize, usize, usize) -> f64) -> ArrayRef {
    let mut shares = Vec::with_capacity(partitions.rows());
    partitions.for_each(|partition, peers| {
        for range in peers {
            let first_peer = range.start - partition.start;
            let places = range.map(|row| row - partition.start);
            shares.extend(places.map(|row| share(row, first_peer, partition.len())));
        }
    });
    Arc::new(Float64Array::from(shares))
}

/// Returns for each row the value so many rows on in its partition, or back if negative: LEAD and LAG.
/// `default` is one value for rows without such a row; `None` = NULL.
#[must_use]
pub fn shifted(
    values: &ArrayRef,
    ends: &[usize],
    distance: i64,
    default: Option<&ArrayRef>,
) -> ArrayRef {
    let beyond = default.map(|_| place(values.len()));
    let mut places: Vec<Option<u32>> = Vec::with_capacity(values.len());
    let mut start = 0;
    for end in ends {
        for row in start..*end {
            let other = i64::try_from(row)
                .ok()
                .and_then(|row| row.checked_add(distance))
                .and_then(|row| usize::try_from(row).ok())
                .filter(|row| (start..*end).contains(row));
            places.push(other.map(place).or(beyond));
        }
        start = *end;
    }
    let places = UInt32Array::from(places);
    let taken = match default {
        None => take(values, &places, None),
        Some(default) => concat(&[&**values, &**default as &dyn Array])
            .and_then(|both| take(&both, &places, None)),
    };
    taken.expect("values and default have one type")
}

fn place(row: usize) -> u32 {
    u32::try_from(row).expect("a sorted run has fewer than 2^32 rows")
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, Int32Type, Int64Type};

    use super::*;

    /// Partitions `a`: 1, 3, 3, 5 and `b`: 1, 2, 2 of Flink's answers.
    const PARTITIONS: Partitions<'static> = Partitions {
        ends: &[4, 7],
        peer_ends: &[1, 3, 4, 5, 7],
    };

    fn numbers(ranking: Ranking) -> Vec<i64> {
        let column = ranking.evaluate(PARTITIONS);
        column.as_primitive::<Int64Type>().values().to_vec()
    }

    fn shares_of(ranking: Ranking) -> Vec<f64> {
        let column = ranking.evaluate(PARTITIONS);
        column.as_primitive::<Float64Type>().values().to_vec()
    }

    #[test]
    fn ranks_as_flink_does() {
        assert_eq!(numbers(Ranking::RowNumber), [1, 2, 3, 4, 1, 2, 3]);
        assert_eq!(numbers(Ranking::Rank), [1, 2, 2, 4, 1, 2, 2]);
        assert_eq!(numbers(Ranking::DenseRank), [1, 2, 2, 3, 1, 2, 2]);
        assert_eq!(
            shares_of(Ranking::PercentRank),
            [0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0, 0.0, 0.5, 0.5]
        );
        assert_eq!(
            shares_of(Ranking::CumeDist),
            [0.25, 0.5, 0.75, 1.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]
        );
    }

    #[test]
    fn parts_differ_by_one_row_at_most() {
        let tiles = |parts| numbers(Ranking::Ntile { parts });
        assert_eq!(tiles(2), [1, 1, 2, 2, 1, 1, 2]);
        assert_eq!(tiles(3), [1, 1, 2, 3, 1, 2, 3]);
        assert_eq!(tiles(5), [1, 2, 3, 4, 1, 2, 3]);
    }

    #[test]
    fn values_are_taken_from_rows_before_and_behind() {
        let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 3, 3, 5, 1, 2, 2]));
        let default: ArrayRef = Arc::new(Int32Array::from(vec![99]));
        let numbers = |column: ArrayRef| -> Vec<Option<i32>> {
            column.as_primitive::<Int32Type>().iter().collect()
        };
        let lag = numbers(shifted(&values, PARTITIONS.ends, -1, None));
        assert_eq!(
            lag,
            [None, Some(1), Some(3), Some(3), None, Some(1), Some(2)]
        );
        let lead = numbers(shifted(&values, PARTITIONS.ends, 2, Some(&default)));
        let lead: Vec<i32> = lead.into_iter().flatten().collect();
        assert_eq!(lead, [3, 5, 99, 99, 2, 99, 99]);
    }
}
