//! The edge cases of JSONTestSuite, judged by what Jackson makes of them; see `corpus/README.md`.

use millrace_json::{Tape, write_canonical};
use serde_json::Value;

/// Documents that Jackson reads and this reader refuses: it takes UTF-8 only, and only as RFC 3629 defines it.
const NOT_UTF8: &[&str] = &[
    "i_string_UTF-16LE_with_BOM",
    "i_string_UTF8_surrogate_U+D800",
    "i_string_not_in_unicode_range",
    "i_string_overlong_sequence_2_bytes",
    "i_string_utf16BE_no_BOM",
    "i_string_utf16LE_no_BOM",
];

struct Document {
    name: String,
    bytes: Vec<u8>,
    strict: Answer,
    lenient: Answer,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Text(String),
    Refused,
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).expect("two digits"))
        .collect()
}

fn answer(cell: &str) -> Answer {
    match cell.strip_prefix("ok ") {
        Some(hex) => Answer::Text(String::from_utf8(bytes(hex)).expect("UTF-8")),
        None => Answer::Refused,
    }
}

fn documents() -> Vec<Document> {
    include_str!("corpus/documents.tsv")
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split('\t').collect();
            let bytes = match cells[0] {
                "n_structure_100000_opening_arrays" => b"[".repeat(100_000),
                "n_structure_open_array_object" => b"[{\"\":".repeat(50_000),
                _ => bytes(cells[1]),
            };
            Document {
                name: cells[0].to_owned(),
                bytes,
                strict: answer(cells[2]),
                lenient: answer(cells[3]),
            }
        })
        .collect()
}

fn read<const LENIENT: bool>(document: &[u8]) -> Answer {
    // A byte order mark is passed over, as Jackson does.
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    if std::str::from_utf8(document).is_err() {
        return Answer::Refused;
    }
    let mut tape = Tape::new();
    match tape.parse::<LENIENT>(document, 0) {
        Ok(root) => {
            let mut out = Vec::new();
            write_canonical(&tape, document, root, &mut out);
            Answer::Text(String::from_utf8(out).expect("UTF-8"))
        }
        Err(_) => Answer::Refused,
    }
}

#[test]
fn all_documents_are_there() {
    let documents = documents();
    let count = |prefix: &str| {
        documents
            .iter()
            .filter(|d| d.name.starts_with(prefix))
            .count()
    };
    assert_eq!((count("y_"), count("n_"), count("i_")), (95, 188, 35));
    for name in NOT_UTF8 {
        assert!(
            documents.iter().any(|document| document.name == *name),
            "{name}"
        );
    }
}

#[test]
fn each_is_read_as_jackson_reads_it() {
    let mut wrong = Vec::new();
    for document in documents() {
        if NOT_UTF8.contains(&document.name.as_str()) {
            assert_eq!(
                read::<true>(&document.bytes),
                Answer::Refused,
                "{}",
                document.name
            );
            continue;
        }
        for (ours, jackson) in [
            (read::<false>(&document.bytes), &document.strict),
            (read::<true>(&document.bytes), &document.lenient),
        ] {
            if ours != *jackson {
                wrong.push(format!("{}: {ours:?}, Jackson {jackson:?}", document.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_must_be_read_means_what_serde_json_says() {
    for document in documents().iter().filter(|d| d.name.starts_with("y_")) {
        let Answer::Text(text) = read::<false>(&document.bytes) else {
            panic!("{} is refused", document.name);
        };
        let theirs: Value = serde_json::from_slice(&document.bytes).expect("well formed");
        let ours: Value = serde_json::from_str(&text).expect("well formed");
        assert_eq!(loose(ours), loose(theirs), "{}", document.name);
    }
}

/// Numbers as doubles: `-0` and `1E400` have no other common form.
fn loose(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            Value::from(format!("{:.10e}", number.as_f64().unwrap_or(0.0) + 0.0))
        }
        Value::Array(items) => items.into_iter().map(loose).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, value)| (key, loose(value)))
            .collect(),
        other => other,
    }
}
