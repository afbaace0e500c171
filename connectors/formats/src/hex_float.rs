//! Numbers such as `0x1.8p3`, which `Double.parseDouble` reads as Java source has them.

/// A number of hexadecimal digits: `mantissa × 2^exponent`, and a little more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HexFloat {
    is_negative: bool,
    mantissa: u128,
    exponent: i64,
    /// Whether digits were cut off that are not 0.
    has_rest: bool,
}

/// A binary format of IEEE 754.
struct Format {
    /// Bits of a significand.
    precision: i64,
    /// Exponent of the last bit of the smallest number.
    exponent_min: i64,
}

const DOUBLE: Format = Format {
    precision: 53,
    exponent_min: -1074,
};
const FLOAT: Format = Format {
    precision: 24,
    exponent_min: -149,
};
/// Exponents beyond it are all alike: the number is 0 or infinite.
const EXPONENT_MAX: i64 = 1 << 32;

impl HexFloat {
    /// Reads `[+-]0x<digits>[.<digits>]p[+-]<decimal digits>[fFdD]`.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (is_negative, rest) = match text.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, text),
        };
        let digits = rest.strip_prefix(b"0x").or(rest.strip_prefix(b"0X"))?;
        let at = digits.iter().position(|b| matches!(b, b'p' | b'P'))?;
        let power = exponent(&digits[at + 1..])?;
        let (whole, fraction) = match digits[..at].iter().position(|b| *b == b'.') {
            Some(point) => (&digits[..point], &digits[point + 1..at]),
            None => (&digits[..at], &digits[..0]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut number = Self {
            is_negative,
            mantissa: 0,
            exponent: power.saturating_sub(4 * i64::try_from(fraction.len()).ok()?),
            has_rest: false,
        };
        for byte in whole.iter().chain(fraction) {
            let digit = char::from(*byte).to_digit(16)?;
            if number.mantissa >> 120 == 0 {
                number.mantissa = number.mantissa << 4 | u128::from(digit);
            } else {
                number.has_rest |= digit != 0;
                number.exponent += 4;
            }
        }
        Some(number)
    }

    /// Returns the nearest double.
    pub(crate) fn to_f64(self) -> f64 {
        self.round(&DOUBLE)
    }

    /// Returns the nearest float, without a detour over a double.
    pub(crate) fn to_f32(self) -> f32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it was rounded to a float's bits"
        )]
        let float = self.round(&FLOAT) as f32;
        float
    }

    /// Rounds half to even.
    fn round(self, format: &Format) -> f64 {
        let bits = i64::from(128 - self.mantissa.leading_zeros());
        let last = (self.exponent + bits - format.precision).max(format.exponent_min);
        let cut = last - self.exponent;
        let (significand, exponent) = if cut <= 0 {
            (self.mantissa, self.exponent)
        } else if cut > bits {
            (0, last)
        } else {
            // A mantissa of at most 124 bits is cut by at most as many.
            let kept = self.mantissa >> cut;
            let rest = self.mantissa & ((1 << cut) - 1);
            let half = 1 << (cut - 1);
            let goes_up = rest > half || rest == half && (self.has_rest || kept & 1 == 1);
            (kept + u128::from(goes_up), last)
        };
        let value = scale(significand as f64, exponent);
        if self.is_negative { -value } else { value }
    }
}

/// Returns `value × 2^exponent`, of which each step is exact where the result is.
fn scale(mut value: f64, mut exponent: i64) -> f64 {
    const STEP: i64 = 1000;
    while exponent.abs() > STEP && value != 0.0 && value.is_finite() {
        let step = STEP * exponent.signum();
        value *= 2_f64.powi(if step > 0 { 1000 } else { -1000 });
        exponent -= step;
    }
    match i32::try_from(exponent) {
        Ok(exponent) if value != 0.0 && value.is_finite() => value * 2_f64.powi(exponent),
        _ => value,
    }
}

fn exponent(text: &[u8]) -> Option<i64> {
    let text = match text.split_last()? {
        (b'f' | b'F' | b'd' | b'D', number) => number,
        _ => text,
    };
    let (sign, digits) = match text.split_first()? {
        (b'-', digits) => (-1, digits),
        (b'+', digits) => (1, digits),
        _ => (1, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0_i64, |value, digit| {
        (value * 10 + i64::from(digit - b'0')).min(EXPONENT_MAX)
    });
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers are those of Java 17.
    #[test]
    fn reads_what_java_reads() {
        for (text, double, float) in [
            ("0x1.8p3", 12.0, 12.0),
            ("0x1p-1074", 4.9e-324, 0.0),
            ("0x1p-1075", 0.0, 0.0),
            ("0x1.8p-1075", 4.9e-324, 0.0),
            ("0X.8P1f", 1.0, 1.0),
            ("0x1.fffffffffffff8p0", 2.0, 2.0),
            ("0x1.fffffffffffff7p0", 1.9999999999999998, 2.0),
            ("-0x1.0p0d", -1.0, -1.0),
            ("0x1p1024", f64::INFINITY, f32::INFINITY),
            ("0x1p99999999999", f64::INFINITY, f32::INFINITY),
            ("0x1p-99999999999", 0.0, 0.0),
            ("0x0p99999999999", 0.0, 0.0),
            ("0x1.0000010000001p0", 1.000000059604645, 1.0000001),
            ("0x1.000001p0", 1.0000000596046448, 1.0),
            ("0x1p+3", 8.0, 8.0),
            ("0x1.fffffep127", 3.4028234663852886E38, f32::MAX),
            ("0x1.ffffffp127", 3.4028235677973366E38, f32::INFINITY),
            (
                "0x1.00000000000008000000000000000000000000001p0",
                1.0000000000000002,
                1.0,
            ),
        ] {
            let number = HexFloat::parse(text.as_bytes()).expect(text);
            assert_eq!(number.to_f64(), double, "{text}");
            assert_eq!(number.to_f32(), float, "{text}");
        }
        for text in [
            "0x1.", "0x1", "0x1p", "0x.p1", "1p3", "0xgp1", "0x1p1x", "0x1p٣", "",
        ] {
            assert_eq!(HexFloat::parse(text.as_bytes()), None, "{text}");
        }
    }
}
