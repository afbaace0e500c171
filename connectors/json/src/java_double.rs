//! How Java up to 18 writes `double` and `float`.
//!
//! # Flink
//! Flink 1.17 prints floating-point numbers with `Double.toString` and `Float.toString`. Before Java 19 these
//! do not always give the shortest digits that read back as the same number (JDK-4511638): `2.0E-3` is fine,
//! but 2^-44 is `5.6843418860808015E-14`, though `5.684341886080802E-14` reads back too. Results of a running Flink
//! job depend on it, as does DOUBLE → DECIMAL, which goes through the text. The digit generation here is
//! therefore the classic one: Steele and White's with a symmetric rounding interval, at least two digits
//! where an exponent is written, and three number widths whose comparisons differ by one.

use num_bigint::BigUint;

/// Explicit bits of a double's significand.
const SIGNIFICAND_BITS: i32 = 52;
const HIDDEN_BIT: u64 = 1 << SIGNIFICAND_BITS;

/// Appends `value` as Java's `Double.toString` writes it: `1.0`, `1.0E10`, `NaN`, `-Infinity`.
pub fn write_double(value: f64, out: &mut String) {
    if write_special(value, out) {
        return;
    }
    let bits = value.abs().to_bits();
    let mut exponent = i32::try_from(bits >> SIGNIFICAND_BITS).expect("11 bits fit");
    let mut fraction = bits & (HIDDEN_BIT - 1);
    let significant;
    if exponent == 0 {
        let zeros = i32::try_from(fraction.leading_zeros()).expect("at most 64");
        let shift = zeros - (63 - SIGNIFICAND_BITS);
        fraction <<= shift;
        exponent = 1 - shift;
        significant = 64 - zeros;
    } else {
        fraction |= HIDDEN_BIT;
        significant = SIGNIFICAND_BITS + 1;
    }
    Digits::of(exponent - 1023, fraction, significant).write(out);
}

/// Appends `value` as Java's `Float.toString` writes it.
pub fn write_float(value: f32, out: &mut String) {
    if write_special(f64::from(value), out) {
        return;
    }
    let bits = value.abs().to_bits();
    let mut exponent = i32::try_from(bits >> 23).expect("8 bits fit");
    let mut fraction = bits & 0x7f_ffff;
    let significant;
    if exponent == 0 {
        let zeros = i32::try_from(fraction.leading_zeros()).expect("at most 32");
        let shift = zeros - 8;
        fraction <<= shift;
        exponent = 1 - shift;
        significant = 32 - zeros;
    } else {
        fraction |= 0x80_0000;
        significant = 24;
    }
    let aligned = u64::from(fraction) << (SIGNIFICAND_BITS - 23);
    Digits::of(exponent - 127, aligned, significant).write(out);
}

/// Returns `value` as Java's `Double.toString` writes it.
#[must_use]
pub fn double_to_string(value: f64) -> String {
    let mut out = String::with_capacity(24);
    write_double(value, &mut out);
    out
}

/// Returns `value` as Java's `Float.toString` writes it.
#[must_use]
pub fn float_to_string(value: f32) -> String {
    let mut out = String::with_capacity(16);
    write_float(value, &mut out);
    out
}

/// Writes the sign and what has no digits; tells whether that was all.
fn write_special(value: f64, out: &mut String) -> bool {
    if value.is_nan() {
        out.push_str("NaN");
        return true;
    }
    if value.is_sign_negative() {
        out.push('-');
    }
    if value.is_infinite() {
        out.push_str("Infinity");
        return true;
    }
    if value == 0.0 {
        out.push_str("0.0");
        return true;
    }
    false
}

/// Digits `d1 d2 …` of the number `0.d1d2… × 10^point`.
struct Digits {
    digits: [u8; 32],
    count: usize,
    point: i32,
}

/// Which of the two ends of the rounding interval the digits so far have reached.
#[derive(Clone, Copy)]
struct Stop {
    low: bool,
    high: bool,
}

/// Exponents of the powers of 2 and 5 in the scaled value B, the divisor S and the half-gap M.
struct Scale {
    b2: i32,
    b5: i32,
    s2: i32,
    s5: i32,
    m2: i32,
    significand_bits: i32,
    /// The exponent of the first digit.
    exponent: i32,
}

impl Digits {
    /// Generates the digits of `fraction × 2^(exponent - 52)`, of whose bits `significant` count.
    fn of(exponent: i32, fraction: u64, significant: i32) -> Self {
        let tail = i32::try_from(fraction.trailing_zeros()).expect("at most 64");
        let used = SIGNIFICAND_BITS + 1 - tail;
        let fractional = (used - exponent - 1).max(0);
        if fractional == 0 && (-21..=62).contains(&exponent) && used < 64 {
            return Self::of_integer(exponent, fraction, significant);
        }
        let estimate = estimate_exponent(fraction, exponent);
        let b5 = (-estimate).max(0);
        let s5 = estimate.max(0);
        let mut scale = Scale {
            b2: b5 + fractional + exponent,
            b5,
            s2: s5 + fractional,
            s5,
            m2: b5 + fractional + exponent - significant,
            significand_bits: used,
            exponent: estimate,
        };
        scale.b2 -= used - 1;
        let common = scale.b2.min(scale.s2);
        scale.b2 -= common;
        scale.s2 -= common;
        scale.m2 -= common;
        // Below a power of two the gap is half as wide.
        if used == 1 {
            scale.m2 -= 1;
        }
        if scale.m2 < 0 {
            scale.b2 -= scale.m2;
            scale.s2 -= scale.m2;
            scale.m2 = 0;
        }
        Self::generate(fraction >> tail, &scale)
    }

