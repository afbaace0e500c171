//! SQL values as JSON text.
//!
//! # Flink
//! `JsonGenerateUtils` and `SqlJsonUtils.serializeJson`, 1.17: entries are sorted by key at every level, decimals lose
//! the zeros at their end (`100.00` is `1E+2`), timestamps are ISO-8601, an instant in UTC with `Z`. DATE, TIME and
//! intervals have no JSON.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use millrace_connector::physical::MICROSECOND_PRECISION_MAX;
use millrace_connector::{FlinkType, TypeKind};
use millrace_json::java_decimal::Decimal;
use millrace_json::java_time::{TimestampStyle, WallTime, write_timestamp};
use millrace_json::{push_double, push_float, write_escaped};

/// How the values of a type are written.
#[derive(Clone, Debug)]
pub(crate) enum Generator {
    /// Text that is JSON already.
    Json,
    Text,
    Boolean,
    Bytes,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal(u8),
    Timestamp {
        has_zone: bool,
        is_micros: bool,
    },
    Array(Box<Generator>),
    Map(Box<Generator>),
    /// `"name":`, place and generator of each field, sorted by name.
    Row(Vec<(Vec<u8>, usize, Generator)>),
    Null,
}

impl Generator {
    /// Returns how values of `ty` are written.
    ///
    /// # Errors
    /// They are not; Flink's words.
    pub(crate) fn of(ty: &FlinkType) -> Result<Self, String> {
        let timestamp = |precision: u8, has_zone| Self::Timestamp {
            has_zone,
            is_micros: precision <= MICROSECOND_PRECISION_MAX,
        };
        Ok(match &ty.kind {
            TypeKind::Char(_) | TypeKind::Varchar(_) => Self::Text,
            TypeKind::Boolean => Self::Boolean,
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => Self::Bytes,
            TypeKind::TinyInt => Self::TinyInt,
            TypeKind::SmallInt => Self::SmallInt,
            TypeKind::Int => Self::Int,
            TypeKind::BigInt => Self::BigInt,
            TypeKind::Float => Self::Float,
            TypeKind::Double => Self::Double,
            TypeKind::Decimal(_, scale) => Self::Decimal(*scale),
            TypeKind::Timestamp(precision) => timestamp(*precision, false),
            TypeKind::TimestampLtz(precision) => timestamp(*precision, true),
            TypeKind::Array(element) => Self::Array(Box::new(Self::of(element)?)),
            TypeKind::Map(key, value) => {
                text_key(key)?;
                Self::Map(Box::new(Self::of(value)?))
            }
            TypeKind::Multiset(element) => {
                text_key(element)?;
                Self::Map(Box::new(Self::Int))
            }
            TypeKind::Row(fields) => {
                let mut fields = fields
                    .iter()
                    .enumerate()
                    .map(|(place, field)| Ok((&field.name, place, Self::of(&field.ty)?)))
                    .collect::<Result<Vec<_>, String>>()?;
                fields.sort_by(|a, b| java_order(a.0, b.0));
                Self::Row(
                    fields
                        .into_iter()
                        .map(|(name, place, generator)| (key_text(name), place, generator))
                        .collect(),
                )
            }
            TypeKind::Null => Self::Null,
            TypeKind::Date
            | TypeKind::Time(_)
            | TypeKind::IntervalYearMonth(..)
            | TypeKind::IntervalDayTime(..) => {
                return Err(format!(
                    "Type '{ty}' is not scalar or cannot be converted into JSON."
                ));
            }
        })
    }

