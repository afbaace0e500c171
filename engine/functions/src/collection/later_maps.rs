//! The map functions of Flink 1.18 to 2.x, and ARRAY_JOIN.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, new_null_array};
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{RowField, TypeKind};

use super::elements::Lists;
use crate::string::{BatchKernel, TextBuilder, Texts, count_error, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

macro_rules! map_function {
    ($constant:ident, $name:literal, $part:expr, $since:literal, $signature:literal, $doc:literal, $example:expr) => {
        #[doc = concat!("`", $name, "`.")]
        pub(crate) static $constant: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::Collection,
            signatures: &[$signature],
            doc: concat!(
                $doc,
                " Their order is not specified.\nNULL gives NULL.\nFlink has it from ",
                $since,
                " on."
            ),
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: |args, _| bind_part($name, args, $part),
        };
    };
}

map_function!(
    MAP_KEYS,
    "MAP_KEYS",
    Part::Keys,
    "1.18",
    "MAP_KEYS(map MAP<k, v>) → ARRAY<k>",
    "Returns the map's keys.",
    ("MAP_KEYS(MAP['a', 1])", "[a]")
);
map_function!(
    MAP_VALUES,
    "MAP_VALUES",
    Part::Values,
    "1.18",
    "MAP_VALUES(map MAP<k, v>) → ARRAY<v>",
    "Returns the map's values.",
    ("MAP_VALUES(MAP['a', 1])", "[1]")
);
map_function!(
    MAP_ENTRIES,
    "MAP_ENTRIES",
    Part::Entries,
    "1.18",
    "MAP_ENTRIES(map MAP<k, v>) → ARRAY<ROW<key k, value v>>",
    "Returns the map's entries as rows.",
    ("MAP_ENTRIES(MAP['a', 1])", "[(a, 1)]")
);

/// `ARRAY_JOIN`.
pub(crate) static ARRAY_JOIN: FunctionDef = FunctionDef {
    name: "ARRAY_JOIN",
    aliases: &[],
    category: Category::Collection,
    signatures: &[
        "ARRAY_JOIN(array ARRAY<STRING>, delimiter STRING [, nullReplacement STRING]) → STRING",
    ],
    doc: "Returns the array's texts one after the other with the delimiter between them.\n\
          NULL elements are left out, or replaced where a replacement is given.\nNULL gives NULL.\n\
          Flink has it from 1.18 on.",
    examples: &[("ARRAY_JOIN(ARRAY['a', 'b'], '-')", "a-b")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_join(args),
};

#[derive(Clone, Copy, Debug)]
enum Part {
    Keys,
    Values,
    Entries,
}

fn bind_part(name: &'static str, args: &[Arg], part: Part) -> Result<Bound, CallError> {
    if args.len() != 1 {
        return Err(count_error(name, args.len(), 1, Some(1)));
    }
    let ty = &args[0].ty;
    let TypeKind::Map(key, value) = &ty.kind else {
        return Err(types_error(name, args));
    };
    let element = match part {
        Part::Keys => (**key).clone(),
        Part::Values => (**value).clone(),
        Part::Entries => {
            let field = |name: &str, ty: &millrace_connector::FlinkType| RowField {
                name: name.to_owned(),
                ty: ty.clone(),
            };
            TypeKind::Row(vec![field("key", key), field("value", value)]).nullable()
        }
    };
    let kind = TypeKind::Array(Box::new(element));
    let data_type = arrow_type(&kind);
    Ok(Bound {
        arg_types: vec![ty.clone()],
        return_type: kind.nullable().with_nullable(ty.nullable),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            part_of(&args[0], rows, part, &data_type)
        }),
    })
}

/// A map's keys and values lie as a list's elements do: nothing is copied.
fn part_of(column: &Column, rows: usize, part: Part, data_type: &DataType) -> ArrayRef {
    let (Some(maps), DataType::List(field)) = (column.array().as_map_opt(), data_type) else {
        return new_null_array(data_type, rows);
    };
    let values: ArrayRef = match (part, field.data_type()) {
        (Part::Entries, DataType::Struct(fields)) => Arc::new(arrow_array::StructArray::new(
            fields.clone(),
            vec![Arc::clone(maps.keys()), Arc::clone(maps.values())],
            None,
        )),
        (Part::Values, _) => Arc::clone(maps.values()),
        _ => Arc::clone(maps.keys()),
    };
    let offsets = maps.offsets().clone();
    let nulls = maps.nulls().cloned();
    Arc::new(ListArray::new(Arc::clone(field), offsets, values, nulls))
}

fn bind_join(args: &[Arg]) -> Result<Bound, CallError> {
    if !(2..=3).contains(&args.len()) {
        return Err(count_error("ARRAY_JOIN", args.len(), 2, Some(3)));
    }
    let texts = match &args[0].ty.kind {
        TypeKind::Array(element) => element.kind.is_character(),
        _ => false,
    };
    if !texts || !args[1..].iter().all(|arg| arg.ty.kind.is_character()) {
        return Err(types_error("ARRAY_JOIN", args));
    }
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: millrace_connector::FlinkType::string()
            .with_nullable(args.iter().any(|arg| arg.ty.nullable)),
        kernel: BatchKernel::infallible("ARRAY_JOIN", join),
    })
}

fn join(args: &[Column], rows: usize) -> ArrayRef {
    let lists = Lists::new(&args[0]);
    let elements = lists
        .values()
        .and_then(|values| values.as_string_view_opt());
    let delimiters = Texts::new(&args[1]);
    let replacements = args.get(2).map(Texts::new);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let replacement = match &replacements {
            None => Some(None),
            Some(replacements) => replacements.get(row).map(Some),
        };
        let (Some((start, end)), Some(elements), Some(delimiter), Some(replacement)) =
            (lists.range(row), elements, delimiters.get(row), replacement)
        else {
            out.push_null();
            continue;
        };
        buffer.clear();
        let mut first = true;
        for at in start..end {
            let text = elements
                .is_valid(at)
                .then(|| elements.value(at))
                .or(replacement);
            let Some(text) = text else { continue };
            if !first {
                buffer.push_str(delimiter);
            }
            first = false;
            buffer.push_str(text);
        }
        out.push(&buffer);
    }
    out.finish()
}
