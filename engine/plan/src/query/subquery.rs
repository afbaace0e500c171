//! IN and EXISTS over queries: semi joins and anti joins.

use millrace_connector::{Diagnostic, Span};
use millrace_operators::JoinKind;
use millrace_program::{Expr, ExprKind, ExprRef, for_each_column, move_columns};
use millrace_sql::ast::{self, ExprKind as K};

use super::QueryBinder;
use super::calls::Calls;
use super::grouped::is_grouped;
use super::join::JoinTree;
use crate::bind::{Binder, Scope};
use crate::logical::BoundQuery;
use crate::not_yet;

/// A condition of WHERE that asks a query.
struct Asked<'a> {
    /// What must be among the query's values; none for EXISTS.
    values: Vec<&'a ast::Expr>,
    query: &'a ast::Query,
    negated: bool,
    span: Span,
}

/// Returns the parts of a conjunction.
fn parts<'a>(expr: &'a ast::Expr, found: &mut Vec<&'a ast::Expr>) {
    match &expr.kind {
        K::Binary {
            op: ast::BinaryOperator::And,
            left,
            right,
            ..
        } => {
            parts(left, found);
            parts(right, found);
        }
        _ => found.push(expr),
    }
}

/// Returns the parts of a conjunction.
pub(super) fn conjuncts(expr: &ast::Expr) -> Vec<&ast::Expr> {
    let mut all = Vec::new();
    parts(expr, &mut all);
    all
}

fn asked(expr: &ast::Expr) -> Option<Asked<'_>> {
    match &expr.kind {
        K::Exists(query) => Some(Asked {
            values: Vec::new(),
            query,
            negated: false,
            span: expr.span,
        }),
        K::InSubquery {
            expr: value,
            negated,
            query,
        } => {
            let values = match &value.kind {
                K::Row { fields, .. } => fields.iter().collect(),
                _ => vec![value.as_ref()],
            };
            Some(Asked {
                values,
                query,
                negated: *negated,
                span: expr.span,
            })
        }
        K::Unary {
            op: ast::UnaryOperator::Not,
            expr: inner,
        } => asked(inner).map(|asked| Asked {
            negated: !asked.negated,
            ..asked
        }),
        _ => None,
    }
}

