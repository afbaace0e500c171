//! Values of any type as text, as `CAST(… AS STRING)` writes them.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use jiff::tz::TimeZone;
use millrace_connector::{FlinkType, TypeKind};

use super::civil::{MILLIS_PER_DAY, write_date, write_padded, write_time};
use super::decimal::write_plain;
use super::java_double::{write_double, write_float};
use super::zone::ZoneOffsets;

/// Writes the values of one type.
///
/// # Flink
/// The rules of `CastRuleProvider` to CHARACTER_STRING, 1.17: TRUE and FALSE in capitals, NULL inside
/// constructed values as `NULL`, timestamps with all digits of their precision, TIME without fraction.
#[derive(Clone, Debug)]
pub struct Printer<'a> {
    ty: &'a FlinkType,
    tz: &'a TimeZone,
}

impl<'a> Printer<'a> {
    /// Returns the printer of values of `ty`; instants are shown in `tz`.
    #[must_use]
    pub fn new(ty: &'a FlinkType, tz: &'a TimeZone) -> Self {
        Self { ty, tz }
    }

    /// Appends the value of `row`, which is not NULL.
    pub fn print(&self, array: &ArrayRef, row: usize, out: &mut String) {
        let mut zone = ZoneOffsets::new(self.tz);
        print_value(&self.ty.kind, array, row, &mut zone, out);
    }
}

/// Appends the value of `row`, which is not NULL.
pub(crate) fn print_value(
    kind: &TypeKind,
    array: &ArrayRef,
    row: usize,
    zone: &mut ZoneOffsets<'_>,
    out: &mut String,
) {
    match kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => out.push_str(array.as_string_view().value(row)),
        TypeKind::Boolean => out.push_str(if array.as_boolean().value(row) {
            "TRUE"
        } else {
            "FALSE"
        }),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            out.push_str(&crate::string::decode_utf8(
                array.as_binary_view().value(row),
            ));
        }
        TypeKind::Decimal(_, scale) => {
            write_plain(
                array.as_primitive::<Decimal128Type>().value(row),
                *scale,
                out,
            );
        }
        TypeKind::TinyInt => {
            write_integer(i64::from(array.as_primitive::<Int8Type>().value(row)), out)
        }
        TypeKind::SmallInt => {
            write_integer(i64::from(array.as_primitive::<Int16Type>().value(row)), out)
        }
        TypeKind::Int => {
            write_integer(i64::from(array.as_primitive::<Int32Type>().value(row)), out)
        }
        TypeKind::BigInt => write_integer(array.as_primitive::<Int64Type>().value(row), out),
        TypeKind::Float => write_float(array.as_primitive::<Float32Type>().value(row), out),
        TypeKind::Double => write_double(array.as_primitive::<Float64Type>().value(row), out),
        TypeKind::Date => write_date(
            i64::from(array.as_primitive::<Date32Type>().value(row)),
            out,
        ),
        TypeKind::Time(_) => {
            let millis = array.as_primitive::<Time32MillisecondType>().value(row);
            let millis = i64::from(millis);
            let positive = if millis < 0 {
                millis.rem_euclid(MILLIS_PER_DAY)
            } else {
                millis
            };
            write_time(positive / 1000, out);
        }
        TypeKind::Timestamp(precision) => {
            let (millis, nanos) = timestamp_at(array, row);
            write_timestamp(millis, nanos, *precision, out);
        }
        TypeKind::TimestampLtz(precision) => {
            let (millis, nanos) = timestamp_at(array, row);
            write_timestamp(zone.local_millis(millis), nanos, *precision, out);
        }
        TypeKind::IntervalYearMonth(..) => {
            write_year_month(array.as_primitive::<Int32Type>().value(row), out);
        }
        TypeKind::IntervalDayTime(..) => {
            write_day_time(array.as_primitive::<Int64Type>().value(row), out);
        }
        constructed => print_constructed(constructed, array, row, zone, out),
    }
}

