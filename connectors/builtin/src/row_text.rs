//! A row as Flink's `Row.toString` writes it: `+I[1, a, 2026-01-01T00:00]`.

use std::io::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Span};
use millrace_connector::{FlinkType, RowKind, TypeKind};

/// Appends the row.
///
/// # Flink
/// `org.apache.flink.types.Row.toString` over the external forms of values: LocalDateTime, Instant, BigDecimal, byte[] as
/// a list of numbers, Map as `{k=v}`.
pub(crate) fn write_row(
    kind: RowKind,
    types: &[FlinkType],
    columns: &[ArrayRef],
    row: usize,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(kind.short().as_bytes());
    write_fields(types.iter().map(|ty| &ty.kind), columns, row, out);
}

fn write_fields<'a>(
    kinds: impl Iterator<Item = &'a TypeKind>,
    columns: &[ArrayRef],
    row: usize,
    out: &mut Vec<u8>,
) {
    out.push(b'[');
    for (index, (kind, column)) in kinds.zip(columns).enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        write_value(kind, column, row, out);
    }
    out.push(b']');
}

fn put(out: &mut Vec<u8>, text: impl std::fmt::Display) {
    write!(out, "{text}").expect("memory takes everything");
}

fn write_value(kind: &TypeKind, array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    if array.is_null(row) || matches!(kind, TypeKind::Null) {
        return out.extend_from_slice(b"null");
    }
    match kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            out.extend_from_slice(array.as_string_view().value(row).as_bytes());
        }
        TypeKind::Boolean => put(out, array.as_boolean().value(row)),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            write_bytes(array.as_binary_view().value(row), out)
        }
        TypeKind::Decimal(_, scale) => {
            write_decimal(
                array.as_primitive::<Decimal128Type>().value(row),
                usize::from(*scale),
                out,
            );
        }
        TypeKind::TinyInt => put(out, array.as_primitive::<Int8Type>().value(row)),
        TypeKind::SmallInt => put(out, array.as_primitive::<Int16Type>().value(row)),
        TypeKind::Int => put(out, array.as_primitive::<Int32Type>().value(row)),
        TypeKind::BigInt => put(out, array.as_primitive::<Int64Type>().value(row)),
        TypeKind::IntervalYearMonth(..) => {
            let months = array.as_primitive::<Int32Type>().value(row);
            put(out, format_args!("P{}Y{}M", months / 12, months % 12));
        }
        TypeKind::IntervalDayTime(..) => {
            let millis = array.as_primitive::<Int64Type>().value(row);
            put(
                out,
                format_args!("PT{}.{:03}S", millis / 1000, (millis % 1000).abs()),
            );
        }
        TypeKind::Float => write_floating(
            f64::from(array.as_primitive::<Float32Type>().value(row)),
            out,
        ),
        TypeKind::Double => write_floating(array.as_primitive::<Float64Type>().value(row), out),
        TypeKind::Date => write_date(array.as_primitive::<Date32Type>().value(row), out),
        TypeKind::Time(_) => write_time(
            array.as_primitive::<Time32MillisecondType>().value(row),
            out,
        ),
        TypeKind::Timestamp(precision) => {
            write_timestamp(nanos(*precision, array, row), false, out);
        }
        TypeKind::TimestampLtz(precision) => {
            write_timestamp(nanos(*precision, array, row), true, out)
        }
        TypeKind::Array(element) => {
            let values = array.as_list::<i32>().value(row);
            write_list(&element.kind, &values, out);
        }
        TypeKind::Map(key, value) => write_map(&key.kind, &value.kind, array, row, out),
        TypeKind::Multiset(element) => write_map(&element.kind, &TypeKind::Int, array, row, out),
        TypeKind::Row(fields) => {
            out.extend_from_slice(b"+I");
            let columns = array.as_struct().columns();
            write_fields(fields.iter().map(|field| &field.ty.kind), columns, row, out);
        }
        TypeKind::Null => {}
    }
}

fn write_list(kind: &TypeKind, values: &ArrayRef, out: &mut Vec<u8>) {
    out.push(b'[');
    for index in 0..values.len() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        write_value(kind, values, index, out);
    }
    out.push(b']');
}

fn write_map(key: &TypeKind, value: &TypeKind, array: &ArrayRef, row: usize, out: &mut Vec<u8>) {
    let entries = array.as_map().value(row);
    out.push(b'{');
    for index in 0..entries.len() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        write_value(key, entries.column(0), index, out);
        out.push(b'=');
        write_value(value, entries.column(1), index, out);
    }
    out.push(b'}');
}

/// Java's bytes have a sign.
fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.extend_from_slice(b", ");
        }
        put(out, i8::from_ne_bytes([*byte]));
    }
    out.push(b']');
}

pub(crate) fn write_decimal(unscaled: i128, scale: usize, out: &mut Vec<u8>) {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    put(out, format_args!("{sign}{whole}"));
    if scale > 0 {
        put(out, format_args!(".{fraction}"));
    }
}

