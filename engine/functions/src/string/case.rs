//! UPPER, LOWER and INITCAP.
//!
//! # Flink
//! UPPER and LOWER map as Java's `String.toUpperCase`/`toLowerCase` do: `ß` becomes `SS`, a final `Σ` becomes
//! `ς`, `İ` becomes two characters. INITCAP is ASCII only: everything but `[A-Za-z0-9]` ends a word. The result
//! has the argument's type; a text that grows past a CHAR's length keeps its full length.

use arrow_array::ArrayRef;

use super::kernel::{BatchKernel, Texts};
use super::signature::{Param, check};
use super::text_builder::TextBuilder;
use crate::{Arg, BindContext, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `UPPER`.
pub(crate) static UPPER: FunctionDef = FunctionDef {
    name: "UPPER",
    aliases: &[],
    category: Category::String,
    signatures: &["UPPER(string STRING) → STRING"],
    doc: "Returns the text in upper case, by Unicode's rules.\nNULL gives NULL.",
    examples: &[("UPPER('straße')", "STRASSE")],
    volatility: Volatility::Deterministic,
    bind: |args, _: &BindContext| bind("UPPER", args, upper),
};

/// `LOWER`.
pub(crate) static LOWER: FunctionDef = FunctionDef {
    name: "LOWER",
    aliases: &[],
    category: Category::String,
    signatures: &["LOWER(string STRING) → STRING"],
    doc: "Returns the text in lower case, by Unicode's rules.\nNULL gives NULL.",
    examples: &[("LOWER('ABC')", "abc")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("LOWER", args, lower),
};

/// `INITCAP`.
pub(crate) static INITCAP: FunctionDef = FunctionDef {
    name: "INITCAP",
    aliases: &[],
    category: Category::String,
    signatures: &["INITCAP(string STRING) → STRING"],
    doc: "Returns the text with the first letter of each word in upper case and the others in lower case.\n\
          Words are runs of the ASCII letters and digits; other characters stay as they are.\nNULL gives NULL.",
    examples: &[("INITCAP('foo bar')", "Foo Bar")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("INITCAP", args, initcap),
};

fn bind(
    name: &'static str,
    args: &[Arg],
    run: fn(&[Column], usize) -> ArrayRef,
) -> Result<Bound, CallError> {
    let arg_types = check(name, args, &[Param::Text], 0)?;
    Ok(Bound {
        return_type: arg_types[0].clone(),
        arg_types,
        kernel: BatchKernel::infallible(name, run),
    })
}

fn upper(args: &[Column], rows: usize) -> ArrayRef {
    map_case(
        args,
        rows,
        u8::is_ascii_lowercase,
        str::make_ascii_uppercase,
        str::to_uppercase,
    )
}

fn lower(args: &[Column], rows: usize) -> ArrayRef {
    map_case(
        args,
        rows,
        u8::is_ascii_uppercase,
        str::make_ascii_lowercase,
        str::to_lowercase,
    )
}

/// Maps ASCII texts in a reused buffer, leaves those that do not change where they are, and takes the slow way
/// for the rest.
fn map_case(
    args: &[Column],
    rows: usize,
    changes: impl Fn(&u8) -> bool,
    map_ascii: impl Fn(&mut str),
    map_unicode: impl Fn(&str) -> String,
) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let mut out = TextBuilder::over(texts.array(), rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let Some(text) = texts.get(row) else {
            out.push_null();
            continue;
        };
        if !text.is_ascii() {
            out.push(&map_unicode(text));
            continue;
        }
        // Without an early end, so that it runs over many bytes at a time.
        if text.bytes().fold(false, |any, byte| any | changes(&byte)) {
            buffer.clear();
            buffer.push_str(text);
            map_ascii(&mut buffer);
            out.push(&buffer);
        } else {
            out.push_slice(text);
        }
    }
    out.finish()
}

fn initcap(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let Some(text) = texts.get(row) else {
            out.push_null();
            continue;
        };
        buffer.clear();
        let mut word_starts = true;
        for character in text.chars() {
            buffer.push(if word_starts {
                character.to_ascii_uppercase()
            } else {
                character.to_ascii_lowercase()
            });
            word_starts = !character.is_ascii_alphanumeric();
        }
        out.push(&buffer);
    }
    out.finish()
}
