//! `millrace bench`: what the user's own file and rows need, and where the time goes.
//!
//! The pipeline runs as `millrace run` runs it, with three differences: it ends after so many rows, it tells no consumer
//! group how far it came, and, unless real sinks are asked for, rows are encoded and thrown away.

mod input;
mod rehearsal;
mod report;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use millrace_connector::Cancel;
use millrace_plan::{Origin, Profile};
use millrace_runtime::SystemClock;

use crate::cli::PipelineArgs;
use crate::failure::Failure;
use crate::output::{self, grouped, line};
use crate::pipeline::{Flow, Pipeline};
use crate::run::{Running, async_runtime};
use crate::{connectors, pipeline, stop};
use rehearsal::{LimitedSource, RehearsedSink};
use report::{FlowMeasured, Measured};

const TICK: Duration = Duration::from_millis(5);
/// Options of a table that mean nothing to the stand-in.
const SECURITY: &[&str] = &["properties.security", "properties.sasl", "properties.ssl"];

/// What to measure.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// How many rows to read from each source
    #[arg(long, default_value_t = 1_000_000)]
    rows: u64,
    /// Stop after this many seconds, however many rows are read
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Where rows go
    #[arg(long, value_enum, default_value_t = Sinks::Rehearsal)]
    sinks: Sinks,
    /// Where reading begins
    #[arg(long, value_enum, default_value_t = From::Earliest)]
    from: From,
    /// Read the lines of this file, again and again, instead of the topics
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The rows of a day, to tell how many pods they need
    #[arg(long, value_name = "ROWS", default_value_t = 10_000_000_000)]
    daily: u64,
}

/// Where rows go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sinks {
    /// Encoded and thrown away.
    Rehearsal,
    /// Written and committed where the file says.
    Real,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// At the oldest record.
    Earliest,
    /// Where the file says.
    File,
}

/// Measures a pipeline.
pub(crate) fn command(args: &BenchArgs) -> Result<u8, Failure> {
    let mut pipeline = pipeline::load_with(&args.pipeline, |outside| {
        let mut set =
            |key: &str, value: &str| outside.settings.set(key, value, Origin::CommandLine);
        // Never the checkpoints, transactions and labels of the pipeline itself.
        set("pipeline.name", &format!("bench-{}", std::process::id()));
        set("state.checkpoints.dir", "memory://");
        set("restart-strategy.type", "none");
    })?;
    let broker = args
        .input
        .as_ref()
        .map(|path| {
            let tables = pipeline.flows.iter().flat_map(|flow| &flow.plan.sources);
            let mut topics: Vec<String> = tables
                .flat_map(|source| input::topics(&source.table))
                .collect();
            topics.sort();
            topics.dedup();
            input::serve(path, &topics, args.rows)
        })
        .transpose()?;
    let address = broker.as_ref().map(|broker| broker.address().to_string());
    let mut profiles = Vec::new();
    let text = pipeline.text.clone();
    for flow in &mut pipeline.flows {
        change_sources(flow, args, address.as_deref()).map_err(|diagnostics| Failure::Refused {
            diagnostics,
            text: text.clone(),
        })?;
        if args.sinks == Sinks::Rehearsal {
            rehearse_sinks(flow);
        }
        profiles.push(profile(flow));
    }
    line(format!(
        "millrace bench: {}, {} rows of each source, {}",
        pipeline.text.name,
        grouped(args.rows),
        match args.sinks {
            Sinks::Rehearsal => "encoded and thrown away",
            Sinks::Real => "written and committed",
        }
    ));
    let measured = measure(&pipeline, args, &profiles)?;
    report::print(&measured);
    if let Some(broker) = broker {
        broker.shutdown();
    }
    Ok(0)
}

/// Makes the sources begin and end where the bench says.
fn change_sources(
    flow: &mut Flow,
    args: &BenchArgs,
    broker: Option<&str>,
) -> Result<(), Vec<millrace_connector::Diagnostic>> {
    let left = || Arc::new(AtomicU64::new(args.rows));
    for (source, spec) in flow.plan.sources.iter_mut().zip(&mut flow.sources) {
        let mut changes = Vec::new();
        let mut without: &[&str] = &[];
        if source.table.option("topic").is_some() {
            if args.from == From::Earliest || broker.is_some() {
                changes.push(("scan.startup.mode", "earliest-offset"));
            }
            if let Some(broker) = broker {
                changes.push(("properties.bootstrap.servers", broker));
                without = SECURITY;
            }
        }
        if !changes.is_empty() {
            source.table = input::with_options(&source.table, &changes, without);
            *spec = connectors::source(&source.table, &flow.context)?;
        }
        *spec = Arc::new(LimitedSource {
            inner: Arc::clone(spec),
            left: left(),
        });
    }
    Ok(())
}

