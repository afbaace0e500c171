//! CONCAT and CONCAT_WS.
//!
//! # Flink
//! CONCAT of a NULL is NULL. CONCAT_WS skips NULLs but not empty texts; a NULL separator gives NULL. Both return
//! STRING, NOT NULL where all arguments are.

use arrow_array::ArrayRef;
use millrace_connector::{FlinkType, TypeKind};

use super::kernel::{BatchKernel, Texts};
use super::signature::{Param, check_all, nullable_if_any};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `CONCAT`.
pub(crate) static CONCAT: FunctionDef = FunctionDef {
    name: "CONCAT",
    aliases: &[],
    category: Category::String,
    signatures: &["CONCAT(string STRING, …) → STRING"],
    doc: "Returns the texts one after the other.\nA NULL among them gives NULL.",
    examples: &[("CONCAT('a', 'b')", "ab")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("CONCAT", args, concat),
};

/// `CONCAT_WS`.
pub(crate) static CONCAT_WS: FunctionDef = FunctionDef {
    name: "CONCAT_WS",
    aliases: &[],
    category: Category::String,
    signatures: &["CONCAT_WS(separator STRING, string STRING, …) → STRING"],
    doc: "Returns the texts one after the other with the separator between them.\n\
          NULLs are left out; empty texts are not.\nA NULL separator gives NULL.",
    examples: &[("CONCAT_WS('~', 'AA', '', 'BB')", "AA~~BB")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("CONCAT_WS", args, concat_ws),
};

fn bind(
    name: &'static str,
    args: &[Arg],
    run: fn(&[Column], usize) -> ArrayRef,
) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check_all(name, args, Param::Text, 1)?,
        return_type: nullable_if_any(args, string_kind()),
        kernel: BatchKernel::infallible(name, run),
    })
}

/// Returns the kind of STRING.
pub(crate) fn string_kind() -> TypeKind {
    FlinkType::string().kind
}

fn concat(args: &[Column], rows: usize) -> ArrayRef {
    let parts: Vec<Texts<'_>> = args.iter().map(Texts::new).collect();
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    'rows: for row in 0..rows {
        buffer.clear();
        for part in &parts {
            let Some(text) = part.get(row) else {
                out.push_null();
                continue 'rows;
            };
            buffer.push_str(text);
        }
        out.push(&buffer);
    }
    out.finish()
}

fn concat_ws(args: &[Column], rows: usize) -> ArrayRef {
    let separators = Texts::new(&args[0]);
    let parts: Vec<Texts<'_>> = args[1..].iter().map(Texts::new).collect();
    let mut out = TextBuilder::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let Some(separator) = separators.get(row) else {
            out.push_null();
            continue;
        };
        buffer.clear();
        let mut first = true;
        for text in parts.iter().filter_map(|part| part.get(row)) {
            if !first {
                buffer.push_str(separator);
            }
            first = false;
            buffer.push_str(text);
        }
        out.push(&buffer);
    }
    out.finish()
}
