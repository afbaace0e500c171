//! MAP_FROM_ARRAYS of Flink 1.19 and MAP_UNION of 2.0.
//!
//! # Flink
//! MAP_FROM_ARRAYS keeps equal keys side by side and fails the row where the arrays differ in length. MAP_UNION takes
//! the value of the last map that has the key.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, MapArray, StructArray, new_null_array};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};

use super::elements::{Equality, Lists, Maps, choose};
use crate::operator::coercion::common_type;
use crate::string::{BatchKernel, count_error, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `MAP_FROM_ARRAYS`.
pub(crate) static MAP_FROM_ARRAYS: FunctionDef = FunctionDef {
    name: "MAP_FROM_ARRAYS",
    aliases: &[],
    category: Category::Collection,
    signatures: &["MAP_FROM_ARRAYS(keys ARRAY<k>, values ARRAY<v>) → MAP<k, v>"],
    doc: "Returns the map that has these keys and values, place by place.\n\
          Arrays of different length and a NULL key fail the row; a NULL array gives NULL.\n\
          Flink has it from 1.19 on.",
    examples: &[(
        "MAP_FROM_ARRAYS(ARRAY['a', 'b'], ARRAY[1, 2])",
        "{a=1, b=2}",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_from_arrays(args),
};

/// `MAP_UNION`.
pub(crate) static MAP_UNION: FunctionDef = FunctionDef {
    name: "MAP_UNION",
    aliases: &[],
    category: Category::Collection,
    signatures: &["MAP_UNION(map MAP<k, v>, …) → MAP<k, v>"],
    doc: "Returns the entries of all maps; of a key that several have, the value of the last.\n\
          A NULL map gives NULL.\nFlink has it from 2.0 on.",
    examples: &[("MAP_UNION(MAP['a', 1], MAP['a', 2])", "{a=2}")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_union(args),
};

/// Builds a MAP row by row of chosen keys and values.
#[derive(Default)]
struct Entries {
    keys: Vec<(usize, usize)>,
    values: Vec<(usize, usize)>,
    lengths: Vec<usize>,
}

impl Entries {
    fn finish(
        self,
        data_type: &DataType,
        keys: &[&dyn Array],
        values: &[&dyn Array],
        mut nulls: NullBufferBuilder,
    ) -> ArrayRef {
        let DataType::Map(field, sorted) = data_type else {
            unreachable!("a MAP is a map");
        };
        let DataType::Struct(fields) = field.data_type() else {
            unreachable!("a map's entries are a struct");
        };
        let columns = vec![choose(keys, &self.keys), choose(values, &self.values)];
        let entries = StructArray::new(fields.clone(), columns, None);
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        Arc::new(MapArray::new(
            Arc::clone(field),
            offsets,
            entries,
            nulls.finish(),
            *sorted,
        ))
    }
}

fn bind_from_arrays(args: &[Arg]) -> Result<Bound, CallError> {
    let name = "MAP_FROM_ARRAYS";
    if args.len() != 2 {
        return Err(count_error(name, args.len(), 2, Some(2)));
    }
    let (TypeKind::Array(key), TypeKind::Array(value)) = (&args[0].ty.kind, &args[1].ty.kind)
    else {
        return Err(types_error(name, args));
    };
    let kind = TypeKind::Map(key.clone(), value.clone());
    let data_type = arrow_type(&kind);
    let nullable = args.iter().any(|arg| arg.ty.nullable);
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: kind.nullable().with_nullable(nullable),
        kernel: BatchKernel::fallible(name, move |args: &[Column], rows| {
            from_arrays(args, rows, &data_type)
        }),
    })
}

fn from_arrays(args: &[Column], rows: usize, data_type: &DataType) -> Result<ArrayRef, RowError> {
    let (keys, values) = (Lists::new(&args[0]), Lists::new(&args[1]));
    let (Some(key_values), Some(value_values)) = (keys.values(), values.values()) else {
        return Ok(new_null_array(data_type, rows));
    };
    let mut entries = Entries::default();
    let mut nulls = NullBufferBuilder::new(rows);
    for row in 0..rows {
        let (Some(key), Some(value)) = (keys.range(row), values.range(row)) else {
            entries.lengths.push(0);
            nulls.append_null();
            continue;
        };
        let (length, other) = (key.1 - key.0, value.1 - value.0);
        if length != other {
            let message = format!(
                "Invalid function MAP_FROM_ARRAYS call:\nThe length of the keys array {length} is not equal to the \
                 length of the values array {other}"
            );
            return Err(RowError::new(row, message));
        }
        if (key.0..key.1).any(|at| key_values.is_null(at)) {
            return Err(RowError::new(row, "a map's key is NULL"));
        }
        entries.keys.extend((key.0..key.1).map(|at| (0, at)));
        entries.values.extend((value.0..value.1).map(|at| (0, at)));
        entries.lengths.push(length);
        nulls.append_non_null();
    }
    Ok(entries.finish(data_type, &[key_values], &[value_values], nulls))
}

fn bind_union(args: &[Arg]) -> Result<Bound, CallError> {
    let name = "MAP_UNION";
    if args.is_empty() {
        return Err(count_error(name, 0, 1, None));
    }
    let wrong = || types_error(name, args);
    let (mut keys, mut values): (Vec<FlinkType>, Vec<FlinkType>) = (Vec::new(), Vec::new());
    for arg in args {
        let TypeKind::Map(key, value) = &arg.ty.kind else {
            return Err(wrong());
        };
        keys.push((**key).clone());
        values.push((**value).clone());
    }
    let key = common_type(&keys).ok_or_else(wrong)?;
    let value = common_type(&values).ok_or_else(wrong)?;
    let kind = TypeKind::Map(Box::new(key), Box::new(value));
    let data_type = arrow_type(&kind);
    let nullable = args.iter().any(|arg| arg.ty.nullable);
    Ok(Bound {
        arg_types: args
            .iter()
            .map(|arg| kind.clone().nullable().with_nullable(arg.ty.nullable))
            .collect(),
        return_type: kind.nullable().with_nullable(nullable),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            union(args, rows, &data_type)
        }),
    })
}

