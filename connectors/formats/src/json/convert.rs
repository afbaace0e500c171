//! Scalars of a document to values of columns, as Flink's converters do.

use millrace_json::Kind;

use super::cells::Cell;
use super::options::TimestampFormat;
use crate::java_number::{parse_floating, parse_integer, trim};
use millrace_json::java_decimal::{parse_decimal, whole_part};
use millrace_json::java_time::{
    TimestampStyle, WallTime, parse_date, parse_sql_time, parse_timestamp,
};

/// A value, NULL, or the reason why there is none.
pub(crate) type Converted<T> = Result<Option<T>, String>;

/// Returns Java's complaint about a node of the wrong class.
pub(crate) fn class_cast(cell: &Cell<'_>, wanted: &str) -> String {
    const PACKAGE: &str = "org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node";
    format!(
        "class {PACKAGE}.{} cannot be cast to class {PACKAGE}.{wanted}",
        cell.class()
    )
}

pub(crate) fn to_boolean(cell: &Cell<'_>) -> Converted<bool> {
    Ok(Some(match cell.span.kind {
        Kind::True => true,
        Kind::String => trim(&cell.text()).eq_ignore_ascii_case(b"true"),
        _ => false,
    }))
}

pub(crate) fn to_tinyint(cell: &Cell<'_>) -> Converted<i8> {
    let value = parse_integer(trim(&cell.text()), i8::MIN.into(), i8::MAX.into(), true)?;
    Ok(i8::try_from(value).ok())
}

pub(crate) fn to_smallint(cell: &Cell<'_>) -> Converted<i16> {
    let value = parse_integer(trim(&cell.text()), i16::MIN.into(), i16::MAX.into(), true)?;
    Ok(i16::try_from(value).ok())
}

#[inline]
pub(crate) fn to_int(cell: &Cell<'_>) -> Converted<i32> {
    let value = integer(cell, i32::MIN.into(), i32::MAX.into())?;
    Ok(i32::try_from(value).ok())
}

#[inline]
pub(crate) fn to_bigint(cell: &Cell<'_>) -> Converted<i64> {
    integer(cell, i64::MIN, i64::MAX).map(Some)
}

/// A float that lies in the range is cut (Jackson's `canConvertToInt`); anything else goes through its text.
#[inline]
fn integer(cell: &Cell<'_>, min: i64, max: i64) -> Result<i64, String> {
    match cell.span.kind {
        Kind::Int => parse_integer(cell.raw(), min, max, false),
        Kind::Float if cell.is_exact() => match whole_part(cell.raw(), min, max) {
            Some(value) => Ok(value),
            None => parse_integer(&cell.text(), min, max, false),
        },
        Kind::Float => {
            let value = cell.double();
            if value >= min as f64 && value <= max as f64 {
                Ok(value as i64)
            } else {
                parse_integer(&cell.text(), min, max, false)
            }
        }
        _ => parse_integer(trim(&cell.text()), min, max, false),
    }
}

pub(crate) fn to_float(cell: &Cell<'_>) -> Converted<f32> {
    if cell.span.kind == Kind::Float && !cell.is_exact() {
        return Ok(Some(cell.double() as f32));
    }
    parse_floating(&cell.text()).map(Some)
}

pub(crate) fn to_double(cell: &Cell<'_>) -> Converted<f64> {
    if cell.span.kind == Kind::Float && !cell.is_exact() {
        return Ok(Some(cell.double()));
    }
    parse_floating(&cell.text()).map(Some)
}

pub(crate) fn to_decimal(cell: &Cell<'_>, precision: u8, scale: u8) -> Converted<i128> {
    parse_decimal(&cell.text(), precision, scale)
}

pub(crate) fn to_date(cell: &Cell<'_>) -> Converted<i32> {
    let days = parse_date(&cell.text())?;
    i32::try_from(days)
        .map(Some)
        .map_err(|_| "the date is out of range".to_owned())
}

/// Milliseconds, always of a whole second: Flink takes the second of the day.
pub(crate) fn to_time(cell: &Cell<'_>) -> Converted<i32> {
    let (second, _) = parse_sql_time(&cell.text())?;
    Ok(i32::try_from(second * 1000).ok())
}

/// A timestamp's wall time; with `has_zone` that of the instant in UTC.
pub(crate) fn to_timestamp(
    cell: &Cell<'_>,
    format: TimestampFormat,
    has_zone: bool,
) -> Result<WallTime, String> {
    let style = TimestampStyle {
        is_iso: format == TimestampFormat::Iso8601,
        has_zone,
    };
    parse_timestamp(&cell.text(), style)
}

/// Appends the bytes of a Base64 text, as Jackson's `MIME_NO_LINEFEEDS` variant: spaces between groups of four are
/// fine, padding is required.
pub(crate) fn decode_base64(text: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    const BROKEN: &str =
        "Cannot access contents of TextNode as binary due to broken Base64 encoding:";
    let illegal = |byte: u8| {
        format!(
            "{BROKEN} Illegal character '{}' (code 0x{byte:x})",
            char::from(byte)
        )
    };
    let mut rest = text;
    loop {
        while let Some((b'\0'..=b' ', after)) = rest.split_first() {
            rest = after;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let mut bits = 0_u32;
        let mut digits = 0;
        while digits < 4 {
            let Some((&byte, after)) = rest.split_first() else {
                return Err(format!("{BROKEN} Unexpected end of base64-encoded String"));
            };
            if byte == b'=' && digits >= 2 {
                break;
            }
            let Some(value) = base64_digit(byte) else {
                return Err(illegal(byte));
            };
            bits = bits << 6 | value;
            digits += 1;
            rest = after;
        }
        match digits {
            4 => out.extend_from_slice(&bits.to_be_bytes()[1..]),
            3 => {
                out.extend_from_slice(&(bits >> 2).to_be_bytes()[2..]);
                rest = &rest[1..];
            }
            _ => {
                out.push((bits >> 4) as u8);
                rest = &rest[1..];
                match rest.split_first() {
                    Some((b'=', after)) => rest = after,
                    Some((byte, _)) => return Err(illegal(*byte)),
                    None => {
                        return Err(format!("{BROKEN} Unexpected end of base64-encoded String"));
                    }
                }
            }
        }
    }
}

fn base64_digit(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_base64_as_jackson_does() {
        let decode = |text: &str| {
            let mut out = Vec::new();
            decode_base64(text.as_bytes(), &mut out).map(|()| out)
        };
        assert_eq!(decode("YWJj"), Ok(b"abc".to_vec()));
        assert_eq!(decode("AP8="), Ok(vec![0, 255]));
        assert_eq!(decode(" YQ== YQ=="), Ok(b"aa".to_vec()));
        assert_eq!(decode(" "), Ok(Vec::new()));
        for bad in ["!!", "a", "abc", "YQ=", "YQ", "=", "Y=Q="] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
