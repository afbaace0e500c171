//! STR_TO_MAP.
//!
//! # Flink
//! `SqlFunctionUtils.strToMap`: both delimiters are Java regular expressions. The text is split as by Java's
//! `String.split` (empty pieces at the end are dropped), each piece at its first key-value delimiter; a piece
//! without one is a key with a NULL. The last of equal keys wins. The entries come in the order of a Java
//! `HashMap`, which shows in a cast to STRING. A pattern that Java refuses fails the row.

use std::sync::Arc;

use arrow_array::{ArrayRef, MapArray, StructArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::{DataType, Field};
use millrace_connector::{FlinkType, TypeKind, physical::arrow_type};

use super::java_regex::JavaRegex;
use super::kernel::{BatchKernel, Texts};
use super::pattern_arg::{PatternArg, at_row};
use super::signature::{Param, check};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `STR_TO_MAP`.
pub(crate) static STR_TO_MAP: FunctionDef = FunctionDef {
    name: "STR_TO_MAP",
    aliases: &[],
    category: Category::String,
    signatures: &[
        "STR_TO_MAP(string STRING) → MAP<STRING, STRING>",
        "STR_TO_MAP(string STRING, listDelimiter STRING, keyValueDelimiter STRING) → MAP<STRING, STRING>",
    ],
    doc: "Returns the map that is written in the text: pairs between list delimiters (`,` by default), key and \
          value between key-value delimiters (`=` by default).\n\
          The delimiters are Java regular expressions; one that is not valid fails the row.\n\
          A piece without a key-value delimiter is a key with the value NULL.\nNULL gives NULL.",
    examples: &[("STR_TO_MAP('k1=v1,k2=v2')['k2']", "v2")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    if args.len() == 2 {
        return Err(super::signature::types_error("STR_TO_MAP", args));
    }
    let arg_types = check("STR_TO_MAP", args, &[Param::Text; 3], 2)?;
    let delimiter = |index: usize, default: &str| match args.get(index) {
        Some(_) => PatternArg::new(args, index, JavaRegex::find_in),
        None => PatternArg::constant(default, index, JavaRegex::find_in),
    };
    let delimiters = [delimiter(1, ",")?, delimiter(2, "=")?];
    let kind = TypeKind::Map(Box::new(FlinkType::string()), Box::new(FlinkType::string()));
    let map_type = arrow_type(&kind);
    Ok(Bound {
        arg_types,
        return_type: kind.nullable(),
        kernel: BatchKernel::fallible("STR_TO_MAP", move |args: &[Column], rows| {
            str_to_map(args, rows, &delimiters, &map_type)
        }),
    })
}

fn str_to_map(
    args: &[Column],
    rows: usize,
    delimiters: &[PatternArg; 2],
    map_type: &DataType,
) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let sources = [args.get(1).map(Texts::new), args.get(2).map(Texts::new)];
    let source = |which: usize, row: usize| match &sources[which] {
        Some(texts) => texts.get(row),
        None => Some(""),
    };
    let mut keys = TextBuilder::new(rows);
    let mut values = TextBuilder::new(rows);
    let mut lengths = Vec::with_capacity(rows);
    let mut nulls = NullBufferBuilder::new(rows);
    for row in 0..rows {
        let (Some(text), Some(list), Some(pair)) = (texts.get(row), source(0, row), source(1, row))
        else {
            nulls.append_null();
            lengths.push(0);
            continue;
        };
        let list = delimiters[0].get(list, row)?;
        let pair = delimiters[1].get(pair, row)?;
        let entries = entries(text, list.required(row)?, pair.required(row)?, row)?;
        nulls.append_non_null();
        lengths.push(entries.len());
        for (key, value) in entries {
            keys.push(key);
            values.push_option(value);
        }
    }
    Ok(map_array(
        map_type,
        keys.finish(),
        values.finish(),
        lengths,
        nulls,
    ))
}

/// Builds a map column of the entries of each row.
fn map_array(
    map_type: &DataType,
    keys: ArrayRef,
    values: ArrayRef,
    lengths: Vec<usize>,
    mut nulls: NullBufferBuilder,
) -> ArrayRef {
    let DataType::Map(entries, sorted) = map_type else {
        unreachable!("the type is made of TypeKind::Map");
    };
    let DataType::Struct(fields) = entries.data_type() else {
        unreachable!("a map's entries are a struct");
    };
    let structs = StructArray::new(fields.clone(), vec![keys, values], None);
    let entries: Arc<Field> = Arc::clone(entries);
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(MapArray::new(
        entries,
        offsets,
        structs,
        nulls.finish(),
        *sorted,
    ))
}

type Entry<'a> = (&'a str, Option<&'a str>);

fn entries<'a>(
    text: &'a str,
    list: &JavaRegex,
    pair: &JavaRegex,
    row: usize,
) -> Result<Vec<Entry<'a>>, RowError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let pieces = split(text, list, None, row)?;
    let mut entries: Vec<Entry<'a>> = Vec::with_capacity(pieces.len());
    for piece in &pieces {
        let parts = split(piece, pair, Some(2), row)?;
        let (key, value) = match parts[..] {
            [key, value] => (key, Some(value)),
            _ => (*piece, None),
        };
        match entries.iter_mut().find(|(known, _)| *known == key) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }
    let buckets = bucket_count(pieces.len(), entries.len());
    entries.sort_by_key(|(key, _)| java_hash(key) & (buckets - 1));
    Ok(entries)
}

/// `String.split(regex, limit)`: an empty match at the start splits nothing off; without a limit, empty pieces at
/// the end are dropped.
fn split<'a>(
    text: &'a str,
    delimiter: &JavaRegex,
    limit: Option<usize>,
    row: usize,
) -> Result<Vec<&'a str>, RowError> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let result = delimiter.each_match(text, |(start, end)| {
        let full = limit.is_some_and(|limit| pieces.len() + 1 >= limit);
        if !full && end > 0 {
            pieces.push(&text[from..start]);
            from = end;
        }
    });
    at_row(result, row)?;
    if from == 0 && pieces.is_empty() {
        return Ok(vec![text]);
    }
    pieces.push(&text[from..]);
    if limit.is_none() {
        while pieces.last().is_some_and(|piece| piece.is_empty()) {
            pieces.pop();
        }
    }
    Ok(pieces)
}

/// The spread hash of `java.util.HashMap` for a String key.
fn java_hash(key: &str) -> u32 {
    let hash = key.encode_utf16().fold(0_u32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    });
    hash ^ (hash >> 16)
}

/// The buckets of a `HashMap` made for `capacity` entries that has `size` now.
fn bucket_count(capacity: usize, size: usize) -> u32 {
    let mut buckets = capacity.next_power_of_two().max(1);
    while size * 4 > buckets * 3 {
        buckets *= 2;
    }
    u32::try_from(buckets).unwrap_or(1 << 31)
}
