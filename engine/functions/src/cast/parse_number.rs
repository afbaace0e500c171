//! Text to integers, floating-point numbers, decimals and booleans.
//!
//! # Flink
//! `BinaryStringDataUtil` of 1.17 after `trim()`, which takes spaces only; floating-point numbers by
//! `Double.parseDouble`, decimals by `BigDecimal` where more than 18 digits can occur.

use super::decimal::{DecimalText, POW10};

/// The greatest precision whose values Flink keeps in 64 bits; shorter text is parsed by another routine.
const COMPACT_PRECISION: usize = 18;

/// Parses an integer between `min` and `max`; a fraction is cut off.
pub(crate) fn parse_integer(text: &str, min: i64, max: i64) -> Result<i64, &'static str> {
    let bytes = text.trim_matches(' ').as_bytes();
    let (&first, _) = bytes.split_first().ok_or("Input is empty.")?;
    let negative = first == b'-';
    let digits = if negative || first == b'+' {
        &bytes[1..]
    } else {
        bytes
    };
    if digits.is_empty() {
        return Err("Input has only positive or negative symbol.");
    }
    if let Some(value) = short_number(digits) {
        let value = if negative { -value } else { value };
        return if value < min || value > max {
            Err("Overflow.")
        } else {
            Ok(value)
        };
    }
    let whole = memchr::memchr(b'.', digits).unwrap_or(digits.len());
    // Negative numbers reach one further, so the value is built below zero.
    let mut value = 0_i64;
    for byte in &digits[..whole] {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err("Invalid character found.");
        }
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_sub(i64::from(digit)))
            .ok_or("Overflow.")?;
    }
    if digits.iter().skip(whole + 1).any(|b| !b.is_ascii_digit()) {
        return Err("Invalid character found.");
    }
    if !negative {
        value = value.checked_neg().ok_or("Overflow.")?;
    }
    if value < min || value > max {
        return Err("Overflow.");
    }
    Ok(value)
}

/// Returns the value of up to 18 digits, which cannot overflow; `None` for anything else.
fn short_number(digits: &[u8]) -> Option<i64> {
    if digits.len() > COMPACT_PRECISION {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// Parses a DECIMAL(precision, scale), rounded half up; a value too great for more than 18 digits is NULL.
pub(crate) fn parse_decimal(
    text: &str,
    precision: u8,
    scale: u8,
) -> Result<Option<i128>, &'static str> {
    let text = text.trim_matches(' ');
    let wide = usize::from(precision) > COMPACT_PRECISION;
    if !wide && text.len() <= COMPACT_PRECISION {
        let value = parse_compact_decimal(text.as_bytes(), precision, scale);
        return value.map(Some).ok_or("Overflow.");
    }
    let trimmed = text.trim_matches([' ', '\n', '\t']);
    let number = if trimmed.is_ascii() {
        DecimalText::parse(trimmed)
    } else {
        DecimalText::parse(&ascii_digits(trimmed))
    };
    let value = number
        .ok_or("Invalid character found.")?
        .to_decimal(precision, scale);
    if value.is_none() && !wide {
        return Err("Overflow.");
    }
    Ok(value)
}

/// Returns the text with the decimal digits of all scripts replaced, which `BigDecimal` takes too.
fn ascii_digits(text: &str) -> String {
    let digit = |character: char| {
        if character.is_ascii() {
            return character;
        }
        digit_of(character).map_or(character, char::from)
    };
    text.chars().map(digit).collect()
}

/// Returns the ASCII digit of the same value. The digits of a script follow each other from 0 to 9.
fn digit_of(character: char) -> Option<u8> {
    let code = u32::from(character);
    let zero = *SCRIPT_ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))?;
    u8::try_from(code - zero).ok().map(|value| b'0' + value)
}

