//! CHAR_LENGTH, ASCII and CHR.
//!
//! # Flink
//! CHAR_LENGTH counts code points. ASCII gives the first *byte* of the UTF-8 form as a signed number, so it is
//! negative beyond ASCII. CHR takes the low eight bits of its argument as a Latin-1 character; a negative
//! argument gives the empty text.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use millrace_connector::{FlinkType, TypeKind};

use super::kernel::{BatchKernel, Longs, Texts};
use super::signature::{Param, check, nullable_if_any};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `CHAR_LENGTH`.
pub(crate) static CHAR_LENGTH: FunctionDef = FunctionDef {
    name: "CHAR_LENGTH",
    aliases: &["CHARACTER_LENGTH"],
    category: Category::String,
    signatures: &["CHAR_LENGTH(string STRING) → INT"],
    doc: "Returns the number of code points in the text.\nNULL gives NULL.",
    examples: &[("CHAR_LENGTH('中文')", "2")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_int("CHAR_LENGTH", args, char_length),
};

/// `ASCII`.
pub(crate) static ASCII: FunctionDef = FunctionDef {
    name: "ASCII",
    aliases: &[],
    category: Category::String,
    signatures: &["ASCII(string STRING) → INT"],
    doc: "Returns the first byte of the text's UTF-8 form as a signed number; 0 for an empty text.\n\
          NULL gives NULL.",
    examples: &[("ASCII('abc')", "97"), ("ASCII('')", "0")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        bind_int("ASCII", args, |text| {
            text.bytes().next().map_or(0, first_byte)
        })
    },
};

/// `CHR`.
pub(crate) static CHR: FunctionDef = FunctionDef {
    name: "CHR",
    aliases: &[],
    category: Category::String,
    signatures: &["CHR(code BIGINT) → STRING"],
    doc: "Returns the Latin-1 character with the code `code` modulo 256.\n\
          A negative code gives the empty text, NULL gives NULL.",
    examples: &[("CHR(65)", "A")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("CHR", args, &[Param::BigInt], 0)?,
            return_type: FlinkType::string(),
            kernel: BatchKernel::infallible("CHR", chr),
        })
    },
};

fn bind_int(name: &'static str, args: &[Arg], value: fn(&str) -> i32) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check(name, args, &[Param::Text], 0)?,
        return_type: nullable_if_any(args, TypeKind::Int),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let values: PrimitiveArray<Int32Type> =
                (0..rows).map(|row| texts.get(row).map(value)).collect();
            Arc::new(values)
        }),
    })
}

fn char_length(text: &str) -> i32 {
    saturated(text.chars().count())
}

fn first_byte(byte: u8) -> i32 {
    i32::from(byte.cast_signed())
}

/// Narrows a length to Java's `int`.
pub(crate) fn saturated(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn chr(args: &[Column], rows: usize) -> ArrayRef {
    let codes = Longs::new(&args[0]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = [0; 4];
    for row in 0..rows {
        match codes.get(row) {
            None => out.push_null(),
            Some(code) if code < 0 => out.push(""),
            Some(code) => {
                let character = char::from(code.to_le_bytes()[0]);
                out.push(character.encode_utf8(&mut buffer));
            }
        }
    }
    let array = out.finish();
    debug_assert_eq!(array.len(), rows);
    array
}
