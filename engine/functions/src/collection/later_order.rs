//! ARRAY_MAX, ARRAY_MIN and ARRAY_SORT of Flink 1.20 and 2.0: elements in their order.
//!
//! # Flink
//! BOOLEAN and constructed types have no order here. The greatest and least leave NULL out. Sorting puts NULL first,
//! descending last, unless the third argument says so; NaN stands behind all numbers (in Flink it is equal to any, so
//! that its place depends on the rest).

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ListArray, UInt32Array, new_null_array};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::DataType;
use arrow_select::take::take;
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};
use millrace_connector::{FlinkType, TypeKind};

use super::elements::Lists;
use crate::operator::compare::text_order;
use crate::string::{BatchKernel, count_error, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `ARRAY_MAX`.
pub(crate) static ARRAY_MAX: FunctionDef = FunctionDef {
    name: "ARRAY_MAX",
    aliases: &[],
    category: Category::Collection,
    signatures: &["ARRAY_MAX(array ARRAY<t>) → t"],
    doc: "Returns the greatest element; NULL elements are left out.\nAn array without any and a NULL array give NULL.\n\
          Flink has it from 1.20 on.",
    examples: &[("ARRAY_MAX(ARRAY[1, 3, 2])", "3")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_extreme("ARRAY_MAX", args, Ordering::Greater),
};

/// `ARRAY_MIN`.
pub(crate) static ARRAY_MIN: FunctionDef = FunctionDef {
    name: "ARRAY_MIN",
    aliases: &[],
    category: Category::Collection,
    signatures: &["ARRAY_MIN(array ARRAY<t>) → t"],
    doc: "Returns the least element; NULL elements are left out.\nAn array without any and a NULL array give NULL.\n\
          Flink has it from 1.20 on.",
    examples: &[("ARRAY_MIN(ARRAY[1, 3, 2])", "1")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_extreme("ARRAY_MIN", args, Ordering::Less),
};

/// `ARRAY_SORT`.
pub(crate) static ARRAY_SORT: FunctionDef = FunctionDef {
    name: "ARRAY_SORT",
    aliases: &[],
    category: Category::Collection,
    signatures: &[
        "ARRAY_SORT(array ARRAY<t> [, ascending BOOLEAN [, nullFirst BOOLEAN]]) → ARRAY<t>",
    ],
    doc: "Returns the array in the order of its elements, ascending if nothing else is said.\n\
          NULL elements stand first in ascending order and last in descending order, unless `nullFirst` says so.\n\
          NULL for any argument gives NULL.\nFlink has it from 1.20 on.",
    examples: &[
        ("ARRAY_SORT(ARRAY[3, 1, 2])", "[1, 2, 3]"),
        ("ARRAY_SORT(ARRAY[3, 1, 2], FALSE)", "[3, 2, 1]"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_sort(args),
};

/// Compares two elements that are not NULL; `None` where NaN is one of them.
type Order<'a> = Box<dyn Fn(usize, usize) -> Option<Ordering> + 'a>;

fn is_ordered(kind: &TypeKind) -> bool {
    !kind.is_constructed() && !matches!(kind, TypeKind::Boolean | TypeKind::Null)
}

fn order<'a>(kind: &TypeKind, values: &'a ArrayRef) -> Order<'a> {
    match kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            let texts = values.as_string_view();
            Box::new(|a, b| Some(text_order(texts.value(a), texts.value(b))))
        }
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            let bytes = values.as_binary_view();
            Box::new(|a, b| Some(bytes.value(a).cmp(bytes.value(b))))
        }
        TypeKind::TinyInt => of_primitive::<Int8Type>(values),
        TypeKind::SmallInt => of_primitive::<Int16Type>(values),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => of_primitive::<Int32Type>(values),
        TypeKind::Float => of_primitive::<Float32Type>(values),
        TypeKind::Double => of_primitive::<Float64Type>(values),
        TypeKind::Date => of_primitive::<Date32Type>(values),
        TypeKind::Time(_) => of_primitive::<Time32MillisecondType>(values),
        TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) if *p <= MICROSECOND_PRECISION_MAX => {
            of_primitive::<TimestampMicrosecondType>(values)
        }
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) | TypeKind::Decimal(..) => {
            of_primitive::<Decimal128Type>(values)
        }
        _ => of_primitive::<Int64Type>(values),
    }
}

fn of_primitive<T: ArrowPrimitiveType>(values: &ArrayRef) -> Order<'_>
where
    T::Native: PartialOrd,
{
    let values = values.as_primitive::<T>();
    Box::new(|a, b| values.value(a).partial_cmp(&values.value(b)))
}

