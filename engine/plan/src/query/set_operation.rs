//! INTERSECT and EXCEPT.
//!
//! # Flink
//! Without ALL: a semi or anti join on all columns, NULL equal to NULL, over distinct rows. With ALL, which is not
//! built yet: rows are counted on both sides and given out as often as the counts say (`ReplicateRows`).

use millrace_connector::Span;
use millrace_operators::JoinKind;
use millrace_program::ExprRef;
use millrace_sql::ast;

use super::QueryBinder;
use crate::bind::{Binder, Scope};
use crate::logical::BoundQuery;
use crate::not_yet;

impl QueryBinder<'_> {
    pub(super) fn intersection(
        &mut self,
        op: ast::SetOperator,
        all: bool,
        left: BoundQuery,
        right: BoundQuery,
        span: Span,
    ) -> Option<BoundQuery> {
        let name = match op {
            ast::SetOperator::Intersect => "INTERSECT ALL",
            _ => "EXCEPT ALL",
        };
        if all {
            self.diagnostics.push(not_yet::clause(name, span));
            return None;
        }
        let (left, right) = self.alike(left, right, span)?;
        let names = left.columns.clone();
        let width = left.width();
        let on = self.all_equal(&left, &right, span)?;
        let kind = match op {
            ast::SetOperator::Intersect => JoinKind::Semi,
            _ => JoinKind::Anti,
        };
        let joined = self.join(kind, left, right, &on, span)?;
        let mut query = self.distinct(joined, span)?;
        for (column, name) in query.columns.iter_mut().zip(names).take(width) {
            column.name = name.name;
        }
        Some(query)
    }

    fn all_equal(
        &mut self,
        left: &BoundQuery,
        right: &BoundQuery,
        span: Span,
    ) -> Option<Vec<ExprRef>> {
        let width = left.width();
        let empty = Scope::default();
        let mut binder = Binder::new(&empty, self.ctx, self.diagnostics);
        let mut on = Vec::with_capacity(width);
        for index in 0..width {
            let other =
                millrace_program::move_columns(&right.column(index), &mut |column| column + width);
            on.push(binder.apply("IS NOT DISTINCT FROM", [left.column(index), other], span)?);
        }
        Some(on)
    }
}
