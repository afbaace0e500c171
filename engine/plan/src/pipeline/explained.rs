//! EXPLAIN: the plans of statements, as trees.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use datafusion_common::Result as PlanResult;
use datafusion_expr::LogicalPlan;
use datafusion_physical_plan::ExecutionPlan;
use millrace_connector::{Diagnostic, Span, Spanned};
use millrace_functions::UserFunctions;
use millrace_program::OutputColumn;
use millrace_sql::ast::{self, Statement};
use serde_json::{Value, json};

use super::{PlannedInsert, Planner};
use crate::bounds::with_deep_stack;
use crate::explain::{PlanTree, logical, physical};
use crate::logical::BoundQuery;
use crate::physical::Walk;
use crate::rules::optimise;
use crate::settings::Settings;

/// The plans of one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedPlan {
    /// The statement: `INSERT INTO t`, `SELECT`.
    pub title: String,
    /// The plan as the query is written.
    pub logical: PlanTree,
    /// The plan behind the rules.
    pub optimised: PlanTree,
    /// What lanes run.
    pub physical: PlanTree,
    /// Whether EXPLAIN asked for JSON.
    pub wants_json: bool,
}

impl Display for ExplainedPlan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "== {} ==", self.title)?;
        writeln!(f, "-- logical plan\n{}", self.logical)?;
        writeln!(f, "-- optimized logical plan\n{}", self.optimised)?;
        write!(f, "-- physical plan\n{}", self.physical)
    }
}

impl ExplainedPlan {
    /// Returns it as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "statement": self.title,
            "logical": self.logical.to_json(),
            "optimized": self.optimised.to_json(),
            "physical": self.physical.to_json(),
        })
    }
}

/// Returns the plans of the EXPLAIN statements of a text; without any, those of all its INSERTs and queries.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn explain(
    statements: &[Spanned<Statement>],
    settings: &Settings,
) -> Result<Vec<ExplainedPlan>, Vec<Diagnostic>> {
    explain_with(statements, settings, &Arc::default())
}

/// The same for statements that may call functions of the program that embeds the engine.
///
/// # Errors
/// As for [`explain`].
pub fn explain_with(
    statements: &[Spanned<Statement>],
    settings: &Settings,
    functions: &Arc<UserFunctions>,
) -> Result<Vec<ExplainedPlan>, Vec<Diagnostic>> {
    with_deep_stack(|| explain_on_this_stack(statements, settings, functions))
}

fn explain_on_this_stack(
    statements: &[Spanned<Statement>],
    settings: &Settings,
    functions: &Arc<UserFunctions>,
) -> Result<Vec<ExplainedPlan>, Vec<Diagnostic>> {
    let mut planner = Planner::new(statements, settings)?;
    planner.ctx.user_functions = Arc::clone(functions);
    let is_asked =
        |statement: &Spanned<Statement>| matches!(statement.value, Statement::Explain(_));
    let only_asked = statements.iter().any(is_asked);
    let mut plans = Vec::new();
    for statement in statements {
        match &statement.value {
            Statement::Explain(explain) => {
                let found = planner.explained(&explain.statement);
                plans.extend(found.into_iter().map(|plan| ExplainedPlan {
                    wants_json: explain.wants_json(),
                    ..plan
                }));
            }
            Statement::Insert(_) | Statement::StatementSet(_) | Statement::Query(_) => {
                let found = planner.explained(statement);
                if !only_asked {
                    plans.extend(found);
                }
            }
            _ => planner.statement(statement),
        }
    }
    if planner.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(planner.diagnostics);
    }
    if plans.is_empty() {
        return Err(vec![Diagnostic::global(
            "MR0506",
            "there is no statement whose plan could be shown",
        )]);
    }
    Ok(plans)
}

impl Planner {
    /// Returns the plans of an INSERT, a statement set or a query.
    fn explained(&mut self, statement: &Spanned<Statement>) -> Vec<ExplainedPlan> {
        if let Statement::Query(query) = &statement.value {
            return self.explained_query(query).into_iter().collect();
        }
        let before = self.inserts.len();
        self.statement(statement);
        let inserts = self.inserts.split_off(before);
        let plans: Vec<ExplainedPlan> = inserts
            .iter()
            .filter_map(|insert| self.explained_insert(insert))
            .collect();
        self.inserts.extend(inserts);
        plans
    }

    fn explained_insert(&mut self, insert: &PlannedInsert) -> Option<ExplainedPlan> {
        let title = format!("INSERT INTO {}", insert.target.table.definition.name.value);
        let plan = insert.plan();
        self.planned(title, plan, insert.target.span, |walk, plan| {
            walk.sink(plan)
        })
    }

    fn explained_query(&mut self, query: &ast::Query) -> Option<ExplainedPlan> {
        let bound = self.binder().query(query)?;
        let outputs = outputs(&bound);
        let plan = bound.plan.as_ref().clone();
        self.planned("SELECT".to_owned(), plan, query.span, |walk, plan| {
            walk.query(plan, &outputs)
        })
    }

    fn planned(
        &mut self,
        title: String,
        plan: LogicalPlan,
        span: Span,
        make: impl FnOnce(&mut Walk<'_>, &LogicalPlan) -> PlanResult<Arc<dyn ExecutionPlan>>,
    ) -> Option<ExplainedPlan> {
        let logical = logical::tree(&plan);
        let optimised = self.kept(optimise(plan), span)?;
        let made = make(&mut self.walk(&optimised), &optimised);
        let made = self.kept(made, span)?;
        Some(ExplainedPlan {
            title,
            logical,
            optimised: logical::tree(&optimised),
            physical: physical::tree(&made),
            wants_json: false,
        })
    }
}

/// Returns a query's columns as a program gives them.
pub(super) fn outputs(query: &BoundQuery) -> Vec<OutputColumn> {
    let columns = query.columns.iter();
    columns
        .map(|column| OutputColumn {
            name: column.name.clone(),
            ty: column.ty.clone(),
            enforced: false,
        })
        .collect()
}
