//! Every golden line is answered as Flink 1.17.2 answered it, but for those in `golden/known-differences.txt`.
//!
//! `UPDATE=1` writes that list anew: it may only get shorter.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use millrace_tests::verdict::{Outcome, verdicts};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// Returns the cases that differ, as `id GROUP`, and their differences.
fn differences() -> (BTreeSet<String>, Vec<(String, String)>) {
    let mut names = BTreeSet::new();
    let mut texts = Vec::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(golden())
        .expect("the folder is in the repository")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "jsonl")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are golden tables");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a golden table is text");
        for line in text.lines() {
            for verdict in verdicts(line).unwrap_or_else(|error| panic!("{line}: {error:#}")) {
                if let Outcome::Failed(difference) = verdict.outcome {
                    let name = format!("{} {}", verdict.id, verdict.group);
                    names.insert(name.clone());
                    texts.push((name, difference));
                }
            }
        }
    }
    (names, texts)
}

#[test]
fn answers_are_flinks() {
    let list = golden().join("known-differences.txt");
    let (differing, texts) = differences();
    if std::env::var_os("UPDATE").is_some() {
        let lines: String = differing.iter().map(|name| format!("{name}\n")).collect();
        std::fs::write(&list, lines).expect("the list can be written");
        return;
    }
    let known: BTreeSet<String> = std::fs::read_to_string(&list)
        .expect("the list is in the repository")
        .lines()
        .map(str::to_owned)
        .collect();
    let new: Vec<&str> = texts
        .iter()
        .filter(|(name, _)| !known.contains(name))
        .map(|(_, text)| text.as_str())
        .collect();
    assert!(
        new.is_empty(),
        "{} new differences:\n{}",
        new.len(),
        new.join("\n")
    );
    let gone: Vec<&String> = known.difference(&differing).collect();
    assert!(
        gone.is_empty(),
        "these agree now, take them off the list (UPDATE=1): {gone:?}"
    );
}
