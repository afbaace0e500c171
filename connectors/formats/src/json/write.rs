//! Values of columns as JSON text, as Jackson writes it to bytes.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, StringViewArray};
use arrow_buffer::NullBuffer;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use millrace_connector::physical::MICROSECOND_PRECISION_MAX;
use millrace_connector::{FlinkType, TypeKind};
use millrace_json::{
    Piece, push_double, push_float, push_integer, write_escaped_utf8_bytes, write_escaped_word,
};

use super::nested::non_string_key;
use super::options::{NullKey, TimestampFormat};
use millrace_json::java_decimal::Decimal;
use millrace_json::java_time::{TimestampStyle, WallTime, write_date, write_time, write_timestamp};

/// What writing depends on.
#[derive(Clone, Debug)]
pub(crate) struct WriteOptions {
    pub(crate) timestamp_format: TimestampFormat,
    pub(crate) null_key: NullKey,
    pub(crate) plain_decimal: bool,
}

/// How the values of a type are written.
#[derive(Clone, Debug)]
pub(crate) enum ValueWriter {
    Text,
    Bytes,
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal {
        scale: u8,
        is_plain: bool,
    },
    Date,
    Time,
    Timestamp {
        style: TimestampStyle,
        is_micros: bool,
    },
    Array(Box<ValueWriter>),
    Map {
        value: Box<ValueWriter>,
        null_key: NullKey,
    },
    /// Each field's name as `"name":`.
    Row(Vec<(Vec<u8>, ValueWriter)>),
    Null,
}

/// Returns how values of `ty` are written.
///
/// # Errors
/// Flink's `json` has no such columns, in its words.
pub(crate) fn value_writer(ty: &FlinkType, options: &WriteOptions) -> Result<ValueWriter, String> {
    let timestamp = |precision: u8, has_zone: bool| ValueWriter::Timestamp {
        style: TimestampStyle {
            is_iso: options.timestamp_format == TimestampFormat::Iso8601,
            has_zone,
        },
        is_micros: precision <= MICROSECOND_PRECISION_MAX,
    };
    let map = |key: &FlinkType, value: &FlinkType| {
        if !key.kind.is_character() {
            return Err(non_string_key(ty));
        }
        Ok(ValueWriter::Map {
            value: Box::new(value_writer(value, options)?),
            null_key: options.null_key.clone(),
        })
    };
    Ok(match &ty.kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => ValueWriter::Text,
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => ValueWriter::Bytes,
        TypeKind::Boolean => ValueWriter::Boolean,
        TypeKind::TinyInt => ValueWriter::TinyInt,
        TypeKind::SmallInt => ValueWriter::SmallInt,
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => ValueWriter::Int,
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => ValueWriter::BigInt,
        TypeKind::Float => ValueWriter::Float,
        TypeKind::Double => ValueWriter::Double,
        TypeKind::Decimal(_, scale) => ValueWriter::Decimal {
            scale: *scale,
            is_plain: options.plain_decimal,
        },
        TypeKind::Date => ValueWriter::Date,
        TypeKind::Time(_) => ValueWriter::Time,
        TypeKind::Timestamp(precision) => timestamp(*precision, false),
        TypeKind::TimestampLtz(precision) => timestamp(*precision, true),
        TypeKind::Array(element) => ValueWriter::Array(Box::new(value_writer(element, options)?)),
        TypeKind::Map(key, value) => map(key, value)?,
        TypeKind::Multiset(element) => map(element, &TypeKind::Int.not_null())?,
        TypeKind::Row(fields) => ValueWriter::Row(
            fields
                .iter()
                .map(|field| Ok((key_text(&field.name), value_writer(&field.ty, options)?)))
                .collect::<Result<_, String>>()?,
        ),
        TypeKind::Null => ValueWriter::Null,
    })
}

/// Returns a name as `"name":`.
pub(crate) fn key_text(name: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len() + 3);
    write_escaped_utf8_bytes(name.as_bytes(), &mut text);
    text.push(b':');
    text
}

#[inline]
fn at<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
    let array: &PrimitiveArray<T> = array.as_primitive();
    array.value(row)
}