/// The digits zero of the scripts within 16 bits, which is what `BigDecimal` looks at.
const SCRIPT_ZEROS: [u32; 36] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// What Flink does with text of up to 18 bytes. It is laxer than `BigDecimal`: a single character that is no
/// part of a number is ignored where it ends a part (`1x`, `5%`, `e`), and a value that rounding makes one
/// digit too long is kept.
fn parse_compact_decimal(bytes: &[u8], precision: u8, scale: u8) -> Option<i128> {
    let blank = |byte: u8| matches!(byte, b' ' | b'\n' | b'\t');
    let mut at = bytes.iter().position(|b| !blank(*b))?;
    let mut byte = bytes[at];
    let negative = byte == b'-';
    if negative || byte == b'+' {
        at += 1;
        if at == bytes.len() {
            return None;
        }
    }
    let mut significand = 0_i128;
    let mut length = 0_i32;
    let mut point = None;
    while at < bytes.len() {
        byte = bytes[at];
        at += 1;
        if byte.is_ascii_digit() {
            significand = significand * 10 + i128::from(byte - b'0');
            length += 1;
        } else if byte == b'.' {
            if point.is_some() {
                return None;
            }
            point = Some(length);
        } else {
            break;
        }
    }
    let mut exponent = 0_i32;
    if matches!(byte, b'e' | b'E') && at < bytes.len() {
        let negative_exponent = bytes[at] == b'-';
        if negative_exponent || bytes[at] == b'+' {
            at += 1;
            if at == bytes.len() {
                return None;
            }
        }
        while at < bytes.len() {
            let digit = bytes[at];
            at += 1;
            if !digit.is_ascii_digit() {
                break;
            }
            if exponent < 40 {
                exponent = exponent * 10 + i32::from(digit - b'0');
            }
        }
        if negative_exponent {
            exponent = -exponent;
        }
    }
    exponent -= length - point.unwrap_or(length);
    if bytes[at..].iter().any(|b| !blank(*b)) {
        return None;
    }
    let change = exponent + i32::from(scale);
    if length + change > i32::from(precision) {
        return None;
    }
    // Flink's table of powers ends at 10^18; beyond it the cast fails.
    let power = *POW10[..=COMPACT_PRECISION].get(usize::try_from(change.unsigned_abs()).ok()?)?;
    let value = if change >= 0 {
        significand * power
    } else {
        (significand + 5 * (power / 10)) / power
    };
    Some(if negative { -value } else { value })
}

/// Parses what `Double.parseDouble` takes, and returns the text that Rust parses to the same number.
fn java_float_text(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "NaN" || unsigned == "Infinity" {
        return Some(text);
    }
    let body = unsigned
        .strip_suffix(['f', 'F', 'd', 'D'])
        .unwrap_or(unsigned);
    let (mantissa, exponent) = match body.find(['e', 'E']) {
        Some(at) => (&body[..at], Some(&body[at + 1..])),
        None => (body, None),
    };
    let mut digits = 0;
    let mut points = 0;
    for byte in mantissa.bytes() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' => points += 1,
            _ => return None,
        }
    }
    if digits == 0 || points > 1 {
        return None;
    }
    if let Some(exponent) = exponent {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if exponent.is_empty() || !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    Some(&text[..text.len() - (unsigned.len() - body.len())])
}

/// Parses a DOUBLE as Java does.
pub(crate) fn parse_double(text: &str) -> Result<f64, String> {
    if let Some(value) = java_float_text(text) {
        return Ok(value.parse().expect("Java's grammar is within Rust's"));
    }
    parse_hex_float(text).ok_or_else(|| bad_float(text))
}

/// Parses a FLOAT as Java does, in one rounding.
pub(crate) fn parse_float(text: &str) -> Result<f32, String> {
    if let Some(value) = java_float_text(text) {
        return Ok(value.parse().expect("Java's grammar is within Rust's"));
    }
    parse_hex_float(text)
        .map(|value| value as f32)
        .ok_or_else(|| bad_float(text))
}

