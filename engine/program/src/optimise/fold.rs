//! Constants are computed once, before the first row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, Float32Array, Float64Array};
use arrow_schema::DataType;
use millrace_connector::{Diagnostic, TypeKind};
use millrace_functions::{Column, EvalContext, Volatility};

use super::missing::{null_test, settle_constant};
use crate::expr::{Expr, ExprKind, ExprRef};
use crate::program::{LaneProgram, NotNullEnforcer, ProgramSource};

/// Folds expressions; shared ones stay shared.
#[derive(Debug, Default)]
pub struct Folding {
    done: HashMap<*const Expr, (ExprRef, ExprRef)>,
    /// Whether an expression is a constant; what views share is looked at once.
    constants: HashMap<*const Expr, (ExprRef, bool)>,
    /// What is wrong with constants that were folded.
    pub diagnostics: Vec<Diagnostic>,
}

/// Folds one expression.
pub fn fold(expr: &ExprRef, folding: &mut Folding) -> ExprRef {
    if let Some((_, folded)) = folding.done.get(&Arc::as_ptr(expr)) {
        return Arc::clone(folded);
    }
    let folded = fold_new(expr, folding);
    // The original is kept too, so that its address stays its own.
    folding
        .done
        .insert(Arc::as_ptr(expr), (Arc::clone(expr), Arc::clone(&folded)));
    folded
}

fn fold_new(expr: &ExprRef, folding: &mut Folding) -> ExprRef {
    if matches!(expr.kind, ExprKind::Literal(_) | ExprKind::Column(_)) {
        return Arc::clone(expr);
    }
    if is_constant(expr, folding) {
        return fold_constant(&settle_constant(expr), folding);
    }
    let folded = expr.map_children(|child| fold(child, folding));
    simplify(&null_test(folded))
}

/// Tells whether the value depends on no row, clock or chance.
fn is_constant(expr: &ExprRef, folding: &mut Folding) -> bool {
    if let Some((_, known)) = folding.constants.get(&Arc::as_ptr(expr)) {
        return *known;
    }
    let own = match &expr.kind {
        ExprKind::Column(_) => false,
        ExprKind::Call(call) => call.volatility == Volatility::Deterministic,
        _ => true,
    };
    let mut all = own;
    expr.for_each_child(|child| all = all && is_constant(child, folding));
    folding
        .constants
        .insert(Arc::as_ptr(expr), (Arc::clone(expr), all));
    all
}

fn literal(expr: &ExprRef, value: ArrayRef) -> ExprRef {
    Expr::new(ExprKind::Literal(value), expr.ty.clone(), expr.span)
}

/// Returns the value of a constant expression; `None` if it fails.
fn evaluate(expr: &ExprRef) -> Option<ArrayRef> {
    if let ExprKind::Call(call) = &expr.kind
        && call.args.iter().all(|arg| arg.literal().is_some())
    {
        let args: Vec<Column> = call
            .args
            .iter()
            .filter_map(|arg| arg.literal())
            .map(|literal| Column::Constant(literal.value))
            .collect();
        let result = call
            .kernel
            .evaluate(&args, 1, &EvalContext { now_ms: 0 })
            .ok()?;
        return Some(ArrayRef::clone(result.array()));
    }
    let source = ProgramSource {
        width: 0,
        unnests: &[],
        filters: &[],
        projection: std::slice::from_ref(expr),
        outputs: vec![crate::program::OutputColumn {
            name: String::new(),
            ty: expr.ty.clone(),
            enforced: false,
        }],
        not_null: NotNullEnforcer::Error,
    };
    let output = LaneProgram::compile(source)
        .run(&[], 1, &EvalContext { now_ms: 0 })
        .ok()?;
    output.columns.into_iter().next()
}

fn fold_constant(expr: &ExprRef, folding: &mut Folding) -> ExprRef {
    let simple = simplify(expr);
    if !Arc::ptr_eq(&simple, expr) {
        return fold(&simple, folding);
    }
    refuse_division_by_zero(expr, folding);
    refuse_unfit_float(expr, folding);
    // A constant that fails stays as it is and fails on the first row, as in Flink.
    match evaluate(expr) {
        Some(value) => literal(expr, positive_zero(value)),
        None => Arc::clone(expr),
    }
}

/// # Flink
/// Folded numbers pass through `BigDecimal`, which has no negative zero.
fn positive_zero(value: ArrayRef) -> ArrayRef {
    if let Some(doubles) = value.as_primitive_opt::<Float64Type>()
        && doubles.is_valid(0)
        && doubles.value(0) == 0.0
    {
        return Arc::new(Float64Array::from(vec![0.0]));
    }
    if let Some(floats) = value.as_primitive_opt::<Float32Type>()
        && floats.is_valid(0)
        && floats.value(0) == 0.0
    {
        return Arc::new(Float32Array::from(vec![0.0]));
    }
    value
}

