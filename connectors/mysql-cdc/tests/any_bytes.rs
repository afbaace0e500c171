//! Whatever bytes come, nothing panics and nothing runs for ever.

use std::sync::Arc;

use millrace_connector::{FlinkType, TypeKind};
use millrace_mysql_cdc::decode::{
    Charset, Columns, DeclaredColumn, RowDecoder, RowsEvent, RowsKind, ValueOptions,
};
use millrace_mysql_cdc::definition::{Definitions, Dialect, TableDefinition, TableMap, ddl};
use proptest::prelude::*;

const COLUMNS: &str = "id int NOT NULL, a tinyint, b bigint unsigned, c decimal(65,30), d decimal(10,2), e bit(20), \
    f year, g date, h time(3), i datetime(6), j timestamp(2) NULL, k char(10), l varchar(300), m text, n blob, \
    o enum('x','y'), p set('x','y'), q json, r geometry, s float, t double, u varchar(9) CHARACTER SET gbk, \
    v binary(4), PRIMARY KEY (id)";

/// The body of the TABLE_MAP event of that table.
fn map() -> Vec<u8> {
    let types = [
        3, 1, 8, 246, 246, 16, 13, 10, 19, 18, 17, 254, 15, 252, 252, 254, 254, 245, 255, 4, 5, 15,
        254,
    ];
    let metadata = [
        65, 30, 10, 2, 4, 2, 3, 6, 2, 0xfe, 40, 0xb0, 4, 2, 2, 0xf7, 1, 0xf8, 1, 4, 4, 4, 8, 18, 0,
        0xfe, 4,
    ];
    let mut body = vec![7, 0, 0, 0, 0, 0, 1, 0, 2, b'd', b'b', 0, 1, b't', 0];
    body.push(types.len() as u8);
    body.extend(types);
    body.push(metadata.len() as u8);
    body.extend(metadata);
    body.extend([0xfe, 0xff, 0x7f]);
    body
}

fn declared(text: bool) -> Vec<DeclaredColumn> {
    let natural = [
        ("id", TypeKind::Int),
        ("a", TypeKind::Boolean),
        ("b", TypeKind::Decimal(20, 0)),
        ("d", TypeKind::Decimal(10, 2)),
        ("g", TypeKind::Date),
        ("h", TypeKind::Time(3)),
        ("i", TypeKind::Timestamp(6)),
        ("j", TypeKind::TimestampLtz(2)),
        ("n", TypeKind::Varbinary(100)),
        ("p", TypeKind::Array(Box::new(FlinkType::string()))),
        ("v", TypeKind::Binary(4)),
        ("m", TypeKind::Int),
    ];
    if !text {
        let column = |(name, kind): (&str, TypeKind)| DeclaredColumn {
            name: name.to_owned(),
            ty: kind.nullable(),
        };
        return natural.into_iter().map(column).collect();
    }
    let names = "abcdefghijklmnopqrstuv".chars();
    let column = |name: char| DeclaredColumn {
        name: name.to_string(),
        ty: FlinkType::string(),
    };
    names.map(column).collect()
}

fn decode(code: u8, body: &[u8], text: bool) {
    let map = TableMap::parse(&map()).expect("a TABLE_MAP event");
    let create = format!("CREATE TABLE `t` ({COLUMNS}) DEFAULT CHARSET=utf8mb4");
    let definition = TableDefinition::parse_create("db", &create).expect("a definition");
    let declared = declared(text);
    let options = ValueOptions::default();
    let mut decoder =
        RowDecoder::new(Arc::new(definition), &declared, &options).expect("a decoder");
    decoder.set_layout(&map).expect("the same table");
    let mut columns = Columns::new(&declared, 8);
    let Ok(event) = RowsEvent::parse(code, body) else {
        return;
    };
    let Ok(mut rows) = event.rows(&map) else {
        return;
    };
    while let Ok(true) = rows.next() {
        let _ = decoder.key_changed(rows.before(), rows.after());
        let result = match event.kind {
            RowsKind::Insert => decoder.append(rows.after(), &mut columns),
            RowsKind::Delete => decoder.append(rows.before(), &mut columns),
            _ => decoder.append_after(rows.before(), rows.after(), &mut columns),
        };
        if result.is_err() {
            return;
        }
    }
    columns.finish();
}

