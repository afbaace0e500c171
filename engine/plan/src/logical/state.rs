//! Nodes with state: what is computed over many rows.
//!
//! All of them are one extension node with a [`StateKind`]. They name columns of their inputs by index; anything computed is
//! projected before. Their own columns are those that the binder gave them.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion_common::{DFSchema, DFSchemaRef, Result, internal_err};
use datafusion_expr::{Expr as DfExpr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use millrace_connector::Span;
use millrace_functions::Arg;
use millrace_operators::{GroupWindows, JoinKind, WindowAssigner, WindowProperty};
use millrace_program::ExprRef;

use super::bound::{
    BoundColumn, BoundQuery, Built, PlanSize, TimeAttribute, extension, unique_names,
};
use super::field;

/// What a node with state does.
#[derive(Debug)]
pub(crate) enum StateKind {
    /// Upserts by a key become a full changelog; the columns stay.
    Normalize {
        /// The primary key.
        key: Vec<usize>,
    },
    /// Rows make watermarks. The last column of the input is the watermark's value, and is not handed on.
    Watermark {
        /// The rowtime column.
        rowtime: usize,
    },
    /// GROUP BY: the keys, then a column a call.
    Aggregate(Aggregate),
    /// GROUPING SETS: the input's keys, NULL in the sets without them, the other columns, then the number of the set.
    Expand(Expand),
    /// The input's columns, then window_start, window_end, window_time.
    WindowTable(WindowTable),
    /// GROUP BY window_start, window_end: the keys, a column a call, then the window's columns.
    WindowAggregate(WindowAggregate),
    /// GROUP BY TUMBLE, HOP or SESSION: the keys, a column a call, then the window's columns.
    GroupWindow(GroupWindow),
    /// The input's columns, then a column a call.
    Over(Over),
    /// The first rows of each partition; the number behind them if it is wanted.
    Rank(Rank),
    /// The left columns, then the right ones; of a semi or anti join the left ones only.
    Join(Join),
    /// The left columns, then those of the version of the right side.
    Temporal(Temporal),
    /// ORDER BY time.
    TemporalSort {
        /// The rowtime column.
        rowtime: usize,
        /// What orders rows of one time.
        sort: Vec<SortKey>,
    },
    /// Each row as often as its first column says; the columns stay.
    Replicate,
    /// ORDER BY, OFFSET and LIMIT over an input that ends.
    SortAll {
        sort: Vec<SortKey>,
        offset: usize,
        limit: usize,
    },
}

/// A call of an aggregate function over the input's columns.
#[derive(Clone, Debug)]
pub(crate) struct AggregateCall {
    /// The function's name, in upper case.
    pub(crate) name: String,
    /// What its meaning depends on.
    pub(crate) args: Vec<Arg>,
    /// The input's column of each argument.
    pub(crate) columns: Vec<usize>,
    pub(crate) distinct: bool,
    /// Whether a group can be without rows.
    pub(crate) may_be_empty: bool,
    /// What ON NULL says.
    pub(crate) absent_on_null: Option<bool>,
    /// A BOOLEAN column: only its TRUE rows count.
    pub(crate) filter: Option<usize>,
    pub(crate) span: Span,
}

/// GROUP BY.
#[derive(Clone, Debug)]
pub(crate) struct Aggregate {
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<AggregateCall>,
}

/// GROUPING SETS.
#[derive(Clone, Debug)]
pub(crate) struct Expand {
    /// How many of the first columns are keys.
    pub(crate) keys: usize,
    /// For each set, which keys it has.
    pub(crate) sets: Vec<Vec<bool>>,
}

/// TUMBLE, HOP and CUMULATE as table functions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowTable {
    /// The rowtime column; `None` = processing time.
    pub(crate) rowtime: Option<usize>,
    /// Whether the time is TIMESTAMP_LTZ or processing time: windows then lie in the session's zone.
    pub(crate) is_local: bool,
    pub(crate) assigner: WindowAssigner,
}

