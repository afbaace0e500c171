//! What is inside of collections and rows: missing elements, NULL rows, and fields without their column's name.
//!
//! The answers are those of Flink 1.17.2.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int32Array, StringViewArray};
use millrace_connector::Diagnostic;
use millrace_functions::EvalContext;
use millrace_functions::cast::print::Printer;
use millrace_plan::{Settings, plan_query};
use proptest::prelude::*;

/// A table of the rows `(1, '1')` and `(2, '9')`, and views of it.
const TABLES: &str = "
    CREATE TABLE s (id INT, os STRING) WITH ('connector' = 'test');
    CREATE VIEW v AS SELECT id, CAST(ROW(id, os) AS ROW<x INT, y STRING>) AS r FROM s;
    CREATE VIEW deep AS
        SELECT id, CAST(ROW(ROW(id, os), id) AS ROW<inside ROW<x INT, y STRING>, z INT>) AS r FROM s;
    CREATE VIEW two AS
        SELECT CAST(ROW(id) AS ROW<x INT>) AS a, CAST(ROW(id, id) AS ROW<x INT, w INT>) AS b FROM s;
    CREATE VIEW hidden AS SELECT id AS x, CAST(ROW(id + 10) AS ROW<x INT>) AS r FROM s;
    CREATE VIEW levels AS
        SELECT CAST(ROW(ROW(id)) AS ROW<a ROW<x INT>>) AS far, CAST(ROW(id + 10) AS ROW<x INT>) AS near FROM s;
    CREATE VIEW lists AS SELECT id,
        ARRAY[CAST(NULL AS ROW<n STRING, q INT>), CAST(ROW(os, id) AS ROW<n STRING, q INT>)] AS ar FROM s;
";

fn evaluate(query: &str) -> Result<Vec<String>, Vec<Diagnostic>> {
    let text = format!("{TABLES} {query}");
    let parsed = millrace_sql::parse(&text);
    assert_eq!(parsed.diagnostics, [], "{query}");
    let planned = plan_query(&parsed.statements, &Settings::default())?;
    let all: [ArrayRef; 2] = [
        Arc::new(Int32Array::from(vec![1, 2])),
        Arc::new(StringViewArray::from(vec!["1", "9"])),
    ];
    let mut rows = Vec::new();
    for branch in &planned.branches {
        let output = branch
            .program
            .run(&all, 2, &EvalContext { now_ms: 0 })
            .unwrap_or_else(|error| panic!("{query}: {}", error.message));
        rows.extend((0..output.rows).map(|row| {
            let cells = planned.columns.iter().zip(&output.columns);
            let cells: Vec<String> = cells
                .map(|(column, array)| cell(column, array, row))
                .collect();
            cells.join("|")
        }));
    }
    Ok(rows)
}

fn cell(column: &millrace_plan::OutputColumn, array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    if let Some(text) = array.as_string_view_opt() {
        return format!("'{}'", text.value(row));
    }
    let mut text = String::new();
    Printer::new(&column.ty, &jiff::tz::TimeZone::UTC).print(array, row, &mut text);
    text
}

#[track_caller]
fn gives(query: &str, rows: &[&str]) {
    let found = evaluate(query).unwrap_or_else(|faults| panic!("{query}: {faults:#?}"));
    assert_eq!(found, rows, "{query}");
}

#[track_caller]
fn refuses(query: &str, code: &str, words: &str) {
    let faults = evaluate(query).expect_err(query);
    let codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [code], "{query}: {faults:#?}");
    assert!(
        faults[0].message.contains(words),
        "{query}: {}",
        faults[0].message
    );
}

