//! Both dialects of the options, and what is refused before start.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "the harness serves several files of tests")]
mod harness;

use harness::Table;
use millrace_connector::{DeliveryGuarantee, FlinkType, TypeKind};

const APACHE: &[(&str, &str)] = &[("fenodes", "fe:8030"), ("table.identifier", "db.t")];
const SEED: &[(&str, &str)] = &[
    ("jdbc-url", "jdbc:mysql://fe1:9030,fe2:9030"),
    ("load-url", "fe1:8030;fe2:8030"),
    ("database-name", "db"),
    ("table-name", "t"),
];

/// Returns the codes of what is wrong.
fn codes(base: &[(&str, &str)], more: &[(&str, &str)]) -> Vec<&'static str> {
    match Table::new(&[base, more].concat()).check() {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(|fault| fault.code).collect(),
    }
}

fn guarantee(base: &[(&str, &str)], more: &[(&str, &str)]) -> DeliveryGuarantee {
    Table::new(&[base, more].concat())
        .check()
        .unwrap()
        .guarantee()
}

#[test]
fn each_dialect_has_its_own_promise() {
    use DeliveryGuarantee::{AtLeastOnce, ExactlyOnce};
    assert_eq!(guarantee(APACHE, &[]), ExactlyOnce);
    assert_eq!(
        guarantee(APACHE, &[("sink.enable-2pc", "false")]),
        AtLeastOnce
    );
    assert_eq!(
        guarantee(APACHE, &[("sink.enable.batch-mode", "true")]),
        AtLeastOnce
    );
    assert_eq!(guarantee(SEED, &[]), AtLeastOnce);
    assert_eq!(
        guarantee(SEED, &[("sink.semantic", "exactly-once")]),
        ExactlyOnce
    );
    assert_eq!(guarantee(SEED, &[("sink.enable-2pc", "true")]), ExactlyOnce);
}

#[test]
fn the_documents_options_are_taken_as_they_are() {
    let more = [
        ("sink.semantic", "exactly-once"),
        ("sink.max-retries", "5"),
        ("sink.buffer-flush.max-rows", "64000"),
        ("sink.buffer-flush.max-bytes", "300000000"),
        ("sink.buffer-flush.interval-ms", "5000"),
        ("sink.properties.row_delimiter", "\\x02"),
        ("sink.properties.column_separator", "\\x01"),
    ];
    assert_eq!(codes(SEED, &more), Vec::<&str>::new());
    assert_eq!(
        codes(&[SEED, APACHE].concat(), &[]),
        ["MR0125"],
        "other frontends"
    );
    let same = [
        ("fenodes", "fe1:8030,fe2:8030"),
        ("table.identifier", "db.t"),
    ];
    assert_eq!(codes(SEED, &same), Vec::<&str>::new());
}

#[test]
fn contradictions_are_refused() {
    let two_phase = ("sink.enable-2pc", "true");
    assert_eq!(
        codes(APACHE, &[two_phase, ("sink.semantic", "at-least-once")]),
        ["MR0125"]
    );
    assert_eq!(
        codes(APACHE, &[two_phase, ("sink.enable.batch-mode", "true")]),
        ["MR0125"]
    );
    assert_eq!(codes(APACHE, &[("table-name", "u")]), ["MR0125"]);
    assert_eq!(codes(APACHE, &[("sink.properties.label", "x")]), ["MR0125"]);
}

#[test]
fn what_is_not_built_is_refused() {
    for option in [
        ("sink.properties.format", "parquet"),
        ("sink.properties.compress_type", "zstd"),
        ("sink.ignore.commit-error", "true"),
        ("sink.write-mode", "copy"),
    ] {
        assert_eq!(codes(APACHE, &[option]), ["MR0126"], "{option:?}");
    }
    let csv = ("sink.properties.format", "csv");
    let enclose = ("sink.properties.enclose", "'");
    assert_eq!(codes(APACHE, &[csv, enclose]), ["MR0126"]);
}

