//! A value of a body as a value of a column, by Doris's rules.

use std::cmp::Ordering;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::schema::ColumnType;

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// It does not convert: NULL, or with `strict_mode` a filtered row.
    Value(String),
    /// The row is filtered in any mode.
    Row(String),
}

/// Returns `value` as a column of type `ty` keeps it.
pub(crate) fn convert(ty: ColumnType, value: &Value, zone: &TimeZone) -> Result<Value, Bad> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    let text = text_of(value);
    let bad = || Bad::Value(format!("'{text}' is no value of {ty:?}"));
    match ty {
        ColumnType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            _ => Err(bad()),
        },
        ColumnType::Integer(bits) => integer(bits, value, &text).ok_or_else(bad),
        ColumnType::Float => {
            let number: f32 = text.trim().parse().map_err(|_| bad())?;
            float(f64::from(number)).ok_or_else(bad)
        }
        ColumnType::Double => float(text.trim().parse().map_err(|_| bad())?).ok_or_else(bad),
        ColumnType::Decimal(precision, scale) => decimal(text.trim(), precision, scale)
            .map(Value::String)
            .ok_or_else(bad),
        ColumnType::Date => {
            let day = text.trim().get(..10).ok_or_else(bad)?;
            let day: Date = day.parse().map_err(|_| bad())?;
            Ok(Value::String(day.to_string()))
        }
        ColumnType::DateTime(digits) => datetime(text.trim(), digits, zone)
            .map(Value::String)
            .ok_or_else(bad),
        ColumnType::Text(bytes_max) if text.len() > bytes_max => Err(Bad::Row(format!(
            "the length of input is too long than schema: {} bytes, at most {bytes_max}",
            text.len()
        ))),
        ColumnType::Text(_) => Ok(Value::String(text)),
        ColumnType::Json => match serde_json::from_str::<Value>(&text) {
            Ok(_) => Ok(Value::String(text)),
            Err(_) => Err(bad()),
        },
        ColumnType::Nested => match value {
            Value::String(text) => serde_json::from_str(text).map_err(|_| bad()),
            other => Ok(other.clone()),
        },
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn integer(bits: u32, value: &Value, text: &str) -> Option<Value> {
    let number: i128 = match value {
        Value::Bool(is_set) => i128::from(*is_set),
        _ => text.trim().parse().ok()?,
    };
    let max = i128::MAX >> (128 - bits);
    if number > max || number < -max - 1 {
        return None;
    }
    Some(match i64::try_from(number) {
        Ok(small) if bits < 128 => Value::from(small),
        _ => Value::String(number.to_string()),
    })
}

fn float(number: f64) -> Option<Value> {
    serde_json::Number::from_f64(number).map(Value::Number)
}

/// Returns a decimal rounded half up to `scale` digits, in plain form.
fn decimal(text: &str, precision: u32, scale: u32) -> Option<String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The number is `digits` times ten to the power of `shift - scale`.
    let shift = exponent
        .checked_sub(i32::try_from(fraction.len()).ok()?)?
        .checked_add(i32::try_from(scale).ok()?)?;
    let trimmed = digits.trim_start_matches('0');
    let unscaled: u128 = if trimmed.is_empty() {
        0
    } else if shift >= 0 {
        if trimmed.len() + shift as usize > 38 {
            return None;
        }
        trimmed.parse::<u128>().ok()? * 10_u128.pow(shift.unsigned_abs())
    } else {
        let dropped = shift.unsigned_abs() as usize;
        let kept = trimmed.len().saturating_sub(dropped);
        if kept > 38 {
            return None;
        }
        let head: u128 = if kept == 0 {
            0
        } else {
            trimmed[..kept].parse().ok()?
        };
        let rounds_up = trimmed.len() >= dropped && trimmed.as_bytes()[kept] >= b'5';
        head + u128::from(rounds_up)
    };
    if unscaled >= 10_u128.pow(precision) {
        return None;
    }
    let unscaled = i128::try_from(unscaled).ok()?;
    let is_negative = sign == "-";
    Some(scaled(
        if is_negative { -unscaled } else { unscaled },
        scale,
    ))
}

/// Returns a wall-clock time rounded to `digits`; an offset in the text is converted to `zone`.
fn datetime(text: &str, digits: u32, zone: &TimeZone) -> Option<String> {
    let wall = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => zone.to_datetime(instant),
        Err(_) if text.len() == 10 => text
            .parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::midnight()),
        Err(_) => text.parse::<DateTime>().ok()?,
    };
    let unit = 10_i64.pow(9 - digits);
    let nanos = i64::from(wall.subsec_nanosecond());
    let rounded = (nanos + unit / 2) / unit * unit;
    let wall = wall
        .checked_add(jiff::Span::new().nanoseconds(rounded - nanos))
        .ok()?;
    let seconds = wall.strftime("%Y-%m-%d %H:%M:%S");
    if digits == 0 {
        return Some(seconds.to_string());
    }
    let fraction = i64::from(wall.subsec_nanosecond()) / unit;
    Some(format!(
        "{seconds}.{fraction:0width$}",
        width = digits as usize
    ))
}

