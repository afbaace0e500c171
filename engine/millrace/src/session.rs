//! The engine inside another program: settings, tables, functions and connectors of its own; then plan, run, watch and stop.
//!
//! `docs/embedding.md` is the guide; `examples/embedded.rs` runs.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::sync::Arc;

use millrace_connector::{Cancel, Connector, Diagnostic};
use millrace_functions::{UserFunction, UserFunctions};
use millrace_plan::{ExplainedPlan, Origin, explain_with};
use millrace_runtime::StatusSnapshot;
use tokio::runtime::Runtime;

use crate::failure::Failure;
use crate::pipeline::{self, Pipeline};
use crate::run::{Running, async_runtime};
use crate::settings::Outside;
use crate::text::SqlText;

/// What a program adds to Flink SQL before it plans a text.
pub struct Session {
    name: String,
    outside: Outside,
    functions: UserFunctions,
    tables: String,
}

/// Why a text is not run.
#[derive(Debug)]
pub enum SessionError {
    /// The text, the settings or the tables are wrong.
    Refused {
        /// Everything that is wrong.
        diagnostics: Vec<Diagnostic>,
        /// The same as a person reads it, with the places in the text.
        rendered: String,
    },
    /// Something failed while it ran.
    Failed(anyhow::Error),
}

impl Display for SessionError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { rendered, .. } => f.write_str(rendered),
            Self::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for SessionError {}

impl From<Failure> for SessionError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { diagnostics, text } => Self::Refused {
                rendered: text.render(&diagnostics, false),
                diagnostics,
            },
            Failure::Failed { error, .. } => Self::Failed(error),
        }
    }
}

impl Session {
    /// Returns a session for a pipeline of that name: checkpoints are kept and found under it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            outside: Outside::default(),
            functions: UserFunctions::default(),
            tables: String::new(),
        }
    }

    /// Sets a setting, as `-D` does: it wins over SET in the text.
    pub fn set(&mut self, key: &str, value: &str) -> &mut Self {
        self.outside.settings.set(key, value, Origin::CommandLine);
        self
    }

    /// Gives `${name}` in the text a value.
    pub fn set_variable(&mut self, name: &str, value: &str) -> &mut Self {
        self.outside
            .variables
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts statements before every text that is planned: tables and views, each with its `;`.
    pub fn register_tables(&mut self, ddl: &str) -> &mut Self {
        self.tables.push_str(ddl);
        self.tables.push('\n');
        self
    }

    /// Makes a connector known by its identifier. It wins over one of millrace's own of the same name.
    pub fn register_connector(&mut self, connector: Arc<dyn Connector>) -> &mut Self {
        self.outside.connectors.register(connector);
        self
    }

    /// Makes a scalar function known. It hides one of Flink's of the same name.
    pub fn register_function(&mut self, function: UserFunction) -> &mut Self {
        self.functions.register(function);
        self
    }

    /// Plans and checks a text. Nothing is connected to.
    ///
    /// # Errors
    /// Everything that is wrong at once.
    pub fn plan(&mut self, text: &str) -> Result<PlannedText, SessionError> {
        self.outside.functions = Arc::new(self.functions.clone());
        let text = SqlText {
            name: self.name.clone(),
            text: format!("{}{text}", self.tables),
        };
        let pipeline = pipeline::analyse(text, Path::new(&self.name), &self.outside)?;
        let parsed = pipeline.text.parse(&self.outside.variables);
        let plans = explain_with(
            &parsed.statements,
            &self.outside.settings,
            &self.outside.functions,
        );
        let plans = plans.map_err(|diagnostics| Failure::Refused {
            diagnostics: parsed.relocate(diagnostics),
            text: pipeline.text.clone(),
        })?;
        Ok(PlannedText { pipeline, plans })
    }
}

/// A text without errors.
#[derive(Debug)]
pub struct PlannedText {
    pipeline: Pipeline,
    plans: Vec<ExplainedPlan>,
}

impl PlannedText {
    /// Returns what the program should know though nothing is wrong.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.pipeline.warnings
    }

    /// Returns the plans of its statements: logical, behind the rules, physical.
    #[must_use]
    pub fn plans(&self) -> &[ExplainedPlan] {
        &self.plans
    }

    /// Starts its dataflows on threads of their own.
    ///
    /// # Errors
    /// A checkpoint store that cannot be opened, or threads that cannot be started.
    pub fn run(self) -> Result<Job, SessionError> {
        let runtime = async_runtime().map_err(SessionError::Failed)?;
        let stop = Cancel::default();
        let running = Running::start(&self.pipeline, &runtime, &stop)?;
        Ok(Job {
            running,
            runtime,
            stop,
        })
    }
}

/// A text that runs.
pub struct Job {
    running: Running,
    runtime: Runtime,
    stop: Cancel,
}

impl Job {
    /// Returns the figures of each dataflow, by its name.
    #[must_use]
    pub fn status(&self) -> Vec<(String, StatusSnapshot)> {
        let flows = self.running.watched().into_iter();
        flows
            .map(|flow| (flow.name, flow.status.snapshot()))
            .collect()
    }

    /// Asks for an end: the open epoch is committed first. [`Job::wait`] returns behind it.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until all dataflows have ended: their input has, they were stopped, or one failed for good.
    ///
    /// # Errors
    /// The failure.
    pub fn wait(mut self) -> Result<(), SessionError> {
        let ended = self.running.wait(false);
        self.runtime.shutdown_background();
        Ok(ended?)
    }
}
