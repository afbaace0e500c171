//! PI and E.

use std::sync::Arc;

use arrow_array::Float64Array;
use millrace_connector::TypeKind;

use crate::operator::signature::exactly;
use crate::{
    Arg, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel, RowError, Volatility,
};

#[derive(Debug)]
struct Constant(f64);

impl Kernel for Constant {
    fn evaluate(
        &self,
        _args: &[Column],
        _rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        Ok(Column::Constant(Arc::new(Float64Array::from(vec![self.0]))))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn bind(name: &'static str, value: f64, args: &[Arg]) -> Result<Bound, CallError> {
    exactly(name, 0, args)?;
    Ok(Bound {
        arg_types: Vec::new(),
        return_type: TypeKind::Double.not_null(),
        kernel: Arc::new(Constant(value)),
    })
}

pub(super) static PI: FunctionDef = FunctionDef {
    name: "PI",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["PI() → DOUBLE NOT NULL"],
    doc: "Returns the number pi.",
    examples: &[("PI()", "3.141592653589793")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("PI", std::f64::consts::PI, args),
};

pub(super) static E: FunctionDef = FunctionDef {
    name: "E",
    aliases: &[],
    category: Category::Arithmetic,
    signatures: &["E() → DOUBLE NOT NULL"],
    doc: "Returns Euler's number.",
    examples: &[("E()", "2.718281828459045")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind("E", std::f64::consts::E, args),
};
