//! Runs golden tables against this engine: `oracle [--group G] [--quiet] FILES…`.
//!
//! Prints every difference, a line a group, and the sum; exits with 1 if there is any difference.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use millrace_tests::formats::FormatCase;
use millrace_tests::golden::{self, Answer, ScalarCase, ScalarResult};
use millrace_tests::pipelines::PipelineCase;
use serde_json::Value;

/// The zones that `*` stands for.
const ZONES: [&str; 2] = ["UTC", "Asia/Shanghai"];

#[derive(Default)]
struct Score {
    passed: usize,
    failed: usize,
    skipped: usize,
}

#[derive(Default)]
struct Report {
    groups: BTreeMap<String, Score>,
    quiet: bool,
    only: Vec<String>,
}

impl Report {
    fn wants(&self, group: &str) -> bool {
        self.only.is_empty()
            || self
                .only
                .iter()
                .any(|only| only.eq_ignore_ascii_case(group))
    }

    fn passed(&mut self, group: &str) {
        self.groups.entry(group.to_owned()).or_default().passed += 1;
    }

    fn skipped(&mut self, group: &str) {
        self.groups.entry(group.to_owned()).or_default().skipped += 1;
    }

    fn failed(&mut self, group: &str, difference: &str) {
        self.groups.entry(group.to_owned()).or_default().failed += 1;
        if !self.quiet {
            line(difference);
        }
    }
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn line(text: &str) {
    println!("{text}");
}

fn main() -> Result<ExitCode> {
    let mut report = Report::default();
    let mut files = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quiet" | "-q" => report.quiet = true,
            "--group" | "-g" => {
                let groups = args.next().context("--group needs a name")?;
                report.only.extend(groups.split(',').map(str::to_owned));
            }
            option if option.starts_with('-') => bail!("unknown option {option}"),
            file => files.push(file.to_owned()),
        }
    }
    if files.is_empty() {
        bail!("usage: oracle [--group G,…] [--quiet] FILES…");
    }
    // A panic is a difference like any other; its text comes with the case.
    std::panic::set_hook(Box::new(|_| {}));
    for file in &files {
        let text = std::fs::read_to_string(file).with_context(|| file.clone())?;
        for (number, text) in text.lines().enumerate() {
            run_line(text, &mut report).with_context(|| format!("{file}:{}", number + 1))?;
        }
    }
    Ok(summary(&report))
}

fn summary(report: &Report) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for (group, score) in &report.groups {
        let total = score.passed + score.failed;
        let skipped = if score.skipped > 0 {
            format!(" ({} skipped)", score.skipped)
        } else {
            String::new()
        };
        line(&format!("{group} {}/{total}{skipped}", score.passed));
        passed += score.passed;
        failed += score.failed;
    }
    line(&format!("{passed} passed, {failed} failed"));
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_line(text: &str, report: &mut Report) -> Result<()> {
    let value: Value = serde_json::from_str(text)?;
    let group = value["group"].as_str().unwrap_or("PIPELINE").to_owned();
    if !report.wants(&group) {
        return Ok(());
    }
    if value.get("rows_out").is_some() {
        run_pipeline(&serde_json::from_value(value)?, report);
    } else if value.get("dir").is_some() {
        run_format(&serde_json::from_value(value)?, report)?;
    } else {
        run_scalar(&serde_json::from_value(value)?, report);
    }
    Ok(())
}

fn run_format(case: &FormatCase, report: &mut Report) -> Result<()> {
    if case.unstable || case.internal_error {
        report.skipped(&case.group);
        return Ok(());
    }
    let difference = catch_unwind(AssertUnwindSafe(|| case.difference())).unwrap_or_else(|_| {
        Ok(Some(format!(
            "{} {} {}: panic",
            case.id, case.group, case.format
        )))
    })?;
    match difference {
        None => report.passed(&case.group),
        Some(difference) => report.failed(&case.group, &difference),
    }
    Ok(())
}

fn run_scalar(case: &ScalarCase, report: &mut Report) {
    for expected in &case.results {
        if case.internal_error || case.unstable || expected.internal_error || expected.unstable {
            report.skipped(&case.group);
            continue;
        }
        let columns = expected.mode != "lit" && case.col.is_some();
        let literals = expected.mode != "col" && case.lit.is_some() && !case.fold_differs;
        if !columns && !literals {
            report.skipped(&case.group);
            continue;
        }
        match difference(case, expected, columns, literals) {
            None => report.passed(&case.group),
            Some(difference) => report.failed(&case.group, &difference),
        }
    }
}

