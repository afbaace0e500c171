//! Log lines on standard error.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
use crate::screen::LogLine;

static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Tells whether log lines are JSON, so that everything else on standard error should be too.
pub(crate) fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// How to log.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The form; by default text on a terminal, else JSON.
    pub(crate) format: Option<Format>,
    /// What is logged.
    pub(crate) filter: String,
}

impl Options {
    /// Returns itself with warnings only, unless the user asked for more.
    pub(crate) fn quiet(mut self) -> Self {
        if self.filter == "info" {
            self.filter = "warn".to_owned();
        }
        self
    }

    /// Starts logging for the whole process.
    pub(crate) fn start(&self) -> Result<(), Failure> {
        let filter = EnvFilter::try_new(&self.filter)
            .with_context(|| format!("'{}' is no log filter", self.filter))?;
        let terminal = std::io::stderr().is_terminal();
        let format = self
            .format
            .unwrap_or(if terminal { Format::Text } else { Format::Json });
        IS_JSON.store(format == Format::Json, Ordering::Relaxed);
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(LogLine::default)
            .with_target(false);
        let started = match format {
            Format::Json => builder
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .try_init(),
            Format::Text => builder
                .with_ansi(crate::failure::colours())
                .compact()
                .try_init(),
        };
        // A second start in one process (tests) keeps the first.
        drop(started);
        Ok(())
    }
}
