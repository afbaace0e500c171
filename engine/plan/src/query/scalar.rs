//! Queries as values: left joins with at most one row.

use millrace_connector::TypeKind;
use millrace_operators::JoinKind;
use millrace_program::{Expr, ExprKind, ExprRef, for_each_column, move_columns};
use millrace_sql::ast::{self, ExprKind as K};

use super::QueryBinder;
use super::calls::{Call, Calls, Grouping};
use super::grouped::is_grouped;
use super::grouping_sets::Sets;
use super::join::Condition;
use super::subquery::{conjuncts, simple_select};
use crate::bind::{Binder, Scope};
use crate::logical::{BoundColumn, BoundQuery};

/// Returns the queries that stand as values in an expression.
pub(super) fn scalars<'a>(expr: &'a ast::Expr, found: &mut Vec<&'a ast::Expr>) {
    if matches!(expr.kind, K::Subquery(_)) {
        found.push(expr);
        return;
    }
    let mut direct = Vec::new();
    direct_parts(expr, &mut direct);
    for part in direct {
        scalars(part, found);
    }
}

/// The parts in which a query is looked for.
fn direct_parts<'a>(expr: &'a ast::Expr, found: &mut Vec<&'a ast::Expr>) {
    match &expr.kind {
        K::Unary { expr, .. } | K::Cast { expr, .. } | K::Is { expr, .. } => found.push(expr),
        K::Binary { left, right, .. } | K::IsDistinctFrom { left, right, .. } => {
            found.push(left);
            found.push(right);
        }
        K::Between {
            expr, low, high, ..
        } => found.extend([expr.as_ref(), low, high]),
        K::Function(call) => found.extend(call.args.iter().map(|arg| &arg.value)),
        K::Case {
            operand,
            branches,
            otherwise,
        } => {
            found.extend(operand.as_deref());
            for branch in branches {
                found.extend(branch.when.iter());
                found.push(&branch.then);
            }
            found.extend(otherwise.as_deref());
        }
        _ => {}
    }
}

