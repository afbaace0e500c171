//! Joins: which columns must be equal, what else a pair must fulfil, and where the conditions of WHERE go.

mod interval;
mod temporal;

use millrace_connector::{Diagnostic, Span};
use millrace_operators::JoinKind;
use millrace_program::{Expr, ExprKind, ExprRef, conjuncts, for_each_column, move_columns};
use millrace_sql::ast;

use super::QueryBinder;
use super::lateral::RowByRow;
use super::staged::Staged;
use crate::bind::{Binder, Scope};
use crate::logical::{BoundColumn, BoundQuery, Join, StateKind};
use crate::not_yet;

/// What FROM reads, with inner joins not yet made: conditions of WHERE may belong to them.
pub(super) enum JoinTree {
    /// Anything that is no inner join.
    Leaf(Box<BoundQuery>),
    /// An inner join.
    Inner {
        left: Box<JoinTree>,
        right: Box<JoinTree>,
        /// Conditions over the left columns and behind them the right ones.
        on: Vec<ExprRef>,
        span: Span,
    },
}

impl JoinTree {
    pub(super) fn leaf(query: BoundQuery) -> Self {
        Self::Leaf(Box::new(query))
    }

    fn width(&self) -> usize {
        match self {
            Self::Leaf(query) => query.width(),
            Self::Inner { left, right, .. } => left.width() + right.width(),
        }
    }
}

/// Tells which sides of a join an expression reads: left, right.
fn sides(expr: &Expr, left_width: usize) -> (bool, bool) {
    let mut sides = (false, false);
    for_each_column(expr, &mut |column| match column < left_width {
        true => sides.0 = true,
        false => sides.1 = true,
    });
    sides
}

/// Returns an expression over a join's columns as one over the right side's.
fn of_right(expr: &ExprRef, left_width: usize) -> ExprRef {
    move_columns(expr, &mut |column| column - left_width)
}

/// The parts of a join's condition.
pub(super) struct Condition {
    /// Equal values: left, right, and whether NULL equals NULL.
    pub(super) equal: Vec<(ExprRef, ExprRef, bool)>,
    /// Everything else, over the columns of both sides.
    pub(super) rest: Vec<ExprRef>,
}

impl Condition {
    pub(super) fn of(parts: &[ExprRef], left_width: usize) -> Self {
        let mut condition = Self {
            equal: Vec::new(),
            rest: Vec::new(),
        };
        for part in parts.iter().flat_map(conjuncts) {
            match equal_sides(&part, left_width) {
                Some(equal) => condition.equal.push(equal),
                None => condition.rest.push(part),
            }
        }
        condition
    }
}

fn equal_sides(part: &ExprRef, left_width: usize) -> Option<(ExprRef, ExprRef, bool)> {
    let ExprKind::Call(call) = &part.kind else {
        return None;
    };
    let nulls_equal = match call.name {
        "=" => false,
        "IS NOT DISTINCT FROM" => true,
        _ => return None,
    };
    let [a, b] = call.args.as_slice() else {
        return None;
    };
    if a.ty.kind != b.ty.kind {
        return None;
    }
    let (left, right) = match (sides(a, left_width), sides(b, left_width)) {
        ((true, false), (false, true)) => (a, b),
        ((false, true), (true, false)) => (b, a),
        _ => return None,
    };
    Some((left.clone(), of_right(right, left_width), nulls_equal))
}