fn bad_float(text: &str) -> String {
    if text.trim().is_empty() {
        return "empty String".to_owned();
    }
    format!("For input string: \"{}\"", super::convert::cut(text.trim()))
}

/// Parses `0x1.8p3`, of which up to 60 bits of digits are told apart.
fn parse_hex_float(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let negative = text.starts_with('-');
    let body = text.strip_prefix(['+', '-']).unwrap_or(text);
    let body = body
        .strip_prefix("0x")
        .or_else(|| body.strip_prefix("0X"))?;
    let body = body.strip_suffix(['f', 'F', 'd', 'D']).unwrap_or(body);
    let at = body.find(['p', 'P'])?;
    let exponent: i32 = body[at + 1..].parse().ok()?;
    let (whole, fraction) = body[..at].split_once('.').unwrap_or((&body[..at], ""));
    let digits = whole.len() + fraction.len();
    if digits == 0 || digits > 15 {
        return None;
    }
    let mut mantissa = 0_i64;
    for c in whole.chars().chain(fraction.chars()) {
        mantissa = mantissa * 16 + i64::from(c.to_digit(16)?);
    }
    let scale = exponent - 4 * i32::try_from(fraction.len()).ok()?;
    let value = mantissa as f64 * 2_f64.powi(scale);
    Some(if negative { -value } else { value })
}

/// Parses `true`, `t`, `yes`, `y`, `1` and their opposites, in any case, with nothing around.
pub(crate) fn parse_boolean(text: &str) -> Result<bool, String> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["true", "t", "yes", "y", "1"]) {
        Ok(true)
    } else if is(&["false", "f", "no", "n", "0"]) {
        Ok(false)
    } else {
        Err(format!(
            "Cannot parse '{}' as BOOLEAN.",
            super::convert::cut(text)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_integers() {
        let int = |text| parse_integer(text, i64::from(i32::MIN), i64::from(i32::MAX));
        assert_eq!(int(" 12 "), Ok(12));
        assert_eq!(int("-5.99"), Ok(-5));
        assert_eq!(int("."), Ok(0));
        assert_eq!(int("2147483647.9"), Ok(i64::from(i32::MAX)));
        for bad in ["", " ", "+", "1e3", "\t1", "2147483648", "1.2.3", "--1"] {
            assert!(int(bad).is_err(), "{bad}");
        }
        assert_eq!(
            parse_integer("-9223372036854775808", i64::MIN, i64::MAX),
            Ok(i64::MIN)
        );
        assert!(parse_integer("9223372036854775808", i64::MIN, i64::MAX).is_err());
    }

    #[test]
    fn parses_short_decimals_laxly() {
        assert_eq!(parse_decimal("1x", 10, 2), Ok(Some(100)));
        assert_eq!(parse_decimal("e", 10, 2), Ok(Some(0)));
        assert_eq!(
            parse_decimal("99999999.995", 10, 2),
            Ok(Some(10_000_000_000))
        );
        assert_eq!(parse_decimal("１٢.５", 38, 2), Ok(Some(1250)));
        assert_eq!(parse_decimal("1000", 20, 18), Ok(None));
        assert!(parse_decimal("１", 10, 2).is_err());
        assert!(parse_decimal("ab", 10, 2).is_err());
        assert!(parse_decimal("1e-99", 10, 2).is_err());
        assert!(parse_decimal("1x", 38, 2).is_err());
    }

    #[test]
    fn parses_floats_as_java_does() {
        assert_eq!(parse_double(" 1.5F "), Ok(1.5));
        assert_eq!(parse_double("0x1p3"), Ok(8.0));
        assert_eq!(parse_double("5."), Ok(5.0));
        assert_eq!(parse_double("-Infinity"), Ok(f64::NEG_INFINITY));
        for bad in ["inf", "nan", "", "1_0", ".", "e5", "1e", "1 2"] {
            assert!(parse_double(bad).is_err(), "{bad}");
        }
    }
}
