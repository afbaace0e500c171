//! What Flink 1.17.2 makes of messages, against what the decoders here make of them.

mod golden_support;

use std::collections::BTreeMap;

use arrow_buffer::Buffer;
use golden_support::{parse_type, shown};
use millrace_connector::{FlinkType, RowKind};
use millrace_formats::{FormatContext, FormatError, Payloads, create_decoder};
use serde_json::Value;

/// A row with its kind.
type Row = (RowKind, Vec<Value>);
/// A case that differs.
type Difference = String;

fn cases() -> Vec<Value> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/golden/format.jsonl"
    );
    let text = std::fs::read_to_string(path).expect("the golden table");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect()
}

fn schema(case: &Value) -> Vec<(String, FlinkType)> {
    case["schema"]
        .as_array()
        .expect("columns")
        .iter()
        .map(|column| {
            let text = |i: usize| column[i].as_str().expect("a text");
            (text(0).to_owned(), parse_type(text(1)))
        })
        .collect()
}

/// Options without the format's name before them. Flink ignores keys that it does not know when formats are made
/// without their table; here they are faults, so they are left out.
fn options(case: &Value) -> BTreeMap<String, String> {
    let prefix = format!("{}.", case["format"].as_str().expect("a format"));
    case["options"]
        .as_object()
        .expect("options")
        .iter()
        .filter(|(key, _)| *key != "json.no-such-option")
        .map(|(key, value)| {
            let key = key.strip_prefix(&prefix).expect("the format's prefix");
            (key.to_owned(), value.as_str().expect("a text").to_owned())
        })
        .collect()
}

fn message(case: &Value) -> Option<Vec<u8>> {
    if let Some(hex) = case["in_hex"].as_str() {
        let bytes = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex"))
            .collect();
        return Some(bytes);
    }
    case["in"].as_str().map(|text| text.as_bytes().to_vec())
}

/// Decodes the message of a case, between two others so that offsets matter.
fn decode(case: &Value) -> Result<Vec<Row>, (&'static str, String)> {
    let schema = schema(case);
    let wanted: Vec<usize> = (0..schema.len()).collect();
    let format = case["format"].as_str().expect("a format");
    let made = create_decoder(
        format,
        &options(case),
        &schema,
        &wanted,
        &FormatContext::default(),
    );
    let mut decoder = made.map_err(|error: FormatError| ("create", error.to_string()))?;
    let payload = message(case);
    let bytes = payload.clone().unwrap_or_default();
    let range = payload.map(|_| 0..bytes.len() as u32);
    let buffer = Buffer::from_vec(bytes);
    let payloads = Payloads {
        buffer: &buffer,
        ranges: &[range],
    };
    let decoded = decoder
        .decode(&payloads)
        .map_err(|error| ("run", error.reason))?;
    Ok((0..decoded.rows)
        .map(|row| {
            let kind = decoded
                .kinds
                .as_ref()
                .map_or(RowKind::Insert, |kinds| kinds[row]);
            let values = schema
                .iter()
                .zip(&decoded.columns)
                .map(|((_, ty), column)| shown(ty, column, row))
                .collect();
            (kind, values)
        })
        .collect())
}

fn check(case: &Value) -> Result<(), Difference> {
    let actual = decode(case);
    let describe = |what: String| {
        format!(
            "{} {} {} {} in={} in_hex={}\n    {what}",
            case["id"], case["format"], case["options"], case["schema"], case["in"], case["in_hex"]
        )
    };
    if let Some(phase) = case["error"]["phase"].as_str() {
        return match actual {
            Err((actual_phase, _)) if actual_phase == phase => Ok(()),
            other => Err(describe(format!(
                "expected {}, got {other:?}",
                case["error"]
            ))),
        };
    }
    let expected: Vec<(String, Vec<Value>)> = case["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            let values = row["row"].as_array().expect("values").clone();
            (row["kind"].as_str().expect("a kind").to_owned(), values)
        })
        .collect();
    match actual {
        Ok(rows) => {
            let rows: Vec<(String, Vec<Value>)> = rows
                .into_iter()
                .map(|(kind, values)| (kind.short().to_owned(), values))
                .collect();
            if rows == expected {
                Ok(())
            } else {
                Err(describe(format!(
                    "expected {expected:?}\n    got      {rows:?}"
                )))
            }
        }
        Err(error) => Err(describe(format!("expected {expected:?}, got {error:?}"))),
    }
}

fn check_format(format: &str) {
    let mut count = 0;
    let differences: Vec<Difference> = cases()
        .iter()
        .filter(|case| case["dir"] == "de" && case["format"] == format)
        .filter(|case| case["unstable"].is_null() && case["internal_error"].is_null())
        .inspect(|_| count += 1)
        .filter_map(|case| check(case).err())
        .collect();
    assert!(count > 0, "no case of {format}");
    assert!(
        differences.is_empty(),
        "{} of {count} cases of {format} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn json_reads_as_flink_does() {
    check_format("json");
}

#[test]
fn raw_reads_as_flink_does() {
    check_format("raw");
}

#[test]
fn csv_reads_as_flink_does() {
    check_format("csv");
}

#[test]
fn debezium_json_reads_as_flink_does() {
    check_format("debezium-json");
}

#[test]
fn canal_json_reads_as_flink_does() {
    check_format("canal-json");
}

#[test]
fn maxwell_json_reads_as_flink_does() {
    check_format("maxwell-json");
}

#[test]
fn ogg_json_reads_as_flink_does() {
    check_format("ogg-json");
}
