//! Kernels that give several columns at once: all paths of one JSON column, all cuts of one text.

use std::fmt::Debug;

use millrace_functions::{Column, RowError};

/// A kernel with several results. It cannot fail on a row, so it may be evaluated for all rows.
pub(crate) trait ManyKernel: Debug + Send + Sync {
    /// Returns the results, in the order in which they were asked for.
    fn evaluate(&self, input: &Column, rows: usize) -> Result<Vec<Column>, RowError>;
}
