//! What stands behind a comma or JOIN and is computed row by row: UNNEST, and LATERAL over it.

use millrace_connector::Span;
use millrace_program::ExprKind;
use millrace_sql::ast;

use super::grouped::is_grouped;
use super::{QueryBinder, UnnestClause, bind_items, names_do_not_fit};
use crate::bind::{Binder, Scope, ScopeColumn};
use crate::logical::BoundQuery;

/// The right side of a join that needs nothing but the row to its left.
pub(super) enum RowByRow<'a> {
    /// `UNNEST(…)`.
    Unnest(UnnestClause<'a>),
    /// `LATERAL (SELECT …)`.
    Lateral {
        query: &'a ast::Query,
        alias: Option<&'a ast::TableAlias>,
    },
}

impl<'a> RowByRow<'a> {
    pub(super) fn of(table: &'a ast::TableRef) -> Option<Self> {
        match &table.kind {
            ast::TableRefKind::Subquery {
                lateral: true,
                query,
                alias,
            } => Some(Self::Lateral {
                query,
                alias: alias.as_ref(),
            }),
            _ => UnnestClause::of(table).map(Self::Unnest),
        }
    }
}

impl QueryBinder<'_> {
    /// Joins each row of the left side with the rows that are made of it.
    pub(super) fn row_by_row(
        &mut self,
        left: (Scope, BoundQuery),
        right: &RowByRow<'_>,
        keeps_left: bool,
    ) -> Option<(Scope, BoundQuery)> {
        match right {
            RowByRow::Unnest(clause) => self.unnest(left, clause, keeps_left),
            RowByRow::Lateral { query, alias } => self.lateral(left, query, *alias, keeps_left),
        }
    }

    /// Joins each row with the rows of a query about it.
    pub(super) fn lateral(
        &mut self,
        (mut scope, relation): (Scope, BoundQuery),
        query: &ast::Query,
        alias: Option<&ast::TableAlias>,
        keeps_left: bool,
    ) -> Option<(Scope, BoundQuery)> {
        let select = self.plain_select(query)?;
        let width = scope.columns.len();
        let outside = std::mem::replace(&mut scope.outer, width);
        let mut input = (scope, relation);
        for table in &select.from {
            let Some(clause) = UnnestClause::of(table) else {
                return self.refuse("LATERAL over anything but UNNEST", table.span);
            };
            input = self.unnest(input, &clause, keeps_left)?;
        }
        let (mut scope, relation) = input;
        let mut binder = Binder::new(&scope, self.ctx, self.diagnostics);
        let condition = match &select.selection {
            Some(expr) => binder.bind_condition(expr, "WHERE").map(Some),
            None => Some(None),
        };
        let items = bind_items(&mut binder, &select.items);
        let (condition, mut items) = (condition?, items?);
        // A row that stays without partners has NULLs in place of whatever the query computes.
        let is_column =
            |kind: &ExprKind| matches!(kind, ExprKind::Column(index) if *index >= width);
        let is_plain = select.from.len() == 1
            && condition.is_none()
            && items.iter().all(|(_, item)| is_column(&item.kind));
        if keeps_left && !is_plain {
            return self.refuse(
                "LEFT JOIN LATERAL of anything but the columns of one UNNEST",
                query.span,
            );
        }
        self.rename(&mut items, alias, query.span)?;
        let own = (0..width).map(|index| {
            let name = relation.columns[index].name.clone();
            (name, scope.column(index, relation.columns[index].span))
        });
        let all = own.chain(items.iter().cloned()).collect();
        let relation = self.projected(relation, condition.as_ref(), all, query.span)?;
        let qualifier = self.qualifier("lateral");
        let relation = self.built(relation.qualified(&qualifier), query.span)?;
        let table: Vec<String> = alias.iter().map(|alias| alias.name.value.clone()).collect();
        scope.columns.truncate(width);
        scope.outer = outside;
        scope
            .columns
            .extend(items.into_iter().map(|(name, item)| ScopeColumn {
                table: table.clone(),
                name,
                ty: item.ty.clone(),
                time: None,
            }));
        Some((scope, relation))
    }

    /// Returns the query's SELECT, which must be all of it.
    fn plain_select<'q>(&mut self, query: &'q ast::Query) -> Option<&'q ast::Select> {
        let is_alone = query.with.is_empty()
            && query.order_by.is_empty()
            && query.limit.is_none()
            && query.offset.is_none();
        match &query.body {
            ast::QueryBody::Nested(inner) if is_alone => self.plain_select(inner),
            ast::QueryBody::Select(select) if is_alone => {
                if select.distinct {
                    return self.refuse("DISTINCT in LATERAL", query.span);
                }
                if is_grouped(select) {
                    return self.refuse("GROUP BY in LATERAL", query.span);
                }
                (!self.refuse_clauses(select)).then_some(select)
            }
            _ => self.refuse(
                "LATERAL over anything but SELECT … FROM UNNEST(…)",
                query.span,
            ),
        }
    }

    /// Gives the items the names of the alias, if it has any.
    fn rename<T>(
        &mut self,
        items: &mut [(String, T)],
        alias: Option<&ast::TableAlias>,
        span: Span,
    ) -> Option<()> {
        let names = alias.map_or(&[][..], |alias| &alias.columns);
        if names.is_empty() {
            return Some(());
        }
        if names.len() != items.len() {
            let found = (names.len(), items.len());
            self.diagnostics
                .push(names_do_not_fit("query", found, span));
            return None;
        }
        for (item, name) in items.iter_mut().zip(names) {
            item.0.clone_from(&name.value);
        }
        Some(())
    }
}
