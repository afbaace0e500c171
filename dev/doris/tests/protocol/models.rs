//! Models of tables and forms of bodies.

use std::sync::Arc;

use arrow_array::{ArrayRef, Decimal128Array, Int32Array, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use millrace_dev_doris::{Aggregation, Column, DorisStandIn, Keys, Options, TableSchema};
use serde_json::{Value, json};
use std::io::Write;

use crate::{CHUNKED, Client, EXPECT, JSON, LOAD, load};

fn with(columns: Vec<Column>, keys: Keys) -> (tempfile::TempDir, DorisStandIn) {
    let folder = tempfile::tempdir().unwrap();
    let doris = DorisStandIn::start(Options {
        more_http_ports: vec![0],
        more_be_ports: vec![0],
        ..Options::in_folder(folder.path())
    })
    .unwrap();
    doris
        .create_table(TableSchema {
            db: "db".into(),
            table: "t".into(),
            keys,
            columns,
        })
        .unwrap();
    (folder, doris)
}

fn send(doris: &DorisStandIn, headers: &[(&str, &str)], body: &[u8]) -> Value {
    let mut all = vec![CHUNKED, EXPECT];
    all.extend_from_slice(headers);
    let mut client = Client::send(&doris.be_address(), "PUT", LOAD, &all);
    let first = client.reply().unwrap();
    if first.status != 100 {
        return first.json();
    }
    for piece in body.chunks(100) {
        client.bytes(piece);
    }
    client.chunk("");
    client.reply().unwrap().json()
}

fn loaded(doris: &DorisStandIn, headers: &[(&str, &str)], body: &[u8]) {
    let answer = send(doris, headers, body);
    assert_eq!(answer["Status"], "Success", "{answer}");
}

fn rows(doris: &DorisStandIn) -> Vec<String> {
    let rows = doris.rows("db", "t").unwrap();
    let line = |row: &Value| {
        let cells: Vec<String> = row
            .as_object()
            .unwrap()
            .values()
            .map(Value::to_string)
            .collect();
        cells.join(" ")
    };
    rows.iter().map(line).collect()
}

fn plain() -> Vec<Column> {
    vec![
        Column::new("k", "INT").key(),
        Column::new("name", "VARCHAR(5)"),
        Column::new("amount", "DECIMAL(9,2)"),
    ]
}

#[test]
fn aggregate_tables_merge_each_column_in_its_way() {
    let of = |name: &str, ty: &str, way| Column::new(name, ty).aggregated(way);
    let columns = vec![
        Column::new("k", "INT").key(),
        of("total", "DECIMAL(9,2)", Aggregation::Sum),
        of("least", "INT", Aggregation::Min),
        of("most", "INT", Aggregation::Max),
        of("last", "VARCHAR(5)", Aggregation::Replace),
        of("kept", "VARCHAR(5)", Aggregation::ReplaceIfNotNull),
    ];
    let (_folder, doris) = with(columns, Keys::Aggregate);
    let row = |total: &str, n: i64, text: Value| {
        json!({"k": 1, "total": total, "least": n, "most": n, "last": text, "kept": text})
            .to_string()
            + "\n"
    };
    let body = row("1.50", 5, json!("a")) + &row("-0.25", 10, json!("b"));
    loaded(&doris, &[JSON], body.as_bytes());
    loaded(&doris, &[JSON], row("2", 7, Value::Null).as_bytes());
    assert_eq!(rows(&doris), [r#"1 "3.25" 5 10 null "b""#]);
    let (_folder, doris) = with(plain(), Keys::Duplicate);
    let refused = send(
        &doris,
        &[JSON, ("partial_columns", "true"), ("columns", "k,name")],
        b"",
    );
    assert_eq!(refused["Status"], "Fail");
}

#[test]
fn partial_updates_leave_other_columns_as_they_are() {
    let (_folder, doris) = with(plain(), Keys::Unique);
    loaded(&doris, &[JSON], br#"{"k":1,"name":"a","amount":1}"#);
    let partial = [JSON, ("partial_columns", "true"), ("columns", "k,amount")];
    loaded(
        &doris,
        &partial,
        b"{\"k\":1,\"amount\":2}\n{\"k\":2,\"amount\":3}",
    );
    assert_eq!(rows(&doris), [r#"1 "a" "2.00""#, r#"2 null "3.00""#]);
    loaded(
        &doris,
        &[JSON, ("columns", "k,amount")],
        br#"{"k":1,"amount":4}"#,
    );
    assert_eq!(rows(&doris)[0], r#"1 null "4.00""#);
    loaded(
        &doris,
        &[JSON, ("merge_type", "DELETE"), ("columns", "k")],
        br#"{"k":2}"#,
    );
    assert_eq!(rows(&doris).len(), 1);
    let hidden = [JSON, ("hidden_columns", "__DORIS_DELETE_SIGN__")];
    loaded(&doris, &hidden, br#"{"k":1,"__DORIS_DELETE_SIGN__":1}"#);
    assert!(rows(&doris).is_empty());
}

#[test]
fn a_sequence_column_says_which_row_is_newer() {
    let mut columns = plain();
    columns[2] = columns[2].clone().sequence();
    let (_folder, doris) = with(columns, Keys::Unique);
    let sign = ("columns", "k,name,amount,__DORIS_DELETE_SIGN__");
    let row = |name: &str, amount: i64, sign: i64| {
        json!({"k": 1, "name": name, "amount": amount, "__DORIS_DELETE_SIGN__": sign}).to_string()
    };
    loaded(&doris, &[JSON, sign], row("new", 20, 0).as_bytes());
    loaded(&doris, &[JSON, sign], row("old", 10, 0).as_bytes());
    loaded(&doris, &[JSON, sign], row("gone", 19, 1).as_bytes());
    assert_eq!(rows(&doris), [r#"1 "new" "20.00""#]);
    loaded(&doris, &[JSON, sign], row("gone", 20, 1).as_bytes());
    assert!(rows(&doris).is_empty());

    doris
        .execute("CREATE TABLE db.s (k INT, v INT) UNIQUE KEY(k) PROPERTIES('function_column.sequence_type' = 'BIGINT')")
        .unwrap();
    let load_s = |headers: &[(&str, &str)], body: &str| {
        let mut all = vec![CHUNKED, EXPECT, JSON];
        all.extend_from_slice(headers);
        let mut client = Client::send(&doris.be_address(), "PUT", "/api/db/s/_stream_load", &all);
        if client.reply().unwrap().status == 100 {
            client.chunk(body);
            client.chunk("");
        }
        doris.rows("db", "s").unwrap()
    };
    load_s(
        &[("function_column.sequence_col", "v")],
        "{\"k\":1,\"v\":5}\n{\"k\":1,\"v\":4}\n",
    );
    assert!(
        load_s(&[], "{\"k\":2,\"v\":1}\n").len() <= 1,
        "the sequence column was not named"
    );
}

#[test]
fn packed_bodies_are_unpacked() {
    let (_folder, doris) = with(plain(), Keys::Duplicate);
    let body: String = (0..500)
        .map(|k| format!("{{\"k\":{k},\"name\":\"n{}\"}}\n", k % 7))
        .collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(body.as_bytes()).unwrap();
    loaded(
        &doris,
        &[JSON, ("compress_type", "gz")],
        &gzip.finish().unwrap(),
    );
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::fast());
    deflate.write_all(body.as_bytes()).unwrap();
    loaded(
        &doris,
        &[JSON, ("compress_type", "deflate")],
        &deflate.finish().unwrap(),
    );
    assert_eq!(rows(&doris).len(), 1000);
    assert_eq!(
        send(&doris, &[JSON, ("compress_type", "zstd")], b"")["Status"],
        "Fail"
    );
}

#[test]
fn paths_find_values_in_nested_objects_and_arrays_are_taken_apart() {
    let (_folder, doris) = with(plain(), Keys::Duplicate);
    let paths = [
        JSON,
        ("strip_outer_array", "true"),
        ("columns", "k,name"),
        ("jsonpaths", "[\"$.id\", \"$.who.name\"]"),
    ];
    loaded(
        &doris,
        &paths,
        br#"[{"id":1,"who":{"name":"a"}},{"id":"2"}]"#,
    );
    assert_eq!(rows(&doris), [r#"1 "a" null"#, "2 null null"]);
}

fn arrow(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn arrow_streams_are_read_one_behind_the_other() {
    let (_folder, doris) = with(plain(), Keys::Duplicate);
    let amounts = Decimal128Array::from(vec![Some(150), None])
        .with_precision_and_scale(9, 2)
        .unwrap();
    let batch = RecordBatch::try_from_iter([
        ("k", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        (
            "name",
            Arc::new(StringArray::from(vec![Some("a\"\n"), None])),
        ),
        ("amount", Arc::new(amounts)),
    ])
    .unwrap();
    let format = ("format", "arrow");
    loaded(&doris, &[format], &[arrow(&batch), arrow(&batch)].concat());
    assert_eq!(rows(&doris)[..2], [r#"1 "a\"\n" "1.50""#, "2 null null"]);
    assert_eq!(rows(&doris).len(), 4);
    let wrong =
        RecordBatch::try_from_iter([("k", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)])
            .unwrap();
    let answer = send(&doris, &[format, ("columns", "k")], &arrow(&wrong));
    assert!(
        answer["Message"]
            .as_str()
            .unwrap()
            .contains("cannot take the arrow type"),
        "{answer}"
    );
    let cut = &arrow(&batch)[..200];
    assert_eq!(send(&doris, &[format], cut)["Status"], "Fail");
}

#[test]
fn redirects_go_to_each_backend_in_turn_and_any_commits() {
    let (_folder, doris) = with(plain(), Keys::Duplicate);
    let backends = doris.be_addresses();
    let target = || {
        let reply = Client::send(&doris.fe_address(), "PUT", LOAD, &[CHUNKED, EXPECT])
            .reply()
            .unwrap();
        let location = reply.location.unwrap();
        backends
            .iter()
            .position(|be| location.contains(be))
            .unwrap()
    };
    let turns = [target(), target(), target()];
    assert!(turns == [0, 1, 0] || turns == [1, 0, 1], "{turns:?}");
    let headers = [JSON, ("label", "two"), ("two_phase_commit", "true")];
    assert_eq!(
        load(&doris, &headers, "{\"k\":1}").unwrap().json()["Status"],
        "Success"
    );
    let commit = [
        ("txn_operation", "commit"),
        ("label", "two"),
        ("Content-Length", "0"),
    ];
    let reply = Client::send(&backends[1], "PUT", "/api/db/_stream_load_2pc", &commit)
        .reply()
        .unwrap();
    assert_eq!(reply.json()["status"], "Success");
    assert_eq!(rows(&doris).len(), 1);
}

#[test]
fn the_state_of_a_label_is_known_to_the_master() {
    let (_folder, doris) = with(plain(), Keys::Duplicate);
    load(&doris, &[JSON, ("label", "known")], "{\"k\":1}").unwrap();
    let frontends = doris.fe_addresses();
    let path = "/api/db/get_load_state?label=known";
    let other = Client::send(&frontends[1], "GET", path, &[])
        .reply()
        .unwrap();
    assert_eq!(other.status, 307);
    assert_eq!(
        other.location,
        Some(format!("http://{}{path}", frontends[0]))
    );
    let state = Client::send(&frontends[0], "GET", path, &[])
        .reply()
        .unwrap();
    assert_eq!(state.json()["data"], "VISIBLE");
    let schema = Client::send(&frontends[1], "GET", "/api/db/t/_schema", &[])
        .reply()
        .unwrap();
    let schema = schema.json();
    assert_eq!(schema["data"]["keysType"], "DUP_KEYS");
    assert_eq!(schema["data"]["properties"][2]["scale"], "2");
}