    /// Generates the digits of a whole number below 2^63.
    fn of_integer(exponent: i32, fraction: u64, significant: i32) -> Self {
        let mut value = if exponent >= SIGNIFICAND_BITS {
            fraction << (exponent - SIGNIFICAND_BITS)
        } else {
            fraction >> (SIGNIFICAND_BITS - exponent)
        };
        let mut point = 0;
        // Digits below the last significant bit say nothing: they are rounded away.
        let excess = exponent - significant - 1;
        if exponent > significant && excess > 1 && excess < 64 {
            let dropped = u32::try_from(excess * 30103 / 100_000).expect("excess is positive");
            let power = 10_u64.pow(dropped);
            let rest = value % power;
            value /= power;
            point += i32::try_from(dropped).expect("below 20");
            if dropped > 0 && rest >= power >> 1 {
                value += 1;
            }
        }
        while value.is_multiple_of(10) {
            value /= 10;
            point += 1;
        }
        let mut reversed = [0_u8; 32];
        let mut count = 0;
        while value != 0 {
            reversed[count] = b'0' + u8::try_from(value % 10).expect("a digit");
            value /= 10;
            count += 1;
        }
        let mut digits = [0_u8; 32];
        for (i, digit) in reversed[..count].iter().rev().enumerate() {
            digits[i] = *digit;
        }
        Self {
            digits,
            count,
            point: point + i32::try_from(count).expect("below 20"),
        }
    }

    fn generate(significand: u64, scale: &Scale) -> Self {
        let b_bits = scale.significand_bits + scale.b2 + five_bits(scale.b5);
        let ten_s_bits = scale.s2 + 1 + five_bits(scale.s5 + 1);
        if b_bits < 32 && ten_s_bits < 32 {
            Self::generate_narrow(significand, scale, |v| i64::from(v as i32))
        } else if b_bits < 64 && ten_s_bits < 64 {
            Self::generate_narrow(significand, scale, |v| v)
        } else {
            Self::generate_wide(significand, scale)
        }
    }

    /// In 32 or 64 bits, with the overflow of the half-gap that these have in Java.
    fn generate_narrow(significand: u64, scale: &Scale, wrap: impl Fn(i64) -> i64) -> Self {
        let five = |n: i32| 5_i64.wrapping_pow(u32::try_from(n).expect("not negative"));
        let significand = i64::try_from(significand).expect("53 bits");
        let mut b = wrap(wrap(significand.wrapping_mul(five(scale.b5))) << scale.b2);
        let s = wrap(five(scale.s5) << scale.s2);
        let mut m = wrap(five(scale.b5) << scale.m2);
        let tens = wrap(s.wrapping_mul(10));
        let mut result = Self::start(scale.exponent);
        let mut step = |first: bool| {
            let q = b / s;
            b = wrap((b % s).wrapping_mul(10));
            m = wrap(m.wrapping_mul(10));
            let stop = if first || m > 0 {
                Stop {
                    low: b < m,
                    high: wrap(b.wrapping_add(m)) > tens,
                }
            } else {
                Stop {
                    low: true,
                    high: true,
                }
            };
            (u8::try_from(q).expect("a digit"), stop)
        };
        let stop = result.run(&mut step);
        let difference = wrap(b.wrapping_shl(1)).wrapping_sub(tens);
        result.round(stop, difference.signum());
        result
    }

    fn generate_wide(significand: u64, scale: &Scale) -> Self {
        let power = |five: i32, two: i32| {
            BigUint::from(5_u8).pow(u32::try_from(five).expect("not negative"))
                << usize::try_from(two).expect("not negative")
        };
        let s = power(scale.s5, scale.s2);
        let mut b = BigUint::from(significand) * power(scale.b5, scale.b2);
        let mut m = power(scale.b5, scale.m2);
        let tens = &s * 10_u8;
        let mut result = Self::start(scale.exponent);
        let mut step = |_first: bool| {
            let mut q = 0_u8;
            while b >= s {
                b -= &s;
                q += 1;
            }
            b *= 10_u8;
            m *= 10_u8;
            let stop = Stop {
                low: b < m,
                high: tens <= &b + &m,
            };
            (q, stop)
        };
        let stop = result.run(&mut step);
        let order = (b << 1_usize).cmp(&tens) as i64;
        result.round(stop, order);
        result
    }

