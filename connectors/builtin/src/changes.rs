//! What a query outside of any INSERT writes into when its changes are to be seen: one JSON line a change.
//!
//! ```text
//! {"op":"+I","row":{"id":1,"v":"a"}}
//! ```
//! Lines of a batch are written and flushed at once. DECIMAL and everything temporal is text, so that no digit is
//! lost: `"2026-01-01 12:00:00.000"`, an instant in UTC with a `Z` behind it; bytes are `"0x…"` in hexadecimal.

use std::any::Any;
use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType,
};
use arrow_array::{Array, ArrayRef};
use millrace_connector::sink::{CommitRole, SinkBatch, SinkGroup, SinkWriter, Written};
use millrace_connector::{
    ChangelogMode, ConnectorError, DeliveryGuarantee, ErrorKind, FlinkType, MetadataKey,
    OpenContext, Retry, RowKind, SinkSpec, TableDefinition, TypeKind,
};

use crate::flush::FlushGroup;
use crate::row_text::{nanos, wall_clock, write_date, write_decimal};

/// Writes each change as a line of JSON to standard output. No table can name it.
#[derive(Clone, Debug)]
pub struct Changes {
    columns: Vec<ChangesColumn>,
}

#[derive(Clone, Debug)]
struct ChangesColumn {
    /// The name as a JSON text with the colon behind it.
    label: Vec<u8>,
    ty: FlinkType,
}

impl Changes {
    /// Returns what shows rows with the columns of `table`.
    #[must_use]
    pub fn new(table: &TableDefinition) -> Self {
        let columns = table.columns.iter().map(|column| {
            let mut label = Vec::new();
            write_text(&column.name.value, &mut label);
            label.push(b':');
            ChangesColumn {
                label,
                ty: column.ty.clone(),
            }
        });
        Self {
            columns: columns.collect(),
        }
    }
}

impl SinkSpec for Changes {
    fn metadata(&self) -> Vec<MetadataKey> {
        Vec::new()
    }

    fn guarantee(&self) -> DeliveryGuarantee {
        DeliveryGuarantee::AtLeastOnce
    }

    fn role(&self) -> CommitRole {
        CommitRole::Flushes
    }

    fn changelog_mode(&self) -> ChangelogMode {
        ChangelogMode::All
    }

    fn describe(&self) -> Vec<(String, String)> {
        vec![("to".into(), "standard output, as lines of JSON".into())]
    }

    fn group_key(&self) -> String {
        "changes".into()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn open_group(
        &self,
        _members: &[&dyn SinkSpec],
        _ctx: &OpenContext,
    ) -> Result<Box<dyn SinkGroup>, ConnectorError> {
        let columns = self.columns.clone();
        Ok(Box::new(FlushGroup::new(move |_lane| {
            Ok(Box::new(Lines {
                columns: columns.clone(),
                lines: Vec::new(),
            }))
        })))
    }
}

struct Lines {
    columns: Vec<ChangesColumn>,
    lines: Vec<u8>,
}

impl SinkWriter for Lines {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        self.lines.clear();
        for row in 0..rows.rows {
            let kind = rows.kinds.map_or(RowKind::Insert, |kinds| kinds[row]);
            write_change(kind, &self.columns, rows.columns, row, &mut self.lines);
        }
        let mut out = std::io::stdout().lock();
        let written = out.write_all(&self.lines).and_then(|()| out.flush());
        written.map_err(|error| {
            ConnectorError::new(ErrorKind::Rejected, Retry::Never, "cannot print").caused_by(error)
        })?;
        Ok(Written {
            records: rows.rows as u64,
            bytes: self.lines.len() as u64,
            ..Written::default()
        })
    }
}

fn write_change(
    kind: RowKind,
    columns: &[ChangesColumn],
    arrays: &[ArrayRef],
    row: usize,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"{\"op\":\"");
    out.extend_from_slice(kind.short().as_bytes());
    out.extend_from_slice(b"\",\"row\":{");
    for (index, (column, array)) in columns.iter().zip(arrays).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&column.label);
        write_value(&column.ty.kind, array, row, out);
    }
    out.extend_from_slice(b"}}\n");
}

