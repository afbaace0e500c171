//! What of a changelog reaches a sink.
//!
//! An upsert sink knows rows by their key and has no use for `-U`: the `+U` behind it replaces the row. But where the
//! update changes the *sink's* key, nothing would replace the old row, and where a filter keeps only the `-U`, nothing
//! follows. So for such sinks
//!
//! ```text
//! -U k, +U k   ─►        +U k     the same key: the second replaces the row
//! -U k, +U m   ─►  -D k, +U m     another key: the old row is deleted, in the same lane and before
//! -U k         ─►  -D k           alone: the row has left the query's result
//! ```

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryViewArray, BooleanArray, StringViewArray};
use arrow_buffer::NullBuffer;
use arrow_data::ArrayData;
use arrow_schema::DataType;
use arrow_select::filter::FilterBuilder;
use millrace_connector::RowKind;

use crate::Transformed;

/// Which changes the sink of a branch gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ChangeForm {
    /// All, as they come.
    #[default]
    All,
    /// `+I`, `+U` and `-D` of rows that these columns of the sink identify (indexes into its persisted columns).
    /// Without columns an update is taken to keep its key.
    Upserts(Vec<usize>),
}

impl ChangeForm {
    /// Brings the rows of a batch into this form. `kinds` has a kind for each row.
    pub(crate) fn apply(
        &self,
        out: Transformed,
        mut kinds: Vec<RowKind>,
    ) -> (Transformed, Vec<RowKind>) {
        let Self::Upserts(key) = self else {
            return (out, kinds);
        };
        if !kinds.contains(&RowKind::UpdateBefore) {
            return (out, kinds);
        }
        let columns: Vec<KeyColumn<'_>> = key
            .iter()
            .map(|index| KeyColumn::new(&out.columns[*index]))
            .collect();
        let is_replaced = |row: usize| {
            let follows = out
                .origins
                .as_ref()
                .is_none_or(|origins| origins[row] + 1 == origins[row + 1]);
            follows && columns.iter().all(|column| column.same(row, row + 1))
        };
        let mut keep = vec![true; out.rows];
        for row in 0..out.rows {
            if kinds[row] != RowKind::UpdateBefore {
                continue;
            }
            let is_update = kinds.get(row + 1) == Some(&RowKind::UpdateAfter);
            if is_update && is_replaced(row) {
                keep[row] = false;
            } else {
                kinds[row] = RowKind::Delete;
            }
        }
        let mut kept = keep.iter();
        kinds.retain(|_| *kept.next().expect("one flag a row"));
        (retain(out, keep, kinds.len()), kinds)
    }
}

fn retain(out: Transformed, keep: Vec<bool>, rows: usize) -> Transformed {
    if rows == out.rows {
        return out;
    }
    let origins = match out.origins {
        None => None,
        Some(origins) => {
            let pairs = origins.into_iter().zip(&keep);
            Some(
                pairs
                    .filter(|(_, keep)| **keep)
                    .map(|(row, _)| row)
                    .collect(),
            )
        }
    };
    let filter = FilterBuilder::new(&BooleanArray::from(keep))
        .optimize()
        .build();
    let columns = out.columns.iter().map(|column| {
        filter
            .filter(column)
            .expect("the mask is as long as the column")
    });
    Transformed {
        columns: columns.collect(),
        rows,
        origins,
        not_null_dropped: out.not_null_dropped,
    }
}

