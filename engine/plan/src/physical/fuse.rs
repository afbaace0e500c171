//! Projections and filters folded into one lane program.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::{DataType, Schema, SchemaRef};
use datafusion_common::{DataFusionError, Result, exec_err};
use datafusion_execution::{SendableRecordBatchStream, TaskContext};
use datafusion_expr::{Filter, Projection};
use datafusion_physical_plan::ExecutionPlan;
use datafusion_physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion_physical_plan::stream::RecordBatchStreamAdapter;
use futures_util::StreamExt;
use millrace_connector::Span;
use millrace_functions::EvalContext;
use millrace_program::{
    Expr, ExprKind, ExprRef, Folding, LaneProgram, OutputColumn, ProgramSource, Unnest, fold,
    stands_alone,
};

use super::need::passed_columns;
use super::node::{Node, NodeKind};
use super::{LaneScan, Need, Stage, StreamNode, Walk};
use crate::bounds;
use crate::catalog::Table;
use crate::logical::{Changes, PlannedTable, Restorer};

/// What gives rows to a program.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A table.
    Table(Arc<Table>),
    /// One row without columns.
    OneRow,
    /// A node with state, over its inputs.
    Stage(Arc<dyn StreamNode>, Vec<Arc<dyn ExecutionPlan>>),
}

impl Input {
    /// Returns how many columns it has.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Table(table) => table.definition.columns.len(),
            Self::OneRow => 0,
            Self::Stage(node, _) => node.columns().len(),
        }
    }
}

/// One way that rows come, not yet compiled: of one input, with UNNESTs, then filters, then columns. All expressions are over the
/// input's columns and those that UNNEST adds behind them.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) input: Input,
    pub(crate) unnests: Vec<Unnest>,
    pub(crate) filters: Vec<ExprRef>,
    pub(crate) columns: Vec<ExprRef>,
    /// Which changes the rows stand for.
    pub(crate) changes: Changes,
    /// Columns that no two rows share, each a list of indexes into `columns`.
    pub(crate) keys: Vec<Vec<usize>>,
    /// Those of them by which changes of a row come in order.
    ///
    /// # Flink
    /// `FlinkRelMdUpsertKeys`: a key stays one behind an exchange only if it holds the exchange's key.
    pub(crate) upserts: Vec<Vec<usize>>,
}

impl Chain {
    /// Returns the rows of a table; `projection` names its columns, or all.
    pub(super) fn scan(table: &PlannedTable, projection: Option<&[usize]>) -> Self {
        let columns = &table.table.definition.columns;
        let column = |index: usize| {
            let column = &columns[index];
            let kind = ExprKind::Column(index);
            Expr::new(kind, column.ty.clone(), column.name.span)
        };
        let values = match projection {
            Some(projection) => projection.iter().map(|index| column(*index)).collect(),
            None => (0..columns.len()).map(column).collect(),
        };
        Self::of(Input::Table(Arc::clone(&table.table)), values)
    }

    /// Returns one row without columns.
    pub(super) fn one_row() -> Self {
        Self::of(Input::OneRow, Vec::new())
    }

    /// Returns the rows of a node with state. Each input is what [`Walk::input`] made of a plan.
    pub(crate) fn over(node: Arc<dyn StreamNode>, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let columns = node.columns().iter().enumerate();
        let columns = columns.map(|(index, column)| {
            let kind = ExprKind::Column(index);
            Expr::new(kind, column.ty.clone(), Span::default())
        });
        let columns = columns.collect();
        Self::of(Input::Stage(node, inputs), columns)
    }

    fn of(input: Input, columns: Vec<ExprRef>) -> Self {
        Self {
            input,
            unnests: Vec::new(),
            filters: Vec::new(),
            columns,
            changes: Changes::INSERT,
            keys: Vec::new(),
            upserts: Vec::new(),
        }
    }

    /// Returns how many columns its expressions can number: the input's and those of its collections.
    pub(super) fn width(&self) -> usize {
        self.input.width() + self.unnests.iter().map(Unnest::width).sum::<usize>()
    }

    /// Returns all its expressions.
    fn exprs(&self) -> Vec<ExprRef> {
        let collections = self.unnests.iter().map(|unnest| &unnest.collection);
        let all = collections.chain(&self.filters).chain(&self.columns);
        all.cloned().collect()
    }
}

/// UNNESTs, filters and projections of one input as one lane program.
#[derive(Debug)]
pub(crate) struct Fused {
    pub(crate) input: Input,
    /// The collections that are taken apart first.
    pub(crate) unnests: Vec<Unnest>,
    /// The filters that the program is compiled of.
    pub(crate) filters: Vec<ExprRef>,
    /// The columns that the program is compiled of.
    pub(crate) columns: Vec<ExprRef>,
    pub(crate) program: LaneProgram,
}

/// The time of a query that DataFusion runs, milliseconds since the epoch: an extension of its session's settings.
#[derive(Clone, Copy, Debug)]
pub struct QueryTime(pub i64);