fn rehearse_sinks(flow: &mut Flow) {
    for (sink, spec) in flow.plan.sinks.iter().zip(&mut flow.sinks) {
        *spec = Arc::new(RehearsedSink {
            inner: Arc::clone(spec),
            table: sink.table.name.value.clone(),
        });
    }
}

/// The profiles of a flow's branches, with the names of their sinks.
type Profiles = Vec<(String, Arc<Profile>)>;

fn profile(flow: &mut Flow) -> Profiles {
    let mut profiles = Vec::new();
    for source in &mut flow.plan.sources {
        for branch in &mut source.branches {
            let profile = Arc::new(Profile::new(&branch.program, SystemClock::since_start));
            branch.program = branch.program.clone().profiled(Arc::clone(&profile));
            let sink = flow.plan.sinks[branch.sink].table.name.value.clone();
            profiles.push((sink, profile));
        }
    }
    profiles
}

fn measure(
    pipeline: &Pipeline,
    args: &BenchArgs,
    profiles: &[Profiles],
) -> Result<Measured, Failure> {
    let runtime = async_runtime()?;
    let stop = Cancel::default();
    runtime.block_on(async { stop::on_signals(&stop, pipeline.run.shutdown_timeout) })?;
    let mut running = Running::start(pipeline, &runtime, &stop, &Default::default())?;
    let watched = running.watched();
    let done = Cancel::default();
    let watch = {
        let (watched, done, stop) = (watched.clone(), done.clone(), stop);
        let patience = Duration::from_secs(args.seconds);
        std::thread::Builder::new()
            .name("bench-watch".to_owned())
            .spawn(move || {
                let begun = Instant::now();
                let mut first = None;
                while !done.is_cancelled() {
                    let seen = watched
                        .iter()
                        .any(|flow| flow.status.snapshot().records_in > 0);
                    if first.is_none() && seen {
                        first = Some((Instant::now(), own_cpu_seconds()));
                    }
                    if begun.elapsed() > patience {
                        stop.cancel();
                    }
                    std::thread::sleep(TICK);
                }
                first
            })
            .context("cannot start a thread")?
    };
    let result = running.wait(true);
    let (ended, cpu_ended) = (Instant::now(), own_cpu_seconds());
    done.cancel();
    let first = watch.join().unwrap_or_default();
    result?;
    runtime.shutdown_background();
    let (began, cpu_began) = first.unwrap_or((ended, None));
    let flows = watched
        .iter()
        .zip(&pipeline.flows)
        .zip(profiles)
        .map(|((watched, flow), profiles)| FlowMeasured {
            name: watched.name.clone(),
            last: watched.status.snapshot(),
            branches: flow
                .plan
                .sources
                .iter()
                .flat_map(|source| source.branches.iter().map(|branch| (names(source), branch)))
                .zip(profiles)
                .map(|((names, branch), (sink, profile))| {
                    (sink.clone(), profile.costs(&branch.program, &names))
                })
                .collect(),
        })
        .collect();
    Ok(Measured {
        flows,
        elapsed: ended.duration_since(began),
        cpu_seconds: cpu_ended
            .zip(cpu_began)
            .map(|(after, before)| after - before),
        peak_bytes: output::resident_bytes_peak().filter(|_| args.input.is_none()),
        lanes: pipeline.run.runtime.parallelism,
        is_real: args.sinks == Sinks::Real,
        daily: args.daily,
    })
}

/// Returns the names of the columns of a source's batches.
fn names(source: &millrace_plan::Source) -> Vec<String> {
    let columns = source.projection.columns.iter();
    columns
        .map(|column| source.table.columns[*column].name.value.clone())
        .collect()
}

/// CPU time of this process without the stand-in's threads, which in real life are another machine's.
fn own_cpu_seconds() -> Option<f64> {
    output::cpu_seconds_without("dev-kafka")
}
