//! INTERSECT and EXCEPT.
//!
//! # Flink
//! Without ALL: a semi or anti join on all columns, NULL equal to NULL, over distinct rows. With ALL: rows are counted on both
//! sides and given out as often as the counts say (`ReplicateRows`).

use millrace_connector::{Span, TypeKind};
use millrace_operators::JoinKind;
use millrace_program::{Expr, ExprKind, ExprRef};
use millrace_sql::ast;

use super::QueryBinder;
use crate::bind::{Binder, Scope};
use crate::logical::{Aggregate, AggregateCall, BoundColumn, BoundQuery, StateKind};

impl QueryBinder<'_> {
    pub(super) fn intersection(
        &mut self,
        op: ast::SetOperator,
        all: bool,
        left: BoundQuery,
        right: BoundQuery,
        span: Span,
    ) -> Option<BoundQuery> {
        let (left, right) = self.alike(left, right, span)?;
        if all {
            return self.counted(op, left, right, span);
        }
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

    /// Counts equal rows of both sides, and gives each out as often as the counts say.
    ///
    /// # Flink
    /// `ReplicateRows` behind an aggregate: `RewriteIntersectAllRule`, `RewriteMinusAllRule`.
    fn counted(
        &mut self,
        op: ast::SetOperator,
        left: BoundQuery,
        right: BoundQuery,
        span: Span,
    ) -> Option<BoundQuery> {
        let names = left.columns.clone();
        let width = left.width();
        let marked = [
            self.marked(left, [Some(1), None], span)?,
            self.marked(right, [None, Some(1)], span)?,
        ];
        let both = self.built(BoundQuery::union_all(marked.into()), span)?;
        let calls = [width, width + 1].map(|column| AggregateCall {
            name: "COUNT".to_owned(),
            args: super::calls::described(&[both.column(column)]),
            columns: vec![column],
            distinct: false,
            may_be_empty: false,
            absent_on_null: None,
            filter: None,
            span,
        });
        let mut columns: Vec<BoundColumn> = both.columns[..width].to_vec();
        for name in ["$left", "$right"] {
            let ty = TypeKind::BigInt.not_null();
            columns.push(BoundColumn::plain(name, ty, span));
        }
        let node = StateKind::Aggregate(Aggregate {
            keys: (0..width).collect(),
            calls: calls.into(),
        });
        let counts = self.built(BoundQuery::state(node, vec![both], columns), span)?;
        let times = self.times(op, &counts, width, span)?;
        let empty = Scope::default();
        let mut binder = Binder::new(&empty, self.ctx, self.diagnostics);
        let zero = number(0, span);
        let some = binder.apply(">", [times.clone(), zero], span)?;
        let counts = self.built(counts.filter(&some), span)?;
        let mut items = vec![(BoundColumn::plain("$times", times.ty.clone(), span), times)];
        for (index, name) in names.into_iter().enumerate() {
            items.push((name, counts.column(index)));
        }
        let counted = self.built(counts.project(items), span)?;
        let columns = counted.columns.clone();
        let node = BoundQuery::state(StateKind::Replicate, vec![counted], columns);
        let replicated = self.built(node, span)?;
        let items =
            (1..=width).map(|index| (replicated.columns[index].clone(), replicated.column(index)));
        let items = items.collect();
        self.built(replicated.project(items), span)
    }

    /// Puts two columns behind a query's, each a constant or NULL.
    fn marked(
        &mut self,
        query: BoundQuery,
        marks: [Option<i64>; 2],
        span: Span,
    ) -> Option<BoundQuery> {
        let ty = TypeKind::BigInt.nullable();
        let mut items: Vec<(BoundColumn, ExprRef)> = (0..query.width())
            .map(|index| {
                let mut column = query.columns[index].clone();
                column.time = None;
                column.window = None;
                (column, query.column(index))
            })
            .collect();
        for (index, mark) in marks.into_iter().enumerate() {
            let value = std::sync::Arc::new(arrow_array::Int64Array::from(vec![mark]));
            let value = Expr::new(ExprKind::Literal(value), ty.clone(), span);
            let name = format!("$mark{index}");
            items.push((BoundColumn::plain(name, ty.clone(), span), value));
        }
        self.built(query.project(items), span)
    }

    /// Returns how often a row goes out, over the counts of both sides.
    fn times(
        &mut self,
        op: ast::SetOperator,
        counts: &BoundQuery,
        width: usize,
        span: Span,
    ) -> Option<ExprRef> {
        let (left, right) = (counts.column(width), counts.column(width + 1));
        let empty = Scope::default();
        let mut binder = Binder::new(&empty, self.ctx, self.diagnostics);
        if op != ast::SetOperator::Intersect {
            return binder.apply("-", [left, right], span);
        }
        let more = binder.apply(">", [left.clone(), right.clone()], span)?;
        let ty = left.ty.clone();
        let kind = ExprKind::Case {
            branches: vec![(more, right)],
            otherwise: left,
        };
        Some(Expr::new(kind, ty, span))
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

fn number(value: i64, span: Span) -> ExprRef {
    let value = std::sync::Arc::new(arrow_array::Int64Array::from(vec![value]));
    Expr::new(ExprKind::Literal(value), TypeKind::BigInt.not_null(), span)
}