/// # Flink
/// A constant division by zero that is a whole argument or column by itself is found by the planner; inside a larger
/// constant it is left to fail on the first row.
fn refuse_division_by_zero(expr: &ExprRef, folding: &mut Folding) {
    let ExprKind::Call(call) = &expr.kind else {
        return;
    };
    let zero = call.name == "/"
        && call.args.len() == 2
        && evaluate(&call.args[1]).is_some_and(|divisor| is_zero(&divisor));
    if zero && evaluate(&call.args[0]).is_some_and(|dividend| dividend.is_valid(0)) {
        let error = Diagnostic::error("MR0409", "division by zero", expr.span)
            .label("this is always an error");
        folding.diagnostics.push(error);
    }
}

fn is_zero(value: &ArrayRef) -> bool {
    if value.is_null(0) {
        return false;
    }
    match value.data_type() {
        DataType::Int8 => value.as_primitive::<Int8Type>().value(0) == 0,
        DataType::Int16 => value.as_primitive::<Int16Type>().value(0) == 0,
        DataType::Int32 => value.as_primitive::<Int32Type>().value(0) == 0,
        DataType::Int64 => value.as_primitive::<Int64Type>().value(0) == 0,
        DataType::Float32 => value.as_primitive::<Float32Type>().value(0) == 0.0,
        DataType::Float64 => value.as_primitive::<Float64Type>().value(0) == 0.0,
        DataType::Decimal128(..) => value.as_primitive::<Decimal128Type>().value(0) == 0,
        _ => false,
    }
}

/// # Flink
/// The planner cannot hold a FLOAT constant that was read from a text and is no number.
fn refuse_unfit_float(expr: &ExprRef, folding: &mut Folding) {
    if expr.ty.kind == TypeKind::Float
        && let Some(value) = evaluate(expr)
        && let Some(floats) = value.as_primitive_opt::<Float32Type>()
        && floats.is_valid(0)
        && !floats.value(0).is_finite()
        && reads_text(expr)
    {
        let error = Diagnostic::error("MR0407", "a FLOAT constant is infinite or NaN", expr.span);
        folding.diagnostics.push(error.help("use DOUBLE"));
        return;
    }
    expr.for_each_child(|child| refuse_unfit_float(child, folding));
}

fn reads_text(expr: &Expr) -> bool {
    let mut found = expr.ty.kind.is_character();
    expr.for_each_child(|child| found = found || reads_text(child));
    found
}

/// Removes what a constant decides: `x OR TRUE`, `x AND FALSE`, a CASE with a constant condition.
fn simplify(expr: &ExprRef) -> ExprRef {
    match &expr.kind {
        ExprKind::And(parts) => simplify_logic(expr, parts, true),
        ExprKind::Or(parts) => simplify_logic(expr, parts, false),
        ExprKind::Case {
            branches,
            otherwise,
        } => simplify_case(expr, branches, otherwise),
        _ => Arc::clone(expr),
    }
}

fn boolean_constant(expr: &Expr) -> Option<Option<bool>> {
    let value = expr.literal()?.value;
    let array = value.as_boolean_opt()?;
    Some(array.is_valid(0).then(|| array.value(0)))
}

fn simplify_logic(expr: &ExprRef, parts: &[ExprRef], and: bool) -> ExprRef {
    if parts
        .iter()
        .any(|part| boolean_constant(part) == Some(Some(!and)))
    {
        return literal(expr, Arc::new(BooleanArray::from(vec![!and])));
    }
    let rest: Vec<ExprRef> = parts
        .iter()
        .filter(|part| boolean_constant(part) != Some(Some(and)))
        .map(Arc::clone)
        .collect();
    if rest.len() == parts.len() {
        return Arc::clone(expr);
    }
    let kind = match rest.len() {
        0 => return literal(expr, Arc::new(BooleanArray::from(vec![and]))),
        1 => ExprKind::Retype(Arc::clone(&rest[0])),
        _ if and => ExprKind::And(rest),
        _ => ExprKind::Or(rest),
    };
    Expr::new(kind, expr.ty.clone(), expr.span)
}

fn simplify_case(expr: &ExprRef, branches: &[(ExprRef, ExprRef)], otherwise: &ExprRef) -> ExprRef {
    let mut kept = Vec::with_capacity(branches.len());
    let mut otherwise = Arc::clone(otherwise);
    for (when, then) in branches {
        match boolean_constant(when) {
            Some(Some(true)) => {
                otherwise = Arc::clone(then);
                break;
            }
            Some(_) => {}
            None => kept.push((Arc::clone(when), Arc::clone(then))),
        }
    }
    if kept.len() == branches.len() {
        return Arc::clone(expr);
    }
    let kind = if kept.is_empty() {
        debug_assert!(
            otherwise.ty.kind == expr.ty.kind || otherwise.ty.kind != TypeKind::Null,
            "results are converted"
        );
        ExprKind::Retype(otherwise)
    } else {
        ExprKind::Case {
            branches: kept,
            otherwise,
        }
    };
    Expr::new(kind, expr.ty.clone(), expr.span)
}
