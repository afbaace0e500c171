//! JSON_EXISTS.
//!
//! # Flink
//! `SqlJsonUtils.jsonExists`, 1.17. A path that leads to null leads nowhere; one that may lead to several places
//! (`$..a`) always leads to a list. What is missing is an error in strict mode, the mode of a path that names none.

use std::sync::Arc;

use arrow_array::builder::BooleanBuilder;
use millrace_connector::TypeKind;
use millrace_json::Tape;

use super::clauses::{Outcome, Paths, check_texts, clause, look, no_clause};
use crate::string::kernel::{BatchKernel, Texts};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `JSON_EXISTS`.
pub(crate) static JSON_EXISTS: FunctionDef = FunctionDef {
    name: "JSON_EXISTS",
    aliases: &[],
    category: Category::Json,
    signatures: &[
        "JSON_EXISTS(json STRING, path STRING [{TRUE | FALSE | UNKNOWN | ERROR} ON ERROR]) → BOOLEAN",
    ],
    doc: "Tells whether the path leads to a value in a JSON text.\nNULL gives NULL.",
    examples: &[
        (r#"JSON_EXISTS('{"a": 1}', '$.a')"#, "TRUE"),
        (r#"JSON_EXISTS('{"a": 1}', '$.b')"#, "FALSE"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

/// What an error comes to; `Err` fails.
type OnError = Result<Option<bool>, ()>;

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    check_texts("JSON_EXISTS", args)?;
    let on_error: OnError = match args.len() {
        2 => Ok(Some(false)),
        _ => match clause(args, 2)? {
            "TRUE" => Ok(Some(true)),
            "FALSE" => Ok(Some(false)),
            "UNKNOWN" => Ok(None),
            "ERROR" => Err(()),
            other => return Err(no_clause(2, other)),
        },
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: TypeKind::Boolean.nullable(),
        kernel: BatchKernel::fallible("JSON_EXISTS", move |args: &[Column], rows| {
            let input = Texts::new(&args[0]);
            let mut paths = Paths::new(&args[1]);
            let mut tape = Tape::new();
            let mut out = BooleanBuilder::with_capacity(rows);
            for row in 0..rows {
                let (Some(text), Some(path)) = (input.get(row), paths.get(row)) else {
                    out.append_null();
                    continue;
                };
                let exists = match look(&mut tape, text, path).0 {
                    Outcome::Empty => Some(false),
                    Outcome::Found(_) => Some(true),
                    Outcome::Fault(fault) => on_error.map_err(|()| RowError::new(row, fault))?,
                };
                out.append_option(exists);
            }
            Ok(Arc::new(out.finish()))
        }),
    })
}
