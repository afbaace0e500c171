//! IS JSON.
//!
//! # Flink
//! `SqlJsonUtils.isJsonValue` and its kin, 1.17: Jackson can read a document at the start of the text; what follows
//! it is not looked at. NULL is no JSON, so the result is never NULL.

use std::sync::Arc;

use arrow_array::BooleanArray;
use millrace_connector::TypeKind;
use millrace_json::{Kind, Scanner, Scratch};

use super::clauses::{clause, no_clause};
use crate::string::kernel::{BatchKernel, Texts};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `IS JSON`.
pub(crate) static IS_JSON: FunctionDef = FunctionDef {
    name: "IS JSON",
    aliases: &[],
    category: Category::Json,
    signatures: &["text IS [NOT] JSON [VALUE | SCALAR | ARRAY | OBJECT] → BOOLEAN NOT NULL"],
    doc: "Tells whether a text is JSON, or JSON of the given kind.\nNULL and the empty text are not.",
    examples: &[
        ("'1' IS JSON", "TRUE"),
        ("'{}' IS JSON ARRAY", "FALSE"),
        ("'abc' IS JSON", "FALSE"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Value,
    Scalar,
    Array,
    Object,
}

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    let is_text = args
        .first()
        .is_some_and(|arg| arg.ty.kind.is_character() || arg.ty.kind == TypeKind::Null);
    if !is_text {
        return Err(CallError::ArgumentTypes {
            function: "IS JSON".to_owned(),
            given: args
                .first()
                .map(|arg| arg.ty.to_string())
                .unwrap_or_default(),
        });
    }
    let wanted = match args.len() {
        1 => Wanted::Value,
        _ => match clause(args, 1)? {
            "VALUE" => Wanted::Value,
            "SCALAR" => Wanted::Scalar,
            "ARRAY" => Wanted::Array,
            "OBJECT" => Wanted::Object,
            other => return Err(no_clause(1, other)),
        },
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: TypeKind::Boolean.not_null(),
        kernel: BatchKernel::infallible("IS JSON", move |args: &[Column], rows| {
            let input = Texts::new(&args[0]);
            let mut scratch = Scratch::default();
            let is_json = |row| {
                let kind = input.get(row).and_then(|text| kind_of(text, &mut scratch));
                kind.is_some_and(|kind| wanted.includes(kind))
            };
            let values: Vec<bool> = (0..rows).map(is_json).collect();
            Arc::new(BooleanArray::from(values))
        }),
    })
}

impl Wanted {
    fn includes(self, kind: Kind) -> bool {
        match self {
            Self::Value => true,
            Self::Scalar => !matches!(kind, Kind::Array | Kind::Object),
            Self::Array => kind == Kind::Array,
            Self::Object => kind == Kind::Object,
        }
    }
}

/// Returns what the document at the start of `text` is.
fn kind_of(text: &str, scratch: &mut Scratch) -> Option<Kind> {
    let mut scanner = Scanner::<false>::new(text.as_bytes(), 0, scratch);
    let span = scanner.value::<false>().ok()?;
    if matches!(span.kind, Kind::Int | Kind::Float) {
        scanner.check_root_number().ok()?;
    }
    Some(span.kind)
}
