//! A file whose one query is shown instead of written: its columns become a sink of the binary's own.

use std::sync::Arc;

use millrace_connector::{
    ColumnDefinition, ColumnKind, Diagnostic, Span, Spanned, TableDefinition,
};
use millrace_sql::ast::{self, Statement};

use super::{Pipeline, PlannedInsert, Planner};
use crate::bounds::with_deep_stack;
use crate::catalog::Table;
use crate::logical::{AnyTable, BoundQuery, Insert, TableChanges};
use crate::settings::Settings;
use millrace_program::OutputColumn;

/// The name of what a shown query is written into, and so of its dataflow.
const NAME: &str = "changes";

/// Plans a file of tables, views and one query, whose rows go into a sink with [`super::Sink::is_shown`].
///
/// # Errors
/// Everything that is wrong, in the order of the text; an INSERT is.
pub fn plan_shown(
    statements: &[Spanned<Statement>],
    settings: &Settings,
) -> Result<Pipeline, Vec<Diagnostic>> {
    plan_shown_tables(
        statements,
        settings,
        &(Arc::new(AnyTable) as Arc<dyn TableChanges>),
    )
}

/// The same for tables of which it is known what changes they send and take.
///
/// # Errors
/// As for [`plan_shown`].
pub fn plan_shown_tables(
    statements: &[Spanned<Statement>],
    settings: &Settings,
    tables: &Arc<dyn TableChanges>,
) -> Result<Pipeline, Vec<Diagnostic>> {
    with_deep_stack(|| plan_one_query(statements, settings, tables))
}

fn plan_one_query(
    statements: &[Spanned<Statement>],
    settings: &Settings,
    tables: &Arc<dyn TableChanges>,
) -> Result<Pipeline, Vec<Diagnostic>> {
    let mut planner = Planner::new(statements, settings)?;
    planner.tables = Arc::clone(tables);
    let mut first: Option<Span> = None;
    for statement in statements {
        match &statement.value {
            Statement::Query(query) => match first.replace(query.span) {
                None => planner.show(query),
                Some(earlier) => {
                    first = Some(earlier);
                    planner.diagnostics.push(second_query(query.span, earlier));
                }
            },
            Statement::Insert(_) | Statement::StatementSet(_) => {
                planner.diagnostics.push(insert(statement.span));
            }
            _ => planner.statement(statement),
        }
    }
    if first.is_none() && planner.diagnostics.is_empty() {
        planner.diagnostics.push(
            Diagnostic::global("MR0170", "there is no query whose changes could be shown")
                .help("write a SELECT behind the tables and views"),
        );
    }
    planner.finish()
}

fn second_query(span: Span, earlier: Span) -> Diagnostic {
    Diagnostic::error(
        "MR0170",
        "there are two queries; the changes of one can be shown",
        span,
    )
    .label("a second query")
    .also(earlier, "the first")
    .help("keep one, or combine them by UNION ALL")
}

fn insert(span: Span) -> Diagnostic {
    Diagnostic::error(
        "MR0170",
        "an INSERT writes, and here changes are only shown",
        span,
    )
    .label("not run where changes are shown")
    .help("leave INSERT INTO and the table's name out: the query's own rows are then shown")
}

impl Planner {
    fn show(&mut self, query: &ast::Query) {
        let Some(relation) = self.binder().query(query) else {
            return;
        };
        // # Flink: `collect()` looks for NULL in NOT NULL columns as any sink does.
        let outputs = relation.columns.iter().map(|column| OutputColumn {
            name: column.name.clone(),
            ty: column.ty.clone(),
            enforced: !column.ty.nullable,
        });
        self.inserts.push(PlannedInsert {
            target: Arc::new(Insert {
                table: Arc::new(target(&relation, query.span)),
                table_span: query.span,
                span: query.span,
                is_shown: true,
                query: relation.shown_types(self.options.is_bounded),
                outputs: outputs.collect(),
            }),
            query: relation,
        });
    }
}

/// Returns the table that has the query's columns.
fn target(relation: &BoundQuery, span: Span) -> Table {
    let columns = relation.columns.iter().map(|column| ColumnDefinition {
        name: Spanned::new(column.name.clone(), column.span),
        ty: column.ty.clone(),
        kind: ColumnKind::Physical,
        comment: None,
    });
    Table {
        definition: TableDefinition {
            name: Spanned::new(NAME.to_owned(), span),
            columns: columns.collect(),
            primary_key: Vec::new(),
            options: Vec::new(),
            options_span: span,
        },
        values: Vec::new(),
        rowtime: None,
    }
}
