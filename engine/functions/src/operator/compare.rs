//! Comparing columns of one type, value by value.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, StringViewArray};
use millrace_connector::TypeKind;
use millrace_connector::physical::MICROSECOND_PRECISION_MAX;

use super::elementwise::test_pairs;
use crate::cast::decimal::POW10;
use crate::{Column, RowError};

/// The comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Tells whether it holds for values in that order.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Compares two columns whose types differ at most in precision and scale of a DECIMAL.
pub(crate) fn compare(
    op: Comparison,
    left: &TypeKind,
    right: &TypeKind,
    args: &[Column],
    rows: usize,
) -> Result<Column, RowError> {
    use TypeKind::{
        BigInt, Binary, Boolean, Char, Date, Decimal, Double, Float, Int, IntervalDayTime,
        IntervalYearMonth, SmallInt, Time, Timestamp, TimestampLtz, TinyInt, Varbinary, Varchar,
    };
    match left {
        TinyInt => primitives::<Int8Type>(op, args, rows),
        SmallInt => primitives::<Int16Type>(op, args, rows),
        Int | IntervalYearMonth(..) => primitives::<Int32Type>(op, args, rows),
        BigInt | IntervalDayTime(..) => primitives::<Int64Type>(op, args, rows),
        Float => primitives::<Float32Type>(op, args, rows),
        Double => primitives::<Float64Type>(op, args, rows),
        Date => primitives::<Date32Type>(op, args, rows),
        Time(_) => primitives::<Time32MillisecondType>(op, args, rows),
        Timestamp(p) | TimestampLtz(p) if *p <= MICROSECOND_PRECISION_MAX => {
            primitives::<TimestampMicrosecondType>(op, args, rows)
        }
        Timestamp(_) | TimestampLtz(_) => primitives::<Decimal128Type>(op, args, rows),
        Decimal(_, s) => match right {
            Decimal(_, t) if s == t => primitives::<Decimal128Type>(op, args, rows),
            Decimal(_, t) => decimals(op, *s, *t, args, rows),
            _ => unreachable!("both operands are DECIMAL"),
        },
        Char(_) | Varchar(_) => text(op, args, rows),
        Boolean => {
            let (l, r) = (args[0].array().as_boolean(), args[1].array().as_boolean());
            test_pairs(args, rows, |i, j| op.holds(l.value(i).cmp(&r.value(j))))
        }
        Binary(_) | Varbinary(_) => {
            let l = args[0].array().as_binary_view();
            let r = args[1].array().as_binary_view();
            test_pairs(args, rows, |i, j| op.holds(l.value(i).cmp(r.value(j))))
        }
        constructed => {
            let (l, r) = (args[0].array(), args[1].array());
            let negated = op == Comparison::NotEqual;
            test_pairs(args, rows, |i, j| {
                (l.is_valid(i) && r.is_valid(j)) && values_equal(constructed, l, i, r, j) != negated
            })
        }
    }
}

fn primitives<T>(op: Comparison, args: &[Column], rows: usize) -> Result<Column, RowError>
where
    T: ArrowPrimitiveType,
    T::Native: PartialOrd,
{
    let l = args[0].array().as_primitive::<T>().values();
    let r = args[1].array().as_primitive::<T>().values();
    // Floating-point numbers compare as in Java: NaN is unequal to all, and -0.0 equals 0.0.
    match op {
        Comparison::Equal => test_pairs(args, rows, |i, j| l[i] == r[j]),
        Comparison::NotEqual => test_pairs(args, rows, |i, j| l[i] != r[j]),
        Comparison::Less => test_pairs(args, rows, |i, j| l[i] < r[j]),
        Comparison::LessOrEqual => test_pairs(args, rows, |i, j| l[i] <= r[j]),
        Comparison::Greater => test_pairs(args, rows, |i, j| l[i] > r[j]),
        Comparison::GreaterOrEqual => test_pairs(args, rows, |i, j| l[i] >= r[j]),
    }
}

fn decimals(
    op: Comparison,
    left_scale: u8,
    right_scale: u8,
    args: &[Column],
    rows: usize,
) -> Result<Column, RowError> {
    let l = args[0].array().as_primitive::<Decimal128Type>().values();
    let r = args[1].array().as_primitive::<Decimal128Type>().values();
    test_pairs(args, rows, |i, j| {
        op.holds(decimal_order(l[i], left_scale, r[j], right_scale))
    })
}

/// Compares two decimals of different scale without rounding.
pub(crate) fn decimal_order(left: i128, left_scale: u8, right: i128, right_scale: u8) -> Ordering {
    if left_scale > right_scale {
        return decimal_order(right, right_scale, left, left_scale).reverse();
    }
    let power = POW10[usize::from(right_scale - left_scale)];
    match left.checked_mul(power) {
        Some(scaled) => scaled.cmp(&right),
        // What does not fit is greater than any DECIMAL.
        None => left.cmp(&0),
    }
}