impl QueryBinder<'_> {
    /// Joins the queries that stand as values behind the columns of a query; returns what has the value of each.
    pub(super) fn with_scalars(
        &mut self,
        mut query: BoundQuery,
        scope: &Scope,
        found: &[&ast::Expr],
    ) -> Option<(BoundQuery, Vec<(millrace_connector::Span, ExprRef)>)> {
        let mut values = Vec::new();
        for expr in found {
            let K::Subquery(inner) = &expr.kind else {
                continue;
            };
            let (joined, value) = self.with_scalar(query, scope, inner, expr.span)?;
            query = joined;
            values.push((expr.span, value));
        }
        Some((query, values))
    }

    fn with_scalar(
        &mut self,
        query: BoundQuery,
        scope: &Scope,
        inner: &ast::Query,
        span: millrace_connector::Span,
    ) -> Option<(BoundQuery, ExprRef)> {
        let width = query.width();
        if let Some(select) = simple_select(inner)
            && is_grouped(select)
            && select.group_by.is_none()
            && self.is_correlated(scope, select)
        {
            return self.with_correlated(query, scope, select, span);
        }
        let right = self.query(inner)?;
        if right.width() != 1 {
            return self.refuse("a query of several columns as a value", span);
        }
        let is_one_row = simple_select(inner)
            .is_some_and(|select| is_grouped(select) && select.group_by.is_none());
        let right = if is_one_row {
            right
        } else {
            self.single(right, span)?
        };
        let joined = self.join(JoinKind::Left, query, right, &[], span)?;
        let value = joined.column(width);
        Some((joined, value))
    }

    /// Returns the one row of a query; more are an error.
    fn single(&mut self, query: BoundQuery, span: millrace_connector::Span) -> Option<BoundQuery> {
        let call = Call {
            name: "SINGLE_VALUE".to_owned(),
            args: vec![query.column(0)],
            filter: None,
            distinct: false,
            may_be_empty: true,
            absent_on_null: None,
            ty: query.columns[0].ty.clone().with_nullable(true),
            span,
            said: None,
        };
        let grouping = Grouping {
            is_global: true,
            ..Grouping::default()
        };
        self.grouped_by(query, &grouping, &Sets::one(0), &[call], span)
    }

    /// Tells whether WHERE of a query names columns of the query around.
    fn is_correlated(&mut self, scope: &Scope, select: &ast::Select) -> bool {
        let errors = self.diagnostics.len();
        let found = self.correlation(scope, select);
        self.diagnostics.truncate(errors);
        found.is_some_and(|(_, _, _, outer)| !outer.is_empty())
    }

    /// Returns the tables of a query, their scope behind the outer one, and the conditions over its own columns and over both.
    fn correlation(
        &mut self,
        scope: &Scope,
        select: &ast::Select,
    ) -> Option<(Scope, BoundQuery, Scope, Vec<ExprRef>)> {
        let width = scope.columns.len();
        let (own, tree) = self.tables_of(select)?;
        let mut both = scope.clone();
        both.outer = width;
        both.columns.extend(own.columns.iter().cloned());
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        if let Some(condition) = &select.selection {
            for part in conjuncts(condition) {
                let bound =
                    Binder::new(&both, self.ctx, self.diagnostics).bind_condition(part, "WHERE")?;
                let mut is_outer = false;
                for_each_column(&bound, &mut |column| is_outer |= column < width);
                match is_outer {
                    true => outer.push(bound),
                    false => inner.push(move_columns(&bound, &mut |column| column - width)),
                }
            }
        }
        let query = self.settled_with(tree, inner)?;
        Some((own, query, both, outer))
    }

    /// # Flink
    /// `FlinkRelDecorrelator`: the aggregate is grouped by what is equal to the outer columns, and joined by it.
    fn with_correlated(
        &mut self,
        query: BoundQuery,
        scope: &Scope,
        select: &ast::Select,
        span: millrace_connector::Span,
    ) -> Option<(BoundQuery, ExprRef)> {
        let width = scope.columns.len();
        let (own, right, _, outer) = self.correlation(scope, select)?;
        let condition = Condition::of(&outer, width);
        if !condition.rest.is_empty() {
            return self.refuse("a correlated query whose condition is no equality", span);
        }
        let mut calls = Calls::new(self.ctx, &select.windows);
        calls.grouping = Some(Grouping {
            keys: condition
                .equal
                .iter()
                .map(|(_, key, _)| key.clone())
                .collect(),
            ..Grouping::default()
        });
        let mut binder = calls.binder(&own, self.diagnostics);
        let items = super::bind_items(&mut binder, &select.items)?;
        let [(name, item)] = items.as_slice() else {
            return self.refuse("a query of several columns as a value", span);
        };
        let grouping = calls.grouping.take().expect("it was just set");
        let is_count = calls.calls.iter().any(|call| call.name == "COUNT");
        let keys = grouping.keys.len();
        let found = std::mem::take(&mut calls.calls);
        let grouped = self.grouped_items(right, &grouping, &found, (name, item), span)?;
        let mut on = Vec::new();
        let empty = Scope::default();
        for (index, (left, _, _)) in condition.equal.iter().enumerate() {
            let key = move_columns(&grouped.column(index), &mut |column| column + query.width());
            let mut binder = Binder::new(&empty, self.ctx, self.diagnostics);
            on.push(binder.apply("=", [left.clone(), key], span)?);
        }
        let place = query.width() + keys;
        let joined = self.join(JoinKind::Left, query, grouped, &on, span)?;
        let value = joined.column(place);
        if !is_count || value.ty.kind != TypeKind::BigInt {
            return Some((joined, value));
        }
        // Without rows COUNT is 0 and not NULL.
        let zero = std::sync::Arc::new(arrow_array::Int64Array::from(vec![0]));
        let zero = Expr::new(ExprKind::Literal(zero), TypeKind::BigInt.not_null(), span);
        let ty = TypeKind::BigInt.nullable();
        let value = Expr::new(ExprKind::Coalesce(vec![value, zero]), ty, span);
        Some((joined, value))
    }

    /// Binds a condition of WHERE with queries as values, and keeps the rows that fulfil it.
    pub(super) fn filtered_by_scalars(
        &mut self,
        scope: &Scope,
        query: BoundQuery,
        condition: &ast::Expr,
        found: &[&ast::Expr],
    ) -> Option<BoundQuery> {
        let width = query.width();
        let (joined, values) = self.with_scalars(query, scope, found)?;
        let mut calls = Calls::new(self.ctx, &[]);
        calls.is_allowed = false;
        calls.scalars = values;
        let mut binder = calls.binder(scope, self.diagnostics);
        let bound = binder.bind_condition(condition, "WHERE")?;
        let filtered = self.built(joined.filter(&bound), condition.span)?;
        let items: Vec<(BoundColumn, ExprRef)> = (0..width)
            .map(|index| (filtered.columns[index].clone(), filtered.column(index)))
            .collect();
        self.built(filtered.project(items), condition.span)
    }
}
