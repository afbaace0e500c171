//! What SHOW, DESC and `information_schema` say.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::packet::Table;
use crate::schema::{Column, Keys, TableSchema};
use crate::transaction::{Transaction, TransactionState};

/// A type as DESC writes it.
pub(crate) fn desc_type(column: &Column) -> String {
    let (base, arguments) = parts(&column.ty);
    match base.as_str() {
        "STRING" => "text".to_owned(),
        "DATEV2" => "date".to_owned(),
        _ => with_arguments(
            base.trim_end_matches("V2").trim_end_matches("V3"),
            &arguments,
            ",",
        ),
    }
}

/// `DATA_TYPE` of `information_schema.columns`.
fn data_type(column: &Column) -> String {
    let (base, _) = parts(&column.ty);
    match base.as_str() {
        "BOOLEAN" | "BOOL" => "tinyint",
        "INTEGER" => "int",
        "LARGEINT" => "bigint unsigned",
        "STRING" | "TEXT" => "varchar",
        "DATEV2" => "date",
        "DATETIMEV2" => "datetime",
        "DECIMALV3" => "decimal",
        "JSONB" => "json",
        other => return other.to_ascii_lowercase(),
    }
    .to_owned()
}

/// `COLUMN_TYPE` of `information_schema.columns`.
fn column_type(column: &Column) -> String {
    let (base, arguments) = parts(&column.ty);
    match base.as_str() {
        "BOOLEAN" | "BOOL" => "tinyint(1)".to_owned(),
        "TINYINT" => "tinyint(4)".to_owned(),
        "SMALLINT" => "smallint(6)".to_owned(),
        "INT" | "INTEGER" => "int(11)".to_owned(),
        "BIGINT" => "bigint(20)".to_owned(),
        "STRING" | "TEXT" => "string".to_owned(),
        "DATEV2" => "date".to_owned(),
        "DECIMAL" | "DECIMALV3" => with_arguments("decimalv3", &precision(&arguments), ", "),
        "DATETIMEV2" => with_arguments("datetime", &arguments, ","),
        "JSONB" => "json".to_owned(),
        _ if column.ty.contains('<') => column.ty.to_ascii_lowercase(),
        other => with_arguments(other, &arguments, ","),
    }
}

fn precision(arguments: &[String]) -> Vec<String> {
    let or = |at: usize, default: &str| arguments.get(at).map_or(default.to_owned(), Clone::clone);
    vec![or(0, "9"), or(1, "0")]
}

fn parts(ty: &str) -> (String, Vec<String>) {
    let upper = ty.trim().to_ascii_uppercase();
    match upper.split_once('(') {
        Some((base, rest)) if !upper.contains('<') => {
            let arguments = rest.trim_end_matches(')').split(',');
            let arguments = arguments.map(|text| text.trim().to_owned()).collect();
            (base.trim().to_owned(), arguments)
        }
        _ => match upper.split_once('<') {
            Some((base, _)) => (base.trim().to_owned(), Vec::new()),
            None => (upper, Vec::new()),
        },
    }
}

fn with_arguments(base: &str, arguments: &[String], comma: &str) -> String {
    let base = base.to_ascii_lowercase();
    if arguments.is_empty() || arguments == ["0"] {
        return base;
    }
    format!("{base}({})", arguments.join(comma))
}

fn yes(is_so: bool, words: [&str; 2]) -> String {
    words[usize::from(!is_so)].to_owned()
}

fn some(text: impl Into<String>) -> Option<String> {
    Some(text.into())
}

/// DESC, and with `full` SHOW FULL COLUMNS.
pub(crate) fn columns(schema: &TableSchema, is_full: bool) -> Table {
    let mut table = if is_full {
        Table::of(&[
            "Field",
            "Type",
            "Collation",
            "Null",
            "Key",
            "Default",
            "Extra",
            "Privileges",
            "Comment",
        ])
    } else {
        Table::of(&["Field", "Type", "Null", "Key", "Default", "Extra"])
    };
    for column in schema.shown() {
        let null = yes(
            column.nullable,
            if is_full {
                ["YES", "NO"]
            } else {
                ["Yes", "No"]
            },
        );
        let extra = match (column.key, column.aggregation, schema.keys) {
            (true, ..) => String::new(),
            (_, Some(aggregation), _) => aggregation.word().to_owned(),
            (_, None, Keys::Unique) => "NONE".to_owned(),
            (_, None, _) => "NONE".to_owned(),
        };
        let (field, ty) = (some(&column.name), some(desc_type(column)));
        if is_full {
            let key = if column.key { schema.keys.short() } else { "" };
            table.row([
                field,
                ty,
                None,
                Some(null),
                some(key),
                column.default.clone(),
                Some(extra),
                some(""),
                some(&column.comment),
            ]);
        } else {
            let key = yes(column.key, ["true", "false"]);
            table.row([
                field,
                ty,
                Some(null),
                Some(key),
                column.default.clone(),
                Some(extra),
            ]);
        }
    }
    table
}

