//! SUBSTRING, LEFT and RIGHT: slices by code points that share the input's buffers.
//!
//! # Flink
//! `BinaryStringDataUtil.substringSQL`: positions count code points from 1; 0 is taken as 1; a negative position
//! counts from the end and gives the empty text when it lies before the start; a negative length gives NULL.
//! LEFT and RIGHT of a negative length give the empty text. The result is nullable VARCHAR of the first
//! argument's length.

use arrow_array::ArrayRef;

use super::kernel::{BatchKernel, Ints, Texts};
use super::signature::{Param, check, varying};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `SUBSTRING`.
pub(crate) static SUBSTRING: FunctionDef = FunctionDef {
    name: "SUBSTRING",
    aliases: &["SUBSTR"],
    category: Category::String,
    signatures: &[
        "SUBSTRING(string STRING, start INT) → STRING",
        "SUBSTRING(string STRING, start INT, length INT) → STRING",
    ],
    doc: "Returns the part of the text that begins at code point `start`, counted from 1, and has `length` code \
          points at most.\nA negative start counts from the end; before the first character it gives the empty \
          text.\nA negative length and NULL give NULL.",
    examples: &[
        ("SUBSTRING('abcdef', 2, 3)", "bcd"),
        ("SUBSTRING('abcdef', -2)", "ef"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("SUBSTRING", args, 1, substring),
};

/// `LEFT`.
pub(crate) static LEFT: FunctionDef = FunctionDef {
    name: "LEFT",
    aliases: &[],
    category: Category::String,
    signatures: &["LEFT(string STRING, length INT) → STRING"],
    doc: "Returns the first `length` code points of the text.\n\
          A negative length gives the empty text, NULL gives NULL.",
    examples: &[("LEFT('abcdef', 2)", "ab")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("LEFT", args, 0, left),
};

/// `RIGHT`.
pub(crate) static RIGHT: FunctionDef = FunctionDef {
    name: "RIGHT",
    aliases: &[],
    category: Category::String,
    signatures: &["RIGHT(string STRING, length INT) → STRING"],
    doc: "Returns the last `length` code points of the text.\n\
          A negative length gives the empty text, NULL gives NULL.",
    examples: &[("RIGHT('abcdef', 2)", "ef")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("RIGHT", args, 0, right),
};

fn bind(
    name: &'static str,
    args: &[Arg],
    optional: usize,
    run: fn(&[Column], usize) -> ArrayRef,
) -> Result<Bound, CallError> {
    let params = [Param::Text, Param::Int, Param::Int];
    let arg_types = check(name, args, &params[..2 + optional], optional)?;
    Ok(Bound {
        return_type: varying(&arg_types[0]).nullable(),
        arg_types,
        kernel: BatchKernel::infallible(name, run),
    })
}

fn substring(args: &[Column], rows: usize) -> ArrayRef {
    let starts = Ints::new(&args[1]);
    let lengths = args.get(2).map(Ints::new);
    slices(args, rows, |row, text| {
        let start = starts.get(row)?;
        let length = match &lengths {
            Some(lengths) => lengths.get(row)?,
            None => i32::MAX,
        };
        substring_range(text, start, length)
    })
}

fn left(args: &[Column], rows: usize) -> ArrayRef {
    let lengths = Ints::new(&args[1]);
    slices(args, rows, |row, text| {
        let length = usize::try_from(lengths.get(row)?).unwrap_or(0);
        Some((0, offset_of(text, length)))
    })
}

fn right(args: &[Column], rows: usize) -> ArrayRef {
    let lengths = Ints::new(&args[1]);
    slices(args, rows, |row, text| {
        let length = usize::try_from(lengths.get(row)?).unwrap_or(0);
        Some((offset_from_end(text, length).unwrap_or(0), text.len()))
    })
}

/// Cuts each text of the first argument to the byte range `range` gives, or NULL.
fn slices(
    args: &[Column],
    rows: usize,
    range: impl Fn(usize, &str) -> Option<(usize, usize)>,
) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let mut out = TextBuilder::over(texts.array(), rows);
    for row in 0..rows {
        let cut = texts
            .get(row)
            .and_then(|text| range(row, text).map(|range| (text, range)));
        match cut {
            Some((text, (start, end))) => out.push_slice(&text[start..end]),
            None => out.push_null(),
        }
    }
    out.finish()
}

/// Returns the byte range of a SUBSTRING, or `None` for NULL.
fn substring_range(text: &str, start: i32, length: i32) -> Option<(usize, usize)> {
    let length = usize::try_from(length).ok()?;
    let from = if start >= 0 {
        offset_of(
            text,
            usize::try_from(start).expect("checked").saturating_sub(1),
        )
    } else {
        let back = usize::try_from(start.unsigned_abs()).expect("32 bits fit");
        match offset_from_end(text, back) {
            Some(from) => from,
            None => return Some((0, 0)),
        }
    };
    Some((from, from + offset_of(&text[from..], length)))
}

/// Returns the byte offset of code point `count`, counted from 0, or the text's length if it has fewer.
pub(crate) fn offset_of(text: &str, count: usize) -> usize {
    if count >= text.len() {
        return text.len();
    }
    if text.is_ascii() {
        return count;
    }
    text.char_indices()
        .nth(count)
        .map_or(text.len(), |(offset, _)| offset)
}

/// Returns the byte offset of the `count`-th code point from the end, or `None` if there are fewer.
fn offset_from_end(text: &str, count: usize) -> Option<usize> {
    if count == 0 {
        return Some(text.len());
    }
    if count > text.len() {
        return None;
    }
    text.char_indices()
        .rev()
        .nth(count - 1)
        .map(|(offset, _)| offset)
}
