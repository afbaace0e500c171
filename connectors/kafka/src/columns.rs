//! The columns of a batch: out of decoded values and keys, and out of what is known of the records.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryViewBuilder, Int32Builder, Int64Builder, MapBuilder, MapFieldNames, StringViewBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, BooleanArray, UInt32Array};
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
    /// Metadata behind the columns of the value decoder's output.
    ValueMetadata(usize),
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
    /// The metadata that the value's format is asked for.
    pub(crate) metadata: Vec<&'static str>,
    /// Indexes into the key format's columns.
    pub(crate) key: Vec<usize>,
}

impl ColumnPlan {
    /// # Flink
    /// The whole key is read whether or not a column of it is wanted: one that cannot be read fails, and one that is no
    /// row leaves its record out.
    pub(crate) fn new(spec: &KafkaSourceSpec, projection: &Projection) -> Self {
        let key = spec.formats.key.as_ref().map_or(0, |key| key.columns.len());
        let mut plan = Self {
            columns: Vec::new(),
            value: Vec::new(),
            metadata: Vec::new(),
            key: (0..key).collect(),
        };
        for wanted in &projection.columns {
            let at = |columns: &[usize]| columns.iter().position(|column| column == wanted);
            let column = if let Some(metadata) = spec.columns.metadata[*wanted] {
                Column::Metadata(metadata)
            } else if let Some(key) = spec.columns.value_metadata[*wanted] {
                plan.metadata.push(key);
                Column::ValueMetadata(plan.metadata.len() - 1)
            } else if let Some(index) = at(&spec.formats.value.columns) {
                // Where a column is in both, the value's wins, as in Flink.
                plan.value.push(index);
                Column::Value(plan.value.len() - 1)
            } else {
                let key = spec.formats.key.as_ref().and_then(|key| at(&key.columns));
                Column::Key(key.expect("a physical column is in the value or the key"))
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
            Column::ValueMetadata(index) => Arc::clone(&value.columns[self.value.len() + index]),
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

/// Returns, for each row of the value, the row of the key of the same message. Rows without one were left out by
/// [`without_keyless`].
fn key_rows(key: &Decoded, message_of_row: Option<&[u32]>, rows: usize) -> UInt32Array {
    let of_message = row_of_message(key);
    (0..rows as u32)
        .map(|row| {
            let message = message_of_row.map_or(row, |messages| messages[row as usize]);
            of_message(message)
        })
        .collect()
}

/// Returns what finds the key's row of a message.
fn row_of_message(key: &Decoded) -> impl Fn(u32) -> Option<u32> + '_ {
    move |message| match &key.message_of_row {
        None => Some(message),
        // Ascending, and one row a message at most.
        Some(messages) => {
            let row = messages.binary_search(&message).ok()?;
            u32::try_from(row).ok()
        }
    }
}

/// Leaves out the rows of the value whose record's key gave no row.
///
/// # Flink
/// `DynamicKafkaDeserializationSchema` emits the value's row for each row of the key: for none, nothing.
pub(crate) fn without_keyless(value: Decoded, key: &Decoded) -> Decoded {
    if key.message_of_row.is_none() {
        return value;
    }
    let of_message = row_of_message(key);
    let messages: Vec<u32> = match &value.message_of_row {
        Some(messages) => messages.clone(),
        None => (0..value.rows as u32).collect(),
    };
    let keep: Vec<bool> = messages
        .iter()
        .map(|message| of_message(*message).is_some())
        .collect();
    if keep.iter().all(|kept| *kept) {
        return value;
    }
    let kept = |row: &usize| keep[*row];
    let rows: Vec<usize> = (0..value.rows).filter(kept).collect();
    let mask = BooleanArray::from(keep.clone());
    let filtered = |column: &ArrayRef| {
        arrow_select::filter::filter(column, &mask).expect("the mask is as long as the column")
    };
    Decoded {
        columns: value.columns.iter().map(filtered).collect(),
        rows: rows.len(),
        message_of_row: Some(rows.iter().map(|row| messages[*row]).collect()),
        kinds: value
            .kinds
            .map(|kinds| rows.iter().map(|row| kinds[*row]).collect()),
        ..value
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;
    use millrace_connector::RowKind;

    use super::*;

    fn decoded(values: &[i32], messages: Option<&[u32]>) -> Decoded {
        Decoded {
            columns: vec![Arc::new(Int32Array::from(values.to_vec()))],
            rows: values.len(),
            message_of_row: messages.map(<[u32]>::to_vec),
            kinds: Some(vec![RowKind::Insert; values.len()]),
            skipped: 0,
            skip_reason: None,
            bad: Vec::new(),
        }
    }

    #[test]
    fn a_record_whose_key_gives_no_row_gives_none() {
        let check = |value: Decoded, key: Decoded, expected: &[(i32, u32)]| {
            let value = without_keyless(value, &key);
            let rows = key_rows(&key, value.message_of_row.as_deref(), value.rows);
            let numbers = value.columns[0].as_any().downcast_ref::<Int32Array>();
            let found: Vec<(i32, u32)> = numbers
                .unwrap()
                .values()
                .iter()
                .zip(rows.values())
                .map(|(value, row)| (*value, *row))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(value.kinds.unwrap().len(), expected.len());
        };
        let keys = |messages| decoded(&[7, 8], messages);
        check(decoded(&[1, 2], None), keys(None), &[(1, 0), (2, 1)]);
        check(
            decoded(&[1, 2, 3], None),
            keys(Some(&[0, 2])),
            &[(1, 0), (3, 1)],
        );
        // Two rows of one message, as canal-json has them.
        let twice = decoded(&[1, 2, 3], Some(&[1, 1, 2]));
        check(twice, keys(Some(&[1, 3])), &[(1, 0), (2, 0)]);
        check(decoded(&[1], Some(&[4])), keys(Some(&[0, 1])), &[]);
    }
}
