//! Whole files: what is planned, what is refused, and what the programs give.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, Int32Array, StringViewArray};
use millrace_connector::Diagnostic;
use millrace_functions::EvalContext;
use millrace_plan::{LaneProgram, Output, Pipeline, Settings, plan};

const CONTEXT: EvalContext = EvalContext { now_ms: 0 };

const TABLES: &str = "
    CREATE TABLE src (id INT, line STRING, extra STRING, ts TIMESTAMP(3) METADATA FROM 'timestamp' VIRTUAL)
        WITH ('connector' = 'kafka');
    CREATE TABLE a (id INT, x STRING) WITH ('connector' = 'print');
    CREATE TABLE b (id INT NOT NULL) WITH ('connector' = 'print');
";

fn try_plan(text: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    let text = format!("{TABLES}{text}");
    let parsed = millrace_sql::parse(&text);
    assert_eq!(parsed.diagnostics, []);
    plan(&parsed.statements, &Settings::default())
}

fn planned(text: &str) -> Pipeline {
    try_plan(text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn codes(text: &str) -> Vec<&'static str> {
    try_plan(text)
        .expect_err("the text is wrong")
        .iter()
        .map(|error| error.code)
        .collect()
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(values.to_vec()))
}

fn ints(values: &[Option<i32>]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

fn program(pipeline: &Pipeline) -> &LaneProgram {
    &pipeline.flows[0].sources[0].branches[0].program
}

fn column_texts(output: &Output, index: usize) -> Vec<Option<String>> {
    output.columns[index]
        .as_string_view()
        .iter()
        .map(|text| text.map(str::to_owned))
        .collect()
}

#[test]
fn decodes_only_what_is_read() {
    let pipeline = planned("INSERT INTO b SELECT id FROM src WHERE line <> ''");
    let source = &pipeline.flows[0].sources[0];
    assert_eq!(source.projection.columns, [0, 1]);
    let pipeline = planned("INSERT INTO a SELECT id, CAST(ts AS STRING) FROM src");
    assert_eq!(pipeline.flows[0].sources[0].projection.columns, [0, 3]);
}

#[test]
fn one_source_feeds_two_sinks_of_one_dataflow() {
    let pipeline =
        planned("INSERT INTO a SELECT id, line FROM src; INSERT INTO b SELECT id FROM src;");
    assert_eq!(pipeline.flows.len(), 1);
    let flow = &pipeline.flows[0];
    assert_eq!((flow.sources.len(), flow.sinks.len()), (1, 2));
    let sinks: Vec<usize> = flow.sources[0]
        .branches
        .iter()
        .map(|branch| branch.sink)
        .collect();
    assert_eq!(sinks, [0, 1]);
}

#[test]
fn what_shares_nothing_is_apart() {
    let text = "CREATE TABLE other (id INT) WITH ('connector' = 'kafka');
        INSERT INTO a SELECT id, line FROM src; INSERT INTO b SELECT id FROM other;";
    let pipeline = planned(text);
    let names: Vec<&str> = pipeline
        .flows
        .iter()
        .map(|flow| flow.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn cuts_of_one_text_are_one_pass_across_filter_and_projection() {
    let pipeline = planned(
        "CREATE VIEW v AS SELECT id, LOWER(SPLIT_INDEX(line, '|', 0)) AS kind, SPLIT_INDEX(line, '|', 2) AS x FROM src;
         INSERT INTO a SELECT id, x FROM v WHERE kind = 'money';",
    );
    let text = pipeline.to_string();
    assert_eq!(text.matches("in one pass").count(), 1, "{text}");
    let lines = texts(&[
        Some("Money|1|a"),
        None,
        Some("other|1|b"),
        Some("MONEY|2"),
        Some("money|3|d|e"),
    ]);
    let ids = ints(&[Some(1), Some(2), Some(3), Some(4), Some(5)]);
    let output = program(&pipeline)
        .run(&[ids, lines], 5, &CONTEXT)
        .expect("no row fails");
    assert_eq!(output.kept, Some(vec![0, 3, 4]));
    assert_eq!(
        column_texts(&output, 1),
        [Some("a".to_owned()), None, Some("d".to_owned())]
    );
}

#[test]
fn paths_of_one_document_are_one_pass() {
    let pipeline = planned(
        "CREATE VIEW v AS SELECT id, COALESCE(JSON_VALUE(line, '$.a'), JSON_VALUE(line, '$.b')) AS k, line FROM src;
         INSERT INTO a SELECT id, CASE WHEN k = 'x' THEN JSON_VALUE(line, '$.c') ELSE k END FROM v WHERE k NOT IN ('drop');",
    );
    let text = pipeline.to_string();
    assert_eq!(text.matches("in one pass").count(), 1, "{text}");
    let documents = texts(&[
        Some(r#"{"a":"x","c":1.50}"#),
        Some(r#"{"b":"drop"}"#),
        Some("no document"),
        Some(r#"{"a":null,"b":"y"}"#),
    ]);
    let ids = ints(&[Some(1); 4]);
    let output = program(&pipeline)
        .run(&[ids, documents], 4, &CONTEXT)
        .expect("no row fails");
    assert_eq!(output.kept, Some(vec![0, 3]));
    assert_eq!(
        column_texts(&output, 1),
        [Some("1.5".to_owned()), Some("y".to_owned())]
    );
}

#[test]
fn case_evaluates_only_what_decides() {
    let pipeline = planned(
        "INSERT INTO a SELECT CASE WHEN line = 'n' THEN -1 WHEN id > 0 THEN CAST(line AS INT) ELSE 0 END, line FROM src;",
    );
    let lines = texts(&[Some("7"), Some("n"), Some("bad"), Some("8")]);
    let ids = ints(&[Some(1), Some(1), Some(0), Some(1)]);
    let output = program(&pipeline)
        .run(&[ids, lines], 4, &CONTEXT)
        .expect("the bad row is skipped");
    assert_eq!(
        output.columns[0].as_primitive::<Int32Type>().values(),
        &[7, -1, 0, 8]
    );
}

#[test]
fn a_failing_row_is_counted_in_the_input() {
    let pipeline = planned(
        "INSERT INTO a SELECT IF(id > 1, CAST(line AS INT), 0), line FROM src WHERE id > 0;",
    );
    let lines = texts(&[Some("x"), Some("x"), Some("5"), Some("bad")]);
    let ids = ints(&[Some(0), Some(1), Some(2), Some(3)]);
    let error = program(&pipeline)
        .run(&[ids, lines], 4, &CONTEXT)
        .expect_err("the last row fails");
    assert_eq!(error.row, 3);
}

#[test]
fn logic_stops_where_the_result_is_known() {
    let pipeline =
        planned("INSERT INTO b SELECT id FROM src WHERE id > 0 AND CAST(line AS INT) = 5;");
    let lines = texts(&[Some("bad"), Some("5"), Some("6")]);
    let ids = ints(&[Some(0), Some(1), Some(2)]);
    let output = program(&pipeline)
        .run(&[ids, lines], 3, &CONTEXT)
        .expect("the bad row is not asked");
    assert_eq!(output.kept, Some(vec![1]));
}

#[test]
fn nulls_for_not_null_columns_fail_or_drop() {
    let ids = || ints(&[Some(1), None, Some(3)]);
    let pipeline = planned("INSERT INTO b SELECT id FROM src;");
    let error = program(&pipeline)
        .run(&[ids()], 3, &CONTEXT)
        .expect_err("a NULL fails");
    assert_eq!(error.row, 1);
    let pipeline = planned(
        "SET 'table.exec.sink.not-null-enforcer' = 'DROP'; INSERT INTO b SELECT id FROM src;",
    );
    let output = program(&pipeline)
        .run(&[ids()], 3, &CONTEXT)
        .expect("a NULL is left out");
    assert_eq!(output.kept, Some(vec![0, 2]));
}

#[test]
fn union_all_is_a_branch_each() {
    let pipeline = planned(
        "CREATE TABLE other (id BIGINT) WITH ('connector' = 'kafka');
         CREATE TABLE big (id BIGINT) WITH ('connector' = 'print');
         INSERT INTO big SELECT id FROM src WHERE id > 5 UNION ALL SELECT id FROM other;",
    );
    let flow = &pipeline.flows[0];
    assert_eq!(flow.sources.len(), 2);
    assert!(flow.sources.iter().all(|source| source.branches.len() == 1));
}

#[test]
fn all_errors_are_found_at_once() {
    let found = codes(
        "INSERT INTO a SELECT nope, NVL(line, '') FROM src;
         INSERT INTO missing SELECT id FROM src;
         INSERT INTO b SELECT id FROM src QUALIFY id > 1;
         INSERT INTO a SELECT line, id FROM src;
         INSERT INTO b SELECT CHAR_LENGTH(line) FROM src GROUP BY id;",
    );
    assert_eq!(
        found,
        ["MR0302", "MR0305", "MR0301", "MR0504", "MR0410", "MR0414"]
    );
}

#[test]
fn each_fault_has_its_code() {
    let cases = [
        ("INSERT INTO a SELECT id FROM src", "MR0410"),
        ("INSERT INTO b SELECT UPPER(id) FROM src", "MR0402"),
        ("INSERT INTO b SELECT SPLIT_INDEX(line) FROM src", "MR0401"),
        (
            "INSERT INTO b SELECT CASE WHEN id > 1 THEN 1 ELSE 'x' END FROM src",
            "MR0405",
        ),
        ("INSERT INTO b SELECT NULL FROM src", "MR0406"),
        (
            "INSERT INTO b SELECT 99999999999999999999 FROM src",
            "MR0407",
        ),
        ("INSERT INTO b SELECT id FROM src WHERE id", "MR0408"),
        (
            "INSERT INTO b SELECT id / 0 FROM src; INSERT INTO b SELECT 1 / 0 FROM src",
            "MR0409",
        ),
        (
            "INSERT INTO b SELECT id FROM src WHERE COUNT(*) > 1",
            "MR0413",
        ),
        ("INSERT INTO b SELECT id FROM src GROUP BY line", "MR0414"),
        (
            "INSERT INTO a SELECT ROW_NUMBER() OVER (ORDER BY id), line FROM src",
            "MR0410",
        ),
        (
            "INSERT INTO a SELECT id, LAST_VALUE(line) OVER (ORDER BY id) FROM src",
            "MR0415",
        ),
        ("INSERT INTO b VALUES (MAX(1))", "MR0503"),
        (
            "INSERT INTO b SELECT s.id FROM src AS s JOIN src AS t USING (id)",
            "MR0504",
        ),
        ("INSERT INTO b VALUES ((SELECT 1))", "MR0501"),
        ("SELECT id FROM src", "MR0505"),
        ("CREATE VIEW v AS SELECT 1 AS x", "MR0506"),
        (
            "SET 'table.local-time-zone' = 'Nowhere'; INSERT INTO b SELECT id FROM src",
            "MR0120",
        ),
    ];
    for (text, code) in cases {
        assert_eq!(codes(text)[0], code, "{text}");
    }
}

#[test]
fn what_needs_many_rows_is_a_stage() {
    let cases = [
        ("SELECT DISTINCT id FROM src", "GroupAggregate"),
        (
            "SELECT id FROM src GROUP BY id HAVING COUNT(*) > 1",
            "GroupAggregate",
        ),
        (
            "SELECT s.id FROM src AS s JOIN src AS t ON s.id = t.id",
            "Join",
        ),
        (
            "SELECT id FROM src WHERE id IN (SELECT id FROM src WHERE line = 'x')",
            "Join",
        ),
        (
            "SELECT id FROM src AS s WHERE EXISTS (SELECT 1 FROM src AS t WHERE t.id = s.id)",
            "Join",
        ),
        ("SELECT id FROM src ORDER BY line LIMIT 3", "Rank"),
    ];
    for (query, name) in cases {
        let pipeline = planned(&format!("INSERT INTO b {query};"));
        let flow = &pipeline.flows[0];
        let names: Vec<&str> = flow.stages.iter().map(|stage| stage.node.name()).collect();
        assert_eq!(names, [name], "{query}");
        assert!(
            flow.sources.iter().all(|source| source.branches.is_empty()),
            "{query}"
        );
        assert_eq!(flow.stages[0].branches.len(), 1, "{query}");
    }
}

#[test]
fn names_resolve_as_flink_does() {
    let pipeline = planned(
        "CREATE VIEW v AS SELECT UPPER(line), id, id FROM src;
         INSERT INTO a SELECT v.id0, `EXPR$0` FROM v;",
    );
    let output = program(&pipeline)
        .run(&[ints(&[Some(4)]), texts(&[Some("q")])], 1, &CONTEXT)
        .expect("no row fails");
    assert_eq!(column_texts(&output, 1), [Some("Q".to_owned())]);
}

#[test]
fn computed_columns_are_expanded() {
    let pipeline = planned(
        "CREATE TABLE c (line STRING, n AS CHAR_LENGTH(line)) WITH ('connector' = 'kafka');
         INSERT INTO a SELECT n, line FROM c;",
    );
    assert_eq!(pipeline.flows[0].sources[0].projection.columns, [0]);
    let output = program(&pipeline)
        .run(&[texts(&[Some("four")])], 1, &CONTEXT)
        .expect("no row fails");
    assert_eq!(output.columns[0].as_primitive::<Int32Type>().values(), &[4]);
}

#[test]
fn unnest_gives_a_row_for_each_element() {
    let text = |join: &str| {
        planned(&format!(
            "INSERT INTO a SELECT id * 10 + n, line FROM src {join} UNNEST(
                 CASE WHEN id > 2 THEN ARRAY[id, 7] WHEN id > 1 THEN ARRAY[id] END) AS u (n)
             {} WHERE line <> 'no'",
            if join == "LEFT JOIN" { "ON TRUE" } else { "" },
        ))
    };
    let ids = || ints(&[Some(1), Some(2), Some(3), Some(4)]);
    let lines = || texts(&[Some("a"), Some("b"), Some("c"), Some("no")]);
    let run = |pipeline: &Pipeline| {
        program(pipeline)
            .run(&[ids(), lines()], 4, &CONTEXT)
            .expect("no row fails")
    };
    let values = |output: &Output| {
        output.columns[0]
            .as_primitive::<Int32Type>()
            .iter()
            .collect::<Vec<_>>()
    };

    let output = run(&text("CROSS JOIN"));
    assert_eq!(values(&output), [Some(22), Some(33), Some(37)]);
    assert_eq!(output.kept, Some(vec![1, 2, 2]));
    assert_eq!(values(&run(&text(","))), [Some(22), Some(33), Some(37)]);
    let output = run(&text("LEFT JOIN"));
    assert_eq!(values(&output), [None, Some(22), Some(33), Some(37)]);
    assert_eq!(output.kept, Some(vec![0, 1, 2, 2]));
}

#[test]
fn of_an_option_that_is_set_twice_the_last_value_counts() {
    let text = "CREATE TABLE s (id INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1', 'rows-per-second' = '2');
        INSERT INTO b SELECT id FROM s /*+ OPTIONS('number-of-rows' = '3', 'number-of-rows' = '4') */ WHERE id IS NOT NULL;";
    let pipeline = planned(text);
    let table = &pipeline.flows[0].sources[0].table;
    for (key, value) in [("rows-per-second", "2"), ("number-of-rows", "4")] {
        assert_eq!(table.option(key).unwrap().value, value);
        let warning = format!("option '{key}' is set twice: the last value counts");
        let told = pipeline.warnings.iter().map(|warning| &warning.message);
        assert_eq!(told.filter(|told| **told == warning).count(), 1, "{key}");
    }
}

#[test]
fn or_replace_creates_what_is_not_there() {
    let text = "CREATE OR REPLACE VIEW v AS SELECT id FROM src; INSERT INTO b SELECT id FROM v WHERE id > 0;";
    assert_eq!(planned(text).flows.len(), 1);
    let text = format!("CREATE VIEW v AS SELECT id FROM src; {text}");
    let faults = try_plan(&text).expect_err("v is there");
    assert_eq!(faults[0].code, "MR0304");
    assert!(faults[0].help[0].contains("replaces nothing"));
}

#[test]
fn rows_that_the_enforcer_drops_are_counted() {
    let pipeline = planned(
        "SET 'table.exec.sink.not-null-enforcer' = 'DROP'; INSERT INTO b SELECT id FROM src;",
    );
    let output = program(&pipeline)
        .run(&[ints(&[Some(1), None, None, Some(4)])], 4, &CONTEXT)
        .unwrap();
    assert_eq!((output.rows, output.not_null_dropped), (2, 2));
    assert_eq!(output.kept, Some(vec![0, 3]));
}

#[test]
fn names_may_have_dollars() {
    let pipeline = planned(
        "CREATE TABLE e (id INT, $lib STRING, a$b INT) WITH ('connector' = 'kafka');
         INSERT INTO a SELECT a$b AS $n, $lib FROM e;",
    );
    assert_eq!(pipeline.flows[0].sources[0].projection.columns, [1, 2]);
}
