//! A whole file: statements in, dataflows out.

mod explained;
mod graph;
mod identity;
mod shown;
mod wiring;

use std::collections::HashSet;
use std::sync::Arc;

use datafusion_expr::{Extension, LogicalPlan};
use datafusion_physical_plan::ExecutionPlan;
use millrace_connector::{Diagnostic, Projection, Span, Spanned, TableDefinition};
use millrace_functions::{BindContext, UserFunctions};
use millrace_program::{ExprRef, LaneProgram, NotNullEnforcer, OutputColumn};
use millrace_sql::ast::{self, Statement};

use crate::bounds::with_deep_stack;
use crate::catalog::{self, Catalog, Creation, Entry, Kind};
use crate::logical::{self, AnyTable, BoundQuery, Insert, SinkNode, TableChanges};
use crate::physical::{self, Input, Made, StateOptions, StreamNode, Walk};
use crate::query::QueryBinder;
use crate::rules::optimise;
use crate::settings::{Origin, Setting, Settings};
use crate::{not_yet, sink};

pub use explained::{ExplainedPlan, explain, explain_with};
pub use graph::GraphNode;
pub use identity::StageState;
pub use shown::{plan_shown, plan_shown_tables};
use wiring::Wiring;

/// A planned file.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// The settings at the end of the file, from all origins.
    pub settings: Settings,
    /// The parts that hang together, in the order of their first INSERT.
    pub flows: Vec<Dataflow>,
    /// What the user should know although nothing is wrong.
    pub warnings: Vec<Diagnostic>,
}

/// Sources and sinks that reach each other.
#[derive(Clone, Debug)]
pub struct Dataflow {
    /// Its name: that of its first sink. It does not depend on other dataflows of the file.
    pub name: String,
    /// What is read.
    pub sources: Vec<Source>,
    /// What is computed over many rows; those that a stage takes rows of may stand before it or behind it.
    pub stages: Vec<Stage>,
    /// What is written.
    pub sinks: Vec<Sink>,
}

/// A node with state, and where its rows go.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The node.
    pub node: Arc<dyn StreamNode>,
    /// The ways to sinks. Their programs take the node's columns.
    pub branches: Vec<Branch>,
    /// The ways to other stages.
    pub feeds: Vec<Feed>,
}

/// One way from a source or a stage to an input of a stage.
#[derive(Clone, Debug)]
pub struct Feed {
    /// Takes the source's projected columns or the stage's columns, gives the columns of the input.
    pub program: LaneProgram,
    /// Index into [`Dataflow::stages`].
    pub stage: usize,
    /// The input's number.
    pub input: usize,
    /// Filters and columns before compilation: what the stage's state depends on.
    pub logical: Logical,
}

/// A table that is read: once, for all branches.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name, which no other source of the dataflow has: checkpoints know its positions by it.
    pub name: String,
    /// Whether it is the one row without columns that VALUES and queries without FROM read; `table` then has no
    /// columns and no options.
    pub is_one_row: bool,
    /// Its definition; hints are merged into the options.
    pub table: Arc<TableDefinition>,
    /// Where it is named in the first INSERT that reads it.
    pub span: Span,
    /// The columns to decode: indexes into `table.columns`, physical and metadata ones, ascending. Batches have them
    /// in this order.
    pub projection: Projection,
    /// The ways to sinks.
    pub branches: Vec<Branch>,
    /// The ways to stages.
    pub feeds: Vec<Feed>,
}

/// One way from a source or a stage to a sink.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Takes the source's projected columns or the stage's columns, gives the sink's persisted columns.
    pub program: LaneProgram,
    /// Index into [`Dataflow::sinks`].
    pub sink: usize,
    /// The INSERT.
    pub span: Span,
    /// The filters and columns as expressions, for `explain`.
    pub logical: Logical,
}

/// Filters and columns of a branch before compilation, over the table's columns.
#[derive(Clone, Debug)]
pub struct Logical {
    /// All must be TRUE.
    pub filters: Vec<ExprRef>,
    /// The sink's columns.
    pub columns: Vec<ExprRef>,
}

