//! `||`.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use millrace_connector::physical::arrow_type;
use millrace_connector::{LENGTH_MAX, TypeKind};

use super::elementwise::{column, has_null_constant, null_column, union_nulls};
use super::signature::{bad_types, exactly, nullable_if_args};
use crate::cast::convert::build_text;
use crate::{Bound, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility};

/// Puts two values one after the other.
#[derive(Debug)]
struct Concat {
    kind: TypeKind,
}

impl Kernel for Concat {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        if has_null_constant(args) {
            return Ok(null_column(&arrow_type(&self.kind)));
        }
        let nulls = union_nulls(args);
        column(args, rows, |rows| {
            let (left, right) = (args[0].array(), args[1].array());
            let (left, right) = (left.as_string_view(), right.as_string_view());
            Ok(build_text(rows, nulls.as_ref(), |row, out| {
                out.push_str(left.value(args[0].index(row)));
                out.push_str(right.value(args[1].index(row)));
            }))
        })
    }

    fn can_fail(&self) -> bool {
        false
    }
}

/// Returns the type of both values in a row: CHAR stays so only when both are.
fn concat_type(left: &TypeKind, right: &TypeKind) -> Option<TypeKind> {
    use TypeKind::{Char, Varchar};
    let sum = |m: &u32, n: &u32| m.saturating_add(*n).min(LENGTH_MAX);
    Some(match (left, right) {
        (Char(m), Char(n)) => Char(sum(m, n)),
        (Char(m) | Varchar(m), Char(n) | Varchar(n)) => Varchar(sum(m, n)),
        _ => return None,
    })
}

pub(super) static CONCAT: FunctionDef = FunctionDef {
    name: "||",
    aliases: &[],
    category: Category::String,
    signatures: &["a STRING || b STRING → STRING"],
    doc: "Returns the second value behind the first; NULL when one is NULL.\nCHAR values keep their padding.",
    examples: &[("'a' || 'b'", "ab")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        exactly("||", 2, args)?;
        let kind =
            concat_type(&args[0].ty.kind, &args[1].ty.kind).ok_or_else(|| bad_types("||", args))?;
        Ok(Bound {
            arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
            return_type: nullable_if_args(kind.clone(), args),
            kernel: Arc::new(Concat { kind }),
        })
    },
};