/// GROUP BY the columns of a window.
#[derive(Clone, Debug)]
pub(crate) struct WindowAggregate {
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<AggregateCall>,
    /// The column `window_end`.
    pub(crate) end: usize,
    pub(crate) window: Arc<WindowTable>,
    pub(crate) properties: Vec<WindowProperty>,
    pub(crate) span: Span,
}

/// GROUP BY a group window.
#[derive(Clone, Debug)]
pub(crate) struct GroupWindow {
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<AggregateCall>,
    /// The rowtime column; `None` = processing time.
    pub(crate) rowtime: Option<usize>,
    /// Whether the time is TIMESTAMP_LTZ or processing time.
    pub(crate) is_local: bool,
    pub(crate) windows: GroupWindows,
    pub(crate) properties: Vec<WindowProperty>,
    pub(crate) span: Span,
}

/// Calls with OVER.
#[derive(Clone, Debug)]
pub(crate) struct Over {
    pub(crate) keys: Vec<usize>,
    pub(crate) sort: Vec<SortKey>,
    /// The time attribute that comes first in the order.
    pub(crate) time: Option<TimeAttribute>,
    /// The frame that is written; `None` = RANGE UNBOUNDED PRECEDING.
    pub(crate) frame: Option<Frame>,
    pub(crate) calls: Vec<AggregateCall>,
    pub(crate) span: Span,
}

/// Which rows of the partition count for a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) rows: bool,
    pub(crate) start: FrameBound,
    pub(crate) end: FrameBound,
}

/// One end of a frame; a range counts milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameBound {
    UnboundedPreceding,
    Preceding(i64),
    CurrentRow,
    Following(i64),
    UnboundedFollowing,
}

/// A numbering of rows with a bound.
#[derive(Clone, Debug)]
pub(crate) struct Rank {
    pub(crate) partition: Vec<usize>,
    pub(crate) sort: Vec<SortKey>,
    pub(crate) start: i64,
    pub(crate) end: millrace_operators::RankEnd,
    /// The function whose number is the last column; `None` = there is no such column.
    pub(crate) number: Option<String>,
    /// Whether it is ORDER BY with LIMIT, which Flink never takes for a deduplication.
    pub(crate) is_limit: bool,
    /// The window whose columns are in the partition.
    pub(crate) window: Option<RankWindow>,
    pub(crate) span: Span,
}

/// The window of a Top-N within windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RankWindow {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) is_local: bool,
    pub(crate) is_rowtime: bool,
}

/// One key of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SortKey {
    pub(crate) column: usize,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// A join of any kind that reads both sides.
#[derive(Clone, Debug)]
pub(crate) struct Join {
    pub(crate) kind: JoinKind,
    /// Columns of the left and the right side that must be equal; whether NULL equals NULL.
    pub(crate) keys: Vec<(usize, usize, bool)>,
    /// What a pair must fulfil beside, over the left columns and behind them the right ones.
    pub(crate) condition: Vec<ExprRef>,
    /// How far the times of a pair may lie apart.
    pub(crate) interval: Option<Interval>,
    /// The windows that a pair must share.
    pub(crate) window: Option<WindowPair>,
    pub(crate) span: Span,
}

/// Bounds of the left time minus the right time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval {
    /// The rowtime columns; `None` = processing time.
    pub(crate) rowtimes: Option<(usize, usize)>,
    pub(crate) lower_ms: i64,
    pub(crate) upper_ms: i64,
}

/// The columns of the windows of both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowPair {
    pub(crate) start: (usize, usize),
    pub(crate) end: (usize, usize),
    /// Whether the windows lie in the session's zone.
    pub(crate) is_local: bool,
    pub(crate) is_rowtime: bool,
}

/// FOR SYSTEM_TIME AS OF.
#[derive(Clone, Debug)]
pub(crate) struct Temporal {
    pub(crate) outer: bool,
    pub(crate) keys: Vec<(usize, usize)>,
    /// The rowtime columns of both sides.
    pub(crate) rowtimes: (usize, usize),
    pub(crate) condition: Vec<ExprRef>,
}

