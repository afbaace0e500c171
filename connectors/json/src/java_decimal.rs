//! Decimals as `java.math.BigDecimal` reads and writes them.

use crate::ascii_digits;

/// A decimal: `unscaled × 10^-scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// All digits as a whole number.
    pub unscaled: i128,
    /// How many of them stand behind the point; below zero where zeros were cut off.
    pub scale: i64,
}

/// Digits that are kept of a number; more than any DECIMAL has, so that what is cut never decides a rounding but by
/// its presence.
const DIGITS_KEPT: usize = 38;

/// Returns `text` (as for `new BigDecimal(text)`) rounded half up to a DECIMAL(precision, scale), unscaled; `None`
/// where it does not fit.
///
/// # Errors
/// It is no number, in Java's words.
pub fn parse_decimal(text: &[u8], precision: u8, scale: u8) -> Result<Option<i128>, String> {
    let text = ascii_digits(text);
    let parts = Parts::split(&text)?;
    Ok(parts.round(precision, scale))
}

/// The digits of a number without zeros in front, and where the point stands among them.
struct Parts<'a> {
    is_negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn split(text: &'a [u8]) -> Result<Self, String> {
        if text.is_empty() {
            return Err("Index 0 out of bounds for length 0".to_owned());
        }
        let (is_negative, rest) = match text[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
            None => (rest, 0),
        };
        let (whole, fraction) = match mantissa.iter().position(|b| *b == b'.') {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &mantissa[..0]),
        };
        if let Some(bad) = whole
            .iter()
            .chain(fraction)
            .position(|b| !b.is_ascii_digit())
        {
            return Err(not_a_digit(mantissa, bad));
        }
        if whole.is_empty() && fraction.is_empty() {
            return Err("No digits found.".to_owned());
        }
        Ok(Self {
            is_negative,
            whole,
            fraction,
            exponent,
        })
    }

    fn round(&self, precision: u8, scale: u8) -> Option<i128> {
        let digits = || self.whole.iter().chain(self.fraction).map(|b| b - b'0');
        let Some(leading) = digits().position(|digit| digit != 0) else {
            return Some(0);
        };
        // Digits in front of the point of the result, counted from the first that is not 0.
        let point = self.whole.len() as i64 - leading as i64 + self.exponent;
        let kept = point + i64::from(scale);
        if point > DIGITS_KEPT as i64 || kept < 0 {
            return if kept < 0 { Some(0) } else { None };
        }
        let kept = usize::try_from(kept).ok()?;
        let mut value: i128 = 0;
        let mut rest = digits().skip(leading);
        for _ in 0..kept {
            let digit = rest.next().unwrap_or(0);
            value = value.checked_mul(10)?.checked_add(i128::from(digit))?;
        }
        if rest.next().is_some_and(|digit| digit >= 5) {
            value += 1;
        }
        if value >= 10_i128.pow(u32::from(precision)) {
            return None;
        }
        Some(if self.is_negative { -value } else { value })
    }
}