    /// Appends the value at `row`, `null` for NULL.
    pub(crate) fn write(&self, array: &dyn Array, row: usize, out: &mut Vec<u8>) {
        if array.is_null(row) {
            out.extend_from_slice(b"null");
            return;
        }
        let push =
            |value: i64, out: &mut Vec<u8>| out.extend_from_slice(value.to_string().as_bytes());
        match self {
            Self::Json => out.extend_from_slice(array.as_string_view().value(row).as_bytes()),
            Self::Text => write_escaped(array.as_string_view().value(row).as_bytes(), out),
            Self::Boolean => {
                let value = array.as_boolean().value(row);
                out.extend_from_slice(if value { b"true" } else { b"false" });
            }
            Self::Bytes => {
                let text = BASE64.encode(array.as_binary_view().value(row));
                quoted(true, out, |out| out.extend_from_slice(text.as_bytes()));
            }
            Self::TinyInt => push(array.as_primitive::<Int8Type>().value(row).into(), out),
            Self::SmallInt => push(array.as_primitive::<Int16Type>().value(row).into(), out),
            Self::Int => push(array.as_primitive::<Int32Type>().value(row).into(), out),
            Self::BigInt => push(array.as_primitive::<Int64Type>().value(row), out),
            Self::Float => {
                let value = array.as_primitive::<Float32Type>().value(row);
                quoted(!value.is_finite(), out, |out| push_float(value, out));
            }
            Self::Double => {
                let value = array.as_primitive::<Float64Type>().value(row);
                quoted(!value.is_finite(), out, |out| push_double(value, out));
            }
            Self::Decimal(scale) => {
                let unscaled = array.as_primitive::<Decimal128Type>().value(row);
                let scale = i64::from(*scale);
                Decimal { unscaled, scale }.stripped().write(out);
            }
            Self::Timestamp {
                has_zone,
                is_micros,
            } => {
                let time = if *is_micros {
                    WallTime::of_micros(array.as_primitive::<TimestampMicrosecondType>().value(row))
                } else {
                    WallTime::of_nanos(array.as_primitive::<Decimal128Type>().value(row))
                };
                let style = TimestampStyle {
                    is_iso: true,
                    has_zone: *has_zone,
                };
                quoted(true, out, |out| write_timestamp(time, style, out));
            }
            Self::Array(element) => {
                let elements = array.as_list::<i32>().value(row);
                out.push(b'[');
                for i in 0..elements.len() {
                    comma(i, out);
                    element.write(&*elements, i, out);
                }
                out.push(b']');
            }
            Self::Map(value) => write_map(value, array, row, out),
            Self::Row(fields) => {
                out.push(b'{');
                for (i, (key, place, generator)) in fields.iter().enumerate() {
                    comma(i, out);
                    out.extend_from_slice(key);
                    generator.write(&**array.as_struct().column(*place), row, out);
                }
                out.push(b'}');
            }
            Self::Null => out.extend_from_slice(b"null"),
        }
    }
}

/// The last of equal keys counts; a NULL key is the text `null`.
fn write_map(value: &Generator, array: &dyn Array, row: usize, out: &mut Vec<u8>) {
    let entries = array.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let key = |i: usize| {
        if keys.is_null(i) {
            "null"
        } else {
            keys.as_string_view().value(i)
        }
    };
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by(|a, b| java_order(key(*a), key(*b)).then(b.cmp(a)));
    order.dedup_by(|next, kept| key(*next) == key(*kept));
    out.push(b'{');
    for (i, entry) in order.into_iter().enumerate() {
        comma(i, out);
        write_escaped(key(entry).as_bytes(), out);
        out.push(b':');
        value.write(&**values, entry, out);
    }
    out.push(b'}');
}

fn text_key(key: &FlinkType) -> Result<(), String> {
    if key.kind.is_character() {
        return Ok(());
    }
    Err(format!(
        "Type '{key}' is not supported for JSON conversion. The key type must be a character string."
    ))
}

pub(crate) fn comma(i: usize, out: &mut Vec<u8>) {
    if i > 0 {
        out.push(b',');
    }
}

fn quoted(is_quoted: bool, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    if is_quoted {
        out.push(b'"');
    }
    write(out);
    if is_quoted {
        out.push(b'"');
    }
}

/// Returns a name as `"name":`.
pub(crate) fn key_text(name: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(name.len() + 3);
    write_escaped(name.as_bytes(), &mut text);
    text.push(b':');
    text
}

/// Orders texts as Java's `String.compareTo`: by UTF-16 units.
pub(crate) fn java_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}
