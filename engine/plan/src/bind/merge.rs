//! The one type that several types have in common: CASE, COALESCE, IF, UNION, VALUES.

use millrace_connector::{FlinkType, TypeKind};

/// Returns the type that values of all `types` can be brought to, nullable if one of them is; `None` if there is none.
/// An untyped NULL fits everything; only NULLs have no common type.
///
/// # Flink
/// `LogicalTypeMerging.findCommonType` and `FlinkTypeFactory.leastRestrictive`, which agree for these types.
pub(crate) fn common_type<'a>(types: impl IntoIterator<Item = &'a FlinkType>) -> Option<FlinkType> {
    let mut nullable = false;
    let mut common: Option<TypeKind> = None;
    for ty in types {
        nullable |= ty.nullable;
        if ty.kind == TypeKind::Null {
            nullable = true;
            continue;
        }
        common = Some(match common {
            None => ty.kind.clone(),
            Some(kind) => merge(&kind, &ty.kind)?,
        });
    }
    common.map(|kind| FlinkType { kind, nullable })
}

fn merge(a: &TypeKind, b: &TypeKind) -> Option<TypeKind> {
    use TypeKind as T;
    if a == b {
        return Some(a.clone());
    }
    Some(match (a, b) {
        (T::Char(n) | T::Varchar(n), T::Char(m) | T::Varchar(m)) => T::Varchar(*n.max(m)),
        (T::Binary(n) | T::Varbinary(n), T::Binary(m) | T::Varbinary(m)) => T::Varbinary(*n.max(m)),
        (T::Time(p), T::Time(q)) => T::Time(*p.max(q)),
        (T::Timestamp(p), T::Timestamp(q)) => T::Timestamp(*p.max(q)),
        (T::TimestampLtz(p), T::TimestampLtz(q)) => T::TimestampLtz(*p.max(q)),
        (T::Timestamp(p), T::TimestampLtz(q)) | (T::TimestampLtz(p), T::Timestamp(q)) => T::TimestampLtz(*p.max(q)),
        (T::Array(x), T::Array(y)) => T::Array(Box::new(common_type([&**x, &**y])?)),
        (T::Multiset(x), T::Multiset(y)) => T::Multiset(Box::new(common_type([&**x, &**y])?)),
        (T::Map(k, v), T::Map(l, w)) => {
            T::Map(Box::new(common_type([&**k, &**l])?), Box::new(common_type([&**v, &**w])?))
        }
        (T::Row(xs), T::Row(ys)) if xs.len() == ys.len() => {
            let mut fields = xs.clone();
            for (field, y) in fields.iter_mut().zip(ys) {
                field.ty = common_type([&field.ty, &y.ty])?;
            }
            T::Row(fields)
        }
        (T::IntervalYearMonth(..), T::IntervalYearMonth(..)) | (T::IntervalDayTime(..), T::IntervalDayTime(..)) => {
            a.clone()
        }
        _ if a.is_numeric() && b.is_numeric() => merge_numeric(a, b),
        _ => return None,
    })
}

fn merge_numeric(a: &TypeKind, b: &TypeKind) -> TypeKind {
    use TypeKind as T;
    if a.is_approximate() || b.is_approximate() {
        let decimal = matches!(a, T::Decimal(..)) || matches!(b, T::Decimal(..));
        return if decimal || *a == T::Double || *b == T::Double { T::Double } else { T::Float };
    }
    if a.is_integer() && b.is_integer() {
        return if integer_rank(a) >= integer_rank(b) { a.clone() } else { b.clone() };
    }
    let ((p1, s1), (p2, s2)) = (decimal_form(a), decimal_form(b));
    let scale = s1.max(s2);
    let precision = (p1 - s1).max(p2 - s2) + scale;
    T::Decimal(precision.min(38), scale.min(38))
}

fn integer_rank(kind: &TypeKind) -> u8 {
    match kind {
        TypeKind::TinyInt => 0,
        TypeKind::SmallInt => 1,
        TypeKind::Int => 2,
        _ => 3,
    }
}

/// Returns precision and scale of the DECIMAL that holds every value of an exact number type.
fn decimal_form(kind: &TypeKind) -> (u8, u8) {
    match kind {
        TypeKind::TinyInt => (3, 0),
        TypeKind::SmallInt => (5, 0),
        TypeKind::Int => (10, 0),
        TypeKind::Decimal(p, s) => (*p, *s),
        _ => (19, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_as_flink_does() {
        let int = TypeKind::Int.not_null();
        let decimal = TypeKind::Decimal(2, 1).not_null();
        assert_eq!(common_type([&int, &decimal]), Some(TypeKind::Decimal(11, 1).not_null()));
        let texts = [TypeKind::Char(3).not_null(), TypeKind::Char(2).not_null()];
        assert_eq!(common_type(&texts), Some(TypeKind::Varchar(3).not_null()));
        assert_eq!(common_type([&int, &texts[0]]), None);
        assert_eq!(common_type([&TypeKind::Null.nullable(), &int]), Some(TypeKind::Int.nullable()));
    }
}
