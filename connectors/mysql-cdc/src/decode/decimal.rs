//! DECIMAL: the server's packing and Java's text.

use std::fmt::Write;

use super::wire::decimal_bytes;

/// Digits of a DECIMAL that 128 bits hold.
const NARROW_MAX: usize = 38;

/// A DECIMAL of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// Unscaled number and scale.
    Narrow(i128, u8),
    /// More than 38 digits.
    Wide(Box<WideDecimal>),
}

/// A DECIMAL of more than 38 digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WideDecimal {
    is_negative: bool,
    /// Digits without zeros in front, `0` for zero.
    digits: String,
    scale: u8,
}

/// Bytes of a group that is not full, by its digits.
const GROUP_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/// Reads the server's packing; `None` if `bytes` is too short.
#[inline]
pub(crate) fn read(bytes: &[u8], precision: u8, scale: u8) -> Option<Decimal> {
    if bytes.len() < decimal_bytes(precision, scale) {
        return None;
    }
    let is_negative = bytes.first()? & 0x80 == 0;
    let flip: u8 = if is_negative { 0xff } else { 0 };
    let mut at = 0;
    let mut group = |digits: usize| {
        let mut value = 0_u32;
        for _ in 0..GROUP_BYTES[digits] {
            let mut byte = bytes[at] ^ flip;
            if at == 0 {
                byte ^= 0x80;
            }
            value = value << 8 | u32::from(byte);
            at += 1;
        }
        value
    };
    let whole = usize::from(precision - scale);
    let part = usize::from(scale);
    let groups = [(whole % 9, 1), (9, whole / 9), (9, part / 9), (part % 9, 1)];
    if usize::from(precision) <= NARROW_MAX {
        let mut value = 0_i128;
        for (digits, count) in groups {
            for _ in 0..count {
                value = value * 10_i128.pow(digits as u32) + i128::from(group(digits));
            }
        }
        return Some(Decimal::Narrow(
            if is_negative { -value } else { value },
            scale,
        ));
    }
    let mut text = String::with_capacity(usize::from(precision) + 8);
    for (digits, count) in groups {
        for _ in 0..if digits == 0 { 0 } else { count } {
            let value = group(digits);
            write!(text, "{value:0digits$}").expect("a String takes all");
        }
    }
    Some(Decimal::of_digits(is_negative, &text, scale))
}

/// Reads a DECIMAL as the query protocol prints it; `None` if it is none.
pub(crate) fn parse(text: &[u8]) -> Option<Decimal> {
    let text = std::str::from_utf8(text).ok()?;
    let unsigned = text.strip_prefix('-');
    let is_negative = unsigned.is_some();
    let unsigned = unsigned.unwrap_or(text);
    let (whole, part) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let scale = u8::try_from(part.len()).ok()?;
    let digits = whole.len() + part.len();
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if digits == 0 || !are_digits(whole) || !are_digits(part) {
        return None;
    }
    if digits <= NARROW_MAX {
        let bytes = whole.bytes().chain(part.bytes());
        let value = bytes.fold(0, |value, digit| value * 10 + i128::from(digit - b'0'));
        let value = if is_negative { -value } else { value };
        return Some(Decimal::Narrow(value, scale));
    }
    Some(Decimal::of_digits(
        is_negative,
        &[whole, part].concat(),
        scale,
    ))
}

impl Decimal {
    fn of_digits(is_negative: bool, digits: &str, scale: u8) -> Self {
        let digits = digits.trim_start_matches('0');
        if digits.len() <= NARROW_MAX {
            let value: i128 = digits.parse().unwrap_or(0);
            return Self::Narrow(if is_negative { -value } else { value }, scale);
        }
        Self::Wide(Box::new(WideDecimal {
            is_negative,
            digits: digits.to_owned(),
            scale,
        }))
    }

    /// Returns it unscaled and rounded half up to a DECIMAL(precision, scale); `None` if it does not fit.
    pub(crate) fn rounded(&self, precision: u8, scale: u8) -> Option<i128> {
        let value = match self {
            Self::Narrow(value, own) if *own <= scale => {
                value.checked_mul(10_i128.checked_pow(u32::from(scale - own))?)?
            }
            Self::Narrow(value, own) => divide_half_up(*value, u32::from(own - scale)),
            Self::Wide(wide) => {
                // What is cut is more than 128 bits hold: keep one digit of it for rounding.
                let cut = usize::from(wide.scale.saturating_sub(scale));
                let added = usize::from(scale.saturating_sub(wide.scale));
                let kept = wide.digits.len().saturating_sub(cut);
                if kept + added > NARROW_MAX {
                    return None;
                }
                let digits = &wide.digits[..kept];
                let mut value: i128 = if digits.is_empty() {
                    0
                } else {
                    digits.parse().ok()?
                };
                // Only with a digit at the place behind the last one kept: otherwise it is zero.
                let is_up = cut <= wide.digits.len()
                    && wide.digits.as_bytes().get(kept).is_some_and(|d| *d >= b'5');
                value += i128::from(is_up);
                value = value.checked_mul(10_i128.checked_pow(added as u32)?)?;
                if wide.is_negative { -value } else { value }
            }
        };
        let most = 10_i128.checked_pow(u32::from(precision))?;
        (value.unsigned_abs() < most.unsigned_abs()).then_some(value)
    }