fn union(args: &[Column], rows: usize, data_type: &DataType) -> ArrayRef {
    let maps: Vec<Maps<'_>> = args.iter().map(Maps::new).collect();
    let keys: Option<Vec<&ArrayRef>> = maps.iter().map(Maps::keys).collect();
    let values: Option<Vec<&ArrayRef>> = maps.iter().map(Maps::values).collect();
    let (Some(keys), Some(values)) = (keys, values) else {
        return new_null_array(data_type, rows);
    };
    let mut entries = Entries::default();
    let mut nulls = NullBufferBuilder::new(rows);
    for row in 0..rows {
        let ranges: Option<Vec<(usize, usize)>> = maps.iter().map(|map| map.range(row)).collect();
        let Some(ranges) = ranges else {
            entries.lengths.push(0);
            nulls.append_null();
            continue;
        };
        // For each key its first place and the place of its last value.
        let mut found: Vec<[(usize, usize); 2]> = Vec::new();
        for (map, (start, end)) in ranges.into_iter().enumerate() {
            for at in start..end {
                let same = |[(other, place), _]: &&mut [(usize, usize); 2]| {
                    Equality::new(keys[*other].as_ref(), keys[map].as_ref()).same(*place, at)
                };
                match found.iter_mut().find(same) {
                    Some(entry) => entry[1] = (map, at),
                    None => found.push([(map, at); 2]),
                }
            }
        }
        entries.lengths.push(found.len());
        nulls.append_non_null();
        entries.keys.extend(found.iter().map(|[key, _]| *key));
        entries.values.extend(found.iter().map(|[_, value]| *value));
    }
    let plain = |arrays: &[&'_ ArrayRef]| -> Vec<ArrayRef> {
        arrays.iter().map(|array| Arc::clone(array)).collect()
    };
    let (keys, values) = (plain(&keys), plain(&values));
    let keys: Vec<&dyn Array> = keys.iter().map(AsRef::as_ref).collect();
    let values: Vec<&dyn Array> = values.iter().map(AsRef::as_ref).collect();
    entries.finish(data_type, &keys, &values, nulls)
}
