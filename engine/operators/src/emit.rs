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

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::builder::{Int32Builder, MapBuilder, StringViewBuilder};
    use arrow_array::types::Int32Type;
    use arrow_array::{BooleanArray, Int32Array, ListArray, NullArray, StructArray};
    use arrow_schema::{DataType, Field};

    use super::*;

    /// Columns of every shape: three rows each.
    fn columns() -> Vec<ArrayRef> {
        let mut map = MapBuilder::new(None, StringViewBuilder::new(), Int32Builder::new());
        for (key, value) in [("a", Some(1)), ("b", None)] {
            map.keys().append_value(key);
            map.values().append_option(value);
            map.append(true).unwrap();
        }
        map.append(false).unwrap();
        let list = [Some(vec![Some(1), None]), None, Some(vec![])];
        let field = Arc::new(Field::new("x", DataType::Boolean, true));
        let booleans: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
        vec![
            Arc::new(Int32Array::from(vec![1, 2, 3])),
            Arc::new(map.finish()),
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(list)),
            Arc::new(StructArray::from(vec![(field, booleans)])),
            Arc::new(NullArray::new(3)),
        ]
    }

    /// Rows of the batch and of state, mixed, alone, and as they stand.
    #[test]
    fn rows_of_every_type_come_out() {
        let columns = columns();
        let types = columns.iter().map(|column| column.data_type().clone());
        let codec = RowCodec::new(types).unwrap();
        let encoded = codec.encode(&columns, 3).unwrap();
        let cases: [&[(bool, usize)]; 5] = [
            &[(true, 2), (false, 0), (true, 1), (false, 1)],
            &[(true, 1), (true, 0)],
            &[(false, 1), (false, 0)],
            &[(false, 0), (false, 1), (false, 2)],
            &[],
        ];
        for case in cases {
            let mut emitter = Emitter::default();
            for (stored, row) in case {
                if *stored {
                    emitter.stored(RowKind::Insert, encoded.row(*row));
                } else {
                    emitter.input(RowKind::Insert, *row);
                }
            }
            let batch = emitter.finish(&codec, &columns).unwrap();
            assert_eq!(batch.rows, case.len());
            let again = codec.encode(&batch.columns, batch.rows).unwrap();
            let expected = case.iter().map(|(_, row)| encoded.row(*row));
            assert!(again.iter().eq(expected), "{case:?}");
        }
    }
}
