//! No bytes make a decoder panic, and columns always are as long as the rows.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_buffer::Buffer;
use millrace_connector::{FlinkType, RowField, TypeKind};
use millrace_formats::{BadMessages, FormatContext, Payloads, create_decoder, formats};
use proptest::prelude::*;

fn schema(format: &str) -> Vec<(String, FlinkType)> {
    let int = || Box::new(TypeKind::Int.nullable());
    let text = || Box::new(FlinkType::string());
    let mut kinds = vec![
        TypeKind::Varchar(10),
        TypeKind::Varbinary(10),
        TypeKind::Int,
        TypeKind::Double,
        TypeKind::Decimal(10, 2),
        TypeKind::Timestamp(3),
        TypeKind::TimestampLtz(9),
        TypeKind::Time(0),
        TypeKind::Date,
        TypeKind::Array(int()),
        TypeKind::Row(vec![
            RowField {
                name: "a".to_owned(),
                ty: *int(),
            },
            RowField {
                name: "b".to_owned(),
                ty: *text(),
            },
        ]),
    ];
    match format {
        "raw" => kinds.truncate(1),
        "csv" => {}
        _ => kinds.push(TypeKind::Map(text(), int())),
    }
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    kinds
        .into_iter()
        .zip(names)
        .map(|(kind, name)| (name.to_owned(), kind.nullable()))
        .collect()
}

fn message() -> impl Strategy<Value = Option<Vec<u8>>> {
    let json = "(\\{(\"[a-l]\":(1|\"x\"|-1.5e3|null|true|\\[1,2\\]|\\{\"a\":1\\}|\"2024-01-02\"),){0,5}\"a\":0\\})";
    let change = "(\\{\"(before|after|data|old|payload|type|op)\":(\\{\"a\":1\\}|\\[\\{\"b\":2\\}\\]|null|\"(INSERT|UPDATE|c|u|update|I)\"),\"(after|data|type|op|op_type)\":(\\{\"c\":\"x\"\\}|\\[\\{\"a\":2\\}\\]|\"(UPDATE|DELETE|d|u|update|U)\")\\})";
    prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..60).prop_map(Some),
        "[\\[\\]{}\",:;0-9a-l.\\\\\n '#-]{0,60}".prop_map(|text: String| Some(text.into_bytes())),
        json.prop_map(|text: String| Some(text.into_bytes())),
        change.prop_map(|text: String| Some(text.into_bytes())),
    ]
}

proptest! {
    #[test]
    fn decoders_never_panic(
        messages in prop::collection::vec(message(), 0..12),
        ignore in any::<bool>(),
        collect in any::<bool>(),
    ) {
        let mut bytes = Vec::new();
        let ranges: Vec<_> = messages
            .iter()
            .map(|message| {
                let start = bytes.len() as u32;
                bytes.extend_from_slice(message.as_ref()?);
                Some(start..bytes.len() as u32)
            })
            .collect();
        let buffer = Buffer::from_vec(bytes);
        for format in formats() {
            let schema = schema(format.identifier);
            let wanted: Vec<usize> = (0..schema.len()).rev().collect();
            let mut options = BTreeMap::new();
            if ignore && format.options.iter().any(|option| option.key == "ignore-parse-errors") {
                options.insert("ignore-parse-errors".to_owned(), "true".to_owned());
            }
            let ctx = FormatContext {
                bad_messages: if collect { BadMessages::Collect } else { BadMessages::Fail },
                ..FormatContext::default()
            };
            let mut decoder = create_decoder(format.identifier, &options, &schema, &wanted, &ctx).expect("a decoder");
            // Twice, since decoders remember what they saw.
            for _ in 0..2 {
                let payloads = Payloads { buffer: &buffer, ranges: &ranges };
                let decoded = match decoder.decode(&payloads) {
                    Ok(decoded) => decoded,
                    Err(error) => {
                        prop_assert!(!collect, "{} failed: {}", format.identifier, error);
                        continue;
                    }
                };
                for column in &decoded.columns {
                    prop_assert_eq!(column.len(), decoded.rows);
                }
                let rows = decoded.message_of_row.map_or(messages.len(), |rows| rows.len());
                prop_assert_eq!(rows, decoded.rows);
                prop_assert!(decoded.kinds.is_none_or(|kinds| kinds.len() == decoded.rows));
            }
        }
    }
}