/// Each expression over `s`, of which the second row's element is missing.
#[test]
fn a_missing_element_is_null_to_what_stands_around_it() {
    for (expr, rows) in [
        (
            "COALESCE(MAP['1','ios','2','android'][os], 'other')",
            ["'ios'", "'other'"],
        ),
        (
            "CASE WHEN id > 0 THEN MAP['1','ios'][os] END",
            ["'ios'", "NULL"],
        ),
        ("IF(id > 0, MAP['1', 7][os], 0)", ["7", "NULL"]),
        ("IFNULL(ARRAY[5][id], 0)", ["5", "0"]),
        ("NULLIF(ARRAY[5][id], 6)", ["5", "NULL"]),
        ("ARRAY[5][id] + 1", ["6", "NULL"]),
        ("-ARRAY[5][id]", ["-5", "NULL"]),
        ("ARRAY[5][id] = -1", ["FALSE", "NULL"]),
        ("ARRAY[5][id] <> -1", ["TRUE", "NULL"]),
        ("ARRAY[5][id] IN (-1, 5)", ["TRUE", "NULL"]),
        ("ARRAY[5][id] BETWEEN -2 AND 9", ["TRUE", "NULL"]),
        ("NOT ARRAY[TRUE][id]", ["FALSE", "NULL"]),
        ("ARRAY[TRUE][id] OR id > 5", ["TRUE", "NULL"]),
        ("CONCAT('x', ARRAY['a'][id])", ["'xa'", "NULL"]),
        ("'x' || ARRAY['a'][id]", ["'xa'", "NULL"]),
        ("CHAR_LENGTH(ARRAY['a'][id])", ["1", "NULL"]),
        ("CAST(ARRAY[5][id] AS STRING)", ["'5'", "NULL"]),
        ("CAST(ARRAY[5][id] AS BIGINT)", ["5", "NULL"]),
        ("CAST(ROW(ARRAY[5][id]) AS STRING)", ["'(5)'", "'(NULL)'"]),
        (
            "CAST(ARRAY[ARRAY[5][id], 1] AS STRING)",
            ["'[5, 1]'", "'[NULL, 1]'"],
        ),
        (
            "JSON_OBJECT('k' VALUE ARRAY[5][id])",
            ["'{\"k\":5}'", "'{\"k\":null}'"],
        ),
        ("GREATEST(ARRAY[5][id], 1)", ["5", "NULL"]),
        ("ARRAY[ARRAY[5]][1][id]", ["5", "-1"]),
        ("ARRAY[5][id] IS NOT DISTINCT FROM -1", ["FALSE", "FALSE"]),
        ("ARRAY[5][id] IS DISTINCT FROM 5", ["FALSE", "TRUE"]),
        ("ARRAY[TRUE][id] IS TRUE", ["TRUE", "FALSE"]),
        ("ARRAY[TRUE][id] IS NOT TRUE", ["FALSE", "TRUE"]),
        ("ARRAY[TRUE][id] IS FALSE", ["FALSE", "FALSE"]),
    ] {
        gives(&format!("SELECT {expr} FROM s"), &rows);
    }
    gives("SELECT id FROM s WHERE ARRAY[5][id] <> 7", &["1"]);
    gives("SELECT id FROM s WHERE ARRAY[TRUE][id] IS NULL", &[]);
    gives(
        "SELECT COALESCE(e, 0), e FROM (SELECT ARRAY[5][id] AS e FROM s) w",
        &["5|5", "0|-1"],
    );
}

#[test]
fn a_column_that_is_nothing_but_a_missing_element_shows_javas_default() {
    gives(
        "SELECT ARRAY[5][id], MAP['1', 'ios'][os], ARRAY[TRUE][id], ARRAY[1.5e0][id] FROM s",
        &["5|'ios'|TRUE|1.5", "-1|''|FALSE|-1.0"],
    );
    gives(
        "SELECT ARRAY[5][id] IS NULL, ARRAY[5][id] IS NOT NULL, ARRAY[CAST(5 AS DECIMAL(5, 1))][id] IS NULL FROM s",
        &["FALSE|TRUE|FALSE", "FALSE|TRUE|FALSE"],
    );
    gives(
        "SELECT ARRAY[DATE '2024-01-02'][id] IS NULL FROM s",
        &["FALSE", "FALSE"],
    );
    gives(
        "SELECT ARRAY[CAST(NULL AS INT), 1][id] FROM s",
        &["NULL", "1"],
    );
    gives(
        "SELECT ARRAY[CAST(NULL AS INT)][id] IS NULL FROM s",
        &["TRUE", "TRUE"],
    );
}

/// Flink folds a constant by itself: as if it were a column.
#[test]
fn a_constant_access_is_a_column_of_its_own() {
    gives("SELECT ARRAY[5][2]", &["-1", "-1"]);
    gives("SELECT COALESCE(ARRAY[5][2], 0)", &["0", "0"]);
    gives("SELECT ARRAY[5][2] IS NULL", &["FALSE", "FALSE"]);
    gives("SELECT COALESCE(ARRAY[5][2], id) FROM s", &["-1", "-1"]);
    gives("SELECT id + ARRAY[5][2] FROM s", &["0", "1"]);
}

