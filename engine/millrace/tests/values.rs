//! VALUES and queries without FROM: rows that are written once, through failures and further runs.

use std::process::{Command, Output};

fn run(file: &str, checkpoints: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")) {
        command.env_remove(name);
    }
    let checkpoints = format!("state.checkpoints.dir={checkpoints}");
    command
        .args(["run", file, "-D", &checkpoints])
        .args(["-D", "parallelism.default=1"])
        .output()
        .expect("the binary is built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints UTF-8")
}

/// Returns the printed rows, each without the number of the lane that wrote it.
fn rows(shown: &str) -> Vec<&str> {
    shown
        .lines()
        .map(|line| line.split_once("> ").map_or(line, |(_, row)| row))
        .collect()
}

#[test]
fn rows_of_values_are_written_once() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("values.sql");
    let sql = "CREATE TABLE shown (id INT, name STRING) WITH ('connector' = 'print');
      INSERT INTO shown VALUES (1, 'a'), (2, 'bcd');
      INSERT INTO shown SELECT 3, UPPER('c');
      INSERT INTO shown (name, id) SELECT x, n FROM (VALUES ('d', ARRAY[4, 5])) AS v (x, ns), UNNEST(ns) AS t (n);";
    std::fs::write(&file, sql).expect("the file can be written");
    let file = file.display().to_string();
    let checkpoints = folder.path().join("checkpoints").display().to_string();
    let first = run(&file, &checkpoints);
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    let shown = text(&first.stdout);
    let mut lines = rows(&shown);
    lines.sort_unstable();
    assert_eq!(
        lines,
        ["+I[1, a]", "+I[2, bcd]", "+I[3, C]", "+I[4, d]", "+I[5, d]"]
    );
    let again = run(&file, &checkpoints);
    assert_eq!(
        (again.status.code(), text(&again.stdout)),
        (Some(0), String::new()),
        "the rows were written: {}",
        text(&again.stderr)
    );
}

#[test]
fn values_stand_beside_a_table() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("union.sql");
    let sql = "CREATE TABLE numbers (id INT) WITH ('connector' = 'datagen', 'number-of-rows' = '2',
        'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '2');
      CREATE TABLE shown (id INT) WITH ('connector' = 'print');
      INSERT INTO shown SELECT id FROM numbers UNION ALL VALUES (7) UNION ALL SELECT 8;";
    std::fs::write(&file, sql).expect("the file can be written");
    let output = run(&file.display().to_string(), "memory://");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    let mut lines = rows(&shown);
    lines.sort_unstable();
    assert_eq!(lines, ["+I[1]", "+I[2]", "+I[7]", "+I[8]"]);
}
