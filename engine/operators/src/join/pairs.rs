//! Which rows of the other side the rows of a batch meet.

use std::ops::Range;

use arrow_array::{ArrayRef, UInt32Array};

use super::side::Side;
use crate::condition::{JoinCondition, add_matches};
use crate::emit::{Matchable, take_rows};
use crate::keyed_map::EntryId;
use crate::pair_output::{JOINED_BYTES_MAX, JOINED_ROWS_MAX};
use crate::{Batch, EncodedRows, OperatorError};

/// Pairs of some rows of a batch, in the order of these.
#[derive(Debug)]
pub(super) struct Pairs {
    first_row: usize,
    /// Where the pairs of each row end.
    ends: Vec<usize>,
    rows: Vec<u32>,
    entries: Vec<EntryId>,
    /// Rows of the other side that a condition has decoded, and which of them each pair has.
    decoded: Option<(Vec<ArrayRef>, Vec<u32>)>,
}

impl Pairs {
    /// Finds the pairs of rows from `first_row` on, of at least one row and of so many that a batch is filled.
    pub(super) fn find(
        other: &Side,
        keys: &EncodedRows,
        matchable: &Matchable,
        first_row: usize,
        now_ms: i64,
    ) -> Self {
        let mut pairs = Self {
            first_row,
            ends: Vec::new(),
            rows: Vec::new(),
            entries: Vec::new(),
            decoded: None,
        };
        for row in first_row..keys.len() {
            let partition = if matchable.has(row) {
                other.partition(keys.row(row))
            } else {
                None
            };
            if let Some(partition) = partition {
                pairs.entries.extend(other.entries(partition, now_ms));
                pairs.rows.resize(pairs.entries.len(), row as u32);
            }
            pairs.ends.push(pairs.entries.len());
            if pairs.entries.len() >= JOINED_ROWS_MAX {
                break;
            }
        }
        pairs
    }

    /// Keeps only the pairs that fulfil a condition.
    pub(super) fn check(
        &mut self,
        input: usize,
        batch: &Batch,
        other: &Side,
        condition: &mut dyn JoinCondition,
        now_ms: i64,
    ) -> Result<(), OperatorError> {
        let mut matches = Vec::with_capacity(self.entries.len());
        let mut decoded = Vec::new();
        let is_one = self.slice_end(0, other) == self.entries.len();
        while matches.len() < self.entries.len() {
            let from = matches.len();
            let to = self.slice_end(from, other);
            let entries = self.entries[from..to].iter();
            decoded = other.rows.decode(entries.map(|entry| other.row(*entry)))?;
            let rows = UInt32Array::from(self.rows[from..to].to_vec());
            let own = batch.columns.iter().map(|column| take_rows(column, &rows));
            let own = own.collect::<Result<Vec<_>, _>>()?;
            let columns = if input == 0 {
                own.iter().chain(&decoded).cloned().collect::<Vec<_>>()
            } else {
                decoded.iter().chain(&own).cloned().collect::<Vec<_>>()
            };
            let mask =
                condition
                    .evaluate(&columns, to - from, now_ms)
                    .map_err(|error| match error {
                        OperatorError::Row { row, message } => OperatorError::Row {
                            row: self.rows[from + row] as usize,
                            message,
                        },
                        error => error,
                    })?;
            add_matches(&mask, &mut matches);
        }
        let kept = self.keep(&matches);
        if is_one && !kept.is_empty() {
            self.decoded = Some((decoded, kept));
        }
        Ok(())
    }

    /// Returns how far pairs are decoded at once: so many rows, and not many bytes.
    fn slice_end(&self, from: usize, other: &Side) -> usize {
        let mut bytes = 0;
        let rows = self.entries[from..].iter().take(JOINED_ROWS_MAX);
        let count = rows.take_while(|entry| {
            let fits = bytes < JOINED_BYTES_MAX;
            bytes += other.row(**entry).len();
            fits
        });
        from + count.count()
    }

    /// Keeps the pairs that match, and returns which those are.
    fn keep(&mut self, matches: &[bool]) -> Vec<u32> {
        let mut kept = Vec::with_capacity(matches.len());
        let mut from = 0;
        for end in &mut self.ends {
            kept.extend((from..*end).filter(|at| matches[*at]).map(|at| at as u32));
            from = *end;
            *end = kept.len();
        }
        self.entries = kept.iter().map(|at| self.entries[*at as usize]).collect();
        self.rows = kept.iter().map(|at| self.rows[*at as usize]).collect();
        kept
    }

    /// Returns the row behind the last whose pairs these are.
    pub(super) fn end(&self) -> usize {
        self.first_row + self.ends.len()
    }

    /// Returns the pairs of a row.
    pub(super) fn of(&self, row: usize) -> Range<usize> {
        let at = row - self.first_row;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[at]
    }

    pub(super) fn entry(&self, pair: usize) -> EntryId {
        self.entries[pair]
    }

    /// Returns the rows of the other side that are decoded already.
    pub(super) fn columns(&self) -> Option<&[ArrayRef]> {
        self.decoded.as_ref().map(|(columns, _)| columns.as_slice())
    }

    /// Returns which of [`Pairs::columns`]' rows a pair has.
    pub(super) fn decoded(&self, pair: usize) -> Option<usize> {
        let (_, rows) = self.decoded.as_ref()?;
        Some(rows[pair] as usize)
    }
}
