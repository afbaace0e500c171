//! The frame of a physical node: what DataFusion asks of each is answered once.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Result, not_impl_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion_physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion_physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use millrace_program::OutputColumn;

use crate::logical::field;

/// What a kind of node says of itself.
pub(crate) trait NodeKind: Debug + Send + Sync + 'static {
    /// Returns its name, as `explain` shows it.
    fn name(&self) -> &'static str;

    /// Returns what it does, in one line for `explain`; may be empty.
    fn describe(&self) -> String;

    /// Gives its rows where DataFusion runs the plan. Lanes do not use it.
    ///
    /// # Errors
    /// A kind that only lanes run.
    fn execute(
        self: Arc<Self>,
        _schema: SchemaRef,
        _inputs: &[Arc<dyn ExecutionPlan>],
        _partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        not_impl_err!("{} is run by lanes", self.name())
    }
}

/// A node of that kind with its inputs.
#[derive(Debug)]
pub(crate) struct Node<K> {
    pub(crate) kind: Arc<K>,
    pub(crate) inputs: Vec<Arc<dyn ExecutionPlan>>,
    properties: Arc<PlanProperties>,
}

impl<K: NodeKind> Node<K> {
    /// Returns a node. Its partitions are lanes, of which a plan knows not the number.
    pub(crate) fn new(
        kind: K,
        columns: &[OutputColumn],
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Self {
        let fields = columns
            .iter()
            .map(|column| field::field(&column.name, &column.ty, None));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let is_bounded = |input: &Arc<dyn ExecutionPlan>| {
            matches!(input.properties().boundedness, Boundedness::Bounded)
        };
        let boundedness = if !inputs.is_empty() && inputs.iter().all(is_bounded) {
            Boundedness::Bounded
        } else {
            Boundedness::Unbounded {
                requires_infinite_memory: false,
            }
        };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            boundedness,
        );
        Self {
            kind: Arc::new(kind),
            inputs,
            properties: Arc::new(properties),
        }
    }
}

impl<K: NodeKind> Node<K> {
    /// Returns what it does, in one line for `explain`.
    pub(crate) fn detail(&self) -> String {
        self.kind.describe()
    }
}

impl<K: NodeKind> DisplayAs for Node<K> {
    fn fmt_as(&self, _form: DisplayFormatType, f: &mut Formatter<'_>) -> fmt::Result {
        let detail = self.kind.describe();
        if detail.is_empty() {
            return f.write_str(self.kind.name());
        }
        write!(f, "{}: {detail}", self.kind.name())
    }
}

impl<K: NodeKind> ExecutionPlan for Node<K> {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        inputs: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            kind: Arc::clone(&self.kind),
            inputs,
            properties: Arc::clone(&self.properties),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let kind = Arc::clone(&self.kind);
        kind.execute(self.schema(), &self.inputs, partition, context)
    }
}