/// Returns the element type of an array that has an order.
fn element(name: &str, args: &[Arg]) -> Result<FlinkType, CallError> {
    match &args[0].ty.kind {
        TypeKind::Array(element) if is_ordered(&element.kind) => Ok((**element).clone()),
        _ => Err(types_error(name, args)),
    }
}

fn bind_extreme(name: &'static str, args: &[Arg], wanted: Ordering) -> Result<Bound, CallError> {
    if args.len() != 1 {
        return Err(count_error(name, args.len(), 1, Some(1)));
    }
    let element = element(name, args)?;
    let kind = element.kind.clone();
    Ok(Bound {
        arg_types: vec![args[0].ty.clone()],
        return_type: element.with_nullable(true),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            extreme(&args[0], rows, &kind, wanted)
        }),
    })
}

fn extreme(column: &Column, rows: usize, kind: &TypeKind, wanted: Ordering) -> ArrayRef {
    let lists = Lists::new(column);
    let Some(values) = lists.values() else {
        return new_null_array(&arrow_type(kind), rows);
    };
    let order = order(kind, values);
    let picks: UInt32Array = (0..rows)
        .map(|row| {
            let (start, end) = lists.range(row)?;
            let best = (start..end)
                .filter(|at| values.is_valid(*at))
                .reduce(|best, at| {
                    if order(at, best) == Some(wanted) {
                        at
                    } else {
                        best
                    }
                })?;
            u32::try_from(best).ok()
        })
        .collect();
    take(values, &picks, None).expect("the picks lie in the values")
}

fn bind_sort(args: &[Arg]) -> Result<Bound, CallError> {
    if !(1..=3).contains(&args.len()) {
        return Err(count_error("ARRAY_SORT", args.len(), 1, Some(3)));
    }
    let element = element("ARRAY_SORT", args)?;
    let is_flag = |arg: &Arg| arg.ty.kind == TypeKind::Boolean;
    if !args[1..].iter().all(is_flag) {
        return Err(types_error("ARRAY_SORT", args));
    }
    let nullable = args.iter().any(|arg| arg.ty.nullable);
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: args[0].ty.clone().with_nullable(nullable),
        kernel: BatchKernel::infallible("ARRAY_SORT", move |args: &[Column], rows| {
            sort(args, rows, &element)
        }),
    })
}

fn sort(args: &[Column], rows: usize, element: &FlinkType) -> ArrayRef {
    let data_type = arrow_type(&TypeKind::Array(Box::new(element.clone())));
    let lists = Lists::new(&args[0]);
    let (Some(values), DataType::List(field)) = (lists.values(), &data_type) else {
        return new_null_array(&data_type, rows);
    };
    let order = order(&element.kind, values);
    let is_nan = |at: usize| order(at, at).is_none();
    let flag = |place: usize, row: usize| match args.get(place) {
        None => Some(None),
        Some(column) if column.is_null(row) => None,
        Some(column) => Some(Some(column.array().as_boolean().value(column.index(row)))),
    };
    let mut picks: Vec<u32> = Vec::new();
    let mut lengths = Vec::with_capacity(rows);
    let mut nulls = NullBufferBuilder::new(rows);
    for row in 0..rows {
        let (Some((start, end)), Some(ascending), Some(null_first)) =
            (lists.range(row), flag(1, row), flag(2, row))
        else {
            lengths.push(0);
            nulls.append_null();
            continue;
        };
        let ascending = ascending.unwrap_or(true);
        let null_first = null_first.unwrap_or(ascending);
        let (absent, mut present): (Vec<usize>, Vec<usize>) =
            (start..end).partition(|at| values.is_null(*at));
        present.sort_by(|a, b| {
            let ordering = order(*a, *b).unwrap_or_else(|| is_nan(*a).cmp(&is_nan(*b)));
            if ascending {
                ordering
            } else {
                ordering.reverse()
            }
        });
        let (first, last) = if null_first {
            (absent, present)
        } else {
            (present, absent)
        };
        let number = |at: usize| u32::try_from(at).expect("a batch has fewer than 2^32 elements");
        picks.extend(first.into_iter().chain(last).map(number));
        lengths.push(end - start);
        nulls.append_non_null();
    }
    let sorted =
        take(values, &UInt32Array::from(picks), None).expect("the picks lie in the values");
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(ListArray::new(
        Arc::clone(field),
        offsets,
        sorted,
        nulls.finish(),
    ))
}
