//! What a bench says.

use std::time::Duration;

use millrace_plan::StepCost;
use millrace_runtime::{Stage, StatusSnapshot};

use crate::output::{bytes, grouped, line};

/// A day has peaks: weekends and evenings carry about twice the mean.
const PEAK: f64 = 2.0;
/// How much of its processor a pod should use at the peak: room for catching up and for the neighbours.
const LOAD: f64 = 0.7;
/// How many expressions are shown.
const STEPS_MAX: usize = 12;
/// How many characters of an expression are shown.
const EXPRESSION_MAX: usize = 90;
/// Below so many rows, figures are those of starting up.
const ROWS_MIN: u64 = 100_000;
/// And below so long a time.
const ELAPSED_MIN: Duration = Duration::from_secs(1);
const SECONDS_PER_DAY: f64 = 86_400.0;

/// What was measured.
pub(super) struct Measured {
    pub(super) flows: Vec<FlowMeasured>,
    pub(super) elapsed: Duration,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) peak_bytes: Option<u64>,
    pub(super) lanes: u32,
    pub(super) is_real: bool,
    pub(super) daily: u64,
}

/// What was measured of one dataflow.
pub(super) struct FlowMeasured {
    pub(super) name: String,
    pub(super) last: StatusSnapshot,
    /// For each INSERT: the sink and its expressions.
    pub(super) branches: Vec<(String, Vec<StepCost>)>,
}

fn row(name: &str, value: impl std::fmt::Display, about: &str) {
    line(format!("  {name:<24}{value:>14}   {about}").trim_end());
}

/// Prints it.
pub(super) fn print(measured: &Measured) {
    let rows: u64 = measured.flows.iter().map(|flow| flow.last.records_in).sum();
    if rows == 0 {
        line(
            "no rows were read: is the topic empty? A file of rows can stand in for it: --input FILE",
        );
        return;
    }
    let seconds = measured.elapsed.as_secs_f64().max(0.001);
    line("");
    if rows < ROWS_MIN || measured.elapsed < ELAPSED_MIN {
        line(format!(
            "warning: {} rows in {seconds:.1} s are too few to judge by; read more with --rows, or repeat a file's rows with --input FILE",
            grouped(rows)
        ));
    }
    row("rows", grouped(rows), "");
    row(
        "rows a second",
        grouped((rows as f64 / seconds) as u64),
        &format!(
            "in {seconds:.1} s, {} lanes for each source",
            measured.lanes
        ),
    );
    let read: u64 = measured.flows.iter().map(|flow| flow.last.bytes_in).sum();
    row(
        "bytes a second",
        bytes((read as f64 / seconds) as u64),
        &format!("read; {} a row", bytes(read / rows)),
    );
    if let Some(cpu) = measured.cpu_seconds {
        row(
            "CPU-seconds",
            format!("{:.2}", cpu * 1e6 / rows as f64),
            "per million rows, all threads of this process",
        );
        row(
            "rows a second per core",
            grouped((rows as f64 / cpu.max(0.001)) as u64),
            "",
        );
    }
    if let Some(peak) = measured.peak_bytes {
        row("peak memory", bytes(peak), "");
    }
    for flow in &measured.flows {
        stages(flow, measured);
    }
    if let Some(cpu) = measured.cpu_seconds {
        pods(measured, cpu / rows as f64);
    }
}

fn stages(flow: &FlowMeasured, measured: &Measured) {
    let rows = flow.last.records_in.max(1) as f64;
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / rows;
    line(format!(
        "\nwhere the lanes of '{}' spend their time, in µs a row read:",
        flow.name
    ));
    line(format!("  {:<24}{:>10}{:>10}", "", "busy", "waiting"));
    for (stage, time) in Stage::ALL.iter().zip(flow.last.stages) {
        let what = match stage {
            Stage::Read => "read and decode",
            Stage::Transform => "filter and project",
            Stage::Write if measured.is_real => "encode and hand over",
            Stage::Write => "encode",
            Stage::Commit => "commit",
        };
        line(format!(
            "  {what:<24}{:>10.3}{:>10.3}",
            micros(time.busy),
            micros(time.elapsed.saturating_sub(time.busy))
        ));
    }
    let busy: Duration = flow.last.stages.iter().map(|time| time.busy).sum();
    if let (Some(cpu), [_]) = (measured.cpu_seconds, measured.flows.as_slice()) {
        let rest = (cpu - busy.as_secs_f64()).max(0.0) * 1e6 / rows;
        line(format!(
            "  {:<24}{rest:>10.3}            clients of the brokers, commits",
            "other threads"
        ));
    }
    for (sink, steps) in &flow.branches {
        line(format!("\n  into '{sink}', the dearest expressions:"));
        for step in steps.iter().take(STEPS_MAX) {
            let expression: String = step.expression.chars().take(EXPRESSION_MAX).collect();
            line(format!("  {:>10.4}  {expression}", micros(step.time)));
        }
    }
}

fn pods(measured: &Measured, cpu_per_row: f64) {
    let mean = measured.daily as f64 / SECONDS_PER_DAY;
    let cores = mean * PEAK * cpu_per_row;
    let pods = (cores / LOAD).ceil().max(1.0);
    line(format!(
        "\n{} rows a day are {} a second, {} at a peak of {PEAK} times the mean:",
        grouped(measured.daily),
        grouped(mean as u64),
        grouped((mean * PEAK) as u64)
    ));
    line(format!(
        "  {cores:.2} cores at the peak; {pods:.0} pod{} of one core, used to {:.0} % then",
        if pods > 1.0 { "s" } else { "" },
        LOAD * 100.0
    ));
    if !measured.is_real {
        line("  without what writing costs: --sinks real measures that too, and writes");
    }
}
