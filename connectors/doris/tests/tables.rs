//! Tables looked at over the MySQL protocol, each form of a body, rows that do not fit, several nodes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[expect(dead_code, reason = "the harness serves several files of tests")]
mod harness;

use harness::{Pipeline, Table, doris, ids, row_kinds};
use millrace_connector::{ErrorKind, FlinkType, Retry, RowKind, TypeKind};
use millrace_dev_doris::{DorisStandIn, Fault, FaultPoint, Keys, Settings, TransactionState};

fn with_sql(doris: &DorisStandIn) -> Table {
    let url = format!("jdbc:mysql://127.0.0.1:9,{}/db", doris.query_address());
    Table::exactly_once(doris).with("jdbc-url", &url)
}

fn once(doris: &DorisStandIn, table: &Table, ids: &[i64]) {
    let mut pipeline = Pipeline::open(doris, table);
    pipeline.write(1, ids);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
}

/// Makes the dead-letter table as the help says; the stand-in knows no clock in a default.
fn create_letters(doris: &DorisStandIn, help: &str) {
    let sql = help.strip_prefix("create it: ").unwrap();
    let clock = ", `at` DATETIME DEFAULT CURRENT_TIMESTAMP";
    assert!(sql.contains(clock), "{sql}");
    let sql = sql.replace(clock, "");
    doris.execute(sql.trim_end_matches(';')).unwrap();
}

#[test]
fn columns_are_compared_over_the_mysql_port() {
    let (_folder, doris) = doris(Keys::Duplicate);
    once(&doris, &with_sql(&doris), &[1, 2]);
    assert_eq!(ids(&doris), [1, 2]);
    doris
        .execute("CREATE TABLE db.other (id DATE, name VARCHAR(20), amount DECIMAL(9,2), at DATETIME(3), must INT NOT NULL) DUPLICATE KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 1")
        .unwrap();
    let other = with_sql(&doris).with("table.identifier", "db.other");
    let error = Pipeline::try_open(&other).err().unwrap();
    assert_eq!((error.kind, error.retry), (ErrorKind::Config, Retry::Never));
    for part in [
        "✗ BIGINT is never taken",
        "! numbers of more than 7 digits",
        "✗ must have a value",
    ] {
        assert!(error.message.contains(part), "{part}: {error}");
    }
    let help = error.help.unwrap();
    assert!(
        help.contains("ALTER TABLE db.other MODIFY COLUMN"),
        "{help}"
    );
    assert!(Pipeline::try_open(&other.with("sink.schema-check", "warn")).is_ok());
}

#[test]
fn a_missing_table_comes_with_its_create_table() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let table = with_sql(&doris).with("table.identifier", "db.fresh");
    let help = Pipeline::try_open(&table).err().unwrap().help.unwrap();
    let create = help.split("create it: ").nth(1).unwrap();
    doris.execute(create.trim_end_matches(';')).unwrap();
    once(&doris, &table, &[7]);
    assert_eq!(doris.rows("db", "fresh").unwrap().len(), 1);
}

#[test]
fn each_body_brings_the_same_rows() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let json = Table::exactly_once(&doris);
    once(&doris, &json, &[1, 2, 3]);
    let expected = doris.rows("db", "t").unwrap();
    let packed = |table: Table, by: &str| table.with("sink.properties.compress_type", by);
    let csv = || Table::exactly_once(&doris).with("sink.properties.format", "csv");
    let bodies = [
        packed(Table::exactly_once(&doris), "gz"),
        csv(),
        packed(csv(), "gz"),
        csv()
            .with("sink.properties.column_separator", "||")
            .with("sink.properties.row_delimiter", "\\x02\\x0a"),
    ];
    for (at, table) in bodies.iter().enumerate() {
        // A label is used once, so each body is an epoch of its own.
        let epoch = at as u64 + 2;
        let mut pipeline = Pipeline::open(&doris, table);
        pipeline.write(epoch, &[1, 2, 3]);
        let prepared = pipeline.prepare(epoch);
        pipeline.commit(epoch, &prepared);
        let rows = doris.rows("db", "t").unwrap();
        assert_eq!(rows.len(), 3 * (at + 2), "body {at}");
        assert_eq!(&rows[rows.len() - 3..], expected, "body {at}");
    }
}