impl Walk<'_> {
    pub(super) fn project(&mut self, projection: &Projection, need: &Need) -> Result<Vec<Chain>> {
        let schema = projection.input.schema();
        let need = need.under_projection(projection)?;
        let mut chains = self.chains(&projection.input, &need)?;
        let passed = passed_columns(projection)?;
        for chain in &mut chains {
            let mut restorer = Restorer::new(schema, &chain.columns);
            let columns = projection.expr.iter().map(|expr| restorer.restore(expr));
            let columns = columns.collect::<Result<_>>()?;
            chain.columns = columns;
            let moved = |key: &Vec<usize>| {
                let place = |column: &usize| passed.iter().position(|from| *from == Some(*column));
                key.iter().map(place).collect::<Option<Vec<usize>>>()
            };
            chain.keys = chain.keys.iter().filter_map(moved).collect();
            chain.upserts = chain.upserts.iter().filter_map(moved).collect();
        }
        Ok(chains)
    }

    pub(super) fn filter(&mut self, filter: &Filter, need: &Need) -> Result<Vec<Chain>> {
        let need = need.under_filter(filter)?;
        let mut chains = self.chains(&filter.input, &need)?;
        for chain in &mut chains {
            let mut restorer = Restorer::new(filter.input.schema(), &chain.columns);
            let mut conditions = restorer.conjuncts(&filter.predicate)?;
            chain.filters.append(&mut conditions);
        }
        Ok(chains)
    }

    /// Folds constants and compiles the program.
    pub(super) fn fuse(&mut self, chain: Chain, outputs: &[OutputColumn]) -> Node<Fused> {
        if let Some(fault) = bounds::check_depth(&chain.exprs()) {
            self.diagnostics.push(fault);
        }
        let mut folding = Folding::default();
        let mut fold_all = |exprs: &[ExprRef]| -> Vec<ExprRef> {
            exprs.iter().map(|expr| fold(expr, &mut folding)).collect()
        };
        let filters = fold_all(&chain.filters);
        let columns: Vec<ExprRef> = fold_all(&chain.columns)
            .into_iter()
            .map(stands_alone)
            .collect();
        let unnests: Vec<Unnest> = chain
            .unnests
            .iter()
            .map(|unnest| Unnest {
                collection: fold(&unnest.collection, &mut folding),
                outer: unnest.outer,
                ordinality: unnest.ordinality,
            })
            .collect();
        self.diagnostics.append(&mut folding.diagnostics);
        let program = LaneProgram::compile(ProgramSource {
            width: chain.input.width(),
            unnests: &unnests,
            filters: &filters,
            projection: &columns,
            outputs: outputs.to_vec(),
            not_null: self.not_null,
        });
        let child = child(&chain.input, &program);
        let fused = Fused {
            input: chain.input,
            unnests,
            filters,
            columns,
            program,
        };
        Node::new(fused, outputs, vec![child])
    }
}

fn child(input: &Input, program: &LaneProgram) -> Arc<dyn ExecutionPlan> {
    match input {
        Input::Table(table) => LaneScan::plan(table, program.inputs()),
        Input::OneRow => Arc::new(PlaceholderRowExec::new(Arc::new(Schema::empty()))),
        Input::Stage(node, inputs) => Stage::plan(Arc::clone(node), inputs.clone()),
    }
}

impl NodeKind for Fused {
    fn name(&self) -> &'static str {
        "Fused"
    }

    fn describe(&self) -> String {
        let columns = self.columns.len();
        let computed = self.columns.iter();
        let computed = computed
            .filter(|expr| !matches!(expr.kind, ExprKind::Column(_)))
            .count();
        match self.filters.len() {
            0 => format!("{columns} columns, {computed} computed"),
            filters => format!("{columns} columns, {computed} computed, {filters} filters"),
        }
    }

    fn execute(
        self: Arc<Self>,
        schema: SchemaRef,
        inputs: &[Arc<dyn ExecutionPlan>],
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let time = context.session_config().get_extension::<QueryTime>();
        let Some(time) = time else {
            return exec_err!("the query has no time: its session has no QueryTime");
        };
        let ctx = EvalContext { now_ms: time.0 };
        let batches = inputs[0].execute(partition, context)?;
        let own = Arc::clone(&schema);
        let batches = batches.map(move |batch| self.run(&batch?, &own, &ctx));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

impl Fused {
    /// Runs the program over a batch whose columns are those that it reads.
    fn run(
        &self,
        batch: &RecordBatch,
        schema: &SchemaRef,
        ctx: &EvalContext,
    ) -> Result<RecordBatch> {
        let nowhere: ArrayRef = new_null_array(&DataType::Null, 0);
        let mut input = vec![nowhere; self.input.width()];
        let places: Vec<usize> = match &self.input {
            Input::Table(_) => self.program.inputs().to_vec(),
            Input::OneRow | Input::Stage(..) => (0..self.input.width()).collect(),
        };
        for (place, column) in places.into_iter().zip(batch.columns()) {
            input[place] = Arc::clone(column);
        }
        let output = self
            .program
            .run(&input, batch.num_rows(), ctx)
            .map_err(|error| DataFusionError::External(Box::new(error)))?;
        let options = RecordBatchOptions::new().with_row_count(Some(output.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), output.columns, &options);
        Ok(batch?)
    }
}