fn time(ms: Option<i64>) -> Option<String> {
    let instant = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    some(instant.map_or("N/A".to_owned(), |instant| {
        let wall = TimeZone::get("Asia/Shanghai").map_or_else(
            |_| TimeZone::UTC.to_datetime(instant),
            |zone| zone.to_datetime(instant),
        );
        wall.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }))
}

/// SHOW TRANSACTION.
pub(crate) fn transactions<'a>(all: impl Iterator<Item = &'a Transaction>, be: &str) -> Table {
    let mut table = Table::of(&[
        "TransactionId",
        "Label",
        "Coordinator",
        "TransactionStatus",
        "LoadJobSourceType",
        "PrepareTime",
        "PreCommitTime",
        "CommitTime",
        "PublishTime",
        "FinishTime",
        "Reason",
        "ErrorReplicasCount",
        "ListenerId",
        "TimeoutMs",
        "ErrMsg",
    ]);
    for one in all {
        let since =
            |states: &[TransactionState]| states.contains(&one.state).then_some(one.since_ms);
        table.row([
            some(one.id.to_string()),
            some(&one.label),
            some(format!("BE: {be}")),
            some(one.state.word()),
            some("BACKEND_STREAMING"),
            time(since(&[TransactionState::Prepare])),
            time(since(&[TransactionState::Precommitted])),
            time(since(&[
                TransactionState::Committed,
                TransactionState::Visible,
            ])),
            time(since(&[TransactionState::Visible])),
            time(since(&[
                TransactionState::Visible,
                TransactionState::Aborted,
            ])),
            some(&one.reason),
            some("0"),
            some("-1"),
            some(one.timeout_ms.to_string()),
            some(""),
        ]);
    }
    table
}

