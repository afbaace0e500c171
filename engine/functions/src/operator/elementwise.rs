//! Loops over one or two columns, of which each may be a constant.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, new_null_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::DataType;

use crate::{Column, RowError};

/// Tells whether some argument is a constant NULL.
pub(crate) fn has_null_constant(args: &[Column]) -> bool {
    args.iter().any(|arg| arg.is_constant() && arg.is_null(0))
}

/// Tells whether all arguments are constants.
pub(crate) fn all_constant(args: &[Column]) -> bool {
    args.iter().all(Column::is_constant)
}

/// Returns a NULL for all rows.
pub(crate) fn null_column(data_type: &DataType) -> Column {
    Column::Constant(new_null_array(data_type, 1))
}

/// Returns where some argument is NULL. Constants must not be NULL.
pub(crate) fn union_nulls(args: &[Column]) -> Option<NullBuffer> {
    args.iter()
        .filter(|arg| !arg.is_constant())
        .fold(None, |nulls, arg| {
            NullBuffer::union(nulls.as_ref(), arg.array().nulls())
        })
}

/// Runs `build(rows)` for as many rows as the result has: one when all arguments are constants.
pub(crate) fn column(
    args: &[Column],
    rows: usize,
    build: impl FnOnce(usize) -> Result<ArrayRef, RowError>,
) -> Result<Column, RowError> {
    if all_constant(args) {
        Ok(Column::Constant(build(1)?))
    } else {
        Ok(Column::Array(build(rows)?))
    }
}

fn primitive<T: ArrowPrimitiveType>(column: &Column) -> &PrimitiveArray<T> {
    column.array().as_primitive::<T>()
}

/// Applies an operation that cannot fail to two columns of primitive values.
pub(crate) fn binary<L, R, O>(
    args: &[Column],
    rows: usize,
    data_type: &DataType,
    op: impl Fn(L::Native, R::Native) -> O::Native,
) -> Result<Column, RowError>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    if has_null_constant(args) {
        return Ok(null_column(data_type));
    }
    column(args, rows, |rows| {
        let (left, right) = (primitive::<L>(&args[0]), primitive::<R>(&args[1]));
        let (l, r) = (left.values(), right.values());
        let values: Vec<O::Native> = match (args[0].is_constant(), args[1].is_constant()) {
            (false, false) => l.iter().zip(r.iter()).map(|(l, r)| op(*l, *r)).collect(),
            (false, true) => l.iter().map(|l| op(*l, r[0])).collect(),
            (true, false) => r.iter().map(|r| op(l[0], *r)).collect(),
            (true, true) => vec![op(l[0], r[0])],
        };
        debug_assert_eq!(values.len(), rows);
        let array = PrimitiveArray::<O>::new(values.into(), union_nulls(args));
        Ok(Arc::new(array.with_data_type(data_type.clone())))
    })
}

/// Applies an operation that can fail or give NULL to two columns of primitive values.
pub(crate) fn try_binary<L, R, O>(
    args: &[Column],
    rows: usize,
    data_type: &DataType,
    op: impl Fn(L::Native, R::Native) -> Result<Option<O::Native>, String>,
) -> Result<Column, RowError>
where
    L: ArrowPrimitiveType,
    R: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    use crate::cast::convert::{OnFailure, build_primitive};
    if has_null_constant(args) {
        return Ok(null_column(data_type));
    }
    column(args, rows, |rows| {
        let (left, right) = (primitive::<L>(&args[0]), primitive::<R>(&args[1]));
        let nulls = union_nulls(args);
        build_primitive::<O>(rows, nulls.as_ref(), data_type, OnFailure::Fail, |row| {
            op(
                left.value(args[0].index(row)),
                right.value(args[1].index(row)),
            )
        })
    })
}

/// Applies an operation that cannot fail to one column of primitive values.
pub(crate) fn unary<I, O>(
    args: &[Column],
    data_type: &DataType,
    op: impl Fn(I::Native) -> O::Native,
) -> Result<Column, RowError>
where
    I: ArrowPrimitiveType,
    O: ArrowPrimitiveType,
{
    let input = primitive::<I>(&args[0]);
    let values: Vec<O::Native> = input.values().iter().map(|v| op(*v)).collect();
    let array = PrimitiveArray::<O>::new(values.into(), input.nulls().cloned());
    let array: ArrayRef = Arc::new(array.with_data_type(data_type.clone()));
    Ok(like(&args[0], array))
}

/// Returns the array as a constant where `column` is one.
pub(crate) fn like(column: &Column, array: ArrayRef) -> Column {
    match column {
        Column::Array(_) => Column::Array(array),
        Column::Constant(_) => Column::Constant(array),
    }
}

/// Tests pairs of rows; the result is NULL where an argument is.
pub(crate) fn test_pairs(
    args: &[Column],
    rows: usize,
    test: impl Fn(usize, usize) -> bool,
) -> Result<Column, RowError> {
    if has_null_constant(args) {
        return Ok(null_column(&DataType::Boolean));
    }
    column(args, rows, |rows| {
        let values = match (args[0].is_constant(), args[1].is_constant()) {
            (false, false) => BooleanBuffer::collect_bool(rows, |i| test(i, i)),
            (false, true) => BooleanBuffer::collect_bool(rows, |i| test(i, 0)),
            (true, false) => BooleanBuffer::collect_bool(rows, |i| test(0, i)),
            (true, true) => BooleanBuffer::collect_bool(1, |_| test(0, 0)),
        };
        Ok(Arc::new(BooleanArray::new(values, union_nulls(args))))
    })
}
