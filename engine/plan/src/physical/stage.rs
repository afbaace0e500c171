//! Nodes with state: what is computed over many rows.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use millrace_operators::Operator;
use millrace_program::OutputColumn;
use millrace_state::Fingerprint;

use super::node::{Node, NodeKind};

/// A node with state. It hands out the operator that lanes call.
pub trait StreamNode: Debug + Send + Sync {
    /// Returns its name, as `explain` shows it.
    fn name(&self) -> &'static str;

    /// Returns what it does, in one line for `explain`.
    fn describe(&self) -> String;

    /// Returns its columns.
    fn columns(&self) -> &[OutputColumn];

    /// Returns the structure that its state depends on, without what leads to it; `None` = it keeps none.
    fn fingerprint(&self) -> Option<Fingerprint>;

    /// Returns how long an entry of its state lives after its last change, in milliseconds; 0 = for ever.
    fn ttl_ms(&self) -> u64;

    /// Returns a new operator without state, for one lane. Its inputs are those of the node, in their order.
    fn operator(&self) -> Box<dyn Operator>;
}

/// The place of such a node in a plan.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) node: Arc<dyn StreamNode>,
}

impl Stage {
    /// Returns the node as a plan over its inputs.
    pub(super) fn plan(
        node: Arc<dyn StreamNode>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Arc<dyn ExecutionPlan> {
        let columns = node.columns().to_vec();
        Arc::new(Node::new(Self { node }, &columns, inputs))
    }
}

impl NodeKind for Stage {
    fn name(&self) -> &'static str {
        self.node.name()
    }

    fn describe(&self) -> String {
        self.node.describe()
    }
}
