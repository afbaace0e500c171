//! What the collection kernels share: reading lists, comparing values, choosing values.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StringViewArray};
use arrow_schema::DataType;
use arrow_select::interleave::interleave;

use crate::Column;

/// An argument of type ARRAY; a column of type NULL reads as all NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lists<'a> {
    array: Option<&'a ListArray>,
    constant: bool,
}

impl<'a> Lists<'a> {
    /// Reads `column` as lists.
    pub(crate) fn new(column: &'a Column) -> Self {
        Self {
            array: column.array().as_list_opt::<i32>(),
            constant: column.is_constant(),
        }
    }

    /// Returns where the row's elements lie in [`Lists::values`], or `None` for NULL.
    pub(crate) fn range(&self, row: usize) -> Option<(usize, usize)> {
        let array = self.array?;
        let row = if self.constant { 0 } else { row };
        array
            .is_valid(row)
            .then(|| range(array.value_offsets(), row))
    }

    /// Returns the elements of all rows.
    pub(crate) fn values(&self) -> Option<&'a ArrayRef> {
        self.array.map(ListArray::values)
    }
}

/// An argument of type MAP or MULTISET; a column of type NULL reads as all NULL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Maps<'a> {
    array: Option<&'a MapArray>,
    constant: bool,
}

impl<'a> Maps<'a> {
    /// Reads `column` as maps.
    pub(crate) fn new(column: &'a Column) -> Self {
        Self {
            array: column.array().as_map_opt(),
            constant: column.is_constant(),
        }
    }

    /// Returns where the row's entries lie in [`Maps::keys`], or `None` for NULL.
    pub(crate) fn range(&self, row: usize) -> Option<(usize, usize)> {
        let array = self.array?;
        let row = if self.constant { 0 } else { row };
        array
            .is_valid(row)
            .then(|| range(array.value_offsets(), row))
    }

    /// Returns the keys of all rows.
    pub(crate) fn keys(&self) -> Option<&'a ArrayRef> {
        self.array.map(MapArray::keys)
    }

    /// Returns the values of all rows.
    pub(crate) fn values(&self) -> Option<&'a ArrayRef> {
        self.array.map(MapArray::values)
    }
}

fn range(offsets: &[i32], row: usize) -> (usize, usize) {
    let offset = |row: usize| usize::try_from(offsets[row]).expect("offsets are not negative");
    (offset(row), offset(row + 1))
}

/// Two arrays whose values are compared: NULL equals NULL only.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Equality<'a> {
    /// Text, the common case.
    Text(&'a StringViewArray, &'a StringViewArray),
    /// Anything else.
    Other(&'a dyn Array, &'a dyn Array),
}

impl<'a> Equality<'a> {
    /// Compares values of `left` with values of `right`.
    pub(crate) fn new(left: &'a dyn Array, right: &'a dyn Array) -> Self {
        match (left.as_string_view_opt(), right.as_string_view_opt()) {
            (Some(left), Some(right)) => Self::Text(left, right),
            _ => Self::Other(left, right),
        }
    }

    /// Tells whether the two values are the same.
    pub(crate) fn same(&self, left_index: usize, right_index: usize) -> bool {
        match self {
            Self::Text(left, right) => {
                match (left.is_valid(left_index), right.is_valid(right_index)) {
                    (true, true) => left.value(left_index) == right.value(right_index),
                    (left_valid, right_valid) => left_valid == right_valid,
                }
            }
            Self::Other(left, right) => {
                let null = |array: &dyn Array, index| {
                    array.is_null(index) || array.data_type() == &DataType::Null
                };
                match (null(*left, left_index), null(*right, right_index)) {
                    (false, false) => {
                        left.slice(left_index, 1).as_ref() == right.slice(right_index, 1).as_ref()
                    }
                    (left_null, right_null) => left_null == right_null,
                }
            }
        }
    }
}

/// Returns the chosen values: pairs of an array's number and an index into it.
pub(crate) fn choose(arrays: &[&dyn Array], choices: &[(usize, usize)]) -> ArrayRef {
    interleave(arrays, choices).expect("the arrays are of one type and the choices lie in them")
}
