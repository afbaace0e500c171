//! Values of real servers: rows that were recorded from MySQL and MariaDB, as their binary logs had them, decode to
//! what was checked against a SELECT on the same server when they were recorded.
//!
//! `MYSQL_RECORD=mysql://root@host:port NAME=mysql cargo test … --test values` records anew into `tests/data`.

mod cases;
mod record;
mod recording;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use millrace_mysql_cdc::decode::{
    Columns, DeclaredColumn, RowDecoder, RowsEvent, RowsKind, ValueOptions,
};
use millrace_mysql_cdc::definition::{TableDefinition, TableMap};

use cases::Case;
use recording::Recording;

fn data(server: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/values-{server}.txt"))
}

/// Decodes the row events of a case and prints their rows.
fn decode(case: &Case, recording: &Recording, options: &ValueOptions) -> Vec<String> {
    let declared = case.declared();
    let definition = TableDefinition::parse_create("values", &recording.create)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let mut decoder = RowDecoder::new(Arc::new(definition), &declared, options)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let mut columns = Columns::new(&declared, 16);
    let mut kinds = Vec::new();
    for (map, code, body) in &recording.events {
        let map = TableMap::parse(map).expect("a TABLE_MAP event");
        decoder
            .set_layout(&map)
            .unwrap_or_else(|error| panic!("{}: {error}", case.name));
        decode_event(&mut decoder, &map, *code, body, &mut columns, &mut kinds);
    }
    let arrays = columns.finish();
    let rows = kinds.iter().enumerate();
    rows.map(|(row, kind)| format!("{kind} {}", show::row(&arrays, row)))
        .collect()
}

fn decode_event(
    decoder: &mut RowDecoder,
    map: &TableMap,
    code: u8,
    body: &[u8],
    columns: &mut Columns,
    kinds: &mut Vec<&'static str>,
) {
    let event = RowsEvent::parse(code, body).expect("a row event");
    let mut rows = event.rows(map).expect("rows of the table");
    while rows.next().expect("whole rows") {
        let result = match event.kind {
            RowsKind::Insert => {
                kinds.push("+I");
                decoder.append(rows.after(), columns)
            }
            RowsKind::Delete => {
                kinds.push("-D");
                decoder.append(rows.before(), columns)
            }
            RowsKind::Update | RowsKind::PartialUpdate => {
                kinds.extend(if decoder.key_changed(rows.before(), rows.after()) {
                    ["-D", "+I"]
                } else {
                    ["-U", "+U"]
                });
                let before = decoder.append(rows.before(), columns);
                before.and_then(|()| decoder.append_after(rows.before(), rows.after(), columns))
            }
        };
        result.unwrap_or_else(|error| panic!("{error}"));
    }
}

fn replay(server: &str) {
    let recordings = recording::read(&data(server));
    let mut wrong = Vec::new();
    for case in cases::all() {
        let Some(recording) = recordings.get(case.name) else {
            assert!(!case.is_for(server), "{} was not recorded", case.name);
            continue;
        };
        let rows = decode(&case, recording, &case.options());
        if rows != recording.rows {
            wrong.push(format!(
                "{}:\n  expected {:#?}\n  got      {rows:#?}",
                case.name, recording.rows
            ));
        }
    }
    assert!(wrong.is_empty(), "{server}\n{}", wrong.join("\n"));
}

#[test]
fn recorded_on_mysql() {
    replay("mysql");
}

#[test]
fn recorded_on_mariadb() {
    replay("mariadb");
}

/// With full metadata the event itself tells the definition, and decoding by it gives the same rows.
#[test]
fn full_metadata_tells_the_definition() {
    let recordings = recording::read(&data("mysql"));
    for case in cases::all() {
        let Some(recording) = recordings.get(case.name) else {
            continue;
        };
        let map = TableMap::parse(&recording.events[0].0).expect("a TABLE_MAP event");
        let told = map.definition().expect("recorded with full metadata");
        map.check(&told).expect("its own definition");
        let shown = TableDefinition::parse_create("values", &recording.create);
        let shown = shown.expect("a definition");
        assert_eq!(told.primary_key, shown.primary_key, "{}", case.name);
        for (told, shown) in told.columns.iter().zip(&shown.columns) {
            assert_eq!(told.name, shown.name, "{}", case.name);
            assert_eq!(told.nullable, shown.nullable, "{}", told.name);
            assert_eq!(
                told.kind.to_string().replace("tinyint(1)", "tinyint"),
                shown.kind.to_string().replace("tinyint(1)", "tinyint"),
                "{}",
                told.name
            );
            assert_eq!(told.kind.charset(), shown.kind.charset(), "{}", told.name);
        }
        let declared: Vec<DeclaredColumn> = case.declared();
        let options = case.options();
        let mut decoder = RowDecoder::new(Arc::new(told), &declared, &options).expect("a decoder");
        let mut columns = Columns::new(&declared, 16);
        let mut kinds = Vec::new();
        for (map, code, body) in &recording.events {
            let map = TableMap::parse(map).expect("a TABLE_MAP event");
            decoder.set_layout(&map).expect("the same table");
            decode_event(&mut decoder, &map, *code, body, &mut columns, &mut kinds);
        }
        let arrays = columns.finish();
        for (row, expected) in recording.rows.iter().enumerate() {
            let got = format!("{} {}", kinds[row], show::row(&arrays, row));
            assert_eq!(got, *expected, "{}", case.name);
        }
    }
}

/// Records anew if `MYSQL_RECORD` tells where.
#[test]
fn record() {
    let (Ok(url), Ok(name)) = (std::env::var("MYSQL_RECORD"), std::env::var("NAME")) else {
        return;
    };
    let recordings = record::all(&url, &name);
    recording::write(&data(&name), &recordings);
}
