//! The command as a user runs it, without any service.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name)
}

/// Runs the command in the folder of the golden files, without settings from the environment.
fn millrace(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")) {
        command.env_remove(name);
    }
    command
        .args(args)
        .current_dir(golden("."))
        .output()
        .expect("the binary is built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints UTF-8")
}

/// Compares with the golden file; `UPDATE=1` rewrites it.
fn check(name: &str, actual: &str) {
    let path = golden(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, actual).expect("the golden file can be written");
    }
    let expected = std::fs::read_to_string(&path).expect("there is a golden file");
    assert_eq!(actual, expected, "{name}; UPDATE=1 rewrites it");
}

#[test]
fn all_errors_of_a_file_are_told_at_once_in_their_places() {
    let output = millrace(&["check", "many_errors.sql"]);
    assert_eq!(output.status.code(), Some(2));
    check("many_errors.txt", &text(&output.stderr));
    let output = millrace(&["check", "--format", "json", "many_errors.sql"]);
    assert_eq!(output.status.code(), Some(2));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert!(
        found.as_array().is_some_and(|found| found.len() > 5),
        "{found}"
    );
}

#[test]
fn exactly_once_sinks_on_two_clusters_are_refused_with_the_way_out() {
    for command in ["check", "run", "explain"] {
        let output = millrace(&[command, "two_clusters.sql"]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        check("two_clusters.txt", &text(&output.stderr));
    }
}

#[test]
fn a_pipeline_without_services_runs_to_its_end_and_goes_on_from_there() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("numbers.sql");
    let sql = "CREATE TABLE numbers (id INT) WITH ('connector' = 'datagen', 'number-of-rows' = '5',
        'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '5');
      CREATE TABLE shown (id INT, twice INT) WITH ('connector' = 'print', 'print-identifier' = '${mark}');
      INSERT INTO shown SELECT id, id * 2 FROM numbers WHERE id <> 3;";
    std::fs::write(&file, sql).expect("the file can be written");
    let file = file.display().to_string();
    let checkpoints = format!(
        "state.checkpoints.dir={}/checkpoints",
        folder.path().display()
    );
    let run = || {
        millrace(&[
            "run",
            &file,
            "--var",
            "mark=x",
            "-D",
            &checkpoints,
            "-D",
            "parallelism.default=1",
        ])
    };
    let first = run();
    assert_eq!(first.status.code(), Some(0), "{}", text(&first.stderr));
    assert_eq!(
        text(&first.stdout),
        "x> +I[1, 2]\nx> +I[2, 4]\nx> +I[4, 8]\nx> +I[5, 10]\n"
    );
    let again = run();
    assert_eq!(
        (again.status.code(), text(&again.stdout)),
        (Some(0), String::new()),
        "nothing is left to read"
    );
    let listed = millrace(&[
        "checkpoints",
        &file,
        "--var",
        "mark=x",
        "-D",
        &checkpoints,
        "--positions",
    ]);
    assert!(
        text(&listed.stdout).contains("numbers 0-of-1: 0 to 5"),
        "{}",
        text(&listed.stdout)
    );
}

#[test]
fn a_row_that_fails_ends_the_run_with_its_place_and_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("bad.sql");
    let sql = "CREATE TABLE numbers (id INT) WITH ('connector' = 'datagen', 'fields.id.kind' = 'sequence',
        'fields.id.start' = '0', 'fields.id.end' = '5');
      CREATE TABLE shown (id INT) WITH ('connector' = 'blackhole');
      INSERT INTO shown SELECT 10 / id FROM numbers;";
    std::fs::write(&file, sql).expect("the file can be written");
    let output = millrace(&[
        "run",
        &file.display().to_string(),
        "-D",
        "state.checkpoints.dir=memory://",
    ]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("generated row 0") && told.contains("\"help\":"),
        "{told}"
    );
    assert_eq!(
        told.matches("generated row 0").count(),
        1,
        "told once: {told}"
    );
}

