//! Queries: from the syntax tree to a logical plan; projections, filters, UNION ALL and VALUES over tables and views.

mod calls;
mod find;
mod group_window;
mod grouped;
mod grouping_sets;
mod join;
mod lateral;
mod over;
mod scalar;
mod set_operation;
mod staged;
mod subquery;
mod top_n;
mod unnest;
mod window_table;

use std::collections::HashSet;
use std::sync::Arc;

use millrace_connector::{ColumnKind, Diagnostic, FlinkType, Span};
use millrace_functions::BindContext;
use millrace_program::{Expr, ExprKind, ExprRef};
use millrace_sql::ast;

use crate::bind::{Binder, Scope, implicit_cast, least_restrictive};
use crate::bounds;
use crate::catalog::{Catalog, Entry, Table, merge_options};
use crate::logical::{self, BoundColumn, BoundQuery, Built, Changes, StateKind, TableChanges};
use crate::not_yet;
use calls::Calls;
pub(crate) use grouping_sets::Sets;
use top_n::constant_count;
use unnest::UnnestClause;

/// Binds queries.
pub(crate) struct QueryBinder<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) ctx: &'a BindContext,
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
    /// Common table expressions, the innermost last.
    pub(crate) ctes: Vec<(String, Option<Arc<BoundQuery>>)>,
    /// Qualifiers that inputs of the statement already have.
    pub(crate) qualifiers: HashSet<String>,
    /// What connectors say of tables.
    pub(crate) tables: &'a dyn TableChanges,
    /// `execution.runtime-mode` = `batch`.
    pub(crate) is_bounded: bool,
    /// `table.exec.source.cdc-events-duplicate`.
    pub(crate) cdc_duplicates: bool,
    /// Whether the table is read for its versions, so that upserts may stay upserts.
    pub(crate) is_versioned: bool,
}

