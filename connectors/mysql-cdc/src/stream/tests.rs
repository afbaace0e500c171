//! A recorded binary log, read whole and read again from every position in it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use millrace_connector::source::SplitStart;
use millrace_connector::{
    ColumnDefinition, FlinkType, RowKind, Span, Spanned, SplitId, TableDefinition, TypeKind,
    ValidateContext, check_options,
};

use super::*;
use crate::decode::DeclaredColumn;
use crate::out::{Layout, Source};

/// MySQL 9.7, `binlog_row_metadata=FULL`: single statements, a transaction over two tables with a savepoint and a table
/// that is not read, a key change, a compressed transaction, XA transactions that were committed and rolled back, a
/// column added, a transaction of many events.
const MYSQL: &[u8] = include_bytes!("../../testdata/mysql.binlog");
/// MariaDB 10.11 with the same workload, its compressed events instead of compressed transactions.
const MARIADB: &[u8] = include_bytes!("../../testdata/mariadb.binlog");

pub(crate) fn config() -> Arc<Config> {
    let text = |text: &str| Spanned::new(text.to_owned(), Span::default());
    let options = [
        ("connector", "mysql-cdc"),
        ("hostname", "h"),
        ("username", "u"),
        ("password", "p"),
        ("database-name", "rec"),
        ("table-name", "t_[0-9]+"),
        ("server-time-zone", "+00:00"),
    ];
    let table = TableDefinition {
        name: text("t"),
        columns: Vec::<ColumnDefinition>::new(),
        primary_key: vec![text("id")],
        options: options
            .iter()
            .map(|(key, value)| (text(key), text(value)))
            .collect(),
        options_span: Span::default(),
    };
    let definitions: Vec<_> = crate::options::OPTIONS
        .iter()
        .map(|option| (option.key.to_owned(), *option))
        .collect();
    let checked = check_options(&table, &definitions, "mysql-cdc").unwrap();
    let context = ValidateContext {
        session_time_zone: "UTC".into(),
    };
    Arc::new(crate::config::read(&table, &checked, &context).unwrap())
}

fn layout() -> Arc<Layout> {
    let column = |name: &str, ty: FlinkType| DeclaredColumn {
        name: name.into(),
        ty,
    };
    Arc::new(Layout {
        sources: vec![Source::Declared(0), Source::Declared(1)],
        declared: vec![
            column("id", TypeKind::Int.nullable()),
            column("v", FlinkType::string()),
        ],
        append_only: false,
    })
}

fn events(file: &[u8]) -> Vec<RawEvent> {
    let mut rest = &file[4..];
    let mut events = vec![RawEvent {
        code: code::ROTATE,
        body: [&4_u64.to_le_bytes()[..], b"binlog.000001"].concat(),
        ..RawEvent::default()
    }];
    while rest.len() > 19 {
        let number = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        let size = number(9) as usize;
        events.push(RawEvent {
            code: rest[4],
            timestamp: number(0),
            flags: u16::from_le_bytes([rest[17], rest[18]]),
            log_pos: number(13),
            size: size as u32,
            // Without the checksum.
            body: rest[19..size - 4].to_vec(),
            gtid: None,
        });
        rest = &rest[size..];
    }
    events
}

fn stream(has_gtids: bool, state: &State) -> Stream {
    let config = config();
    let server = Server {
        version: String::new(),
        identity: "s".into(),
        is_mariadb: false,
        has_gtids,
        has_binlog_snapshot: false,
        lower_case_table_names: 0,
        charset: "utf8mb4".into(),
        is_semi_synchronous: false,
    };
    let mut tables = Tables::new(&config, &server, layout().declared.clone());
    tables.restore(&state.schema_history);
    let identity = Identity {
        server_id: 1,
        uuid: String::new(),
    };
    Stream::new(&config, server, identity, Cancel::default(), tables, state)
}

type Change = (RowKind, i32, Option<String>);

fn take(out: &mut Out, stream: &Stream, changes: &mut Vec<Change>) {
    let at = SplitStart {
        split: SplitId("s".into()),
        position: millrace_connector::Position(serde_json::Value::Null),
    };
    let batch = out.finish(stream.tables.names(), String::new(), at);
    let ids = batch.columns[0].as_primitive::<Int32Type>();
    let texts = batch.columns[1].as_string_view();
    for row in 0..batch.rows {
        let kind = batch
            .kinds
            .as_ref()
            .map_or(RowKind::Insert, |kinds| kinds[row]);
        changes.push((
            kind,
            ids.value(row),
            texts.iter().nth(row).flatten().map(str::to_owned),
        ));
    }
}

/// Reads all events from `state` on as the server would send them, and returns the changes; after each step `seen` gets
/// the state and how many changes there were.
fn read(
    file: &[u8],
    has_gtids: bool,
    state: &State,
    mut seen: impl FnMut(State, usize),
) -> Vec<Change> {
    read_until(file, has_gtids, state, |stream, count| {
        seen(stream.state(), count);
        false
    })
}

