//! Numbers as `Integer.parseInt`, `Double.parseDouble` and their kin read them.

use millrace_json::ascii_digits;
use millrace_json::java_time::shown;

use crate::hex_float::HexFloat;

/// Cuts what Java's `String.trim` cuts: everything up to U+0020 at both ends.
pub(crate) fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| *b > b' ').unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(|b| *b > b' ')
        .map_or(start, |at| at + 1);
    &text[start..end]
}

/// Returns the whole number of `text` if it lies between `min` and `max`.
///
/// # Errors
/// It is none, in Java's words. `is_byte` says that Java would say so in `Byte`'s and `Short`'s way.
pub(crate) fn parse_integer(text: &[u8], min: i64, max: i64, is_byte: bool) -> Result<i64, String> {
    let no_number = || format!("For input string: \"{}\"", shown(text));
    let ascii = ascii_digits(text);
    let (is_negative, digits) = match ascii.first() {
        Some(b'-') => (true, &ascii[1..]),
        Some(b'+') => (false, &ascii[1..]),
        _ => (false, &ascii[..]),
    };
    if digits.is_empty() {
        return Err(no_number());
    }
    // Negative numbers reach one further, so the sum runs below zero.
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(no_number());
        }
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_sub(i64::from(digit - b'0')))
            .ok_or_else(no_number)?;
    }
    let value = if is_negative {
        Some(value)
    } else {
        value.checked_neg()
    };
    match value {
        Some(value) if (min..=max).contains(&value) => Ok(value),
        Some(value) if is_byte && i32::try_from(value).is_ok() => Err(format!(
            "Value out of range. Value:\"{}\" Radix:10",
            shown(text)
        )),
        _ => Err(no_number()),
    }
}

/// `f64` or `f32`.
pub(crate) trait Floating: std::str::FromStr {
    /// Returns the nearest value.
    fn of_hex(number: HexFloat) -> Self;
}

impl Floating for f64 {
    fn of_hex(number: HexFloat) -> Self {
        number.to_f64()
    }
}

impl Floating for f32 {
    fn of_hex(number: HexFloat) -> Self {
        number.to_f32()
    }
}

/// Returns the number of `text` as `Double.parseDouble` does, `Float.parseFloat` with `T` = `f32`.
///
/// # Errors
/// It is none, in Java's words.
pub(crate) fn parse_floating<T: Floating>(text: &[u8]) -> Result<T, String> {
    let trimmed = trim(text);
    if trimmed.is_empty() {
        return Err("empty String".to_owned());
    }
    let no_number = || format!("For input string: \"{}\"", shown(trimmed));
    let unsigned = trimmed
        .strip_prefix(b"-")
        .or(trimmed.strip_prefix(b"+"))
        .unwrap_or(trimmed);
    if unsigned == b"NaN" || unsigned == b"Infinity" {
        return parse_text(trimmed).ok_or_else(no_number);
    }
    if unsigned.starts_with(b"0x") || unsigned.starts_with(b"0X") {
        return HexFloat::parse(trimmed)
            .map(T::of_hex)
            .ok_or_else(no_number);
    }
    let number = match trimmed.split_last() {
        Some((b'd' | b'D' | b'f' | b'F', number)) => number,
        _ => trimmed,
    };
    let is_decimal = number
        .iter()
        .all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !is_decimal {
        return Err(no_number());
    }
    parse_text(number).ok_or_else(no_number)
}

fn parse_text<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_integers_as_java_does() {
        let int = |text: &str| {
            parse_integer(
                text.as_bytes(),
                i64::from(i32::MIN),
                i64::from(i32::MAX),
                false,
            )
        };
        assert_eq!(int("+007"), Ok(7));
        assert_eq!(int("-2147483648"), Ok(-2_147_483_648));
        assert_eq!(int("-١٢"), Ok(-12));
        assert_eq!(int("１０"), Ok(10));
        for bad in [
            "",
            "+",
            "1.0",
            "2147483648",
            "1e3",
            " 1",
            "99999999999999999999",
            "1²",
            "𝟎",
        ] {
            assert!(int(bad).is_err(), "{bad}");
        }
        assert_eq!(
            parse_integer(b"128", -128, 127, true),
            Err("Value out of range. Value:\"128\" Radix:10".to_owned())
        );
        assert_eq!(
            parse_integer(b"-9223372036854775808", i64::MIN, i64::MAX, false),
            Ok(i64::MIN)
        );
    }

    #[test]
    fn reads_doubles_as_java_does() {
        for (text, expect) in [
            (" 1 ", 1.0),
            ("1d", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e400", f64::INFINITY),
            (" -0x1.8p3d ", -12.0),
        ] {
            assert_eq!(parse_floating::<f64>(text.as_bytes()), Ok(expect), "{text}");
        }
        for bad in [
            "", " ", "inf", "nan", "infinity", "1dd", "0x", "0x1", "1e", "d", "١",
        ] {
            assert!(parse_floating::<f64>(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
