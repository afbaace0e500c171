//! TRIM, LTRIM, RTRIM and BTRIM: slices that share the input's buffers.
//!
//! # Flink
//! They cut any run of the given *characters*, blanks (U+0020 only) if none are given. The empty set cuts
//! nothing, a NULL set gives NULL. The result is VARCHAR of the text's length.

use arrow_array::ArrayRef;
use millrace_connector::FlinkType;

use super::kernel::{BatchKernel, Texts};
use super::signature::{Param, check, literal_text, nullable_if_any, varying};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `TRIM`, which the binder calls with its flag as the first argument.
pub(crate) static TRIM: FunctionDef = FunctionDef {
    name: "TRIM",
    aliases: &[],
    category: Category::String,
    signatures: &[
        "TRIM([ BOTH | LEADING | TRAILING ] [ characters STRING ] FROM string STRING) → STRING",
    ],
    doc: "Returns the text without the given characters at its ends; without blanks, if none are given.\n\
          NULL gives NULL.",
    examples: &[
        ("TRIM(BOTH 'x' FROM 'xxabcx')", "abc"),
        ("TRIM(' a ')", "a"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_trim(args),
};

/// `LTRIM`.
pub(crate) static LTRIM: FunctionDef = FunctionDef {
    name: "LTRIM",
    aliases: &[],
    category: Category::String,
    signatures: &["LTRIM(string STRING [, characters STRING]) → STRING"],
    doc: "Returns the text without the given characters, or blanks, at its start.\nNULL gives NULL.",
    examples: &[("LTRIM('xxabcx', 'x')", "abcx")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("LTRIM", args, Ends::LEADING),
};

/// `RTRIM`.
pub(crate) static RTRIM: FunctionDef = FunctionDef {
    name: "RTRIM",
    aliases: &[],
    category: Category::String,
    signatures: &["RTRIM(string STRING [, characters STRING]) → STRING"],
    doc: "Returns the text without the given characters, or blanks, at its end.\nNULL gives NULL.",
    examples: &[("RTRIM('xxabcx', 'x')", "xxabc")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("RTRIM", args, Ends::TRAILING),
};

/// `BTRIM`.
pub(crate) static BTRIM: FunctionDef = FunctionDef {
    name: "BTRIM",
    aliases: &[],
    category: Category::String,
    signatures: &["BTRIM(string STRING [, characters STRING]) → STRING"],
    doc: "Returns the text without the given characters, or blanks, at both ends.\nNULL gives NULL.\n\
          Flink has it from 2.0 on.",
    examples: &[("BTRIM('xxabcx', 'x')", "abc")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let bound = bind("BTRIM", args, Ends::BOTH)?;
        let nullable = bound.return_type.nullable;
        Ok(Bound {
            return_type: FlinkType::string().with_nullable(nullable),
            ..bound
        })
    },
};

#[derive(Clone, Copy, Debug)]
struct Ends {
    leading: bool,
    trailing: bool,
}

impl Ends {
    const BOTH: Self = Self {
        leading: true,
        trailing: true,
    };
    const LEADING: Self = Self {
        leading: true,
        trailing: false,
    };
    const TRAILING: Self = Self {
        leading: false,
        trailing: true,
    };
}

fn bind_trim(args: &[Arg]) -> Result<Bound, CallError> {
    let arg_types = check("TRIM", args, &[Param::Text; 3], 0)?;
    let ends = match literal_text(&args[0]).as_deref() {
        Some("BOTH") => Ends::BOTH,
        Some("LEADING") => Ends::LEADING,
        Some("TRAILING") => Ends::TRAILING,
        _ => {
            return Err(CallError::Argument {
                index: 0,
                message: "TRIM takes BOTH, LEADING or TRAILING".to_owned(),
            });
        }
    };
    Ok(Bound {
        return_type: nullable_if_any(&args[1..], varying(&arg_types[2])),
        arg_types,
        kernel: BatchKernel::infallible("TRIM", move |args: &[Column], rows| {
            trim(&args[2], Some(&args[1]), rows, ends)
        }),
    })
}

fn bind(name: &'static str, args: &[Arg], ends: Ends) -> Result<Bound, CallError> {
    let arg_types = check(name, args, &[Param::Text; 2], 1)?;
    Ok(Bound {
        return_type: nullable_if_any(args, varying(&arg_types[0])),
        arg_types,
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            trim(&args[0], args.get(1), rows, ends)
        }),
    })
}

fn trim(strings: &Column, characters: Option<&Column>, rows: usize, ends: Ends) -> ArrayRef {
    let texts = Texts::new(strings);
    let sets = characters.map(Texts::new);
    let mut out = TextBuilder::over(texts.array(), rows);
    for row in 0..rows {
        let set = match &sets {
            Some(sets) => sets.get(row),
            None => Some(" "),
        };
        let (Some(text), Some(set)) = (texts.get(row), set) else {
            out.push_null();
            continue;
        };
        let mut start = 0;
        let mut end = text.len();
        if ends.leading {
            start = end - trim_start(text, set).len();
        }
        if ends.trailing {
            end = start + trim_end(&text[start..], set).len();
        }
        out.push_slice(&text[start..end]);
    }
    out.finish()
}

fn trim_start<'a>(text: &'a str, set: &str) -> &'a str {
    match set {
        " " => text.trim_start_matches(' '),
        set => text.trim_start_matches(|character| set.contains(character)),
    }
}

fn trim_end<'a>(text: &'a str, set: &str) -> &'a str {
    match set {
        " " => text.trim_end_matches(' '),
        set => text.trim_end_matches(|character| set.contains(character)),
    }
}
