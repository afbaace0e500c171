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

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_expr::LogicalPlan;
use datafusion_optimizer::optimize_projections::OptimizeProjections;
use datafusion_optimizer::optimize_unions::OptimizeUnions;
use datafusion_optimizer::optimizer::Optimizer;
use datafusion_optimizer::push_down_filter::PushDownFilter;
use datafusion_optimizer::{OptimizerContext, OptimizerRule};

/// How often the rules run over a plan that still changes.
const PASSES_MAX: u8 = 3;

/// Returns the rules in their order.
fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(OptimizeProjections::new()),
    ]
}

/// Rewrites a plan.
///
/// # Errors
/// A rule that fails: a mistake of ours.
pub(crate) fn optimise(plan: LogicalPlan) -> Result<LogicalPlan> {
    let context = OptimizerContext::new()
        .without_query_execution_start_time()
        .with_max_passes(PASSES_MAX);
    Optimizer::with_rules(rules()).optimize(plan, &context, |_, _| {})
}
