//! Runs golden tables against this engine: `oracle [--group G,…] [--quiet] [--exact] [--answers FILE] FILES…`.
//!
//! Files of stateful cases are run row by row; `--exact` then holds the changes themselves to Flink's, and `--answers` writes
//! what came, a line a case.
//!
//! Prints every difference, a line a group, and the sum; exits with 1 if there is any difference.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use millrace_tests::stateful::{self, Case};
use millrace_tests::verdict::{Outcome, Verdict, group, verdicts};

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
    let (mut quiet, mut exact, mut answers) = (false, false, None);
    let (mut only, mut files) = (Vec::new(), Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quiet" | "-q" => quiet = true,
            "--exact" => exact = true,
            "--answers" => {
                let path = args.next().context("--answers needs a file")?;
                answers = Some(std::fs::File::create(&path).context(path)?);
            }
            "--group" | "-g" => {
                let groups = args.next().context("--group needs a name")?;
                only.extend(groups.split(',').map(str::to_ascii_uppercase));
            }
            option if option.starts_with('-') => bail!("unknown option {option}"),
            file => files.push(file.to_owned()),
        }
    }
    if files.is_empty() {
        bail!("usage: oracle [--group G,…] [--quiet] [--exact] [--answers FILE] FILES…");
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
            let verdicts = if Case::is_line(text) {
                vec![one(text, file, exact, answers.as_mut()).with_context(place)?]
            } else {
                verdicts(text).with_context(place)?
            };
            for verdict in verdicts {
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

/// Runs and judges a stateful case.
fn one(
    text: &str,
    file: &str,
    exact: bool,
    answers: Option<&mut std::fs::File>,
) -> Result<Verdict> {
    let case = Case::read(text)?;
    let folder = Path::new(file).parent().unwrap_or(Path::new("."));
    let (answer, verdict) = stateful::verdict(&case, folder, exact);
    if let Some(answers) = answers {
        writeln!(answers, "{}", serde_json::to_string(&answer)?)?;
    }
    Ok(verdict)
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