fn difference(
    case: &ScalarCase,
    expected: &ScalarResult,
    columns: bool,
    literals: bool,
) -> Option<String> {
    let zones: Vec<&str> = if expected.tz == "*" {
        ZONES.to_vec()
    } else {
        vec![expected.tz.as_str()]
    };
    for tz in zones {
        for (wanted, mode) in [(columns, "col"), (literals, "lit")] {
            if !wanted {
                continue;
            }
            let answer = guarded(|| match mode {
                "col" => golden::over_columns(case, tz),
                _ => golden::over_literals(case, tz),
            });
            if !golden::agrees(case, expected, &answer) {
                let expr = if mode == "col" { &case.col } else { &case.lit };
                let args: Vec<String> = case
                    .args
                    .iter()
                    .map(|(ty, value)| format!("{ty} {value}"))
                    .collect();
                let args = if mode == "col" {
                    args.join(", ")
                } else {
                    String::new()
                };
                let kind = case
                    .kind
                    .as_deref()
                    .map_or_else(String::new, |kind| format!(" {kind}"));
                let sink = case
                    .sink
                    .as_deref()
                    .map_or_else(String::new, |sink| format!(" into {sink}"));
                return Some(format!(
                    "{} {} {mode} {tz}{kind}: {}{sink}  [{args}]\n    expected {}\n    got      {answer}",
                    case.id,
                    case.group,
                    expr.as_deref().unwrap_or(""),
                    golden::describe(expected),
                ));
            }
        }
    }
    None
}

/// A panic counts as an answer that agrees with nothing.
fn guarded(run: impl FnOnce() -> Result<Answer>) -> Answer {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::Value {
            ty: "UNREADABLE".to_owned(),
            value: Value::from(format!("{error:#}")),
        },
        Err(payload) => {
            let text = payload
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| {
                    payload
                        .downcast_ref::<&str>()
                        .map(|text| (*text).to_owned())
                })
                .unwrap_or_default();
            Answer::Value {
                ty: "PANIC".to_owned(),
                value: Value::from(text),
            }
        }
    }
}

fn run_pipeline(case: &PipelineCase, report: &mut Report) {
    const GROUP: &str = "PIPELINE";
    let pipeline = match catch_unwind(AssertUnwindSafe(|| case.plan())) {
        Ok(Ok(pipeline)) => pipeline,
        Ok(Err(error)) => {
            for _ in &case.rows {
                report.failed(
                    GROUP,
                    &format!("{} {} {}: {error:#}", case.id, case.name, case.tz),
                );
            }
            return;
        }
        Err(_) => {
            report.failed(
                GROUP,
                &format!("{} {} {}: planning panicked", case.id, case.name, case.tz),
            );
            return;
        }
    };
    for row in 0..case.rows.len() {
        let difference = catch_unwind(AssertUnwindSafe(|| case.difference(&pipeline, row)))
            .unwrap_or_else(|_| Some("panic".to_owned()));
        match difference {
            None => report.passed(GROUP),
            Some(difference) => {
                report.failed(
                    GROUP,
                    &format!(
                        "{} {} {} row {row}: {difference}",
                        case.id, case.name, case.tz
                    ),
                );
            }
        }
    }
    check_batch(case, &pipeline, report);
}

/// All rows that do not fail, as one batch, must give what they gave one by one.
fn check_batch(case: &PipelineCase, pipeline: &millrace_plan::Pipeline, report: &mut Report) {
    let good: Vec<usize> = (0..case.rows.len())
        .filter(|row| !case.rows_out[*row].is_object())
        .collect();
    let whole = catch_unwind(AssertUnwindSafe(|| case.run(pipeline, &good)));
    let single: Vec<_> = good
        .iter()
        .filter_map(|row| case.run(pipeline, &[*row]).ok())
        .flatten()
        .collect();
    match whole {
        Ok(Ok(mut rows)) => {
            rows.sort_by_key(|(row, _)| *row);
            if rows != single {
                report.failed(
                    "PIPELINE",
                    &format!("{} {}: a batch differs from its rows", case.id, case.name),
                );
            }
        }
        Ok(Err((row, message))) => {
            report.failed(
                "PIPELINE",
                &format!("{} {} batch row {row}: {message}", case.id, case.name),
            );
        }
        Err(_) => report.failed(
            "PIPELINE",
            &format!("{} {} batch: panic", case.id, case.name),
        ),
    }
}
