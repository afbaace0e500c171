//! DECIMAL values: powers of ten, rounding, text.
//!
//! A DECIMAL(p, s) is a 128-bit count of 10^-s. Where Java's `BigDecimal` would grow, [`num_bigint`] is used.

/// Powers of ten that a DECIMAL(38) can hold.
pub(crate) const POW10: [i128; 39] = {
    let mut table = [1_i128; 39];
    let mut i = 1;
    while i < 39 {
        table[i] = table[i - 1] * 10;
        i += 1;
    }
    table
};

/// Returns `unscaled` when it has at most `precision` digits.
#[must_use]
pub(crate) fn fits(unscaled: i128, precision: u8) -> Option<i128> {
    (unscaled.unsigned_abs() < POW10[usize::from(precision)].unsigned_abs()).then_some(unscaled)
}

/// Returns `unscaled / 10^digits`, rounded half away from zero.
#[must_use]
pub(crate) fn divide_pow10_half_up(unscaled: i128, digits: usize) -> i128 {
    if digits == 0 {
        return unscaled;
    }
    if digits > 38 {
        // The greatest value has 39 digits, of which the first is 1.
        return 0;
    }
    let power = POW10[digits];
    let quotient = unscaled / power;
    let rest = unscaled % power;
    if rest.unsigned_abs() * 2 >= power.unsigned_abs() {
        quotient + unscaled.signum()
    } else {
        quotient
    }
}

/// Returns the value with another scale, rounded half up; `None` when it has more than `precision` digits.
#[must_use]
pub(crate) fn rescale(unscaled: i128, from_scale: u8, precision: u8, scale: u8) -> Option<i128> {
    let value = if scale >= from_scale {
        let power = POW10[usize::from(scale - from_scale)];
        unscaled.checked_mul(power)?
    } else {
        divide_pow10_half_up(unscaled, usize::from(from_scale - scale))
    };
    fits(value, precision)
}

/// Returns the whole part, without rounding, as Java's `BigDecimal.longValue` does: the low 64 bits.
#[must_use]
pub(crate) fn to_i64(unscaled: i128, scale: u8) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "Flink keeps the low bits")]
    let low = (unscaled / POW10[usize::from(scale)]) as i64;
    low
}

/// Returns the nearest double; DECIMAL up to 18 digits by one division, as Flink does.
#[must_use]
pub(crate) fn to_f64(unscaled: i128, precision: u8, scale: u8) -> f64 {
    if precision <= 18 {
        return unscaled as f64 / POW10[usize::from(scale)] as f64;
    }
    let mut text = String::with_capacity(48);
    text.push_str(&unscaled.to_string());
    text.push_str("e-");
    text.push_str(&scale.to_string());
    text.parse().expect("a number in Rust's grammar")
}

/// Appends the value plainly with all digits of its scale: `-0.50`.
pub fn write_plain(unscaled: i128, scale: u8, out: &mut String) {
    if unscaled < 0 {
        out.push('-');
    }
    let mut buffer = [b'0'; 40];
    let mut at = buffer.len();
    let mut rest = unscaled.unsigned_abs();
    while rest != 0 {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    let scale = usize::from(scale);
    at = at.min(buffer.len() - scale - 1);
    let digits = std::str::from_utf8(&buffer[at..]).expect("ASCII digits");
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    out.push_str(whole);
    if scale > 0 {
        out.push('.');
        out.push_str(fraction);
    }
}

/// Returns the value plainly with all digits of its scale.
#[must_use]
pub fn plain_string(unscaled: i128, scale: u8) -> String {
    let mut out = String::with_capacity(42);
    write_plain(unscaled, scale, &mut out);
    out
}

/// A number in text, as `BigDecimal(String)` takes it.
pub(crate) struct DecimalText {
    negative: bool,
    /// Significant digits, without leading zeros; empty for zero.
    digits: Vec<u8>,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl DecimalText {
    /// Parses `[+-]digits[.digits][e[+-]digits]`; nothing around it is allowed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut at = 0;
        let negative = bytes.first() == Some(&b'-');
        if negative || bytes.first() == Some(&b'+') {
            at += 1;
        }
        let mut digits = Vec::with_capacity(bytes.len());
        let mut seen = 0;
        let mut point = None;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    seen += 1;
                    if byte != b'0' || !digits.is_empty() {
                        digits.push(byte);
                    }
                }
                b'.' if point.is_none() => point = Some(seen),
                _ => break,
            }
            at += 1;
        }
        if seen == 0 {
            return None;
        }
        let mut exponent = 0_i64;
        if at < bytes.len() {
            if !matches!(bytes[at], b'e' | b'E') {
                return None;
            }
            exponent = parse_exponent(&bytes[at + 1..])?;
        }
        exponent -= point.map_or(0, |p| seen - p);
        // The scale has to fit 32 bits.
        i32::try_from(-exponent).ok()?;
        Some(Self {
            negative,
            digits,
            exponent,
        })
    }

    /// Returns the DECIMAL(precision, scale) of it, rounded half up; `None` on overflow.
    pub(crate) fn to_decimal(&self, precision: u8, scale: u8) -> Option<i128> {
        let shift = self.exponent + i64::from(scale);
        let length = i64::try_from(self.digits.len()).ok()?;
        if self.digits.is_empty() || length + shift < 0 {
            return Some(0);
        }
        if length + shift > i64::from(precision) {
            return None;
        }
        let kept = usize::try_from((length + shift).min(length)).ok()?;
        let mut value = 0_i128;
        for digit in &self.digits[..kept] {
            value = value * 10 + i128::from(digit - b'0');
        }
        if shift > 0 {
            value *= POW10[usize::try_from(shift).ok()?];
        } else if self.digits.get(kept).is_some_and(|digit| *digit >= b'5') {
            value += 1;
        }
        fits(if self.negative { -value } else { value }, precision)
    }
}

fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes.first()? {
        b'-' => (true, &bytes[1..]),
        b'+' => (false, &bytes[1..]),
        _ => (false, bytes),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        value = value * 10 + i64::from(digit - b'0');
        if value > i64::from(i32::MAX) {
            return None;
        }
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_plain_text() {
        for (unscaled, scale, expect) in [
            (0, 0, "0"),
            (0, 2, "0.00"),
            (-5, 1, "-0.5"),
            (12345, 2, "123.45"),
            (
                POW10[38] - 1,
                38,
                "0.99999999999999999999999999999999999999",
            ),
        ] {
            assert_eq!(plain_string(unscaled, scale), expect);
        }
    }

    #[test]
    fn rounds_half_up_while_parsing() {
        let parse = |text: &str, p, s| DecimalText::parse(text).and_then(|d| d.to_decimal(p, s));
        assert_eq!(parse("1.545", 10, 2), Some(155));
        assert_eq!(parse("-1.555", 10, 2), Some(-156));
        assert_eq!(parse("0.004", 10, 2), Some(0));
        assert_eq!(parse("0.005", 10, 2), Some(1));
        assert_eq!(parse("9.99", 2, 1), None);
        assert_eq!(parse("1e3", 10, 2), Some(100_000));
        assert_eq!(parse("1e-99", 10, 2), Some(0));
        assert_eq!(parse("1e99", 38, 2), None);
        assert_eq!(parse(".", 10, 2), None);
        assert_eq!(parse("1e", 10, 2), None);
    }
}
