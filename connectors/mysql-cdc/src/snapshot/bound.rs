//! The keys where chunks end: as values of the driver, as texts of SQL, as parts of a checkpoint.

use mysql::Value;

use crate::definition::ColumnType;
use crate::events::hex;
use crate::position::Bound;

/// Returns the bound at a value; `None` for NULL and what cannot be one.
pub(super) fn of_value(value: &Value) -> Option<Bound> {
    Some(match value {
        Value::Int(number) => Bound::Int(*number),
        Value::UInt(number) => Bound::UInt(*number),
        Value::Bytes(bytes) => Bound::Bytes(hex(bytes)),
        Value::Date(year, month, day, hour, minute, second, micros) => {
            Bound::Date(*year, *month, *day, *hour, *minute, *second, *micros)
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            Bound::Time(*negative, *days, *hours, *minutes, *seconds, *micros)
        }
        Value::NULL | Value::Float(_) | Value::Double(_) => return None,
    })
}

/// Returns the value at a bound.
pub(super) fn to_value(bound: &Bound) -> Value {
    match bound {
        Bound::Int(number) => Value::Int(*number),
        Bound::UInt(number) => Value::UInt(*number),
        Bound::Bytes(digits) => Value::Bytes(unhex(digits)),
        Bound::Date(year, month, day, hour, minute, second, micros) => {
            Value::Date(*year, *month, *day, *hour, *minute, *second, *micros)
        }
        Bound::Time(negative, days, hours, minutes, seconds, micros) => {
            Value::Time(*negative, *days, *hours, *minutes, *seconds, *micros)
        }
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or(0) as u8;
    digits
        .as_bytes()
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// Returns the bound as SQL writes it where it is compared with a column of this type.
pub(super) fn literal(bound: &Bound, kind: &ColumnType) -> String {
    match bound {
        Bound::Int(number) => number.to_string(),
        Bound::UInt(number) => number.to_string(),
        Bound::Bytes(digits) => bytes_literal(digits, kind),
        Bound::Date(year, month, day, hour, minute, second, micros) => match kind {
            ColumnType::Date => format!("'{year:04}-{month:02}-{day:02}'"),
            _ => format!(
                "'{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micros:06}'"
            ),
        },
        Bound::Time(negative, days, hours, minutes, seconds, micros) => {
            let sign = if *negative { "-" } else { "" };
            let hours = days * 24 + u32::from(*hours);
            format!("'{sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}'")
        }
    }
}

fn bytes_literal(digits: &str, kind: &ColumnType) -> String {
    let quoted = if digits.is_empty() {
        "''".to_owned()
    } else {
        format!("X'{digits}'")
    };
    match kind {
        ColumnType::Decimal { .. } => String::from_utf8_lossy(&unhex(digits)).into_owned(),
        ColumnType::Bit(_) => unhex(digits)
            .iter()
            .fold(0_u64, |value, byte| value << 8 | u64::from(*byte))
            .to_string(),
        // Without the charset the server would take the bytes for text of the session.
        _ => match kind.charset() {
            Some(charset) => format!("_{charset} {quoted}"),
            None => quoted,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_values_again() {
        for value in [
            Value::Int(-5),
            Value::UInt(u64::MAX),
            Value::Bytes(vec![0, 255, 16]),
            Value::Date(2024, 2, 29, 1, 2, 3, 4),
            Value::Time(true, 34, 22, 59, 59, 1),
        ] {
            assert_eq!(to_value(&of_value(&value).unwrap()), value);
        }
        assert_eq!(of_value(&Value::NULL), None);
    }

    #[test]
    fn literals() {
        let text = ColumnType::Varchar {
            length: 9,
            charset: "latin1".into(),
        };
        assert_eq!(literal(&Bound::Bytes("41".into()), &text), "_latin1 X'41'");
        assert_eq!(literal(&Bound::Bytes(String::new()), &text), "_latin1 ''");
        assert_eq!(
            literal(
                &Bound::Bytes("2d312e35".into()),
                &ColumnType::Decimal {
                    precision: 5,
                    scale: 1
                }
            ),
            "-1.5"
        );
        assert_eq!(
            literal(&Bound::Bytes("0100".into()), &ColumnType::Bit(9)),
            "256"
        );
        assert_eq!(
            literal(&Bound::Time(true, 34, 22, 59, 59, 0), &ColumnType::Time(0)),
            "'-838:59:59.000000'"
        );
    }
}