/// Compares two values of a column; NULL is the least.
pub(crate) fn compare(ty: ColumnType, left: &Value, right: &Value) -> Ordering {
    let wide = |value: &Value| unscaled(ty, value);
    match (left.is_null(), right.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => match ty {
            ColumnType::Integer(_) | ColumnType::Decimal(..) => wide(left).cmp(&wide(right)),
            ColumnType::Float | ColumnType::Double => {
                let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
                number(left).total_cmp(&number(right))
            }
            ColumnType::Boolean => left.as_bool().cmp(&right.as_bool()),
            _ => text_of(left).cmp(&text_of(right)),
        },
    }
}

/// Adds two values of a column that is summed; NULL adds nothing, and what is too big becomes NULL.
pub(crate) fn add(ty: ColumnType, left: &Value, right: &Value) -> Value {
    if left.is_null() {
        return right.clone();
    }
    if right.is_null() {
        return left.clone();
    }
    match ty {
        ColumnType::Float | ColumnType::Double => {
            let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
            float(number(left) + number(right)).unwrap_or(Value::Null)
        }
        ColumnType::Integer(bits) => {
            let sum = unscaled(ty, left).checked_add(unscaled(ty, right));
            sum.and_then(|sum| integer(bits, &Value::Null, &sum.to_string()))
                .unwrap_or(Value::Null)
        }
        ColumnType::Decimal(precision, scale) => {
            let sum = unscaled(ty, left).checked_add(unscaled(ty, right));
            sum.and_then(|sum| decimal(&scaled(sum, scale), precision, scale))
                .map_or(Value::Null, Value::String)
        }
        _ => right.clone(),
    }
}

/// Returns a whole number, or a decimal without its point.
fn unscaled(ty: ColumnType, value: &Value) -> i128 {
    let text = text_of(value);
    match ty {
        ColumnType::Decimal(..) => text.replace('.', "").parse().unwrap_or(0),
        _ => text.parse().unwrap_or(0),
    }
}

/// Returns a decimal in plain form.
pub(crate) fn scaled(unscaled: i128, scale: u32) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = unscaled.unsigned_abs();
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let unit = 10_u128.pow(scale);
    format!(
        "{sign}{}.{:0width$}",
        digits / unit,
        digits % unit,
        width = scale as usize
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "cases read better")]
    fn check(ty: &str, value: &Value, expected: Option<Value>) {
        let ty = ColumnType::parse(ty).unwrap();
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        assert_eq!(convert(ty, value, &zone).ok(), expected, "{ty:?} {value}");
    }

    #[test]
    fn converts_values_as_columns_keep_them() {
        check("INT", &json!("12"), Some(json!(12)));
        check("INT", &json!("abc"), None);
        check("TINYINT", &json!(128), None);
        check("TINYINT", &json!(-128), Some(json!(-128)));
        check(
            "LARGEINT",
            &json!("170141183460469231731687303715884105727"),
            Some(json!("170141183460469231731687303715884105727")),
        );
        check("DECIMAL(18,4)", &json!("0.125"), Some(json!("0.1250")));
        check("DECIMAL(4,2)", &json!("99.995"), None);
        check("DECIMAL(5,2)", &json!("-99.995"), Some(json!("-100.00")));
        check("DECIMAL(9,2)", &json!("1.5e3"), Some(json!("1500.00")));
        check("DECIMAL(9,2)", &json!("-0.004"), Some(json!("0.00")));
        check("DECIMAL(9,2)", &json!("0.004"), Some(json!("0.00")));
        check("BOOLEAN", &json!(1), Some(json!(true)));
        check("DATE", &json!("2024-02-30"), None);
        check(
            "DATETIME",
            &json!("2024-03-01 12:34:56.789"),
            Some(json!("2024-03-01 12:34:57")),
        );
        check(
            "DATETIME(3)",
            &json!("2024-03-01 12:34:56.0"),
            Some(json!("2024-03-01 12:34:56.000")),
        );
        check(
            "DATETIME",
            &json!("2024-03-01T00:00:00Z"),
            Some(json!("2024-03-01 08:00:00")),
        );
        check("VARCHAR(3)", &json!("你"), Some(json!("你")));
        check("VARCHAR(2)", &json!("你"), None);
        check("STRING", &json!(null), Some(json!(null)));
    }

    #[test]
    fn values_merge_by_their_types() {
        let decimal = ColumnType::Decimal(9, 2);
        assert_eq!(
            compare(decimal, &json!("10.00"), &json!("9.50")),
            Ordering::Greater
        );
        assert_eq!(
            compare(decimal, &json!(null), &json!("-1.00")),
            Ordering::Less
        );
        assert_eq!(
            add(decimal, &json!("0.10"), &json!("-0.25")),
            json!("-0.15")
        );
        assert_eq!(
            add(ColumnType::Integer(8), &json!(100), &json!(27)),
            json!(127)
        );
        assert_eq!(
            add(ColumnType::Integer(8), &json!(100), &json!(28)),
            json!(null)
        );
        assert_eq!(
            add(ColumnType::Double, &json!(null), &json!(0.5)),
            json!(0.5)
        );
    }
}