#[test]
fn a_null_row_in_a_collection_is_no_row() {
    gives(
        "SELECT id, x.n, x.q FROM lists CROSS JOIN UNNEST(ar) AS x (n, q)",
        &["1|'1'|1", "2|'9'|2"],
    );
    gives(
        "SELECT id, n FROM lists LEFT JOIN UNNEST(ar) AS x (n, q) ON TRUE",
        &["1|'1'", "2|'9'"],
    );
    let none = "SELECT id, ARRAY[CAST(NULL AS ROW<n STRING, q INT>)] AS ar FROM s WHERE id = 1";
    gives(
        &format!("SELECT id, n, q FROM ({none}) w LEFT JOIN UNNEST(ar) AS x (n, q) ON TRUE"),
        &["1|NULL|NULL"],
    );
    gives(
        &format!("SELECT n FROM ({none}) w CROSS JOIN UNNEST(ar) AS x (n, q)"),
        &[],
    );
    gives(
        "SELECT n FROM s CROSS JOIN UNNEST(ARRAY[os, CAST(NULL AS STRING)]) AS x (n) WHERE id = 1",
        &["'1'", "NULL"],
    );
    gives(
        "SELECT k, CARDINALITY(ARRAY[w]) FROM s CROSS JOIN UNNEST(MAP[os, CAST(NULL AS ROW<a INT>)]) AS x (k, w)",
        &["'1'|1", "'9'|1"],
    );
}

#[test]
fn fields_are_seen_without_the_name_of_their_column() {
    for query in [
        "SELECT x, y FROM v WHERE x > 0",
        "SELECT v.x, v.y FROM v",
        "SELECT r.* FROM v",
        "SELECT v.r.* FROM v",
        "SELECT w.r.x, w.y FROM v AS w",
        "SELECT x, y FROM deep",
        "SELECT inside.x, deep.inside.y FROM deep",
        "SELECT r.x, r.inside.y FROM deep",
        "SELECT inside.* FROM deep",
        "SELECT r.inside.* FROM deep",
    ] {
        gives(query, &["1|'1'", "2|'9'"]);
    }
    gives("SELECT x FROM hidden", &["1", "2"]);
    gives("SELECT r.x FROM hidden", &["11", "12"]);
    gives("SELECT x FROM levels", &["11", "12"]);
    gives("SELECT a.x, w FROM two", &["1|1", "2|2"]);
    gives("SELECT * FROM v WHERE x = 1", &["1|(1, 1)"]);
    gives(
        "SELECT n FROM lists CROSS JOIN UNNEST(ARRAY[ar]) AS a (b) CROSS JOIN UNNEST(b) AS c (n, q)",
        &["'1'", "'9'"],
    );
    gives("SELECT COALESCE(x + 1, 0) AS x FROM v", &["2", "3"]);
}

#[test]
fn fields_that_cannot_be_told_apart_are_refused() {
    refuses("SELECT x FROM two", "MR0303", "'x' is ambiguous");
    refuses("SELECT two.x FROM two", "MR0303", "'two.x' is ambiguous");
    refuses("SELECT nope FROM v", "MR0302", "'nope' not found");
    refuses("SELECT r.nope FROM v", "MR0302", "no field 'nope'");
    refuses("SELECT nope.* FROM v", "MR0301", "'nope'");
    refuses("SELECT id.* FROM v", "MR0302", "only a table or a ROW");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Arrays that differ in one element stay two values, wherever it stands.
    #[test]
    fn long_literals_that_nearly_agree_stay_apart(
        length in 1_usize..60,
        place in any::<prop::sample::Index>(),
        texts in any::<bool>(),
        reach in 0_usize..3,
    ) {
        let place = place.index(length);
        let item = |value: usize| match texts {
            true => format!("'v{value}'"),
            false => value.to_string(),
        };
        let array = |changed: usize| {
            let items: Vec<String> = (0..length)
                .map(|index| item(if index == place { changed } else { index }))
                .collect();
            format!("ARRAY[{}]", items.join(","))
        };
        let (a, b) = (array(place), array(999));
        // As columns, as arguments of near-equal calls, and inside of other constants.
        let form = |array: &str| match reach {
            0 => array.to_owned(),
            1 => format!("ARRAY_CONTAINS({array}, {})", item(999)),
            _ => format!("MAP['k', {array}]['k']"),
        };
        let query = format!("SELECT {}, {}, {} FROM s", form(&a), form(&b), form(&a));
        let alone = |array: &str| evaluate(&format!("SELECT {} FROM s", form(array))).unwrap();
        let (first, second) = (alone(&a), alone(&b));
        prop_assert_ne!(&first, &second);
        let expected: Vec<String> = first
            .iter()
            .zip(&second)
            .map(|(a, b)| format!("{a}|{b}|{a}"))
            .collect();
        prop_assert_eq!(evaluate(&query).unwrap(), expected);
    }
}
