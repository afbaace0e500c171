//! From Flink SQL statements to compiled lane programs.
//!
//! It knows types, expressions and Arrow batches; it knows no connector, no clock and no thread. Start from [`plan`]
//! (a file to a [`Pipeline`] of [`Dataflow`]s) and [`LaneProgram`] (what runs over each batch).

mod bind;
mod catalog;
mod codes;
mod edge;
mod explain;
mod expr;
mod length;
mod not_yet;
mod optimise;
mod pipeline;
mod program;
mod query;
mod row_key;
mod settings;
mod sink;

pub use codes::{CODES, Code};
pub use edge::EdgeCasts;
pub use expr::{Call, Expr, ExprKind, ExprRef};
pub use pipeline::{
    Branch, Dataflow, Logical, Pipeline, PlannedQuery, QueryProgram, Sink, Source,
    effective_settings, plan, plan_query, plan_shown, tables,
};
pub use program::{LaneProgram, Output, OutputColumn, Profile, StepCost};
pub use row_key::{SinkKey, sink_key};
pub use settings::{
    FLINK_VERSION, LEGACY_CAST, LOCAL_TIME_ZONE, NOT_NULL_ENFORCER, NotNullEnforcer, Origin,
    Setting, Settings, TYPE_LENGTH_ENFORCER,
};