/// A table that is written.
#[derive(Clone, Debug)]
pub struct Sink {
    /// Its definition; hints are merged into the options.
    pub table: Arc<TableDefinition>,
    /// Where the first INSERT names it.
    pub span: Span,
    /// The columns that are written: indexes into `table.columns`, physical and writable metadata ones, ascending.
    pub columns: Vec<usize>,
    /// Whether it is no table of the file, but shows what a query gives.
    pub is_shown: bool,
    /// Names and types of the first query's columns, as Flink shows them, time attributes too.
    pub query: Vec<(String, String)>,
}

/// A query outside of any INSERT: for tests and previews.
#[derive(Clone, Debug)]
pub struct PlannedQuery {
    /// Its columns.
    pub columns: Vec<OutputColumn>,
    /// One program for each input.
    pub branches: Vec<QueryProgram>,
    /// The plan that the programs are of, which DataFusion can run where it reads no table.
    pub plan: Arc<dyn ExecutionPlan>,
}

/// A branch of a query.
#[derive(Clone, Debug)]
pub struct QueryProgram {
    /// The table it reads; `None` = one row without columns.
    pub table: Option<Arc<TableDefinition>>,
    /// Takes the table's columns at [`LaneProgram::inputs`] of a batch that has all of them.
    pub program: LaneProgram,
}

/// Plans the statements of a file. `settings` come from outside of it (command line, environment, files) and those of the command line
/// win over its SET statements.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn plan(
    statements: &[Spanned<Statement>],
    settings: &Settings,
) -> Result<Pipeline, Vec<Diagnostic>> {
    plan_with(statements, settings, &Arc::default())
}

/// Plans a file whose statements may call functions of the program that embeds the engine.
///
/// # Errors
/// As for [`plan`].
pub fn plan_with(
    statements: &[Spanned<Statement>],
    settings: &Settings,
    functions: &Arc<UserFunctions>,
) -> Result<Pipeline, Vec<Diagnostic>> {
    plan_tables(
        statements,
        settings,
        functions,
        &(Arc::new(AnyTable) as Arc<dyn TableChanges>),
    )
}

/// Plans a file of which it is known what changes its tables send and take.
///
/// # Errors
/// As for [`plan`].
pub fn plan_tables(
    statements: &[Spanned<Statement>],
    settings: &Settings,
    functions: &Arc<UserFunctions>,
    tables: &Arc<dyn TableChanges>,
) -> Result<Pipeline, Vec<Diagnostic>> {
    with_deep_stack(|| {
        let mut planner = Planner::new(statements, settings)?;
        planner.ctx.user_functions = Arc::clone(functions);
        planner.tables = Arc::clone(tables);
        for statement in statements {
            planner.statement(statement);
        }
        planner.finish()
    })
}

/// Plans the one query among the statements (the last, if there are several); tables and views before it are known.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn plan_query(
    statements: &[Spanned<Statement>],
    settings: &Settings,
) -> Result<PlannedQuery, Vec<Diagnostic>> {
    with_deep_stack(|| plan_last_query(statements, settings))
}

fn plan_last_query(
    statements: &[Spanned<Statement>],
    settings: &Settings,
) -> Result<PlannedQuery, Vec<Diagnostic>> {
    let mut planner = Planner::new(statements, settings)?;
    let mut query = None;
    for statement in statements {
        match &statement.value {
            Statement::Query(ast) => query = Some(ast),
            _ => planner.statement(statement),
        }
    }
    let Some(query) = query else {
        return Err(vec![Diagnostic::global(
            "MR0505",
            "there is no query in the text",
        )]);
    };
    let relation = planner.binder().query(query);
    let planned = relation.and_then(|relation| planner.query_programs(&relation, query.span));
    match planned {
        Some(planned) if !planner.diagnostics.iter().any(Diagnostic::is_error) => Ok(planned),
        _ => Err(planner.diagnostics),
    }
}