/// A key column whose values can be compared without an allocation.
struct KeyColumn<'a> {
    nulls: Option<NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Text(&'a StringViewArray),
    Bytes(&'a BinaryViewArray),
    Boolean(&'a BooleanArray),
    /// Values of equal width, compared by their bytes.
    Fixed(ArrayData, usize),
    /// Everything else is taken for different, which costs a deletion that an upsert follows.
    Opaque,
}

impl<'a> KeyColumn<'a> {
    fn new(array: &'a ArrayRef) -> Self {
        let values = match array.data_type() {
            DataType::Utf8View => Values::Text(array.as_string_view()),
            DataType::BinaryView => Values::Bytes(array.as_binary_view()),
            DataType::Boolean => Values::Boolean(array.as_boolean()),
            other => match other.primitive_width() {
                Some(width) => Values::Fixed(array.to_data(), width),
                None => Values::Opaque,
            },
        };
        Self {
            nulls: array.logical_nulls(),
            values,
        }
    }

    fn same(&self, a: usize, b: usize) -> bool {
        if let Some(nulls) = &self.nulls
            && (nulls.is_null(a) || nulls.is_null(b))
        {
            return nulls.is_null(a) && nulls.is_null(b);
        }
        match &self.values {
            Values::Text(array) => array.value(a) == array.value(b),
            Values::Bytes(array) => array.value(a) == array.value(b),
            Values::Boolean(array) => array.value(a) == array.value(b),
            Values::Fixed(data, width) => {
                let bytes = data.buffers()[0].as_slice();
                let value = |row: usize| {
                    let start = (data.offset() + row) * width;
                    &bytes[start..start + width]
                };
                value(a) == value(b)
            }
            Values::Opaque => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int64Type;
    use arrow_array::{Date32Array, Int64Array};

    use super::*;

    use RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};

    /// Rows of a date, an id and a value; the key is date and id.
    fn rows(list: &[(RowKind, Option<i32>, i64, &str)]) -> (Transformed, Vec<RowKind>) {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(list.iter().map(|row| row.1).collect::<Date32Array>()),
            Arc::new(list.iter().map(|row| Some(row.2)).collect::<Int64Array>()),
            Arc::new(
                list.iter()
                    .map(|row| Some(row.3))
                    .collect::<StringViewArray>(),
            ),
        ];
        let out = Transformed {
            columns,
            rows: list.len(),
            origins: None,
            not_null_dropped: 0,
        };
        (out, list.iter().map(|row| row.0).collect())
    }

    fn values(out: &Transformed) -> Vec<String> {
        let ids = out.columns[1].as_primitive::<Int64Type>();
        let texts = out.columns[2].as_string_view();
        (0..out.rows)
            .map(|row| format!("{}{}", ids.value(row), texts.value(row)))
            .collect()
    }

    fn upserts(
        key: &[usize],
        list: &[(RowKind, Option<i32>, i64, &str)],
    ) -> (Vec<RowKind>, Vec<String>) {
        let (out, kinds) = rows(list);
        let (out, kinds) = ChangeForm::Upserts(key.to_vec()).apply(out, kinds);
        assert_eq!(out.rows, kinds.len());
        assert!(out.columns.iter().all(|column| column.len() == out.rows));
        (kinds, values(&out))
    }

    #[test]
    fn an_update_that_keeps_the_key_is_its_second_half() {
        let (kinds, values) = upserts(
            &[0, 1],
            &[
                (Insert, Some(1), 1, "a"),
                (UpdateBefore, Some(1), 1, "a"),
                (UpdateAfter, Some(1), 1, "b"),
                (UpdateBefore, None, 2, "x"),
                (UpdateAfter, None, 2, "y"),
                (Delete, Some(1), 1, "b"),
            ],
        );
        assert_eq!(kinds, [Insert, UpdateAfter, UpdateAfter, Delete]);
        assert_eq!(values, ["1a", "1b", "2y", "1b"]);
    }

    #[test]
    fn an_update_that_changes_the_key_deletes_the_old_row_first() {
        for (before, after) in [(Some(1), Some(2)), (Some(1), None), (None, Some(1))] {
            let (kinds, values) = upserts(
                &[0, 1],
                &[(UpdateBefore, before, 1, "a"), (UpdateAfter, after, 1, "b")],
            );
            assert_eq!(kinds, [Delete, UpdateAfter]);
            assert_eq!(values, ["1a", "1b"]);
        }
    }

    #[test]
    fn half_an_update_that_passed_the_filter_deletes() {
        // Rows 0 and 1 are the -U of one update and the +U of another, whose other halves were filtered out.
        let (mut out, kinds) = rows(&[
            (UpdateBefore, Some(1), 1, "a"),
            (UpdateAfter, Some(1), 1, "b"),
            (UpdateBefore, Some(1), 9, "z"),
        ]);
        out.origins = Some(vec![0, 3, 4]);
        let (out, kinds) = ChangeForm::Upserts(vec![]).apply(out, kinds);
        assert_eq!(kinds, [Delete, UpdateAfter, Delete]);
        assert_eq!(values(&out), ["1a", "1b", "9z"]);
    }

    #[test]
    fn without_a_key_an_update_is_one_row() {
        let (kinds, values) = upserts(
            &[],
            &[
                (UpdateBefore, Some(1), 1, "a"),
                (UpdateAfter, Some(2), 1, "b"),
            ],
        );
        assert_eq!((kinds, values), (vec![UpdateAfter], vec!["1b".to_owned()]));
    }

    #[test]
    fn a_sink_of_all_changes_gets_all() {
        let (out, kinds) = rows(&[
            (UpdateBefore, Some(1), 1, "a"),
            (UpdateAfter, Some(1), 1, "b"),
        ]);
        let (out, kinds) = ChangeForm::All.apply(out, kinds);
        assert_eq!((out.rows, kinds), (2, vec![UpdateBefore, UpdateAfter]));
    }

    #[test]
    fn keys_of_every_physical_form_are_compared() {
        let text: ArrayRef = Arc::new(StringViewArray::from(vec![
            "a",
            "a",
            "a long text, not inline",
        ]));
        let bytes: ArrayRef = Arc::new(BinaryViewArray::from(vec![&b"a"[..], b"a", b"b"]));
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, true, false]));
        let ints: ArrayRef = Arc::new(Int64Array::from(vec![0, 7, 7, 8]).slice(1, 3));
        for array in [text, bytes, flags, ints] {
            let column = KeyColumn::new(&array);
            assert!(column.same(0, 1), "{:?}", array.data_type());
            assert!(!column.same(1, 2), "{:?}", array.data_type());
        }
    }
}