impl QueryBinder<'_> {
    /// Binds a query; `None` after errors.
    pub(crate) fn query(&mut self, query: &ast::Query) -> Option<BoundQuery> {
        let outer = self.ctes.len();
        for cte in &query.with {
            let relation = self
                .query(&cte.query)
                .and_then(|relation| self.renamed(relation, &cte.columns, cte.name.span));
            self.ctes
                .push((cte.name.value.clone(), relation.map(Arc::new)));
        }
        let relation = self.body(&query.body);
        self.ctes.truncate(outer);
        self.ordered(relation?, query)
    }

    fn body(&mut self, body: &ast::QueryBody) -> Option<BoundQuery> {
        match body {
            ast::QueryBody::Select(select) => self.select(select),
            ast::QueryBody::SetOperation {
                op,
                all,
                left,
                right,
                span,
            } => self.set_operation(*op, *all, left, right, *span),
            ast::QueryBody::Values { rows, span } => self.values(rows, *span),
            ast::QueryBody::Table { name, .. } => self.named(name, &[]),
            ast::QueryBody::Nested(query) => self.query(query),
        }
    }

    fn set_operation(
        &mut self,
        op: ast::SetOperator,
        all: bool,
        left: &ast::QueryBody,
        right: &ast::QueryBody,
        span: Span,
    ) -> Option<BoundQuery> {
        let (left, right) = (self.body(left), self.body(right));
        let (left, right) = (left?, right?);
        if left.columns.len() != right.columns.len() {
            self.diagnostics.push(
                Diagnostic::error("MR0411", "column count mismatch in UNION", span).label(format!(
                    "{} columns on the left, {} on the right",
                    left.columns.len(),
                    right.columns.len()
                )),
            );
            return None;
        }
        match op {
            ast::SetOperator::Union => {
                let query = self.union(left, right, span)?;
                if all {
                    Some(query)
                } else {
                    self.distinct(query, span)
                }
            }
            ast::SetOperator::Intersect | ast::SetOperator::Except => {
                self.intersection(op, all, left, right, span)
            }
        }
    }

    fn union(&mut self, left: BoundQuery, right: BoundQuery, span: Span) -> Option<BoundQuery> {
        let (left, right) = self.alike(left, right, span)?;
        self.built(BoundQuery::union_all(vec![left, right]), span)
    }

    /// Gives two queries the same columns.
    fn alike(
        &mut self,
        left: BoundQuery,
        right: BoundQuery,
        span: Span,
    ) -> Option<(BoundQuery, BoundQuery)> {
        let mut columns = left.columns.clone();
        let errors = self.diagnostics.len();
        for (index, (a, b)) in columns.iter_mut().zip(&right.columns).enumerate() {
            if a.time != b.time {
                a.time = None;
            }
            a.window = None;
            a.is_rank = false;
            match least_restrictive([&a.ty, &b.ty]) {
                Some(ty) => a.ty = ty,
                None => self.diagnostics.push(
                    Diagnostic::error(
                        "MR0405",
                        format!("column {} of UNION has no common type", index + 1),
                        b.span,
                    )
                    .label(b.ty.to_string())
                    .also(a.span, a.ty.to_string()),
                ),
            }
        }
        if self.diagnostics.len() > errors {
            return None;
        }
        let left = self.converted(left, &columns, span)?;
        let right = self.converted(right, &columns, span)?;
        Some((left, right))
    }

    /// Casts a query's columns to the types of the whole, and gives them its names.
    fn converted(
        &mut self,
        query: BoundQuery,
        columns: &[BoundColumn],
        span: Span,
    ) -> Option<BoundQuery> {
        let values: Vec<ExprRef> = (0..query.width())
            .map(|index| query.column(index))
            .collect();
        let items = self.convert(&values, columns)?;
        self.built(query.project(items), span)
    }

    /// Casts values to the types of columns.
    fn convert(
        &mut self,
        values: &[ExprRef],
        columns: &[BoundColumn],
    ) -> Option<Vec<(BoundColumn, ExprRef)>> {
        let mut items = Vec::with_capacity(values.len());
        for (value, column) in values.iter().zip(columns) {
            match implicit_cast(value, &column.ty, self.ctx) {
                Ok(cast) => items.push((column.clone(), retyped(cast, &column.ty))),
                Err(error) => {
                    self.diagnostics.push(Diagnostic::error(
                        "MR0404",
                        error.to_string(),
                        value.span,
                    ));
                    return None;
                }
            }
        }
        Some(items)
    }

    fn values(
        &mut self,
        rows: &[millrace_connector::Spanned<Vec<ast::Expr>>],
        span: Span,
    ) -> Option<BoundQuery> {
        let scope = Scope::default();
        let mut bound = Vec::new();
        for row in rows {
            let mut binder = Binder::new(&scope, self.ctx, self.diagnostics);
            // # Flink: a row of one ROW(…) is that row.
            let exprs = match row.value.as_slice() {
                [
                    ast::Expr {
                        kind:
                            ast::ExprKind::Row {
                                explicit: true,
                                fields,
                            },
                        ..
                    },
                ] => fields,
                exprs => exprs,
            };
            let exprs: Vec<Option<ExprRef>> =
                exprs.iter().map(|expr| binder.bind_value(expr)).collect();
            bound.push(exprs.into_iter().collect::<Option<Vec<_>>>()?);
        }
        let width = bound.first()?.len();
        if let Some(row) = bound.iter().position(|row| row.len() != width) {
            self.diagnostics.push(
                Diagnostic::error(
                    "MR0411",
                    "the rows of VALUES differ in length",
                    rows[row].span,
                )
                .label(format!(
                    "{} values, the first row has {width}",
                    bound[row].len()
                )),
            );
            return None;
        }
        let mut columns = Vec::with_capacity(width);
        for index in 0..width {
            let Some(ty) = least_restrictive(bound.iter().map(|row| &row[index].ty)) else {
                self.diagnostics.push(Diagnostic::error(
                    "MR0405",
                    format!(
                        "values of column {} of VALUES have no common type",
                        index + 1
                    ),
                    span,
                ));
                return None;
            };
            columns.push(BoundColumn::plain(format!("EXPR${index}"), ty, span));
        }
        let mut rows = Vec::with_capacity(bound.len());
        for row in bound {
            let items = self.convert(&row, &columns)?;
            rows.push(self.built(BoundQuery::one_row().project(items), span)?);
        }
        self.built(BoundQuery::union_all(rows), span)
    }

    fn select(&mut self, select: &ast::Select) -> Option<BoundQuery> {
        let refused = self.refuse_clauses(select);
        let (scope, tree) = self.tables_of(select)?;
        let (scope, query) = match &select.selection {
            Some(condition) => self.selected(scope, tree, condition)?,
            None => (scope, self.settled(tree)?),
        };
        if refused {
            return None;
        }
        let query = if grouped::is_grouped(select) {
            self.grouped(select, &scope, query)?
        } else {
            self.plain(select, &scope, query)?
        };
        if select.distinct {
            return self.distinct(query, select.span);
        }
        Some(query)
    }

    /// Binds the SELECT list of a query that groups nothing.
    fn plain(
        &mut self,
        select: &ast::Select,
        scope: &Scope,
        query: BoundQuery,
    ) -> Option<BoundQuery> {
        let mut found = Vec::new();
        for item in &select.items {
            if let ast::SelectItem::Expr { expr, .. } = item {
                scalar::scalars(expr, &mut found);
            }
        }
        let (query, scalars) = self.with_scalars(query, scope, &found)?;
        let mut calls = Calls::new(self.ctx, &select.windows);
        calls.scalars = scalars;
        let mut binder = calls.binder(scope, self.diagnostics);
        let items = bind_items(&mut binder, &select.items)?;
        if calls.overs.is_empty() {
            return self.projected(query, None, items, select.span);
        }
        let overs = std::mem::take(&mut calls.overs);
        self.with_overs(query, &overs, items, select.span)
    }

    /// Puts a filter and a projection on top of a query.
    fn projected(
        &mut self,
        query: BoundQuery,
        condition: Option<&ExprRef>,
        items: Vec<(String, ExprRef)>,
        span: Span,
    ) -> Option<BoundQuery> {
        let query = match condition {
            Some(condition) => self.built(query.filter(condition), span)?,
            None => query,
        };
        let items = items
            .into_iter()
            .map(|(name, expr)| (query.item(name, &expr), expr))
            .collect();
        self.built(query.project(items), span)
    }

    /// Returns what was built, if it is not too large. DataFusion refuses nothing that the binder let through: if it does, the
    /// mistake is ours.
    pub(crate) fn built(&mut self, built: Built<BoundQuery>, span: Span) -> Option<BoundQuery> {
        let found = match built {
            Ok(built) => match bounds::check(&built, span) {
                None => return Some(built),
                Some(fault) => fault,
            },
            Err(error) => logical::internal(&error, span),
        };
        self.diagnostics.push(found);
        None
    }

    /// Returns a qualifier that no other input of the statement has.
    fn qualifier(&mut self, name: &str) -> String {
        let mut candidate = name.to_owned();
        let mut number = 2;
        while !self.qualifiers.insert(candidate.clone()) {
            candidate = format!("{name}#{number}");
            number += 1;
        }
        candidate
    }

    /// Reports the clauses that need state; tells whether there are any.
    fn refuse_clauses(&mut self, select: &ast::Select) -> bool {
        let before = self.diagnostics.len();
        for (clause, expr) in [("QUALIFY", &select.qualify)] {
            if let Some(expr) = expr {
                self.diagnostics.push(not_yet::clause(clause, expr.span));
            }
        }
        self.diagnostics.len() > before
    }

    fn table_ref(&mut self, table: &ast::TableRef) -> Option<(Scope, BoundQuery)> {
        use ast::TableRefKind as K;
        match &table.kind {
            K::Named {
                name,
                hints,
                system_time,
                alias,
            } => {
                if let Some(time) = system_time {
                    self.diagnostics
                        .push(not_yet::clause("FOR SYSTEM_TIME AS OF", time.span));
                    return None;
                }
                let relation = self.named(name, hints)?;
                let path = self.catalog.path(name);
                self.aliased(
                    relation,
                    alias.as_ref(),
                    vec![path.catalog, path.database, path.name],
                )
            }
            K::Subquery {
                lateral: false,
                query,
                alias,
            } => {
                let relation = self.query(query)?;
                self.aliased(relation, alias.as_ref(), Vec::new())
            }
            // Nothing stands to the left: there is nothing to refer to.
            K::Subquery { query, alias, .. } => self.lateral(
                (Scope::default(), BoundQuery::one_row()),
                query,
                alias.as_ref(),
                false,
            ),
            K::Function { call, alias, .. } if window_table::is_one(call) => {
                self.window_table(call, alias.as_ref())
            }
            K::Function { call, .. } => {
                self.diagnostics.push(not_yet::table_function(call));
                None
            }
            K::Unnest { .. } => {
                let clause = UnnestClause::of(table)?;
                self.unnest((Scope::default(), BoundQuery::one_row()), &clause, false)
            }
            K::Join { .. } => {
                let (scope, tree) = self.joined(table)?;
                Some((scope, self.settled(tree)?))
            }
            K::Unsupported { what, word, .. } => self.refuse(what, *word),
        }
    }

    fn refuse<T>(&mut self, what: &str, span: Span) -> Option<T> {
        self.diagnostics.push(not_yet::clause(what, span));
        None
    }

    fn aliased(
        &mut self,
        relation: BoundQuery,
        alias: Option<&ast::TableAlias>,
        name: Vec<String>,
    ) -> Option<(Scope, BoundQuery)> {
        let relation = match alias {
            Some(alias) => self.renamed(relation, &alias.columns, alias.name.span)?,
            None => relation,
        };
        let table = alias.map_or(name, |alias| vec![alias.name.value.clone()]);
        let qualifier = self.qualifier(table.last().map_or("subquery", String::as_str));
        let span = relation
            .columns
            .first()
            .map_or_else(Span::default, |column| column.span);
        let relation = self.built(relation.qualified(&qualifier), span)?;
        let scope = Scope::of(&relation, &table);
        Some((scope, relation))
    }

    /// Gives a relation's columns the names of a list; an empty list leaves them.
    pub(crate) fn renamed(
        &mut self,
        mut relation: BoundQuery,
        names: &[ast::Ident],
        span: Span,
    ) -> Option<BoundQuery> {
        if names.is_empty() {
            return Some(relation);
        }
        if names.len() != relation.columns.len() {
            let found = (names.len(), relation.columns.len());
            self.diagnostics
                .push(names_do_not_fit("query", found, span));
            return None;
        }
        for (column, name) in relation.columns.iter_mut().zip(names) {
            column.name.clone_from(&name.value);
        }
        let columns = relation.columns.iter().cloned().enumerate();
        let items = columns
            .map(|(index, column)| (column, relation.column(index)))
            .collect();
        self.built(relation.project(items), span)
    }

    fn named(&mut self, name: &ast::ObjectName, hints: &[ast::Hint]) -> Option<BoundQuery> {
        if let [only] = name.parts.as_slice()
            && let Some((_, relation)) = self.ctes.iter().rev().find(|(cte, _)| *cte == only.value)
        {
            return relation.as_deref().cloned();
        }
        match self.catalog.get(name) {
            Some(Entry::Table(table)) => {
                if let Some(span) = table
                    .rowtime
                    .as_ref()
                    .and_then(|rowtime| rowtime.from_source)
                {
                    self.diagnostics.push(
                        not_yet::expression("SOURCE_WATERMARK()", span)
                            .also(name.span, "the table is read here")
                            .help("no connector here gives watermarks of its own, as in Flink; leave WATERMARK out"),
                    );
                    return None;
                }
                let table = self.hinted(table, hints);
                self.table(&table, name.span)
            }
            Some(Entry::View(relation)) => Some(relation.as_ref().clone()),
            Some(Entry::Broken) => None,
            None => {
                let unknown = self.catalog.unknown(name);
                self.diagnostics.push(unknown);
                None
            }
        }
    }

    /// Returns a table's rows: upserts as a full changelog, computed columns, watermarks.
    fn table(&mut self, table: &Arc<Table>, span: Span) -> Option<BoundQuery> {
        let mut query = self.built(BoundQuery::scan(table, span), span)?;
        let changes = self.tables.source(&table.definition);
        if let Some(fault) = self.unfit_changes(table, changes, span) {
            self.diagnostics.push(fault);
            return None;
        }
        let duplicates = self.cdc_duplicates && !changes.is_insert_only();
        if (changes.is_upsert() || duplicates) && !self.is_versioned {
            let key = table.definition.primary_key.iter();
            let key: Option<Vec<usize>> = key
                .map(|name| {
                    query
                        .columns
                        .iter()
                        .position(|column| column.name == name.value)
                })
                .collect();
            let columns = query.columns.clone();
            let kind = StateKind::Normalize {
                key: key.unwrap_or_default(),
            };
            query = self.built(BoundQuery::state(kind, vec![query], columns), span)?;
        }
        let mut query = self.built(query.computed(table), span)?;
        let Some((rowtime, strategy)) = table
            .rowtime
            .as_ref()
            .and_then(|rowtime| Some((rowtime.column?, rowtime.strategy.clone()?)))
        else {
            return Some(query);
        };
        let columns = query.columns.clone();
        let mut items: Vec<(BoundColumn, ExprRef)> = (0..query.width())
            .map(|index| (columns[index].clone(), query.column(index)))
            .collect();
        // The strategy is over the table's own columns; computed ones are substituted in it, and stand in the projection below.
        items.push((
            BoundColumn::plain("$watermark", strategy.ty.clone(), span),
            strategy,
        ));
        query = self.built(query.project(items), span)?;
        let kind = StateKind::Watermark { rowtime };
        self.built(BoundQuery::state(kind, vec![query], columns), span)
    }

    /// Returns why a table's changes cannot be read.
    fn unfit_changes(&self, table: &Table, changes: Changes, span: Span) -> Option<Diagnostic> {
        let name = &table.definition.name.value;
        let message = if self.is_bounded && !changes.is_insert_only() {
            format!(
                "Querying a table in batch mode is currently only possible for INSERT-only table sources, but '{name}' sends other changes"
            )
        } else if changes.update_before && !changes.update_after {
            format!("table '{name}' sends UPDATE_BEFORE but no UPDATE_AFTER")
        } else if (changes.is_upsert() || self.cdc_duplicates && !changes.is_insert_only())
            && table.definition.primary_key.is_empty()
        {
            format!("table '{name}' sends upserts, or changes twice, and has no PRIMARY KEY")
        } else {
            return None;
        };
        Some(Diagnostic::error("MR0415", message, span).label("read here"))
    }

    /// Applies `/*+ OPTIONS(…) */`.
    fn hinted(&mut self, table: &Arc<Table>, hints: &[ast::Hint]) -> Arc<Table> {
        let mut result = Arc::clone(table);
        for hint in hints
            .iter()
            .filter(|hint| hint.name.value.eq_ignore_ascii_case("OPTIONS"))
        {
            let mut changed = result.as_ref().clone();
            let options = std::mem::take(&mut changed.definition.options);
            changed.definition.options = merge_options(options, &hint.options, self.diagnostics);
            result = Arc::new(changed);
        }
        result
    }
}

