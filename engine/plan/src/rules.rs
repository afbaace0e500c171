//! The rules that rewrite logical plans: a chosen list of DataFusion's.
//!
//! | rule | why it is safe for Flink's semantics |
//! |---|---|
//! | `optimize_unions` | flattens UNION ALL in UNION ALL; the order of branches stays |
//! | `push_down_filter` | moves a filter over the same rows down; filters keep their order (inner ones first), and one that reads a volatile value stays |
//! | `optimize_projections` | drops columns that nobody reads, and merges projections unless a computed column is read twice |
//!
//! Left out, as they change values, laziness, volatility or state: `simplify_expressions` (folds what is Flink's to fold, and the clock),
//! `common_sub_expression_eliminate` (the lane program does it better), `single_distinct_aggregation_to_group_by` and `eliminate_group_by_constant` (change state and changelogs),
//! `extract_equijoin_predicate`, `eliminate_cross_join`, `eliminate_outer_join` (blind: `=` is opaque), `extract_leaf_expressions`, `push_down_leaf_projections`, `unions_to_filter`,
//! `rewrite_set_comparison`, `filter_null_join_keys`, and every analyzer rule (type coercion is the binder's).

//!
//! A plan's expressions are trees: pushing a filter through views that each read a column twice doubles it with each view. Where that
//! would grow too much, filters stay where they are; nothing but speed depends on it.

use std::sync::Arc;

use datafusion_common::{Column, DFSchema, HashMap, Result};
use datafusion_expr::{Expr, LogicalPlan};
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::optimize_unions::OptimizeUnions;
use datafusion_optimizer::optimizer::Optimizer;
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::{OptimizerContext, OptimizerRule};

/// How often the rules run over a plan that still changes.
const PASSES_MAX: u8 = 3;
/// How many parts a filter may have once the columns of the views below are put into it.
const FILTER_PARTS_MAX: usize = 10_000;

/// Rewrites a plan.
///
/// # Errors
/// A rule that fails: a mistake of ours.
pub(crate) fn optimise(plan: LogicalPlan) -> Result<LogicalPlan> {
    let context = OptimizerContext::new()
        .without_query_execution_start_time()
        .with_max_passes(PASSES_MAX);
    let rules = rules(&plan)?;
    Optimizer::with_rules(rules).optimize(plan, &context, |_, _| {})
}

/// Returns the rules in their order.
fn rules(plan: &LogicalPlan) -> Result<Vec<Arc<dyn OptimizerRule + Send + Sync>>> {
    let mut growth = Growth::default();
    growth.columns(plan)?;
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> =
        vec![Arc::new(OptimizeUnions::new())];
    if growth.largest_filter <= FILTER_PARTS_MAX {
        rules.push(Arc::new(PushDownFilter::new()));
    }
    rules.push(Arc::new(OptimizeProjections::new()));
    Ok(rules)
}

/// How large expressions become when columns are replaced by what they are computed of.
#[derive(Default)]
struct Growth {
    largest_filter: usize,
}

impl Growth {
    /// Returns the parts of each column of a plan.
    fn columns(&mut self, plan: &LogicalPlan) -> Result<Vec<usize>> {
        match plan {
            LogicalPlan::Projection(projection) => {
                let below = self.columns(&projection.input)?;
                let schema = projection.input.schema();
                let exprs = projection.expr.iter();
                exprs.map(|expr| parts(expr, schema, &below)).collect()
            }
            LogicalPlan::Filter(filter) => {
                let below = self.columns(&filter.input)?;
                let own = parts(&filter.predicate, filter.input.schema(), &below)?;
                self.largest_filter = self.largest_filter.max(own);
                Ok(below)
            }
            LogicalPlan::SubqueryAlias(alias) => self.columns(&alias.input),
            LogicalPlan::Union(union) => {
                let mut largest = vec![1; union.schema.fields().len()];
                for input in &union.inputs {
                    let found = self.columns(input)?;
                    for (largest, found) in largest.iter_mut().zip(found) {
                        *largest = found.max(*largest);
                    }
                }
                Ok(largest)
            }
            other => {
                for input in other.inputs() {
                    self.columns(input)?;
                }
                Ok(vec![1; other.schema().fields().len()])
            }
        }
    }
}

fn parts(expr: &Expr, schema: &DFSchema, below: &[usize]) -> Result<usize> {
    let mut counts: HashMap<&Column, usize> = HashMap::new();
    expr.add_column_ref_counts(&mut counts);
    let mut parts = 1usize;
    for (column, count) in counts {
        let own = below[schema.index_of_column(column)?];
        parts = parts.saturating_add(own.saturating_mul(count));
    }
    Ok(parts)
}
