//! Values in place of columns.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Expr, ExprKind, ExprRef};

/// Replaces each column by its value: column `i` by `values[i]`. What the expression shares stays shared.
#[must_use]
pub fn substitute(expr: &ExprRef, values: &[ExprRef]) -> ExprRef {
    let mut done = HashMap::new();
    with_memory(expr, values, &mut done)
}

fn with_memory(
    expr: &ExprRef,
    values: &[ExprRef],
    done: &mut HashMap<*const Expr, ExprRef>,
) -> ExprRef {
    if let ExprKind::Column(index) = expr.kind {
        return Arc::clone(&values[index]);
    }
    if let Some(known) = done.get(&Arc::as_ptr(expr)) {
        return Arc::clone(known);
    }
    let replaced = expr.map_children(|child| with_memory(child, values, done));
    done.insert(Arc::as_ptr(expr), Arc::clone(&replaced));
    replaced
}
