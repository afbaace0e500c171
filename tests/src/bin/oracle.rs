//! Runs golden tables against this engine: `oracle [--group G,…] [--quiet] [--exact] [--answers FILE] FILES…`.
//!
//! Files of stateful cases are told by their form; `--exact` compares their changes, `--answers` writes what the engine answers.
//!
//! Prints every difference, a line a group, and the sum; exits with 1 if there is any difference.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use millrace_tests::stateful::judge::judge;
use millrace_tests::stateful::{Answer, Case, run};
use millrace_tests::verdict::{Outcome, group, verdicts};

#[derive(Default)]
struct Score {
    passed: usize,
    failed: usize,
    skipped: usize,
}

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn line(text: &str) {
    println!("{text}");
}

fn main() -> Result<ExitCode> {
    let (mut quiet, mut only, mut files) = (false, Vec::new(), Vec::new());
    let (mut exact, mut answers) = (false, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quiet" | "-q" => quiet = true,
            "--group" | "-g" => {
                let groups = args.next().context("--group needs a name")?;
                only.extend(groups.split(',').map(str::to_ascii_uppercase));
            }
            "--exact" => exact = true,
            "--answers" => {
                let file = args.next().context("--answers needs a file")?;
                answers = Some(std::fs::File::create(&file).with_context(|| file.clone())?);
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
    let mut scores: BTreeMap<String, Score> = BTreeMap::new();
    for file in &files {
        let text = std::fs::read_to_string(file).with_context(|| file.clone())?;
        for (number, text) in text.lines().enumerate() {
            let place = || format!("{file}:{}", number + 1);
            if !only.is_empty() && !only.contains(&group(text).with_context(place)?) {
                continue;
            }
            let value: serde_json::Value = serde_json::from_str(text).with_context(place)?;
            if Case::is_one(&value) {
                let case = Case::read(text).with_context(place)?;
                let folder = Path::new(file).parent().unwrap_or(Path::new("."));
                let (answer, outcome) = stateful(&case, folder, exact);
                if let (Some(answers), Some(answer)) = (&mut answers, answer) {
                    writeln!(answers, "{}", serde_json::to_string(&answer)?)?;
                }
                let score = scores
                    .entry(format!("{} {}", case.group, case.mode))
                    .or_default();
                match outcome {
                    Ok(()) => score.passed += 1,
                    Err(difference) => {
                        score.failed += 1;
                        if !quiet {
                            line(&format!(
                                "{} {} {}: {difference}",
                                case.id, case.group, case.name
                            ));
                        }
                    }
                }
                continue;
            }
            for verdict in verdicts(text).with_context(place)? {
                let score = scores.entry(verdict.group).or_default();
                match verdict.outcome {
                    Outcome::Passed => score.passed += 1,
                    Outcome::Skipped => score.skipped += 1,
                    Outcome::Failed(difference) => {
                        score.failed += 1;
                        if !quiet {
                            line(&difference);
                        }
                    }
                }
            }
        }
    }
    Ok(summary(&scores))
}

/// Answers and judges a stateful case.
fn stateful(case: &Case, folder: &Path, exact: bool) -> (Option<Answer>, Result<(), String>) {
    if case.unstable {
        return (None, Ok(()));
    }
    let answered = std::panic::catch_unwind(|| run::answer(case, folder));
    match answered {
        Ok(Ok(answer)) => {
            let outcome = match case.internal_error {
                true => Ok(()),
                false => judge(case, &answer, exact),
            };
            (Some(answer), outcome)
        }
        Ok(Err(error)) => (None, Err(format!("not understood: {error:#}"))),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            (None, Err(format!("panicked: {}", text.unwrap_or_default())))
        }
    }
}

fn summary(scores: &BTreeMap<String, Score>) -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for (group, score) in scores {
        let total = score.passed + score.failed;
        let skipped = match score.skipped {
            0 => String::new(),
            count => format!(" ({count} skipped)"),
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
