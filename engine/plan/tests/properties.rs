//! Functions against plain references, on values made at random: SPLIT_INDEX, SPLIT and the paths of JSON functions.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringViewArray};
use millrace_connector::Diagnostic;
use millrace_functions::EvalContext;
use millrace_plan::{Settings, plan_query};
use proptest::prelude::*;
use serde_json::Value;

/// Evaluates expressions over a column `c` of texts; each gives a text.
fn evaluate(
    exprs: &[String],
    texts: &[Option<String>],
) -> Result<Vec<Vec<Option<String>>>, String> {
    let text = format!(
        "CREATE TABLE t (c STRING) WITH ('connector' = 'test'); SELECT {} FROM t;",
        exprs.join(", ")
    );
    let parsed = millrace_sql::parse(&text);
    assert!(
        !parsed.diagnostics.iter().any(Diagnostic::is_error),
        "{text}"
    );
    let planned = plan_query(&parsed.statements, &Settings::default())
        .map_err(|faults| format!("{text}: {faults:?}"))?;
    let column: ArrayRef = Arc::new(StringViewArray::from_iter(
        texts.iter().map(Option::as_deref),
    ));
    let output = planned.branches[0]
        .program
        .run(&[column], texts.len(), &EvalContext { now_ms: 0 })
        .map_err(|error| error.message)?;
    Ok(output
        .columns
        .iter()
        .map(|column| {
            let column = column.as_string_view();
            (0..texts.len())
                .map(|row| column.is_valid(row).then(|| column.value(row).to_owned()))
                .collect()
        })
        .collect())
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The piece at an index, as `SPLIT_INDEX` has it: the empty text has no pieces.
fn piece(text: &str, separator: &str, index: usize) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    text.split(separator).nth(index).map(str::to_owned)
}

/// A step of a path: a member or an element.
#[derive(Clone, Debug)]
enum Step {
    Member(String, bool),
    Element(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        ("[a-c]", any::<bool>()).prop_map(|(name, brackets)| Step::Member(name, brackets)),
        (0..3_usize).prop_map(Step::Element),
    ];
    prop::collection::vec(step, 0..4)
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z \"\\\\é\n]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c]", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn path(steps: &[Step]) -> String {
    let mut text = String::from("$");
    for step in steps {
        match step {
            Step::Member(name, false) => text.push_str(&format!(".{name}")),
            Step::Member(name, true) => text.push_str(&format!("['{name}']")),
            Step::Element(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

fn walk<'v>(document: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(document, |value, step| match step {
        Step::Member(name, _) => value.as_object()?.get(name),
        Step::Element(index) => value.as_array()?.get(*index),
    })
}

/// What `JSON_VALUE` gives of a value.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

proptest! {
    #[test]
    fn split_index_is_a_plain_split(
        texts in prop::collection::vec(prop::option::of("[ab|é;]{0,16}"), 1..20),
        separator in "[|;]|a|\\|\\||ab|é",
        indexes in prop::collection::vec(0..6_usize, 1..8),
    ) {
        let exprs: Vec<String> = indexes
            .iter()
            .map(|index| format!("SPLIT_INDEX(c, {}, {index})", literal(&separator)))
            .collect();
        let found = evaluate(&exprs, &texts).expect("it is a query");
        for (index, column) in indexes.iter().zip(found) {
            let expected: Vec<Option<String>> = texts
                .iter()
                .map(|text| piece(text.as_deref()?, &separator, *index))
                .collect();
            prop_assert_eq!(column, expected, "{} {}", separator, index);
        }
    }

    #[test]
    fn split_joined_again_is_the_text(
        texts in prop::collection::vec(prop::option::of("[ab|é;]{0,16}"), 1..20),
        separator in "[|;]|a|\\|\\||ab|é",
    ) {
        let separator = literal(&separator);
        let expr = format!("ARRAY_JOIN(SPLIT(c, {separator}), {separator})");
        let found = evaluate(&[expr], &texts).expect("it is a query");
        prop_assert_eq!(&found[0], &texts);
    }

    #[test]
    fn paths_are_plain_walks(
        documents in prop::collection::vec(documents(), 1..8),
        paths in prop::collection::vec(steps(), 1..4),
    ) {
        let texts: Vec<Option<String>> = documents.iter().map(|document| Some(document.to_string())).collect();
        let mut exprs: Vec<String> = paths
            .iter()
            .map(|steps| format!("JSON_VALUE(c, {})", literal(&path(steps))))
            .collect();
        exprs.extend(paths.iter().map(|steps| {
            format!("CAST(JSON_EXISTS(c, {}) AS STRING)", literal(&path(steps)))
        }));
        let found = evaluate(&exprs, &texts).expect("it is a query");
        let (values, exist) = found.split_at(paths.len());
        for (steps, column) in paths.iter().zip(values) {
            let expected: Vec<Option<String>> = documents
                .iter()
                .map(|document| scalar(walk(document, steps)?))
                .collect();
            prop_assert_eq!(column, &expected, "{}", path(steps));
        }
        for (steps, column) in paths.iter().zip(exist) {
            for (document, found) in documents.iter().zip(column) {
                // # Flink: a JSON null does not exist.
                let exists = walk(document, steps).is_some_and(|value| !value.is_null());
                let expected = if exists { "TRUE" } else { "FALSE" };
                prop_assert_eq!(found.as_deref(), Some(expected), "{} {}", path(steps), document);
            }
        }
    }

    #[test]
    fn no_path_and_no_document_panics(path in ".{0,24}", pieces in "[$.\\[\\]'\"*a0-9 ?@()laxstrict]{0,24}", text in ".{0,24}") {
        for path in [path, pieces.clone(), format!("$.{pieces}")] {
            let path = literal(&path);
            let exprs = [
                format!("JSON_VALUE(c, {path})"),
                format!("JSON_QUERY(c, {path})"),
                format!("CAST(JSON_EXISTS(c, {path}) AS STRING)"),
            ];
            // A path may be refused, and a strict one may fail the row.
            let _answer = evaluate(&exprs, &[Some(text.clone()), Some("{\"a\":[1]}".into()), None]);
        }
    }
}
