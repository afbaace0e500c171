//! Numbers as Jackson reads them (int, long, BigInteger or double) and Java writes them.

use crate::java_double::{write_double, write_float};

/// Digits up to which the shortest text of a double is the one that Java 17 writes too: no two numbers of 15
/// digits are the same double, so Java's generation cannot stop earlier, and it never needs to go on.
const SURE_DIGITS: usize = 15;
/// Where that holds: Java 17 takes whole numbers of more than 53 bits another way.
const SURE_RANGE: std::ops::Range<f64> = 1e-9..9_007_199_254_740_992.0;

/// Where Java writes no exponent, and the same text as Rust's shortest.
const SAME_LAYOUT: std::ops::Range<f64> = 1e-3..1e7;

/// A number of a document.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number<'a> {
    /// A whole number of 64 bits.
    Long(i64),
    /// A longer whole number: its digits, with a minus perhaps.
    Big(&'a str),
    /// A number with a point or an exponent; infinite where it is too great.
    Double(f64),
}

impl<'a> Number<'a> {
    /// Returns the number whose text a scanner has accepted.
    #[must_use]
    pub fn parse(text: &'a str, is_float: bool) -> Self {
        if is_float {
            Self::Double(text.parse().unwrap_or(f64::NAN))
        } else {
            text.parse().map_or(Self::Big(text), Self::Long)
        }
    }
}

/// Appends the number whose text a scanner has accepted as Jackson's `asText` gives it.
pub fn push_number(text: &str, is_float: bool, out: &mut Vec<u8>) {
    if is_float {
        push_double(text.parse().unwrap_or(f64::NAN), out);
    } else if text == "-0" {
        out.push(b'0');
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Appends `value` as Java's `Double.toString` writes it.
pub fn push_double(value: f64, out: &mut Vec<u8>) {
    if !SURE_RANGE.contains(&value.abs()) {
        return push_exact(value, out);
    }
    let mut buffer = ryu::Buffer::new();
    let shortest = buffer.format_finite(value.abs()).as_bytes();
    if SAME_LAYOUT.contains(&value.abs()) && shortest.len() <= SURE_DIGITS + 1 {
        if value < 0.0 {
            out.push(b'-');
        }
        out.extend_from_slice(shortest);
        return;
    }
    let mut digits = [0_u8; 24];
    let (count, point) = significant_digits(shortest, &mut digits);
    if count > SURE_DIGITS {
        return push_exact(value, out);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    push_digits(&digits[..count], point, out);
}

/// Appends `value` as Java's `Float.toString` writes it.
pub fn push_float(value: f32, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(16);
    write_float(value, &mut text);
    out.extend_from_slice(text.as_bytes());
}

fn push_exact(value: f64, out: &mut Vec<u8>) {
    let mut text = String::with_capacity(24);
    write_double(value, &mut text);
    out.extend_from_slice(text.as_bytes());
}

/// Splits a positive decimal text into its digits without zeros at the ends and the place of the point:
/// the number is `0.d1d2… × 10^point`.
fn significant_digits(text: &[u8], digits: &mut [u8; 24]) -> (usize, i32) {
    let mut count = 0;
    let mut point = 0_i32;
    let mut seen_point = false;
    let mut exponent = 0_i32;
    for (i, &byte) in text.iter().enumerate() {
        match byte {
            b'.' => seen_point = true,
            b'e' | b'E' => {
                let text = std::str::from_utf8(&text[i + 1..]).unwrap_or("0");
                exponent = text.parse().unwrap_or(0);
                break;
            }
            b'0' if count == 0 => point -= i32::from(seen_point),
            digit => {
                if count < digits.len() {
                    digits[count] = digit;
                    count += 1;
                }
                point += i32::from(!seen_point);
            }
        }
    }
    while count > 1 && digits[count - 1] == b'0' {
        count -= 1;
    }
    (count, point + exponent)
}

/// Appends `0.d1d2… × 10^point` in Java's layout.
fn push_digits(digits: &[u8], point: i32, out: &mut Vec<u8>) {
    match usize::try_from(point) {
        Ok(whole @ 1..=7) => {
            if digits.len() <= whole {
                out.extend_from_slice(digits);
                out.resize(out.len() + whole - digits.len(), b'0');
                out.extend_from_slice(b".0");
            } else {
                out.extend_from_slice(&digits[..whole]);
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        _ if (-2..=0).contains(&point) => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + point.unsigned_abs() as usize, b'0');
            out.extend_from_slice(digits);
        }
        _ => {
            out.push(digits[0]);
            out.push(b'.');
            out.extend_from_slice(if digits.len() > 1 { &digits[1..] } else { b"0" });
            out.push(b'E');
            out.extend_from_slice((point - 1).to_string().as_bytes());
        }
    }
}

/// Tells whether a number with a point or exponent is already what `Double.toString` would write for it.
/// Says no when in doubt.
pub(crate) fn is_canonical_float(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let Some(point) = unsigned.iter().take(8).position(|b| *b == b'.') else {
        return false;
    };
    let fraction = &unsigned[point + 1..];
    if unsigned.len() > SURE_DIGITS + 1 || !fraction.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let ends_well = fraction == b"0" || fraction.last().is_some_and(|b| *b != b'0');
    let starts_well =
        unsigned[0] != b'0' || fraction == b"0" || fraction.iter().take(3).any(|b| *b != b'0');
    ends_well && starts_well
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::double_to_string;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        push_double(value, &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn the_fast_way_writes_what_the_exact_way_writes() {
        let mut seed = 0x1234_5678_9abc_def1_u64;
        for round in 0..200_000_u64 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = match round % 4 {
                0 => f64::from_bits(seed),
                1 => (seed >> 40) as f64 / 100.0,
                2 => (seed >> 20) as f64 / 1e6,
                _ => format!("{}e{}", seed >> 30, (seed & 0x1ff) as i32 - 256)
                    .parse()
                    .expect("a number"),
            };
            assert_eq!(text(value), double_to_string(value));
            if value.is_finite() {
                let canonical = text(value);
                if is_canonical_float(canonical.as_bytes()) {
                    assert!(canonical.contains('.'));
                }
            }
        }
    }

    #[test]
    fn knows_the_canonical_texts() {
        for yes in [
            "1.5",
            "0.0",
            "-0.0",
            "0.001",
            "9999999.5",
            "1.0",
            "-12.25",
            "0.00123",
        ] {
            assert!(is_canonical_float(yes.as_bytes()), "{yes}");
            assert_eq!(text(yes.parse().expect("a number")), yes);
        }
        for no in [
            "1.50",
            "1e3",
            "10000000.5",
            "0.0001",
            "0.00",
            "1.0E10",
            "123456.7890123456",
        ] {
            assert!(!is_canonical_float(no.as_bytes()), "{no}");
        }
    }
}
