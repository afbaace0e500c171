//! What Flink takes is taken, what it refuses is refused: whole files through the command, without any service.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn millrace(args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MILLRACE_")) {
        command.env_remove(name);
    }
    let mut child = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

/// Checks a file and returns the codes of its findings, errors with `!` before them.
fn findings(sql: &str) -> Vec<String> {
    let output = millrace(&["check", "--format", "json", "-"], sql);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let found = found.as_array().expect("an array of findings").iter();
    let code = |one: &serde_json::Value| {
        let mark = if one["severity"] == "error" { "!" } else { "" };
        format!("{mark}{}", one["code"].as_str().expect("a code"))
    };
    found.map(code).collect()
}

/// A kafka table with more options, and what is written of it.
fn kafka(columns: &str, options: &str, rest: &str) -> String {
    format!(
        "CREATE TABLE s ({columns}) WITH ('connector' = 'kafka', 'topic' = 't', 'properties.bootstrap.servers' = 'b:1',
           'scan.startup.mode' = 'earliest-offset'{options});\n{rest}"
    )
}

const TO_PRINT: &str =
    "CREATE TABLE o (a INT) WITH ('connector' = 'print'); INSERT INTO o SELECT a FROM s;";
const FROM_DATAGEN: &str = "CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1'); INSERT INTO s SELECT a FROM g;";

fn datagen(columns: &str, options: &str) -> String {
    format!(
        "CREATE TABLE s (a INT, {columns}) WITH ('connector' = 'datagen', 'number-of-rows' = '1', {options}); {TO_PRINT}"
    )
}

#[test]
fn what_flink_refuses_is_refused() {
    let json = ", 'format' = 'json'";
    let keyed = ", 'key.format' = 'json', 'key.fields' = 'k_b', 'key.fields-prefix' = 'k_', 'value.format' = 'json'";
    for (sql, code) in [
        (
            kafka("a INT, PRIMARY KEY (a) NOT ENFORCED", json, TO_PRINT),
            "!MR0412",
        ),
        (
            kafka("a INT, PRIMARY KEY (a) NOT ENFORCED", json, FROM_DATAGEN),
            "!MR0412",
        ),
        (kafka("a INT, k_b STRING", keyed, TO_PRINT), "!MR0113"),
        (
            kafka(
                "a INT",
                &format!("{json}, 'sink.parallelism' = '0'"),
                FROM_DATAGEN,
            ),
            "!MR0102",
        ),
        (
            kafka(
                "a INT",
                &format!("{json}, 'sink.parallelism' = '-1'"),
                FROM_DATAGEN,
            ),
            "!MR0102",
        ),
        (
            kafka(
                "a INT",
                &format!("{json}, 'sink.partitioner' = 'FIXED'"),
                FROM_DATAGEN,
            ),
            "!MR0102",
        ),
        (kafka("a INT", ", 'format' = 'JSON'", TO_PRINT), "!MR0112"),
        (
            kafka(
                "a INT",
                ", 'format' = 'json', 'json.timestamp-format.standard' = 'sql'",
                TO_PRINT,
            ),
            "!MR0112",
        ),
        (
            kafka(
                "a INT",
                &format!("{json}, 'properties.isolation.level' = 'READ_COMMITTED'"),
                TO_PRINT,
            ),
            "!MR0110",
        ),
        (
            kafka(
                "a INT, b INT",
                ", 'key.format' = 'debezium-json', 'key.fields' = 'b', 'value.format' = 'json'",
                TO_PRINT,
            ),
            "!MR0112",
        ),
        (
            kafka(
                "a INT, r ROW<ts TIMESTAMP(3)>, WATERMARK FOR r.ts AS r.ts",
                json,
                TO_PRINT,
            ),
            "!MR0302",
        ),
        (datagen("t STRING", "'fields.t.min' = '1'"), "!MR0103"),
        (datagen("t BOOLEAN", "'fields.t.length' = '1'"), "!MR0103"),
        (datagen("t INT", "'fields.t.length' = '1'"), "!MR0103"),
        (datagen("t INT", "'fields.t.start' = '1'"), "!MR0103"),
        (datagen("t INT", "'fields.t.min' = '1.5'"), "!MR0102"),
        (datagen("t TINYINT", "'fields.t.max' = '128'"), "!MR0102"),
        (datagen("t DATE", "'fields.t.max-past' = '1 d'"), "!MR0103"),
        (
            datagen("t TIMESTAMP(3)", "'fields.t.max-past' = 'long'"),
            "!MR0102",
        ),
        (datagen("t INT", "'fields.t.kind' = 'RANDOM'"), "!MR0102"),
        (
            datagen(
                "t INT",
                "'fields.t.kind' = 'sequence', 'fields.t.start' = '1', 'fields.t.end' = '2', 'fields.t.max' = '3'",
            ),
            "!MR0103",
        ),
        (
            format!(
                "SET 'table.local-time-zone' = '+08:00'; {}",
                datagen("t INT", "'fields.t.min' = '1'")
            ),
            "!MR0120",
        ),
        (
            format!(
                "SET 'table.local-time-zone' = 'EST'; {}",
                datagen("t INT", "'fields.t.min' = '1'")
            ),
            "!MR0120",
        ),
    ] {
        assert_eq!(findings(&sql), [code], "{sql}");
    }
    let print = "CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
        CREATE TABLE o (a INT) WITH ('connector' = 'print', 'sink.parallelism' = '0'); INSERT INTO o SELECT a FROM g;";
    assert_eq!(findings(print), ["!MR0102"]);
}

