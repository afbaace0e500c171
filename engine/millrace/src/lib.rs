//! The command `millrace`: the only crate that names all connectors.
//!
//! It knows files, terminals, signals and HTTP; what a statement means and how an epoch is committed is elsewhere.
//! The way of a command: [`cli`] → [`settings`] → [`pipeline`] (file to dataflows) → [`run`].
//!
//! A program embeds the engine by [`Session`]. [`generator`] is public for the benches.

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
mod screen;
mod session;
mod settings;
mod sql;
mod stop;
mod store;
mod text;
mod topic;
mod transform;

pub use cli::main;
pub use demo::generator;
pub use session::{Job, PlannedText, Session, SessionError};

/// What connectors implement.
pub use millrace_connector as connector;
pub use millrace_functions::UserFunction;
pub use millrace_plan::{ExplainedPlan, PlanTree, datafusion, datafusion_function};
pub use millrace_runtime::{Phase, StatusSnapshot};