impl QueryBinder<'_> {
    /// Binds WHERE over the tables of FROM.
    pub(super) fn selected(
        &mut self,
        scope: Scope,
        tree: JoinTree,
        condition: &ast::Expr,
    ) -> Option<(Scope, BoundQuery)> {
        let mut all = Vec::new();
        parts(condition, &mut all);
        let (queries, plain): (Vec<&ast::Expr>, Vec<&ast::Expr>) =
            all.into_iter().partition(|part| asked(part).is_some());
        let has_scalar = |part: &&ast::Expr| {
            let mut found = Vec::new();
            super::scalar::scalars(part, &mut found);
            !found.is_empty()
        };
        let (with_scalars, plain): (Vec<&ast::Expr>, Vec<&ast::Expr>) =
            plain.into_iter().partition(has_scalar);
        let mut conditions = Vec::new();
        if queries.is_empty() && with_scalars.is_empty() {
            conditions.push(self.condition(&scope, condition)?);
        } else {
            for part in plain {
                conditions.push(self.condition(&scope, part)?);
            }
        }
        let mut query = match tree {
            JoinTree::Leaf(_) => self.settled_with(tree, conditions)?,
            JoinTree::Inner { .. } => {
                let parts = conditions.iter().flat_map(millrace_program::conjuncts);
                let parts = parts.collect();
                self.settled_with(tree, parts)?
            }
        };
        for part in with_scalars {
            let mut found = Vec::new();
            super::scalar::scalars(part, &mut found);
            query = self.filtered_by_scalars(&scope, query, part, &found)?;
        }
        for part in queries {
            let asked = asked(part).expect("it was one before");
            query = self.asked(&scope, query, &asked)?;
        }
        Some((scope, query))
    }

    fn condition(&mut self, scope: &Scope, expr: &ast::Expr) -> Option<ExprRef> {
        let mut calls = Calls::new(self.ctx, &[]);
        calls.is_allowed = false;
        let mut binder = calls.binder(scope, self.diagnostics);
        binder.bind_condition(expr, "WHERE")
    }

    fn asked(&mut self, scope: &Scope, left: BoundQuery, asked: &Asked<'_>) -> Option<BoundQuery> {
        let width = left.width();
        let mut values = Vec::new();
        for value in &asked.values {
            values.push(Binder::new(scope, self.ctx, self.diagnostics).bind_value(value)?);
        }
        let (right, right_values, mut on) = self.side(scope, asked, width)?;
        if right_values.len() < values.len() {
            self.diagnostics.push(
                Diagnostic::error(
                    "MR0411",
                    "IN compares with as many columns as it has values",
                    asked.span,
                )
                .label(format!("{} values", values.len())),
            );
            return None;
        }
        let empty = Scope::default();
        for (value, other) in values.iter().zip(&right_values) {
            let mut binder = Binder::new(&empty, self.ctx, self.diagnostics);
            let equal = binder.apply("=", [value.clone(), other.clone()], asked.span)?;
            if !asked.negated || !(value.ty.nullable || other.ty.nullable) {
                on.push(equal);
                continue;
            }
            // NULL is equal to nothing and different from nothing: NOT IN is then not TRUE.
            let mut any = vec![equal];
            for side in [value, other] {
                if side.ty.nullable {
                    any.push(binder.apply("IS NULL", [side.clone()], asked.span)?);
                }
            }
            let ty = any[0].ty.clone();
            on.push(Expr::new(ExprKind::Or(any), ty, asked.span));
        }
        let kind = if asked.negated {
            JoinKind::Anti
        } else {
            JoinKind::Semi
        };
        self.join(kind, left, right, &on, asked.span)
    }

    /// Binds the query that is asked: its rows, its values and the conditions that also name columns of the query around,
    /// both over the left columns and behind them the query's.
    fn side(
        &mut self,
        scope: &Scope,
        asked: &Asked<'_>,
        width: usize,
    ) -> Option<(BoundQuery, Vec<ExprRef>, Vec<ExprRef>)> {
        let simple = simple_select(asked.query).filter(|select| !is_grouped(select));
        let Some(select) = simple else {
            let query = self.query(asked.query)?;
            let values = (0..query.width()).map(|index| query.column(index));
            let values = values.map(|value| move_columns(&value, &mut |column| column + width));
            let values = values.collect();
            return Some((query, values, Vec::new()));
        };
        let (own, tree) = self.from_tree(select)?;
        let mut both = scope.clone();
        both.outer = both.columns.len();
        both.columns.extend(own.columns);
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        if let Some(condition) = &select.selection {
            let mut all = Vec::new();
            parts(condition, &mut all);
            for part in all {
                if asked_inside(part) {
                    self.diagnostics.push(not_yet::expression(
                        "a query in a query of WHERE",
                        part.span,
                    ));
                    return None;
                }
                let bound = self.condition(&both, part)?;
                let mut is_outer = false;
                for_each_column(&bound, &mut |column| is_outer |= column < width);
                match is_outer {
                    true => outer.push(bound),
                    false => inner.push(move_columns(&bound, &mut |column| column - width)),
                }
            }
        }
        let right = self.settled_with(tree, inner)?;
        let mut values = Vec::new();
        if !asked.values.is_empty() {
            let mut binder = Binder::new(&both, self.ctx, self.diagnostics);
            for (_, value) in super::bind_items(&mut binder, &select.items)? {
                values.push(value);
            }
        }
        Some((right, values, outer))
    }
}

fn asked_inside(expr: &ast::Expr) -> bool {
    asked(expr).is_some()
}

/// Returns the SELECT of a query that is nothing else.
pub(super) fn simple_select(query: &ast::Query) -> Option<&ast::Select> {
    let is_plain = query.with.is_empty()
        && query.order_by.is_empty()
        && query.limit.is_none()
        && query.offset.is_none();
    match &query.body {
        ast::QueryBody::Select(select) if is_plain && !select.distinct => Some(select),
        ast::QueryBody::Nested(inner) if is_plain => simple_select(inner),
        _ => None,
    }
}
