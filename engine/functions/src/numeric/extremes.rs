//! GREATEST and LEAST.
//!
//! # Flink
//! The type is the common type of all arguments; the result is NULL when one argument is. Of values of which none
//! is greater (NaN), the first stays.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, UInt32Array};
use arrow_select::interleave::interleave;
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use crate::operator::coercion::common_type;
use crate::operator::compare::{Comparison, compare};
use crate::operator::elementwise::{column, has_null_constant, null_column, union_nulls};
use crate::operator::signature::{any_nullable, bad_types, between, with_kind};
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

#[derive(Debug)]
struct Extreme {
    kind: TypeKind,
    op: Comparison,
}

impl Kernel for Extreme {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        if has_null_constant(args) {
            return Ok(null_column(&arrow_type(&self.kind)));
        }
        let rows_of_args = if args.iter().all(Column::is_constant) {
            1
        } else {
            rows
        };
        let mut best = args[0].clone();
        for argument in &args[1..] {
            let pair = [argument.clone(), best.clone()];
            let better = compare(self.op, &self.kind, &self.kind, &pair, rows_of_args)?;
            best = column(&pair, rows_of_args, |rows| {
                let test = better.array().as_boolean();
                let picks: Vec<(usize, usize)> = (0..rows)
                    .map(|row| {
                        let at = better.index(row);
                        if test.is_valid(at) && test.value(at) {
                            (0, argument.index(row))
                        } else {
                            (1, best.index(row))
                        }
                    })
                    .collect();
                let sources: [&dyn Array; 2] = [argument.array(), best.array()];
                Ok(interleave(&sources, &picks).expect("both have the common type"))
            })?;
        }
        self.with_nulls(args, best, rows_of_args)
    }

    fn can_fail(&self) -> bool {
        false
    }
}

impl Extreme {
    /// Makes rows NULL in which some argument is.
    fn with_nulls(&self, args: &[Column], best: Column, rows: usize) -> Result<Column, RowError> {
        let Some(nulls) = union_nulls(args) else {
            return Ok(best);
        };
        let indices: UInt32Array = (0..rows)
            .map(|row| {
                let index = u32::try_from(best.index(row)).expect("a batch is small");
                nulls.is_valid(row).then_some(index)
            })
            .collect();
        let taken = arrow_select::take::take(best.array(), &indices, None);
        Ok(Column::Array(taken.expect("indices are in range")))
    }
}

fn bind(name: &'static str, op: Comparison, args: &[Arg]) -> Result<Bound, CallError> {
    between(name, 1, usize::MAX, args)?;
    let types: Vec<_> = args.iter().map(|arg| arg.ty.clone()).collect();
    let refused = || bad_types(name, args);
    let common = common_type(&types).ok_or_else(refused)?;
    let same_family = |kind: &TypeKind| {
        (kind.is_numeric() && common.kind.is_numeric())
            || (kind.is_character() && common.kind.is_character())
            || std::mem::discriminant(kind) == std::mem::discriminant(&common.kind)
    };
    if common.kind.is_constructed() || !types.iter().all(|ty| same_family(&ty.kind)) {
        return Err(refused());
    }
    Ok(Bound {
        arg_types: args
            .iter()
            .map(|arg| with_kind(&arg.ty, common.kind.clone()))
            .collect(),
        return_type: common.clone().with_nullable(any_nullable(args)),
        kernel: Arc::new(Extreme {
            kind: common.kind,
            op,
        }),
    })
}

pub(super) static GREATEST: FunctionDef = FunctionDef {
    name: "GREATEST",
    aliases: &[],
    category: Category::Comparison,
    signatures: &["GREATEST(a, b, …) → common type"],
    doc: "Returns the greatest value; NULL when one is NULL.",
    examples: &[("GREATEST(1, 2.5)", "2.5")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("GREATEST", Comparison::Greater, args),
};

pub(super) static LEAST: FunctionDef = FunctionDef {
    name: "LEAST",
    aliases: &[],
    category: Category::Comparison,
    signatures: &["LEAST(a, b, …) → common type"],
    doc: "Returns the least value; NULL when one is NULL.",
    examples: &[("LEAST(3, 1, 2)", "1")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("LEAST", Comparison::Less, args),
};
