//! Expressions put into columns, for a node that names columns only.

use millrace_program::{ExprKind, ExprRef, same};

use crate::logical::{BoundColumn, BoundQuery, Built};

/// The columns of the projection under a node.
pub(super) struct Staged {
    exprs: Vec<ExprRef>,
    /// Whether the first ones are all columns of the query.
    passes: usize,
}

impl Staged {
    /// Returns one that starts with nothing.
    pub(super) fn empty() -> Self {
        Self {
            exprs: Vec::new(),
            passes: 0,
        }
    }

    /// Returns one that passes all columns of a query on.
    pub(super) fn over(query: &BoundQuery) -> Self {
        Self {
            exprs: (0..query.width())
                .map(|index| query.column(index))
                .collect(),
            passes: query.width(),
        }
    }

    /// Returns the column that has an expression; equal ones share it.
    pub(super) fn column(&mut self, expr: &ExprRef) -> usize {
        if let ExprKind::Column(index) = expr.kind
            && index < self.passes
        {
            return index;
        }
        match self.exprs.iter().position(|known| same(known, expr)) {
            Some(index) => index,
            None => self.push(expr),
        }
    }

    /// Adds a column of its own.
    pub(super) fn push(&mut self, expr: &ExprRef) -> usize {
        self.exprs.push(expr.clone());
        self.exprs.len() - 1
    }

    /// Returns the query with these columns.
    pub(super) fn project(self, query: BoundQuery) -> Built<BoundQuery> {
        if self.passes == query.width() && self.exprs.len() == self.passes {
            return Ok(query);
        }
        let items = self.exprs.into_iter().enumerate().map(|(index, expr)| {
            let name = match expr.kind {
                ExprKind::Column(column) => query.columns[column].name.clone(),
                _ => format!("$f{index}"),
            };
            let column: BoundColumn = query.item(name, &expr);
            (column, expr)
        });
        let items = items.collect();
        query.project(items)
    }
}
