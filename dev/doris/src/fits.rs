//! Tells cheaply that a value surely fits its column, so that most values are stored as they came.
//!
//! `false` means: look again, with care. So these checks may be narrower than Doris's rules, never wider.

use crate::schema::ColumnType;

/// Tells whether the text of a value, without quotes and escapes, surely fits.
pub(crate) fn fits(ty: ColumnType, text: &[u8]) -> bool {
    match ty {
        ColumnType::Boolean => matches!(text, b"true" | b"false" | b"0" | b"1"),
        ColumnType::Integer(bits) => is_integer(text, bits),
        ColumnType::Float => is_plain_number(text, 30, 30),
        ColumnType::Double => is_plain_number(text, 200, 200),
        ColumnType::Decimal(precision, scale) => {
            is_plain_number(text, (precision - scale) as usize, scale as usize)
        }
        ColumnType::Date => text.len() == 10 && is_day(text),
        ColumnType::DateTime(digits) => is_wall_time(text, digits as usize),
        ColumnType::Text(bytes_max) => text.len() <= bytes_max,
        ColumnType::Json | ColumnType::Nested => false,
    }
}

fn is_integer(text: &[u8], bits: u32) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let most: &[u8] = match bits {
        8 => b"127",
        16 => b"32767",
        32 => b"2147483647",
        64 => b"9223372036854775807",
        _ => b"99999999999999999999999999999999999999",
    };
    !digits.is_empty()
        && (digits.len() < most.len() || (digits.len() == most.len() && digits <= most))
        && digits.iter().all(u8::is_ascii_digit)
}

fn is_plain_number(text: &[u8], whole_max: usize, fraction_max: usize) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let dot = memchr::memchr(b'.', text);
    let (whole, fraction) = match dot {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[] as &[u8]),
    };
    !whole.is_empty()
        && (dot.is_none() || !fraction.is_empty())
        && whole.len() <= whole_max.max(1)
        && (whole_max > 0 || whole == b"0")
        && fraction.len() <= fraction_max
        && whole.iter().chain(fraction).all(u8::is_ascii_digit)
}

fn two_digits(text: &[u8]) -> Option<u8> {
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => Some((a - b'0') * 10 + (b - b'0')),
        _ => None,
    }
}

/// Tells whether the first ten bytes are a day that every month has.
fn is_day(text: &[u8]) -> bool {
    text[4] == b'-'
        && text[7] == b'-'
        && text[..4].iter().all(u8::is_ascii_digit)
        && two_digits(&text[5..7]).is_some_and(|month| (1..=12).contains(&month))
        && two_digits(&text[8..10]).is_some_and(|day| (1..=28).contains(&day))
}

fn is_wall_time(text: &[u8], digits: usize) -> bool {
    if text.len() < 19 || !is_day(text) || !matches!(text[10], b' ' | b'T') {
        return false;
    }
    let below = |at: usize, limit: u8| two_digits(&text[at..at + 2]).is_some_and(|n| n < limit);
    let fraction = &text[19..];
    text[13] == b':'
        && text[16] == b':'
        && below(11, 24)
        && below(14, 60)
        && below(17, 60)
        && match fraction {
            [] => true,
            [b'.', rest @ ..] => {
                !rest.is_empty() && rest.len() <= digits && rest.iter().all(u8::is_ascii_digit)
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::Value;

    use super::*;
    use crate::value::convert;

    #[test]
    fn what_fits_converts() {
        let texts = [
            "",
            "-",
            "0",
            "-1",
            "99",
            "100",
            "-100",
            "00012",
            "9999999999",
            "2147483647",
            "2147483648",
            "-2147483647",
            "127",
            "128",
            "1.5",
            ".5",
            "5.",
            "-0.125",
            "99999.9999",
            "123456.1",
            "0.12345",
            "true",
            "TRUE",
            "2024-02-29",
            "2024-02-28",
            "2024-13-01",
            "2024-03-01 12:34:56",
            "2024-03-01T12:34:56.789",
            "2024-03-01 24:00:00",
            "2024-03-01 12:34:56.",
            "2024-03-01 12:34:56+08:00",
            "abc",
            "你好",
        ];
        let types = [
            "BOOLEAN",
            "TINYINT",
            "SMALLINT",
            "INT",
            "BIGINT",
            "LARGEINT",
            "FLOAT",
            "DOUBLE",
            "DECIMAL(9,4)",
            "DECIMAL(4,4)",
            "DATE",
            "DATETIME",
            "DATETIME(3)",
            "VARCHAR(5)",
            "STRING",
            "JSON",
            "ARRAY<INT>",
        ];
        let mut fitting = 0;
        for ty in types {
            let ty = ColumnType::parse(ty).unwrap();
            for text in texts {
                if fits(ty, text.as_bytes()) {
                    fitting += 1;
                    let value = Value::from(text);
                    assert!(convert(ty, &value, &TimeZone::UTC).is_ok(), "{ty:?} {text}");
                }
            }
        }
        assert!(fitting > 100, "{fitting}");
    }
}