#[test]
fn the_demo_writes_every_row_exactly_once() {
    let output = millrace(&["demo", "--rows", "20001"]);
    let told = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{told}\n{}",
        text(&output.stderr)
    );
    let figure = |name: &str| -> String {
        let line = told
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next())
            .unwrap_or_default()
            .to_owned()
    };
    assert_eq!(figure("rows out"), "20,001", "{told}");
    assert_eq!(
        (figure("duplicates"), figure("missing")),
        ("0".into(), "0".into()),
        "{told}"
    );
    assert!(told.contains("\"hostname\":"), "{told}");
}

#[test]
fn the_demo_fills_a_table_of_doris_exactly_once() {
    let output = millrace(&["demo", "--pipeline", "moneyflow", "--rows", "20001"]);
    let told = text(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{told}\n{}",
        text(&output.stderr)
    );
    for (name, expected) in [
        ("rows out", "20,001"),
        ("duplicates", "0"),
        ("missing", "0"),
    ] {
        let line = told
            .lines()
            .find_map(|line| line.trim_start().strip_prefix(name));
        let figure = line.and_then(|line| line.split_whitespace().next());
        assert_eq!(figure, Some(expected), "{name}: {told}");
    }
}

#[test]
fn the_stand_in_for_doris_says_where_it_listens_and_what_it_is() {
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let init = folder.path().join("init.sql");
    std::fs::write(
        &init,
        "CREATE DATABASE d; CREATE TABLE d.t (k INT) UNIQUE KEY(k);",
    )
    .expect("the file can be written");
    let data = folder.path().join("data");
    let start = |init: &Path| {
        Command::new(env!("CARGO_BIN_EXE_millrace"))
            .args(["dev", "doris", "--mysql-port", "0"])
            .args(["--http-port", "0", "--http-port", "0", "--be-port", "0"])
            .args(["--fault", "commit-held:2", "--data-dir"])
            .arg(&data)
            .arg("--init")
            .arg(init)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the binary runs")
    };
    let mut running = start(&init);
    let stdout = running.stdout.take().expect("it is piped");
    let told: Vec<String> = std::io::BufRead::lines(std::io::BufReader::new(stdout))
        .take(4)
        .map_while(Result::ok)
        .collect();
    running.kill().expect("it can be killed");
    running.wait().expect("it ends");
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(told[0].matches("127.0.0.1:").count(), 2, "{told:?}");
    assert!(told[2].starts_with("jdbc-url = jdbc:mysql://"), "{told:?}");
    assert!(told[3].contains("no Doris"), "{told:?}");

    // What it made is there after a kill: it cannot be made twice.
    let again = start(&init).wait_with_output().expect("it ends");
    let said = text(&again.stderr);
    assert_eq!(again.status.code(), Some(1), "{said}");
    assert!(said.contains("database exists"), "{said}");
}

#[test]
fn secrets_are_not_shown() {
    let args = [
        "run",
        "nowhere.sql",
        "-D",
        "s3.secret-key=hunter2",
        "-D",
        "s3.access-key=hunter2",
    ];
    let output = millrace(&args);
    assert_eq!(output.status.code(), Some(2));
    assert!(!text(&output.stderr).contains("hunter2"));
    assert!(text(&output.stderr).contains("nowhere.sql"));
}

#[test]
fn pages_and_completions_are_there() {
    for (args, word) in [
        (["explain", "MR0602"], "two exactly-once sinks"),
        (["completions", "bash"], "millrace"),
        (["functions", "split_index"], "SPLIT_INDEX"),
    ] {
        let output = millrace(&args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(text(&output.stdout).contains(word), "{args:?}");
    }
}

#[test]
fn the_page_of_settings_is_what_the_code_says() {
    let output = millrace(&["dev", "docs", "settings"]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    let page = std::fs::read_to_string(page).expect("docs/settings.md is there");
    assert!(
        page.contains(&text(&output.stdout)),
        "put the output of `millrace dev docs settings` into docs/settings.md"
    );
}