/// As [`read`], until `is_over` says so after a step.
fn read_until(
    file: &[u8],
    has_gtids: bool,
    state: &State,
    mut is_over: impl FnMut(&mut Stream, usize) -> bool,
) -> Vec<Change> {
    let mut stream = stream(has_gtids, state);
    let mut out = Out::new(layout());
    let mut changes = Vec::new();
    let from = stream.from();
    if matches!(&from, From::File { file, .. } if file != "binlog.000001") {
        return changes;
    }
    let mut is_left_out = false;
    for event in events(file) {
        // What the server leaves out.
        match (&from, event.code) {
            (_, code::ROTATE | code::FORMAT_DESCRIPTION) => {}
            (From::File { pos, .. }, _) if u64::from(event.log_pos - event.size) < *pos => continue,
            (From::Gtids(set), code::GTID) => {
                is_left_out = set.contains(&events::gtid(&event.body).unwrap());
            }
            _ => {}
        }
        if is_left_out && !matches!(event.code, code::ROTATE | code::FORMAT_DESCRIPTION) {
            continue;
        }
        stream.take(event, &mut out).unwrap();
        loop {
            take(&mut out, &stream, &mut changes);
            if is_over(&mut stream, changes.len()) {
                return changes;
            }
            if stream.inner.is_none() {
                break;
            }
            stream.step_inner(&mut out).unwrap();
        }
    }
    changes
}

fn goes_on_from_every_position(file: &[u8], has_gtids: bool) -> Vec<Change> {
    let first = State {
        file: "binlog.000001".into(),
        pos: 4,
        trx_pos: 4,
        ..State::default()
    };
    let mut states = Vec::new();
    let all = read(file, has_gtids, &first, |state, count| {
        states.push((state, count))
    });
    assert!(states.len() > 50, "{} positions", states.len());
    for (state, count) in states {
        // As a checkpoint keeps it.
        let position = state.to_position();
        let back = State::from_position(&position).unwrap();
        let rest = read(file, has_gtids, &back, |_, _| {});
        assert_eq!(rest, all[count..], "from {state:?}");
    }
    all
}

fn reads_again_between_positions(file: &[u8], has_gtids: bool) {
    let first = State {
        server: "s".into(),
        file: "binlog.000001".into(),
        pos: 4,
        trx_pos: 4,
        ..State::default()
    };
    let mut states = vec![(first.clone(), 0)];
    let all = read(file, has_gtids, &first, |state, count| {
        states.push((state, count));
    });
    let moved: Vec<_> = states
        .chunk_by(|a, b| a.0 == b.0)
        .map(|same| &same[0])
        .collect();
    for (index, (from, before)) in moved.iter().enumerate() {
        for (end, after) in moved.iter().skip(index + 1).step_by(1 + moved.len() / 9) {
            let mut has_ended = false;
            let again = read_until(file, has_gtids, from, |stream, _| {
                has_ended = stream.has_reached(end).unwrap();
                has_ended
            });
            assert!(has_ended, "from {from:?} to {end:?}");
            assert_eq!(again, all[*before..*after], "from {from:?} to {end:?}");
        }
    }
}

#[test]
fn a_range_is_read_again_exactly() {
    reads_again_between_positions(MYSQL, true);
    reads_again_between_positions(MYSQL, false);
    reads_again_between_positions(MARIADB, false);
}

/// The same transactions from another server, which counts events in its own way, from every position.
#[test]
fn another_server_goes_on_from_every_position() {
    let first = State {
        file: "binlog.000001".into(),
        pos: 4,
        trx_pos: 4,
        ..State::default()
    };
    let mut states = Vec::new();
    let all = read(MYSQL, true, &first, |state, count| {
        states.push((state, count))
    });
    let mut within = 0;
    for (mut state, count) in states {
        state.server = "another".into();
        if state.events_done > 0 {
            // Not even near.
            state.events_done += 1_000;
            within += 1;
        }
        let rest = read(MYSQL, true, &state, |state, _| {
            // What was counted there is told with who counted it.
            assert!(state.server == "s" || !(1..1_000).contains(&state.events_done));
        });
        assert_eq!(rest, all[count..], "from {state:?}");
    }
    assert!(within > 10, "{within} positions within transactions");
}

#[test]
fn mysql_goes_on_from_every_position() {
    let all = goes_on_from_every_position(MYSQL, true);
    assert_eq!(goes_on_from_every_position(MYSQL, false), all);
    check(&all);
}

#[test]
fn mariadb_goes_on_from_every_position() {
    check(&goes_on_from_every_position(MARIADB, false));
}

/// What the workload did, in the order of its commits.
fn check(all: &[Change]) {
    use RowKind::{Delete, Insert, UpdateAfter, UpdateBefore};
    let shown: Vec<(RowKind, i32)> = all.iter().map(|(kind, id, _)| (*kind, *id)).collect();
    assert_eq!(
        shown[..13],
        [
            (Insert, 1),
            (UpdateBefore, 1),
            (UpdateAfter, 1),
            (Insert, 2),
            (Insert, 20),
            (Delete, 2),
            (Insert, 3),
            (Insert, 4),
            (Insert, 5),
            // Prepared before 6 was written, committed after.
            (Insert, 6),
            (Insert, 7),
            (Insert, 8),
            (Insert, 9),
        ]
    );
    assert_eq!(shown.len(), 13 + 400);
    assert!(
        shown[13..]
            .iter()
            .all(|(kind, id)| *kind == Insert && *id >= 1000)
    );
    assert!(!shown.contains(&(Insert, 666)), "rolled back");
}
