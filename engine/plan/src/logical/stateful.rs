//! Nodes with state in a logical plan: one extension node for all of them, which says what it is by a [`StateSpec`].
//!
//! A specification names columns of its inputs by their number. Rules keep all columns of the inputs, so the numbers stay right; what a node does
//! not need is projected away below it by whoever builds it.

use std::cmp::Ordering;
use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion_common::{DFSchema, DFSchemaRef, Result, internal_err};
use datafusion_expr::{Expr as DfExpr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::bound::{BoundColumn, unique_names};
use super::field;
use crate::physical::StreamNode;

/// What a node with state is.
pub(crate) trait StateSpec: Debug + Send + Sync {
    /// Returns its name, as `explain` shows it.
    fn name(&self) -> &str;

    /// Returns what it does, in one line for `explain`. `inputs` has the names of each input's columns.
    fn describe(&self, inputs: &[Vec<String>]) -> String;

    /// Returns the physical node, whose columns are those that the logical node was built with.
    ///
    /// # Errors
    /// A contradiction in the plan.
    fn stream_node(&self) -> Result<Arc<dyn StreamNode>>;
}

/// The node.
#[derive(Clone, Debug)]
pub(crate) struct StatefulNode {
    pub(crate) inputs: Vec<LogicalPlan>,
    pub(crate) spec: Arc<dyn StateSpec>,
    schema: DFSchemaRef,
}

impl StatefulNode {
    pub(crate) fn new(
        inputs: Vec<LogicalPlan>,
        spec: Arc<dyn StateSpec>,
        columns: &[BoundColumn],
    ) -> Result<Self> {
        let names = unique_names(columns.iter().map(|column| column.name.as_str()));
        let fields = names.iter().zip(columns);
        let fields =
            fields.map(|(name, column)| (None, field::field(name, &column.ty, column.time)));
        let schema = DFSchema::new_with_metadata(fields.collect(), Default::default())?;
        Ok(Self {
            inputs,
            spec,
            schema: Arc::new(schema),
        })
    }
}

/// Equal are nodes of one specification over equal inputs: a view that is read twice.
impl PartialEq for StatefulNode {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.spec, &other.spec) && self.inputs == other.inputs
    }
}

impl Eq for StatefulNode {}

impl Hash for StatefulNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.spec).cast::<()>().hash(state);
        self.inputs.hash(state);
    }
}

impl PartialOrd for StatefulNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for StatefulNode {
    fn name(&self) -> &str {
        self.spec.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<DfExpr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |plan: &LogicalPlan| plan.schema().field_names();
        let inputs: Vec<Vec<String>> = self.inputs.iter().map(names).collect();
        write!(f, "{}: {}", self.spec.name(), self.spec.describe(&inputs))
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<DfExpr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if inputs.len() != self.inputs.len() {
            return internal_err!("{} has {} inputs", self.spec.name(), self.inputs.len());
        }
        Ok(Self {
            inputs,
            ..self.clone()
        })
    }
}
