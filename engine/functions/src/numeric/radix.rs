//! BIN and HEX.
//!
//! # Flink
//! Whole numbers are taken as 64 bits, so negative ones have 64 or 16 digits. HEX of text is that of its UTF-8.

use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use millrace_connector::{FlinkType, TypeKind};

use crate::cast::convert::build_text;
use crate::operator::elementwise::like;
use crate::operator::signature::{any_nullable, bad_types, exactly, with_kind};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

/// What is written how.
#[derive(Clone, Copy, Debug)]
enum Code {
    Bin,
    HexNumber,
    HexText,
}

impl Kernel for Code {
    fn evaluate(
        &self,
        args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let array = args[0].array();
        let text = build_text(array.len(), array.nulls(), |row, out| match self {
            Self::Bin => write_digits(number(array, row), 1, out),
            Self::HexNumber => write_digits(number(array, row), 4, out),
            Self::HexText => {
                for byte in array.as_string_view().value(row).bytes() {
                    out.push(DIGITS[usize::from(byte >> 4)]);
                    out.push(DIGITS[usize::from(byte & 15)]);
                }
            }
        });
        Ok(like(&args[0], text))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

const DIGITS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
];

fn number(array: &arrow_array::ArrayRef, row: usize) -> u64 {
    array.as_primitive::<Int64Type>().value(row).cast_unsigned()
}

/// Writes the digits of `bits` bits each, without leading zeros.
fn write_digits(value: u64, bits: u32, out: &mut String) {
    let length = (64 - value.leading_zeros()).div_ceil(bits).max(1);
    for i in (0..length).rev() {
        let digit = value >> (i * bits) & ((1 << bits) - 1);
        out.push(DIGITS[usize::try_from(digit).expect("at most 15")]);
    }
}

fn bind(name: &'static str, text: bool, args: &[Arg]) -> Result<Bound, CallError> {
    exactly(name, 1, args)?;
    let ty = &args[0].ty;
    let (code, arg_type) = match &ty.kind {
        kind if kind.is_integer() && text => (Code::HexNumber, with_kind(ty, TypeKind::BigInt)),
        kind if kind.is_integer() => (Code::Bin, with_kind(ty, TypeKind::BigInt)),
        kind if kind.is_character() && text => (Code::HexText, ty.clone()),
        _ => return Err(bad_types(name, args)),
    };
    Ok(Bound {
        arg_types: vec![arg_type],
        return_type: FlinkType::string().with_nullable(any_nullable(args)),
        kernel: Arc::new(code),
    })
}

pub(super) static BIN: FunctionDef = FunctionDef {
    name: "BIN",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["BIN(x INTEGER) → STRING"],
    doc: "Returns the binary digits of a whole number; 64 of a negative one.",
    examples: &[("BIN(4)", "100")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("BIN", false, args),
};

pub(super) static HEX: FunctionDef = FunctionDef {
    name: "HEX",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["HEX(x INTEGER) → STRING", "HEX(x STRING) → STRING"],
    doc: "Returns the hexadecimal digits of a whole number, or of the bytes of a text in UTF-8.",
    examples: &[("HEX(255)", "FF"), ("HEX('a')", "61")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("HEX", true, args),
};
