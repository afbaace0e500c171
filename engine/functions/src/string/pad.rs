//! LPAD, RPAD, REPEAT and REVERSE.
//!
//! # Flink
//! LPAD and RPAD count UTF-16 units, so a character beyond U+FFFF counts twice and may be cut in half, which
//! shows as `?`. A negative length or an empty pad gives NULL, even where nothing would be padded. REPEAT of a
//! count below 1 is the empty text. REVERSE turns code points around and is always nullable.

use arrow_array::ArrayRef;
use millrace_connector::FlinkType;

use super::concat::string_kind;
use super::kernel::{BatchKernel, Ints, Texts};
use super::signature::{Param, check, nullable_if_any};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// The longest text a row may grow to; Java's arrays end at twice as many bytes.
const TEXT_BYTES_MAX: usize = 1 << 30;

/// `LPAD`.
pub(crate) static LPAD: FunctionDef = FunctionDef {
    name: "LPAD",
    aliases: &[],
    category: Category::String,
    signatures: &["LPAD(string STRING, length INT, pad STRING) → STRING"],
    doc: "Returns the text filled up with `pad` at its start to `length` characters, or cut to them.\n\
          A negative length, an empty pad and NULL give NULL.",
    examples: &[("LPAD('hi', 4, '?')", "??hi"), ("LPAD('hi', 1, '?')", "h")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_pad("LPAD", args, Side::Left),
};

/// `RPAD`.
pub(crate) static RPAD: FunctionDef = FunctionDef {
    name: "RPAD",
    aliases: &[],
    category: Category::String,
    signatures: &["RPAD(string STRING, length INT, pad STRING) → STRING"],
    doc: "Returns the text filled up with `pad` at its end to `length` characters, or cut to them.\n\
          A negative length, an empty pad and NULL give NULL.",
    examples: &[("RPAD('hi', 4, '?')", "hi??"), ("RPAD('hi', 1, '?')", "h")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_pad("RPAD", args, Side::Right),
};

/// `REPEAT`.
pub(crate) static REPEAT: FunctionDef = FunctionDef {
    name: "REPEAT",
    aliases: &[],
    category: Category::String,
    signatures: &["REPEAT(string STRING, count INT) → STRING"],
    doc: "Returns the text `count` times; the empty text for a count below 1.\nNULL gives NULL.",
    examples: &[("REPEAT('ab', 3)", "ababab")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("REPEAT", args, &[Param::Text, Param::Int], 0)?,
            return_type: nullable_if_any(args, string_kind()),
            kernel: BatchKernel::fallible("REPEAT", repeat),
        })
    },
};

/// `REVERSE`.
pub(crate) static REVERSE: FunctionDef = FunctionDef {
    name: "REVERSE",
    aliases: &[],
    category: Category::String,
    signatures: &["REVERSE(string STRING) → STRING"],
    doc: "Returns the text with its code points in reverse order.\nNULL gives NULL.",
    examples: &[("REVERSE('abc')", "cba")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("REVERSE", args, &[Param::Text], 0)?,
            return_type: FlinkType::string(),
            kernel: BatchKernel::infallible("REVERSE", reverse),
        })
    },
};

#[derive(Clone, Copy, Debug)]
enum Side {
    Left,
    Right,
}

fn bind_pad(name: &'static str, args: &[Arg], side: Side) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check(name, args, &[Param::Text, Param::Int, Param::Text], 0)?,
        return_type: nullable_if_any(args, string_kind()),
        kernel: BatchKernel::fallible(name, move |args: &[Column], rows| pad(args, rows, side)),
    })
}

fn pad(args: &[Column], rows: usize, side: Side) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let lengths = Ints::new(&args[1]);
    let pads = Texts::new(&args[2]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let (Some(text), Some(length), Some(pad)) =
            (texts.get(row), lengths.get(row), pads.get(row))
        else {
            out.push_null();
            continue;
        };
        let (Ok(length), false) = (usize::try_from(length), pad.is_empty()) else {
            out.push_null();
            continue;
        };
        if length > TEXT_BYTES_MAX {
            return Err(too_long(row));
        }
        buffer.clear();
        if text.is_ascii() && pad.is_ascii() {
            pad_ascii(&mut buffer, text, length, pad, side);
        } else {
            buffer = pad_units(text, length, pad, side);
        }
        out.push(&buffer);
    }
    Ok(out.finish())
}

fn too_long(row: usize) -> RowError {
    RowError::new(row, format!("the text would exceed {TEXT_BYTES_MAX} bytes"))
}

fn pad_ascii(buffer: &mut String, text: &str, length: usize, pad: &str, side: Side) {
    let text = &text[..text.len().min(length)];
    let missing = length - text.len();
    if matches!(side, Side::Right) {
        buffer.push_str(text);
    }
    for _ in 0..missing / pad.len() {
        buffer.push_str(pad);
    }
    buffer.push_str(&pad[..missing % pad.len()]);
    if matches!(side, Side::Left) {
        buffer.push_str(text);
    }
}

fn pad_units(text: &str, length: usize, pad: &str, side: Side) -> String {
    let text: Vec<u16> = text.encode_utf16().take(length).collect();
    let pad: Vec<u16> = pad.encode_utf16().collect();
    let padding = pad.iter().copied().cycle().take(length - text.len());
    let units: Vec<u16> = match side {
        Side::Left => padding.chain(text.iter().copied()).collect(),
        Side::Right => text.iter().copied().chain(padding).collect(),
    };
    from_utf16_units(units)
}

/// Returns the text of UTF-16 units as Java encodes it: half of a pair becomes `?`.
pub(crate) fn from_utf16_units(units: impl IntoIterator<Item = u16>) -> String {
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or('?'))
        .collect()
}

fn repeat(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let counts = Ints::new(&args[1]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let (Some(text), Some(count)) = (texts.get(row), counts.get(row)) else {
            out.push_null();
            continue;
        };
        let count = usize::try_from(count).unwrap_or(0);
        if text.len().saturating_mul(count) > TEXT_BYTES_MAX {
            return Err(too_long(row));
        }
        buffer.clear();
        if !text.is_empty() {
            for _ in 0..count {
                buffer.push_str(text);
            }
        }
        out.push(&buffer);
    }
    Ok(out.finish())
}

fn reverse(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        match texts.get(row) {
            Some(text) => {
                buffer.clear();
                buffer.extend(text.chars().rev());
                out.push(&buffer);
            }
            None => out.push_null(),
        }
    }
    out.finish()
}
