//! Arithmetic on DECIMAL values: exact, then rounded half up to the result's scale, NULL on overflow.
//!
//! # Flink
//! `DecimalDataUtils` of 1.17, which is Java's `BigDecimal`; quotients are first rounded to 38 significant
//! digits. 128 bits are enough for most values; beyond, [`num_bigint`] takes over.

use num_bigint::{BigInt, Sign};

use super::arithmetic::Arithmetic;
use crate::cast::decimal::{POW10, divide_pow10_half_up, fits};

/// Digits of a quotient.
const QUOTIENT_DIGITS: i32 = 38;

/// An operation with the scales of its operands and its result's type.
#[derive(Clone, Copy, Debug)]
pub(super) struct DecimalOp {
    pub(super) op: Arithmetic,
    pub(super) left_scale: u8,
    pub(super) right_scale: u8,
    pub(super) precision: u8,
    pub(super) scale: u8,
}

impl DecimalOp {
    /// Computes one value.
    pub(super) fn apply(&self, left: i128, right: i128) -> Result<Option<i128>, String> {
        match self.op {
            Arithmetic::Add | Arithmetic::Subtract => Ok(self.sum(left, right)),
            Arithmetic::Multiply => Ok(self.product(left, right)),
            Arithmetic::Divide if right == 0 && left == 0 => Err("Division undefined".to_owned()),
            Arithmetic::Divide | Arithmetic::Modulo if right == 0 => {
                Err("Division by zero".to_owned())
            }
            Arithmetic::Divide => Ok(self.quotient(left, right)),
            Arithmetic::Modulo => Ok(self.remainder(left, right)),
        }
    }

    /// Rounds a value of another scale to the result's.
    fn finish(&self, value: i128, scale: u8) -> Option<i128> {
        let value = if scale > self.scale {
            divide_pow10_half_up(value, usize::from(scale - self.scale))
        } else {
            value.checked_mul(POW10[usize::from(self.scale - scale)])?
        };
        fits(value, self.precision)
    }

    fn sum(&self, left: i128, right: i128) -> Option<i128> {
        let scale = self.left_scale.max(self.right_scale);
        let scaled = |value: i128, from: u8| value.checked_mul(POW10[usize::from(scale - from)]);
        let exact = scaled(left, self.left_scale)
            .zip(scaled(right, self.right_scale))
            .and_then(|(l, r)| match self.op {
                Arithmetic::Add => l.checked_add(r),
                _ => l.checked_sub(r),
            });
        if let Some(value) = exact {
            return self.finish(value, scale);
        }
        let scaled = |value: i128, from: u8| BigInt::from(value) * pow10(i32::from(scale - from));
        let (l, r) = (
            scaled(left, self.left_scale),
            scaled(right, self.right_scale),
        );
        let value = if self.op == Arithmetic::Add {
            l + r
        } else {
            l - r
        };
        self.finish_big(value, i32::from(scale))
    }

    fn product(&self, left: i128, right: i128) -> Option<i128> {
        let scale = self.left_scale + self.right_scale;
        match left.checked_mul(right) {
            Some(value) if scale >= self.scale => {
                let dropped = usize::from(scale - self.scale);
                fits(divide_pow10_half_up(value, dropped), self.precision)
            }
            _ => self.finish_big(BigInt::from(left) * right, i32::from(scale)),
        }
    }

    fn remainder(&self, left: i128, right: i128) -> Option<i128> {
        let scale = self.left_scale.max(self.right_scale);
        let scaled = |value: i128, from: u8| value.checked_mul(POW10[usize::from(scale - from)]);
        if let Some((l, r)) = scaled(left, self.left_scale).zip(scaled(right, self.right_scale)) {
            return self.finish(l % r, scale);
        }
        let scaled = |value: i128, from: u8| BigInt::from(value) * pow10(i32::from(scale - from));
        let value = scaled(left, self.left_scale) % scaled(right, self.right_scale);
        self.finish_big(value, i32::from(scale))
    }

