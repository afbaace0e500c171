//! The columns of a batch: out of decoded values and keys, and out of what is known of the records.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    BinaryViewBuilder, Int32Builder, Int64Builder, MapBuilder, MapFieldNames, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, UInt32Array};
use arrow_schema::{DataType, Field};
use millrace_connector::Projection;
use millrace_formats::Decoded;
use millrace_kafka_wire::{TimestampKind, TopicPartition};

use crate::metadata::Metadata;
use crate::records::{Headers, Records, Wants};
use crate::source::KafkaSourceSpec;

/// Where a column of the batch comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Column {
    /// Column of the value decoder's output.
    Value(usize),
    /// Column of the key decoder's output.
    Key(usize),
    /// The record.
    Metadata(Metadata),
}

/// Which decoder gives which column.
pub(crate) struct ColumnPlan {
    columns: Vec<Column>,
    /// Indexes into the value format's columns.
    pub(crate) value: Vec<usize>,
    /// Indexes into the key format's columns.
    pub(crate) key: Vec<usize>,
}

impl ColumnPlan {
    pub(crate) fn new(spec: &KafkaSourceSpec, projection: &Projection) -> Self {
        let mut plan = Self {
            columns: Vec::new(),
            value: Vec::new(),
            key: Vec::new(),
        };
        for wanted in &projection.columns {
            let at = |columns: &[usize]| columns.iter().position(|column| column == wanted);
            let column = if let Some(metadata) = spec.columns.metadata[*wanted] {
                Column::Metadata(metadata)
            } else if let Some(index) = at(&spec.formats.value.columns) {
                // Where a column is in both, the value's wins, as in Flink.
                plan.value.push(index);
                Column::Value(plan.value.len() - 1)
            } else {
                let key = spec.formats.key.as_ref().and_then(|key| at(&key.columns));
                plan.key
                    .push(key.expect("a physical column is in the value or the key"));
                Column::Key(plan.key.len() - 1)
            };
            plan.columns.push(column);
        }
        plan
    }

    /// Returns which parts of records the columns need besides the value.
    pub(crate) fn wants(&self, has_key: bool) -> Wants {
        let any = |wanted: Metadata| {
            let is_it =
                |column: &Column| matches!(column, Column::Metadata(found) if *found == wanted);
            self.columns.iter().any(is_it)
        };
        Wants {
            keys: has_key,
            headers: any(Metadata::Headers),
            timestamps: any(Metadata::Timestamp),
        }
    }

    /// Returns the wanted columns of the decoded records.
    pub(crate) fn build(
        &self,
        records: &Records,
        names: &[TopicPartition],
        value: &Decoded,
        key: Option<&Decoded>,
    ) -> Vec<ArrayRef> {
        let message_of_row = value.message_of_row.as_deref();
        let key_rows = key.map(|key| key_rows(key, message_of_row, value.rows));
        let column = |column: &Column| match column {
            Column::Value(index) => Arc::clone(&value.columns[*index]),
            Column::Key(index) => {
                let (key, rows) = key
                    .zip(key_rows.as_ref())
                    .expect("a key column has a key decoder");
                arrow_select::take::take(&key.columns[*index], rows, None)
                    .expect("the indexes are of the key's rows")
            }
            Column::Metadata(metadata) => {
                metadata_column(records, names, *metadata, message_of_row, value.rows)
            }
        };
        self.columns.iter().map(column).collect()
    }
}

fn metadata_column(
    records: &Records,
    names: &[TopicPartition],
    metadata: Metadata,
    message_of_row: Option<&[u32]>,
    rows: usize,
) -> ArrayRef {
    let message = |row: usize| message_of_row.map_or(row, |messages| messages[row] as usize);
    let runs = (0..rows).map(|row| records.run(message(row)));
    match metadata {
        Metadata::Topic => {
            let mut builder = StringViewBuilder::with_capacity(rows).with_deduplicate_strings();
            runs.for_each(|run| builder.append_value(&names[run.partition].topic));
            Arc::new(builder.finish())
        }
        Metadata::Partition => {
            let mut builder = Int32Builder::with_capacity(rows);
            runs.for_each(|run| builder.append_value(names[run.partition].partition));
            Arc::new(builder.finish())
        }
        Metadata::Offset => {
            let mut builder = Int64Builder::with_capacity(rows);
            (0..rows).for_each(|row| builder.append_value(records.offset(message(row))));
            Arc::new(builder.finish())
        }
        Metadata::LeaderEpoch => {
            let mut builder = Int32Builder::with_capacity(rows);
            runs.for_each(|run| {
                builder.append_option(Some(run.leader_epoch).filter(|epoch| *epoch >= 0));
            });
            Arc::new(builder.finish())
        }
        Metadata::Timestamp => {
            let mut builder = TimestampMicrosecondBuilder::with_capacity(rows);
            (0..rows).for_each(|row| {
                builder.append_value(records.timestamps[message(row)].saturating_mul(1000));
            });
            Arc::new(builder.finish())
        }
        Metadata::TimestampType => {
            let mut builder = StringViewBuilder::with_capacity(rows);
            runs.for_each(|run| {
                builder.append_value(match run.timestamp_kind {
                    TimestampKind::CreateTime => "CreateTime",
                    TimestampKind::LogAppendTime => "LogAppendTime",
                });
            });
            Arc::new(builder.finish())
        }
        Metadata::Headers => headers_column((0..rows).map(|row| &records.headers[message(row)])),
    }
}

fn headers_column<'a>(rows: impl Iterator<Item = &'a Headers>) -> ArrayRef {
    let names = MapFieldNames {
        entry: "entries".into(),
        key: "key".into(),
        value: "value".into(),
    };
    let mut builder = MapBuilder::new(
        Some(names),
        StringViewBuilder::new(),
        BinaryViewBuilder::new(),
    )
    .with_keys_field(Field::new("key", DataType::Utf8View, false))
    .with_values_field(Field::new("value", DataType::BinaryView, true));
    for headers in rows {
        // A Java map keeps the last value of a repeated name.
        for (index, (name, value)) in headers.iter().enumerate() {
            if headers[index + 1..].iter().all(|(later, _)| later != name) {
                builder.keys().append_value(name);
                builder.values().append_option(value.as_deref());
            }
        }
        builder
            .append(true)
            .expect("as many keys as values were appended");
    }
    Arc::new(builder.finish())
}

/// Returns, for each row of the value, the row of the key of the same message, if it has one.
fn key_rows(key: &Decoded, message_of_row: Option<&[u32]>, rows: usize) -> UInt32Array {
    let row_of_message: Option<HashMap<u32, u32>> = key.message_of_row.as_ref().map(|messages| {
        messages
            .iter()
            .enumerate()
            .map(|(row, message)| (*message, row as u32))
            .collect()
    });
    (0..rows as u32)
        .map(|row| {
            let message = message_of_row.map_or(row, |messages| messages[row as usize]);
            row_of_message
                .as_ref()
                .map_or(Some(message), |rows| rows.get(&message).copied())
        })
        .collect()
}
