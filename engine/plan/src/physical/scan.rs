//! The rows of a table.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use datafusion_common::{DataFusionError, Result, exec_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use millrace_connector::{ColumnKind, TableDefinition};
use millrace_program::OutputColumn;

use super::node::{Node, NodeKind};
use crate::catalog::Table;

/// A table that lanes read: its partitions are theirs.
#[derive(Debug)]
pub(crate) struct LaneScan {
    pub(crate) table: Arc<Table>,
    /// The columns that are decoded: indexes into the table's, ascending.
    columns: Vec<usize>,
}

impl LaneScan {
    /// Returns the node that gives those columns.
    pub(super) fn plan(table: &Arc<Table>, columns: &[usize]) -> Arc<dyn ExecutionPlan> {
        let outputs: Vec<OutputColumn> = columns
            .iter()
            .map(|index| {
                let column = &table.definition.columns[*index];
                OutputColumn {
                    name: column.name.value.clone(),
                    ty: column.ty.clone(),
                    enforced: false,
                }
            })
            .collect();
        let scan = Self {
            table: Arc::clone(table),
            columns: columns.to_vec(),
        };
        Arc::new(Node::new(scan, &outputs, Vec::new()))
    }
}

/// Batches of a table.
pub type TableBatches = Box<dyn Iterator<Item = std::result::Result<RecordBatch, String>> + Send>;

/// Reads bounded tables where DataFusion runs a plan.
pub trait TableReader: Send + Sync {
    /// Returns the batches of a table with those of its columns, in that order.
    ///
    /// # Errors
    /// A table that cannot be read here.
    fn read(
        &self,
        table: &TableDefinition,
        columns: &[usize],
    ) -> std::result::Result<TableBatches, String>;
}

/// The reader of a query that DataFusion runs: an extension of its session's settings.
pub(crate) struct Reader(pub(crate) Arc<dyn TableReader>);

impl NodeKind for LaneScan {
    fn name(&self) -> &'static str {
        "LaneScan"
    }

    fn describe(&self) -> String {
        let definition = &self.table.definition;
        let stored = definition
            .columns
            .iter()
            .filter(|column| column.kind != ColumnKind::Computed);
        let total = stored.count();
        format!(
            "{} ({}), decodes {} of {total} columns",
            definition.name.value,
            definition
                .option("connector")
                .map_or("?", |connector| connector.value.as_str()),
            self.columns.len(),
        )
    }

    fn execute(
        self: Arc<Self>,
        schema: SchemaRef,
        _inputs: &[Arc<dyn ExecutionPlan>],
        _partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let Some(reader) = context.session_config().get_extension::<Reader>() else {
            return exec_err!("the session reads no tables");
        };
        let failed = DataFusionError::Execution;
        let batches = reader.0.read(&self.table.definition, &self.columns);
        let own = Arc::clone(&schema);
        let batches = batches.map_err(failed)?.map(move |batch| {
            let batch = batch.map_err(failed)?;
            let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            let batch = RecordBatch::try_new_with_options(Arc::clone(&own), columns, &rows);
            Ok(batch?)
        });
        let stream = futures_util::stream::iter(batches);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream)))
    }
}