    fn quotient(&self, left: i128, right: i128) -> Option<i128> {
        if let Some(value) = self.small_quotient(left, right) {
            return fits(value, self.precision);
        }
        let negative = (left < 0) != (right < 0);
        let (left, right) = (left.unsigned_abs(), right.unsigned_abs());
        if left == 0 {
            return Some(0);
        }
        // As many zeros behind the dividend as give 38 digits, or one more than that.
        let mut zeros = QUOTIENT_DIGITS + digits(right) - digits(left);
        let divide = |zeros: i32| {
            let (mut l, mut r) = (BigInt::from(left), BigInt::from(right));
            if zeros >= 0 {
                l *= pow10(zeros);
            } else {
                r *= pow10(-zeros);
            }
            (&l / &r, &l % &r, r)
        };
        let (mut whole, mut rest, mut divisor) = divide(zeros);
        if whole >= pow10(QUOTIENT_DIGITS) {
            zeros -= 1;
            (whole, rest, divisor) = divide(zeros);
        }
        if rest * 2 >= divisor {
            whole += 1;
        }
        let whole = if negative { -whole } else { whole };
        let scale = i32::from(self.left_scale) - i32::from(self.right_scale) + zeros;
        self.finish_big(whole, scale)
    }

    /// Divides in 128 bits where rounding once cannot differ from rounding twice: when divisor and quotient
    /// together have at most 36 digits, no quotient lies so close below a half that 38 digits would show a half.
    fn small_quotient(&self, left: i128, right: i128) -> Option<i128> {
        let zeros =
            i32::from(self.scale) + i32::from(self.right_scale) - i32::from(self.left_scale);
        let power = POW10.get(usize::try_from(zeros).ok()?)?;
        let scaled = left.checked_mul(*power)?;
        let small = POW10[18];
        let quotient = scaled / right;
        if right.abs() >= small || quotient.abs() >= small {
            return None;
        }
        let rest = scaled % right;
        let up = rest.unsigned_abs() * 2 >= right.unsigned_abs();
        let sign = if (left < 0) == (right < 0) { 1 } else { -1 };
        Some(if up { quotient + sign } else { quotient })
    }

    /// Rounds a value of any size.
    fn finish_big(&self, value: BigInt, scale: i32) -> Option<i128> {
        let dropped = scale - i32::from(self.scale);
        let value = if dropped <= 0 {
            value * pow10(-dropped)
        } else {
            let power = pow10(dropped);
            let (sign, magnitude) = value.into_parts();
            let magnitude = BigInt::from_biguint(Sign::Plus, magnitude);
            let mut whole = &magnitude / &power;
            if (magnitude % &power) * 2 >= power {
                whole += 1;
            }
            if sign == Sign::Minus { -whole } else { whole }
        };
        fits(i128::try_from(value).ok()?, self.precision)
    }
}

/// Returns a quotient of decimals with the given scales, of the given precision and scale; `None` = it does not fit. The
/// divisor is not 0.
pub(crate) fn decimal_quotient(
    left: i128,
    left_scale: u8,
    right: i128,
    right_scale: u8,
    (precision, scale): (u8, u8),
) -> Option<i128> {
    let op = DecimalOp {
        op: Arithmetic::Divide,
        left_scale,
        right_scale,
        precision,
        scale,
    };
    op.quotient(left, right)
}

fn pow10(exponent: i32) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent).expect("not negative"))
}

fn digits(value: u128) -> i32 {
    i32::try_from(value.checked_ilog10().map_or(1, |log| log + 1)).expect("at most 39")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_as_big_decimal_does() {
        let op = |op, left_scale, right_scale, precision, scale| DecimalOp {
            op,
            left_scale,
            right_scale,
            precision,
            scale,
        };
        let divide = op(Arithmetic::Divide, 0, 4, 35, 21);
        assert_eq!(
            divide.apply(7, -123_456_789_012),
            Ok(Some(-567_000_005_104_588))
        );
        assert_eq!(divide.apply(7, 0), Err("Division by zero".to_owned()));
        let add = op(Arithmetic::Add, 0, 0, 38, 0);
        assert_eq!(add.apply(POW10[38] - 1, 2), Ok(None));
        let multiply = op(Arithmetic::Multiply, 4, 4, 38, 6);
        assert_eq!(
            multiply.apply(-123_456_789_012, -123_456_789_012),
            Ok(Some(152_415_787_531_534_839_361))
        );
        let wide = op(Arithmetic::Multiply, 37, 37, 38, 37);
        assert_eq!(wide.apply(POW10[37], POW10[37]), Ok(Some(POW10[37])));
        let modulo = op(Arithmetic::Modulo, 2, 2, 10, 2);
        assert_eq!(modulo.apply(-750, 200), Ok(Some(-150)));
        let third = op(Arithmetic::Divide, 18, 18, 38, 6);
        assert_eq!(
            third.apply(
                12_345_678_901_234_567_890_123_456_789_012_345_678,
                98_765_432_109_876_543_210_987_654_321_098_765_432
            ),
            Ok(Some(125_000))
        );
    }
}
