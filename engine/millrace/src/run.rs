//! `millrace run`: every dataflow on a thread of its own, until all have ended.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use millrace_checkpoint::Store;
use millrace_connector::Cancel;
use millrace_runtime::{
    Clock, Dataflow, DataflowStatus, End, RunError, RuntimeOptions, SystemClock,
};
use tokio::runtime::Runtime;

use crate::cli::PipelineArgs;
use crate::failure::{Failure, colours};
use crate::http::{self, Watch};
use crate::metrics::Watched;
use crate::pipeline::{self, Pipeline};
use crate::progress::Progress;
use crate::{logging, screen, stop, store};

/// How often the main thread looks up.
const TICK: Duration = Duration::from_millis(20);
/// Threads of the async runtime: checkpoints, HTTP and signals need little.
const ASYNC_THREADS: usize = 2;

/// Runs a pipeline's file.
pub(crate) fn command(args: &PipelineArgs) -> Result<u8, Failure> {
    let pipeline = pipeline::load(args)?;
    tell(&pipeline);
    let runtime = async_runtime()?;
    let stop = Cancel::default();
    runtime.block_on(async { stop::on_signals(&stop, pipeline.run.shutdown_timeout) })?;
    let mut running = Running::start(&pipeline, &runtime, &stop)?;
    running.serve(&pipeline, &runtime)?;
    running.wait(true)?;
    // Nothing of a run is left in the background; a put that hangs must not hold the process back.
    runtime.shutdown_background();
    Ok(0)
}

/// Returns the runtime for everything that waits: the checkpoint store, HTTP, signals.
pub(crate) fn async_runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(ASYNC_THREADS)
        .thread_name("async")
        .enable_all()
        .build()
        .context("cannot start threads")
}

fn tell(pipeline: &Pipeline) {
    if logging::is_json() {
        for warning in &pipeline.warnings {
            let place = warning.primary.as_ref().map(|label| {
                let start = label.span.start as usize;
                let place = millrace_sql::line_column(&pipeline.text.text, start);
                format!("{}:{}:{}", pipeline.text.name, place.line, place.column)
            });
            let help = warning.help.join("; ");
            tracing::warn!(code = warning.code, place, help, "{}", warning.message);
        }
    } else if !pipeline.warnings.is_empty() {
        screen::print_above(&pipeline.text.render(&pipeline.warnings, colours()));
    }
    for note in &pipeline.notes {
        tracing::info!("{note}");
    }
}

/// A pipeline under way.
pub(crate) struct Running {
    /// The file's name, for messages.
    file: String,
    flows: Vec<RunningFlow>,
    clock: Arc<dyn Clock>,
    stop: Cancel,
}

struct RunningFlow {
    watched: Watched,
    thread: Option<JoinHandle<Result<End, RunError>>>,
}

impl Running {
    /// Starts all dataflows.
    pub(crate) fn start(
        pipeline: &Pipeline,
        runtime: &Runtime,
        stop: &Cancel,
    ) -> Result<Self, Failure> {
        let options = &pipeline.run.runtime;
        let store = store::open(&pipeline.run, runtime.handle().clone())?;
        tracing::info!(
            pipeline = options.pipeline,
            dataflows = pipeline.flows.len(),
            parallelism = options.parallelism,
            checkpoint_interval_ms =
                u64::try_from(options.checkpoint_interval.as_millis()).unwrap_or(u64::MAX),
            checkpoints = store.location(),
            version = env!("CARGO_PKG_VERSION"),
            "start"
        );
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let mut options = options.clone();
        let flows = pipeline.flows.len().max(1) as u64;
        options.buffer_bytes_max /= flows;
        options.operators.state_bytes_max /= flows;
        let mut running = Self {
            file: pipeline.text.name.clone(),
            flows: Vec::new(),
            clock,
            stop: stop.clone(),
        };
        for flow in &pipeline.flows {
            running.start_flow(flow.dataflow(), &options, &store)?;
        }
        Ok(running)
    }

    fn start_flow(
        &mut self,
        dataflow: Dataflow,
        options: &RuntimeOptions,
        store: &Arc<dyn Store>,
    ) -> anyhow::Result<()> {
        let status = Arc::new(DataflowStatus::default());
        let watched = Watched {
            name: dataflow.name.clone(),
            status: Arc::clone(&status),
        };
        let (options, store) = (options.clone(), Arc::clone(store));
        let (clock, stop) = (Arc::clone(&self.clock), self.stop.clone());
        let thread = std::thread::Builder::new()
            .name("dataflow".to_owned())
            .spawn(move || {
                millrace_runtime::run(&dataflow, &options, &*store, &status, &clock, &stop)
            })
            .context("cannot start a thread")?;
        self.flows.push(RunningFlow {
            watched,
            thread: Some(thread),
        });
        Ok(())
    }

    /// Serves HTTP where the settings ask for it.
    fn serve(&self, pipeline: &Pipeline, runtime: &Runtime) -> anyhow::Result<()> {
        let Some(address) = pipeline.run.http else {
            return Ok(());
        };
        let watch = Watch {
            pipeline: pipeline.run.runtime.pipeline.clone(),
            flows: self.watched(),
            interval: pipeline.run.runtime.checkpoint_interval,
            started_ms: self.clock.now_ms(),
            clock: Arc::clone(&self.clock),
        };
        let bound = runtime.block_on(http::serve(address, Arc::new(watch)))?;
        tracing::info!(address = %bound, "http");
        Ok(())
    }

    /// Returns the dataflows with their figures.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        self.flows.iter().map(|flow| flow.watched.clone()).collect()
    }

    /// Waits until all dataflows have ended. When one fails for good, the others commit what they have and end too:
    /// half a pipeline would look alive.
    pub(crate) fn wait(&mut self, shows: bool) -> Result<(), Failure> {
        let mut progress = shows.then(|| Progress::new(self.watched(), Arc::clone(&self.clock)));
        let mut failures = Vec::new();
        while self.flows.iter().any(|flow| flow.thread.is_some()) {
            if let Some(progress) = &mut progress {
                progress.tick();
            }
            for flow in &mut self.flows {
                if !flow.thread.as_ref().is_some_and(JoinHandle::is_finished) {
                    continue;
                }
                let Some(thread) = flow.thread.take() else {
                    continue;
                };
                if let Err(failure) = ended(&flow.watched.name, thread, &self.file) {
                    self.stop.cancel();
                    failures.push(failure);
                }
            }
            std::thread::sleep(TICK);
        }
        if let Some(progress) = &mut progress {
            progress.finish();
        }
        let mut failures = failures.into_iter();
        let Some(first) = failures.next() else {
            return Ok(());
        };
        for other in failures {
            other.report();
        }
        Err(first)
    }
}

/// Returns how the failure of a dataflow of `file` is told.
pub(crate) fn failed(name: &str, error: RunError, file: &str) -> Failure {
    let help = error
        .help()
        .map(|help| help.replace("millrace rescale FILE", &format!("millrace rescale {file}")));
    let error = anyhow::Error::new(error).context(format!("dataflow '{name}' failed"));
    Failure::Failed { error, help }
}

fn ended(name: &str, thread: JoinHandle<Result<End, RunError>>, file: &str) -> Result<(), Failure> {
    match thread.join() {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(failed(name, error, file)),
        Err(_) => Err(anyhow::anyhow!(
            "dataflow '{name}' panicked; this is a bug, please report it"
        )
        .into()),
    }
}