impl QueryBinder<'_> {
    /// Binds FROM's tables, joins left open.
    pub(super) fn joined(&mut self, table: &ast::TableRef) -> Option<(Scope, JoinTree)> {
        let ast::TableRefKind::Join {
            kind,
            left,
            right,
            natural,
            constraint,
        } = &table.kind
        else {
            let (scope, query) = self.table_ref(table)?;
            return Some((scope, JoinTree::leaf(query)));
        };
        if let Some(row_by_row) = RowByRow::of(right) {
            if *natural || !super::is_unconditional(*kind, constraint) {
                return self.refuse("UNNEST or LATERAL with a join condition", right.span);
            }
            let (scope, tree) = self.joined(left)?;
            let left = self.settled(tree)?;
            let outer = *kind == ast::JoinKind::Left;
            let (scope, query) = self.row_by_row((scope, left), &row_by_row, outer)?;
            return Some((scope, JoinTree::leaf(query)));
        }
        if *natural {
            return self.refuse("NATURAL JOIN", right.span);
        }
        if let ast::JoinConstraint::Using(columns) = constraint {
            let span = columns.first().map_or(right.span, |column| column.span);
            return self.refuse("JOIN … USING", span);
        }
        if let Some(time) = temporal::system_time(right) {
            return self.temporal(*kind, left, right, time, constraint);
        }
        let left_bound = self.joined(left);
        let right_bound = self.joined(right);
        let ((left_scope, left_tree), (right_scope, right_tree)) = (left_bound?, right_bound?);
        let scope = beside(left_scope, right_scope);
        let on = match constraint {
            ast::JoinConstraint::On(expr) => {
                let mut binder = Binder::new(&scope, self.ctx, self.diagnostics);
                conjuncts(&binder.bind_condition(expr, "ON")?)
            }
            _ => Vec::new(),
        };
        let on: Vec<ExprRef> = on.into_iter().filter(|part| !is_true(part)).collect();
        let kind = match kind {
            ast::JoinKind::Inner | ast::JoinKind::Cross => {
                let tree = JoinTree::Inner {
                    left: Box::new(left_tree),
                    right: Box::new(right_tree),
                    on,
                    span: table.span,
                };
                return Some((scope, tree));
            }
            ast::JoinKind::Left => JoinKind::Left,
            ast::JoinKind::Right => JoinKind::Right,
            ast::JoinKind::Full => JoinKind::Full,
        };
        let (left, right) = (self.settled(left_tree), self.settled(right_tree));
        let query = self.join(kind, left?, right?, &on, table.span)?;
        let scope = renullable(scope, &query);
        Some((scope, JoinTree::leaf(query)))
    }

    /// Makes the joins of a tree.
    pub(super) fn settled(&mut self, tree: JoinTree) -> Option<BoundQuery> {
        self.settled_with(tree, Vec::new())
    }

    /// Makes the joins of a tree whose rows must also fulfil `conditions`, which go where all of their columns are.
    pub(super) fn settled_with(
        &mut self,
        tree: JoinTree,
        conditions: Vec<ExprRef>,
    ) -> Option<BoundQuery> {
        match tree {
            JoinTree::Leaf(query) => {
                let mut query = *query;
                for condition in &conditions {
                    let span = condition.span;
                    query = self.filtered_by(query, condition, span)?;
                }
                Some(query)
            }
            JoinTree::Inner {
                left,
                right,
                on,
                span,
            } => {
                let width = left.width();
                let (mut of_left, mut on_right, mut both) = (Vec::new(), Vec::new(), Vec::new());
                for part in on.into_iter().chain(conditions) {
                    match sides(&part, width) {
                        (true, true) => both.push(part),
                        (_, false) => of_left.push(part),
                        (false, true) => on_right.push(of_right(&part, width)),
                    }
                }
                let left = self.settled_with(*left, of_left);
                let right = self.settled_with(*right, on_right);
                self.join(JoinKind::Inner, left?, right?, &both, span)
            }
        }
    }

    /// Puts a join on top of two queries. `on` is over the left columns and behind them the right ones.
    pub(super) fn join(
        &mut self,
        kind: JoinKind,
        left: BoundQuery,
        right: BoundQuery,
        on: &[ExprRef],
        span: Span,
    ) -> Option<BoundQuery> {
        let (left_width, right_width) = (left.width(), right.width());
        let condition = Condition::of(on, left_width);
        let interval = match kind {
            JoinKind::Semi | JoinKind::Anti => None,
            _ => interval::of(&left, &right, &condition.rest),
        };
        let mut left_staged = Staged::over(&left);
        let mut right_staged = Staged::over(&right);
        let keys: Vec<(usize, usize, bool)> = condition
            .equal
            .iter()
            .map(|(a, b, nulls)| (left_staged.column(a), right_staged.column(b), *nulls))
            .collect();
        let left_input = self.built(left_staged.project(left), span)?;
        let right_input = self.built(right_staged.project(right), span)?;
        let window = window_keys(&left_input, &right_input, &keys);
        let keeps_time = interval.is_some() || window.is_some();
        let all = left_input.width();
        // The staged columns lie between those of both sides.
        let place = |column: usize| match column < left_width {
            true => column,
            false => all + (column - left_width),
        };
        let rest = |parts: &[ExprRef]| -> Vec<ExprRef> {
            let moved = parts.iter().map(|part| move_columns(part, &mut { place }));
            moved.collect()
        };
        let (interval, rest) = match interval {
            Some(found) => {
                let parts = rest(&found.rest);
                (Some(found.bounds), parts)
            }
            None => (None, rest(&condition.rest)),
        };
        let is_semi = matches!(kind, JoinKind::Semi | JoinKind::Anti);
        let left_nullable = matches!(kind, JoinKind::Right | JoinKind::Full);
        let right_nullable = matches!(kind, JoinKind::Left | JoinKind::Full);
        let mut columns = side_columns(&left_input, left_nullable, keeps_time || is_semi);
        if !is_semi {
            columns.extend(side_columns(&right_input, right_nullable, keeps_time));
        }
        let node = Join {
            kind,
            keys,
            condition: rest,
            interval,
            window,
            span,
        };
        let joined = BoundQuery::state(
            StateKind::Join(node),
            vec![left_input, right_input],
            columns,
        );
        let joined = self.built(joined, span)?;
        let wanted = (0..left_width)
            .chain((0..if is_semi { 0 } else { right_width }).map(|column| all + column));
        let items = wanted.map(|column| {
            let value = joined.column(column);
            (joined.columns[column].clone(), value)
        });
        let items: Vec<(BoundColumn, ExprRef)> = items.collect();
        if items.len() == joined.width() {
            return Some(joined);
        }
        self.built(joined.project(items), span)
    }

    /// Binds the tables of FROM.
    pub(super) fn from_tree(&mut self, select: &ast::Select) -> Option<(Scope, JoinTree)> {
        let Some((first, rest)) = select.from.split_first() else {
            return Some((Scope::default(), JoinTree::leaf(BoundQuery::one_row())));
        };
        let mut input = self.joined(first)?;
        for table in rest {
            if let Some(right) = RowByRow::of(table) {
                let left = self.settled(input.1)?;
                let (scope, query) = self.row_by_row((input.0, left), &right, false)?;
                input = (scope, JoinTree::leaf(query));
                continue;
            }
            if let ast::TableRefKind::Function { call, .. } = &table.kind
                && !super::window_table::is_one(call)
            {
                self.diagnostics.push(not_yet::table_function(call));
                return None;
            }
            let (scope, tree) = self.joined(table)?;
            let tree = JoinTree::Inner {
                left: Box::new(input.1),
                right: Box::new(tree),
                on: Vec::new(),
                span: table.span,
            };
            input = (beside(input.0, scope), tree);
        }
        Some(input)
    }
}