impl ValueWriter {
    /// Appends the value at `row` as JSON, `null` for NULL.
    ///
    /// # Errors
    /// A map has a NULL key that the options do not allow.
    pub(crate) fn write(
        &self,
        array: &dyn Array,
        row: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if array.is_null(row) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Text => {
                write_escaped_utf8_bytes(array.as_string_view().value(row).as_bytes(), out)
            }
            Self::Bytes => write_base64(array.as_binary_view().value(row), out),
            Self::Boolean => {
                let value = array.as_boolean().value(row);
                out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            Self::TinyInt => push_integer(at::<Int8Type>(array, row).into(), out),
            Self::SmallInt => push_integer(at::<Int16Type>(array, row).into(), out),
            Self::Int => push_integer(at::<Int32Type>(array, row).into(), out),
            Self::BigInt => push_integer(at::<Int64Type>(array, row), out),
            Self::Float => {
                let value = at::<Float32Type>(array, row);
                quoted_unless(value.is_finite(), out, |out| push_float(value, out));
            }
            Self::Double => {
                let value = at::<Float64Type>(array, row);
                quoted_unless(value.is_finite(), out, |out| push_double(value, out));
            }
            Self::Decimal { scale, is_plain } => {
                let unscaled = at::<Decimal128Type>(array, row);
                // Jackson's tree nodes of decimals have no zeros at the end.
                let decimal = Decimal {
                    unscaled,
                    scale: i64::from(*scale),
                }
                .stripped();
                if *is_plain {
                    decimal.write_plain(out)
                } else {
                    decimal.write(out)
                }
            }
            Self::Date => {
                let days = at::<Date32Type>(array, row);
                quoted_unless(false, out, |out| write_date(days.into(), out));
            }
            Self::Time => {
                let second = at::<Time32MillisecondType>(array, row) / 1000;
                quoted_unless(false, out, |out| write_time(second.into(), 0, out));
            }
            Self::Timestamp { style, is_micros } => {
                let time = if *is_micros {
                    WallTime::of_micros(at::<TimestampMicrosecondType>(array, row))
                } else {
                    WallTime::of_nanos(at::<Decimal128Type>(array, row))
                };
                quoted_unless(false, out, |out| write_timestamp(time, *style, out));
            }
            Self::Array(element) => {
                let elements = array.as_list::<i32>().value(row);
                return write_array(element, &elements, out);
            }
            Self::Map { value, null_key } => {
                return write_map(value, null_key, array, row, out);
            }
            Self::Row(fields) => return write_row(fields, array.as_struct().columns(), row, out),
            Self::Null => out.extend_from_slice(b"null"),
        }
        Ok(())
    }
}

/// The columns of a batch as the fields of an object: types are looked at once a batch, not once a value.
pub(crate) struct RowWriter<'a> {
    fields: Vec<BoundField<'a>>,
}

struct BoundField<'a> {
    /// What precedes the value: `{` or a comma, and the name as `"name":`.
    before: Piece,
    nulls: Option<&'a NullBuffer>,
    values: BoundValues<'a>,
}

