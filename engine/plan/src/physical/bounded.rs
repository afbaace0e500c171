//! A bounded query, run by DataFusion itself.

use std::sync::Arc;

use arrow_array::RecordBatch;
use datafusion_common::{DataFusionError, Result, internal_err};
use datafusion_execution::TaskContext;
use datafusion_execution::config::SessionConfig;
use datafusion_physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures_util::{FutureExt, StreamExt};
use millrace_functions::RowError;

use super::QueryTime;
use super::scan::{Reader, TableReader};

/// Runs a plan on this thread and returns all its rows. Nothing in such a plan waits: `reader` blocks where it must.
///
/// # Errors
/// A row that fails, or a node that only lanes run; as a message.
pub fn run_bounded(
    plan: &Arc<dyn ExecutionPlan>,
    reader: Arc<dyn TableReader>,
    now_ms: i64,
) -> std::result::Result<Vec<RecordBatch>, String> {
    collect(plan, reader, now_ms).map_err(|error| message(&error))
}

fn collect(
    plan: &Arc<dyn ExecutionPlan>,
    reader: Arc<dyn TableReader>,
    now_ms: i64,
) -> Result<Vec<RecordBatch>> {
    let config = SessionConfig::new()
        .with_extension(Arc::new(QueryTime(now_ms)))
        .with_extension(Arc::new(Reader(reader)));
    let context = Arc::new(TaskContext::default().with_session_config(config));
    let mut batches = Vec::new();
    for partition in 0..plan.output_partitioning().partition_count() {
        let mut stream = plan.execute(partition, Arc::clone(&context))?;
        loop {
            match stream.next().now_or_never() {
                Some(Some(batch)) => batches.push(batch?),
                Some(None) => break,
                None => return internal_err!("a node of a bounded plan waits for a task"),
            }
        }
    }
    Ok(batches)
}

/// Returns the row's own message, or DataFusion's.
fn message(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::External(external) => match external.downcast_ref::<RowError>() {
            Some(error) => error.message.clone(),
            None => external.to_string(),
        },
        other => other.strip_backtrace(),
    }
}
