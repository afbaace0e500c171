//! What kernels take and give.

use arrow_array::{Array, ArrayRef};

/// A column of a batch: one value a row, or the same value for every row.
#[derive(Clone, Debug)]
pub enum Column {
    /// One value a row.
    Array(ArrayRef),
    /// One value for all rows: an array of length 1.
    Constant(ArrayRef),
}

impl Column {
    /// Returns the array, of the batch's length or of length 1.
    #[must_use]
    pub fn array(&self) -> &ArrayRef {
        match self {
            Self::Array(array) | Self::Constant(array) => array,
        }
    }

    /// Tells whether one value stands for all rows.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    /// Returns the index into [`Column::array`] of the value for `row`.
    #[must_use]
    pub fn index(&self, row: usize) -> usize {
        match self {
            Self::Array(_) => row,
            Self::Constant(_) => 0,
        }
    }

    /// Tells whether the value for `row` is NULL.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        let array = self.array();
        // A `Null` array has no null buffer, so `is_null` alone would say no.
        array.is_null(self.index(row)) || array.data_type() == &arrow_schema::DataType::Null
    }
}

/// What a kernel may know about the moment of evaluation.
#[derive(Clone, Copy, Debug)]
pub struct EvalContext {
    /// The clock when this batch's evaluation began, in milliseconds since the epoch. One reading a batch, so
    /// that all calls of one row agree.
    pub now_ms: i64,
}