/// Returns the tables that the file defines without errors, whatever else is wrong with it: so that their options can be
/// checked along with the rest.
#[must_use]
pub fn tables(statements: &[Spanned<Statement>], settings: &Settings) -> Vec<Arc<TableDefinition>> {
    let Ok(mut planner) = Planner::new(statements, settings) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for statement in statements {
        planner.namespace(&statement.value);
        let Statement::CreateTable(create) = &statement.value else {
            continue;
        };
        planner.statement(statement);
        if let Some(Entry::Table(table)) = planner.catalog.get(&create.name) {
            found.push(Arc::new(table.definition.clone()));
        }
    }
    found
}

struct Planner {
    settings: Settings,
    ctx: BindContext,
    not_null: NotNullEnforcer,
    trims: bool,
    catalog: Catalog,
    diagnostics: Vec<Diagnostic>,
    inserts: Vec<PlannedInsert>,
    tables: Arc<dyn TableChanges>,
    options: StateOptions,
    made: Made,
}

/// An INSERT whose query fits its sink.
struct PlannedInsert {
    query: BoundQuery,
    target: Arc<Insert>,
}

impl PlannedInsert {
    /// Returns its logical plan, whose root is the sink.
    fn plan(&self) -> LogicalPlan {
        let node = SinkNode {
            input: self.query.plan.as_ref().clone(),
            target: Arc::clone(&self.target),
        };
        LogicalPlan::Extension(Extension {
            node: Arc::new(node),
        })
    }
}

impl Planner {
    /// The planner's own settings are those at the end of the file: an INSERT runs when the whole file was read.
    fn new(statements: &[Spanned<Statement>], outside: &Settings) -> Result<Self, Vec<Diagnostic>> {
        let settings = effective_settings(statements, outside);
        let mut diagnostics = Vec::new();
        let mut keep = |error: Diagnostic| diagnostics.push(error);
        let session_tz = settings.session_time_zone().map_err(&mut keep).ok();
        let not_null = settings.not_null_enforcer().map_err(&mut keep).ok();
        let trims = settings.trims_and_pads().map_err(&mut keep).ok();
        let later = settings.later_functions().map_err(&mut keep).ok();
        let (Some(session_tz), Some(not_null), Some(trims), Some(later_functions)) =
            (session_tz, not_null, trims, later)
        else {
            return Err(diagnostics);
        };
        let options = match StateOptions::of(&settings, session_tz.clone()) {
            Ok(options) => options,
            Err(fault) => return Err(vec![fault]),
        };
        let ctx = BindContext {
            session_tz,
            legacy_cast: settings.legacy_cast(),
            later_functions,
            ..BindContext::default()
        };
        Ok(Self {
            settings,
            ctx,
            not_null,
            trims,
            catalog: Catalog::default(),
            diagnostics,
            inserts: Vec::new(),
            tables: Arc::new(AnyTable),
            options,
            made: Made::default(),
        })
    }

