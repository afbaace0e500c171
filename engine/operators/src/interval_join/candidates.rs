//! Which pairs of a batch fulfil the condition, asked in bulk.

use arrow_array::UInt32Array;

use super::Side;
use crate::condition::{JoinCondition, add_matches};
use crate::emit::{ByteRows, Matchable, take_rows};
use crate::pair_output::JOINED_ROWS_MAX;
use crate::timed_rows::time_bytes;
use crate::{Batch, EncodedRows, OperatorError};

/// The pairs of some rows of a batch as they stood before the first of these.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    first_row: usize,
    /// Where the pairs of each row end; empty where there is no condition.
    ends: Vec<usize>,
    /// The numbers of the other side's rows that match, sorted within each row's.
    numbers: Vec<u64>,
}

/// Which times of the other side a row meets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) input: usize,
    pub(super) before_ms: i64,
    pub(super) after_ms: i64,
}

/// What is known of a batch.
pub(super) struct Known<'a> {
    pub(super) batch: &'a Batch,
    pub(super) keys: &'a EncodedRows,
    pub(super) times: &'a [i64],
    pub(super) matchable: &'a Matchable,
}

impl Candidates {
    /// Tells whether the pairs of a row are known.
    pub(super) fn has(&self, row: usize) -> bool {
        (self.first_row..self.first_row + self.ends.len()).contains(&row)
    }

    /// Tells whether a row matches the other side's row of a number; without a condition each does.
    pub(super) fn is_match(&self, row: usize, number: u64) -> bool {
        if !self.has(row) {
            return true;
        }
        let at = row - self.first_row;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.numbers[start..self.ends[at]]
            .binary_search(&number)
            .is_ok()
    }

    /// Finds the pairs of rows from `first_row` on that match, of at least one row and of so many that a batch is filled.
    pub(super) fn find(
        first_row: usize,
        range: Range,
        known: &Known<'_>,
        other: &Side,
        condition: &mut dyn JoinCondition,
        now_ms: i64,
    ) -> Result<Self, OperatorError> {
        let mut rows: Vec<u32> = Vec::new();
        let mut numbers = Vec::new();
        let mut ends = Vec::new();
        let mut stored = ByteRows::default();
        for row in first_row..known.batch.rows {
            let slot = other
                .state
                .find(known.keys.row(row))
                .filter(|_| known.matchable.has(row));
            if let Some(slot) = slot {
                let met = other.state.rows(slot);
                let first = met.lower_bound(&time_bytes(known.times[row] - range.before_ms));
                let end = met.upper_bound(&time_bytes(known.times[row] + range.after_ms));
                for other in met.from(first).take(end - first) {
                    rows.push(row as u32);
                    numbers.push(other.number);
                    stored.push(other.row());
                }
            }
            ends.push(rows.len());
            if rows.len() >= JOINED_ROWS_MAX {
                break;
            }
        }
        let matches = evaluate(
            range.input,
            known.batch,
            &rows,
            other,
            &stored,
            condition,
            now_ms,
        )?;
        let mut kept = Vec::new();
        let (mut from, mut from_kept) = (0, 0);
        for end in &mut ends {
            kept.extend((from..*end).filter(|at| matches[*at]).map(|at| numbers[at]));
            let first = from_kept;
            from = *end;
            *end = kept.len();
            from_kept = kept.len();
            kept[first..].sort_unstable();
        }
        Ok(Self {
            first_row,
            ends,
            numbers: kept,
        })
    }
}

fn evaluate(
    input: usize,
    batch: &Batch,
    rows: &[u32],
    other: &Side,
    stored: &ByteRows,
    condition: &mut dyn JoinCondition,
    now_ms: i64,
) -> Result<Vec<bool>, OperatorError> {
    let mut matches = Vec::with_capacity(rows.len());
    let mut left_over = stored.iter();
    for rows in rows.chunks(JOINED_ROWS_MAX) {
        let decoded = other.rows.decode(left_over.by_ref().take(rows.len()))?;
        let places = UInt32Array::from(rows.to_vec());
        let own = batch
            .columns
            .iter()
            .map(|column| take_rows(column, &places));
        let own = own.collect::<Result<Vec<_>, _>>()?;
        let (left, right) = if input == 0 {
            (own, decoded)
        } else {
            (decoded, own)
        };
        let columns: Vec<_> = left.into_iter().chain(right).collect();
        let mask =
            condition
                .evaluate(&columns, rows.len(), now_ms)
                .map_err(|error| match error {
                    OperatorError::Row { row, message } => OperatorError::Row {
                        row: rows[row] as usize,
                        message,
                    },
                    error => error,
                })?;
        add_matches(&mask, &mut matches);
    }
    Ok(matches)
}
