//! What a message of changes says besides its rows: table, keys, times.
//!
//! # Flink
//! `ReadableMetadata` of `DebeziumJsonDecodingFormat`, `CanalJsonDecodingFormat`, `MaxwellJsonDecodingFormat` and
//! `OggJsonDecodingFormat`, 1.17.

use arrow_array::types::TimestampMicrosecondType;
use millrace_connector::{FlinkType, MetadataKey, TypeKind};
use millrace_json::java_time::{TimestampStyle, parse_timestamp};
use millrace_json::{Kind, Node};

use super::envelope::{Document, Envelope};
use crate::java_number::parse_integer;
use crate::json::{Cell, ColumnBuilder, ReadOptions, column_builder, primitive};

/// A key and where its value lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata {
    /// The key behind `value.`, by which a connector with keys and values names it.
    key: &'static str,
    /// The members that lead to it.
    path: &'static [&'static str],
    value: Value,
}

/// How a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Text,
    Texts,
    /// A number for each name.
    Numbers,
    /// A text for each name.
    Properties,
    /// Milliseconds since the epoch.
    Millis,
    /// Milliseconds since the epoch, read as the text of a property.
    MillisText,
    /// Seconds since the epoch.
    Seconds,
    /// `2020-05-13T15:40:07.000000`, in milliseconds.
    IsoTime,
    /// `2020-05-13 15:40:06.000000`, in milliseconds.
    SqlTime,
}

const fn metadata(key: &'static str, path: &'static [&'static str], value: Value) -> Metadata {
    Metadata { key, path, value }
}

/// `schema` lies beside `payload`, everything else inside of it.
const SCHEMA: &str = "value.schema";

pub(crate) static DEBEZIUM: &[Metadata] = &[
    metadata(SCHEMA, &["schema"], Value::Text),
    metadata("value.ingestion-timestamp", &["ts_ms"], Value::Millis),
    metadata(
        "value.source.timestamp",
        &["source", "ts_ms"],
        Value::MillisText,
    ),
    metadata("value.source.database", &["source", "db"], Value::Text),
    metadata("value.source.schema", &["source", "schema"], Value::Text),
    metadata("value.source.table", &["source", "table"], Value::Text),
    metadata("value.source.properties", &["source"], Value::Properties),
];
pub(crate) static CANAL: &[Metadata] = &[
    metadata("value.database", &["database"], Value::Text),
    metadata("value.table", &["table"], Value::Text),
    metadata("value.sql-type", &["sqlType"], Value::Numbers),
    metadata("value.pk-names", &["pkNames"], Value::Texts),
    metadata("value.ingestion-timestamp", &["ts"], Value::Millis),
    metadata("value.event-timestamp", &["es"], Value::Millis),
];
pub(crate) static MAXWELL: &[Metadata] = &[
    metadata("value.database", &["database"], Value::Text),
    metadata("value.table", &["table"], Value::Text),
    metadata(
        "value.primary-key-columns",
        &["primary_key_columns"],
        Value::Texts,
    ),
    metadata("value.ingestion-timestamp", &["ts"], Value::Seconds),
];
pub(crate) static OGG: &[Metadata] = &[
    metadata("value.table", &["table"], Value::Text),
    metadata("value.primary-keys", &["primary_keys"], Value::Texts),
    metadata("value.ingestion-timestamp", &["current_ts"], Value::IsoTime),
    metadata("value.event-timestamp", &["op_ts"], Value::SqlTime),
];

impl Metadata {
    /// Returns the key with its type, as a table names it.
    pub(crate) fn described(&self) -> MetadataKey {
        MetadataKey {
            key: self.key,
            ty: self.ty(),
            writable: false,
        }
    }

    fn ty(&self) -> FlinkType {
        let text = || Box::new(FlinkType::string());
        match self.value {
            Value::Text => FlinkType::string(),
            Value::Texts => TypeKind::Array(text()).nullable(),
            Value::Numbers => TypeKind::Map(text(), Box::new(TypeKind::Int.nullable())).nullable(),
            Value::Properties => TypeKind::Map(text(), text()).nullable(),
            Value::Millis | Value::MillisText | Value::Seconds => {
                TypeKind::TimestampLtz(3).nullable()
            }
            Value::IsoTime | Value::SqlTime => TypeKind::TimestampLtz(6).nullable(),
        }
    }

    /// Returns what collects its values.
    pub(super) fn column(self, options: &ReadOptions) -> Result<MetadataColumn, String> {
        let ty = self.ty();
        let whole = |scale: i64| {
            primitive::<TimestampMicrosecondType>(&ty, move |cell| {
                let value = parse_integer(&cell.text(), i64::MIN, i64::MAX, false)?;
                Ok(Some(value.wrapping_mul(scale)))
            })
        };
        let time = |is_iso: bool| {
            primitive::<TimestampMicrosecondType>(&ty, move |cell| wall_millis(cell, is_iso))
        };
        let builder = match self.value {
            Value::Millis | Value::MillisText => whole(1000),
            Value::Seconds => whole(1_000_000),
            Value::IsoTime => time(true),
            Value::SqlTime => time(false),
            _ => column_builder(&ty, options)?,
        };
        Ok(MetadataColumn {
            metadata: self,
            builder,
        })
    }
}

/// Reads a wall clock as if it were UTC, in microseconds of whole milliseconds.
fn wall_millis(cell: &Cell<'_>, is_iso: bool) -> Result<Option<i64>, String> {
    let style = TimestampStyle {
        is_iso,
        has_zone: false,
    };
    let nanos = parse_timestamp(&cell.text(), style)?.nanos(3);
    i64::try_from(nanos.div_euclid(1000))
        .map(Some)
        .map_err(|_| "the timestamp is out of range".to_owned())
}

/// The values of a key.
pub(super) struct MetadataColumn {
    metadata: Metadata,
    pub(super) builder: Box<dyn ColumnBuilder>,
}

impl MetadataColumn {
    /// Returns the value in a message, unless it is missing or null.
    pub(super) fn find(
        &self,
        envelope: &Envelope,
        document: Document<'_>,
        root: Node,
    ) -> Option<Node> {
        let start = match envelope {
            Envelope::Debezium { has_schema: true } if self.metadata.key != SCHEMA => {
                document.get(root, "payload")?
            }
            _ => root,
        };
        self.metadata.path.iter().try_fold(start, |object, name| {
            (document.tape.kind(object) == Kind::Object)
                .then(|| document.get(object, name))
                .flatten()
        })
    }
}
