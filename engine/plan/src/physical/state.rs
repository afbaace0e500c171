//! Nodes with state as operators: which changes come in and go out, what is unique, which operator does it.

mod aggregates;
mod join;
mod options;
mod rank;
mod sink;
mod structure;

use std::fmt;
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion_common::{DataFusionError, Result};
use datafusion_expr::LogicalPlan;
use datafusion_physical_plan::ExecutionPlan;
use millrace_connector::physical::arrow_type;
use millrace_connector::{Diagnostic, FlinkType, Span};
use millrace_operators::{
    ChangelogNormalize, ChangelogNormalizeSpec, Operator, OperatorError, Replicate, SortAll,
    SortAllSpec, TemporalSort, TemporalSortSpec, WatermarkAssigner, WatermarkSpec, WindowTable,
    WindowTableSpec,
};
use millrace_program::{Expr, ExprKind, OutputColumn};
use millrace_state::Fingerprint;

use super::{Chain, Need, StreamNode, Walk};
use crate::logical::{Changes, StateKind, StateNode};
use structure::Structure;

/// Operators that keep nothing between rows.
const STATELESS: [&str; 5] = [
    "DropUpdateBefore",
    "Expand",
    "Replicate",
    "WatermarkAssigner",
    "WindowTableFunction",
];

pub(crate) use options::StateOptions;

/// Makes the operator of a lane.
type Make = Box<dyn Fn() -> Result<Box<dyn Operator>, OperatorError> + Send + Sync>;

/// A node with state: its text, its columns and its operator.
struct OperatorNode {
    name: &'static str,
    detail: String,
    columns: Vec<OutputColumn>,
    fingerprint: Option<Fingerprint>,
    ttl_ms: u64,
    make: Make,
}

impl fmt::Debug for OperatorNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.detail)
    }
}

impl StreamNode for OperatorNode {
    fn name(&self) -> &'static str {
        self.name
    }

    fn describe(&self) -> String {
        self.detail.clone()
    }

    fn columns(&self) -> &[OutputColumn] {
        &self.columns
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint.clone()
    }

    fn ttl_ms(&self) -> u64 {
        self.ttl_ms
    }

    fn operator(&self) -> Box<dyn Operator> {
        (self.make)().expect("the operator was made once while the plan was made")
    }
}

/// An input of a node with state.
pub(super) struct StateInput {
    plan: Arc<dyn ExecutionPlan>,
    types: Vec<FlinkType>,
    changes: Changes,
    keys: Vec<Vec<usize>>,
    upserts: Vec<Vec<usize>>,
}

impl StateInput {
    fn arrow(&self) -> Vec<DataType> {
        self.types.iter().map(|ty| arrow_type(&ty.kind)).collect()
    }
}

/// What a node gives out.
struct Given {
    changes: Changes,
    keys: Vec<Vec<usize>>,
    upserts: Vec<Vec<usize>>,
}

impl Given {
    /// Rows with keys by which their changes come in order.
    fn keyed(changes: Changes, keys: Vec<Vec<usize>>) -> Self {
        Self {
            changes,
            upserts: keys.clone(),
            keys,
        }
    }
}

