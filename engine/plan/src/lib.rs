//! From Flink SQL statements to dataflows: names and types, logical plans of DataFusion, rules, physical plans, programs.
//!
//! It knows statements, types and plans; it knows no connector, no clock and no lane. Start from [`plan`] (a file to a [`Pipeline`] of [`Dataflow`]s) and
//! [`explain()`] (its plans as trees). The modules `logical` and `physical` say how a node is added.

mod bind;
mod bounds;
mod catalog;
mod codes;
mod edge;
mod explain;
mod length;
mod logical;
mod not_yet;
mod physical;
mod pipeline;
mod query;
mod row_key;
mod rules;
mod settings;
mod sink;
mod udf;

pub use codes::{CODES, Code};
pub use edge::EdgeCasts;
pub use explain::PlanTree;
pub use logical::field::written_type;
pub use logical::{AnyTable, Changes, TableChanges};
pub use millrace_program::{
    Call, Expr, ExprKind, ExprRef, LaneProgram, NotNullEnforcer, Output, OutputColumn, Profile,
    StepCost,
};
pub use physical::{QueryTime, StreamNode, TableBatches, TableReader, run_bounded};
pub use pipeline::{
    Branch, Dataflow, ExplainedPlan, Feed, GraphNode, Logical, Pipeline, PlannedQuery,
    QueryProgram, Sink, Source, Stage, StageState, effective_settings, explain, explain_with, plan,
    plan_query, plan_shown, plan_shown_tables, plan_tables, plan_with, tables,
};
pub use row_key::{SinkKey, sink_key};
pub use settings::{
    FLINK_VERSION, LEGACY_CAST, LOCAL_TIME_ZONE, NOT_NULL_ENFORCER, Origin, Setting, Settings,
    TYPE_LENGTH_ENFORCER,
};
pub use udf::{datafusion, datafusion_function};
