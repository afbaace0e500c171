//! Whether an answer is what Flink gave.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::materialised::Materialised;
use super::{Answer, Case, Change, Failure, Outputs, Step};

/// Judges an answer; with `exact` the changes themselves must be Flink's where a case says that they can be.
///
/// # Errors
/// What is wrong.
pub fn judge(case: &Case, answer: &Answer, exact: bool) -> Result<(), String> {
    let is_early = |failure: &Failure| matches!(failure.phase.as_str(), "validate" | "plan");
    if let Some(error) = case.error.as_ref().filter(|error| is_early(error)) {
        return match &answer.error {
            Some(failure) if is_early(failure) => Ok(()),
            _ => Err(format!("must be refused before it runs: {}", error.msg)),
        };
    }
    if let (Some(failure), None) = (&answer.error, &case.error) {
        return Err(format!("must not fail: {} {}", failure.phase, failure.msg));
    }
    types(case, answer)?;
    if case.plan_only {
        return Ok(());
    }
    if let Some(error) = &case.error {
        let same_step = |failure: &&Failure| {
            failure.phase == "run" && failure.step.is_none_or(|step| Some(step) == error.step)
        };
        if answer.error.as_ref().filter(same_step).is_none() {
            return Err(format!("must fail while running, at step {:?}", error.step));
        }
    }
    let is_any = |how: &Option<String>| how.as_deref() == Some("any");
    if is_any(&case.compare) || is_any(&case.result) {
        return Ok(());
    }
    if case.is_batch() {
        return batch(case, answer);
    }
    let got = streaming(case, answer, exact)?;
    match got {
        Some(rows) => result(case, &rows),
        None => Ok(()),
    }
}

fn types(case: &Case, answer: &Answer) -> Result<(), String> {
    let (Some(wanted), Some(got)) = (&case.types, &answer.types) else {
        return Ok(());
    };
    if wanted == got {
        return Ok(());
    }
    let show = |columns: &[(String, String)]| {
        let columns = columns.iter().map(|(name, ty)| format!("{name} {ty}"));
        columns.collect::<Vec<_>>().join(", ")
    };
    Err(format!("types {} instead of {}", show(got), show(wanted)))
}

fn batch(case: &Case, answer: &Answer) -> Result<(), String> {
    if case.error.is_some() {
        return Ok(());
    }
    let Some(rows) = &answer.rows else {
        return Err("no rows".to_owned());
    };
    if let Some(ordered) = &case.rows {
        let same = rows.as_array() == Some(ordered);
        return if same {
            Ok(())
        } else {
            Err(format!(
                "rows or their order differ: {} instead of {}",
                cut(rows),
                cut(&Value::from(ordered.clone()))
            ))
        };
    }
    let rows = match rows {
        Value::Object(sinks) => {
            let sorted = sinks
                .iter()
                .map(|(name, rows)| (name.clone(), sorted(rows)));
            Value::Object(sorted.collect())
        }
        rows => sorted(rows),
    };
    result(case, &rows)
}

fn sorted(rows: &Value) -> Value {
    let mut rows: Vec<Value> = rows.as_array().cloned().unwrap_or_default();
    rows.sort_by_key(Value::to_string);
    Value::from(rows)
}

/// Compares step by step; `None` = judged already.
fn streaming(case: &Case, answer: &Answer, exact: bool) -> Result<Option<Value>, String> {
    let tail: Outputs = answer
        .end
        .iter()
        .flat_map(|(_, outputs)| outputs.clone())
        .collect();
    if let Some(free) = case.final_free.as_ref().filter(|_| answer.error.is_none()) {
        let mut all = Materialised::new(case);
        all.add(&answer.start);
        answer.steps.iter().for_each(|step| all.add(step));
        all.add(&tail);
        if all.rows() == *free {
            return Ok(None);
        }
    }
    let mut mine = Materialised::new(case);
    if case.steps.is_some() {
        compare_steps(case, answer, exact, &tail, &mut mine)?;
    } else {
        answer.steps.iter().for_each(|step| mine.add(step));
        mine.add(&tail);
        if exact {
            compare_counts(case, answer, &tail)?;
        }
    }
    Ok(case.error.is_none().then(|| mine.rows()))
}

fn compare_steps(
    case: &Case,
    answer: &Answer,
    exact: bool,
    tail: &Outputs,
    mine: &mut Materialised,
) -> Result<(), String> {
    let steps = case.steps.as_deref().unwrap_or_default();
    let compare = case.compare.as_deref().unwrap_or("list");
    let mut theirs = Materialised::new(case);
    let want_end: Outputs = case
        .end
        .iter()
        .flat_map(|(_, outputs)| outputs.clone())
        .collect();
    let nothing = Vec::new();
    let count = steps.len() - usize::from(case.error.is_some());
    let mut blocks = vec![("start".to_owned(), &answer.start, &case.start)];
    for (index, Step(_, want)) in steps[..count].iter().enumerate() {
        let got = answer.steps.get(index).unwrap_or(&nothing);
        blocks.push((index.to_string(), got, want));
    }
    if case.error.is_none() {
        blocks.push(("end".to_owned(), tail, &want_end));
    }
    for (at, got, want) in blocks {
        mine.add(got);
        theirs.add(want);
        if matches!(compare, "list" | "bag") && mine.view() != theirs.view() {
            return Err(format!(
                "step {at}: {} instead of {}",
                shown(got),
                shown(want)
            ));
        }
        let differs = match compare {
            "list" => got != want,
            "bag" => bag(got) != bag(want),
            _ => false,
        };
        if exact && at != "end" && differs {
            let (got, want) = (shown(got), shown(want));
            return Err(format!("step {at}: changelog {got} instead of {want}"));
        }
    }
    Ok(())
}

fn compare_counts(case: &Case, answer: &Answer, tail: &Outputs) -> Result<(), String> {
    let Some(counts) = &case.counts else {
        return Ok(());
    };
    let mut got = serde_json::Map::new();
    for change in answer.steps.iter().flatten().chain(tail) {
        let count = got.get(&change.kind).and_then(Value::as_u64).unwrap_or(0);
        got.insert(change.kind.clone(), Value::from(count + 1));
    }
    if got == *counts {
        Ok(())
    } else {
        Err(format!("counts {got:?} instead of {counts:?}"))
    }
}

fn result(case: &Case, got: &Value) -> Result<(), String> {
    if let Some(want) = &case.result_rows {
        return if got == want {
            Ok(())
        } else {
            Err(format!("final {} instead of {}", cut(got), cut(want)))
        };
    }
    let Some(digest) = &case.final_digest else {
        return Ok(());
    };
    let rows = got.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut hasher = Sha256::new();
    for row in rows {
        hasher.update(row.to_string());
        hasher.update("\n");
    }
    let sum: String = hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if rows.len() == digest.rows && sum == digest.sha256 {
        Ok(())
    } else {
        Err(format!(
            "final: {} rows, other digest ({} rows)",
            rows.len(),
            digest.rows
        ))
    }
}

fn bag(changes: &[Change]) -> Vec<String> {
    let texts = changes.iter().map(|change| Value::from(change.clone()));
    let mut texts: Vec<String> = texts.map(|value| value.to_string()).collect();
    texts.sort();
    texts
}

fn shown(changes: &[Change]) -> String {
    let texts = changes.iter().map(|change| Value::from(change.clone()));
    cut(&Value::from_iter(texts))
}

fn cut(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