/// The node.
#[derive(Clone, Debug)]
pub(crate) struct StateNode {
    pub(crate) kind: Arc<StateKind>,
    pub(crate) inputs: Vec<LogicalPlan>,
    /// Its columns, with their types.
    pub(crate) columns: Arc<[BoundColumn]>,
    schema: DFSchemaRef,
}

impl BoundQuery {
    /// Puts a node with state on top of queries. `columns` are the node's.
    pub(crate) fn state(
        kind: StateKind,
        inputs: Vec<Self>,
        columns: Vec<BoundColumn>,
    ) -> Built<Self> {
        let names = unique_names(columns.iter().map(|column| column.name.as_str()));
        let fields = names.iter().zip(&columns);
        let fields =
            fields.map(|(name, column)| (None, field::field(name, &column.ty, column.time)));
        let schema = DFSchema::new_with_metadata(fields.collect(), Default::default())?;
        let size = PlanSize::over(inputs.iter().map(|input| input.size), columns.len());
        let node = StateNode {
            kind: Arc::new(kind),
            inputs: inputs
                .into_iter()
                .map(|input| input.plan.as_ref().clone())
                .collect(),
            columns: columns.clone().into(),
            schema: Arc::new(schema),
        };
        Ok(Self {
            plan: extension(node),
            columns,
            size,
        })
    }
}

impl StateKind {
    /// Returns the node's name, as Flink's plans have it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Normalize { .. } => "ChangelogNormalize",
            Self::Watermark { .. } => "WatermarkAssigner",
            Self::Aggregate(_) => "GroupAggregate",
            Self::Expand(_) => "Expand",
            Self::WindowTable(_) => "WindowTableFunction",
            Self::WindowAggregate(_) => "WindowAggregate",
            Self::GroupWindow(_) => "GroupWindowAggregate",
            Self::Over(_) => "OverAggregate",
            Self::Rank(_) => "Rank",
            Self::Join(_) => "Join",
            Self::Temporal(_) => "TemporalJoin",
            Self::TemporalSort { .. } => "TemporalSort",
            Self::Replicate => "Replicate",
            Self::SortAll { .. } => "Sort",
        }
    }
}

impl StateNode {
    /// Returns a plan of another node over the same inputs, with the same columns.
    pub(crate) fn replaced(&self, kind: StateKind) -> LogicalPlan {
        LogicalPlan::Extension(Extension {
            node: Arc::new(Self {
                kind: Arc::new(kind),
                ..self.clone()
            }),
        })
    }
}

impl PartialEq for StateNode {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.kind, &other.kind) && self.inputs == other.inputs
    }
}

impl Eq for StateNode {}

impl Hash for StateNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.kind).hash(state);
        self.inputs.hash(state);
    }
}

impl PartialOrd for StateNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for StateNode {
    fn name(&self) -> &str {
        self.kind.name()
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
        f.write_str(self.kind.name())
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<DfExpr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let same_width = |(old, new): (&LogicalPlan, &LogicalPlan)| {
            old.schema().fields().len() == new.schema().fields().len()
        };
        if inputs.len() != self.inputs.len() || !self.inputs.iter().zip(&inputs).all(same_width) {
            return internal_err!("a rule took a column from {}", self.kind.name());
        }
        Ok(Self {
            inputs,
            ..self.clone()
        })
    }
}

/// Tells whether a plan has nodes with state besides those that only pass rows on where nobody waits for a watermark.
pub(crate) fn has_state(plan: &LogicalPlan) -> bool {
    if let LogicalPlan::Extension(Extension { node }) = plan
        && let Some(node) = node.as_any().downcast_ref::<StateNode>()
        && !matches!(node.kind.as_ref(), StateKind::Watermark { .. })
    {
        return true;
    }
    plan.inputs().into_iter().any(has_state)
}