fn put(out: &mut Vec<u8>, text: impl std::fmt::Display) {
    write!(out, "{text}").expect("memory takes everything");
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("memory takes every text");
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn write_value(kind: &TypeKind, array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    if matches!(kind, TypeKind::Null) || array.is_null(row) {
        return out.extend_from_slice(b"null");
    }
    match kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            write_text(array.as_string_view().value(row), out);
        }
        TypeKind::Boolean => put(out, array.as_boolean().value(row)),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => quoted(out, |out| {
            out.extend_from_slice(b"0x");
            for byte in array.as_binary_view().value(row) {
                put(out, format_args!("{byte:02x}"));
            }
        }),
        TypeKind::Decimal(_, scale) => quoted(out, |out| {
            let unscaled = array.as_primitive::<Decimal128Type>().value(row);
            write_decimal(unscaled, usize::from(*scale), out);
        }),
        TypeKind::TinyInt => put(out, array.as_primitive::<Int8Type>().value(row)),
        TypeKind::SmallInt => put(out, array.as_primitive::<Int16Type>().value(row)),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => {
            put(out, array.as_primitive::<Int32Type>().value(row));
        }
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => {
            put(out, array.as_primitive::<Int64Type>().value(row));
        }
        TypeKind::Float => {
            let value = array.as_primitive::<Float32Type>().value(row);
            write_number(f64::from(value), format_args!("{value:?}"), out);
        }
        TypeKind::Double => {
            let value = array.as_primitive::<Float64Type>().value(row);
            write_number(value, format_args!("{value:?}"), out);
        }
        TypeKind::Date => quoted(out, |out| {
            write_date(array.as_primitive::<Date32Type>().value(row), out);
        }),
        TypeKind::Time(_) => quoted(out, |out| {
            write_time(
                array.as_primitive::<Time32MillisecondType>().value(row),
                out,
            );
        }),
        TypeKind::Timestamp(precision) => {
            write_timestamp(nanos(*precision, array, row), *precision, "", out);
        }
        TypeKind::TimestampLtz(precision) => {
            write_timestamp(nanos(*precision, array, row), *precision, "Z", out);
        }
        TypeKind::Array(element) => {
            let values = array.as_list::<i32>().value(row);
            write_list(&element.kind, &values, out);
        }
        TypeKind::Map(key, value) => write_map(&key.kind, &value.kind, array, row, out),
        TypeKind::Multiset(element) => write_map(&element.kind, &TypeKind::Int, array, row, out),
        TypeKind::Row(fields) => {
            out.push(b'{');
            for (index, (field, column)) in
                fields.iter().zip(array.as_struct().columns()).enumerate()
            {
                if index > 0 {
                    out.push(b',');
                }
                write_text(&field.name, out);
                out.push(b':');
                write_value(&field.ty.kind, column, row, out);
            }
            out.push(b'}');
        }
        TypeKind::Null => {}
    }
}

/// JSON has no infinities and no NaN: those are texts.
fn write_number(value: f64, digits: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    if value.is_nan() {
        put(out, "\"NaN\"");
    } else if value.is_infinite() {
        let text = if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        };
        put(out, text);
    } else {
        put(out, digits);
    }
}

fn write_list(kind: &TypeKind, values: &ArrayRef, out: &mut Vec<u8>) {
    out.push(b'[');
    for index in 0..values.len() {
        if index > 0 {
            out.push(b',');
        }
        write_value(kind, values, index, out);
    }
    out.push(b']');
}

/// Keys of a map are of any type, so it is a list of pairs.
fn write_map(key: &TypeKind, value: &TypeKind, array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    let entries = array.as_map().value(row);
    out.push(b'[');
    for index in 0..entries.len() {
        if index > 0 {
            out.push(b',');
        }
        out.push(b'[');
        write_value(key, entries.column(0), index, out);
        out.push(b',');
        write_value(value, entries.column(1), index, out);
        out.push(b']');
    }
    out.push(b']');
}

fn write_time(millis: i32, out: &mut Vec<u8>) {
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let (hours, minutes) = (seconds.div_euclid(3600), seconds.rem_euclid(3600) / 60);
    put(
        out,
        format_args!("{hours:02}:{minutes:02}:{:02}", seconds.rem_euclid(60)),
    );
    if rest > 0 {
        put(out, format_args!(".{rest:03}"));
    }
}