    fn binder(&mut self) -> QueryBinder<'_> {
        QueryBinder {
            catalog: &self.catalog,
            ctx: &self.ctx,
            diagnostics: &mut self.diagnostics,
            ctes: Vec::new(),
            qualifiers: HashSet::new(),
            tables: self.tables.as_ref(),
            is_bounded: self.options.is_bounded,
            cdc_duplicates: self.options.cdc_duplicates,
            is_versioned: false,
        }
    }

    fn statement(&mut self, statement: &Spanned<Statement>) {
        let span = statement.span;
        match &statement.value {
            Statement::CreateTable(create) => {
                let table = catalog::table(create, &self.catalog, &self.ctx, &mut self.diagnostics);
                let entry = table.map_or(Entry::Broken, |table| Entry::Table(Arc::new(table)));
                self.catalog.define(
                    &create.name,
                    entry,
                    Creation {
                        temporary: create.temporary,
                        if_not_exists: create.if_not_exists,
                        or_replace: create.or_replace,
                    },
                    &mut self.diagnostics,
                );
            }
            Statement::CreateView(create) => {
                let mut binder = self.binder();
                let relation = binder.query(&create.query);
                let relation = relation.and_then(|relation| {
                    binder.renamed(relation, &create.columns, create.name.span)
                });
                let entry =
                    relation.map_or(Entry::Broken, |relation| Entry::View(Arc::new(relation)));
                self.catalog.define(
                    &create.name,
                    entry,
                    Creation {
                        temporary: create.temporary,
                        if_not_exists: create.if_not_exists,
                        or_replace: create.or_replace,
                    },
                    &mut self.diagnostics,
                );
            }
            Statement::DropTable(drop) => {
                self.catalog.drop(drop, Kind::Table, &mut self.diagnostics);
            }
            Statement::DropView(drop) => {
                self.catalog.drop(drop, Kind::View, &mut self.diagnostics);
            }
            Statement::Insert(insert) => self.insert(insert, span),
            Statement::StatementSet(inserts) => {
                for insert in inserts {
                    self.insert(&insert.value, insert.span);
                }
            }
            Statement::Set { .. } | Statement::Reset { .. } => {}
            Statement::CreateDatabase { .. }
            | Statement::DropDatabase(_)
            | Statement::CreateCatalog { .. }
            | Statement::Use { .. } => self.namespace(&statement.value),
            Statement::CreateFunction { class_name, .. } => self.diagnostics.push(
                not_yet::clause("CREATE FUNCTION", class_name.span)
                    .help("functions in Java need a JVM, which is not here"),
            ),
            Statement::Query(query) => self.diagnostics.push(
                Diagnostic::error(
                    "MR0505",
                    "a query outside of INSERT INTO has nowhere to go",
                    query.span,
                )
                .label("not part of a pipeline")
                .help("put INSERT INTO and a table before it")
                .help("or show its changes: millrace run --changes-to-stdout FILE"),
            ),
            Statement::Explain(explain) => {
                let inserts = self.inserts.len();
                let is_query = matches!(explain.statement.value, Statement::Query(_));
                if !is_query {
                    self.statement(&explain.statement);
                }
                self.inserts.truncate(inserts);
                self.diagnostics.push(
                    Diagnostic::warning("MR0510", "EXPLAIN shows nothing here", statement.span)
                        .label("not run")
                        .help("`millrace explain` with this file shows the plan"),
                );
            }
            Statement::Unsupported { what, span } => {
                self.diagnostics.push(not_yet::clause(what, *span));
            }
        }
    }

    /// Statements about catalogs and databases.
    fn namespace(&mut self, statement: &Statement) {
        let diagnostics = &mut self.diagnostics;
        match statement {
            Statement::CreateDatabase {
                if_not_exists,
                name,
            } => self
                .catalog
                .create_database(name, *if_not_exists, diagnostics),
            Statement::DropDatabase(drop) => self.catalog.drop_database(drop, diagnostics),
            Statement::CreateCatalog { name, options } => {
                self.catalog.create_catalog(name, options, diagnostics);
            }
            Statement::Use { catalog, name } => {
                self.catalog.switch(*catalog, name, diagnostics);
                self.ctx.current_database = self.catalog.current_database().to_owned();
            }
            _ => {}
        }
    }

    fn insert(&mut self, insert: &ast::Insert, span: Span) {
        let relation = self.binder().query(&insert.query);
        let target = match self.catalog.get(&insert.target) {
            Some(Entry::Table(table)) => Arc::clone(table),
            Some(Entry::Broken) => return,
            Some(Entry::View(_)) => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "MR0301",
                        format!("'{}' is a view", insert.target),
                        insert.target.span,
                    )
                    .label("only tables can be written to"),
                );
                return;
            }
            None => {
                let unknown = self.catalog.unknown(&insert.target);
                self.diagnostics.push(unknown);
                return;
            }
        };
        let Some(relation) = relation else { return };
        let shown = relation.shown_types(self.options.is_bounded);
        let fitted = sink::fit(
            relation,
            insert,
            &target,
            self.trims,
            &self.ctx,
            &mut self.diagnostics,
        );
        let Some((query, outputs)) = fitted else {
            return;
        };
        self.inserts.push(PlannedInsert {
            query,
            target: Arc::new(Insert {
                table: target,
                table_span: insert.target.span,
                span,
                is_shown: false,
                outputs,
                query: shown,
            }),
        });
    }

    /// Rewrites the plan of an INSERT and makes its physical plan; `None` after errors.
    fn physical(&mut self, insert: &PlannedInsert) -> Option<Arc<dyn ExecutionPlan>> {
        let plan = self.kept(optimise(insert.plan()), insert.target.span)?;
        let planned = self.walk(&plan).sink(&plan);
        self.kept(planned, insert.target.span)
    }

    fn walk(&mut self, plan: &LogicalPlan) -> Walk<'_> {
        self.options.has_state = logical::has_state(plan) || self.tables.plans_all_nodes();
        Walk {
            not_null: self.not_null,
            diagnostics: &mut self.diagnostics,
            tables: self.tables.as_ref(),
            options: &self.options,
            made: &mut self.made,
        }
    }

    fn kept<T>(&mut self, planned: datafusion_common::Result<T>, span: Span) -> Option<T> {
        match planned {
            Ok(planned) => Some(planned),
            Err(error) => {
                if !self.diagnostics.iter().any(Diagnostic::is_error) {
                    self.diagnostics.push(logical::internal(&error, span));
                }
                None
            }
        }
    }

    fn query_programs(&mut self, query: &BoundQuery, span: Span) -> Option<PlannedQuery> {
        let columns = explained::outputs(query);
        let plan = self.kept(optimise(query.plan.as_ref().clone()), span)?;
        let planned = self.walk(&plan).query(&plan, &columns);
        let plan = self.kept(planned, span)?;
        let branches = physical::ways(&plan)
            .into_iter()
            .map(|fused| QueryProgram {
                table: match &fused.kind.input {
                    Input::Table(table) => Some(Arc::new(table.definition.clone())),
                    Input::OneRow | Input::Stage(..) => None,
                },
                program: fused.kind.program.clone(),
            })
            .collect();
        Some(PlannedQuery {
            columns,
            branches,
            plan,
        })
    }

    fn finish(mut self) -> Result<Pipeline, Vec<Diagnostic>> {
        let inserts = std::mem::take(&mut self.inserts);
        let reported = self.diagnostics.iter().any(Diagnostic::is_error);
        if inserts.is_empty() && !reported {
            self.diagnostics.push(
                Diagnostic::global(
                    "MR0506",
                    "the file has no INSERT INTO: there is nothing to run",
                )
                .help("add an INSERT INTO statement"),
            );
        }
        let mut wiring = Wiring::default();
        for insert in &inserts {
            if let Some(plan) = self.physical(insert) {
                wiring.add(&plan);
            }
        }
        self.diagnostics.sort_by_key(|diagnostic| {
            diagnostic
                .primary
                .as_ref()
                .map_or(0, |label| label.span.start)
        });
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(self.diagnostics);
        }
        Ok(Pipeline {
            settings: self.settings,
            flows: wiring.flows(),
            warnings: self.diagnostics,
        })
    }
}

/// Returns the settings at the end of the file: files and environment first, then its SET and RESET statements, then
/// the command line.
#[must_use]
pub fn effective_settings(statements: &[Spanned<Statement>], outside: &Settings) -> Settings {
    let mut settings = Settings::default();
    let is_last = |setting: &Setting| setting.origin == Origin::CommandLine;
    for (key, setting) in outside.iter().filter(|(_, setting)| !is_last(setting)) {
        settings.set(key, &setting.value, setting.origin.clone());
    }
    for statement in statements {
        match &statement.value {
            Statement::Set { key, value } => {
                let origin = Origin::Statement {
                    key: key.span,
                    value: value.span,
                };
                settings.set(&key.value, &value.value, origin);
            }
            Statement::Reset { key: Some(key) } => settings.reset(&key.value),
            Statement::Reset { key: None } => settings.reset_statements(),
            _ => {}
        }
    }
    for (key, setting) in outside.iter().filter(|(_, setting)| is_last(setting)) {
        settings.set(key, &setting.value, setting.origin.clone());
    }
    settings
}
