//! Queries: projections, filters, UNION ALL and VALUES over tables and views, expanded in line.

mod lateral;
mod unnest;

use std::collections::HashMap;
use std::sync::Arc;

use millrace_connector::{ColumnKind, Diagnostic, FlinkType, Span};
use millrace_functions::BindContext;
use millrace_sql::ast;

use crate::bind::{Binder, Scope, ScopeColumn, implicit_cast, least_restrictive};
use crate::catalog::{Catalog, Entry, Table, merge_options};
use crate::not_yet;
use lateral::RowByRow;
use millrace_program::Unnest;
use millrace_program::{Expr, ExprKind, ExprRef};
use unnest::UnnestClause;

/// What a query gives: columns, and one branch for each input that its rows come from.
#[derive(Clone, Debug)]
pub(crate) struct Relation {
    pub(crate) columns: Vec<RelationColumn>,
    pub(crate) branches: Vec<Branch>,
}

/// A column of a query.
#[derive(Clone, Debug)]
pub(crate) struct RelationColumn {
    pub(crate) name: String,
    pub(crate) ty: FlinkType,
    pub(crate) span: Span,
}

/// Rows of one input: filtered, then projected. All expressions are over the input's own columns.
#[derive(Clone, Debug)]
pub(crate) struct Branch {
    pub(crate) input: Input,
    /// Collections that are taken apart, each adding columns behind those of the input.
    pub(crate) unnests: Vec<Unnest>,
    pub(crate) filters: Vec<ExprRef>,
    pub(crate) columns: Vec<ExprRef>,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A table.
    Table(Arc<Table>),
    /// One row without columns.
    OneRow,
}

/// Binds queries.
pub(crate) struct QueryBinder<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) ctx: &'a BindContext,
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
    /// Common table expressions, the innermost last.
    pub(crate) ctes: Vec<(String, Option<Arc<Relation>>)>,
}

