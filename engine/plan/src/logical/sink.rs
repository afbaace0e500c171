//! INSERT INTO: the end of a plan.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion_common::{DFSchemaRef, Result, internal_err};
use datafusion_expr::{Expr as DfExpr, LogicalPlan, UserDefinedLogicalNodeCore};
use millrace_connector::Span;
use millrace_program::OutputColumn;

use crate::catalog::Table;

/// Rows of the sink's persisted columns, on their way into it.
#[derive(Clone, Debug)]
pub(crate) struct SinkNode {
    pub(crate) input: LogicalPlan,
    pub(crate) target: Arc<Insert>,
}

/// What an INSERT says of its sink.
#[derive(Debug)]
pub(crate) struct Insert {
    pub(crate) table: Arc<Table>,
    /// Where the table is named.
    pub(crate) table_span: Span,
    /// The statement.
    pub(crate) span: Span,
    /// Whether it is no table of the file, but shows what a query gives.
    pub(crate) is_shown: bool,
    /// The columns that are written.
    pub(crate) outputs: Vec<OutputColumn>,
    /// Names and types of the query's columns, as Flink shows them.
    pub(crate) query: Vec<(String, String)>,
}

impl PartialEq for SinkNode {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.target, &other.target) && self.input == other.input
    }
}

impl Eq for SinkNode {}

impl Hash for SinkNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.target).hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for SinkNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for SinkNode {
    fn name(&self) -> &str {
        "Sink"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<DfExpr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sink: {}", self.target.table.definition.name.value)
    }

    fn with_exprs_and_inputs(
        &self,
        _exprs: Vec<DfExpr>,
        mut inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let Some(input) = inputs.pop() else {
            return internal_err!("a sink has one input");
        };
        Ok(Self {
            input,
            target: Arc::clone(&self.target),
        })
    }
}