/// A list of names that is longer or shorter than what it names.
fn names_do_not_fit(what: &str, (names, columns): (usize, usize), span: Span) -> Diagnostic {
    let message = format!("the list of column names does not fit the {what}");
    Diagnostic::error("MR0411", message, span).label(format!("{names} names for {columns} columns"))
}

/// Tells whether a join keeps every pair: CROSS, or ON TRUE.
fn is_unconditional(kind: ast::JoinKind, constraint: &ast::JoinConstraint) -> bool {
    let always = match constraint {
        ast::JoinConstraint::None => true,
        ast::JoinConstraint::On(expr) => {
            matches!(
                expr.kind,
                ast::ExprKind::Literal(ast::Literal::Boolean(true))
            )
        }
        ast::JoinConstraint::Using(_) => false,
    };
    always
        && matches!(
            kind,
            ast::JoinKind::Cross | ast::JoinKind::Inner | ast::JoinKind::Left
        )
}

/// Binds a SELECT list: names with expressions over the input's columns.
fn bind_items(
    binder: &mut Binder<'_>,
    items: &[ast::SelectItem],
) -> Option<Vec<(String, ExprRef)>> {
    let mut bound: Vec<(String, ExprRef)> = Vec::new();
    let mut failed = false;
    for item in items {
        match item {
            ast::SelectItem::Expr { expr, alias } => {
                let name = alias
                    .as_ref()
                    .map(|alias| alias.value.clone())
                    .or_else(|| own_name(expr));
                let name = name.unwrap_or_else(|| format!("EXPR${}", bound.len()));
                match binder.bind_value(expr) {
                    Some(expr) => bound.push((unique(name, &bound), expr)),
                    None => failed = true,
                }
            }
            ast::SelectItem::Wildcard(span) => star(binder, &[], *span, &mut bound),
            ast::SelectItem::QualifiedWildcard { name, span } => {
                let before = bound.len();
                star(binder, &name.parts, *span, &mut bound);
                if bound.len() > before {
                    continue;
                }
                match binder.bind_row_star(&name.parts, *span) {
                    Some(fields) => {
                        for (name, field) in fields {
                            bound.push((unique(name, &bound), field));
                        }
                    }
                    None => failed = true,
                }
            }
        }
    }
    (!failed).then_some(bound)
}

