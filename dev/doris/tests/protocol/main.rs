//! What a client sees on the wire, byte by byte where it matters.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod models;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use millrace_dev_doris::{
    Column, DorisStandIn, Fault, FaultPoint, Keys, Options, Settings, TableSchema, TransactionState,
};
use serde_json::Value;

struct Client {
    stream: BufReader<TcpStream>,
}

struct Reply {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Client {
    fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        let timeout = std::time::Duration::from_secs(20);
        stream.set_read_timeout(Some(timeout)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
        // root without a password
        head.push_str("Authorization: Basic cm9vdDo=\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        (&stream).write_all(head.as_bytes()).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn chunk(&mut self, data: &str) {
        self.bytes(data.as_bytes());
    }

    fn bytes(&mut self, data: &[u8]) {
        let head = format!("{:x}\r\n", data.len());
        let all = [head.as_bytes(), data, b"\r\n"].concat();
        self.stream.get_mut().write_all(&all).unwrap();
    }

    /// Reads one answer; `None` when the connection ends without one.
    fn reply(&mut self) -> Option<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line).ok()?;
        let status = line.split(' ').nth(1)?.parse().unwrap();
        let (mut length, mut location) = (0, None);
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "location" => location = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        Some(Reply {
            status,
            location,
            body: String::from_utf8(body).unwrap(),
        })
    }
}

const CHUNKED: (&str, &str) = ("Transfer-Encoding", "chunked");
const EXPECT: (&str, &str) = ("Expect", "100-continue");
const JSON: (&str, &str) = ("format", "json");
const LOAD: &str = "/api/db/t/_stream_load";

fn load(doris: &DorisStandIn, headers: &[(&str, &str)], body: &str) -> Option<Reply> {
    let mut all = vec![CHUNKED, EXPECT];
    all.extend_from_slice(headers);
    let mut client = Client::send(&doris.be_address(), "PUT", LOAD, &all);
    let first = client.reply()?;
    if first.status != 100 {
        return Some(first);
    }
    if !body.is_empty() {
        client.chunk(body);
    }
    client.chunk("");
    client.reply()
}

fn two_phase(doris: &DorisStandIn, operation: &str, handle: (&str, &str)) -> Option<Reply> {
    let headers = [
        ("txn_operation", operation),
        handle,
        ("Content-Length", "0"),
    ];
    Client::send(
        &doris.be_address(),
        "PUT",
        "/api/db/_stream_load_2pc",
        &headers,
    )
    .reply()
}

fn table(keys: Keys) -> TableSchema {
    TableSchema {
        db: "db".into(),
        table: "t".into(),
        keys,
        columns: vec![
            Column::new("id", "INT").key(),
            Column::new("name", "VARCHAR(5)"),
            Column::new("amount", "DECIMAL(9,2)"),
        ],
    }
}

fn start(folder: &tempfile::TempDir) -> DorisStandIn {
    let doris = DorisStandIn::start(Options::in_folder(folder.path())).unwrap();
    doris.create_table(table(Keys::Duplicate)).unwrap();
    doris
}

fn ids(doris: &DorisStandIn) -> Vec<i64> {
    let rows = doris.rows("db", "t").unwrap();
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[test]
fn frontend_redirects_before_any_body_byte_and_demands_expect() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let fe = doris.fe_address();
    let reply = Client::send(&fe, "PUT", LOAD, &[CHUNKED]).reply().unwrap();
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["msg"], "There is no 100-continue header");
    let reply = Client::send(&fe, "PUT", LOAD, &[CHUNKED, EXPECT])
        .reply()
        .unwrap();
    assert_eq!(reply.status, 307);
    let expected = format!("http://root:@{}{LOAD}?", doris.be_address());
    assert_eq!(reply.location, Some(expected));
}