impl QueryBinder<'_> {
    /// Binds a query; `None` after errors.
    pub(crate) fn query(&mut self, query: &ast::Query) -> Option<Relation> {
        for order in query.order_by.iter().take(1) {
            self.diagnostics
                .push(not_yet::clause("ORDER BY", order.expr.span));
        }
        for (clause, expr) in [("LIMIT", &query.limit), ("OFFSET", &query.offset)] {
            if let Some(expr) = expr {
                self.diagnostics.push(not_yet::clause(clause, expr.span));
            }
        }
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
        relation
    }

    fn body(&mut self, body: &ast::QueryBody) -> Option<Relation> {
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
    ) -> Option<Relation> {
        let (name, plain) = match op {
            ast::SetOperator::Union => ("UNION without ALL", all),
            ast::SetOperator::Intersect => ("INTERSECT", false),
            ast::SetOperator::Except => ("EXCEPT", false),
        };
        if !plain {
            self.diagnostics.push(
                not_yet::clause(name, right.span())
                    .help("UNION ALL keeps duplicates and needs no state"),
            );
        }
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
        plain.then_some(())?;
        self.union(left, right)
    }

    fn union(&mut self, mut left: Relation, mut right: Relation) -> Option<Relation> {
        let errors = self.diagnostics.len();
        for (index, (a, b)) in left.columns.iter_mut().zip(&right.columns).enumerate() {
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
        left.branches.append(&mut right.branches);
        for branch in &mut left.branches {
            self.convert(branch, &left.columns)?;
        }
        Some(left)
    }

    /// Casts a branch's columns to the types of the whole.
    fn convert(&mut self, branch: &mut Branch, columns: &[RelationColumn]) -> Option<()> {
        for (value, column) in branch.columns.iter_mut().zip(columns) {
            match implicit_cast(value, &column.ty, self.ctx) {
                Ok(cast) => *value = cast,
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
        Some(())
    }

    fn values(
        &mut self,
        rows: &[millrace_connector::Spanned<Vec<ast::Expr>>],
        span: Span,
    ) -> Option<Relation> {
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
            columns.push(RelationColumn {
                name: format!("EXPR${index}"),
                ty,
                span,
            });
        }
        let mut branches: Vec<Branch> = bound
            .into_iter()
            .map(|columns| Branch {
                input: Input::OneRow,
                filters: Vec::new(),
                unnests: Vec::new(),
                columns,
            })
            .collect();
        for branch in &mut branches {
            self.convert(branch, &columns)?;
        }
        Some(Relation { columns, branches })
    }

    fn select(&mut self, select: &ast::Select) -> Option<Relation> {
        let refused = self.refuse_clauses(select);
        let input = self.from(select);
        let (scope, relation) = input?;
        let mut binder = Binder::new(&scope, self.ctx, self.diagnostics);
        let condition = match &select.selection {
            Some(expr) => binder.bind_condition(expr, "WHERE").map(Some),
            None => Some(None),
        };
        let items = bind_items(&mut binder, &select.items);
        let (condition, items) = (condition?, items?);
        if refused {
            return None;
        }
        Some(project(&relation, condition.as_ref(), items))
    }

    /// Reports the clauses that need state; tells whether there are any.
    fn refuse_clauses(&mut self, select: &ast::Select) -> bool {
        let before = self.diagnostics.len();
        if select.distinct {
            self.diagnostics
                .push(not_yet::clause("SELECT DISTINCT", select.span));
        }
        if let Some(group) = &select.group_by {
            self.diagnostics
                .push(not_yet::clause("GROUP BY", group.span));
        }
        for (clause, expr) in [("HAVING", &select.having), ("QUALIFY", &select.qualify)] {
            if let Some(expr) = expr {
                self.diagnostics.push(not_yet::clause(clause, expr.span));
            }
        }
        if let Some(window) = select.windows.first() {
            self.diagnostics
                .push(not_yet::clause("WINDOW", window.name.span));
        }
        self.diagnostics.len() > before
    }

    fn from(&mut self, select: &ast::Select) -> Option<(Scope, Relation)> {
        let Some((first, rest)) = select.from.split_first() else {
            return Some(one_row());
        };
        let mut input = self.table_ref(first)?;
        for table in rest {
            input = match RowByRow::of(table) {
                Some(right) => self.row_by_row(input, &right, false)?,
                None => return self.refuse_comma(table),
            };
        }
        Some(input)
    }

    fn table_ref(&mut self, table: &ast::TableRef) -> Option<(Scope, Relation)> {
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
            K::Subquery { query, alias, .. } => {
                self.lateral(one_row(), query, alias.as_ref(), false)
            }
            K::Function { call, .. } => {
                self.diagnostics.push(not_yet::table_function(call));
                None
            }
            K::Unnest { .. } => {
                let clause = UnnestClause::of(table)?;
                self.unnest(one_row(), &clause, false)
            }
            K::Join {
                kind,
                left,
                right,
                natural,
                constraint,
            } => match RowByRow::of(right) {
                Some(right) if !natural && is_unconditional(*kind, constraint) => {
                    let left = self.table_ref(left)?;
                    self.row_by_row(left, &right, *kind == ast::JoinKind::Left)
                }
                _ => self.refuse_join(*kind, left, right),
            },
            K::Unsupported { what, word, .. } => self.refuse(what, *word),
        }
    }

    fn refuse_join<T>(
        &mut self,
        kind: ast::JoinKind,
        left: &ast::TableRef,
        right: &ast::TableRef,
    ) -> Option<T> {
        let what = match kind {
            _ if RowByRow::of(right).is_some() => "UNNEST or LATERAL with a join condition",
            ast::JoinKind::Inner => "JOIN",
            ast::JoinKind::Left => "LEFT JOIN",
            ast::JoinKind::Right => "RIGHT JOIN",
            ast::JoinKind::Full => "FULL JOIN",
            ast::JoinKind::Cross => "CROSS JOIN",
        };
        // Names on both sides are checked all the same.
        self.table_ref(left);
        if let ast::TableRefKind::Function { call, .. } = &right.kind {
            self.diagnostics.push(not_yet::table_function(call));
            return None;
        }
        if RowByRow::of(right).is_none() {
            self.table_ref(right);
        }
        self.refuse(what, right.span)
    }

    fn refuse_comma<T>(&mut self, table: &ast::TableRef) -> Option<T> {
        if let ast::TableRefKind::Function { call, .. } = &table.kind {
            self.diagnostics.push(not_yet::table_function(call));
            return None;
        }
        self.refuse("a join of tables by comma", table.span)
    }

    fn refuse<T>(&mut self, what: &str, span: Span) -> Option<T> {
        self.diagnostics.push(not_yet::clause(what, span));
        None
    }

    fn aliased(
        &mut self,
        relation: Relation,
        alias: Option<&ast::TableAlias>,
        name: Vec<String>,
    ) -> Option<(Scope, Relation)> {
        let relation = match alias {
            Some(alias) => self.renamed(relation, &alias.columns, alias.name.span)?,
            None => relation,
        };
        let table = alias.map_or(name, |alias| vec![alias.name.value.clone()]);
        let columns = relation
            .columns
            .iter()
            .map(|column| ScopeColumn {
                table: table.clone(),
                name: column.name.clone(),
                ty: column.ty.clone(),
            })
            .collect();
        Some((Scope { columns, outer: 0 }, relation))
    }

    /// Gives a relation's columns the names of a list; an empty list leaves them.
    pub(crate) fn renamed(
        &mut self,
        mut relation: Relation,
        names: &[ast::Ident],
        span: Span,
    ) -> Option<Relation> {
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
        Some(relation)
    }

    fn named(&mut self, name: &ast::ObjectName, hints: &[ast::Hint]) -> Option<Relation> {
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
                Some(of_table(&table, name.span))
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

/// Returns the input of a query without FROM.
fn one_row() -> (Scope, Relation) {
    let branch = Branch {
        input: Input::OneRow,
        unnests: Vec::new(),
        filters: Vec::new(),
        columns: Vec::new(),
    };
    let relation = Relation {
        columns: Vec::new(),
        branches: vec![branch],
    };
    (Scope::default(), relation)
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

/// Returns a table's columns and one branch that reads them.
fn of_table(table: &Arc<Table>, span: Span) -> Relation {
    let columns = table
        .definition
        .columns
        .iter()
        .map(|column| RelationColumn {
            name: column.name.value.clone(),
            ty: column.ty.clone(),
            span,
        })
        .collect();
    let branch = Branch {
        input: Input::Table(Arc::clone(table)),
        filters: Vec::new(),
        unnests: Vec::new(),
        columns: table.values.clone(),
    };
    Relation {
        columns,
        branches: vec![branch],
    }
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
                if bound.len() == before {
                    failed = true;
                    binder.diagnostics.push(
                        Diagnostic::error(
                            "MR0301",
                            format!("no table is called '{name}' here"),
                            *span,
                        )
                        .label("unknown name"),
                    );
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

/// Puts a filter and a projection on top of a relation.
fn project(
    relation: &Relation,
    condition: Option<&ExprRef>,
    items: Vec<(String, ExprRef)>,
) -> Relation {
    let mut branches = Vec::with_capacity(relation.branches.len());
    for branch in &relation.branches {
        let mut memo = HashMap::new();
        let mut filters = branch.filters.clone();
        filters.extend(
            condition.map(|condition| substitute_with(condition, &branch.columns, &mut memo)),
        );
        let columns = items
            .iter()
            .map(|(_, expr)| substitute_with(expr, &branch.columns, &mut memo))
            .collect();
        branches.push(Branch {
            input: branch.input.clone(),
            unnests: branch.unnests.clone(),
            filters,
            columns,
        });
    }
    let columns = items
        .into_iter()
        .map(|(name, expr)| RelationColumn {
            name,
            ty: expr.ty.clone(),
            span: expr.span,
        })
        .collect();
    Relation { columns, branches }
}

/// Replaces each column by its value.
pub(crate) fn substitute(expr: &ExprRef, values: &[ExprRef]) -> ExprRef {
    substitute_with(expr, values, &mut HashMap::new())
}

/// The same for several expressions of one projection: what they share stays shared.
fn substitute_with(
    expr: &ExprRef,
    values: &[ExprRef],
    memo: &mut HashMap<*const Expr, ExprRef>,
) -> ExprRef {
    if let ExprKind::Column(index) = expr.kind {
        return Arc::clone(&values[index]);
    }
    if let Some(known) = memo.get(&Arc::as_ptr(expr)) {
        return Arc::clone(known);
    }
    let replaced = expr.map_children(|child| substitute_with(child, values, memo));
    memo.insert(Arc::as_ptr(expr), Arc::clone(&replaced));
    replaced
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