/// The types that most columns have.
enum BoundValues<'a> {
    Text(&'a StringViewArray),
    Int(&'a [i32]),
    BigInt(&'a [i64]),
    Double(&'a [f64]),
    Micros(&'a [i64], TimestampStyle),
    Other(&'a ValueWriter, &'a dyn Array),
}

impl<'a> RowWriter<'a> {
    pub(crate) fn new(fields: &'a [(Vec<u8>, ValueWriter)], columns: &'a [ArrayRef]) -> Self {
        let fields = fields
            .iter()
            .zip(columns)
            .enumerate()
            .map(|(place, ((key, writer), column))| BoundField {
                before: Piece::new(&[if place == 0 { b"{" } else { b"," }, &key[..]].concat()),
                nulls: column.nulls(),
                values: match writer {
                    ValueWriter::Text => BoundValues::Text(column.as_string_view()),
                    ValueWriter::Int => {
                        BoundValues::Int(column.as_primitive::<Int32Type>().values())
                    }
                    ValueWriter::BigInt => {
                        BoundValues::BigInt(column.as_primitive::<Int64Type>().values())
                    }
                    ValueWriter::Double => {
                        BoundValues::Double(column.as_primitive::<Float64Type>().values())
                    }
                    ValueWriter::Timestamp {
                        style,
                        is_micros: true,
                    } => BoundValues::Micros(
                        column.as_primitive::<TimestampMicrosecondType>().values(),
                        *style,
                    ),
                    writer => BoundValues::Other(writer, &**column),
                },
            })
            .collect();
        Self { fields }
    }

    /// Appends a row as an object.
    ///
    /// # Errors
    /// A map has a NULL key that the options do not allow.
    pub(crate) fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), String> {
        if self.fields.is_empty() {
            out.push(b'{');
        }
        for field in &self.fields {
            field.before.append(out);
            if field.nulls.is_some_and(|nulls| nulls.is_null(row)) {
                out.extend_from_slice(b"null");
                continue;
            }
            match &field.values {
                BoundValues::Text(texts) => write_text(texts, row, out),
                BoundValues::Int(values) => push_integer(values[row].into(), out),
                BoundValues::BigInt(values) => push_integer(values[row], out),
                BoundValues::Double(values) => {
                    let value = values[row];
                    quoted_unless(value.is_finite(), out, |out| push_double(value, out));
                }
                BoundValues::Micros(values, style) => {
                    let time = WallTime::of_micros(values[row]);
                    quoted_unless(false, out, |out| write_timestamp(time, *style, out));
                }
                BoundValues::Other(writer, column) => writer.write(*column, row, out)?,
            }
        }
        out.push(b'}');
        Ok(())
    }
}

/// A text of up to so many bytes lies in its view, behind its length.
const INLINE_MAX: usize = 12;

#[inline]
fn write_text(texts: &StringViewArray, row: usize, out: &mut Vec<u8>) {
    let view = texts.views()[row];
    let len = view as u32 as usize;
    if len <= INLINE_MAX {
        write_escaped_word(view >> 32, len, out);
    } else {
        write_escaped_utf8_bytes(texts.value(row).as_bytes(), out);
    }
}

/// Appends a ROW value as an object.
fn write_row(
    fields: &[(Vec<u8>, ValueWriter)],
    columns: &[ArrayRef],
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    out.push(b'{');
    for (i, ((key, writer), column)) in fields.iter().zip(columns).enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(key);
        writer.write(&**column, row, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn write_array(
    element: &ValueWriter,
    elements: &ArrayRef,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    out.push(b'[');
    for i in 0..elements.len() {
        if i > 0 {
            out.push(b',');
        }
        element.write(&**elements, i, out)?;
    }
    out.push(b']');
    Ok(())
}

/// A key that comes again replaces the value of the first, as in a Java map.
fn write_map(
    value: &ValueWriter,
    null_key: &NullKey,
    array: &dyn Array,
    row: usize,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let entries = array.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let mut merged: Vec<(&str, usize)> = Vec::with_capacity(entries.len());
    for i in 0..entries.len() {
        let key = if keys.is_null(i) {
            match null_key {
                NullKey::Fail => {
                    return Err("JSON format doesn't support to serialize map data with null keys. You can drop null key entries or encode null in literals by specifying map-null-key.mode option.".to_owned());
                }
                NullKey::Drop => continue,
                NullKey::Literal(literal) => literal,
            }
        } else {
            keys.as_string_view().value(i)
        };
        match merged.iter_mut().find(|(earlier, _)| *earlier == key) {
            Some(entry) => entry.1 = i,
            None => merged.push((key, i)),
        }
    }
    out.push(b'{');
    for (i, (key, entry)) in merged.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_escaped_utf8_bytes(key.as_bytes(), out);
        out.push(b':');
        value.write(&**values, entry, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn quoted_unless(is_bare: bool, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if is_bare {
        return write(out);
    }
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = BASE64
        .encode_slice(bytes, &mut out[start..])
        .expect("the slice has room for the text");
    out.truncate(start + written);
    out.push(b'"');
}
