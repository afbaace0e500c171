//! Joined rows on their way out: a row of the batch beside one of the other side, or beside NULLs.

use arrow_array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow_schema::DataType;
use millrace_connector::RowKind;

use crate::emit::{ByteRows, take_rows};
use crate::{Batch, OperatorError, Output, RowCodec};

/// How many rows a batch of joined rows has at most.
pub(crate) const JOINED_ROWS_MAX: usize = 8_192;

/// How many bytes of rows out of state a batch of joined rows has, unless one row has more.
pub(crate) const JOINED_BYTES_MAX: usize = 8 << 20;

/// A row of the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Other<'a> {
    /// One of the columns that [`PairOutput::new`] was given.
    Decoded(usize),
    /// One as bytes.
    Stored(&'a [u8]),
}

/// Which columns come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The batch's, then the other side's.
    InputOther,
    /// The other side's, then the batch's.
    OtherInput,
    /// The batch's only.
    Input,
    /// The other side's only.
    Other,
}

/// Collects pairs in order and gives them out as batches.
#[derive(Debug)]
pub(crate) struct PairOutput<'a> {
    shape: Shape,
    input: &'a [ArrayRef],
    input_types: &'a [DataType],
    codec: &'a RowCodec,
    other_types: &'a [DataType],
    /// Rows of the other side that are decoded already.
    decoded: Option<&'a [ArrayRef]>,
    kinds: Vec<RowKind>,
    input_rows: Vec<Option<u32>>,
    other_rows: Vec<Option<u32>>,
    stored: ByteRows,
}

/// The sides of a [`PairOutput`]: the batch's columns, and how rows of the other side are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides<'a> {
    pub(crate) input: &'a [ArrayRef],
    pub(crate) input_types: &'a [DataType],
    pub(crate) codec: &'a RowCodec,
    pub(crate) other_types: &'a [DataType],
}

impl<'a> PairOutput<'a> {
    pub(crate) fn new(shape: Shape, sides: Sides<'a>, decoded: Option<&'a [ArrayRef]>) -> Self {
        Self {
            shape,
            input: sides.input,
            input_types: sides.input_types,
            codec: sides.codec,
            other_types: sides.other_types,
            decoded,
            kinds: Vec::new(),
            input_rows: Vec::new(),
            other_rows: Vec::new(),
            stored: ByteRows::default(),
        }
    }

    /// Gives out a pair; a side that is `None` is NULL in all columns.
    pub(crate) fn push(
        &mut self,
        kind: RowKind,
        input: Option<usize>,
        other: Option<Other<'_>>,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        self.kinds.push(kind);
        self.input_rows.push(input.map(|row| row as u32));
        self.other_rows.push(other.map(|other| match other {
            Other::Decoded(row) => row as u32,
            Other::Stored(row) => {
                self.stored.push(row);
                self.stored.len() as u32 - 1
            }
        }));
        if self.kinds.len() == JOINED_ROWS_MAX || self.stored.bytes() >= JOINED_BYTES_MAX {
            self.flush(out)?;
        }
        Ok(())
    }

    /// Gives out what was collected.
    pub(crate) fn flush(&mut self, out: &mut Output) -> Result<(), OperatorError> {
        if self.kinds.is_empty() {
            return Ok(());
        }
        let kinds = std::mem::take(&mut self.kinds);
        let input_rows = UInt32Array::from(std::mem::take(&mut self.input_rows));
        let other_rows = UInt32Array::from(std::mem::take(&mut self.other_rows));
        let stored = std::mem::take(&mut self.stored);
        let input = || columns(self.input, self.input_types, &input_rows);
        let other = || match self.decoded {
            Some(decoded) => columns(decoded, self.other_types, &other_rows),
            None => {
                let decoded = self.codec.decode(stored.iter())?;
                let dense = other_rows.null_count() == 0;
                // Each stored row stands once and in order.
                if dense {
                    return Ok(decoded);
                }
                columns(&decoded, self.other_types, &other_rows)
            }
        };
        let columns = match self.shape {
            Shape::Input => input()?,
            Shape::Other => other()?,
            Shape::InputOther => joined(input()?, other()?),
            Shape::OtherInput => joined(other()?, input()?),
        };
        let mut batch = Batch::changes(columns, kinds);
        let kinds = batch.kinds.as_ref();
        if kinds.is_some_and(|kinds| kinds.iter().all(|kind| *kind == RowKind::Insert)) {
            batch.kinds = None;
        }
        out.batch(batch);
        Ok(())
    }
}

fn joined(mut left: Vec<ArrayRef>, right: Vec<ArrayRef>) -> Vec<ArrayRef> {
    left.extend(right);
    left
}

fn columns(
    columns: &[ArrayRef],
    types: &[DataType],
    rows: &UInt32Array,
) -> Result<Vec<ArrayRef>, OperatorError> {
    if rows.null_count() == rows.len() {
        let types = types.iter();
        return Ok(types.map(|ty| new_null_array(ty, rows.len())).collect());
    }
    columns
        .iter()
        .map(|column| take_rows(column, rows))
        .collect()
}