#[test]
fn arrow_is_sent_only_where_types_are_proven_equal() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let table = with_sql(&doris).with("sink.properties.format", "arrow");
    let refused = table.check().unwrap_err();
    assert!(
        refused[0].message.contains("column 'at'"),
        "{:?}",
        refused[0]
    );
    let table = table.without("at");
    let mut pipeline = Pipeline::open(&doris, &table);
    pipeline.write_short(1, &[1, 2, 3]);
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    let rows = doris.rows("db", "t").unwrap();
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[2]["amount"], "0.1250");
    assert_eq!(rows[2]["name"], "tab\t\"你\n3");
    doris
        .execute("CREATE TABLE db.narrow (id INT, name VARCHAR(20), amount DECIMAL(18,2)) DUPLICATE KEY (id) DISTRIBUTED BY HASH (id) BUCKETS 1")
        .unwrap();
    let error = Pipeline::try_open(&table.with("table.identifier", "db.narrow"))
        .err()
        .unwrap();
    assert_eq!(
        error.message.matches("without conversion").count(),
        2,
        "{error}"
    );
}

#[test]
fn a_csv_body_never_holds_a_broken_row() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let table = Table::exactly_once(&doris)
        .with("sink.properties.format", "csv")
        .with("sink.properties.column_separator", "\\t")
        .with("sink.properties.line_delimiter", "\\n");
    let error = Pipeline::open(&doris, &table)
        .try_write(1, &[1])
        .unwrap_err();
    assert_eq!((error.kind, error.retry), (ErrorKind::Data, Retry::Never));
    assert!(error.message.contains("column 'name'"), "{error}");
}

#[test]
fn rows_that_do_not_fit_are_left_out_or_go_to_their_own_table() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let rows = [
        (1, "good".to_owned()),
        (2, "x".repeat(21)),
        (3, "fine".to_owned()),
    ];
    let table = with_sql(&doris).with("sink.bad-rows", "skip");
    let mut pipeline = Pipeline::open(&doris, &table);
    pipeline.try_write_named(1, &rows).unwrap();
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    assert_eq!(ids(&doris), [1, 3]);
    assert_eq!(pipeline.figure("millrace_doris_bad_rows_total"), 1.0);

    let table = with_sql(&doris)
        .with("sink.bad-rows", "dead-letter")
        .with("sink.dead-letter.table", "db.dead");
    let help = Pipeline::try_open(&table).err().unwrap().help.unwrap();
    create_letters(&doris, &help);
    let mut pipeline = Pipeline::open(&doris, &table);
    pipeline.try_write_named(2, &rows).unwrap();
    let prepared = pipeline.prepare(2);
    assert!(
        doris.rows("db", "dead").unwrap().is_empty(),
        "they come with the good rows"
    );
    pipeline.commit(2, &prepared);
    assert_eq!(ids(&doris), [1, 3, 1, 3]);
    let dead = doris.rows("db", "dead").unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0]["target"], "db.t");
    assert_eq!(dead[0]["column_name"], "name");
    assert_eq!(dead[0]["reason"], "21 bytes, the column takes 20");
    let content: serde_json::Value =
        serde_json::from_str(dead[0]["content"].as_str().unwrap()).unwrap();
    assert_eq!(content["id"], 2);
}

#[test]
fn dead_letters_that_are_lost_are_written_again_without_the_good_rows() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let table = with_sql(&doris)
        .with("sink.bad-rows", "dead-letter")
        .with("sink.dead-letter.table", "db.dead");
    let help = Pipeline::try_open(&table).err().unwrap().help.unwrap();
    create_letters(&doris, &help);
    let rows = [(1, "good".to_owned()), (2, "x".repeat(21))];
    let mut pipeline = Pipeline::open(&doris, &table);
    pipeline.try_write_named(1, &rows).unwrap();
    let prepared = pipeline.prepare(1);
    let mut first = prepared.clone();
    first.0["loads"].as_array_mut().unwrap().truncate(1);
    pipeline.commit(1, &first);
    doris.set_settings(Settings {
        precommit_timeout_ms: -1,
        ..Settings::default()
    });
    let states: Vec<_> = doris
        .transactions()
        .unwrap()
        .iter()
        .map(|one| one.state)
        .collect();
    // The letters' load was begun first.
    assert_eq!(
        states,
        [TransactionState::Aborted, TransactionState::Visible]
    );
    doris.set_settings(Settings::default());
    let mut next = Pipeline::open(&doris, &table);
    next.commit(1, &prepared);
    next.try_write_named(2, &rows).unwrap();
    let prepared = next.prepare(2);
    next.commit(2, &prepared);
    assert_eq!(ids(&doris), [1]);
    assert_eq!(doris.rows("db", "dead").unwrap().len(), 1);
}

