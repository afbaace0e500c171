//! Helps with columns.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, UInt32Array, downcast_primitive_array};
use arrow_schema::{ArrowError, DataType};

use crate::OperatorError;

/// Sets `changed` for each row at which two columns differ. NULL equals NULL; floats compare by value, so NaN differs
/// from itself, as in Flink's generated code.
pub(crate) fn mark_changes(before: &ArrayRef, after: &ArrayRef, changed: &mut [bool]) {
    let (old, new) = (before.nulls(), after.nulls());
    let is_valid = |row: usize| {
        (
            old.is_none_or(|nulls| nulls.is_valid(row)),
            new.is_none_or(|nulls| nulls.is_valid(row)),
        )
    };
    let mut mark = |equal: &dyn Fn(usize) -> bool| {
        for (row, changed) in changed.iter_mut().enumerate() {
            *changed |= match is_valid(row) {
                (true, true) => !equal(row),
                (old, new) => old != new,
            };
        }
    };
    downcast_primitive_array!(
        (before, after) => {
            let (before, after) = (before.values(), after.values());
            if old.is_none() && new.is_none() {
                for ((changed, before), after) in changed.iter_mut().zip(before).zip(after) {
                    *changed |= before != after;
                }
            } else {
                mark(&|row| before[row] == after[row]);
            }
        },
        (DataType::Utf8View, DataType::Utf8View) => {
            let (before, after) = (before.as_string_view(), after.as_string_view());
            mark(&|row| before.value(row) == after.value(row));
        }
        _ => mark(&|row| before.slice(row, 1) == after.slice(row, 1)),
    );
}

/// Returns the rows of a column at the given places.
pub(crate) fn take(column: &dyn Array, rows: &UInt32Array) -> Result<ArrayRef, OperatorError> {
    arrow_select::take::take(column, rows, None).map_err(|error| failed(&error))
}

/// Returns several columns one behind another.
pub(crate) fn concat(columns: &[&dyn Array]) -> Result<ArrayRef, OperatorError> {
    if let [column] = columns {
        return Ok(column.slice(0, column.len()));
    }
    arrow_select::concat::concat(columns).map_err(|error| failed(&error))
}

/// Returns numbers of rows as a column.
pub(crate) fn indices(rows: Vec<u32>) -> UInt32Array {
    UInt32Array::from(rows)
}

fn failed(error: &ArrowError) -> OperatorError {
    OperatorError::Failed(format!("columns cannot be put together: {error}"))
}
