//! Physical plans: what lanes run, made of an optimised logical plan.
//!
//! ```text
//!  SinkNode ◄─ Fused ◄─ LaneScan                     a way from a source to a sink is one lane program
//!           ◄─ Fused ◄─ (a node with state) ◄─ Fused ◄─ LaneScan
//! ```
//! Projections, filters, aliases, UNION ALL and UNNEST are no nodes here: the walk gathers them in [`Chain`]s, one for each way that rows
//! come, and folds each into one lane program ([`Fused`]). That keeps AND, OR and CASE lazy, parses a text once, and makes a row's error know its row.
//!
//! # How to add a node with state
//! Write `physical/<name>.rs` with
//! 1. a struct that implements [`StreamNode`]: its inputs, its columns, its text for `explain`;
//! 2. a function `fn plan(walk: &mut Walk<'_>, node: &Its logical node) -> Result<Vec<Chain>>`, which asks `walk.input(&node.input)` for each input (a node
//!    whose columns are the input plan's fields, in their order), restores its own expressions with [`Restorer`] over those columns, and returns
//!    [`Chain::over`] the new node;
//!
//! and one line in [`Walk::chains`]. Whatever stands above it (projections, filters, the sink) is folded into the program that takes its rows.

mod fuse;
mod node;
mod unnest;

use std::sync::Arc;

use datafusion_common::{Result, internal_err};
use datafusion_expr::{Extension, LogicalPlan};
use millrace_connector::Diagnostic;
use millrace_program::{NotNullEnforcer, OutputColumn};

use crate::logical::{PlannedTable, SinkNode, UnnestNode};

pub(crate) use fuse::Chain;
pub use node::{Fused, StreamNode};
pub(crate) use node::{Input, LaneScan, SinkTree};

/// Makes physical nodes of a logical plan.
pub(crate) struct Walk<'a> {
    /// What happens to a NULL for a NOT NULL column of a sink.
    pub(crate) not_null: NotNullEnforcer,
    /// What is found wrong with constants that are folded.
    pub(crate) diagnostics: &'a mut Vec<Diagnostic>,
}

impl Walk<'_> {
    /// Plans an INSERT: a plan whose root is a sink.
    ///
    /// # Errors
    /// A node that nobody makes.
    pub(crate) fn sink(&mut self, plan: &LogicalPlan) -> Result<SinkTree> {
        let LogicalPlan::Extension(Extension { node }) = plan else {
            return internal_err!("a pipeline ends in a sink");
        };
        let Some(sink) = node.as_any().downcast_ref::<SinkNode>() else {
            return internal_err!("a pipeline ends in a sink");
        };
        let chains = self.chains(&sink.input)?;
        let inputs = chains
            .into_iter()
            .map(|chain| Arc::new(self.fuse(chain, sink.target.outputs.clone())));
        Ok(SinkTree {
            inputs: inputs.collect(),
            target: Arc::clone(&sink.target),
        })
    }

    /// Plans a query on its own: one program for each way that rows come.
    ///
    /// # Errors
    /// A node that nobody makes.
    pub(crate) fn query(
        &mut self,
        plan: &LogicalPlan,
        outputs: &[OutputColumn],
    ) -> Result<Vec<Fused>> {
        let chains = self.chains(plan)?;
        let fused = chains
            .into_iter()
            .map(|chain| self.fuse(chain, outputs.to_vec()));
        Ok(fused.collect())
    }

    /// Returns the ways in which the rows of a plan come. The columns of each are the plan's fields, in their order.
    ///
    /// # Errors
    /// A node that nobody makes.
    pub(crate) fn chains(&mut self, plan: &LogicalPlan) -> Result<Vec<Chain>> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let Some(table) = scan.source.downcast_ref::<PlannedTable>() else {
                    return internal_err!("{} is no table of the catalog", scan.table_name);
                };
                Ok(vec![Chain::scan(table, scan.projection.as_deref())])
            }
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {
                Ok(vec![Chain::one_row()])
            }
            LogicalPlan::SubqueryAlias(alias) => self.chains(&alias.input),
            LogicalPlan::Projection(projection) => self.project(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Union(union) => {
                let mut chains = Vec::new();
                for input in &union.inputs {
                    chains.append(&mut self.chains(input)?);
                }
                Ok(chains)
            }
            LogicalPlan::Extension(Extension { node }) => {
                if let Some(node) = node.as_any().downcast_ref::<UnnestNode>() {
                    return self.unnest(node);
                }
                internal_err!("no physical node is made of {}", node.name())
            }
            other => internal_err!("no physical node is made of {}", other.display()),
        }
    }

    /// Returns one node that gives the rows of a plan; its columns are the plan's fields, in their order.
    ///
    /// # Errors
    /// A node that nobody makes.
    #[expect(dead_code, reason = "the entry of nodes with state")]
    pub(crate) fn input(&mut self, plan: &LogicalPlan) -> Result<Vec<Arc<Fused>>> {
        let names: Vec<String> = plan
            .schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect();
        let chains = self.chains(plan)?;
        let fused = chains.into_iter().map(|chain| {
            let columns = names.iter().zip(&chain.columns);
            let outputs = columns.map(|(name, value)| OutputColumn {
                name: name.clone(),
                ty: value.ty.clone(),
                enforced: false,
            });
            let outputs = outputs.collect();
            Arc::new(self.fuse(chain, outputs))
        });
        Ok(fused.collect())
    }
}
