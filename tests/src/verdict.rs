//! Whether this engine answers a golden line as Flink did.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Result;
use serde_json::Value;

use crate::formats::FormatCase;
use crate::golden::{self, Answer, ScalarCase, ScalarResult};
use crate::pipelines::PipelineCase;

/// The zones that `*` stands for.
const ZONES: [&str; 2] = ["UTC", "Asia/Shanghai"];

/// The group of whole pipelines.
const PIPELINE: &str = "PIPELINE";

/// What came of one recorded result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The case.
    pub id: String,
    /// The feature it belongs to.
    pub group: String,
    /// How it went.
    pub outcome: Outcome,
}

/// How a comparison went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Equal.
    Passed,
    /// Nothing to hold this engine to.
    Skipped,
    /// Different: what was expected and what came.
    Failed(String),
}

/// Returns the group of a line.
///
/// # Errors
/// A line that is no JSON.
pub fn group(line: &str) -> Result<String> {
    let value: Value = serde_json::from_str(line)?;
    Ok(value["group"].as_str().unwrap_or(PIPELINE).to_owned())
}

/// Compares a line with Flink's answers, each recorded result by itself.
///
/// # Errors
/// A line that this reader does not understand.
pub fn verdicts(line: &str) -> Result<Vec<Verdict>> {
    let value: Value = serde_json::from_str(line)?;
    if value.get("rows_out").is_some() {
        let case: PipelineCase = serde_json::from_value(value)?;
        let outcomes = pipeline(&case);
        return Ok(label(&case.id, PIPELINE, outcomes));
    }
    if value.get("dir").is_some() {
        let case: FormatCase = serde_json::from_value(value)?;
        return Ok(label(&case.id, &case.group, vec![format(&case)?]));
    }
    let case: ScalarCase = serde_json::from_value(value)?;
    let outcomes = case
        .results
        .iter()
        .map(|expected| scalar(&case, expected))
        .collect();
    Ok(label(&case.id, &case.group, outcomes))
}

fn label(id: &str, group: &str, outcomes: Vec<Outcome>) -> Vec<Verdict> {
    let verdict = |outcome| Verdict {
        id: id.to_owned(),
        group: group.to_owned(),
        outcome,
    };
    outcomes.into_iter().map(verdict).collect()
}

fn of_difference(difference: Option<String>) -> Outcome {
    difference.map_or(Outcome::Passed, Outcome::Failed)
}

/// Runs something that must not panic; a panic is a difference like any other.
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let text = payload.downcast_ref::<String>().cloned().or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        });
        format!("panic: {}", text.unwrap_or_default())
    })
}

fn format(case: &FormatCase) -> Result<Outcome> {
    if case.unstable || case.internal_error {
        return Ok(Outcome::Skipped);
    }
    match guarded(|| case.difference()) {
        Ok(difference) => difference.map(of_difference),
        Err(panic) => Ok(Outcome::Failed(format!(
            "{} {} {}: {panic}",
            case.id, case.group, case.format
        ))),
    }
}

fn scalar(case: &ScalarCase, expected: &ScalarResult) -> Outcome {
    let columns = expected.mode != "lit" && case.col.is_some();
    let literals = expected.mode != "col" && case.lit.is_some() && !case.fold_differs;
    let faulty =
        case.internal_error || case.unstable || expected.internal_error || expected.unstable;
    if faulty || !(columns || literals) {
        return Outcome::Skipped;
    }
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
            let answer = answer(case, mode, tz);
            if !golden::agrees(case, expected, &answer) {
                return Outcome::Failed(describe(case, expected, mode, tz, &answer));
            }
        }
    }
    Outcome::Passed
}

fn answer(case: &ScalarCase, mode: &str, tz: &str) -> Answer {
    let strange = |ty: &str, text: String| Answer::Value {
        ty: ty.to_owned(),
        value: Value::from(text),
    };
    let run = || match mode {
        "col" => golden::over_columns(case, tz),
        _ => golden::over_literals(case, tz),
    };
    match guarded(run) {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => strange("UNREADABLE", format!("{error:#}")),
        Err(panic) => strange("PANIC", panic),
    }
}

fn describe(
    case: &ScalarCase,
    expected: &ScalarResult,
    mode: &str,
    tz: &str,
    answer: &Answer,
) -> String {
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
    format!(
        "{} {} {mode} {tz}{kind}: {}{sink}  [{args}]\n    expected {}\n    got      {answer}",
        case.id,
        case.group,
        expr.as_deref().unwrap_or(""),
        golden::describe(expected),
    )
}

/// A verdict for each row, and one for all rows as one batch.
fn pipeline(case: &PipelineCase) -> Vec<Outcome> {
    let head = format!("{} {PIPELINE} {} {}", case.id, case.name, case.tz);
    let pipeline = match guarded(|| case.plan()) {
        Ok(Ok(pipeline)) => pipeline,
        Ok(Err(error)) => {
            return vec![Outcome::Failed(format!("{head}: {error:#}")); case.rows.len()];
        }
        Err(panic) => return vec![Outcome::Failed(format!("{head}: {panic}")); case.rows.len()],
    };
    let mut outcomes: Vec<Outcome> = (0..case.rows.len())
        .map(|row| {
            let difference = guarded(|| case.difference(&pipeline, row)).unwrap_or_else(Some);
            of_difference(difference.map(|text| format!("{head} row {row}: {text}")))
        })
        .collect();
    let whole = guarded(|| case.batch_difference(&pipeline)).unwrap_or_else(Some);
    outcomes.push(of_difference(
        whole.map(|text| format!("{head} as one batch: {text}")),
    ));
    outcomes
}
