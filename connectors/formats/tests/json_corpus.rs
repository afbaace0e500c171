//! The edge cases of JSONTestSuite through the `json` format: each document as the member of an object, in a column of
//! type STRING. What Jackson makes of them is in the corpus; see `connectors/json/tests/corpus/README.md`.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_buffer::Buffer;
use millrace_connector::FlinkType;
use millrace_formats::{FormatContext, Payloads, create_decoder};

/// Documents whose encoding Jackson is more patient with: here bytes must be UTF-8.
const NOT_UTF8: &[&str] = &[
    "i_string_UTF8_surrogate_U+D800",
    "i_string_not_in_unicode_range",
    "i_string_overlong_sequence_2_bytes",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).expect("two digits"))
        .collect()
}

/// Returns the column's value: outer `None` for a record that fails.
fn decoded(document: &[u8]) -> Option<Option<String>> {
    let message = [b"{\"a\":", document, b"}"].concat();
    let length = u32::try_from(message.len()).expect("short");
    let schema = [("a".to_owned(), FlinkType::string())];
    let options = BTreeMap::new();
    let ctx = FormatContext::default();
    let mut decoder = create_decoder("json", &options, &schema, &[0], &ctx).expect("a decoder");
    let buffer = Buffer::from_vec(message);
    let payloads = Payloads {
        buffer: &buffer,
        ranges: &[Some(0..length)],
    };
    let rows = decoder.decode(&payloads).ok()?;
    assert_eq!(rows.rows, 1);
    let column = rows.columns[0].as_string_view();
    Some(column.is_valid(0).then(|| column.value(0).to_owned()))
}

#[test]
fn each_value_is_what_flink_json_gives() {
    let mut wrong = Vec::new();
    for line in include_str!("../../json/tests/corpus/documents.tsv").lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        if cells[1] == "-" {
            continue;
        }
        let ours = decoded(&bytes(cells[1]));
        if NOT_UTF8.contains(&cells[0]) {
            continue;
        }
        let theirs = cells[4].strip_prefix("ok ").map(|hex| {
            let text = String::from_utf8(bytes(hex)).expect("UTF-8");
            (text != "<null>").then_some(text)
        });
        if ours != theirs {
            wrong.push(format!("{}: {ours:?}, Flink {theirs:?}", cells[0]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn deep_documents_are_refused_or_read_but_never_fatal() {
    for document in [b"[".repeat(100_000), b"[{\"\":".repeat(50_000)] {
        assert_eq!(decoded(&document), None);
    }
}
