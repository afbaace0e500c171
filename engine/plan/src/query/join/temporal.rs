//! FOR SYSTEM_TIME AS OF.

use millrace_connector::TypeKind;
use millrace_program::{ExprKind, ExprRef, conjuncts};
use millrace_sql::ast;

use super::{Condition, JoinTree, beside, refused, renullable, side_columns};
use crate::bind::{Binder, Scope};
use crate::logical::{BoundQuery, StateKind, Temporal, TimeAttribute};
use crate::query::QueryBinder;
use crate::query::staged::Staged;

/// Returns the time at which a table is read.
pub(super) fn system_time(table: &ast::TableRef) -> Option<&ast::Expr> {
    match &table.kind {
        ast::TableRefKind::Named { system_time, .. } => system_time.as_ref(),
        _ => None,
    }
}

impl QueryBinder<'_> {
    pub(super) fn temporal(
        &mut self,
        kind: ast::JoinKind,
        left: &ast::TableRef,
        right: &ast::TableRef,
        time: &ast::Expr,
        constraint: &ast::JoinConstraint,
    ) -> Option<(Scope, JoinTree)> {
        let span = right.span;
        let outer = match kind {
            ast::JoinKind::Inner => false,
            ast::JoinKind::Left => true,
            _ => {
                self.diagnostics.push(refused(
                    "a temporal table join is an INNER or a LEFT JOIN",
                    span,
                ));
                return None;
            }
        };
        let (left_scope, tree) = self.joined(left)?;
        let left = self.settled(tree)?;
        let (right_scope, right) = self.table_at(right)?;
        let moment = Binder::new(&left_scope, self.ctx, self.diagnostics).bind(time)?;
        let attribute = match moment.kind {
            ExprKind::Column(column) => left.columns.get(column).and_then(|column| column.time),
            _ => None,
        };
        let (ExprKind::Column(left_time), Some(attribute)) = (&moment.kind, attribute) else {
            self.diagnostics.push(refused(
                "Temporal table join only supports the event-time or processing-time attribute of the left table in FOR SYSTEM_TIME AS OF",
                time.span,
            ));
            return None;
        };
        let left_time = *left_time;
        if attribute == TimeAttribute::Proctime {
            return self.refuse("a temporal join by processing time (a lookup join)", span);
        }
        let right_time = right
            .columns
            .iter()
            .position(|column| column.time == Some(TimeAttribute::Rowtime));
        let Some(right_time) = right_time else {
            self.diagnostics.push(refused(
                "Event-Time Temporal Table Join requires both primary key and row time attribute in versioned table, but no row time attribute can be found",
                span,
            ));
            return None;
        };
        if std::mem::discriminant(&left.columns[left_time].ty.kind)
            != std::mem::discriminant(&right.columns[right_time].ty.kind)
        {
            self.diagnostics.push(refused(
                "Event-Time Temporal Table Join requires same rowtime type in left table and versioned table",
                span,
            ));
            return None;
        }
        let scope = beside(left_scope, right_scope);
        let on = match constraint {
            ast::JoinConstraint::On(expr) => {
                let mut binder = Binder::new(&scope, self.ctx, self.diagnostics);
                conjuncts(&binder.bind_condition(expr, "ON")?)
            }
            _ => Vec::new(),
        };
        let query = self.versions(left, right, (left_time, right_time), &on, outer, span)?;
        let scope = renullable(scope, &query);
        Some((scope, JoinTree::leaf(query)))
    }

    /// Binds the right side without its time.
    fn table_at(&mut self, table: &ast::TableRef) -> Option<(Scope, BoundQuery)> {
        let mut plain = table.clone();
        if let ast::TableRefKind::Named { system_time, .. } = &mut plain.kind {
            *system_time = None;
        }
        let before = std::mem::replace(&mut self.is_versioned, true);
        let found = self.table_ref(&plain);
        self.is_versioned = before;
        found
    }

    fn versions(
        &mut self,
        left: BoundQuery,
        right: BoundQuery,
        rowtimes: (usize, usize),
        on: &[ExprRef],
        outer: bool,
        span: millrace_connector::Span,
    ) -> Option<BoundQuery> {
        let (left_width, right_width) = (left.width(), right.width());
        let condition = Condition::of(on, left_width);
        if condition.equal.is_empty() {
            self.diagnostics.push(refused(
                "Currently the join key in Temporal Table Join can not be empty",
                span,
            ));
            return None;
        }
        let (mut left_staged, mut right_staged) = (Staged::over(&left), Staged::over(&right));
        let keys = condition
            .equal
            .iter()
            .map(|(a, b, _)| (left_staged.column(a), right_staged.column(b)));
        let keys = keys.collect();
        let left_input = self.built(left_staged.project(left), span)?;
        let right_input = self.built(right_staged.project(right), span)?;
        let all = left_input.width();
        let mut place = |column: usize| match column < left_width {
            true => column,
            false => all + (column - left_width),
        };
        let rest = condition.rest.iter();
        let rest = rest.map(|part| millrace_program::move_columns(part, &mut place));
        let rest: Vec<ExprRef> = rest.collect();
        let mut columns = side_columns(&left_input, false, true);
        columns.extend(side_columns(&right_input, outer, false));
        for column in &mut columns[all..] {
            if let TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) = column.ty.kind {
                column.time = None;
            }
        }
        let node = Temporal {
            outer,
            keys,
            rowtimes,
            condition: rest,
            span,
        };
        let joined = BoundQuery::state(
            StateKind::Temporal(node),
            vec![left_input, right_input],
            columns,
        );
        let joined = self.built(joined, span)?;
        let wanted = (0..left_width).chain((0..right_width).map(|column| all + column));
        let items = wanted.map(|column| (joined.columns[column].clone(), joined.column(column)));
        let items = items.collect();
        self.built(joined.project(items), span)
    }
}