impl Walk<'_> {
    pub(super) fn state(&mut self, node: &StateNode, need: &Need) -> Result<Vec<Chain>> {
        match node.kind.as_ref() {
            StateKind::Normalize { key } => self.normalize(node, key, need),
            StateKind::Watermark { rowtime } => self.watermark(node, *rowtime, need),
            StateKind::Aggregate(aggregate) => self.group_aggregate(node, aggregate, need),
            StateKind::Expand(expand) => self.expand(node, expand, need),
            StateKind::WindowTable(table) => {
                let columns = need.columns.clone().map(|mut columns| {
                    columns.extend(table.rowtime);
                    columns
                });
                let need = Need {
                    before: true,
                    columns,
                };
                let input = self.state_input(&node.inputs[0], &need)?;
                self.insert_only(&input, "Window Table Function", Span::default())?;
                let zone = self.options.zone(table.is_local);
                let (rowtime, assigner) = (table.rowtime, table.assigner);
                let given = Given::keyed(Changes::INSERT, Vec::new());
                let make = move || {
                    let operator = WindowTable::new(WindowTableSpec {
                        rowtime,
                        zone: zone.clone(),
                        assigner,
                    });
                    Ok(Box::new(operator) as Box<dyn Operator>)
                };
                self.stage(node, vec![input], given, Box::new(make))
            }
            StateKind::WindowAggregate(aggregate) => self.window_aggregate(node, aggregate),
            StateKind::GroupWindow(window) => self.group_window(node, window, need),
            StateKind::Over(over) => self.over_aggregate(node, over),
            StateKind::Rank(rank) => self.rank(node, rank, need),
            StateKind::Join(join) => self.join(node, join, need),
            StateKind::Temporal(temporal) => self.temporal_join(node, temporal, need),
            StateKind::TemporalSort { rowtime, sort } => {
                let input = self.state_input(&node.inputs[0], &Need::rows(true))?;
                self.insert_only(&input, "Sort", Span::default())?;
                let spec = TemporalSortSpec {
                    columns: input.arrow(),
                    rowtime: *rowtime,
                    sort: sort.iter().map(rank::sort_column).collect(),
                };
                let given = Given::keyed(Changes::INSERT, Vec::new());
                let make = move || boxed(TemporalSort::new(spec.clone()));
                self.stage(node, vec![input], given, Box::new(make))
            }
            StateKind::Replicate => {
                let input = self.state_input(&node.inputs[0], &Need::rows(true))?;
                let given = Given::keyed(input.changes, Vec::new());
                let make = move || Ok(Box::new(Replicate::new(0)) as Box<dyn Operator>);
                self.stage(node, vec![input], given, Box::new(make))
            }
            StateKind::SortAll {
                sort,
                offset,
                limit,
            } => {
                let input = self.state_input(&node.inputs[0], &Need::rows(true))?;
                let spec = SortAllSpec {
                    columns: input.arrow(),
                    sort: sort.iter().map(rank::sort_column).collect(),
                    offset: *offset,
                    limit: *limit,
                };
                let given = Given::keyed(Changes::INSERT, Vec::new());
                let make = move || boxed(SortAll::new(spec.clone()));
                self.stage(node, vec![input], given, Box::new(make))
            }
        }
    }

    fn normalize(&mut self, node: &StateNode, key: &[usize], need: &Need) -> Result<Vec<Chain>> {
        let input = self.state_input(&node.inputs[0], &Need::rows(false))?;
        let spec = ChangelogNormalizeSpec {
            columns: input.arrow(),
            key: key.to_vec(),
            update_before: need.before,
            ttl: self.options.ttl,
        };
        let changes = Changes {
            update_before: need.before,
            ..Changes::ALL
        };
        let given = Given::keyed(changes, vec![key.to_vec()]);
        let make = move || boxed(ChangelogNormalize::new(spec.clone()));
        self.stage(node, vec![input], given, Box::new(make))
    }

    fn watermark(&mut self, node: &StateNode, rowtime: usize, need: &Need) -> Result<Vec<Chain>> {
        let columns = node.columns.len();
        if self.options.is_bounded || !self.options.has_state {
            let mut chains = self.chains(&node.inputs[0], need)?;
            for chain in &mut chains {
                chain.columns.truncate(columns);
            }
            return Ok(chains);
        }
        let reads = need.columns.clone().map(|mut reads| {
            reads.extend([rowtime, columns]);
            reads
        });
        let need = Need {
            before: need.before,
            columns: reads,
        };
        let input = self.state_input(&node.inputs[0], &need)?;
        let spec = WatermarkSpec {
            rowtime,
            watermark: columns,
            columns,
            interval_ms: self.options.watermark_interval_ms,
        };
        let given = Given {
            changes: input.changes,
            keys: input.keys.clone(),
            upserts: input.upserts.clone(),
        };
        let make = move || Ok(Box::new(WatermarkAssigner::new(spec.clone())) as Box<dyn Operator>);
        self.stage(node, vec![input], given, Box::new(make))
    }

    /// Returns one node that gives the rows of a plan; its columns are the plan's fields, in their order.
    fn state_input(&mut self, plan: &LogicalPlan, need: &Need) -> Result<StateInput> {
        let mut chains = self.chains(plan, need)?;
        // What nobody reads is not kept: it is NULL from here on.
        for chain in &mut chains {
            for (index, value) in chain.columns.iter_mut().enumerate() {
                if !need.reads(index) {
                    let null = arrow_array::new_null_array(&arrow_type(&value.ty.kind), 1);
                    *value = Expr::new(ExprKind::Literal(null), value.ty.clone(), value.span);
                }
            }
        }
        let Some(first) = chains.first() else {
            return datafusion_common::internal_err!("{} has no rows to come from", plan.display());
        };
        let fields = plan.schema().fields().iter().zip(&first.columns);
        let outputs: Vec<OutputColumn> = fields
            .map(|(field, value)| OutputColumn {
                name: field.name().clone(),
                ty: value.ty.clone(),
                enforced: false,
            })
            .collect();
        let changes = chains.iter().map(|chain| chain.changes);
        let changes = changes.reduce(Changes::or).expect("there is a first chain");
        let (keys, upserts) = match chains.as_slice() {
            [only] => (only.keys.clone(), only.upserts.clone()),
            _ => (Vec::new(), Vec::new()),
        };
        let plan = self.fused(chains, &outputs)?;
        Ok(StateInput {
            upserts,
            plan,
            types: outputs.into_iter().map(|column| column.ty).collect(),
            changes,
            keys,
        })
    }

    /// Returns the way that rows come out of a node.
    fn stage(
        &mut self,
        node: &StateNode,
        inputs: Vec<StateInput>,
        given: Given,
        make: Make,
    ) -> Result<Vec<Chain>> {
        let columns = node.columns.iter().map(|column| OutputColumn {
            name: column.name.clone(),
            ty: column.ty.clone(),
            enforced: false,
        });
        self.operator(
            node.kind.name(),
            node.kind.structure(),
            columns.collect(),
            inputs,
            given,
            make,
        )
    }

    fn operator(
        &mut self,
        name: &'static str,
        structure: Structure,
        columns: Vec<OutputColumn>,
        inputs: Vec<StateInput>,
        given: Given,
        make: Make,
    ) -> Result<Vec<Chain>> {
        if let Err(error) = make() {
            return self.refuse(&error.to_string(), Span::default());
        }
        let types = columns.iter().map(|column| column.ty.clone());
        let fingerprint = structure::fingerprint(name, structure, &inputs, types);
        let ttl = self.options.ttl;
        let node = OperatorNode {
            name,
            detail: String::new(),
            columns,
            fingerprint: (!STATELESS.contains(&name)).then_some(fingerprint),
            ttl_ms: ttl.map_or(0, |ttl| u64::try_from(ttl.ms).unwrap_or(0)),
            make,
        };
        let inputs = inputs.into_iter().map(|input| input.plan).collect();
        let mut chain = Chain::over(Arc::new(node), inputs);
        chain.changes = given.changes;
        chain.keys = given.keys;
        chain.upserts = given.upserts;
        Ok(vec![chain])
    }

    /// Refuses updates and deletions.
    fn insert_only(&mut self, input: &StateInput, name: &str, span: Span) -> Result<()> {
        if input.changes.is_insert_only() {
            return Ok(());
        }
        self.refuse(
            &format!("{name} doesn't support consuming update and delete changes"),
            span,
        )
    }

    /// Writes down why a plan cannot be run.
    fn refuse<T>(&mut self, message: &str, span: Span) -> Result<T> {
        self.diagnostics
            .push(Diagnostic::error("MR0415", message, span).label("not run here"));
        Err(DataFusionError::Plan(message.to_owned()))
    }
}

fn boxed<O: Operator + 'static>(
    operator: Result<O, OperatorError>,
) -> Result<Box<dyn Operator>, OperatorError> {
    operator.map(|operator| Box::new(operator) as Box<dyn Operator>)
}

/// Returns the columns of a list of types as expressions.
fn column_refs(types: &[FlinkType]) -> Vec<millrace_program::ExprRef> {
    let types = types.iter().enumerate();
    types
        .map(|(index, ty)| Expr::new(ExprKind::Column(index), ty.clone(), Span::default()))
        .collect()
}
