//! Every stateful case is answered as Flink 1.17.2 answered it, but for those in `golden/stateful/known-differences.txt`.
//!
//! `UPDATE=1` writes that list anew: it may only get shorter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use millrace_tests::stateful::{self, Case};
use millrace_tests::verdict::Outcome;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/stateful")
}

/// Returns the cases that differ, by id, with their differences.
fn differences() -> BTreeMap<String, String> {
    let mut differing = BTreeMap::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).expect("the folder is in the repository") {
        let path = entry.expect("the folder can be read").path();
        let is_table = path
            .extension()
            .is_some_and(|extension| extension == "jsonl");
        if !is_table {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a golden table is text");
        for line in text.lines().filter(|line| Case::is_line(line)) {
            let case = Case::read(line).expect("a line is a case");
            let (_, verdict) = stateful::verdict(&case, &folder(), false);
            count += 1;
            if let Outcome::Failed(difference) = verdict.outcome {
                differing.insert(verdict.id, difference);
            }
        }
    }
    assert!(count > 700, "the cases are there");
    differing
}

#[test]
fn answers_are_flinks() {
    let list = folder().join("known-differences.txt");
    let differing = differences();
    if std::env::var_os("UPDATE").is_some() {
        let lines: String = differing.keys().map(|id| format!("{id}\n")).collect();
        std::fs::write(&list, lines).expect("the list can be written");
        return;
    }
    let known: BTreeSet<String> = std::fs::read_to_string(&list)
        .expect("the list is in the repository")
        .lines()
        .map(str::to_owned)
        .collect();
    let new: Vec<&str> = differing
        .iter()
        .filter(|(id, _)| !known.contains(*id))
        .map(|(_, text)| text.as_str())
        .collect();
    assert!(new.is_empty(), "new differences:\n{}", new.join("\n"));
    let gone: Vec<&String> = known
        .iter()
        .filter(|id| !differing.contains_key(*id))
        .collect();
    assert!(
        gone.is_empty(),
        "these agree now, take them off the list (UPDATE=1): {gone:?}"
    );
}
