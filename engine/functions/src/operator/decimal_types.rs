//! The DECIMAL type that an operation on exact numbers has.
//!
//! # Flink
//! `LogicalTypeMerging.findAdditionDecimalType` and its kin, 1.17: SQL Server's rules, with Hive's way to give
//! up digits after the point when more than 38 would be needed.

use millrace_connector::TypeKind;

/// The greatest precision.
pub(crate) const PRECISION_MAX: i32 = 38;
/// Digits after the point that are kept when the whole does not fit.
const SCALE_KEPT: i32 = 6;

/// Returns precision and scale of an exact number.
pub(crate) fn of(kind: &TypeKind) -> Option<(i32, i32)> {
    Some(match kind {
        TypeKind::TinyInt => (3, 0),
        TypeKind::SmallInt => (5, 0),
        TypeKind::Int => (10, 0),
        TypeKind::BigInt => (19, 0),
        TypeKind::Decimal(precision, scale) => (i32::from(*precision), i32::from(*scale)),
        _ => return None,
    })
}

/// Returns DECIMAL(precision, scale), of which both are in range.
pub(crate) fn decimal(precision: i32, scale: i32) -> TypeKind {
    let small = |v: i32| u8::try_from(v).expect("precision and scale are at most 38");
    TypeKind::Decimal(small(precision), small(scale))
}

fn adjusted(precision: i32, scale: i32) -> TypeKind {
    if precision <= PRECISION_MAX {
        return decimal(precision, scale);
    }
    let whole = precision - scale;
    decimal(
        PRECISION_MAX,
        (PRECISION_MAX - whole).max(scale.min(SCALE_KEPT)),
    )
}

/// The type of a sum or difference.
pub(crate) fn addition((p, s): (i32, i32), (q, t): (i32, i32)) -> TypeKind {
    let scale = s.max(t);
    adjusted((p - s).max(q - t) + scale + 1, scale)
}

/// The type of a product.
pub(crate) fn multiplication((p, s): (i32, i32), (q, t): (i32, i32)) -> TypeKind {
    adjusted(p + q + 1, s + t)
}

/// The type of a quotient.
pub(crate) fn division((p, s): (i32, i32), (q, t): (i32, i32)) -> TypeKind {
    let scale = (s + q + 1).max(6);
    adjusted(p - s + t + scale, scale)
}

/// The type of a remainder.
pub(crate) fn modulo((p, s): (i32, i32), (q, t): (i32, i32)) -> TypeKind {
    let scale = s.max(t);
    adjusted((p - s).min(q - t) + scale, scale)
}

/// The type of a number rounded to `digits` after the point.
pub(crate) fn round((p, s): (i32, i32), digits: i32) -> TypeKind {
    if digits >= s {
        decimal(p, s)
    } else if digits < 0 {
        decimal(PRECISION_MAX.min(1 + p - s), 0)
    } else {
        decimal((1 + p - s + digits).min(PRECISION_MAX), digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_up_digits_after_the_point_first() {
        let text = |kind: TypeKind| kind.to_string();
        assert_eq!(text(addition((38, 10), (38, 10))), "DECIMAL(38, 9)");
        assert_eq!(text(multiplication((20, 4), (20, 4))), "DECIMAL(38, 6)");
        assert_eq!(text(division((10, 2), (10, 2))), "DECIMAL(23, 13)");
        assert_eq!(text(division((38, 18), (10, 2))), "DECIMAL(38, 16)");
        assert_eq!(text(modulo((10, 2), (20, 4))), "DECIMAL(12, 4)");
        assert_eq!(text(round((10, 2), 0)), "DECIMAL(9, 0)");
        assert_eq!(text(round((12, 3), -2)), "DECIMAL(10, 0)");
    }
}