    fn start(exponent: i32) -> Self {
        Self {
            digits: [0; 32],
            count: 0,
            point: exponent,
        }
    }

    /// Takes digits until one end of the interval is reached.
    fn run(&mut self, step: &mut impl FnMut(bool) -> (u8, Stop)) -> Stop {
        let (q, mut stop) = step(true);
        if q == 0 && !stop.high {
            self.point -= 1;
        } else {
            self.push(q);
        }
        // With an exponent there is always a digit after the point, and it is a real one.
        if self.point < -3 || self.point >= 8 {
            stop = Stop {
                low: false,
                high: false,
            };
        }
        while !stop.low && !stop.high {
            let (q, next) = step(false);
            self.push(q);
            stop = next;
        }
        stop
    }

    fn push(&mut self, digit: u8) {
        self.digits[self.count] = b'0' + digit;
        self.count += 1;
    }

    /// Rounds the last digit; `rest` is the sign of twice the rest minus one unit of it.
    fn round(&mut self, stop: Stop, rest: i64) {
        self.point += 1;
        let odd = self.digits[self.count - 1] & 1 != 0;
        let up = stop.high && (!stop.low || rest > 0 || (rest == 0 && odd));
        if !up {
            return;
        }
        for i in (0..self.count).rev() {
            if self.digits[i] != b'9' {
                self.digits[i] += 1;
                return;
            }
            self.digits[i] = b'0';
        }
        self.digits[0] = b'1';
        self.point += 1;
    }

    fn write(&self, out: &mut String) {
        let digits = std::str::from_utf8(&self.digits[..self.count]).expect("ASCII digits");
        if (1..8).contains(&self.point) {
            let whole = usize::try_from(self.point).expect("positive");
            if self.count <= whole {
                out.push_str(digits);
                out.extend(std::iter::repeat_n('0', whole - self.count));
                out.push_str(".0");
            } else {
                out.push_str(&digits[..whole]);
                out.push('.');
                out.push_str(&digits[whole..]);
            }
        } else if (-2..=0).contains(&self.point) {
            out.push_str("0.");
            out.extend(std::iter::repeat_n(
                '0',
                usize::try_from(-self.point).expect("not negative"),
            ));
            out.push_str(digits);
        } else {
            out.push_str(&digits[..1]);
            out.push('.');
            out.push_str(if self.count > 1 { &digits[1..] } else { "0" });
            out.push('E');
            out.push_str(&(self.point - 1).to_string());
        }
    }
}

/// Returns a guess of the decimal exponent that is right or one too high.
fn estimate_exponent(fraction: u64, exponent: i32) -> i32 {
    let unit = f64::from_bits(1023 << SIGNIFICAND_BITS | (fraction & (HIDDEN_BIT - 1)));
    let log = (unit - 1.5) * 0.289_529_654
        + 0.176_091_259
        + f64::from(exponent) * std::f64::consts::LOG10_2;
    log.floor() as i32
}

/// Returns how many bits 5^n takes, an upper bound for great n.
fn five_bits(n: i32) -> i32 {
    match n {
        0 => 0,
        1..=26 => {
            64 - i32::try_from(5_u64.pow(n.unsigned_abs()).leading_zeros()).expect("at most 64")
        }
        _ => n * 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_doubles_as_java_17_does() {
        for (value, expect) in [
            (1.0, "1.0"),
            (-0.0, "-0.0"),
            (100.0, "100.0"),
            (1e7, "1.0E7"),
            (9_999_999.0, "9999999.0"),
            (0.001, "0.001"),
            (9.999e-4, "9.999E-4"),
            (4.9e-324, "4.9E-324"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (0.1 + 0.2, "0.30000000000000004"),
            (9.223372036854776e18, "9.223372036854776E18"),
            // The anomaly that the release note of Java 19 names.
            (2e23, "1.9999999999999998E23"),
            (123_456_789.125, "1.23456789125E8"),
            (1e23, "9.999999999999999E22"),
            (2.0f64.powi(-44), "5.6843418860808015E-14"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(double_to_string(value), expect);
        }
    }

    #[test]
    fn writes_floats_as_java_17_does() {
        for (value, expect) in [
            (0.1_f32, "0.1"),
            (1.0e10, "1.0E10"),
            (3.402_823_5e38, "3.4028235E38"),
            (123_456_790.0, "1.23456792E8"),
            (2_147_483_648.0, "2.14748365E9"),
            (1.4e-45, "1.4E-45"),
            (16_777_216.0, "1.6777216E7"),
            (-1.0e8, "-1.0E8"),
        ] {
            assert_eq!(float_to_string(value), expect);
        }
    }

    #[test]
    fn reads_back_as_the_same_number() {
        let mut bits = 0x3ff0_0000_0000_0001_u64;
        for _ in 0..20_000 {
            bits = bits
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits);
            if value.is_finite() {
                let back: f64 = double_to_string(value).parse().expect("a number");
                assert_eq!(back.to_bits(), value.to_bits(), "{value:e}");
            }
        }
    }
}
