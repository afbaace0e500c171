//! Logical plans: DataFusion's `LogicalPlan` with Flink's expressions and types.
//!
//! ```text
//!  Sink: doris_orders                                  INSERT INTO
//!    Projection: CAST(id AS BIGINT) AS id, …           from the query's columns to the sink's
//!      SubqueryAlias: v                                 a view, or an alias in FROM: a sub-plan of its own
//!        Projection: …                                  a SELECT list
//!          Filter: …                                    WHERE
//!            SubqueryAlias: t
//!              TableScan: t
//! ```
//! Plain nodes are DataFusion's: `TableScan`, `Projection`, `Filter`, `Union`, `SubqueryAlias`, `EmptyRelation` with one row (VALUES,
//! no FROM), later `Aggregate`, `Join`, `Window`. What DataFusion has not is an extension node: [`UnnestNode`], [`SinkNode`].
//!
//! # How to add a node
//! A node with state that rules need not see into is a `StateSpec` ([`StatefulNode`] carries it): `physical.rs` says how. Otherwise:
//! 1. *The node.* If DataFusion has it, use it. Otherwise write `logical/<name>.rs` with a struct that implements
//!    `UserDefinedLogicalNodeCore`, as `unnest.rs` does: its expressions as DataFusion's `Expr` (made by `to_plan_expr`, so that rules can
//!    rewrite what they read), its schema computed anew in `with_exprs_and_inputs`, its output fields made by `field::field`, which puts Flink's type
//!    and the time attribute into them. `necessary_children_exprs` allows columns of the input to be pruned; the default keeps all.
//! 2. *The binder.* Add a method to [`BoundQuery`] that puts the node on top of a query and says its columns (name, Flink's type, span,
//!    time attribute), and call it from `query/<name>.rs`, an `impl QueryBinder` that reads the syntax tree. Expressions are bound
//!    by `Binder` over a `Scope`; column `i` of the scope is column `i` of the query. Keys that are computed are projected first, so that the node itself
//!    names columns only. Each input of a join has a qualifier of its own: `QueryBinder::qualifier`.
//! 3. *The rules.* A rule of DataFusion that must see the node is named in `rules.rs` with the reason why it is safe for Flink's semantics.
//! 4. *The physical part.* Add `physical/<name>.rs` with the physical node and a function that makes it of the logical one, and one line to the
//!    `match` in `physical.rs`. That module says how rows reach it.
//!
//! An error of DataFusion while a plan is built or rewritten is a mistake of ours and is reported as such ([`internal`]); users' mistakes are found by
//! the binder before.

mod bound;
mod call;
mod changes;
pub(crate) mod field;
mod sink;
mod state;
mod table;
mod unnest;

use datafusion_common::DataFusionError;
use millrace_connector::{Diagnostic, Span};

pub(crate) use bound::{BoundColumn, BoundQuery, Built, TimeAttribute, WindowColumn};
pub(crate) use call::{Restorer, shown};
pub use changes::{AnyTable, Changes, TableChanges};
pub(crate) use field::type_of;
pub(crate) use sink::{Insert, SinkNode};
pub(crate) use state::{
    Aggregate, AggregateCall, Expand, Frame, FrameBound, GroupWindow, Interval, Join, Over, Rank,
    RankWindow, SortKey, StateKind, StateNode, Temporal, WindowAggregate, WindowPair, WindowTable,
    has_state,
};
pub(crate) use table::PlannedTable;
pub(crate) use unnest::{UnnestNode, UnnestSpec};

/// A mistake of the planner itself.
pub(crate) fn internal(error: &DataFusionError, span: Span) -> Diagnostic {
    Diagnostic::error(
        "MR0508",
        format!(
            "the planner contradicts itself: {}",
            error.strip_backtrace()
        ),
        span,
    )
    .label("while this was planned")
    .help("this is a fault of millrace, not of the text: please report it with the statement")
}
