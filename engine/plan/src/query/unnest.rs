//! UNNEST in FROM: a row for each element of an array, map or multiset of the row to its left.

use millrace_connector::{Diagnostic, FlinkType, Span, TypeKind};
use millrace_program::{ExprRef, unnested_columns};
use millrace_sql::ast;

use super::{QueryBinder, names_do_not_fit};
use crate::bind::{Binder, Scope, ScopeColumn};
use crate::logical::{BoundColumn, BoundQuery, UnnestSpec};
use crate::not_yet;

/// `UNNEST(…)` as it is written.
pub(super) struct UnnestClause<'a> {
    pub(super) exprs: &'a [ast::Expr],
    pub(super) with_ordinality: bool,
    pub(super) alias: Option<&'a ast::TableAlias>,
    pub(super) span: Span,
}

impl<'a> UnnestClause<'a> {
    pub(super) fn of(table: &'a ast::TableRef) -> Option<Self> {
        match &table.kind {
            ast::TableRefKind::Unnest {
                exprs,
                with_ordinality,
                alias,
            } => Some(Self {
                exprs,
                with_ordinality: *with_ordinality,
                alias: alias.as_ref(),
                span: table.span,
            }),
            _ => None,
        }
    }
}

impl QueryBinder<'_> {
    /// Adds the collection's columns to its left side.
    pub(super) fn unnest(
        &mut self,
        (mut scope, relation): (Scope, BoundQuery),
        clause: &UnnestClause<'_>,
        outer: bool,
    ) -> Option<(Scope, BoundQuery)> {
        if clause.with_ordinality && !self.ctx.later_functions {
            self.diagnostics
                .push(not_yet::clause("UNNEST WITH ORDINALITY", clause.span));
            return None;
        }
        let [expr] = clause.exprs else {
            self.diagnostics.push(not_yet::clause(
                "UNNEST of several collections",
                clause.span,
            ));
            return None;
        };
        let collection = Binder::new(&scope, self.ctx, self.diagnostics).bind_value(expr)?;
        let columns = self.unnest_columns(&collection, clause, outer)?;
        let added: Vec<BoundColumn> = columns
            .iter()
            .map(|(name, ty)| BoundColumn::plain(name.clone(), ty.clone(), clause.span))
            .collect();
        let alias = clause
            .alias
            .map_or("unnest", |alias| alias.name.value.as_str());
        let unnest = UnnestSpec {
            qualifier: self.qualifier(alias),
            outer,
            ordinality: clause.with_ordinality,
            added,
        };
        let relation = self.built(relation.unnest(&collection, unnest), clause.span)?;
        let table: Vec<String> = clause
            .alias
            .iter()
            .map(|alias| alias.name.value.clone())
            .collect();
        scope
            .columns
            .extend(columns.into_iter().map(|(name, ty)| ScopeColumn {
                table: table.clone(),
                name,
                ty,
                time: None,
            }));
        Some((scope, relation))
    }

    /// Returns the names and types of the columns that a collection gives.
    fn unnest_columns(
        &mut self,
        collection: &ExprRef,
        clause: &UnnestClause<'_>,
        outer: bool,
    ) -> Option<Vec<(String, FlinkType)>> {
        let Some(mut columns) = unnested_columns(&collection.ty.kind) else {
            let message = format!(
                "UNNEST takes an ARRAY, MAP or MULTISET, but this is {}",
                collection.ty.kind
            );
            self.diagnostics
                .push(Diagnostic::error("MR0402", message, collection.span).label("no collection"));
            return None;
        };
        if clause.with_ordinality {
            columns.push(("ORDINALITY".to_owned(), TypeKind::Int.not_null()));
        }
        let names = clause.alias.map_or(&[][..], |alias| &alias.columns);
        if !names.is_empty() && names.len() != columns.len() {
            let found = (names.len(), columns.len());
            self.diagnostics
                .push(names_do_not_fit("collection", found, clause.span));
            return None;
        }
        for (column, name) in columns.iter_mut().zip(names) {
            column.0.clone_from(&name.value);
        }
        for (_, ty) in &mut columns {
            ty.nullable |= outer;
        }
        Some(columns)
    }
}
