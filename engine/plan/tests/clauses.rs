//! Clauses and names: what is planned, with the rows it gives, and what is refused.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use millrace_connector::Diagnostic;
use millrace_functions::EvalContext;
use millrace_functions::cast::print::Printer;
use millrace_plan::{FLINK_VERSION, Origin, Pipeline, Settings, plan, plan_query};

fn settings(version: &str) -> Settings {
    let mut settings = Settings::default();
    settings.set(FLINK_VERSION, version, Origin::CommandLine);
    settings
}

fn query(text: &str, version: &str) -> Result<Vec<String>, Vec<Diagnostic>> {
    let parsed = millrace_sql::parse(text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    let planned = plan_query(&parsed.statements, &settings(version))?;
    let mut rows = Vec::new();
    for branch in &planned.branches {
        let output = branch
            .program
            .run(&[], 1, &EvalContext { now_ms: 0 })
            .unwrap_or_else(|error| panic!("{text}: {}", error.message));
        for row in 0..output.rows {
            let cells: Vec<String> = planned
                .columns
                .iter()
                .zip(&output.columns)
                .map(|(column, array)| cell(column, array, row))
                .collect();
            rows.push(cells.join("|"));
        }
    }
    Ok(rows)
}

fn cell(column: &millrace_plan::OutputColumn, array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    if let Some(text) = array.as_string_view_opt() {
        return text.value(row).to_owned();
    }
    let mut text = String::new();
    Printer::new(&column.ty, &jiff::tz::TimeZone::UTC).print(array, row, &mut text);
    text
}

#[track_caller]
fn gives(text: &str, rows: &[&str]) {
    assert_eq!(
        query(text, "2").unwrap_or_else(|e| panic!("{text}: {e:#?}")),
        rows,
        "{text}"
    );
}

#[track_caller]
fn refuses(text: &str, code: &str, words: &str) {
    let found = query(text, "2").expect_err(text);
    let fault = found.iter().find(|fault| fault.code == code);
    let fault = fault.unwrap_or_else(|| panic!("{text}: {found:#?}"));
    assert!(fault.primary.is_some(), "{text}: the fault has no place");
    let told = format!("{} {:?}", fault.message, fault.help);
    assert!(told.contains(words), "{text}: {told}");
}

const LISTS: &str =
    "(VALUES (1, ARRAY['x', 'y']), (2, ARRAY['z']), (3, CAST(NULL AS ARRAY<STRING>))) AS v (a, b)";

#[test]
fn values_have_the_least_restrictive_types() {
    gives(
        "SELECT * FROM (VALUES (1, 'a'), (2, 'bcd')) AS v (a, b)",
        &["1|a", "2|bcd"],
    );
    gives("VALUES (1), (2)", &["1", "2"]);
    gives("SELECT * FROM (VALUES 1, 2) AS t (x)", &["1", "2"]);
    gives(
        "SELECT TYPEOF(a), a FROM (VALUES (1), (2.5)) v (a)",
        &["DECIMAL(11, 1) NOT NULL|1.0", "DECIMAL(11, 1) NOT NULL|2.5"],
    );
    gives(
        "SELECT TYPEOF(a) FROM (VALUES ('a'), ('abc')) v (a)",
        &["VARCHAR(3) NOT NULL", "VARCHAR(3) NOT NULL"],
    );
    gives(
        "SELECT * FROM (VALUES (ROW(1, 'a')), (ROW(2, 'b'))) v (a, b)",
        &["1|a", "2|b"],
    );
    gives("SELECT 1, 'a' AS b", &["1|a"]);
    gives(
        "SELECT 1 AS a UNION ALL SELECT 2.5 UNION ALL VALUES (3)",
        &["1.0", "2.5", "3.0"],
    );
    refuses("SELECT a FROM (VALUES (1), (NULL)) v (a)", "MR0406", "NULL");
    refuses(
        "SELECT a FROM (VALUES (1), ('x')) v (a)",
        "MR0405",
        "common type",
    );
    refuses(
        "SELECT * FROM (VALUES (1, 2), (3)) t (x)",
        "MR0411",
        "length",
    );
}

#[test]
fn unnest_stands_where_flink_has_it() {
    gives(
        &format!("SELECT a, x FROM {LISTS} CROSS JOIN UNNEST(b) AS t (x)"),
        &["1|x", "1|y", "2|z"],
    );
    gives(
        &format!("SELECT a, x FROM {LISTS}, UNNEST(v.b) AS t (x)"),
        &["1|x", "1|y", "2|z"],
    );
    gives(
        &format!("SELECT a, x FROM {LISTS} JOIN UNNEST(b) AS t (x) ON TRUE"),
        &["1|x", "1|y", "2|z"],
    );
    gives(
        &format!("SELECT a, x FROM {LISTS} LEFT JOIN UNNEST(b) AS t (x) ON TRUE"),
        &["1|x", "1|y", "2|z", "3|NULL"],
    );
    gives(
        "SELECT k, v FROM (VALUES (MAP['a', 1])) t (m), UNNEST(m) AS u (k, v)",
        &["a|1"],
    );
    gives(
        "SELECT x, y FROM (VALUES (ARRAY[ROW(1, 'a')])) t (r), UNNEST(r) AS u (x, y)",
        &["1|a"],
    );
    gives(
        "SELECT f FROM (VALUES (ARRAY[ARRAY[1, 2], ARRAY[3]])) v (b), UNNEST(b) AS t (e), UNNEST(e) AS u (f)",
        &["1", "2", "3"],
    );
    refuses(
        &format!("SELECT a FROM {LISTS} LEFT JOIN UNNEST(b) AS t (x) ON x <> 'z'"),
        "MR0504",
        "join condition",
    );
    refuses(
        "SELECT 1 FROM (VALUES (1)) v (a), UNNEST(a) AS t (x)",
        "MR0402",
        "ARRAY, MAP or MULTISET",
    );
}

#[test]
fn ordinality_counts_from_one() {
    let text = format!(
        "SELECT a, x, o, TYPEOF(o) FROM {LISTS} CROSS JOIN UNNEST(b) WITH ORDINALITY AS t (x, o)"
    );
    gives(
        &text,
        &[
            "1|x|1|INT NOT NULL",
            "1|y|2|INT NOT NULL",
            "2|z|1|INT NOT NULL",
        ],
    );
    let kept = format!(
        "SELECT a, x, o FROM {LISTS} LEFT JOIN UNNEST(b) WITH ORDINALITY AS t (x, o) ON TRUE"
    );
    gives(&kept, &["1|x|1", "1|y|2", "2|z|1", "3|NULL|NULL"]);
    gives(
        "SELECT * FROM UNNEST(ARRAY[7, 8]) WITH ORDINALITY",
        &["7|1", "8|2"],
    );
    let refused = query(&text, "1.17").expect_err("1.17 has no ordinality");
    assert!(
        refused.iter().any(|fault| fault.code == "MR0504"),
        "{refused:#?}"
    );
}

#[test]
fn lateral_queries_see_the_row_to_their_left() {
    gives(
        &format!(
            "SELECT a, y FROM {LISTS}, LATERAL (SELECT UPPER(x) || CAST(a AS STRING) FROM UNNEST(b) AS t (x) WHERE x <> 'y') AS l (y)"
        ),
        &["1|X1", "2|Z2"],
    );
    gives(
        &format!(
            "SELECT a, x FROM {LISTS} CROSS JOIN LATERAL (SELECT * FROM UNNEST(v.b) AS t (x)) AS l"
        ),
        &["1|x", "1|y", "2|z"],
    );
    gives(
        &format!(
            "SELECT a, x FROM {LISTS} LEFT JOIN LATERAL (SELECT x FROM UNNEST(b) AS t (x)) AS l ON TRUE"
        ),
        &["1|x", "1|y", "2|z", "3|NULL"],
    );
    // The inner name hides the outer one.
    gives(
        "SELECT l.a FROM (VALUES (1, ARRAY[5])) AS v (a, b), LATERAL (SELECT a FROM UNNEST(b) AS t (a)) AS l",
        &["5"],
    );
    refuses(
        &format!(
            "SELECT 1 FROM {LISTS} LEFT JOIN LATERAL (SELECT x FROM UNNEST(b) AS t (x) WHERE x <> 'y') AS l ON TRUE"
        ),
        "MR0504",
        "LEFT JOIN LATERAL",
    );
    refuses(
        &format!("SELECT 1 FROM {LISTS}, LATERAL TABLE(split_it(b)) AS l (y)"),
        "MR0305",
        "UNNEST",
    );
    refuses(
        &format!("SELECT 1 FROM {LISTS}, LATERAL (SELECT DISTINCT x FROM UNNEST(b) AS t (x)) AS l"),
        "MR0504",
        "DISTINCT",
    );
    for grouped in [
        "SELECT x FROM UNNEST(b) AS t (x) GROUP BY x",
        "SELECT MAX(x) FROM UNNEST(b) AS t (x)",
    ] {
        refuses(
            &format!("SELECT 1 FROM {LISTS}, LATERAL ({grouped}) AS l"),
            "MR0504",
            "GROUP BY",
        );
    }
}

#[test]
fn queries_nest() {
    gives(
        "WITH w AS (SELECT 1 AS a UNION ALL SELECT 2) SELECT b * 10 FROM (SELECT a + 1 AS b FROM w WHERE a > 1) x",
        &["30"],
    );
    gives(
        "CREATE VIEW u AS SELECT 1 AS a; CREATE VIEW v AS SELECT a + 1 AS a FROM u; SELECT a FROM v UNION ALL SELECT a FROM u",
        &["2", "1"],
    );
    refuses(
        "SELECT 1 WHERE 1 IN (SELECT 2) OR TRUE",
        "MR0501",
        "IN with a query",
    );
    refuses(
        "SELECT 1 WHERE EXISTS (SELECT 2) OR TRUE",
        "MR0501",
        "EXISTS",
    );
    refuses("VALUES ((SELECT 1))", "MR0501", "query as a value");
    refuses(
        "SELECT MULTISET['a'] MULTISET UNION MULTISET['b']",
        "MR0501",
        "multisets",
    );
    refuses("SELECT 'a' MEMBER OF MULTISET['b']", "MR0501", "multisets");
}

#[test]
fn later_functions_are_known_unless_1_17_is_asked_for() {
    gives("SELECT SPLIT('a,b', ',')", &["[a, b]"]);
    let refused = query("SELECT SPLIT('a,b', ',')", "1.17").expect_err("1.17 has no SPLIT");
    assert_eq!(refused[0].code, "MR0305");
    assert!(format!("{:?}", refused[0].help).contains(FLINK_VERSION));
    refuses(
        "SELECT SPLITT('a,b', ',')",
        "MR0305",
        "did you mean 'SPLIT'",
    );
    refuses("SELECT db.SPLIT('a,b', ',')", "MR0305", "db.SPLIT");
    refuses("SELECT PARSE_JSON('1')", "MR0502", "PARSE_JSON");
    refuses("SELECT SOURCE_WATERMARK()", "MR0502", "SOURCE_WATERMARK");
}

fn try_plan(text: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    let parsed = millrace_sql::parse(text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    plan(&parsed.statements, &Settings::default())
}

#[track_caller]
fn codes(text: &str) -> Vec<&'static str> {
    let found = try_plan(text).expect_err(text);
    found.iter().map(|fault| fault.code).collect()
}

const SINK: &str = "CREATE TABLE snk (id INT) WITH ('connector' = 'print');";

#[test]
fn names_go_through_catalogs_and_databases() {
    let pipeline = try_plan(&format!(
        "{SINK} CREATE DATABASE d1; USE d1;
         CREATE TABLE t (id INT) WITH ('connector' = 'datagen');
         CREATE CATALOG c2 WITH ('type' = 'generic_in_memory'); USE CATALOG c2; CREATE DATABASE IF NOT EXISTS d5; USE d5;
         CREATE TABLE t (id INT) WITH ('connector' = 'datagen');
         INSERT INTO default_catalog.default_database.snk
           SELECT default_catalog.d1.t.id FROM default_catalog.d1.t WHERE d1.t.id > 1 AND t.id < 9
           UNION ALL SELECT id FROM t;"
    ))
    .unwrap_or_else(|faults| panic!("{faults:#?}"));
    let names: Vec<&str> = pipeline.flows[0]
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    assert_eq!(names, ["d1.t", "c2.d5.t"]);
    gives(
        "CREATE DATABASE d1; USE d1; SELECT CURRENT_DATABASE()",
        &["d1"],
    );
}

#[test]
fn names_that_lead_nowhere_are_told() {
    let insert = "INSERT INTO snk SELECT id FROM";
    assert_eq!(codes(&format!("{SINK} {insert} nodb.t;")), ["MR0308"]);
    assert_eq!(codes(&format!("{SINK} {insert} nocat.db.t;")), ["MR0308"]);
    assert_eq!(
        codes(&format!("{SINK} USE nodb; INSERT INTO snk VALUES (1);")),
        ["MR0308"]
    );
    assert_eq!(
        codes(&format!(
            "{SINK} USE CATALOG nocat; INSERT INTO snk VALUES (1);"
        )),
        ["MR0308"]
    );
    assert_eq!(
        codes(&format!(
            "{SINK} CREATE DATABASE d; CREATE DATABASE d; INSERT INTO snk VALUES (1);"
        )),
        ["MR0304"]
    );
    assert_eq!(
        codes(&format!(
            "{SINK} CREATE CATALOG c WITH ('type' = 'hive'); INSERT INTO snk VALUES (1);"
        )),
        ["MR0504"]
    );
    assert_eq!(
        codes(&format!(
            "{SINK} CREATE TABLE nodb.t (id INT) WITH ('connector' = 'print'); INSERT INTO snk VALUES (1);"
        )),
        ["MR0308"]
    );
    // A database with tables goes only with CASCADE.
    let full = format!(
        "{SINK} CREATE DATABASE d; CREATE TABLE d.t (id INT) WITH ('connector' = 'print'); INSERT INTO snk VALUES (1);"
    );
    assert_eq!(codes(&format!("{full} DROP DATABASE d;")), ["MR0304"]);
    assert!(try_plan(&format!("{full} DROP DATABASE d CASCADE;")).is_ok());
    assert_eq!(
        codes(&format!(
            "{full} DROP DATABASE IF EXISTS e; DROP DATABASE e;"
        )),
        ["MR0308"]
    );
}

#[test]
fn temporary_tables_hide_others() {
    let tables = format!(
        "{SINK} CREATE TABLE t (a INT) WITH ('connector' = 'datagen'); CREATE TEMPORARY TABLE t (b INT) WITH ('connector' = 'datagen');"
    );
    assert!(try_plan(&format!("{tables} INSERT INTO snk SELECT b FROM t;")).is_ok());
    assert!(
        try_plan(&format!(
            "{tables} DROP TEMPORARY TABLE t; INSERT INTO snk SELECT a FROM t;"
        ))
        .is_ok()
    );
    assert_eq!(
        codes(&format!(
            "{tables} DROP TABLE t; INSERT INTO snk VALUES (1);"
        )),
        ["MR0304"]
    );
    assert_eq!(
        codes(&format!(
            "{SINK} DROP VIEW snk; INSERT INTO snk VALUES (1);"
        )),
        ["MR0301"]
    );
}

#[test]
fn watermarks_are_checked_though_nothing_waits_for_them() {
    let with = |column: &str, clause: &str| {
        format!(
            "{SINK} CREATE TABLE t (id INT, {column}, {clause}) WITH ('connector' = 'datagen'); INSERT INTO snk SELECT id FROM t;"
        )
    };
    assert!(
        try_plan(&with(
            "ts TIMESTAMP(3)",
            "WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
        ))
        .is_ok()
    );
    assert!(
        try_plan(&with(
            "ts AS PROCTIME(), x TIMESTAMP_LTZ(3)",
            "WATERMARK FOR x AS x"
        ))
        .is_ok()
    );
    assert_eq!(
        codes(&with("ts STRING", "WATERMARK FOR ts AS ts")),
        ["MR0402", "MR0402"]
    );
    assert_eq!(
        codes(&with("ts TIMESTAMP(6)", "WATERMARK FOR ts AS ts")),
        ["MR0402"]
    );
    assert_eq!(
        codes(&with("ts TIMESTAMP(3)", "WATERMARK FOR nope AS ts")),
        ["MR0302"]
    );
    let nested = with("r ROW<ts TIMESTAMP(3)>", "WATERMARK FOR r.ts AS r.ts");
    assert_eq!(codes(&nested), ["MR0302"]);
    assert_eq!(
        codes(&with("ts TIMESTAMP(3)", "WATERMARK FOR ts AS 'x'")),
        ["MR0402"]
    );
    assert_eq!(
        codes(&with(
            "ts TIMESTAMP(3)",
            "WATERMARK FOR ts AS SOURCE_WATERMARK()"
        )),
        ["MR0501"]
    );
    let read = with("ts TIMESTAMP(3)", "WATERMARK FOR ts AS ts").replace(
        "SELECT id FROM t",
        "SELECT id FROM t WHERE CURRENT_WATERMARK(ts) IS NULL",
    );
    assert_eq!(codes(&read), ["MR0502"]);
}

#[test]
fn an_insert_of_values_is_a_source_of_its_own() {
    let pipeline = try_plan(&format!("{SINK} INSERT INTO snk VALUES (1), (2); INSERT INTO snk SELECT 3; CREATE TABLE o (id INT) WITH ('connector' = 'print'); INSERT INTO o VALUES (4);"))
        .unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(pipeline.flows.len(), 2, "other sinks fail for themselves");
    let names: Vec<&str> = pipeline.flows[0]
        .sources
        .iter()
        .map(|source| source.name.as_str())
        .collect();
    assert_eq!(names, ["values of snk", "values of snk (2)"]);
    assert!(
        pipeline.flows[0]
            .sources
            .iter()
            .all(|source| source.is_one_row)
    );
    assert_eq!(pipeline.flows[0].sources[0].branches.len(), 2);
    assert_eq!(
        codes(&format!("{SINK} INSERT INTO snk VALUES ('a');")),
        ["MR0410"]
    );
    assert_eq!(
        codes(&format!("{SINK} INSERT INTO snk VALUES (1, 2);")),
        ["MR0410"]
    );
    assert_eq!(
        codes(&format!("{SINK} INSERT INTO snk VALUES (NULL);")),
        ["MR0406"]
    );
}