fn star(binder: &Binder<'_>, table: &[ast::Ident], span: Span, bound: &mut Vec<(String, ExprRef)>) {
    for index in binder.scope.of_table(table) {
        let name = unique(binder.scope.columns[index].name.clone(), bound);
        bound.push((name, binder.scope.column(index, span)));
    }
}

/// Returns the name of an item that is itself a column or field.
fn own_name(expr: &ast::Expr) -> Option<String> {
    match &expr.kind {
        ast::ExprKind::Identifier(parts) => parts.last().map(|part| part.value.clone()),
        ast::ExprKind::Field { field, .. } => Some(field.value.clone()),
        _ => None,
    }
}

/// # Flink
/// A name that is taken gets the first free number behind it.
fn unique(name: String, taken: &[(String, ExprRef)]) -> String {
    let is_taken = |name: &str| taken.iter().any(|(known, _)| known == name);
    if !is_taken(&name) {
        return name;
    }
    (0..)
        .map(|number| format!("{name}{number}"))
        .find(|name| !is_taken(name))
        .expect("the numbers do not end")
}

/// Gives a value exactly that type, of which it already has the physical form: NOT NULL may go.
fn retyped(value: ExprRef, ty: &FlinkType) -> ExprRef {
    if value.ty == *ty {
        return value;
    }
    let span = value.span;
    Expr::new(ExprKind::Retype(value), ty.clone(), span)
}

/// Returns the indexes of the columns that an INSERT writes: physical and writable metadata ones.
pub(crate) fn persisted_columns(table: &Table) -> Vec<usize> {
    let columns = &table.definition.columns;
    (0..columns.len())
        .filter(|index| match columns[*index].kind {
            ColumnKind::Physical => true,
            ColumnKind::Metadata { is_virtual, .. } => !is_virtual,
            ColumnKind::Computed => false,
        })
        .collect()
}