/// Java's form, for magnitudes that it writes without an exponent; the shortest digits for all others.
fn write_floating(value: f64, out: &mut Vec<u8>) {
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    if value.is_nan() {
        put(out, "NaN");
    } else if value.is_infinite() {
        put(out, if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else if plain {
        put(out, format_args!("{value:?}"));
    } else {
        let text = format!("{value:E}");
        let (mantissa, exponent) = text.split_once('E').expect("that form has an exponent");
        let point = if mantissa.contains('.') { "" } else { ".0" };
        put(out, format_args!("{mantissa}{point}E{exponent}"));
    }
}

pub(crate) fn nanos(precision: u8, array: &ArrayRef, row: usize) -> i128 {
    if precision <= millrace_connector::physical::MICROSECOND_PRECISION_MAX {
        i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)) * 1_000
    } else {
        array.as_primitive::<Decimal128Type>().value(row)
    }
}

pub(crate) fn write_date(days: i32, out: &mut Vec<u8>) {
    let epoch = Date::constant(1970, 1, 1);
    match epoch.checked_add(Span::new().days(days)) {
        Ok(date) => put(out, date),
        Err(_) => put(out, format_args!("{days} days since 1970-01-01")),
    }
}

fn write_time(millis: i32, out: &mut Vec<u8>) {
    let (seconds, rest) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let part = |value: i32| i8::try_from(value).unwrap_or_default();
    let time = Time::new(
        part(seconds / 3600 % 24),
        part(seconds / 60 % 60),
        part(seconds % 60),
        rest * 1_000_000,
    );
    write_clock(time.unwrap_or(Time::midnight()), false, out);
}

/// Java leaves seconds out where they and their fraction are zero, but not for instants; fractions have 3, 6 or 9 digits.
fn write_clock(time: Time, whole: bool, out: &mut Vec<u8>) {
    put(out, format_args!("{:02}:{:02}", time.hour(), time.minute()));
    let fraction = time.subsec_nanosecond();
    if whole || time.second() > 0 || fraction > 0 {
        put(out, format_args!(":{:02}", time.second()));
    }
    if fraction > 0 {
        let digits = format!("{fraction:09}");
        let length = if fraction % 1_000_000 == 0 {
            3
        } else if fraction % 1_000 == 0 {
            6
        } else {
            9
        };
        put(out, format_args!(".{}", &digits[..length]));
    }
}

/// Returns the date and time in UTC, where the calendar reaches: jiff's instants end a day before year 9999 does, its
/// dates do not.
pub(crate) fn wall_clock(nanos: i128) -> Option<DateTime> {
    const SECOND: i128 = 1_000_000_000;
    let seconds = i64::try_from(nanos.div_euclid(SECOND)).ok()?;
    let rest = i32::try_from(nanos.rem_euclid(SECOND)).ok()?;
    let since = SignedDuration::new(seconds, rest);
    DateTime::constant(1970, 1, 1, 0, 0, 0, 0)
        .checked_add(since)
        .ok()
}

fn write_timestamp(nanos: i128, is_instant: bool, out: &mut Vec<u8>) {
    let Some(at) = wall_clock(nanos) else {
        return put(out, format_args!("{nanos} ns since 1970-01-01"));
    };
    put(out, format_args!("{}T", at.date()));
    write_clock(at.time(), is_instant, out);
    if is_instant {
        out.push(b'Z');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::{
        Decimal128Array, Float64Array, Int32Array, StringViewArray, TimestampMicrosecondArray,
    };

    fn shown(ty: TypeKind, array: ArrayRef) -> String {
        let mut out = Vec::new();
        write_row(RowKind::Insert, &[ty.nullable()], &[array], 0, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn values_look_as_in_flink() {
        let text = TypeKind::Varchar(10);
        assert_eq!(
            shown(text.clone(), Arc::new(StringViewArray::from(vec!["a"]))),
            "+I[a]"
        );
        assert_eq!(
            shown(text, Arc::new(StringViewArray::from(vec![None::<&str>]))),
            "+I[null]"
        );
        assert_eq!(
            shown(TypeKind::Int, Arc::new(Int32Array::from(vec![-3]))),
            "+I[-3]"
        );
        let decimal = Decimal128Array::from(vec![-5])
            .with_precision_and_scale(5, 2)
            .unwrap();
        assert_eq!(
            shown(TypeKind::Decimal(5, 2), Arc::new(decimal)),
            "+I[-0.05]"
        );
        for (value, expect) in [
            (1.0, "1.0"),
            (1e7, "1.0E7"),
            (1.5e-4, "1.5E-4"),
            (0.001, "0.001"),
        ] {
            let array = Arc::new(Float64Array::from(vec![value]));
            assert_eq!(shown(TypeKind::Double, array), format!("+I[{expect}]"));
        }
        for (micros, expect) in [
            (0, "1970-01-01T00:00"),
            (1_000_000, "1970-01-01T00:00:01"),
            (1_500_000, "1970-01-01T00:00:01.500"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999"),
            (-1_000_000, "1969-12-31T23:59:59"),
        ] {
            let array = Arc::new(TimestampMicrosecondArray::from(vec![micros]));
            assert_eq!(
                shown(TypeKind::Timestamp(3), array),
                format!("+I[{expect}]")
            );
        }
        let array = Arc::new(TimestampMicrosecondArray::from(vec![0]));
        assert_eq!(
            shown(TypeKind::TimestampLtz(3), array),
            "+I[1970-01-01T00:00:00Z]"
        );
    }
}
