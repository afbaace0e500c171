//! `millrace run --changes-to-stdout`: what is printed, what is refused, and that nothing is left behind.

use std::process::{Command, Output};

use tempfile::TempDir;

fn run(folder: &TempDir, sql: &str, arguments: &[&str]) -> Output {
    let file = folder.path().join("query.sql");
    std::fs::write(&file, sql).expect("the folder is there");
    Command::new(env!("CARGO_BIN_EXE_millrace"))
        .args(["run", "--changes-to-stdout", "query.sql"])
        .args(arguments)
        .current_dir(folder.path())
        .env_remove("MILLRACE_LOG")
        .output()
        .expect("the binary is built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints UTF-8")
}

const NUMBERS: &str =
    "CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen', 'number-of-rows' = '4',
    'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '4');";

#[test]
fn each_change_is_a_line_and_no_checkpoint_stays() {
    let folder = tempfile::tempdir().unwrap();
    let sql = format!(
        "{NUMBERS} CREATE VIEW odd AS SELECT id, CAST(id AS DECIMAL(5, 1)) AS d FROM numbers WHERE MOD(id, 2) = 1;
         SELECT *, TO_TIMESTAMP_LTZ(id, 0) AS at_time FROM odd;"
    );
    let output = run(&folder, &sql, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "{\"op\":\"+I\",\"row\":{\"id\":1,\"d\":\"1.0\",\"at_time\":\"1970-01-01 00:00:01.000Z\"}}\n\
         {\"op\":\"+I\",\"row\":{\"id\":3,\"d\":\"3.0\",\"at_time\":\"1970-01-01 00:00:03.000Z\"}}\n"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn checkpoints_are_kept_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let sql = format!("{NUMBERS} SELECT id FROM numbers;");
    let output = run(&folder, &sql, &["-D", "state.checkpoints.dir=kept"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(folder.path().join("kept").is_dir());
}

#[test]
fn a_failure_ends_it_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let sql = format!("{NUMBERS} SELECT 1 / (id - 3) AS n FROM numbers;");
    let output = run(&folder, &sql, &[]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(!output.stderr.is_empty());
}

#[test]
fn what_is_no_single_query_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (query, word) in [
        ("", "no query"),
        (
            "SELECT id FROM numbers; SELECT id FROM numbers;",
            "two queries",
        ),
        ("INSERT INTO numbers SELECT id FROM numbers;", "INSERT"),
    ] {
        let output = run(&folder, &format!("{NUMBERS} {query}"), &[]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{query}: {said}");
        assert!(
            said.contains("MR0170") && said.contains(word),
            "{query}: {said}"
        );
    }
}