#[test]
fn what_flink_takes_is_taken() {
    let twice = "CREATE TABLE s (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1', 'rows-per-second' = '2');";
    for (sql, codes) in [
        (kafka("a INT", ", 'format' = 'json', 'value.format' = 'json'", TO_PRINT), &[][..]),
        (kafka("a INT", ", 'format' = 'json', 'value.format' = 'nonsense'", TO_PRINT), &[]),
        (
            kafka(
                "a INT, tb STRING METADATA FROM 'value.source.table' VIRTUAL, it TIMESTAMP_LTZ(3) METADATA FROM 'value.ingestion-timestamp' VIRTUAL",
                ", 'format' = 'debezium-json'",
                "CREATE TABLE o (a INT, b STRING, c STRING) WITH ('connector' = 'print');
                 INSERT INTO o SELECT a, tb, CAST(it AS STRING) FROM s;",
            ),
            &[],
        ),
        (
            kafka("a INT, tb STRING METADATA FROM 'value.source.table' VIRTUAL", ", 'format' = 'json'", TO_PRINT),
            &["!MR0306"],
        ),
        (format!("{twice} {TO_PRINT}"), &["MR0304"]),
        (
            format!(
                "SET execution.checkpointing.interval = 10s; SET taskmanager.memory.process.size = 2048m; {}",
                datagen("t TIMESTAMP(3)", "'fields.t.max-past' = '1 d'")
            ),
            &[],
        ),
        (
            "CREATE TABLE s (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
             CREATE OR REPLACE VIEW v AS SELECT a FROM s;
             CREATE TABLE o (a INT) WITH ('connector' = 'print'); INSERT INTO o SELECT a FROM v;"
                .to_owned(),
            &[],
        ),
        (
            kafka(
                "id INT, r ROW<x INT, y STRING>",
                ", 'format' = 'json'",
                "CREATE TABLE o (x INT, y STRING) WITH ('connector' = 'print'); INSERT INTO o SELECT x, s.y FROM s WHERE x > 0;
                 INSERT INTO o SELECT s.r.* FROM s; INSERT INTO o SELECT r.* FROM s;",
            ),
            &[],
        ),
    ] {
        assert_eq!(findings(&sql), codes, "{sql}");
    }
}

#[test]
fn a_topic_that_is_read_and_written_is_told() {
    let sink = |topic: &str, brokers: &str| {
        let rest = format!(
            "CREATE TABLE o (a INT) WITH ('connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{brokers}', 'format' = 'json');
             INSERT INTO o SELECT a FROM s;"
        );
        findings(&kafka("a INT", ", 'format' = 'json'", &rest))
    };
    assert_eq!(sink("t", "c:1, b:1"), ["MR0604"]);
    assert_eq!(sink("u", "b:1"), Vec::<String>::new());
    assert_eq!(sink("t", "c:1"), Vec::<String>::new());
    let pattern = "CREATE TABLE s (a INT) WITH ('connector' = 'kafka', 'topic-pattern' = 'out-.*', 'properties.bootstrap.servers' = 'b:1',
           'scan.startup.mode' = 'earliest-offset', 'format' = 'json');
         CREATE TABLE o (a INT) WITH ('connector' = 'kafka', 'topic' = 'out-1', 'properties.bootstrap.servers' = 'b:1', 'format' = 'json');
         INSERT INTO o SELECT a FROM s;";
    assert_eq!(findings(pattern), ["MR0604"]);
}

