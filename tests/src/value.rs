//! Values as the golden tables write them, and back.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringViewArray,
    Time32MillisecondArray, TimestampMicrosecondArray, new_null_array,
};
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};
use millrace_connector::{FlinkType, TypeKind};
use millrace_functions::cast::java_double::{double_to_string, float_to_string};
use serde_json::{Value, json};

const NANOS_PER_DAY: i128 = 86_400_000_000_000;

/// Returns the value of `row` as the tables write it.
#[must_use]
pub fn print(ty: &FlinkType, array: &ArrayRef, row: usize) -> Value {
    if ty.kind == TypeKind::Null || array.is_null(row) {
        return Value::Null;
    }
    let text = match &ty.kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => array.as_string_view().value(row).to_owned(),
        TypeKind::Boolean => array.as_boolean().value(row).to_string(),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => hex(array.as_binary_view().value(row)),
        TypeKind::Decimal(_, scale) => {
            decimal(array.as_primitive::<Decimal128Type>().value(row), *scale)
        }
        TypeKind::TinyInt => array.as_primitive::<Int8Type>().value(row).to_string(),
        TypeKind::SmallInt => array.as_primitive::<Int16Type>().value(row).to_string(),
        TypeKind::Int => array.as_primitive::<Int32Type>().value(row).to_string(),
        TypeKind::BigInt => array.as_primitive::<Int64Type>().value(row).to_string(),
        TypeKind::Float => float_to_string(array.as_primitive::<Float32Type>().value(row)),
        TypeKind::Double => double_to_string(array.as_primitive::<Float64Type>().value(row)),
        TypeKind::Date => date(i64::from(array.as_primitive::<Date32Type>().value(row))),
        TypeKind::Time(_) => time(array.as_primitive::<Time32MillisecondType>().value(row)),
        TypeKind::Timestamp(p) => timestamp(nanos(array, row, *p), *p),
        TypeKind::TimestampLtz(p) => timestamp(nanos(array, row, *p), *p) + "Z",
        TypeKind::IntervalYearMonth(..) => {
            format!("{} months", array.as_primitive::<Int32Type>().value(row))
        }
        TypeKind::IntervalDayTime(..) => {
            format!("{} ms", array.as_primitive::<Int64Type>().value(row))
        }
        TypeKind::Array(element) => {
            let list = array.as_list::<i32>().value(row);
            return Value::Array((0..list.len()).map(|i| print(element, &list, i)).collect());
        }
        TypeKind::Map(key, value) => return map(key, value, array, row),
        TypeKind::Multiset(element) => return map(element, &TypeKind::Int.not_null(), array, row),
        TypeKind::Row(fields) => {
            let columns = array.as_struct();
            let values: Vec<Value> = fields
                .iter()
                .enumerate()
                .map(|(i, field)| print(&field.ty, columns.column(i), row))
                .collect();
            return json!({ "row": values });
        }
        TypeKind::Null => unreachable!("handled above"),
    };
    Value::String(text)
}

fn map(key: &FlinkType, value: &FlinkType, array: &ArrayRef, row: usize) -> Value {
    let entries = array.as_map().value(row);
    let mut pairs: Vec<[Value; 2]> = (0..entries.len())
        .map(|i| {
            [
                print(key, entries.column(0), i),
                print(value, entries.column(1), i),
            ]
        })
        .collect();
    pairs.sort_by_key(|[key, _]| key.to_string());
    json!({ "map": pairs })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decimal(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

/// Returns year, month and day of a day since the epoch, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date(days: i64) -> String {
    let (year, month, day) = civil(days);
    let sign = match year {
        10_000.. => "+",
        ..0 => "-",
        _ => "",
    };
    format!("{sign}{:04}-{month:02}-{day:02}", year.abs())
}

fn time(millis: i32) -> String {
    if !(0..86_400_000).contains(&millis) {
        return format!("{millis} ms out of range");
    }
    let (seconds, fraction) = (millis.div_euclid(1000), millis.rem_euclid(1000));
    let clock = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if fraction == 0 {
        clock
    } else {
        format!("{clock}.{fraction:03}")
    }
}

fn nanos(array: &ArrayRef, row: usize, precision: u8) -> i128 {
    if precision <= MICROSECOND_PRECISION_MAX {
        i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)) * 1000
    } else {
        array.as_primitive::<Decimal128Type>().value(row)
    }
}

fn timestamp(nanos: i128, precision: u8) -> String {
    let day = i64::try_from(nanos.div_euclid(NANOS_PER_DAY)).unwrap_or(i64::MAX);
    let rest = nanos.rem_euclid(NANOS_PER_DAY);
    let seconds = rest / 1_000_000_000;
    let clock = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    let mut text = format!("{} {clock}", date(day));
    if precision > 0 {
        let fraction = format!("{:09}", rest % 1_000_000_000);
        text.push('.');
        text.push_str(&fraction[..usize::from(precision)]);
    }
    text
}

/// Returns an array of `rows` times the value that a table writes as `text`.
///
/// # Errors
/// A text that is no value of the type.
pub fn parse(ty: &FlinkType, value: &Value, rows: usize) -> Result<ArrayRef> {
    let text = match value {
        Value::Null => return Ok(new_null_array(&arrow_type(&ty.kind), rows)),
        Value::String(text) => text.as_str(),
        other => bail!("{other} is not a scalar"),
    };
    let array = parse_text(ty, text, rows).with_context(|| format!("'{text}' as {ty}"))?;
    Ok(array)
}