fn write_timestamp(nanos: i128, precision: u8, zone: &str, out: &mut Vec<u8>) {
    quoted(out, |out| {
        let Some(at) = wall_clock(nanos) else {
            return put(out, format_args!("{nanos} ns since 1970-01-01"));
        };
        put(
            out,
            format_args!(
                "{} {:02}:{:02}:{:02}",
                at.date(),
                at.hour(),
                at.minute(),
                at.second()
            ),
        );
        if precision > 0 {
            let digits = format!("{:09}", at.subsec_nanosecond());
            put(
                out,
                format_args!(".{}", &digits[..usize::from(precision.min(9))]),
            );
        }
        out.extend_from_slice(zone.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        BinaryViewArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
        StringViewArray, Time32MillisecondArray, TimestampMicrosecondArray,
    };

    use super::*;

    fn shown(kind: &TypeKind, array: &ArrayRef) -> String {
        let mut out = Vec::new();
        write_value(kind, array, 0, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_change_is_a_line_with_its_kind() {
        let column = |name: &str, kind: TypeKind| {
            let mut label = Vec::new();
            write_text(name, &mut label);
            label.push(b':');
            ChangesColumn {
                label,
                ty: kind.nullable(),
            }
        };
        let columns = [
            column("id", TypeKind::Int),
            column("a \"b\"", TypeKind::Varchar(9)),
        ];
        let arrays: [ArrayRef; 2] = [
            Arc::new(Int32Array::from(vec![7])),
            Arc::new(StringViewArray::from(vec![None::<&str>])),
        ];
        let mut out = Vec::new();
        write_change(RowKind::UpdateBefore, &columns, &arrays, 0, &mut out);
        let line = String::from_utf8(out).unwrap();
        assert_eq!(
            line,
            "{\"op\":\"-U\",\"row\":{\"id\":7,\"a \\\"b\\\"\":null}}\n"
        );
    }

    #[test]
    fn values_keep_all_their_digits() {
        let decimal = Decimal128Array::from(vec![-5])
            .with_precision_and_scale(5, 2)
            .unwrap();
        let micros = || Arc::new(TimestampMicrosecondArray::from(vec![1_500_000]));
        let nanos = Decimal128Array::from(vec![1_500_000_007_i128])
            .with_precision_and_scale(38, 0)
            .unwrap();
        let cases: Vec<(TypeKind, ArrayRef, &str)> = vec![
            (
                TypeKind::Varchar(9),
                Arc::new(StringViewArray::from(vec!["ä\n"])),
                "\"ä\\n\"",
            ),
            (TypeKind::Decimal(5, 2), Arc::new(decimal), "\"-0.05\""),
            (
                TypeKind::Varbinary(9),
                Arc::new(BinaryViewArray::from(vec![&[0, 255][..]])),
                "\"0x00ff\"",
            ),
            (
                TypeKind::Date,
                Arc::new(Date32Array::from(vec![19_782])),
                "\"2024-02-29\"",
            ),
            (
                TypeKind::Time(0),
                Arc::new(Time32MillisecondArray::from(vec![45_296_000])),
                "\"12:34:56\"",
            ),
            (
                TypeKind::Time(3),
                Arc::new(Time32MillisecondArray::from(vec![45_296_789])),
                "\"12:34:56.789\"",
            ),
            (TypeKind::Timestamp(0), micros(), "\"1970-01-01 00:00:01\""),
            (
                TypeKind::TimestampLtz(6),
                micros(),
                "\"1970-01-01 00:00:01.500000Z\"",
            ),
            (
                TypeKind::Timestamp(9),
                Arc::new(nanos),
                "\"1970-01-01 00:00:01.500000007\"",
            ),
            (
                TypeKind::Float,
                Arc::new(Float32Array::from(vec![16_777_216.0])),
                "16777216.0",
            ),
            (
                TypeKind::Double,
                Arc::new(Float64Array::from(vec![1e100])),
                "1e100",
            ),
            (
                TypeKind::Double,
                Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])),
                "\"-Infinity\"",
            ),
        ];
        for (kind, array, expect) in cases {
            let name = kind.to_string();
            assert_eq!(shown(&kind, &array), expect, "{name}");
        }
    }
}
