//! A missing element of an ARRAY or MAP whose elements are NOT NULL.
//!
//! # Flink
//! The generated code of `array[i]` and `map[key]` has the element's own type. An expression around the access sees
//! that the element is missing and takes it for NULL. What uses the access as it is believes the type: a column
//! that is nothing else is written without a look for NULL, and shows -1, FALSE or the empty text; `IS NULL` is FALSE.
//! A constant access inside an expression that is not constant is folded by itself, which makes it such a column.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use millrace_connector::{FlinkType, TypeKind};
use millrace_functions::{Volatility, missing_element};

use crate::expr::{Call, Expr, ExprKind, ExprRef};

/// Returns the type of the elements that an access of NOT NULL elements reads; `None` for anything else.
#[must_use]
pub fn may_miss(expr: &Expr) -> Option<&FlinkType> {
    let call = match &expr.kind {
        ExprKind::Retype(inner) => return may_miss(inner),
        ExprKind::Call(call) if call.name == "ITEM" => call,
        _ => return None,
    };
    let element = match &call.args.first()?.ty.kind {
        TypeKind::Array(element) => element,
        TypeKind::Map(_, value) => value,
        _ => return None,
    };
    (!element.nullable).then_some(element)
}

/// Puts in what Flink writes for a missing element where a column is nothing but the access.
#[must_use]
pub fn stands_alone(expr: ExprRef) -> ExprRef {
    match &expr.kind {
        ExprKind::Call(call) if is_behind_the_query(call) => {
            expr.map_children(|child| stands_alone(Arc::clone(child)))
        }
        _ => match may_miss(&expr).and_then(missing_element) {
            Some(kernel) => {
                let (ty, span) = (expr.ty.clone(), expr.span);
                let call = Call {
                    name: "missing element",
                    kernel,
                    args: vec![expr],
                    volatility: Volatility::Deterministic,
                };
                Expr::new(ExprKind::Call(call), ty, span)
            }
            None => expr,
        },
    }
}

/// Tells whether the call is made by the sink's constraints, which look at what the query wrote.
fn is_behind_the_query(call: &Call) -> bool {
    call.name == "trim or pad"
}

/// Says FALSE to IS NULL of an access, and TRUE to IS NOT NULL; anything else stays.
pub(super) fn null_test(expr: ExprRef) -> ExprRef {
    let ExprKind::Call(call) = &expr.kind else {
        return expr;
    };
    let answer = match call.name {
        "IS NULL" => false,
        "IS NOT NULL" => true,
        _ => return expr,
    };
    if call.args.first().and_then(|arg| may_miss(arg)).is_none() {
        return expr;
    }
    let value: ArrayRef = Arc::new(BooleanArray::from(vec![answer]));
    Expr::new(ExprKind::Literal(value), expr.ty.clone(), expr.span)
}

/// Settles a whole constant, which Flink computes as a column of its own; of a ROW, each field is one.
pub(super) fn settle_constant(expr: &ExprRef) -> ExprRef {
    if let ExprKind::Call(call) = &expr.kind
        && call.name == "ROW"
    {
        return expr.map_children(settle_constant);
    }
    stands_alone(settle_parts(expr))
}

fn settle_parts(expr: &ExprRef) -> ExprRef {
    null_test(expr.map_children(|child| match &child.kind {
        ExprKind::Call(call) if call.name == "ROW" => settle_constant(child),
        _ => settle_parts(child),
    }))
}