fn parse_text(ty: &FlinkType, text: &str, rows: usize) -> Result<ArrayRef> {
    Ok(match &ty.kind {
        TypeKind::Char(_) | TypeKind::Varchar(_) => {
            Arc::new(StringViewArray::from_iter_values(vec![text; rows]))
        }
        TypeKind::Boolean => Arc::new(BooleanArray::from(vec![text.parse::<bool>()?; rows])),
        TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
            Arc::new(BinaryViewArray::from_iter_values(vec![
                parse_hex(text)?;
                rows
            ]))
        }
        TypeKind::TinyInt => Arc::new(Int8Array::from(vec![text.parse::<i8>()?; rows])),
        TypeKind::SmallInt => Arc::new(Int16Array::from(vec![text.parse::<i16>()?; rows])),
        TypeKind::Int => Arc::new(Int32Array::from(vec![text.parse::<i32>()?; rows])),
        TypeKind::BigInt => Arc::new(Int64Array::from(vec![text.parse::<i64>()?; rows])),
        TypeKind::Float => Arc::new(Float32Array::from(vec![text.parse::<f32>()?; rows])),
        TypeKind::Double => Arc::new(Float64Array::from(vec![text.parse::<f64>()?; rows])),
        TypeKind::Decimal(precision, scale) => {
            let unscaled = parse_decimal(text, *scale)?;
            if unscaled.unsigned_abs() >= 10u128.pow(u32::from(*precision)) {
                return Ok(new_null_array(&arrow_type(&ty.kind), rows));
            }
            let array = Decimal128Array::from(vec![unscaled; rows]);
            Arc::new(array.with_precision_and_scale(*precision, i8::try_from(*scale)?)?)
        }
        TypeKind::Date => Arc::new(Date32Array::from(vec![
            i32::try_from(parse_date(text)?)?;
            rows
        ])),
        TypeKind::Time(_) => {
            let millis = parse_clock(text)? / 1_000_000;
            Arc::new(Time32MillisecondArray::from(vec![
                i32::try_from(millis)?;
                rows
            ]))
        }
        TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) => {
            let nanos = parse_timestamp(text.trim_end_matches('Z'))?;
            if *p <= MICROSECOND_PRECISION_MAX {
                Arc::new(TimestampMicrosecondArray::from(vec![
                    i64::try_from(
                        nanos / 1000
                    )?;
                    rows
                ]))
            } else {
                Arc::new(Decimal128Array::from(vec![nanos; rows]).with_precision_and_scale(38, 0)?)
            }
        }
        other => bail!("no columns of {other} in the tables"),
    })
}

/// Returns the bytes of a text of two hexadecimal digits a byte.
///
/// # Errors
/// Anything else.
pub fn parse_hex(text: &str) -> Result<Vec<u8>> {
    let digits = text.as_bytes();
    digits
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}

/// Reads a number and rounds it half up to the scale, as Flink's `DecimalData` does.
fn parse_decimal(text: &str, scale: u8) -> Result<i128> {
    let scale = usize::from(scale);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let kept = &fraction[..fraction.len().min(scale)];
    let unscaled: i128 = format!("{whole}{kept:0<scale$}").parse()?;
    let rounds_up = fraction
        .as_bytes()
        .get(scale)
        .is_some_and(|digit| *digit >= b'5');
    let away = if text.starts_with('-') { -1 } else { 1 };
    Ok(unscaled + if rounds_up { away } else { 0 })
}

fn parse_date(text: &str) -> Result<i64> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.trim_start_matches('+')),
    };
    let parts: Vec<i64> = text.split('-').map(str::parse).collect::<Result<_, _>>()?;
    let [year, month, day] = parts[..] else {
        bail!("not a date")
    };
    Ok(days(sign * year, month, day))
}

fn parse_clock(text: &str) -> Result<i128> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<i128> = clock.split(':').map(str::parse).collect::<Result<_, _>>()?;
    let [hours, minutes, seconds] = parts[..] else {
        bail!("not a time")
    };
    let fraction: i128 = format!("{fraction:0<9}").parse()?;
    Ok((hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + fraction)
}

fn parse_timestamp(text: &str) -> Result<i128> {
    let (day, clock) = text.split_once(' ').context("no time")?;
    Ok(i128::from(parse_date(day)?) * NANOS_PER_DAY + parse_clock(clock)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read() {
        let cases = [
            (TypeKind::Date, "2024-02-29"),
            (TypeKind::Date, "0001-01-01"),
            (TypeKind::Timestamp(3), "1969-12-31 23:59:59.999"),
            (TypeKind::Timestamp(9), "9999-12-31 23:59:59.999999999"),
            (TypeKind::TimestampLtz(0), "2024-01-02 03:04:05Z"),
            (TypeKind::Time(3), "01:02:03.450"),
            (TypeKind::Decimal(5, 3), "-0.005"),
            (TypeKind::Varbinary(9), "00ff"),
            (TypeKind::Double, "1.0E10"),
        ];
        for (kind, text) in cases {
            let ty = kind.nullable();
            let array = parse(&ty, &Value::from(text), 1).expect("the text is a value");
            assert_eq!(print(&ty, &array, 0), Value::from(text), "{ty}");
        }
    }
}
