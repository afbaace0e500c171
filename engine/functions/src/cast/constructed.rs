//! Conversions of ARRAY, MAP, MULTISET and ROW, element by element.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray, new_null_array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Fields};
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use super::convert::Converter;
use crate::RowError;

/// Returns the conversion of lists by the conversion of their elements.
pub(crate) fn array(element: Converter, to: &TypeKind) -> Converter {
    let DataType::List(field) = arrow_type(to) else {
        unreachable!("an ARRAY is a list");
    };
    let fallible = element.can_fail();
    Converter::infallible(move |array| {
        let list = array.as_list::<i32>();
        let (start, length, offsets) = used_part(list.offsets());
        let values = element
            .apply(&list.values().slice(start, length))
            .map_err(|error| row_of(error, &offsets))?;
        Ok(Arc::new(ListArray::new(
            Arc::clone(&field),
            offsets,
            values,
            list.nulls().cloned(),
        )))
    })
    .with_fallible(fallible)
}

/// Returns the conversion of maps by the conversions of their keys and values.
pub(crate) fn map(key: Converter, value: Converter, to: &TypeKind) -> Converter {
    let DataType::Map(field, sorted) = arrow_type(to) else {
        unreachable!("a MAP is a map");
    };
    let DataType::Struct(fields) = field.data_type().clone() else {
        unreachable!("a map's entries are a struct");
    };
    let fallible = key.can_fail() || value.can_fail();
    Converter::infallible(move |array| {
        let map = array.as_map();
        let (start, length, offsets) = used_part(map.offsets());
        let at_row = |error| row_of(error, &offsets);
        let keys = key
            .apply(&map.keys().slice(start, length))
            .map_err(at_row)?;
        let values = value
            .apply(&map.values().slice(start, length))
            .map_err(at_row)?;
        let entries = StructArray::new(fields.clone(), vec![keys, values], None);
        Ok(Arc::new(MapArray::new(
            Arc::clone(&field),
            offsets,
            entries,
            map.nulls().cloned(),
            sorted,
        )))
    })
    .with_fallible(fallible)
}

/// Returns the conversion of rows by the conversions of their fields, by position.
pub(crate) fn row(fields: Vec<Converter>, to: &TypeKind) -> Converter {
    let DataType::Struct(types) = arrow_type(to) else {
        unreachable!("a ROW is a struct");
    };
    let fallible = fields.iter().any(Converter::can_fail);
    Converter::infallible(move |array| row_array(array, &fields, &types)).with_fallible(fallible)
}

fn row_array(
    array: &ArrayRef,
    converters: &[Converter],
    types: &Fields,
) -> Result<ArrayRef, RowError> {
    let input = array.as_struct();
    let mut columns = Vec::with_capacity(types.len());
    for (column, converter) in input.columns().iter().zip(converters) {
        columns.push(converter.apply(column)?);
    }
    // Further fields of the target are NULL.
    for field in &types[columns.len()..] {
        columns.push(new_null_array(field.data_type(), input.len()));
    }
    Ok(Arc::new(
        StructArray::try_new_with_length(
            types.clone(),
            columns,
            input.nulls().cloned(),
            input.len(),
        )
        .expect("each column was converted to its field's type"),
    ))
}

/// Returns where the elements of an array's rows begin, how many there are, and offsets that begin with 0. A
/// slice of an array keeps the elements of all rows, which must not be converted.
fn used_part(offsets: &OffsetBuffer<i32>) -> (usize, usize, OffsetBuffer<i32>) {
    let first = offsets[0];
    let last = offsets[offsets.len() - 1];
    let index = |offset: i32| usize::try_from(offset).expect("offsets are not negative");
    let moved: Vec<i32> = offsets.iter().map(|offset| offset - first).collect();
    (
        index(first),
        index(last - first),
        OffsetBuffer::new(moved.into()),
    )
}

/// Moves a failure from an element to the row it stands in.
fn row_of(error: RowError, offsets: &[i32]) -> RowError {
    let element = i32::try_from(error.row).unwrap_or(i32::MAX);
    let row = offsets.partition_point(|offset| *offset <= element);
    RowError {
        row: row.saturating_sub(1),
        ..error
    }
}

/// Returns the conversion that makes a row NULL where `inner` fails on it.
pub(crate) fn null_on_failure(inner: Converter, to: &TypeKind) -> Converter {
    let data_type = arrow_type(to);
    Converter::infallible(move |array| {
        if let Ok(result) = inner.apply(array) {
            return Ok(result);
        }
        let rows: Vec<ArrayRef> = (0..array.len())
            .map(|row| {
                inner
                    .apply(&array.slice(row, 1))
                    .unwrap_or_else(|_| new_null_array(&data_type, 1))
            })
            .collect();
        let rows: Vec<&dyn Array> = rows.iter().map(AsRef::as_ref).collect();
        Ok(arrow_select::concat::concat(&rows).expect("all rows have the target's type"))
    })
}
