//! The nodes.

use std::fmt::Debug;
use std::sync::Arc;

use millrace_operators::Operator;
use millrace_program::{ExprRef, LaneProgram, OutputColumn};

use crate::catalog::Table;
use crate::logical::Insert;

/// A node with state: it takes the rows of its inputs and gives rows of its own.
pub trait StreamNode: Debug + Send + Sync {
    /// Returns its name, as `explain` shows it.
    fn name(&self) -> &'static str;

    /// Returns its inputs: for each, the programs that give it rows.
    fn inputs(&self) -> Vec<&[Arc<Fused>]>;

    /// Returns its columns.
    fn columns(&self) -> &[OutputColumn];

    /// Returns what it does, in one line for `explain`.
    fn describe(&self) -> String;

    /// Returns a new operator without state, for one lane. Its inputs are those of the node, in their order.
    fn operator(&self) -> Box<dyn Operator>;
}

/// The rows of a table, read by lanes.
#[derive(Debug)]
pub(crate) struct LaneScan {
    pub(crate) table: Arc<Table>,
}

/// What gives rows to a program.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A table.
    Scan(Arc<LaneScan>),
    /// One row without columns.
    OneRow,
    /// A node with state.
    Node(Arc<dyn StreamNode>),
}

impl Input {
    /// Returns how many columns it has.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Scan(scan) => scan.table.definition.columns.len(),
            Self::OneRow => 0,
            Self::Node(node) => node.columns().len(),
        }
    }
}

/// Filters and projections of one input, as one lane program.
#[derive(Clone, Debug)]
pub struct Fused {
    pub(crate) input: Input,
    /// The filters that the program is compiled of, for `explain`.
    pub filters: Vec<ExprRef>,
    /// The columns that the program is compiled of.
    pub columns: Vec<ExprRef>,
    /// The program.
    pub program: LaneProgram,
}

/// The physical plan of an INSERT.
#[derive(Debug)]
pub(crate) struct SinkTree {
    pub(crate) inputs: Vec<Arc<Fused>>,
    pub(crate) target: Arc<Insert>,
}
