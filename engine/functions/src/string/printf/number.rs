//! Numbers as Java's `Formatter` writes them.
//!
//! # Java
//! Doubles are rounded half up from the digits of `Double.toString`, not from their exact value: `%.1f` of 0.25 is 0.3.

use super::format::Flags;

/// How a number is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) flags: Flags,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

/// A floating number as sign, decimal digits and the place of the point: `0.d1d2d3… × 10^point`.
#[derive(Clone, Debug)]
pub(super) struct Digits {
    is_negative: bool,
    digits: Vec<u8>,
    point: i32,
    /// `NaN` or `Infinity`.
    name: Option<&'static str>,
}

impl Digits {
    pub(super) fn of_float(value: f32) -> Self {
        Self::of(&format!("{value:e}"), f64::from(value))
    }

    fn of_double(value: f64) -> Self {
        Self::of(&format!("{value:e}"), value)
    }

    /// Reads the shortest digits, `1.25e-3`.
    fn of(shortest: &str, value: f64) -> Self {
        let is_negative = value.is_sign_negative() && !value.is_nan();
        let name = match value {
            value if value.is_nan() => Some("NaN"),
            value if value.is_infinite() => Some("Infinity"),
            _ => None,
        };
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or(("0", "0"));
        let digits: Vec<u8> = mantissa
            .bytes()
            .filter(u8::is_ascii_digit)
            .map(|b| b - b'0')
            .collect();
        let is_zero = digits.iter().all(|digit| *digit == 0);
        Self {
            is_negative,
            digits: if is_zero { Vec::new() } else { digits },
            point: if is_zero {
                1
            } else {
                exponent.parse::<i32>().unwrap_or(0) + 1
            },
            name,
        }
    }

    /// Keeps `count` digits, rounded half up; none or fewer may be negative.
    fn rounded(&self, count: i64) -> Self {
        let mut result = self.clone();
        let Ok(count) = usize::try_from(count) else {
            result.digits.clear();
            return result;
        };
        let Some(next) = self.digits.get(count) else {
            return result;
        };
        result.digits.truncate(count);
        if *next < 5 {
            return result;
        }
        for digit in result.digits.iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return result;
            }
            *digit = 0;
        }
        result.digits.insert(0, 1);
        result.point += 1;
        result
    }

    /// Returns `123.45` with that many digits behind the point.
    fn fixed(&self, precision: usize) -> String {
        let places = i64::from(self.point) + i64::try_from(precision).unwrap_or(i64::MAX);
        let rounded = self.rounded(places);
        let digit = |place: i64| -> char {
            let known = usize::try_from(place)
                .ok()
                .and_then(|at| rounded.digits.get(at));
            char::from(b'0' + known.copied().unwrap_or(0))
        };
        let whole = i64::from(rounded.point).max(1);
        let skipped = i64::from(rounded.point) - whole;
        let mut text: String = (0..whole).map(|place| digit(place + skipped)).collect();
        if precision > 0 {
            text.push('.');
            let places = i64::try_from(precision).unwrap_or(i64::MAX);
            text.extend((0..places).map(|place| digit(i64::from(rounded.point) + place)));
        }
        text
    }

    /// Returns `1.2345e+02` with that many digits behind the point.
    fn scientific(&self, precision: usize) -> String {
        let rounded = self.rounded(i64::try_from(precision).unwrap_or(i64::MAX) + 1);
        let digit =
            |place: usize| char::from(b'0' + rounded.digits.get(place).copied().unwrap_or(0));
        let mut text = String::from(digit(0));
        if precision > 0 {
            text.push('.');
            text.extend((1..=precision).map(digit));
        }
        let exponent = if rounded.digits.is_empty() {
            0
        } else {
            rounded.point - 1
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        text + &format!("e{sign}{:02}", exponent.unsigned_abs())
    }

    /// Fixed from 10⁻⁴ up to 10^precision, else scientific.
    fn general(&self, precision: usize) -> String {
        let precision = precision.max(1);
        if self.digits.is_empty() {
            return self.fixed(precision - 1);
        }
        let rounded = self.rounded(i64::try_from(precision).unwrap_or(i64::MAX));
        let exponent = rounded.point - 1;
        let is_fixed =
            exponent >= -4 && i64::from(exponent) < i64::try_from(precision).unwrap_or(i64::MAX);
        if !is_fixed {
            return self.scientific(precision - 1);
        }
        let places = i64::try_from(precision).unwrap_or(i64::MAX) - i64::from(exponent) - 1;
        self.fixed(usize::try_from(places).unwrap_or(0))
    }
}

impl Style {
    /// `%d`.
    pub(super) fn decimal(&self, value: i64) -> String {
        self.signed(value < 0, &value.unsigned_abs().to_string())
    }

    /// `%x` and `%o`: a negative number as the bits of its type.
    pub(super) fn unsigned(&self, value: i64, bits: u32, is_hex: bool) -> String {
        let mask = if bits >= 64 {
            u64::MAX
        } else {
            (1 << bits) - 1
        };
        let value = value as u64 & mask;
        let (prefix, digits) = match is_hex {
            true => ("0x", format!("{value:x}")),
            false => ("0", format!("{value:o}")),
        };
        let prefix = if self.flags.alternate { prefix } else { "" };
        let missing = match self.flags.zero {
            true => self.width.saturating_sub(prefix.len() + digits.len()),
            false => 0,
        };
        format!("{prefix}{}{digits}", "0".repeat(missing))
    }

    /// `%e`, `%f` and `%g` of a DOUBLE.
    pub(super) fn double(&self, value: f64, form: char) -> String {
        self.digits(&Digits::of_double(value), form)
    }

    /// `%e`, `%f` and `%g`.
    pub(super) fn digits(&self, digits: &Digits, form: char) -> String {
        if let Some(name) = digits.name {
            let unpadded = Self {
                flags: Flags {
                    zero: false,
                    group: false,
                    ..self.flags
                },
                ..*self
            };
            return match name {
                "NaN" => name.to_owned(),
                name => unpadded.signed(digits.is_negative, name),
            };
        }
        let precision = self.precision.unwrap_or(6);
        let mut text = match form {
            'e' => digits.scientific(precision),
            'f' => digits.fixed(precision),
            _ => digits.general(precision),
        };
        if self.flags.alternate && precision == 0 {
            let at = text.find('e').unwrap_or(text.len());
            text.insert(at, '.');
        }
        self.signed(digits.is_negative, &text)
    }

    /// Adds grouping, zeros and sign.
    fn signed(&self, is_negative: bool, digits: &str) -> String {
        let (before, after) = match (is_negative, &self.flags) {
            (true, flags) if flags.parentheses => ("(", ")"),
            (true, _) => ("-", ""),
            (false, flags) if flags.plus => ("+", ""),
            (false, flags) if flags.blank => (" ", ""),
            _ => ("", ""),
        };
        let grouped = match self.flags.group {
            true => grouped(digits),
            false => digits.to_owned(),
        };
        let missing = match self.flags.zero {
            true => self
                .width
                .saturating_sub(before.len() + grouped.len() + after.len()),
            false => 0,
        };
        format!("{before}{}{grouped}{after}", "0".repeat(missing))
    }
}

/// Puts a comma before each three digits of the whole part.
fn grouped(digits: &str) -> String {
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let mut text = String::new();
    for (index, digit) in digits[..end].chars().enumerate() {
        if index > 0 && (end - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + &digits[end..]
}