fn text(op: Comparison, args: &[Column], rows: usize) -> Result<Column, RowError> {
    let l = args[0].array().as_string_view();
    let r = args[1].array().as_string_view();
    match op {
        Comparison::Equal => test_pairs(args, rows, |i, j| text_equal(l, i, r, j)),
        Comparison::NotEqual => test_pairs(args, rows, |i, j| !text_equal(l, i, r, j)),
        _ => test_pairs(args, rows, |i, j| {
            op.holds(text_order(l.value(i), r.value(j)))
        }),
    }
}

/// The longest text that lies in the view itself.
const INLINE_LENGTH: u32 = 12;

/// Compares length and first four bytes, and short text as a whole, in the views.
fn text_equal(l: &StringViewArray, i: usize, r: &StringViewArray, j: usize) -> bool {
    let (a, b) = (l.views()[i], r.views()[j]);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half is length and prefix"
    )]
    let (a_head, b_head, length) = (a as u64, b as u64, a as u32);
    if a_head != b_head {
        return false;
    }
    if length <= INLINE_LENGTH {
        return a == b;
    }
    l.value(i) == r.value(j)
}

/// Compares text as Java compares strings, by UTF-16 units: characters beyond U+FFFF stand before U+E000.
///
/// # Flink
/// `BinaryStringData.compareTo` compares Java strings where both sides have one, which is the case for all
/// values that a format has read.
pub(crate) fn text_order(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let Some(at) = a.iter().zip(b).position(|(a, b)| a != b) else {
        return a.len().cmp(&b.len());
    };
    /// First byte of the UTF-8 form of U+E000, and of the characters beyond U+FFFF.
    const PRIVATE_USE: u8 = 0xee;
    const SUPPLEMENTARY: u8 = 0xf0;
    let (x, y) = (a[at], b[at]);
    let supplementary = |byte| byte >= SUPPLEMENTARY;
    if x >= PRIVATE_USE && y >= PRIVATE_USE && supplementary(x) != supplementary(y) {
        return y.cmp(&x);
    }
    x.cmp(&y)
}

/// Tells whether two values are equal, where NULL inside of constructed values equals NULL.
pub(crate) fn values_equal(
    kind: &TypeKind,
    left: &ArrayRef,
    i: usize,
    right: &ArrayRef,
    j: usize,
) -> bool {
    if left.is_null(i) || right.is_null(j) {
        return left.is_null(i) && right.is_null(j);
    }
    match kind {
        TypeKind::Array(element) => {
            let (l, r) = (
                left.as_list::<i32>().value(i),
                right.as_list::<i32>().value(j),
            );
            l.len() == r.len() && (0..l.len()).all(|k| values_equal(&element.kind, &l, k, &r, k))
        }
        TypeKind::Row(fields) => {
            let (l, r) = (left.as_struct(), right.as_struct());
            fields
                .iter()
                .enumerate()
                .all(|(k, field)| values_equal(&field.ty.kind, l.column(k), i, r.column(k), j))
        }
        TypeKind::Map(key, value) => entries_equal(&key.kind, &value.kind, left, i, right, j),
        TypeKind::Multiset(element) => {
            entries_equal(&element.kind, &TypeKind::Int, left, i, right, j)
        }
        TypeKind::Null => true,
        scalar => {
            let pair = [
                Column::Constant(left.slice(i, 1)),
                Column::Constant(right.slice(j, 1)),
            ];
            compare(Comparison::Equal, scalar, scalar, &pair, 1)
                .is_ok_and(|result| result.array().as_boolean().value(0))
        }
    }
}

/// Compares maps, whose entries have no order.
fn entries_equal(
    key: &TypeKind,
    value: &TypeKind,
    left: &ArrayRef,
    i: usize,
    right: &ArrayRef,
    j: usize,
) -> bool {
    let (l, r) = (left.as_map().value(i), right.as_map().value(j));
    l.len() == r.len()
        && (0..l.len()).all(|a| {
            (0..r.len()).any(|b| {
                values_equal(key, l.column(0), a, r.column(0), b)
                    && values_equal(value, l.column(1), a, r.column(1), b)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_text_by_utf_16() {
        assert!(text_order("a", "b").is_lt());
        assert!(text_order("ab", "a").is_gt());
        assert!(text_order("é", "z").is_gt());
        assert!(text_order("\u{1f600}", "\u{ffee}").is_lt());
        assert!(text_order("\u{1f600}", "\u{4e2d}").is_gt());
        assert!(text_order("\u{1f600}", "\u{1f601}").is_lt());
    }

    #[test]
    fn compares_decimals_of_any_scale() {
        assert!(decimal_order(110, 2, 11, 1).is_eq());
        assert!(decimal_order(POW10[38] - 1, 0, 1, 38).is_gt());
        assert!(decimal_order(1 - POW10[38], 0, 1, 38).is_lt());
        assert!(decimal_order(1, 38, POW10[38] - 1, 0).is_lt());
    }
}