fn is_true(expr: &ExprRef) -> bool {
    use arrow_array::cast::AsArray;
    let Some(literal) = expr.literal() else {
        return false;
    };
    let is_boolean = literal.ty.kind == millrace_connector::TypeKind::Boolean;
    is_boolean && literal.value.null_count() == 0 && literal.value.as_boolean().value(0)
}

/// Returns the columns of both sides as one scope.
pub(super) fn beside(mut left: Scope, right: Scope) -> Scope {
    left.columns.extend(right.columns);
    left
}

/// Gives the columns of a scope the types that they have after an outer join.
pub(super) fn renullable(mut scope: Scope, query: &BoundQuery) -> Scope {
    for (column, own) in scope.columns.iter_mut().zip(&query.columns) {
        column.ty = own.ty.clone();
        column.time = own.time;
    }
    scope
}

fn side_columns(query: &BoundQuery, nullable: bool, keeps_time: bool) -> Vec<BoundColumn> {
    let columns = query.columns.iter().cloned();
    columns
        .map(|mut column| {
            column.ty.nullable |= nullable;
            column.is_rank = false;
            if !keeps_time {
                column.said = column.said.or(column.time);
                column.time = None;
                column.window = None;
            }
            column
        })
        .collect()
}

/// Returns the columns `window_end` of both sides, if both start and end of one kind of window must be equal.
fn window_keys(
    left: &BoundQuery,
    right: &BoundQuery,
    keys: &[(usize, usize, bool)],
) -> Option<crate::logical::WindowPair> {
    use millrace_operators::WindowProperty as P;
    let find = |property: P| {
        keys.iter().find(|(a, b, _)| {
            let (a, b) = (&left.columns[*a].window, &right.columns[*b].window);
            matches!((a, b), (Some(a), Some(b)) if a.property == property && b.property == property
                && a.table.assigner == b.table.assigner && a.table.is_local == b.table.is_local
                && a.table.rowtime.is_some() == b.table.rowtime.is_some())
        })
    };
    let (start, end) = (find(P::Start)?, find(P::End)?);
    let table = &left.columns[end.0].window.as_ref()?.table;
    Some(crate::logical::WindowPair {
        start: (start.0, start.1),
        end: (end.0, end.1),
        is_local: table.is_local,
        is_rowtime: table.rowtime.is_some(),
    })
}

/// Reports a join that Flink refuses.
pub(super) fn refused(message: &str, span: Span) -> Diagnostic {
    Diagnostic::error("MR0413", message, span).label("this join")
}
