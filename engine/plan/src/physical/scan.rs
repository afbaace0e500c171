//! The rows of a table.

use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use millrace_connector::ColumnKind;
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
}
