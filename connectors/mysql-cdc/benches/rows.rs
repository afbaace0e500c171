//! What a row of the binary log costs: 19 columns of a login log, 320 bytes a row, to Arrow columns.
//!
//! `cargo bench -p millrace-mysql-cdc --bench rows`; prints the median of rounds in µs a row.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use millrace_connector::{FlinkType, TypeKind};
use millrace_mysql_cdc::decode::{Columns, DeclaredColumn, RowDecoder, RowsEvent, ValueOptions};
use millrace_mysql_cdc::definition::{TableDefinition, TableMap};

/// Rows of one event: servers end one at 8 KiB.
const ROWS_OF_EVENT: usize = 26;
const EVENTS: usize = 300;
const ROUNDS: usize = 41;

const CREATE: &str = "CREATE TABLE `login_log` (
 login_log_id bigint unsigned NOT NULL AUTO_INCREMENT, account_id bigint unsigned DEFAULT NULL,
 long_account_id varchar(64) DEFAULT NULL, short_account_id varchar(32) DEFAULT NULL,
 game_code varchar(32) NOT NULL DEFAULT '', package_code varchar(64) DEFAULT '', channel_id int NOT NULL,
 login_at int unsigned DEFAULT NULL, login_ip varchar(64) CHARACTER SET latin1 DEFAULT NULL, device_ua text,
 device_id char(36) DEFAULT NULL, device_net varchar(16) DEFAULT NULL, device_ratio varchar(16) DEFAULT NULL,
 device_os varchar(64) DEFAULT NULL, device_carrier varchar(64) DEFAULT NULL, ext json DEFAULT NULL,
 created_at int unsigned NOT NULL, updated_at int unsigned NOT NULL, deleted_at int unsigned DEFAULT NULL,
 PRIMARY KEY (login_log_id)) DEFAULT CHARSET=utf8mb4";

fn table_map() -> Vec<u8> {
    let types = [
        8, 8, 15, 15, 15, 15, 3, 3, 15, 252, 254, 15, 15, 15, 15, 245, 3, 3, 3,
    ];
    let mut metadata = Vec::new();
    for bytes in [256_u16, 128, 128, 256, 64] {
        metadata.extend(bytes.to_le_bytes());
    }
    metadata.extend([2, 0xfe, 144]);
    for bytes in [64_u16, 64, 256, 256] {
        metadata.extend(bytes.to_le_bytes());
    }
    metadata.push(4);
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 2, b'd', b'b', 0, 9];
    body.extend(b"login_log\0");
    body.push(types.len() as u8);
    body.extend(types);
    body.push(metadata.len() as u8);
    body.extend(metadata);
    body.extend([0xff; 3]);
    body
}

fn push(text: &str, prefix: usize, out: &mut Vec<u8>) {
    out.extend(&(text.len() as u32).to_le_bytes()[..prefix]);
    out.extend(text.as_bytes());
}

fn event(start: usize) -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 2, 0, 19, 0xff, 0xff, 0x07];
    for row in start..start + ROWS_OF_EVENT {
        // The last column is NULL.
        body.extend([0, 0, 4]);
        body.extend((row as u64).to_le_bytes());
        body.extend((408_872_851 + row as u64).to_le_bytes());
        push(&format!("wx5d9f2c1b7e8-{row:012}"), 2, &mut body);
        push(&format!("s{row:08}"), 1, &mut body);
        push("game_1117", 1, &mut body);
        push("com.example.game", 2, &mut body);
        body.extend(1202_u32.to_le_bytes());
        body.extend(1_700_000_000_u32.to_le_bytes());
        push("10.20.30.40", 1, &mut body);
        push(
            "Mozilla/5.0 (Linux; Android 13; SM-G991B) AppleWebKit/537.36 Chrome/112",
            2,
            &mut body,
        );
        push(&format!("adddbf53-539b-4427-a24f-{row:012}"), 1, &mut body);
        push("wifi", 1, &mut body);
        push("1080x2400", 1, &mut body);
        push("Android 13", 2, &mut body);
        push("AIS", 2, &mut body);
        // {"a": 1, "b": "x"}
        let json = [
            0, 2, 0, 22, 0, 18, 0, 1, 0, 19, 0, 1, 0, 5, 1, 0, 12, 20, 0, b'a', b'b', 1, b'x',
        ];
        body.extend((json.len() as u32).to_le_bytes());
        body.extend(json);
        body.extend(1_700_000_001_u32.to_le_bytes());
        body.extend(1_700_000_002_u32.to_le_bytes());
    }
    body
}

fn declared() -> Vec<DeclaredColumn> {
    let definition = TableDefinition::parse_create("db", CREATE).expect("a definition");
    let column = |name: &str| {
        let ty = match name {
            "login_log_id" | "account_id" | "login_at" | "created_at" | "updated_at" => {
                TypeKind::BigInt.nullable()
            }
            "channel_id" => TypeKind::Int.nullable(),
            _ => FlinkType::string(),
        };
        DeclaredColumn {
            name: name.to_owned(),
            ty,
        }
    };
    definition.columns.iter().map(|c| column(&c.name)).collect()
}

fn main() {
    let map = TableMap::parse(&table_map()).expect("a TABLE_MAP event");
    let events: Vec<Vec<u8>> = (0..EVENTS).map(|at| event(at * ROWS_OF_EVENT)).collect();
    let declared = declared();
    let definition = TableDefinition::parse_create("db", CREATE).expect("a definition");
    let options = ValueOptions::default();
    let mut decoder =
        RowDecoder::new(Arc::new(definition), &declared, &options).expect("a decoder");
    decoder.set_layout(&map).expect("the same table");
    let mut columns = Columns::new(&declared, EVENTS * ROWS_OF_EVENT);
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for body in &events {
            let event = RowsEvent::parse(30, body).expect("a row event");
            let mut rows = event.rows(&map).expect("rows of the table");
            while rows.next().expect("whole rows") {
                decoder
                    .append(rows.after(), &mut columns)
                    .expect("values of the declared types");
            }
        }
        assert_eq!(columns.rows(), EVENTS * ROWS_OF_EVENT);
        black_box(columns.finish());
        rounds.push(start.elapsed().as_secs_f64() * 1e6 / (EVENTS * ROWS_OF_EVENT) as f64);
    }
    rounds.sort_by(f64::total_cmp);
    let bytes = events.iter().map(Vec::len).sum::<usize>() / (EVENTS * ROWS_OF_EVENT);
    eprintln!(
        "{:.3} µs a row of {bytes} bytes, {:.0} rows a second",
        rounds[ROUNDS / 2],
        1e6 / rounds[ROUNDS / 2]
    );
}
