//! Three-valued logic over whole columns.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use millrace_functions::Column;

/// Returns the rows where `column` is TRUE.
pub(crate) fn trues(column: &Column, rows: usize) -> BooleanBuffer {
    of_value(column, rows, true)
}

/// Returns the rows where `column` is FALSE.
pub(crate) fn falses(column: &Column, rows: usize) -> BooleanBuffer {
    of_value(column, rows, false)
}

fn of_value(column: &Column, rows: usize, wanted: bool) -> BooleanBuffer {
    let Some(array) = column.array().as_boolean_opt() else {
        return BooleanBuffer::new_unset(rows);
    };
    if column.is_constant() {
        return if array.is_valid(0) && array.value(0) == wanted {
            BooleanBuffer::new_set(rows)
        } else {
            BooleanBuffer::new_unset(rows)
        };
    }
    let values = if wanted {
        array.values().clone()
    } else {
        !array.values()
    };
    match array.nulls() {
        Some(nulls) => &values & nulls.inner(),
        None => values,
    }
}

/// Returns the rows where `column` is not NULL.
pub(crate) fn valid(column: &Column, rows: usize) -> BooleanBuffer {
    if column.is_constant() {
        return if column.is_null(0) {
            BooleanBuffer::new_unset(rows)
        } else {
            BooleanBuffer::new_set(rows)
        };
    }
    match column.array().logical_nulls() {
        Some(nulls) => nulls.inner().clone(),
        None => BooleanBuffer::new_set(rows),
    }
}

/// Returns `a AND b`.
pub(crate) fn and(a: &Column, b: &Column, rows: usize) -> Column {
    column(
        &trues(a, rows) & &trues(b, rows),
        &(&falses(a, rows) | &falses(b, rows)),
    )
}

/// Returns `a OR b`.
pub(crate) fn or(a: &Column, b: &Column, rows: usize) -> Column {
    column(
        &trues(a, rows) | &trues(b, rows),
        &(&falses(a, rows) & &falses(b, rows)),
    )
}

/// Makes a column from where it is TRUE and where it is FALSE.
fn column(trues: BooleanBuffer, falses: &BooleanBuffer) -> Column {
    let known = &trues | falses;
    let nulls = (known.count_set_bits() < known.len()).then(|| NullBuffer::new(known));
    Column::Array(Arc::new(BooleanArray::new(trues, nulls)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases() -> (Column, Column) {
        let values = [Some(true), Some(false), None];
        let a: BooleanArray = values.iter().flat_map(|v| [*v; 3]).collect();
        let b: BooleanArray = values.iter().cycle().take(9).copied().collect();
        (Column::Array(Arc::new(a)), Column::Array(Arc::new(b)))
    }

    fn values(column: &Column) -> Vec<Option<bool>> {
        column.array().as_boolean().iter().collect()
    }

    #[test]
    fn follows_the_truth_tables() {
        let (a, b) = cases();
        let (t, f, n) = (Some(true), Some(false), None);
        assert_eq!(values(&and(&a, &b, 9)), [t, f, n, f, f, f, n, f, n]);
        assert_eq!(values(&or(&a, &b, 9)), [t, t, t, t, f, n, t, n, n]);
    }
}
