//! `millrace demo`: the main job on a fresh machine, without any service.
//!
//! An in-memory stand-in for Kafka is filled with generated events, a pipeline of `sql-examples` runs over them exactly
//! once, into another topic or into a stand-in for Doris, and what it wrote is counted.

mod audit;
pub(crate) mod feed;
pub mod generator;
pub(crate) mod scene;
mod target;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use millrace_connector::Cancel;
use millrace_dev_kafka::{EmbeddedBroker, Options};
use millrace_plan::Origin;
use millrace_runtime::{Clock, SystemClock};

use crate::failure::Failure;
use crate::metrics::Watched;
use crate::output::{self, bytes, grouped, line};
use crate::pipeline::{Pipeline, analyse};
use crate::progress::Progress;
use crate::run::{Running, async_runtime};
use crate::settings::Outside;
use crate::text::SqlText;
use crate::{screen, stop};

use scene::Scene;
use target::{Source, Target};

const PARTITIONS: u32 = 4;
const SEED: u64 = 20_260_301;
/// The most events that the stand-in keeps in memory.
const ROWS_MAX: u64 = 2_000_000;
const TICK: Duration = Duration::from_millis(10);

/// How to show it.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// Which pipeline
    #[arg(long, value_enum, default_value_t = Scene::Filebeat)]
    pub(crate) pipeline: Scene,
    /// How many events
    #[arg(long, default_value_t = 300_000)]
    pub(crate) rows: u64,
    /// Stop after this many seconds, however many events are through
    #[arg(long, default_value_t = 120)]
    pub(crate) seconds: u64,
    /// Leave the stand-in running at the end, to be looked at with other tools
    #[arg(long)]
    pub(crate) keep: bool,
}

/// What the run took.
struct Effort {
    first_commit: Option<Duration>,
    last_commit: Option<Duration>,
    cpu_seconds: Option<f64>,
    peak_bytes: Option<u64>,
}

/// Shows it.
pub(crate) fn command(args: &DemoArgs) -> Result<u8, Failure> {
    if args.rows == 0 || args.rows > ROWS_MAX {
        return Err(anyhow::anyhow!(
            "--rows must be within 1 and {}: the stand-in for Kafka keeps all in memory",
            grouped(ROWS_MAX)
        )
        .into());
    }
    let runtime = async_runtime()?;
    let stop = Cancel::default();
    runtime.block_on(async { stop::on_signals(&stop, stop::PATIENCE) })?;
    let scene = args.pipeline;
    let target = Target::start(scene)?;
    let broker = start_broker(scene, &target)?;
    let address = broker.address().to_string();
    introduce(&target, &address);
    let names = (scene.topic(), scene.group());
    let fed = feed::feed(scene, &address, names, PARTITIONS, args.rows, SEED)?;
    line(format!(
        "  input     topic {}, {} generated events of {} bytes in {PARTITIONS} partitions ({:.1} s)",
        scene.topic(),
        grouped(fed.rows),
        fed.bytes / fed.rows.max(1),
        fed.elapsed.as_secs_f64()
    ));
    line(format!(
        "  pipeline  {}, unchanged: {}",
        scene.file(),
        scene.columns()
    ));
    let folder = checkpoint_folder()?;
    let pipeline = pipeline(scene, target.variables(&address), &folder)?;
    line(format!(
        "  commits   every second, checkpoints in {}",
        folder.display()
    ));
    line("");
    let effort = run(
        &pipeline,
        &runtime,
        &stop,
        fed.rows,
        Duration::from_secs(args.seconds),
    )?;
    let audit = target.audit(Source {
        scene,
        brokers: &address,
        partitions: PARTITIONS,
        rows: fed.rows,
        seed: SEED,
    })?;
    report(&target, &audit, &effort, fed.rows);
    line("");
    target.next_steps().iter().for_each(|step| line(*step));
    if args.keep && !stop.is_cancelled() {
        line("");
        line(target.look(&address, scene));
        while !stop.is_cancelled() {
            std::thread::sleep(TICK);
        }
    }
    target.end();
    broker.shutdown();
    // What was kept for a restart is of no use without the broker.
    drop(std::fs::remove_dir_all(&folder));
    runtime.shutdown_background();
    Ok(u8::from(
        audit.duplicates > 0 || (audit.missing > 0 && !stop.is_cancelled()),
    ))
}

fn introduce(target: &Target, brokers: &str) {
    line(format!(
        "millrace demo: {}, exactly once, on this machine alone",
        target.path()
    ));
    line("");
    line(format!(
        "  broker    an in-memory stand-in for Kafka at {brokers}: one node, no disk, for demos and tests"
    ));
    target.introduction().into_iter().for_each(line);
}

fn start_broker(scene: Scene, target: &Target) -> anyhow::Result<EmbeddedBroker> {
    let partitions = i32::try_from(PARTITIONS).expect("partitions are few");
    let options = Options {
        default_partitions: partitions,
        retention_bytes: 1 << 30,
        ..Options::default()
    };
    let broker = EmbeddedBroker::start(options).context("cannot start the stand-in for Kafka")?;
    for topic in [scene.topic()].iter().chain(target.topics()) {
        broker
            .create_topic(topic, partitions)
            .context("cannot make a topic")?;
    }
    Ok(broker)
}

