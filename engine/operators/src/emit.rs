//! Rows on their way out: some of the batch that came in, some out of state.

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_select::interleave::interleave;
use arrow_select::take::take;
use millrace_connector::RowKind;

use crate::{Batch, OperatorError, RowCodec};

/// Rows as bytes, one behind the other in one buffer.
#[derive(Debug, Default)]
pub(crate) struct ByteRows {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl ByteRows {
    pub(crate) fn push(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ends = self.ends.iter().copied();
        starts.zip(ends).map(|(start, end)| &self.bytes[start..end])
    }
}

/// Where `take` and `interleave` find a row: the batch or what was decoded.
const INPUT: usize = 0;
const STORED: usize = 1;

/// Collects what an operator with one input gives out, in order, as columns like those of the input.
#[derive(Debug, Default)]
pub(crate) struct Emitter {
    kinds: Vec<RowKind>,
    rows: Vec<(usize, usize)>,
    stored: ByteRows,
}

impl Emitter {
    /// Gives out a row of the batch.
    pub(crate) fn input(&mut self, kind: RowKind, row: usize) {
        self.kinds.push(kind);
        self.rows.push((INPUT, row));
    }

    /// Gives out a row of state.
    pub(crate) fn stored(&mut self, kind: RowKind, row: &[u8]) {
        self.kinds.push(kind);
        self.rows.push((STORED, self.stored.len()));
        self.stored.push(row);
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns the rows; `input` has the columns of the batch.
    pub(crate) fn finish(
        self,
        codec: &RowCodec,
        input: &[ArrayRef],
    ) -> Result<Batch, OperatorError> {
        let columns = self.columns(codec, input)?;
        Ok(Batch::changes(columns, self.kinds))
    }

    fn columns(
        &self,
        codec: &RowCodec,
        input: &[ArrayRef],
    ) -> Result<Vec<ArrayRef>, OperatorError> {
        if self.stored.len() == 0 {
            let rows = self.rows.iter().enumerate();
            let whole = input
                .first()
                .is_none_or(|column| column.len() == self.len());
            if whole && rows.into_iter().all(|(at, (_, row))| at == *row) {
                return Ok(input.to_vec());
            }
            let rows = self.rows.iter().map(|(_, row)| *row as u32);
            let rows = UInt32Array::from_iter_values(rows);
            return input
                .iter()
                .map(|column| take_rows(column, &rows))
                .collect();
        }
        let stored = codec.decode(self.stored.iter())?;
        if self.stored.len() == self.len() {
            return Ok(stored);
        }
        let pairs = input.iter().zip(&stored);
        pairs
            .map(|(input, stored)| {
                let arrays: [&dyn Array; 2] = [input.as_ref(), stored.as_ref()];
                interleave(&arrays, &self.rows)
                    .map_err(|error| OperatorError::Failed(error.to_string()))
            })
            .collect()
    }
}

/// Returns the rows of a column; NULL where there is no row.
pub(crate) fn take_rows(column: &ArrayRef, rows: &UInt32Array) -> Result<ArrayRef, OperatorError> {
    take(column, rows, None).map_err(|error| OperatorError::Failed(error.to_string()))
}

/// Which rows of a batch have a key that can equal another: where a column is compared by `=`, NULL cannot.
#[derive(Debug)]
pub(crate) struct Matchable(Vec<bool>);

impl Matchable {
    pub(crate) fn has(&self, row: usize) -> bool {
        self.0[row]
    }
}

/// Returns which rows of a batch can match.
pub(crate) fn matchable(batch: &Batch, key: &[usize], filter_nulls: &[bool]) -> Matchable {
    let mut matchable = vec![true; batch.rows];
    for (column, filter) in key.iter().zip(filter_nulls) {
        let column = &batch.columns[*column];
        if *filter && column.is_nullable() {
            for (row, matchable) in matchable.iter_mut().enumerate() {
                *matchable &= column.is_valid(row);
            }
        }
    }
    Matchable(matchable)
}