#[test]
fn deletes_are_left_out_where_that_is_asked() {
    let (_folder, doris) = doris(Keys::Unique);
    let table = Table::exactly_once(&doris).with("sink.enable-delete", "false");
    let mut pipeline = Pipeline::open(&doris, &table);
    let kinds = [
        RowKind::Insert,
        RowKind::UpdateBefore,
        RowKind::UpdateAfter,
        RowKind::Delete,
    ];
    let rows = [(1, "a"), (1, "a"), (1, "b"), (1, "b")];
    pipeline.write_kinds(1, &rows, Some(&row_kinds(&kinds)));
    let prepared = pipeline.prepare(1);
    pipeline.commit(1, &prepared);
    let rows = doris.rows("db", "t").unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["name"], "b");
    assert_eq!(pipeline.figure("millrace_doris_left_out_rows_total"), 1.0);
}

#[test]
fn a_table_that_keeps_every_row_refuses_changes_by_name() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    let kinds = row_kinds(&[RowKind::Delete]);
    let error = pipeline
        .try_write_kinds(1, &[(1, "a")], Some(&kinds))
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Config);
    assert!(
        error.message.contains("only a UNIQUE table in Doris"),
        "{error}"
    );
}

#[test]
fn any_node_of_a_cluster_may_be_dead() {
    let (_folder, doris) = harness::cluster(Keys::Duplicate);
    let nodes = format!("127.0.0.1:9,{}", doris.fe_addresses().join(","));
    let redirected = Table::exactly_once(&doris).with("fenodes", &nodes);
    let asked = Table::exactly_once(&doris).with("auto-redirect", "false");
    let named = format!("127.0.0.1:9,{}", doris.be_addresses().join(","));
    let direct = Table::exactly_once(&doris).with("benodes", &named);
    for (epoch, table) in (1..).zip([redirected, asked, direct]) {
        let mut pipeline = Pipeline::open(&doris, &table);
        doris.add_fault(Fault {
            point: FaultPoint::FrontendRedirectsToNowhere,
            times: 1,
            after: 0,
        });
        pipeline.write(epoch, &[epoch as i64]);
        let prepared = pipeline.prepare(epoch);
        pipeline.commit(epoch, &prepared);
    }
    assert_eq!(ids(&doris), [1, 2, 3]);
}

#[test]
fn work_is_told_in_figures() {
    let (_folder, doris) = doris(Keys::Duplicate);
    doris.add_fault(Fault {
        point: FaultPoint::LoadTooManyVersions,
        times: 1,
        after: 0,
    });
    let mut pipeline = Pipeline::open(&doris, &Table::exactly_once(&doris));
    pipeline.write(1, &[1, 2, 3]);
    pipeline.prepare(1);
    assert_eq!(pipeline.figure("millrace_doris_loads_total"), 1.0);
    assert_eq!(pipeline.figure("millrace_doris_load_rows_total"), 3.0);
    assert_eq!(pipeline.figure("millrace_doris_overloads_total"), 1.0);
    assert_eq!(pipeline.figure("millrace_doris_load_retries_total"), 1.0);
    assert!(pipeline.figure("millrace_doris_backpressure_seconds_total") >= 0.4);
    assert!(pipeline.figure("millrace_doris_sent_bytes_total") > 100.0);
}

#[test]
fn types_that_no_body_holds_are_told_with_the_format() {
    let (_folder, doris) = doris(Keys::Duplicate);
    let array = TypeKind::Array(Box::new(FlinkType::string())).nullable();
    let csv = Table::exactly_once(&doris)
        .with("sink.properties.format", "csv")
        .column("tags", array);
    let faults = csv.check().unwrap_err();
    assert_eq!(faults[0].code, "MR0127");
    assert!(faults[0].message.contains("CSV body"), "{:?}", faults[0]);
}