    fn parts(&self) -> (bool, String, i32) {
        match self {
            Self::Narrow(value, scale) => (
                *value < 0,
                value.unsigned_abs().to_string(),
                i32::from(*scale),
            ),
            Self::Wide(wide) => (wide.is_negative, wide.digits.clone(), i32::from(wide.scale)),
        }
    }

    /// Appends it as Java's `BigDecimal.toString` does: with an exponent below 0.000001.
    pub(crate) fn write_java(&self, out: &mut String) {
        let (is_negative, digits, scale) = self.parts();
        let adjusted = digits.len() as i32 - 1 - scale;
        if adjusted >= -6 {
            return self.write_plain(out);
        }
        if is_negative {
            out.push('-');
        }
        out.push_str(&digits[..1]);
        if digits.len() > 1 {
            out.push('.');
            out.push_str(&digits[1..]);
        }
        write!(out, "E{adjusted}").expect("a String takes all");
    }

    /// Appends it with all its digits.
    pub(crate) fn write_plain(&self, out: &mut String) {
        let (is_negative, digits, scale) = self.parts();
        let scale = scale as usize;
        if is_negative {
            out.push('-');
        }
        if digits.len() > scale {
            let (whole, part) = digits.split_at(digits.len() - scale);
            out.push_str(whole);
            if scale > 0 {
                out.push('.');
                out.push_str(part);
            }
        } else {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', scale - digits.len()));
            out.push_str(&digits);
        }
    }
}

/// Divides by a power of ten, rounding half away from zero.
pub(crate) fn divide_half_up(value: i128, digits: u32) -> i128 {
    let Some(divisor) = 10_i128.checked_pow(digits) else {
        return 0;
    };
    let (quotient, rest) = (value / divisor, value % divisor);
    if rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2) {
        quotient + value.signum()
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn java(text: &str) -> String {
        let mut out = String::new();
        let decimal = parse(text.as_bytes()).expect("a decimal");
        decimal.write_java(&mut out);
        out
    }

    #[test]
    fn prints_as_java_does() {
        for (text, expected) in [
            ("0", "0"),
            ("1.50", "1.50"),
            ("-0.000000000000000000000000000001", "-1E-30"),
            ("0.000000000000000000000000000000", "0E-30"),
            ("0.000001", "0.000001"),
            ("0.0000012", "0.0000012"),
            ("0.00000012", "1.2E-7"),
            (
                "99999999999999999999999999999999999.999999999999999999999999999999",
                "99999999999999999999999999999999999.999999999999999999999999999999",
            ),
        ] {
            assert_eq!(java(text), expected, "{text}");
        }
    }

    #[test]
    fn rounds_half_up() {
        let rounded = |text: &str, p, s| parse(text.as_bytes()).expect("a decimal").rounded(p, s);
        assert_eq!(rounded("1.235", 10, 2), Some(124));
        assert_eq!(rounded("-1.235", 10, 2), Some(-124));
        assert_eq!(rounded("1.234", 3, 2), Some(123));
        assert_eq!(rounded("99.995", 4, 2), None);
        assert_eq!(rounded("7", 10, 3), Some(7000));
        let wide = "1234567890123456789012345678901234.567890123456789012345678901234";
        assert_eq!(
            rounded(wide, 38, 2),
            Some(123_456_789_012_345_678_901_234_567_890_123_457)
        );
        assert_eq!(rounded(wide, 38, 5), None);
        let small = "0.00000000000000000000000000000000000000000000000000000000000001";
        assert_eq!(rounded(small, 10, 2), Some(0));
    }

    #[test]
    fn reads_packed_digits() {
        // 1234567890.1234 of DECIMAL(14,4), from the manual of the packing.
        let bytes = [0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2];
        assert_eq!(
            read(&bytes, 14, 4),
            Some(Decimal::Narrow(12_345_678_901_234, 4))
        );
        let negative = bytes.map(|byte| !byte);
        assert_eq!(
            read(&negative, 14, 4),
            Some(Decimal::Narrow(-12_345_678_901_234, 4))
        );
        assert_eq!(read(&bytes[..6], 14, 4), None);
    }
}
