//! Plans: what EXPLAIN shows, what rules leave alone, and how large a text may be.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{ArrayRef, Int32Array, StringViewArray};
use millrace_connector::Diagnostic;
use millrace_functions::EvalContext;
use millrace_plan::{ExplainedPlan, Output, Pipeline, Settings, explain, plan};

const TABLES: &str = "
    CREATE TABLE src (k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
        WITH ('connector' = 'kafka');
    CREATE TABLE a (k INT, x STRING) WITH ('connector' = 'print');
    CREATE TABLE d (x DOUBLE, y DOUBLE) WITH ('connector' = 'print');
";

fn parsed(text: &str) -> Vec<millrace_connector::Spanned<millrace_sql::ast::Statement>> {
    let parsed = millrace_sql::parse(&format!("{TABLES}{text}"));
    assert_eq!(parsed.diagnostics, []);
    parsed.statements
}

fn try_plan(text: &str) -> Result<Pipeline, Vec<Diagnostic>> {
    plan(&parsed(text), &Settings::default())
}

fn planned(text: &str) -> Pipeline {
    try_plan(text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn explained(text: &str) -> Vec<ExplainedPlan> {
    explain(&parsed(text), &Settings::default()).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

/// Runs the one program of a pipeline over rows of `k` and `s`.
fn run(pipeline: &Pipeline, k: &[i32], s: &[&str]) -> Result<Output, String> {
    let source = &pipeline.flows[0].sources[0];
    let columns: Vec<ArrayRef> = source
        .projection
        .columns
        .iter()
        .map(|column| match column {
            0 => Arc::new(Int32Array::from(k.to_vec())) as ArrayRef,
            1 => Arc::new(StringViewArray::from(s.to_vec())),
            other => panic!("column {other} is not for this test"),
        })
        .collect();
    let ctx = EvalContext { now_ms: 0 };
    let output = source.branches[0].program.run(&columns, k.len(), &ctx);
    output.map_err(|error| error.message)
}

#[test]
fn explain_shows_the_plan_before_and_behind_the_rules() {
    let plans = explained(
        "CREATE VIEW v AS SELECT k, SPLIT_INDEX(s, '|', 0) AS x, ts FROM src WHERE k > 0;
         EXPLAIN INSERT INTO a SELECT k, x FROM v WHERE x <> '';",
    );
    assert_eq!(plans.len(), 1);
    let logical = "\
Sink: a  [k INT, x STRING]
  Projection: k, x  [k INT, x STRING]
    Projection: k, x  [k INT, x STRING]
      Filter: (x <> '')  [k INT, x STRING, ts TIMESTAMP(3) *ROWTIME*]
        SubqueryAlias: v  [k INT, x STRING, ts TIMESTAMP(3) *ROWTIME*]
          Projection: k, SPLIT_INDEX(s, '|', 0) AS x, ts  [k INT, x STRING, ts TIMESTAMP(3) *ROWTIME*]
            Filter: (k > 0)  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*]
              SubqueryAlias: src  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*]
                WatermarkAssigner  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*]
                  Projection: k, s, tags, ts, (ts - 5000) AS $watermark  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*, $watermark TIMESTAMP(3)]
                    TableScan: src  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*]
";
    assert_eq!(plans[0].logical.to_string(), logical);
    let optimised = "\
Sink: a  [k INT, x STRING]
  Projection: k, x  [k INT, x STRING]
    SubqueryAlias: v  [k INT, x STRING]
      Projection: k, SPLIT_INDEX(s, '|', 0) AS x  [k INT, x STRING]
        SubqueryAlias: src  [k INT, s STRING]
          Filter: ((k > 0) AND (SPLIT_INDEX(s, '|', 0) <> ''))  [k INT, s STRING]
            Projection: k, s  [k INT, s STRING]
              WatermarkAssigner  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*]
                Projection: k, s, tags, ts, (ts - 5000) AS $watermark  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*, $watermark TIMESTAMP(3)]
                  TableScan: src  [k INT, s STRING, tags ARRAY<STRING>, ts TIMESTAMP(3) *ROWTIME*]
";
    assert_eq!(plans[0].optimised.to_string(), optimised);
    let physical = plans[0].physical.to_string();
    let scan = "    LaneScan: src (kafka), decodes 2 of 4 columns  [k INT, s STRING]\n";
    assert!(physical.ends_with(scan), "{physical}");
    let fused = "\
  Fused: 2 columns, 1 computed, 2 filters  [k INT, x STRING]
      | where (k > 0)
      | where (SPLIT_INDEX(s, '|', 0) <> '')
      | x = SPLIT_INDEX(s, '|', 0)
";
    assert!(physical.contains(fused), "{physical}");
}

#[test]
fn explain_has_other_forms() {
    let plans = explained("EXPLAIN JSON_EXECUTION_PLAN SELECT k FROM src;");
    assert!(plans[0].wants_json);
    let json = plans[0].to_json();
    assert_eq!(json["physical"]["node"], "Fused");
    assert_eq!(json["physical"]["columns"][0]["type"], "INT");
    let pieces = explained(
        "EXPLAIN SELECT SPLIT_INDEX(s, '|', 0), SPLIT_INDEX(s, '|', 2), t FROM src CROSS JOIN UNNEST(tags) AS u (t);",
    );
    let steps = &pieces[0].physical.steps;
    assert_eq!(steps[0], "unnest tags");
    assert_eq!(
        steps[steps.len() - 1],
        "in one pass: SPLIT_INDEX at '|', fields [0, 2]"
    );
    let graph = plans[0].physical.to_graphviz("p");
    assert!(graph.contains("n1 -> n0;"), "{graph}");
    let all = explained("INSERT INTO a SELECT k, s FROM src; SELECT k FROM src;");
    let titles: Vec<&str> = all.iter().map(|plan| plan.title.as_str()).collect();
    assert_eq!(titles, ["INSERT INTO a", "SELECT"]);
}

