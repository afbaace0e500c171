//! Recording from a real server.

use std::sync::Arc;

use millrace_mysql_cdc::decode::{Columns, RowDecoder};
use millrace_mysql_cdc::definition::TableDefinition;
use mysql::prelude::Queryable;
use mysql::{BinlogDumpFlags, BinlogRequest, Conn, Opts, Row, Value};

use crate::cases::{self, Case};
use crate::recording::{Recording, Recordings};
use crate::{decode, show};

pub(crate) fn all(url: &str, server: &str) -> Recordings {
    let mut recordings = Recordings::new();
    let mut wrong = Vec::new();
    for case in cases::all().into_iter().filter(|case| case.is_for(server)) {
        let mut recording = one(url, server, &case);
        let rows = decode(&case, &recording, &case.options());
        let inserted: Vec<_> = rows
            .iter()
            .filter_map(|row| row.strip_prefix("+I "))
            .map(str::to_owned)
            .collect();
        // The changes that follow the inserts are seen in the binary log only.
        let inserted: Vec<_> = inserted.into_iter().take(case.rows.len()).collect();
        let selected = select(url, &case, &recording);
        if inserted != selected {
            wrong.push(format!(
                "{}:\n  binary log {inserted:#?}\n  query      {selected:#?}",
                case.name
            ));
        }
        recording.rows = rows;
        recordings.insert(case.name.to_owned(), recording);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    recordings
}

fn connect(url: &str) -> Conn {
    let opts = Opts::from_url(url).expect("a URL");
    let mut conn = Conn::new(opts).expect("a server");
    for statement in [
        "SET time_zone='+00:00'",
        "SET NAMES utf8mb4",
        "SET sql_mode='ALLOW_INVALID_DATES'",
    ] {
        conn.query_drop(statement).expect(statement);
    }
    conn
}

fn one(url: &str, server: &str, case: &Case) -> Recording {
    let mut conn = connect(url);
    conn.query_drop("CREATE DATABASE IF NOT EXISTS `values`")
        .expect("a database");
    conn.query_drop("USE `values`").expect("the database");
    conn.query_drop(format!("DROP TABLE IF EXISTS {}", case.name))
        .expect("no table");
    for statement in case.before {
        conn.query_drop(statement).expect(statement);
    }
    conn.query_drop(format!("CREATE TABLE {} {}", case.name, case.create))
        .expect(case.name);
    let statement = match server {
        "mysql" => "SHOW BINARY LOG STATUS",
        _ => "SHOW MASTER STATUS",
    };
    let status: Row = conn
        .query_first(statement)
        .expect(statement)
        .expect("a row");
    let file: String = status.get(0).expect("a file");
    let position: u64 = status.get(1).expect("a position");
    for row in case.rows {
        let statement = format!("INSERT INTO {} VALUES ({row})", case.name);
        conn.query_drop(&statement).expect(&statement);
    }
    // So that the SELECT sees what the inserts wrote.
    for statement in case.after {
        conn.query_drop(statement).expect(statement);
    }
    let create: Row = conn
        .query_first(format!("SHOW CREATE TABLE {}", case.name))
        .expect(case.name)
        .expect("a row");
    let mut recording = Recording {
        create: create.get(1).expect("the definition"),
        ..Recording::default()
    };
    let request = BinlogRequest::new(77_001)
        .with_filename(file.as_bytes())
        .with_pos(position)
        .with_flags(BinlogDumpFlags::BINLOG_DUMP_NON_BLOCK);
    let mut dump = connect(url);
    dump.query_drop("SET @master_binlog_checksum='CRC32'")
        .expect("checksums");
    let mut map = Vec::new();
    for event in dump.get_binlog_stream(request).expect("a dump") {
        let event = event.expect("an event");
        match event.header().event_type_raw() {
            19 => map = event.data().to_vec(),
            code @ (23..=25 | 30..=32 | 39) => {
                let parsed = millrace_mysql_cdc::definition::TableMap::parse(&map);
                let parsed = parsed.expect("a TABLE_MAP event");
                if parsed.name.table == case.name {
                    recording
                        .events
                        .push((map.clone(), code, event.data().to_vec()));
                }
            }
            _ => {}
        }
    }
    recording
}

/// Returns the rows as a query gives them: those inserted, before what came after them.
fn select(url: &str, case: &Case, recording: &Recording) -> Vec<String> {
    let mut conn = connect(url);
    conn.query_drop("USE `values`").expect("the database");
    // The table as it was before the changes.
    conn.query_drop(format!("DELETE FROM {}", case.name))
        .expect("no rows");
    for row in case.rows {
        let statement = format!("INSERT INTO {} VALUES ({row})", case.name);
        conn.query_drop(&statement).expect(&statement);
    }
    conn.query_drop("SET character_set_results=NULL")
        .expect("raw results");
    let declared = case.declared();
    let definition = TableDefinition::parse_create("values", &recording.create);
    let definition = Arc::new(definition.expect("a definition"));
    let mut decoder =
        RowDecoder::new(Arc::clone(&definition), &declared, &case.options()).expect("a decoder");
    let places = decoder.query_columns().iter();
    let names: Vec<String> = places
        .map(|place| format!("`{}`", definition.columns[*place].name))
        .collect();
    let query = format!("SELECT {} FROM {} ORDER BY id", names.join(","), case.name);
    let rows: Vec<Row> = conn.exec(query, ()).expect(case.name);
    let mut columns = Columns::new(&declared, rows.len());
    let count = rows.len();
    for row in rows {
        let values: Vec<Value> = row.unwrap();
        decoder
            .append_query(&values, &mut columns)
            .unwrap_or_else(|error| panic!("{error}"));
    }
    let arrays = columns.finish();
    (0..count).map(|row| show::row(&arrays, row)).collect()
}