#[test]
fn two_phases_hide_rows_until_the_commit_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let headers = [JSON, ("label", "a"), ("two_phase_commit", "true")];
    let reply = load(
        &doris,
        &headers,
        "{\"id\":1}\n{\"id\":\"2\",\"amount\":\"0.5\"}",
    )
    .unwrap();
    let answer = reply.json();
    assert_eq!(answer["Status"], "Success");
    assert_eq!(answer["TwoPhaseCommit"], "true");
    assert_eq!(answer["NumberLoadedRows"], 2);
    assert!(ids(&doris).is_empty());

    let taken = load(&doris, &headers, "").unwrap().json();
    assert_eq!(taken["Status"], "Label Already Exists");
    assert_eq!(taken["ExistingJobStatus"], "PRECOMMITTED");
    assert_eq!(taken["TxnId"], -1);
    let id = answer["TxnId"].to_string();
    let text = format!("Label [a] has already been used, relate to txn [{id}]");
    assert!(taken["Message"].as_str().unwrap().contains(&text));

    drop(doris);
    let doris = start(&folder);
    assert!(ids(&doris).is_empty());
    let reply = two_phase(&doris, "commit", ("txn_id", &id)).unwrap().json();
    assert_eq!(reply["status"], "Success");
    assert_eq!(
        reply["msg"],
        format!("transaction [{id}] commit successfully.")
    );
    assert_eq!(ids(&doris), [1, 2]);
    assert_eq!(doris.rows("db", "t").unwrap()[1]["amount"], "0.50");
    let again = two_phase(&doris, "commit", ("txn_id", &id)).unwrap().json();
    assert_eq!(again["status"], "ANALYSIS_ERROR");
    assert!(
        again["msg"]
            .as_str()
            .unwrap()
            .ends_with("is already visible, not pre-committed.")
    );

    drop(doris);
    assert_eq!(ids(&start(&folder)), [1, 2]);
}

#[test]
fn a_load_of_nothing_with_content_length_is_precommitted() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let headers = [
        ("Content-Length", "0"),
        EXPECT,
        JSON,
        ("label", "e"),
        ("two_phase_commit", "true"),
    ];
    let reply = Client::send(&doris.be_address(), "PUT", LOAD, &headers)
        .reply()
        .unwrap();
    assert_eq!(reply.json()["Status"], "Success");
    let aborted = two_phase(&doris, "abort", ("label", "e")).unwrap().json();
    assert_eq!(aborted["msg"], "label [e] abort successfully.");
    assert_eq!(
        doris.transactions().unwrap()[0].state,
        TransactionState::Aborted
    );
}

#[test]
fn bad_values_are_null_or_filter_their_row() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let body = "{\"id\":1,\"amount\":\"abc\"}";
    assert_eq!(
        load(&doris, &[JSON], body).unwrap().json()["Status"],
        "Success"
    );
    assert_eq!(doris.rows("db", "t").unwrap()[0]["amount"], Value::Null);
    for (strict, body) in [
        ("true", body),
        ("false", "{\"name\":\"x\"}"),
        ("false", "{\"id\":2,\"name\":\"sixsix\"}"),
    ] {
        let answer = load(&doris, &[JSON, ("strict_mode", strict)], body)
            .unwrap()
            .json();
        assert_eq!(answer["Status"], "Fail", "{body}");
        assert!(
            answer["Message"]
                .as_str()
                .unwrap()
                .contains("too many filtered rows")
        );
        let url = answer["ErrorURL"].as_str().unwrap().to_owned();
        let path = url.split_once(&doris.be_address()).unwrap().1.to_owned();
        let log = Client::send(&doris.be_address(), "GET", &path, &[])
            .reply()
            .unwrap();
        assert!(log.body.contains("Reason: "), "{}", log.body);
    }
    assert_eq!(ids(&doris), [1]);
}

#[test]
fn csv_has_nulls_and_separators_in_hex() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let headers = [
        ("column_separator", "\\x01"),
        ("line_delimiter", "\\x02\\x0a"),
    ];
    let answer = load(&doris, &headers, "1\u{1}a\tb\u{1}\\N\u{2}\n2\u{1}\u{1}1")
        .unwrap()
        .json();
    assert_eq!(answer["NumberLoadedRows"], 2, "{answer}");
    let rows = doris.rows("db", "t").unwrap();
    assert_eq!(rows[0]["name"], "a\tb");
    assert_eq!(rows[1]["name"], "");
}