#[test]
fn what_other_connectors_do_is_taken() {
    for option in [
        ("sink.properties.format", "csv"),
        ("sink.properties.compress_type", "gz"),
        ("sink.properties.compress_type", "lz4"),
        ("sink.ignore.update-before", "false"),
        ("auto-redirect", "false"),
        ("doris.enable.tls", "true"),
        ("sink.load.max-bytes", "100mb"),
        ("jdbc-url", "jdbc:mysql://fe:9030/db?useSSL=true"),
    ] {
        assert_eq!(codes(APACHE, &[option]), Vec::<&str>::new(), "{option:?}");
    }
    let secured = [("fenodes", "https://fe:8030"), APACHE[1]];
    assert_eq!(codes(&secured, &[]), Vec::<&str>::new());
    assert_eq!(
        codes(APACHE, &[("jdbc-url", "jdbc:mysql://fe")]),
        ["MR0102"]
    );
}

#[test]
fn bad_rows_have_a_policy_that_must_be_whole() {
    let url = ("jdbc-url", "jdbc:mysql://fe:9030");
    let policy = |word| ("sink.bad-rows", word);
    let table = ("sink.dead-letter.table", "db.dead");
    assert_eq!(codes(APACHE, &[policy("skip"), url]), Vec::<&str>::new());
    assert_eq!(
        codes(APACHE, &[policy("dead-letter"), table, url]),
        Vec::<&str>::new()
    );
    assert_eq!(
        codes(APACHE, &[policy("skip")]),
        ["MR0125"],
        "nobody tells the columns' bounds"
    );
    assert_eq!(codes(APACHE, &[policy("dead-letter"), url]), ["MR0101"]);
    assert_eq!(codes(APACHE, &[table]), ["MR0125"]);
    assert_eq!(codes(APACHE, &[policy("ignore"), url]), ["MR0102"]);
    let columns = ("sink.properties.columns", "id, v=hll_hash(id)");
    assert_eq!(codes(APACHE, &[policy("skip"), url, columns]), ["MR0125"]);
}

#[test]
fn separators_must_be_two() {
    let same = [
        ("sink.properties.format", "csv"),
        ("sink.properties.column_separator", "\\x01"),
        ("sink.properties.row_delimiter", "\\x01"),
    ];
    assert_eq!(codes(APACHE, &same), ["MR0125"]);
    let arrow = ("sink.properties.format", "arrow");
    assert_eq!(
        codes(APACHE, &[arrow, ("sink.properties.columns", "id")]),
        ["MR0125"]
    );
}

#[test]
fn what_is_missing_or_misspelt_is_told_all_at_once() {
    assert_eq!(codes(&[], &[]), ["MR0101", "MR0101"]);
    assert_eq!(codes(APACHE, &[("sink.max-retry", "1")]), ["MR0103"]);
    assert_eq!(
        codes(&[("fenodes", "fe"), ("table.identifier", "t")], &[]),
        ["MR0102", "MR0102"]
    );
}

#[test]
fn columns_that_doris_cannot_hold_are_shown_by_name() {
    let table = Table::new(APACHE)
        .column("raw", FlinkType::bytes())
        .column("clock", TypeKind::Time(0).nullable());
    let faults = table.check().unwrap_err();
    let messages: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(faults.len(), 2);
    assert!(
        messages[0].starts_with("column 'raw' cannot be written"),
        "{messages:?}"
    );
}

#[test]
fn the_password_is_never_shown() {
    let spec = Table::new(APACHE).check().unwrap();
    assert!(!format!("{spec:?}").contains("p@ss"), "{spec:?}");
}

#[test]
fn what_does_nothing_is_said() {
    let notes = |more: &[(&str, &str)]| {
        let table = Table::new(&[APACHE, more].concat());
        table.check().unwrap().notes().join("; ")
    };
    let separator = ("sink.properties.column_separator", "\\x01");
    assert!(notes(&[separator]).contains("rows go to Doris as lines of JSON"));
    let csv = ("sink.properties.format", "csv");
    assert_eq!(notes(&[separator, csv]), "");
    assert!(notes(&[("sink.enable-delete", "false")]).contains("deletes are left out"));
    assert!(notes(&[("sink.buffer-flush.max-rows", "5")]).contains("loads end at checkpoints"));
}
