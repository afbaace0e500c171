//! The scanner and the tape against `serde_json`, on documents made and documents broken at random.

use millrace_json::{Kind, Scanner, Scratch, Tape, write_canonical};
use proptest::prelude::*;
use serde_json::Value;

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e15..1e15).prop_map(|number: f64| Value::from(number)),
        any::<String>().prop_map(Value::from),
        "[a-z\"\\\\\n]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec(("[a-d\"é]{0,12}", inner), 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn canonical(text: &str) -> Option<String> {
    let mut tape = Tape::new();
    let root = tape.parse::<true>(text.as_bytes(), 0).ok()?;
    let mut out = Vec::new();
    write_canonical(&tape, text.as_bytes(), root, &mut out);
    Some(String::from_utf8(out).expect("UTF-8"))
}

/// Numbers as doubles of eleven digits: the canonical text of 1e3 is 1000.0, and `serde_json` reads the last digits
/// only nearly.
fn loosened(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            Value::from(format!("{:.10e}", number.as_f64().unwrap_or(f64::NAN)))
        }
        Value::Array(elements) => elements.into_iter().map(loosened).collect(),
        Value::Object(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| (key, loosened(value)))
                .collect(),
        ),
        other => other,
    }
}

proptest! {
    #[test]
    fn canonical_text_means_the_same(document in documents(), pretty in any::<bool>()) {
        let text = if pretty {
            serde_json::to_string_pretty(&document)
        } else {
            serde_json::to_string(&document)
        };
        let text = text.expect("a document");
        let again = canonical(&text).expect("well formed");
        let back: Value = serde_json::from_str(&again).expect("well formed");
        prop_assert_eq!(loosened(back), loosened(document));
    }

    #[test]
    fn a_value_that_needs_no_rewrite_is_canonical(document in documents()) {
        let text = serde_json::to_string(&document).expect("a document");
        let mut scratch = Scratch::default();
        let mut scanner = Scanner::<true>::new(text.as_bytes(), 0, &mut scratch);
        let span = scanner.value::<true>().expect("well formed");
        if matches!(span.kind, Kind::Array | Kind::Object) && !span.needs_rewrite() {
            prop_assert_eq!(canonical(&text).expect("well formed"), text);
        }
    }

    #[test]
    fn what_serde_json_takes_the_scanner_takes(document in documents(), place in any::<prop::sample::Index>(), with in "[\\[\\]{}\",:0-9a-z.\\\\ -]") {
        let mut text = serde_json::to_string(&document).expect("a document");
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = places[place.index(places.len())];
        let length = text[at..].chars().next().map_or(0, char::len_utf8);
        text.replace_range(at..at + length, &with);
        let mut scratch = Scratch::default();
        let mut scanner = Scanner::<false>::new(text.as_bytes(), 0, &mut scratch);
        let scanned = scanner.value::<true>().is_ok() && {
            let end = scanner.position();
            text[end..].trim().is_empty()
        };
        if serde_json::from_str::<Value>(&text).is_ok() {
            prop_assert!(scanned, "{}", text);
        }
        prop_assert_eq!(Tape::new().parse::<false>(text.as_bytes(), 0).is_ok(), {
            let mut scanner = Scanner::<false>::new(text.as_bytes(), 0, &mut scratch);
            scanner.value::<false>().is_ok_and(|span| {
                !matches!(span.kind, Kind::Int | Kind::Float) || scanner.check_root_number().is_ok()
            })
        });
    }
}
