//! What messages of changes say besides their rows, as Flink 1.17.2 reads it.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;
use millrace_connector::FlinkType;
use millrace_formats::{FormatContext, Payloads, create_decoder, format};

fn show(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    if let Some(texts) = array.as_string_view_opt() {
        return texts.value(row).to_owned();
    }
    if let Some(times) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        return times.value(row).to_string();
    }
    if let Some(numbers) = array.as_primitive_opt::<Int32Type>() {
        return numbers.value(row).to_string();
    }
    if let Some(list) = array.as_list_opt::<i32>() {
        let values = list.value(row);
        let shown: Vec<String> = (0..values.len()).map(|at| show(&values, at)).collect();
        return format!("[{}]", shown.join(","));
    }
    let entries = array.as_map().value(row);
    let pair = |at| {
        format!(
            "{}={}",
            show(entries.column(0), at),
            show(entries.column(1), at)
        )
    };
    let shown: Vec<String> = (0..entries.len()).map(pair).collect();
    format!("{{{}}}", shown.join(","))
}

/// Decodes one message and shows the metadata of each of its rows, in the format's own order.
fn read(name: &str, options: &[(&str, &str)], message: &str) -> Vec<String> {
    let metadata: Vec<&'static str> = format(name)
        .expect("the format is known")
        .metadata()
        .iter()
        .map(|known| known.key)
        .collect();
    let ctx = FormatContext {
        metadata: metadata.clone(),
        ..FormatContext::default()
    };
    let options: BTreeMap<String, String> = options
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let schema = [("n".to_owned(), FlinkType::string())];
    let mut decoder =
        create_decoder(name, &options, &schema, &[0], &ctx).expect("the options are right");
    let buffer = Buffer::from_vec(message.as_bytes().to_vec());
    let payloads = Payloads {
        buffer: &buffer,
        ranges: &[Some(0..message.len() as u32)],
    };
    let decoded = decoder.decode(&payloads).expect("the messages are right");
    assert_eq!(decoded.columns.len(), 1 + metadata.len());
    (0..decoded.rows)
        .map(|row| {
            let values = decoded.columns[1..].iter();
            let pairs = metadata.iter().zip(values);
            let pair = |(key, array): (&&str, &ArrayRef)| {
                format!("{}={}", &key["value.".len()..], show(array, row))
            };
            pairs.map(pair).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

#[test]
fn debezium_tells_source_and_times() {
    let payload = r#"{"before":{"n":"a"},"after":{"n":"b"},"op":"u","ts_ms":5,
        "source":{"table":"tt","db":"dd","ts_ms":1700000000123,"lsn":24,"schema":null}}"#;
    let told = "ingestion-timestamp=5000 source.timestamp=1700000000123000 source.database=dd source.schema=NULL \
                source.table=tt source.properties={table=tt,db=dd,ts_ms=1700000000123,lsn=24,schema=NULL}";
    let plain = format!("schema=NULL {told}");
    assert_eq!(read("debezium-json", &[], payload), [plain.clone(), plain]);
    let wrapped = format!(r#"{{"schema":{{"type":"struct"}},"payload":{payload}}}"#);
    let with_schema = format!("schema={{\"type\":\"struct\"}} {told}");
    assert_eq!(
        read("debezium-json", &[("schema-include", "true")], &wrapped),
        [with_schema.clone(), with_schema]
    );
    let bare = r#"{"after":{"n":"b"},"op":"c"}"#;
    let nothing = "schema=NULL ingestion-timestamp=NULL source.timestamp=NULL source.database=NULL source.schema=NULL \
                   source.table=NULL source.properties=NULL";
    assert_eq!(read("debezium-json", &[], bare), [nothing]);
}

#[test]
fn canal_tells_each_row_of_a_message_the_same() {
    let message = r#"{"data":[{"n":"a"},{"n":"b"}],"type":"INSERT","database":"d","table":"t","es":6,"ts":7,
        "pkNames":["n"],"sqlType":{"n":12,"m":null}}"#;
    let told = "database=d table=t sql-type={n=12,m=NULL} pk-names=[n] ingestion-timestamp=7000 event-timestamp=6000";
    assert_eq!(read("canal-json", &[], message), [told, told]);
}

#[test]
fn maxwell_counts_seconds() {
    let message = r#"{"data":{"n":"a"},"type":"insert","database":"d","table":"t","ts":1596684883,"primary_key_columns":["id"]}"#;
    assert_eq!(
        read("maxwell-json", &[], message),
        ["database=d table=t primary-key-columns=[id] ingestion-timestamp=1596684883000000"]
    );
}

#[test]
fn ogg_tells_times_in_milliseconds() {
    let message = r#"{"after":{"n":"a"},"op_type":"I","table":"OGG.T","op_ts":"2020-05-13 15:40:06.123456",
        "current_ts":"2020-05-13T15:40:07.000999","primary_keys":["id","n"]}"#;
    assert_eq!(
        read("ogg-json", &[], message),
        [
            "table=OGG.T primary-keys=[id,n] ingestion-timestamp=1589384407000000 event-timestamp=1589384406123000"
        ]
    );
}

#[test]
fn what_is_no_time_fails_the_message_or_is_null() {
    let message = r#"{"after":{"n":"a"},"op":"c","ts_ms":"soon"}"#;
    let ctx = FormatContext {
        metadata: vec!["value.ingestion-timestamp"],
        ..FormatContext::default()
    };
    let schema = [("n".to_owned(), FlinkType::string())];
    let buffer = Buffer::from_vec(message.as_bytes().to_vec());
    let payloads = Payloads {
        buffer: &buffer,
        ranges: &[Some(0..message.len() as u32)],
    };
    let decode = |options: BTreeMap<String, String>| {
        let mut decoder = create_decoder("debezium-json", &options, &schema, &[], &ctx).unwrap();
        decoder.decode(&payloads)
    };
    assert!(decode(BTreeMap::new()).is_err());
    let ignore = BTreeMap::from([("ignore-parse-errors".to_owned(), "true".to_owned())]);
    assert!(decode(ignore).unwrap().columns[0].is_null(0));
}
