//! Conditions over pairs of rows.

use std::fmt::Debug;

use arrow_array::{Array, ArrayRef, BooleanArray};

use crate::OperatorError;

/// A condition that a join asks of pairs of rows; the planner makes one of a lane program.
pub trait JoinCondition: Debug + Send {
    /// Evaluates the condition for pairs: `columns` are the left side's, then the right side's. NULL counts as false.
    ///
    /// # Errors
    /// A pair for which it fails, as [`OperatorError::Row`].
    fn evaluate(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        now_ms: i64,
    ) -> Result<BooleanArray, OperatorError>;
}

/// Adds whether each pair fulfils a condition.
pub(crate) fn add_matches(mask: &BooleanArray, matches: &mut Vec<bool>) {
    matches.extend((0..mask.len()).map(|row| mask.is_valid(row) && mask.value(row)));
}

/// Drops the place of a row that waited, since it is in no batch any more.
pub(crate) fn without_row(error: OperatorError) -> OperatorError {
    match error {
        OperatorError::Row { message, .. } => OperatorError::Failed(message),
        error => error,
    }
}