#[test]
fn a_refused_statement_does_not_make_its_tables_be_judged() {
    let sql = "CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
        CREATE TABLE o (a INT) WITH ('connector' = 'print');
        INSERT INTO o SELEC a FROM g;";
    let found = findings(sql);
    assert!(
        found.iter().all(|code| code.starts_with("!MR02")),
        "{found:?}"
    );
    let sql = "CREATE TABLE unused (a INT) WITH ('connector' = 'print');
        CREATE TABLE other (a INT) WITH ('connector' = 'datagen');
        CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '1');
        CREATE TABLE o (a BIGINT) WITH ('connector' = 'print');
        INSERT INTO o SELECT a FROM g WHERE a > 0 QUALIFY a > 1;";
    assert_eq!(findings(sql), ["!MR0504"]);
}

#[test]
fn a_file_comes_from_standard_input_too() {
    let sql = "CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '2');
        CREATE TABLE o (a INT) WITH ('connector' = 'print'); INSERT INTO o SELECT a FROM g;";
    let output = millrace(
        &[
            "run",
            "-",
            "-D",
            "state.checkpoints.dir=memory://",
            "-D",
            "parallelism.default=1",
        ],
        sql,
    );
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "+I[1]\n+I[2]\n");
    let refused = millrace(&["run", "-"], "SELECT 1;");
    let told = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        told.contains("<stdin>") && told.contains("--changes-to-stdout"),
        "{told}"
    );
}

#[test]
fn dropped_rows_stand_in_the_last_line() {
    let sql = "SET 'table.exec.sink.not-null-enforcer' = 'DROP';
        CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'fields.a.kind' = 'sequence', 'fields.a.start' = '1', 'fields.a.end' = '5');
        CREATE TABLE o (a INT NOT NULL) WITH ('connector' = 'blackhole'); INSERT INTO o SELECT NULLIF(MOD(a, 2), 0) FROM g;";
    let output = millrace(&["run", "-", "-D", "state.checkpoints.dir=memory://"], sql);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let last = told.lines().rfind(|line| line.contains("dataflow ended"));
    let last = last.unwrap_or_else(|| panic!("{told}"));
    assert!(last.contains("2 not-null (o)"), "{last}");
}

#[test]
fn an_unknown_function_has_neighbours() {
    let output = millrace(&["functions", "nope"], "");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told.contains("nearest names: ") && told.contains("NO"),
        "{told}"
    );
    let near = millrace(&["functions", "SPLT_INDEX"], "");
    assert!(String::from_utf8_lossy(&near.stderr).contains("did you mean SPLIT_INDEX?"));
}

#[test]
fn restart_options_of_another_strategy_are_told() {
    let sql = datagen("t INT", "'fields.t.min' = '1'");
    let check = |more: &[&str]| {
        let args: Vec<&str> = ["check", "-"].iter().chain(more).copied().collect();
        String::from_utf8_lossy(&millrace(&args, &sql).stderr).into_owned()
    };
    let attempts = "restart-strategy.fixed-delay.attempts=3";
    let told = check(&["-D", attempts]);
    assert!(
        told.contains("'restart-strategy.fixed-delay.attempts' has no effect: the strategy is 'exponential-delay'"),
        "{told}"
    );
    let told = check(&["-D", attempts, "-D", "restart-strategy.type=fixed-delay"]);
    assert!(!told.contains("has no effect"), "{told}");
}

#[test]
fn bench_says_when_rows_are_too_few() {
    let sql = "CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'number-of-rows' = '100');
        CREATE TABLE o (a INT) WITH ('connector' = 'blackhole'); INSERT INTO o SELECT a FROM g;";
    let output = millrace(&["bench", "-"], sql);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("warning: 100 rows in ") && told.contains("too few to judge by"),
        "{told}"
    );
}

#[test]
fn two_signals_at_once_are_one() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("endless.sql");
    let sql = "CREATE TABLE g (a INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1000');
        CREATE TABLE o (a INT) WITH ('connector' = 'blackhole'); INSERT INTO o SELECT a FROM g;";
    std::fs::write(&file, sql).expect("the file can be written");
    let log = folder.path().join("log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_millrace"))
        .arg("run")
        .arg(&file)
        .args(["-D", "state.checkpoints.dir=memory://"])
        .stderr(std::fs::File::create(&log).expect("it can be made"))
        .spawn()
        .expect("the binary is built");
    let told = || std::fs::read_to_string(&log).unwrap_or_default();
    while !told().contains("running") {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(
            child.try_wait().expect("it can be asked").is_none(),
            "{}",
            told()
        );
    }
    let id = child.id().to_string();
    for _ in 0..2 {
        let signal = Command::new("kill").args(["-TERM", &id]).status();
        assert!(signal.is_ok());
    }
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", told());
    assert!(!told().contains("stopping at once"), "{}", told());
}
