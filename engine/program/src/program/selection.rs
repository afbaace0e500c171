//! Rows of a batch that something is evaluated for.

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_buffer::BooleanBuffer;
use arrow_select::filter::{FilterBuilder, FilterPredicate};
use millrace_functions::{Column, RowError};

use super::boolean;

/// A subset of a batch's rows.
pub(crate) struct Selection {
    mask: BooleanBuffer,
    count: usize,
    predicate: Option<FilterPredicate>,
}

impl Selection {
    /// Selects the rows where `condition` is TRUE.
    pub(crate) fn of_true(condition: &Column, rows: usize) -> Self {
        Self::of_mask(boolean::trues(condition, rows))
    }

    pub(crate) fn of_mask(mask: BooleanBuffer) -> Self {
        let count = mask.count_set_bits();
        let partial = count > 0 && count < mask.len();
        let predicate = partial.then(|| {
            FilterBuilder::new(&BooleanArray::new(mask.clone(), None))
                .optimize()
                .build()
        });
        Self {
            mask,
            count,
            predicate,
        }
    }

    /// Selects exactly the other rows.
    pub(crate) fn inverse(&self) -> Self {
        Self::of_mask(!&self.mask)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(crate) fn is_all(&self) -> bool {
        self.count == self.mask.len()
    }

    /// Returns the selected rows of `array`.
    pub(crate) fn filter(&self, array: &ArrayRef) -> ArrayRef {
        match &self.predicate {
            Some(predicate) => predicate
                .filter(array)
                .expect("the mask is as long as the array"),
            None if self.is_all() => ArrayRef::clone(array),
            None => array.slice(0, 0),
        }
    }

    /// Returns the selected rows of `column`; a constant stays one.
    pub(crate) fn filter_column(&self, column: &Column) -> Column {
        match column {
            Column::Constant(_) => column.clone(),
            Column::Array(array) => Column::Array(self.filter(array)),
        }
    }

    /// Returns the selected rows' numbers.
    pub(crate) fn indices(&self) -> Vec<u32> {
        self.mask.set_indices().map(row_number).collect()
    }

    /// Returns the error with its row counted in the whole batch.
    pub(crate) fn to_outer(&self, error: RowError) -> RowError {
        let row = self.mask.set_indices().nth(error.row).unwrap_or(error.row);
        RowError { row, ..error }
    }

    /// Puts results together: `inside` for the selected rows, `outside` for the others, each in its rows' order.
    pub(crate) fn combine(&self, inside: &Column, outside: &Column) -> Column {
        if self.is_all() {
            return inside.clone();
        }
        if self.is_empty() {
            return outside.clone();
        }
        let (mut inside_row, mut outside_row) = (0, 0);
        let indices: Vec<(usize, usize)> = self
            .mask
            .iter()
            .map(|selected| {
                let (source, next) = if selected {
                    (0, &mut inside_row)
                } else {
                    (1, &mut outside_row)
                };
                let column = if selected { inside } else { outside };
                let index = (source, column.index(*next));
                *next += 1;
                index
            })
            .collect();
        interleave(inside, outside, &indices)
    }

    /// Chooses row by row between two columns of the whole batch.
    pub(crate) fn choose(&self, inside: &Column, outside: &Column) -> Column {
        if self.is_all() {
            return inside.clone();
        }
        if self.is_empty() {
            return outside.clone();
        }
        let indices: Vec<(usize, usize)> = self
            .mask
            .iter()
            .enumerate()
            .map(|(row, selected)| {
                if selected {
                    (0, inside.index(row))
                } else {
                    (1, outside.index(row))
                }
            })
            .collect();
        interleave(inside, outside, &indices)
    }
}

fn interleave(a: &Column, b: &Column, indices: &[(usize, usize)]) -> Column {
    let arrays: [&dyn Array; 2] = [a.array(), b.array()];
    Column::Array(
        arrow_select::interleave::interleave(&arrays, indices)
            .expect("both sides have one physical type"),
    )
}

fn row_number(row: usize) -> u32 {
    u32::try_from(row).expect("a batch has fewer than 2^32 rows")
}

/// Returns one value a row.
#[must_use]
pub fn expand(column: &Column, rows: usize) -> ArrayRef {
    match column {
        Column::Array(array) => ArrayRef::clone(array),
        Column::Constant(array) if rows == 1 => ArrayRef::clone(array),
        Column::Constant(array) => {
            let zeros = UInt32Array::from_value(0, rows);
            arrow_select::take::take(array, &zeros, None)
                .expect("index 0 exists in an array of length 1")
        }
    }
}
