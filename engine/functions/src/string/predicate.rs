//! IS_ALPHA, IS_DIGIT and IS_DECIMAL.
//!
//! # Flink
//! `SqlFunctionUtils.isAlpha`, `isDigit`, `isDecimal`: never NULL; NULL and the empty text give FALSE. They look
//! at UTF-16 units, so a letter or digit beyond U+FFFF is none. IS_DECIMAL is what Java's `Integer.parseInt`,
//! `Long.parseLong` or `Double.parseDouble` reads: spaces around, exponents, `NaN` and digits of other scripts
//! in whole numbers included.

use std::sync::{Arc, LazyLock};

use arrow_array::{ArrayRef, BooleanArray};
use millrace_connector::TypeKind;
use regex::Regex;

use super::kernel::{BatchKernel, Texts};
use super::signature::{Param, check, types_error};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `IS_ALPHA`.
pub(crate) static IS_ALPHA: FunctionDef = FunctionDef {
    name: "IS_ALPHA",
    aliases: &[],
    category: Category::String,
    signatures: &["IS_ALPHA(string STRING) → BOOLEAN NOT NULL"],
    doc: "Tells whether the text is not empty and has letters only, of any script.\nNULL gives FALSE.",
    examples: &[("IS_ALPHA('abc')", "true"), ("IS_ALPHA('a1')", "false")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("IS_ALPHA", args, is_alpha, |_| false),
};

/// `IS_DIGIT`.
pub(crate) static IS_DIGIT: FunctionDef = FunctionDef {
    name: "IS_DIGIT",
    aliases: &[],
    category: Category::String,
    signatures: &["IS_DIGIT(string STRING) → BOOLEAN NOT NULL"],
    doc: "Tells whether the text is not empty and has decimal digits only, of any script.\n\
          A value of an integer type gives TRUE, of another numeric type FALSE.\nNULL gives FALSE.",
    examples: &[("IS_DIGIT('123')", "true"), ("IS_DIGIT('1.5')", "false")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("IS_DIGIT", args, is_digit, TypeKind::is_integer),
};

/// `IS_DECIMAL`.
pub(crate) static IS_DECIMAL: FunctionDef = FunctionDef {
    name: "IS_DECIMAL",
    aliases: &[],
    category: Category::String,
    signatures: &["IS_DECIMAL(string STRING) → BOOLEAN NOT NULL"],
    doc: "Tells whether the text can be read as a number.\n\
          A value of a numeric type gives TRUE.\nNULL gives FALSE.",
    examples: &[
        ("IS_DECIMAL('1.5')", "true"),
        ("IS_DECIMAL('0x1')", "false"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("IS_DECIMAL", args, is_decimal, |_| true),
};

static ALPHA: LazyLock<Regex> = LazyLock::new(|| pattern(r"\A[\p{L}--[\x{10000}-\x{10FFFF}]]+\z"));
static DIGIT: LazyLock<Regex> = LazyLock::new(|| pattern(r"\A[\p{Nd}--[\x{10000}-\x{10FFFF}]]+\z"));
/// `Integer.parseInt` and `Long.parseLong` without their ranges: what is out of both is in `parseDouble`'s for
/// ASCII digits.
static WHOLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\A[-+]?[\p{Nd}--[\x{10000}-\x{10FFFF}]]{1,19}\z"));
/// `Double.parseDouble` after its trim.
static FLOATING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"\A[\x00-\x20]*[-+]?(?:NaN|Infinity|",
        r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[fFdD]?|",
        r"0[xX](?:[0-9a-fA-F]+\.?|[0-9a-fA-F]*\.[0-9a-fA-F]+)[pP][-+]?[0-9]+[fFdD]?",
        r")[\x00-\x20]*\z"
    ))
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant of this file")
}

fn bind(
    name: &'static str,
    args: &[Arg],
    test: fn(&str) -> bool,
    of_number: fn(&TypeKind) -> bool,
) -> Result<Bound, CallError> {
    let arg_types = check(name, args, &[Param::Any], 0)?;
    let kind = &args[0].ty.kind;
    let kernel = if kind.is_character() {
        BatchKernel::infallible(name, move |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let values: BooleanArray = (0..rows)
                .map(|row| Some(texts.get(row).is_some_and(test)))
                .collect();
            Arc::new(values) as ArrayRef
        })
    } else if kind.is_numeric() {
        let value = of_number(kind);
        BatchKernel::infallible(name, move |_: &[Column], rows| {
            Arc::new(BooleanArray::from(vec![value; rows])) as ArrayRef
        })
    } else {
        return Err(types_error(name, args));
    };
    Ok(Bound {
        arg_types,
        return_type: TypeKind::Boolean.not_null(),
        kernel,
    })
}

fn is_alpha(text: &str) -> bool {
    if text.is_ascii() {
        return !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    }
    ALPHA.is_match(text)
}

fn is_digit(text: &str) -> bool {
    if text.is_ascii() {
        return !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    }
    DIGIT.is_match(text)
}

fn is_decimal(text: &str) -> bool {
    WHOLE.is_match(text) || FLOATING.is_match(text)
}