fn checkpoint_folder() -> anyhow::Result<std::path::PathBuf> {
    let folder = std::env::temp_dir().join(format!("millrace-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}

fn pipeline(
    scene: Scene,
    variables: Vec<(&'static str, String)>,
    folder: &Path,
) -> Result<Pipeline, Failure> {
    let mut outside = Outside::default();
    let variables = variables.into_iter();
    outside
        .variables
        .extend(variables.map(|(name, value)| (name.to_owned(), value)));
    let checkpoints = folder.display().to_string();
    outside
        .settings
        .set("state.checkpoints.dir", checkpoints, Origin::CommandLine);
    outside
        .settings
        .set("pipeline.name", "demo", Origin::CommandLine);
    // A demonstration tells of a failure at once.
    outside
        .settings
        .set("restart-strategy.type", "none", Origin::CommandLine);
    let text = SqlText {
        name: scene.file().to_owned(),
        text: scene.sql().to_owned(),
    };
    analyse(text, Path::new(scene.file()), &outside)
}

/// Runs until all rows are committed, or it takes too long, or somebody stops it.
fn run(
    pipeline: &Pipeline,
    runtime: &tokio::runtime::Runtime,
    stop: &Cancel,
    rows: u64,
    patience: Duration,
) -> Result<Effort, Failure> {
    let cpu_before = own_cpu_seconds();
    let started = Instant::now();
    let mut running = Running::start(pipeline, runtime, stop, &Default::default())?;
    let done = Cancel::default();
    let watcher = Watcher {
        watched: running.watched(),
        done: done.clone(),
        stop: stop.clone(),
        rows,
        started,
        patience,
    };
    let watcher = std::thread::Builder::new()
        .name("demo-watch".to_owned())
        .spawn(move || watcher.watch())
        .context("cannot start a thread")?;
    let result = running.wait(false);
    done.cancel();
    let (first_commit, last_commit) = watcher.join().unwrap_or_default();
    result?;
    let cpu_seconds = own_cpu_seconds()
        .zip(cpu_before)
        .map(|(after, before)| after - before);
    Ok(Effort {
        first_commit,
        last_commit,
        cpu_seconds,
        peak_bytes: output::resident_bytes_peak(),
    })
}

/// Looks on from a thread of its own, and stops the run when it is through.
struct Watcher {
    watched: Vec<Watched>,
    done: Cancel,
    stop: Cancel,
    rows: u64,
    started: Instant,
    patience: Duration,
}

impl Watcher {
    /// Returns when the first rows and when all rows were committed.
    fn watch(self) -> (Option<Duration>, Option<Duration>) {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let mut progress = Progress::new(self.watched.clone(), clock);
        let (mut first, mut last) = (None, None);
        while !self.done.is_cancelled() {
            let snapshots = self.watched.iter().map(|flow| flow.status.snapshot());
            let committed: u64 = snapshots.map(|now| now.records_committed).sum();
            if committed > 0 && first.is_none() {
                first = Some(self.started.elapsed());
            }
            if committed >= self.rows && last.is_none() {
                last = Some(self.started.elapsed());
                self.stop.cancel();
            }
            if self.started.elapsed() > self.patience {
                self.stop.cancel();
            }
            progress.tick();
            std::thread::sleep(TICK);
        }
        screen::set_status(Vec::new());
        (first, last)
    }
}

/// CPU time of this process without the stand-ins' threads, which in real life are another machine's.
fn own_cpu_seconds() -> Option<f64> {
    output::cpu_seconds_without("dev-kafka")
}

fn report(target: &Target, audit: &audit::Audit, effort: &Effort, rows_in: u64) {
    let (witness, identity) = target.witness();
    line(format!("what {witness}, for example:"));
    for sample in &audit.samples {
        line(format!("  {sample}"));
    }
    line("");
    line(format!("  rows in             {:>12}", grouped(rows_in)));
    line(format!("  rows out            {:>12}", grouped(audit.rows)));
    line(format!(
        "  duplicates          {:>12}   {identity}",
        grouped(audit.duplicates)
    ));
    line(format!(
        "  missing             {:>12}",
        grouped(audit.missing)
    ));
    if let Some(last) = effort.last_commit {
        let rate = rows_in as f64 / last.as_secs_f64().max(0.001);
        line(format!(
            "  rows a second       {:>12}   from the start to the last commit",
            grouped(rate as u64)
        ));
    }
    if let Some(first) = effort.first_commit {
        line(format!(
            "  first rows committed{:>9} ms   after the start",
            first.as_millis()
        ));
    }
    if let Some(cpu) = effort.cpu_seconds {
        line(format!(
            "  CPU-seconds         {:>12.1}   per million rows, without the stand-in's",
            cpu * 1e6 / audit.rows.max(1) as f64
        ));
    }
    if let Some(peak) = effort.peak_bytes {
        line(format!(
            "  peak memory         {:>12}   with the stand-in and all its rows",
            bytes(peak)
        ));
    }
}