/// A value of a row of `information_schema`, by the column's name.
pub(crate) type Fact = (&'static str, Option<String>);

/// The rows of `information_schema.columns` for a table.
pub(crate) fn column_facts(schema: &TableSchema) -> Vec<Vec<Fact>> {
    let facts = |(at, column): (usize, &Column)| {
        let (base, arguments) = parts(&column.ty);
        let number = |at: usize| arguments.get(at).cloned();
        let length = match base.as_str() {
            "CHAR" => number(0).or_else(|| some("1")),
            "VARCHAR" => number(0).or_else(|| some("65533")),
            "STRING" | "TEXT" => some("2147483643"),
            _ => None,
        };
        let (size, digits) = match base.as_str() {
            "DECIMAL" | "DECIMALV3" => {
                let both = precision(&arguments);
                (some(&both[0]), some(&both[1]))
            }
            "TINYINT" => (some("3"), some("0")),
            "SMALLINT" => (some("5"), some("0")),
            "INT" | "INTEGER" => (some("10"), some("0")),
            "BIGINT" => (some("19"), some("0")),
            "LARGEINT" => (some("39"), some("0")),
            _ => (length.clone(), None),
        };
        let is_number = digits.is_some();
        let datetime = base.starts_with("DATETIME");
        vec![
            ("TABLE_CATALOG", some("internal")),
            ("TABLE_SCHEMA", some(&schema.db)),
            ("TABLE_NAME", some(&schema.table)),
            ("COLUMN_NAME", some(&column.name)),
            ("ORDINAL_POSITION", some((at + 1).to_string())),
            ("COLUMN_DEFAULT", column.default.clone()),
            ("IS_NULLABLE", Some(yes(column.nullable, ["YES", "NO"]))),
            ("DATA_TYPE", some(data_type(column))),
            ("CHARACTER_MAXIMUM_LENGTH", length.clone()),
            ("CHARACTER_OCTET_LENGTH", length),
            ("NUMERIC_PRECISION", size.clone().filter(|_| is_number)),
            ("NUMERIC_SCALE", digits.clone()),
            (
                "DATETIME_PRECISION",
                datetime.then(|| number(0).unwrap_or_else(|| "0".into())),
            ),
            ("CHARACTER_SET_NAME", None),
            ("COLLATION_NAME", None),
            ("COLUMN_TYPE", some(column_type(column))),
            (
                "COLUMN_KEY",
                some(if column.key { schema.keys.short() } else { "" }),
            ),
            ("EXTRA", some("")),
            ("PRIVILEGES", some("")),
            ("COLUMN_COMMENT", some(&column.comment)),
            ("COLUMN_SIZE", size),
            ("DECIMAL_DIGITS", digits),
            ("GENERATION_EXPRESSION", None),
            ("SRS_ID", None),
        ]
    };
    schema.shown().enumerate().map(facts).collect()
}

/// The row of `information_schema.tables` for a table.
pub(crate) fn table_facts(schema: &TableSchema, rows: Option<u64>) -> Vec<Fact> {
    vec![
        ("TABLE_CATALOG", some("internal")),
        ("TABLE_SCHEMA", some(&schema.db)),
        ("TABLE_NAME", some(&schema.table)),
        ("TABLE_TYPE", some("BASE TABLE")),
        ("ENGINE", some("Doris")),
        ("VERSION", None),
        ("ROW_FORMAT", None),
        ("TABLE_ROWS", rows.map(|rows| rows.to_string())),
        ("AVG_ROW_LENGTH", None),
        ("DATA_LENGTH", None),
        ("AUTO_INCREMENT", None),
        ("CREATE_TIME", None),
        ("UPDATE_TIME", None),
        ("TABLE_COLLATION", some("utf-8")),
        ("CREATE_OPTIONS", None),
        ("TABLE_COMMENT", some("")),
    ]
}

/// The row of `information_schema.schemata` for a database.
pub(crate) fn database_facts(name: &str) -> Vec<Fact> {
    vec![
        ("CATALOG_NAME", some("internal")),
        ("SCHEMA_NAME", some(name)),
        ("DEFAULT_CHARACTER_SET_NAME", None),
        ("DEFAULT_COLLATION_NAME", None),
        ("SQL_PATH", None),
        ("DEFAULT_ENCRYPTION", None),
    ]
}

/// The variables that clients ask for when they connect.
pub(crate) fn variables() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("auto_increment_increment", "1"),
        ("autocommit", "1"),
        ("character_set_client", "utf8mb4"),
        ("character_set_connection", "utf8mb4"),
        ("character_set_database", "utf8mb4"),
        ("character_set_results", "utf8mb4"),
        ("character_set_server", "utf8mb4"),
        ("collation_connection", "utf8mb4_0900_bin"),
        ("collation_database", "utf8mb4_0900_bin"),
        ("collation_server", "utf8mb4_0900_bin"),
        ("enable_insert_strict", "1"),
        ("init_connect", ""),
        ("interactive_timeout", "3600"),
        ("language", "/palo/share/english/"),
        ("license", "Apache License, Version 2.0"),
        ("lower_case_table_names", "0"),
        ("max_allowed_packet", "16777214"),
        ("net_buffer_length", "16384"),
        ("net_read_timeout", "600"),
        ("net_write_timeout", "600"),
        ("performance_schema", "0"),
        ("query_cache_size", "0"),
        ("query_cache_type", "0"),
        ("query_timeout", "900"),
        ("socket", ""),
        ("sql_mode", "ONLY_FULL_GROUP_BY"),
        ("sql_select_limit", "9223372036854775807"),
        ("system_time_zone", "Asia/Shanghai"),
        ("time_zone", "Asia/Shanghai"),
        ("transaction_isolation", "READ-COMMITTED"),
        ("transaction_read_only", "0"),
        ("tx_isolation", "READ-COMMITTED"),
        ("tx_read_only", "0"),
        ("version", super::login::SERVER_VERSION),
        ("version_comment", VERSION_COMMENT),
        ("wait_timeout", "28800"),
    ])
}

/// What it says of itself: no client shall take it for a Doris.
pub(crate) const VERSION_COMMENT: &str =
    "Doris version doris-0.0.0-stand-in (millrace dev doris; this is no Doris)";
