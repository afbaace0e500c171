//! The constructors ROW, ARRAY, MAP and MULTISET.
//!
//! # Flink
//! The elements of an array, and the keys and values of a map, are brought to their common type. The last of equal
//! keys wins. Constructed values are never NULL themselves. A NULL key, which Flink's maps can hold, fails the row
//! here: the column format has no place for it.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, ListArray, MapArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, RowField, TypeKind};

use super::elements::{Equality, choose};
use crate::operator::coercion::least_restrictive;
use crate::string::{BatchKernel, count_error, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `ROW(…)`.
pub(crate) static ROW: FunctionDef = FunctionDef {
    name: "ROW",
    aliases: &[],
    category: Category::Construction,
    signatures: &["ROW(value ANY, …) → ROW<EXPR$0 …, …>"],
    doc: "Returns a row of the values; its fields are named `EXPR$0`, `EXPR$1` and so on.",
    examples: &[("ROW(1, 'a')", "(1, a)")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_row(args),
};

/// `ARRAY[…]`.
pub(crate) static ARRAY: FunctionDef = FunctionDef {
    name: "ARRAY",
    aliases: &[],
    category: Category::Construction,
    signatures: &["ARRAY '[' element t, … ']' → ARRAY<t>"],
    doc: "Returns an array of the elements, which are brought to their common type.",
    examples: &[("ARRAY[1, 2]", "[1, 2]")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_array(args),
};

/// `MAP[…]`.
pub(crate) static MAP: FunctionDef = FunctionDef {
    name: "MAP",
    aliases: &[],
    category: Category::Construction,
    signatures: &["MAP '[' key k, value v, … ']' → MAP<k, v>"],
    doc: "Returns a map of the keys and values, which are brought to their common types.\n\
          The last of equal keys wins.\nA NULL key fails the row.",
    examples: &[("MAP['a', 1]", "{a=1}")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_map(args),
};

/// `MULTISET[…]`.
pub(crate) static MULTISET: FunctionDef = FunctionDef {
    name: "MULTISET",
    aliases: &[],
    category: Category::Construction,
    signatures: &["MULTISET '[' element t, … ']' → MULTISET<t>"],
    doc: "Returns a multiset of the elements, which are brought to their common type.\nA NULL element fails the row.",
    examples: &[("MULTISET['a', 'a']", "{a=2}")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_multiset(args),
};

fn bind_row(args: &[Arg]) -> Result<Bound, CallError> {
    if args.is_empty() {
        return Err(count_error("ROW", 0, 1, None));
    }
    refuse_untyped_null("ROW", args)?;
    let fields = args.iter().enumerate().map(|(place, arg)| RowField {
        name: format!("EXPR${place}"),
        ty: arg.ty.clone(),
    });
    let kind = TypeKind::Row(fields.collect());
    let DataType::Struct(fields) = arrow_type(&kind) else {
        unreachable!("a ROW is a struct");
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: kind.not_null(),
        kernel: BatchKernel::infallible("ROW", move |args: &[Column], rows| {
            let columns = args.iter().map(|arg| expanded(arg, rows)).collect();
            Arc::new(StructArray::new(fields.clone(), columns, None)) as ArrayRef
        }),
    })
}

fn refuse_untyped_null(name: &str, args: &[Arg]) -> Result<(), CallError> {
    if args.iter().any(|arg| arg.ty.kind == TypeKind::Null) {
        return Err(types_error(name, args));
    }
    Ok(())
}

/// Returns the column as an array of `rows` values.
fn expanded(column: &Column, rows: usize) -> ArrayRef {
    match column {
        Column::Constant(value) if rows != 1 => choose(&[value.as_ref()], &vec![(0, 0); rows]),
        Column::Constant(array) | Column::Array(array) => Arc::clone(array),
    }
}

/// Returns the common type of arguments, and what each must be cast to.
fn common<'a>(
    name: &str,
    args: &[Arg],
    of: impl Iterator<Item = &'a Arg>,
) -> Result<FlinkType, CallError> {
    let types: Vec<FlinkType> = of.map(|arg| arg.ty.clone()).collect();
    least_restrictive(&types).ok_or_else(|| types_error(name, args))
}

fn cast_to(arg: &Arg, common: &FlinkType) -> FlinkType {
    common.clone().with_nullable(arg.ty.nullable)
}

fn bind_array(args: &[Arg]) -> Result<Bound, CallError> {
    if args.is_empty() {
        return Err(count_error("ARRAY", 0, 1, None));
    }
    refuse_untyped_null("ARRAY", args)?;
    let element = common("ARRAY", args, args.iter())?;
    let arg_types = args.iter().map(|arg| cast_to(arg, &element)).collect();
    let kind = TypeKind::Array(Box::new(element));
    let data_type = arrow_type(&kind);
    Ok(Bound {
        arg_types,
        return_type: kind.not_null(),
        kernel: BatchKernel::infallible("ARRAY", move |args: &[Column], rows| {
            let DataType::List(field) = &data_type else {
                unreachable!("an ARRAY is a list");
            };
            let arrays: Vec<&dyn Array> = args.iter().map(|arg| arg.array().as_ref()).collect();
            let choices: Vec<(usize, usize)> = (0..rows)
                .flat_map(|row| {
                    args.iter()
                        .enumerate()
                        .map(move |(i, arg)| (i, arg.index(row)))
                })
                .collect();
            let offsets = OffsetBuffer::from_repeated_length(args.len(), rows);
            let values = choose(&arrays, &choices);
            Arc::new(ListArray::new(Arc::clone(field), offsets, values, None)) as ArrayRef
        }),
    })
}

fn bind_map(args: &[Arg]) -> Result<Bound, CallError> {
    if args.is_empty() || !args.len().is_multiple_of(2) {
        return Err(CallError::ArgumentCount {
            function: "MAP".to_owned(),
            expected: "an even number of arguments".to_owned(),
            given: args.len(),
        });
    }
    refuse_untyped_null("MAP", args)?;
    let key = common("MAP", args, args.iter().step_by(2))?;
    let value = common("MAP", args, args.iter().skip(1).step_by(2))?;
    let arg_types = args
        .iter()
        .enumerate()
        .map(|(place, arg)| cast_to(arg, if place % 2 == 0 { &key } else { &value }))
        .collect();
    let kind = TypeKind::Map(Box::new(key), Box::new(value));
    let data_type = arrow_type(&kind);
    Ok(Bound {
        arg_types,
        return_type: kind.not_null(),
        kernel: BatchKernel::fallible("MAP", move |args: &[Column], rows| {
            map(args, rows, &data_type)
        }),
    })
}

fn map(args: &[Column], rows: usize, data_type: &DataType) -> Result<ArrayRef, RowError> {
    let keys: Vec<&Column> = args.iter().step_by(2).collect();
    let mut key_choices = Vec::with_capacity(rows * keys.len());
    let mut value_choices = Vec::with_capacity(rows * keys.len());
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let distinct = distinct_keys(&keys, row)?;
        lengths.push(distinct.len());
        for (first, last) in distinct {
            key_choices.push((first, keys[first].index(row)));
            value_choices.push((last, args[last * 2 + 1].index(row)));
        }
    }
    let column = |choices: &[(usize, usize)], from: usize| {
        let arrays: Vec<&dyn Array> = args
            .iter()
            .skip(from)
            .step_by(2)
            .map(|arg| arg.array().as_ref())
            .collect();
        choose(&arrays, choices)
    };
    let entries = (column(&key_choices, 0), column(&value_choices, 1));
    Ok(map_array(data_type, entries.0, entries.1, lengths))
}

/// Returns the numbers of the keys that differ, each with that of the last key equal to it.
fn distinct_keys(keys: &[&Column], row: usize) -> Result<Vec<(usize, usize)>, RowError> {
    let mut distinct: Vec<(usize, usize)> = Vec::with_capacity(keys.len());
    for (place, key) in keys.iter().enumerate() {
        if key.is_null(row) {
            return Err(RowError::new(row, "a map's key is NULL"));
        }
        let known = distinct.iter_mut().find(|(first, _)| {
            let earlier = keys[*first];
            let equality = Equality::new(earlier.array().as_ref(), key.array().as_ref());
            equality.same(earlier.index(row), key.index(row))
        });
        match known {
            Some(pair) => pair.1 = place,
            None => distinct.push((place, place)),
        }
    }
    Ok(distinct)
}

/// Builds a map column from the entries of its rows.
fn map_array(
    data_type: &DataType,
    keys: ArrayRef,
    values: ArrayRef,
    lengths: Vec<usize>,
) -> ArrayRef {
    let DataType::Map(entries, sorted) = data_type else {
        unreachable!("a MAP is a map");
    };
    let DataType::Struct(fields) = entries.data_type() else {
        unreachable!("a map's entries are a struct");
    };
    let structs = StructArray::new(fields.clone(), vec![keys, values], None);
    let entries: Arc<Field> = Arc::clone(entries);
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(MapArray::new(entries, offsets, structs, None, *sorted))
}

fn bind_multiset(args: &[Arg]) -> Result<Bound, CallError> {
    if args.is_empty() {
        return Err(count_error("MULTISET", 0, 1, None));
    }
    refuse_untyped_null("MULTISET", args)?;
    let element = common("MULTISET", args, args.iter())?;
    let arg_types = args.iter().map(|arg| cast_to(arg, &element)).collect();
    let kind = TypeKind::Multiset(Box::new(element));
    let data_type = arrow_type(&kind);
    Ok(Bound {
        arg_types,
        return_type: kind.not_null(),
        kernel: BatchKernel::fallible("MULTISET", move |args: &[Column], rows| {
            multiset(args, rows, &data_type)
        }),
    })
}

fn multiset(args: &[Column], rows: usize, data_type: &DataType) -> Result<ArrayRef, RowError> {
    let elements: Vec<&Column> = args.iter().collect();
    let mut choices = Vec::new();
    let mut counts = Vec::new();
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut distinct: Vec<(usize, i32)> = Vec::new();
        for place in 0..elements.len() {
            // The distinct elements among those up to this one tell whether it was there before.
            let among = distinct_keys(&elements[..=place], row)?;
            let (first, _) = among
                .into_iter()
                .find(|(_, last)| *last == place)
                .expect("the last element is equal to one of them");
            match distinct.iter_mut().find(|(known, _)| *known == first) {
                Some(pair) => pair.1 += 1,
                None => distinct.push((first, 1)),
            }
        }
        lengths.push(distinct.len());
        for (first, count) in distinct {
            choices.push((first, elements[first].index(row)));
            counts.push(count);
        }
    }
    let arrays: Vec<&dyn Array> = args.iter().map(|arg| arg.array().as_ref()).collect();
    let keys = choose(&arrays, &choices);
    let counts = Arc::new(Int32Array::from(counts));
    Ok(map_array(data_type, keys, counts, lengths))
}