#[test]
fn a_row_of_the_table_is_read() {
    let map = TableMap::parse(&map()).expect("a TABLE_MAP event");
    let create = format!("CREATE TABLE `t` ({COLUMNS}) DEFAULT CHARSET=utf8mb4");
    let definition = TableDefinition::parse_create("db", &create).expect("a definition");
    map.check(&definition).expect("the same table");
}

proptest! {
    #[test]
    fn table_maps(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(map) = TableMap::parse(&bytes) {
            let _ = map.definition();
        }
    }

    #[test]
    fn changed_table_maps(at in 0_usize..80, byte in any::<u8>()) {
        let mut body = map();
        let at = at % body.len();
        body[at] = byte;
        if let Ok(map) = TableMap::parse(&body) {
            let _ = map.definition();
        }
    }

    #[test]
    fn row_images(
        values in prop::collection::vec(any::<u8>(), 0..400),
        nulls in any::<[u8; 3]>(),
        code in prop::sample::select(vec![23_u8, 24, 25, 30, 31, 32, 39]),
        text in any::<bool>(),
    ) {
        let mut body = vec![7, 0, 0, 0, 0, 0, 1, 0];
        if code >= 30 {
            body.extend([2, 0]);
        }
        body.push(23);
        body.extend([0xff; 3]);
        if matches!(code, 24 | 31 | 39) {
            body.extend([0xff; 3]);
        }
        body.extend(nulls);
        body.extend(values);
        decode(code, &body, text);
    }

    #[test]
    fn json(document in prop::collection::vec(any::<u8>(), 0..200), differences in prop::collection::vec(any::<u8>(), 0..60)) {
        // Only the JSON column in both images, its differences in the second.
        let mut body = vec![7, 0, 0, 0, 0, 0, 1, 0, 2, 0, 23, 0, 0, 2, 0, 0, 2, 0];
        body.extend((document.len() as u32).to_le_bytes());
        body.extend(&document);
        body.extend([1, 1, 0]);
        body.extend((differences.len() as u32).to_le_bytes());
        body.extend(&differences);
        let map = TableMap::parse(&map()).expect("a TABLE_MAP event");
        let create = format!("CREATE TABLE `t` ({COLUMNS}) DEFAULT CHARSET=utf8mb4");
        let definition = TableDefinition::parse_create("db", &create);
        let declared = vec![DeclaredColumn { name: "q".to_owned(), ty: FlinkType::string() }];
        let definition = Arc::new(definition.expect("a definition"));
        let mut decoder = RowDecoder::new(definition, &declared, &ValueOptions::default()).expect("a decoder");
        decoder.set_layout(&map).expect("the same table");
        let mut columns = Columns::new(&declared, 2);
        let event = RowsEvent::parse(39, &body).expect("an event");
        let mut rows = event.rows(&map).expect("rows");
        while let Ok(true) = rows.next() {
            if decoder.append(rows.before(), &mut columns).is_err()
                || decoder.append_after(rows.before(), rows.after(), &mut columns).is_err()
            {
                return Ok(());
            }
        }
    }

    #[test]
    fn statements(text in ".{0,200}") {
        let _ = ddl::parse(&text, "db", Dialect::default());
    }

    #[test]
    fn statements_of_known_words(words in prop::collection::vec(prop::sample::select(vec![
        "CREATE", "TABLE", "ALTER", "ADD", "DROP", "MODIFY", "CHANGE", "COLUMN", "RENAME", "TO", "t", "`a``b`", "(",
        ")", ",", "int", "varchar", "(10)", "DEFAULT", "'x'", "NULL", "NOT", "AFTER", "FIRST", "PRIMARY", "KEY", "/*!50000",
        "*/", "--", "AS", "enum", "LIKE", ".", "=", "CHARACTER", "SET", "latin1", "CHECK", "-", "1", "'", "\"", "/*",
    ]), 0..30)) {
        let mut definitions = Definitions::new(0, "utf8mb4");
        let text = format!("ALTER TABLE t {}", words.join(" "));
        let other = format!("CREATE TABLE t ({}", words.join(" "));
        for text in [words.join(" "), other, text] {
            for change in ddl::parse(&text, "db", Dialect::default()) {
                definitions.apply(&change);
            }
        }
    }

    #[test]
    fn charsets(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
        for name in [
            "utf8mb4", "ascii", "ucs2", "utf16le", "utf32", "latin1", "gbk", "gb18030", "big5", "sjis", "ujis", "euckr",
            "latin5", "tis620", "hebrew",
        ] {
            let charset = Charset::find(name).expect("a known charset");
            let _ = charset.decode(&bytes);
        }
    }
}