/// Appends the number `text` of a document as `new BigDecimal(text).stripTrailingZeros().toString()`.
pub fn push_stripped(text: &[u8], out: &mut Vec<u8>) {
    let Ok(parts) = Parts::split(text) else {
        out.extend_from_slice(text);
        return;
    };
    let all: Vec<u8> = parts.whole.iter().chain(parts.fraction).copied().collect();
    let Some(start) = all.iter().position(|digit| *digit != b'0') else {
        out.push(b'0');
        return;
    };
    let end = all
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(start, |last| last + 1);
    let digits = &all[start..end];
    let scale = parts.fraction.len() as i64 - parts.exponent - (all.len() - end) as i64;
    if parts.is_negative {
        out.push(b'-');
    }
    let adjusted = digits.len() as i64 - 1 - scale;
    if scale < 0 || adjusted < -6 {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        if adjusted != 0 {
            out.push(b'E');
            out.push(if adjusted < 0 { b'-' } else { b'+' });
            out.extend_from_slice(adjusted.unsigned_abs().to_string().as_bytes());
        }
        return;
    }
    // The scale lies below the number of digits and six.
    let scale = scale as usize;
    if digits.len() > scale {
        out.extend_from_slice(&digits[..digits.len() - scale]);
        if scale > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(&digits[digits.len() - scale..]);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

/// Returns the number `text` cut to a whole one, if it lies between `min` and `max` before it is cut.
#[must_use]
pub fn whole_part(text: &[u8], min: i64, max: i64) -> Option<i64> {
    let parts = Parts::split(text).ok()?;
    let mut digits = parts.whole.iter().chain(parts.fraction);
    let point = parts.whole.len() as i64 + parts.exponent;
    let mut whole: i128 = 0;
    let mut place = 0;
    while place < point {
        match digits.next() {
            Some(digit) => whole = whole.saturating_mul(10) + i128::from(digit - b'0'),
            None if whole == 0 => break,
            None => whole = whole.saturating_mul(10),
        }
        if whole > 1 << 64 {
            return None;
        }
        place += 1;
    }
    let has_rest = digits.any(|digit| *digit != b'0');
    let (whole, bound) = if parts.is_negative {
        (-whole, i128::from(min))
    } else {
        (whole, i128::from(max))
    };
    let is_inside = whole >= i128::from(min) && whole <= i128::from(max);
    if !is_inside || whole == bound && has_rest {
        return None;
    }
    i64::try_from(whole).ok()
}

fn parse_exponent(text: &[u8]) -> Result<i64, String> {
    let (is_negative, digits) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err("No exponent digits.".to_owned());
    }
    if let Some(bad) = digits.iter().position(|b| !b.is_ascii_digit()) {
        return Err(not_a_digit(digits, bad));
    }
    let value = digits.iter().fold(0_i64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    if value > i64::from(i32::MAX) {
        return Err("Too many nonzero exponent digits.".to_owned());
    }
    Ok(if is_negative { -value } else { value })
}

fn not_a_digit(text: &[u8], at: usize) -> String {
    let text = String::from_utf8_lossy(text);
    let character = text
        .chars()
        .filter(|c| *c != '.')
        .nth(at)
        .or_else(|| text.chars().find(|c| !c.is_ascii_digit() && *c != '.'))
        .unwrap_or('?');
    format!(
        "Character {character} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark."
    )
}

impl Decimal {
    /// Returns the same number without zeros at the end (`BigDecimal.stripTrailingZeros`); the scale may be negative.
    #[must_use]
    pub fn stripped(self) -> Self {
        if self.unscaled == 0 {
            return Self {
                unscaled: 0,
                scale: 0,
            };
        }
        let mut stripped = self;
        while stripped.unscaled % 10 == 0 {
            stripped.unscaled /= 10;
            stripped.scale -= 1;
        }
        stripped
    }

    /// Appends it as `BigDecimal.toString` does: `1E+2`, `1E-10`, `0.000001`.
    pub fn write(self, out: &mut Vec<u8>) {
        let (digits, start) = self.digits();
        let digits = &digits[start..];
        let count = digits.len() as i64;
        let adjusted = count - 1 - self.scale;
        if self.scale >= 0 && adjusted >= -6 {
            return self.write_plain(out);
        }
        if self.unscaled < 0 {
            out.push(b'-');
        }
        out.push(digits[0]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        if adjusted != 0 {
            out.push(b'E');
            out.push(if adjusted < 0 { b'-' } else { b'+' });
            out.extend_from_slice(adjusted.unsigned_abs().to_string().as_bytes());
        }
    }

    /// Appends it as `BigDecimal.toPlainString` does.
    pub fn write_plain(self, out: &mut Vec<u8>) {
        let (digits, start) = self.digits();
        let digits = &digits[start..];
        if self.unscaled < 0 {
            out.push(b'-');
        }
        let Ok(scale) = usize::try_from(self.scale) else {
            out.extend_from_slice(digits);
            if self.unscaled != 0 {
                out.resize(out.len() + self.scale.unsigned_abs() as usize, b'0');
            }
            return;
        };
        if scale == 0 {
            out.extend_from_slice(digits);
        } else if digits.len() > scale {
            out.extend_from_slice(&digits[..digits.len() - scale]);
            out.push(b'.');
            out.extend_from_slice(&digits[digits.len() - scale..]);
        } else {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + scale - digits.len(), b'0');
            out.extend_from_slice(digits);
        }
    }

    /// Returns the digits of the unscaled value at the end of an array, and where they start.
    fn digits(self) -> ([u8; 40], usize) {
        let mut digits = [b'0'; 40];
        let mut start = digits.len();
        let mut rest = self.unscaled.unsigned_abs();
        while rest > 0 || start == digits.len() {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        (digits, start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_zeros_as_java_does() {
        for (text, expect) in [
            ("1.10", "1.1"),
            ("1.0", "1"),
            ("-0.0", "0"),
            ("0e5", "0"),
            ("100.00", "1E+2"),
            ("1E5", "1E+5"),
            ("12.50e1", "125"),
            ("0.000001", "0.000001"),
            ("1e-7", "1E-7"),
            ("-0.00000012", "-1.2E-7"),
            ("12345678901234567890.1230", "12345678901234567890.123"),
        ] {
            let mut out = Vec::new();
            push_stripped(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).expect("UTF-8"), expect, "{text}");
        }
    }

    #[test]
    fn cuts_to_whole_numbers_in_range() {
        for (text, expect) in [
            ("1.9", Some(1)),
            ("-1.9", Some(-1)),
            ("127.0", Some(127)),
            ("127.1", None),
            ("-128.5", None),
            ("1.2e2", Some(120)),
            ("1e400", None),
            ("1e-400", Some(0)),
            ("0e400", Some(0)),
        ] {
            assert_eq!(whole_part(text.as_bytes(), -128, 127), expect, "{text}");
        }
    }

    #[test]
    fn reads_and_rounds_as_flink_does() {
        for (text, expect) in [
            ("1", Some(100)),
            ("+1", Some(100)),
            ("1e3", Some(100_000)),
            ("-1.505", Some(-151)),
            ("1.504999", Some(150)),
            (".5", Some(50)),
            ("5.", Some(500)),
            ("0.004", Some(0)),
            ("0.005", Some(1)),
            ("99999999.994", Some(9_999_999_999)),
            ("99999999.995", None),
            ("1e999999999", None),
            ("1e-999999999", Some(0)),
            ("000000000000000000000000000000000000000000001.5", Some(150)),
        ] {
            assert_eq!(parse_decimal(text.as_bytes(), 10, 2), Ok(expect), "{text}");
        }
        for bad in [
            "", " ", " 1", "1 ", "abc", "1e", "--1", ".", "1.2.3", "Infinity", "1f",
        ] {
            assert!(parse_decimal(bad.as_bytes(), 10, 2).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_as_java_does() {
        for (unscaled, scale, plain, text) in [
            (150, 2, "1.50", "1.50"),
            (1, -2, "100", "1E+2"),
            (12, -2, "1200", "1.2E+3"),
            (1, 10, "0.0000000001", "1E-10"),
            (1, 6, "0.000001", "0.000001"),
            (1, 7, "0.0000001", "1E-7"),
            (-1, 2, "-0.01", "-0.01"),
            (0, 0, "0", "0"),
        ] {
            let decimal = Decimal { unscaled, scale };
            let mut out = Vec::new();
            decimal.write_plain(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), plain);
            out.clear();
            decimal.write(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
        assert_eq!(
            Decimal {
                unscaled: 10_000,
                scale: 2
            }
            .stripped(),
            Decimal {
                unscaled: 1,
                scale: -2
            }
        );
    }
}
