//! Expressions compared and taken apart.

use std::sync::Arc;

use super::{Expr, ExprKind, ExprRef};

/// Tells whether two expressions are one value whenever their inputs are. Where they stand in the text does not matter.
#[must_use]
pub fn same(a: &ExprRef, b: &ExprRef) -> bool {
    if Arc::ptr_eq(a, b) {
        return true;
    }
    let all = |a: &[ExprRef], b: &[ExprRef]| {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
    };
    if a.ty != b.ty {
        return false;
    }
    match (&a.kind, &b.kind) {
        (ExprKind::Column(a), ExprKind::Column(b)) => a == b,
        (ExprKind::Literal(a), ExprKind::Literal(b)) => a.as_ref() == b.as_ref(),
        (ExprKind::Call(a), ExprKind::Call(b)) => a.name == b.name && all(&a.args, &b.args),
        (ExprKind::And(a), ExprKind::And(b))
        | (ExprKind::Or(a), ExprKind::Or(b))
        | (ExprKind::Coalesce(a), ExprKind::Coalesce(b)) => all(a, b),
        (
            ExprKind::Case {
                branches: a,
                otherwise: c,
            },
            ExprKind::Case {
                branches: b,
                otherwise: d,
            },
        ) => {
            a.len() == b.len()
                && same(c, d)
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
        }
        (ExprKind::Retype(a), ExprKind::Retype(b)) => same(a, b),
        _ => false,
    }
}

/// Replaces each column by what `map` makes of it; `None` leaves it.
pub fn map_columns(
    expr: &ExprRef,
    map: &mut dyn FnMut(&ExprRef, usize) -> Option<ExprRef>,
) -> ExprRef {
    if let ExprKind::Column(index) = expr.kind {
        return map(expr, index).unwrap_or_else(|| Arc::clone(expr));
    }
    expr.map_children(|child| map_columns(child, map))
}

/// Moves columns: `place` tells the new index.
pub fn move_columns(expr: &ExprRef, place: &mut dyn FnMut(usize) -> usize) -> ExprRef {
    map_columns(expr, &mut |column, index| {
        let to = place(index);
        let kind = ExprKind::Column(to);
        (to != index).then(|| Expr::new(kind, column.ty.clone(), column.span))
    })
}

/// Calls `visit` for each column that an expression reads.
pub fn for_each_column(expr: &Expr, visit: &mut dyn FnMut(usize)) {
    if let ExprKind::Column(index) = expr.kind {
        visit(index);
    }
    expr.for_each_child(|child| for_each_column(child, visit));
}

/// Returns the parts of a conjunction.
#[must_use]
pub fn conjuncts(expr: &ExprRef) -> Vec<ExprRef> {
    match &expr.kind {
        ExprKind::And(parts) => parts.iter().flat_map(conjuncts).collect(),
        _ => vec![Arc::clone(expr)],
    }
}
