//! The reference pipelines plan as they were published.

use std::path::Path;

use millrace_plan::{Pipeline, Settings, plan};

fn planned(name: &str) -> Pipeline {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name);
    let text = std::fs::read_to_string(path).expect("the seed is in the repository");
    let parsed = millrace_sql::parse(&text);
    let shown = |diagnostics: &[millrace_connector::Diagnostic]| {
        millrace_sql::render(diagnostics, name, &text, false)
    };
    assert!(
        parsed.diagnostics.is_empty(),
        "{}",
        shown(&parsed.diagnostics)
    );
    plan(&parsed.statements, &Settings::default())
        .unwrap_or_else(|errors| panic!("{}", shown(&errors)))
}

#[test]
fn filebeat_reads_each_column_as_it_is() {
    let pipeline = planned("tests/seeds/filebeat.sql");
    assert_eq!(pipeline.flows.len(), 1);
}

#[test]
fn moneyflow_splits_its_line_once() {
    let pipeline = planned("sql-examples/moneyflow_kafka/pipeline.sql");
    let text = pipeline.to_string();
    assert_eq!(text.matches("SPLIT_INDEX at '|'").count(), 1, "{text}");
}

#[test]
fn ads_read_each_document_once() {
    let pipeline = planned("tests/seeds/ads.sql");
    let flow = &pipeline.flows[0];
    assert_eq!(
        (pipeline.flows.len(), flow.sources.len(), flow.sinks.len()),
        (1, 2, 1)
    );
    let text = pipeline.to_string();
    // The document of each source, and the document inside of it.
    assert_eq!(text.matches("in one pass").count(), 4, "{text}");
}

#[test]
fn changes_of_two_tables_are_two_dataflows() {
    let pipeline = planned("tests/seeds/mysql_to_doris.sql");
    assert_eq!(pipeline.flows.len(), 2);
}
