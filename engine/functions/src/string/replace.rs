//! REPLACE, OVERLAY and TRANSLATE.
//!
//! # Flink
//! REPLACE is Java's `String.replace`: an empty search text matches between all UTF-16 units. OVERLAY is
//! `SqlFunctionUtils.overlay`: it counts UTF-16 units, leaves the text alone when the start lies outside, and
//! drops everything behind the replacement when the length is not positive or reaches the end.

use arrow_array::ArrayRef;
use memchr::memmem;
use millrace_connector::{FlinkType, LENGTH_MAX, TypeKind};

use super::concat::string_kind;
use super::kernel::{BatchKernel, Longs, Texts};
use super::pad::from_utf16_units;
use super::signature::{Param, check, nullable_if_any};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `REPLACE`.
pub(crate) static REPLACE: FunctionDef = FunctionDef {
    name: "REPLACE",
    aliases: &[],
    category: Category::String,
    signatures: &["REPLACE(string STRING, search STRING, replacement STRING) → STRING"],
    doc: "Returns the text with every occurrence of `search` replaced, from left to right.\n\
          An empty search text puts the replacement around every character.\nNULL gives NULL.",
    examples: &[("REPLACE('hello', 'l', 'L')", "heLLo")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_text("REPLACE", args, replace),
};

/// `OVERLAY`.
pub(crate) static OVERLAY: FunctionDef = FunctionDef {
    name: "OVERLAY",
    aliases: &[],
    category: Category::String,
    signatures: &[
        "OVERLAY(string STRING PLACING replacement STRING FROM start INT [ FOR length INT ]) → STRING",
    ],
    doc: "Returns the text with `length` characters from `start`, counted from 1, replaced.\n\
          Without a length, as many as the replacement has.\n\
          A start outside the text leaves it as it is; NULL gives NULL.",
    examples: &[("OVERLAY('abcdef' PLACING 'XY' FROM 2 FOR 3)", "aXYef")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_overlay(args),
};

/// `TRANSLATE`.
pub(crate) static TRANSLATE: FunctionDef = FunctionDef {
    name: "TRANSLATE",
    aliases: &[],
    category: Category::String,
    signatures: &["TRANSLATE(string STRING, from STRING, to STRING) → STRING"],
    doc: "Returns the text with each character of `from` replaced by the one at its place in `to`, or left out \
          where `to` is shorter.\nA NULL text gives NULL; a NULL among the others is an empty text.\n\
          Flink has it from 2.0 on.",
    examples: &[(
        "TRANSLATE('www.apache.org', 'wapcheorg', ' APCHEcom')",
        "   .APACHE.com",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let bound = bind_text("TRANSLATE", args, translate)?;
        let nullable = args[0].ty.nullable;
        Ok(Bound {
            return_type: bound.return_type.with_nullable(nullable),
            ..bound
        })
    },
};

fn bind_text(
    name: &'static str,
    args: &[Arg],
    run: fn(&[Column], usize) -> ArrayRef,
) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check(name, args, &[Param::Text; 3], 0)?,
        return_type: nullable_if_any(args, string_kind()),
        kernel: BatchKernel::infallible(name, run),
    })
}

fn replace(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let searches = Texts::new(&args[1]);
    let replacements = Texts::new(&args[2]);
    let constant = args[1].is_constant().then(|| searches.get(0)).flatten();
    let constant_finder = constant.map(memmem::Finder::new);
    let mut out = TextBuilder::over(texts.array(), rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let (Some(text), Some(search), Some(replacement)) =
            (texts.get(row), searches.get(row), replacements.get(row))
        else {
            out.push_null();
            continue;
        };
        if search.is_empty() {
            out.push(&interleave(text, replacement));
            continue;
        }
        buffer.clear();
        let mut copied = 0;
        let mut replace_at = |at: usize| {
            buffer.push_str(&text[copied..at]);
            buffer.push_str(replacement);
            copied = at + search.len();
        };
        match &constant_finder {
            Some(finder) => finder.find_iter(text.as_bytes()).for_each(&mut replace_at),
            None => text
                .match_indices(search)
                .for_each(|(at, _)| replace_at(at)),
        }
        if copied == 0 {
            out.push_slice(text);
        } else {
            buffer.push_str(&text[copied..]);
            out.push(&buffer);
        }
    }
    out.finish()
}

/// Puts `replacement` around every UTF-16 unit, as Java replaces the empty text.
fn interleave(text: &str, replacement: &str) -> String {
    let mut result = replacement.to_owned();
    for character in text.chars() {
        if character.len_utf16() == 1 {
            result.push(character);
        } else {
            // The replacement splits the pair; Java writes each half as a question mark.
            result.push('?');
            result.push_str(replacement);
            result.push('?');
        }
        result.push_str(replacement);
    }
    result
}

fn translate(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let froms = Texts::new(&args[1]);
    let tos = Texts::new(&args[2]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let Some(text) = texts.get(row) else {
            out.push_null();
            continue;
        };
        let (from, to) = (
            froms.get(row).unwrap_or_default(),
            tos.get(row).unwrap_or_default(),
        );
        buffer.clear();
        for character in text.chars() {
            match from.chars().position(|candidate| candidate == character) {
                Some(place) => buffer.extend(to.chars().nth(place)),
                None => buffer.push(character),
            }
        }
        out.push(&buffer);
    }
    out.finish()
}

fn bind_overlay(args: &[Arg]) -> Result<Bound, CallError> {
    let params = [Param::Text, Param::Text, Param::BigInt, Param::BigInt];
    let arg_types = check("OVERLAY", args, &params, 1)?;
    Ok(Bound {
        return_type: nullable_if_any(
            args,
            TypeKind::Varchar(length_sum(&arg_types[0], &arg_types[1])),
        ),
        arg_types,
        kernel: BatchKernel::infallible("OVERLAY", overlay),
    })
}

fn length_sum(left: &FlinkType, right: &FlinkType) -> u32 {
    let length = |ty: &FlinkType| match ty.kind {
        TypeKind::Char(n) | TypeKind::Varchar(n) => n,
        _ => LENGTH_MAX,
    };
    length(left).saturating_add(length(right)).min(LENGTH_MAX)
}

fn overlay(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let replacements = Texts::new(&args[1]);
    let starts = Longs::new(&args[2]);
    let lengths = args.get(3).map(Longs::new);
    let mut out = TextBuilder::over(texts.array(), rows);
    for row in 0..rows {
        let (Some(text), Some(replacement), Some(start)) =
            (texts.get(row), replacements.get(row), starts.get(row))
        else {
            out.push_null();
            continue;
        };
        let length = match &lengths {
            Some(lengths) => lengths.get(row),
            None => Some(replacement.encode_utf16().count() as i64),
        };
        match length {
            None => out.push_null(),
            Some(length) => match overlaid(text, replacement, start, length) {
                Some(result) => out.push(&result),
                None => out.push_slice(text),
            },
        }
    }
    out.finish()
}

/// Returns the overlaid text, or `None` where it stays as it is.
fn overlaid(text: &str, replacement: &str, start: i64, length: i64) -> Option<String> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let start = usize::try_from(start)
        .ok()
        .filter(|start| (1..=units.len()).contains(start))?;
    let behind = usize::try_from(length)
        .ok()
        .filter(|length| *length > 0)
        .and_then(|length| start.checked_add(length))
        .filter(|next| *next <= units.len())
        .map_or(&[][..], |next| &units[next - 1..]);
    let before = units[..start - 1].iter().copied();
    let result = before
        .chain(replacement.encode_utf16())
        .chain(behind.iter().copied());
    Some(from_utf16_units(result))
}
