//! ENCODE, DECODE, TO_BASE64, FROM_BASE64 and UNHEX.
//!
//! # Flink
//! An unknown character set fails the row, unless the value is NULL. ENCODE is typed BINARY(1), whatever the
//! length of its value. FROM_BASE64 is `java.util.Base64`'s basic decoder: no line breaks, no URL alphabet, padding
//! optional but whole.

use std::sync::Arc;

use arrow_array::builder::BinaryViewBuilder;
use arrow_array::{Array, ArrayRef};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use millrace_connector::{FlinkType, TypeKind};

use super::charset::{Charset, decode_utf8};
use super::concat::string_kind;
use super::kernel::{BatchKernel, ByteStrings, Texts};
use super::signature::{Param, check, nullable_if_any};
use super::text_builder::TextBuilder;
use crate::{Bound, Category, Column, FunctionDef, RowError, Volatility};

/// `ENCODE`.
pub(crate) static ENCODE: FunctionDef = FunctionDef {
    name: "ENCODE",
    aliases: &[],
    category: Category::String,
    signatures: &["ENCODE(string STRING, charset STRING) → BINARY(1)"],
    doc: "Returns the text's bytes in the character set.\n\
          Characters the set lacks become `?`; an unknown set fails the row.\nNULL gives NULL.",
    examples: &[("ENCODE('a', 'UTF-8')", "61")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("ENCODE", args, &[Param::Text; 2], 0)?,
            return_type: TypeKind::Binary(1).nullable(),
            kernel: BatchKernel::fallible("ENCODE", encode),
        })
    },
};

/// `DECODE`.
pub(crate) static DECODE: FunctionDef = FunctionDef {
    name: "DECODE",
    aliases: &[],
    category: Category::String,
    signatures: &["DECODE(binary BYTES, charset STRING) → STRING"],
    doc: "Returns the text of bytes in the character set.\n\
          What is no character becomes U+FFFD; an unknown set fails the row.\nNULL gives NULL.",
    examples: &[("DECODE(x'61', 'UTF-8')", "a")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("DECODE", args, &[Param::Binary, Param::Text], 0)?,
            return_type: FlinkType::string(),
            kernel: BatchKernel::fallible("DECODE", decode),
        })
    },
};

/// `TO_BASE64`.
pub(crate) static TO_BASE64: FunctionDef = FunctionDef {
    name: "TO_BASE64",
    aliases: &[],
    category: Category::String,
    signatures: &[
        "TO_BASE64(string STRING) → STRING",
        "TO_BASE64(binary BYTES) → STRING",
    ],
    doc: "Returns the text's UTF-8 bytes, or the bytes, in base 64 with padding.\nNULL gives NULL.",
    examples: &[("TO_BASE64('hello')", "aGVsbG8=")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("TO_BASE64", args, &[Param::TextOrBinary], 0)?,
            return_type: nullable_if_any(args, string_kind()),
            kernel: BatchKernel::infallible("TO_BASE64", to_base64),
        })
    },
};

/// `FROM_BASE64`.
pub(crate) static FROM_BASE64: FunctionDef = FunctionDef {
    name: "FROM_BASE64",
    aliases: &[],
    category: Category::String,
    signatures: &["FROM_BASE64(string STRING) → STRING"],
    doc: "Returns the text whose UTF-8 bytes are written in base 64.\n\
          A text that is no base 64 fails the row.\nNULL gives NULL.",
    examples: &[("FROM_BASE64('aGVsbG8=')", "hello")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("FROM_BASE64", args, &[Param::TextOrBinary], 0)?,
            return_type: nullable_if_any(args, string_kind()),
            kernel: BatchKernel::fallible("FROM_BASE64", from_base64),
        })
    },
};

/// `UNHEX`.
pub(crate) static UNHEX: FunctionDef = FunctionDef {
    name: "UNHEX",
    aliases: &[],
    category: Category::String,
    signatures: &["UNHEX(string STRING) → BYTES"],
    doc: "Returns the bytes written as hexadecimal digits; of an odd number of them the first counts as 0.\n\
          A text with other characters gives NULL, as does NULL.\nFlink has it from 2.0 on.",
    examples: &[("UNHEX('466C696E6B')", "466c696e6b")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        Ok(Bound {
            arg_types: check("UNHEX", args, &[Param::Text], 0)?,
            return_type: FlinkType::bytes(),
            kernel: BatchKernel::infallible("UNHEX", unhex),
        })
    },
};

fn charset(name: &str, row: usize) -> Result<Charset, RowError> {
    Charset::named(name)
        .ok_or_else(|| RowError::new(row, format!("Unsupported encoding: {}", cut(name))))
}

/// Cuts a value for an error message to 64 bytes.
pub(crate) fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(64)]
}

fn encode(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let charsets = Texts::new(&args[1]);
    let mut out = BinaryViewBuilder::with_capacity(rows);
    for row in 0..rows {
        match (texts.get(row), charsets.get(row)) {
            (Some(text), Some(name)) => out.append_value(charset(name, row)?.encode(text)),
            _ => out.append_null(),
        }
    }
    Ok(Arc::new(out.finish()))
}

fn decode(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let values = ByteStrings::new(&args[0]);
    let charsets = Texts::new(&args[1]);
    let mut out = TextBuilder::new(rows);
    for row in 0..rows {
        match (values.get(row), charsets.get(row)) {
            (Some(bytes), Some(name)) => out.push(&charset(name, row)?.decode(bytes)),
            _ => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn to_base64(args: &[Column], rows: usize) -> ArrayRef {
    let values = ByteStrings::new(&args[0]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        match values.get(row) {
            Some(bytes) => {
                buffer.clear();
                BASIC.encode_string(bytes, &mut buffer);
                out.push(&buffer);
            }
            None => out.push_null(),
        }
    }
    let array = out.finish();
    debug_assert_eq!(array.len(), rows);
    array
}

/// `java.util.Base64.getDecoder()`, but for the check of incomplete padding in [`from_base64`].
const BASIC: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn from_base64(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let values = ByteStrings::new(&args[0]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = Vec::new();
    for row in 0..rows {
        let Some(bytes) = values.get(row) else {
            out.push_null();
            continue;
        };
        buffer.clear();
        if bytes.contains(&b'=') && bytes.len() % 4 != 0 {
            return Err(RowError::new(
                row,
                "Input byte array has wrong 4-byte ending unit",
            ));
        }
        BASIC
            .decode_vec(bytes, &mut buffer)
            .map_err(|error| RowError::new(row, format!("illegal base64: {error}")))?;
        out.push(&decode_utf8(&buffer));
    }
    Ok(out.finish())
}

fn unhex(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let mut out = BinaryViewBuilder::with_capacity(rows);
    for row in 0..rows {
        match texts.get(row).and_then(|text| unhexed(text.as_bytes())) {
            Some(bytes) => out.append_value(bytes),
            None => out.append_null(),
        }
    }
    Arc::new(out.finish())
}

fn unhexed(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: &u8| {
        let value = char::from(*digit).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let (first, pairs) = digits.split_at(digits.len() % 2);
    let mut bytes = Vec::with_capacity(digits.len().div_ceil(2));
    for digit in first {
        value(digit)?;
        bytes.push(0);
    }
    for pair in pairs.chunks_exact(2) {
        bytes.push(value(&pair[0])? << 4 | value(&pair[1])?);
    }
    Some(bytes)
}
