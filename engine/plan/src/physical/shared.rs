//! Nodes with state that several INSERTs take rows of: made once, so that their rows are read and computed once.

use std::sync::Arc;

use datafusion_common::Result;
use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion_expr::LogicalPlan;

use super::{Chain, Need, Walk};
use crate::catalog::Table;
use crate::logical::PlannedTable;

/// The nodes with state that were made so far, by their plan.
#[derive(Debug, Default)]
pub(crate) struct Made(Vec<(LogicalPlan, Need, Vec<Chain>)>);

impl Walk<'_> {
    /// Returns what `make` makes of a plan whose root has state; what it made before for the same plan, if it did.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn once(
        &mut self,
        plan: &LogicalPlan,
        need: &Need,
        make: impl FnOnce(&mut Self) -> Result<Vec<Chain>>,
    ) -> Result<Vec<Chain>> {
        let is_same = |(known, known_need, _): &&(LogicalPlan, Need, Vec<Chain>)| {
            known_need == need && known == plan && tables(known) == tables(plan)
        };
        if let Some((_, _, chains)) = self.made.0.iter().find(is_same) {
            return Ok(chains.clone());
        }
        let chains = make(self)?;
        self.made
            .0
            .push((plan.clone(), need.clone(), chains.clone()));
        Ok(chains)
    }
}

/// Returns the tables that a plan reads: scans are equal by name, but a name may mean another table later in a file.
fn tables(plan: &LogicalPlan) -> Vec<*const Table> {
    let mut tables = Vec::new();
    let visited = plan.apply(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(table) = scan.source.downcast_ref::<PlannedTable>()
        {
            tables.push(Arc::as_ptr(&table.table));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok(), "the visitor has no errors");
    tables
}