/// Appends an ARRAY, MAP, MULTISET or ROW.
fn print_constructed(
    kind: &TypeKind,
    array: &ArrayRef,
    row: usize,
    zone: &mut ZoneOffsets<'_>,
    out: &mut String,
) {
    match kind {
        TypeKind::Array(element) => print_array(element, array, row, zone, out),
        TypeKind::Map(key, value) => print_map(key, value, array, row, zone, out),
        TypeKind::Multiset(element) => {
            print_map(element, &TypeKind::Int.not_null(), array, row, zone, out);
        }
        TypeKind::Row(fields) => {
            let columns = array.as_struct();
            out.push('(');
            for (i, field) in fields.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                print_element(&field.ty.kind, columns.column(i), row, zone, out);
            }
            out.push(')');
        }
        _ => out.push_str("NULL"),
    }
}

/// Returns milliseconds since the epoch and nanoseconds of the millisecond.
pub(crate) fn timestamp_at(array: &ArrayRef, row: usize) -> (i64, i32) {
    if let Some(micros) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        let micros = micros.value(row);
        let nanos = i32::try_from(micros.rem_euclid(1000) * 1000).expect("below a million");
        return (micros.div_euclid(1000), nanos);
    }
    let nanos = array.as_primitive::<Decimal128Type>().value(row);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Java's milliseconds wrap around beyond 292 million years"
    )]
    let millis = nanos.div_euclid(1_000_000) as i64;
    let rest = i32::try_from(nanos.rem_euclid(1_000_000)).expect("below a million");
    (millis, rest)
}

pub(crate) fn write_integer(value: i64, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    write_padded(value.unsigned_abs(), 1, out);
}

/// Appends `yyyy-MM-dd HH:mm:ss` with `precision` digits of a second.
pub(crate) fn write_timestamp(millis: i64, nanos_of_milli: i32, precision: u8, out: &mut String) {
    write_date(millis.div_euclid(MILLIS_PER_DAY), out);
    let of_day = millis.rem_euclid(MILLIS_PER_DAY);
    out.push(' ');
    write_time(of_day / 1000, out);
    if precision == 0 {
        return;
    }
    out.push('.');
    let nanos = of_day % 1000 * 1_000_000 + i64::from(nanos_of_milli);
    let start = out.len();
    write_padded(nanos.unsigned_abs(), 9, out);
    out.truncate(start + usize::from(precision.min(9)));
}

/// Appends `+1-02`.
fn write_year_month(months: i32, out: &mut String) {
    out.push(if months < 0 { '-' } else { '+' });
    let months = u64::from(months.unsigned_abs());
    write_padded(months / 12, 1, out);
    out.push('-');
    write_padded(months % 12, 2, out);
}

/// Appends `+1 02:03:04.567`.
fn write_day_time(millis: i64, out: &mut String) {
    out.push(if millis < 0 { '-' } else { '+' });
    let millis = millis.unsigned_abs();
    write_padded(millis / 86_400_000, 1, out);
    out.push(' ');
    write_padded(millis / 3_600_000 % 24, 2, out);
    out.push(':');
    write_padded(millis / 60_000 % 60, 2, out);
    out.push(':');
    write_padded(millis / 1000 % 60, 2, out);
    out.push('.');
    write_padded(millis % 1000, 3, out);
}

fn print_element(
    kind: &TypeKind,
    array: &ArrayRef,
    row: usize,
    zone: &mut ZoneOffsets<'_>,
    out: &mut String,
) {
    if array.is_null(row) {
        out.push_str("NULL");
    } else {
        print_value(kind, array, row, zone, out);
    }
}

fn print_array(
    element: &FlinkType,
    array: &ArrayRef,
    row: usize,
    zone: &mut ZoneOffsets<'_>,
    out: &mut String,
) {
    let values = array.as_list::<i32>().value(row);
    out.push('[');
    for i in 0..values.len() {
        if i > 0 {
            out.push_str(", ");
        }
        print_element(&element.kind, &values, i, zone, out);
    }
    out.push(']');
}

fn print_map(
    key: &FlinkType,
    value: &FlinkType,
    array: &ArrayRef,
    row: usize,
    zone: &mut ZoneOffsets<'_>,
    out: &mut String,
) {
    let entries = array.as_map().value(row);
    out.push('{');
    for i in 0..entries.len() {
        if i > 0 {
            out.push_str(", ");
        }
        print_element(&key.kind, entries.column(0), i, zone, out);
        out.push('=');
        print_element(&value.kind, entries.column(1), i, zone, out);
    }
    out.push('}');
}
