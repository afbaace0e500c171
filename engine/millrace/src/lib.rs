//! The command `millrace`: the only crate that names all connectors.
//!
//! It knows files, terminals, signals and HTTP; what a statement means and how an epoch is committed is elsewhere.
//! The way of a command: [`cli`] → [`settings`] → [`pipeline`] (file to dataflows) → [`run`].
//!
//! A program embeds the engine by [`Session`]. [`generator`] is public for the benches.

mod belongs;
mod bench;
mod changelog;
mod check;
mod checkpoints;
mod cli;
mod connectors;
mod demo;
mod dev;
mod explain;
mod failure;
mod functions;
mod http;
mod logging;
mod metrics;
mod output;
mod pages;
mod pipeline;
mod progress;
mod rescale;
mod run;
mod run_codes;
mod same_topic;
mod screen;
mod secrets;
mod session;
mod settings;
mod sql;
mod stateful;
mod stop;
mod store;
mod tables;
mod text;
mod topic;
mod transform;
mod used_tables;

pub use cli::main;
pub use demo::generator;
pub use session::{Job, PlannedText, Session, SessionError};

/// What connectors implement.
pub use millrace_connector as connector;
pub use millrace_functions::UserFunction;
pub use millrace_plan::{ExplainedPlan, PlanTree, datafusion, datafusion_function};
pub use millrace_runtime::{Phase, StatusSnapshot};
