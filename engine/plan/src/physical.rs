//! Physical plans: what lanes run, made of an optimised logical plan.
//!
//! ```text
//!  SinkNode ◄─ Fused ◄─ LaneScan                     a way from a source to a sink is one lane program
//!           ◄─ Fused ◄─ (a node with state) ◄─ Fused ◄─ LaneScan
//! ```
//! Projections, filters, aliases, UNION ALL and UNNEST are no nodes here: the walk gathers them in [`Chain`]s, one for each way that rows
//! come, and folds each into one lane program ([`Fused`]). That keeps AND, OR and CASE lazy, parses a text once, and makes a row's error know its row.
//!
//! All of them are `ExecutionPlan`s of DataFusion ([`Node`] answers what it asks). Lanes do not execute the plan: the pipeline walks it once and takes the
//! programs and operators out of it. DataFusion itself can run a plan whose leaves it knows.
//!
//! # How to add a node with state
//! In one file of its own,
//! 1. a struct that implements `StateSpec` (`logical/stateful.rs`): its name, its text for `explain`, and the physical node that is made of it. It names columns of its
//!    inputs by number; what is computed (keys, arguments) is projected below it.
//! 2. a struct that implements [`StreamNode`]: its columns, its text, and the operator that lanes call;
//! 3. a method of `QueryBinder` that binds the clause and calls `BoundQuery::stateful(inputs, spec, columns)`.
//!
//! Nothing else: the walk plans the inputs ([`Walk::input`]: a node whose columns are the input plan's fields, in their order), shares the node between
//! INSERTs that take rows of one view ([`Walk::once`]), and folds whatever stands above it (projections, filters, the sink) into the program that takes its rows.
//! A node that rules must see into (join keys, pushed filters) becomes a logical node of its own instead, with an arm in `Walk::unchecked` that
//! returns `vec![Chain::over(node, inputs)]`.

mod bounded;
mod check;
mod fuse;
mod need;
mod node;
mod scan;
mod shared;
mod sink;
mod stage;
mod state;
mod unnest;

use std::sync::Arc;

use datafusion_common::{Result, internal_err};
use datafusion_expr::{Extension, LogicalPlan};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::union::UnionExec;
use millrace_connector::Diagnostic;
use millrace_program::{NotNullEnforcer, OutputColumn};

use crate::logical::{PlannedTable, SinkNode, StateNode, TableChanges, UnnestNode};

pub(crate) use fuse::{Chain, Fused, Input};
pub(crate) use need::Need;
pub(crate) use node::Node;
pub(crate) use scan::LaneScan;
pub(crate) use shared::Made;
pub(crate) use sink::Sink;
pub(crate) use stage::Stage;

pub use bounded::run_bounded;
pub use fuse::QueryTime;
pub use scan::{TableBatches, TableReader};
pub use stage::StreamNode;
pub(crate) use state::StateOptions;

/// Makes physical nodes of a logical plan.
pub(crate) struct Walk<'a> {
    /// What happens to a NULL for a NOT NULL column of a sink.
    pub(crate) not_null: NotNullEnforcer,
    /// What is found wrong with constants that are folded, and with nodes that nothing can run.
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
    /// What connectors say of tables.
    pub(crate) tables: &'a dyn TableChanges,
    /// Settings of state.
    pub(crate) options: &'a StateOptions,
    /// Nodes with state that earlier statements of the file made.
    pub(crate) made: &'a mut Made,
}

impl Walk<'_> {
    /// Plans an INSERT: a plan whose root is a sink.
    ///
    /// # Errors
    /// A node that nobody makes.
    pub(crate) fn sink(&mut self, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        let LogicalPlan::Extension(Extension { node }) = plan else {
            return internal_err!("a pipeline ends in a sink");
        };
        let Some(sink) = node.as_any().downcast_ref::<SinkNode>() else {
            return internal_err!("a pipeline ends in a sink");
        };
        let target = Arc::clone(&sink.target);
        let input = self.sink_input(sink)?;
        Ok(Arc::new(Node::new(
            Sink {
                target: Arc::clone(&target),
            },
            &target.outputs,
            vec![input],
        )))
    }

    /// Plans a query that gives those columns.
    ///
    /// # Errors
    /// A node that nobody makes.
    pub(crate) fn query(
        &mut self,
        plan: &LogicalPlan,
        outputs: &[OutputColumn],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let chains = self.chains(plan, &Need::all())?;
        self.fused(chains, outputs)
    }

    /// Compiles ways.
    ///
    /// # Errors
    /// A union of nothing.
    pub(crate) fn fused(
        &mut self,
        chains: Vec<Chain>,
        outputs: &[OutputColumn],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut ways: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        for chain in chains {
            ways.push(Arc::new(self.fuse(chain, outputs)));
        }
        match ways.len() {
            1 => Ok(ways.remove(0)),
            _ => UnionExec::try_new(ways),
        }
    }

    /// Returns the ways in which the rows of a plan come. The columns of each are the plan's fields, in their order.
    ///
    /// # Errors
    /// A node that nobody makes.
    pub(crate) fn chains(&mut self, plan: &LogicalPlan, need: &Need) -> Result<Vec<Chain>> {
        let chains = self.unchecked(plan, need)?;
        for chain in &chains {
            check::columns(plan, &chain.columns)?;
        }
        Ok(chains)
    }

    fn unchecked(&mut self, plan: &LogicalPlan, need: &Need) -> Result<Vec<Chain>> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let Some(table) = scan.source.downcast_ref::<PlannedTable>() else {
                    return internal_err!("{} is no table of the catalog", scan.table_name);
                };
                let mut chain = Chain::scan(table, scan.projection.as_deref());
                chain.changes = self.tables.source(&table.table.definition);
                Ok(vec![chain])
            }
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                Ok(vec![Chain::one_row()])
            }
            LogicalPlan::SubqueryAlias(alias) => self.chains(&alias.input, need),
            LogicalPlan::Projection(projection) => self.project(projection, need),
            LogicalPlan::Filter(filter) => self.filter(filter, need),
            LogicalPlan::Union(union) => {
                let mut chains = Vec::new();
                for input in &union.inputs {
                    chains.append(&mut self.chains(input, need)?);
                }
                // Two branches may have equal keys.
                for chain in &mut chains {
                    chain.keys.clear();
                    chain.upserts.clear();
                }
                Ok(chains)
            }
            LogicalPlan::Extension(Extension { node }) => {
                if let Some(node) = node.as_any().downcast_ref::<UnnestNode>() {
                    return self.unnest(node, need);
                }
                if let Some(node) = node.as_any().downcast_ref::<StateNode>() {
                    return self.once(plan, need, |walk| walk.state(node, need));
                }
                internal_err!("no physical node is made of {}", node.name())
            }
            other => internal_err!("no physical node is made of {}", other.display()),
        }
    }
}

/// Returns the programs that give the rows of a plan: itself, or those of a UNION ALL.
pub(crate) fn ways(plan: &Arc<dyn ExecutionPlan>) -> Vec<&Node<Fused>> {
    match plan.downcast_ref::<Node<Fused>>() {
        Some(fused) => vec![fused],
        None => plan.children().into_iter().flat_map(ways).collect(),
    }
}