#[test]
fn the_last_row_of_a_key_counts_and_deletes_delete() {
    let folder = tempfile::tempdir().unwrap();
    let doris = DorisStandIn::start(Options::in_folder(folder.path())).unwrap();
    doris.create_table(table(Keys::Unique)).unwrap();
    let columns = ("columns", "`id`,`name`,`__DORIS_DELETE_SIGN__`");
    let row = |id: i64, name: &str, sign: &str| {
        format!("{{\"id\":{id},\"name\":\"{name}\",\"__DORIS_DELETE_SIGN__\":\"{sign}\"}}\n")
    };
    let body = [row(1, "a", "0"), row(2, "b", "0"), row(1, "c", "0")].concat();
    load(&doris, &[JSON, columns], &body).unwrap();
    load(&doris, &[JSON, columns], &row(2, "b", "1")).unwrap();
    let rows = doris.rows("db", "t").unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["name"], "c");
}

#[test]
fn a_sender_that_vanishes_frees_its_label() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let headers = [CHUNKED, EXPECT, JSON, ("label", "v")];
    let mut client = Client::send(&doris.be_address(), "PUT", LOAD, &headers);
    assert_eq!(client.reply().unwrap().status, 100);
    client.chunk("{\"id\":1}");
    assert_eq!(
        load(&doris, &headers[2..], "").unwrap().json()["ExistingJobStatus"],
        "RUNNING"
    );
    drop(client);
    let begun = std::time::Instant::now();
    while doris.transactions().unwrap()[0].state != TransactionState::Aborted {
        assert!(
            begun.elapsed().as_secs() < 10,
            "the transaction is never aborted"
        );
        std::thread::yield_now();
    }
    assert_eq!(
        load(&doris, &headers[2..], "{\"id\":2}").unwrap().json()["Status"],
        "Success"
    );
    assert_eq!(
        load(&doris, &headers[2..], "").unwrap().json()["ExistingJobStatus"],
        "FINISHED"
    );
    assert_eq!(ids(&doris), [2]);
}

#[test]
fn a_prepared_transaction_expires() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let headers = [JSON, ("label", "x"), ("two_phase_commit", "true")];
    let id = load(&doris, &headers, "{\"id\":1}").unwrap().json()["TxnId"].to_string();
    doris.set_settings(Settings {
        precommit_timeout_ms: -1,
        ..Settings::default()
    });
    let reply = two_phase(&doris, "commit", ("txn_id", &id)).unwrap().json();
    let expected =
        format!("transaction [{id}] is already aborted. abort reason: timeout by txn manager");
    assert!(
        reply["msg"].as_str().unwrap().ends_with(&expected),
        "{reply}"
    );
}

#[test]
fn faults_strike_as_often_as_they_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    let fault = |point, times| {
        doris.add_fault(Fault {
            point,
            times,
            after: 0,
        })
    };
    fault(FaultPoint::LoadReplyLost, 1);
    let headers = [JSON, ("label", "l"), ("two_phase_commit", "true")];
    assert!(load(&doris, &headers, "{\"id\":1}").is_none());
    let id = doris.transactions().unwrap()[0].id.to_string();
    fault(FaultPoint::CommitServerError, 1);
    assert_eq!(
        two_phase(&doris, "commit", ("txn_id", &id)).unwrap().status,
        500
    );
    fault(FaultPoint::CommitReplyLost, 1);
    assert!(two_phase(&doris, "commit", ("txn_id", &id)).is_none());
    assert_eq!(ids(&doris), [1]);
    fault(FaultPoint::PublishTimeout, 1);
    assert_eq!(
        load(&doris, &[JSON], "{\"id\":2}").unwrap().json()["Status"],
        "Publish Timeout"
    );
    assert_eq!(ids(&doris), [1, 2]);
}

#[test]
fn what_it_does_not_know_it_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let doris = start(&folder);
    for header in [
        ("partial_columns", "true"),
        ("format", "arrow"),
        ("columns", "id,name=upper(id)"),
        ("where", "id > 1"),
    ] {
        let answer = load(
            &doris,
            &[JSON, header][usize::from(header.0 == "format")..],
            "{\"id\":1}",
        )
        .unwrap()
        .json();
        assert_eq!(answer["Status"], "Fail", "{header:?}");
    }
}