#[test]
fn explain_in_a_pipeline_runs_nothing() {
    let pipeline =
        planned("EXPLAIN INSERT INTO a SELECT k, s FROM src; INSERT INTO a SELECT 1, 'x';");
    assert_eq!(pipeline.flows[0].sources.len(), 1);
    assert_eq!(pipeline.warnings[0].code, "MR0510");
}

#[test]
fn a_filter_of_a_view_protects_the_filter_over_it() {
    let pipeline = planned(
        "CREATE VIEW v AS SELECT k, CAST(s AS INT) AS n FROM src WHERE k > 0;
         INSERT INTO a SELECT k, 'x' FROM v WHERE n > 0;",
    );
    let output =
        run(&pipeline, &[0, 1, 0, 2], &["no", "1", "", "0"]).expect("only numbers are cast");
    assert_eq!(output.columns[0].as_primitive::<Int32Type>().values(), &[1]);
}

#[test]
fn filters_and_cases_stay_lazy() {
    let pipeline = planned(
        "INSERT INTO a SELECT CASE WHEN k > 0 THEN CAST(s AS INT) ELSE 0 END, 'x' FROM src
         WHERE k >= 0 AND (k = 0 OR CAST(s AS INT) < 9);",
    );
    let output = run(&pipeline, &[-1, 0, 1], &["a", "b", "7"]).expect("the rest is skipped");
    let values = output.columns[0].as_primitive::<Int32Type>();
    assert_eq!(values.values(), &[0, 7]);
}

#[test]
fn a_random_value_that_is_read_twice_is_one_value() {
    let pipeline = planned(
        "CREATE VIEW v AS SELECT k, RAND() AS r FROM src;
         INSERT INTO d SELECT r, r FROM v WHERE r >= 0;",
    );
    let output = run(&pipeline, &[1, 2, 3], &["", "", ""]).expect("nothing can fail");
    let column = |index: usize| output.columns[index].as_primitive::<Float64Type>().clone();
    assert_eq!(column(0), column(1));
}

/// Returns views on views: each body is made of the name of the one before.
fn views(count: usize, body: impl Fn(&str) -> String) -> String {
    let mut text = "CREATE VIEW v0 AS SELECT s AS p, s AS q FROM src;\n".to_owned();
    for number in 1..=count {
        let before = format!("v{}", number - 1);
        writeln!(text, "CREATE VIEW v{number} AS {};", body(&before)).expect("a String grows");
    }
    text
}

#[test]
fn what_views_share_does_not_multiply() {
    let started = Instant::now();
    let text = views(60, |before| {
        format!("SELECT p || q AS p, q || p AS q FROM {before}")
    });
    planned(&format!(
        "{text} INSERT INTO a SELECT 1, p FROM v60 WHERE q <> 'x';"
    ));
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_text_that_is_too_large_is_refused() {
    let refused = |text: &str| {
        let started = Instant::now();
        let errors = try_plan(text).expect_err("the text is too large");
        assert_eq!(errors[0].code, "MR0509", "{errors:#?}");
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{:?}",
            started.elapsed()
        );
    };
    let deep = views(1_100, |before| format!("SELECT p, q FROM {before}"));
    refused(&format!("{deep} INSERT INTO a SELECT 1, p FROM v1100;"));
    let wide = views(40, |before| {
        format!("SELECT p, q FROM {before} UNION ALL SELECT p, q FROM {before}")
    });
    refused(&format!("{wide} INSERT INTO a SELECT 1, p FROM v40;"));
    let columns: Vec<String> = (0..4_001).map(|number| format!("k AS c{number}")).collect();
    refused(&format!(
        "CREATE VIEW w AS SELECT {} FROM src; INSERT INTO a SELECT c1, 'x' FROM w;",
        columns.join(", ")
    ));
}

#[test]
fn deep_views_are_planned() {
    let text = views(200, |before| {
        format!("SELECT UPPER(p) AS p, q FROM {before} WHERE p <> 'x'")
    });
    planned(&format!("{text} INSERT INTO a SELECT 1, p FROM v200;"));
}

#[test]
fn the_longest_chain_of_union_all_is_planned() {
    let rows = " UNION ALL SELECT k, s FROM src".repeat(499);
    let pipeline = planned(&format!("INSERT INTO a SELECT k, s FROM src{rows};"));
    assert_eq!(pipeline.flows[0].sources[0].branches.len(), 500);
}

#[test]
fn the_deepest_expressions_run_and_deeper_ones_are_refused() {
    let cases = |count: usize| {
        let text = views(count, |before| {
            format!(
                "SELECT CASE WHEN CHAR_LENGTH(p) > {count} THEN q WHEN p = 'x' THEN UPPER(p) ELSE LOWER(p) END AS p, q FROM {before}"
            )
        });
        format!("{text} INSERT INTO a SELECT 1, p FROM v{count};")
    };
    let pipeline = planned(&cases(200));
    let source = &pipeline.flows[0].sources[0];
    let input: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from(vec!["a", "x", "b"]))];
    let ctx = EvalContext { now_ms: 0 };
    let output = source.branches[0].program.run(&input, 3, &ctx);
    assert_eq!(output.expect("nothing can fail").rows, 3);
    let wide: Vec<&str> = vec!["s"; 450];
    planned(&format!(
        "INSERT INTO a SELECT k, {} FROM src;",
        wide.join(" || ")
    ));
}
