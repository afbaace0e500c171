//! The one type that several types have in common: CASE, COALESCE, IF, UNION, VALUES.

use millrace_connector::{DECIMAL_PRECISION_MAX, FlinkType, TypeKind};
use millrace_functions::cast::can_implicitly_cast;

/// Returns the type of CASE, IF, UNION and VALUES over `types`, nullable if one of them is; `None` if there is none.
/// An untyped NULL fits everything; only NULLs have no common type.
///
/// # Flink
/// `FlinkTypeFactory.leastRestrictive`: of two approximate numbers, and of two timestamps, the first decides.
pub(crate) fn least_restrictive<'a>(
    types: impl IntoIterator<Item = &'a FlinkType>,
) -> Option<FlinkType> {
    fold_types(types, |a, b| match (a, b) {
        _ if a.is_approximate() && b.is_approximate() => Some(a.clone()),
        (
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_),
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_),
        )
        | (TypeKind::Time(_), TypeKind::Time(_)) => Some(a.clone()),
        _ => merge(a, b),
    })
}

/// Returns the common type of the arguments of COALESCE and IFNULL over `types`, nullable if one of them is; `None` if
/// there is none.
///
/// # Flink
/// `LogicalTypeMerging.findCommonType`: where no rule merges two types, the one that the other can be implicitly cast
/// to.
pub(crate) fn common_type<'a>(types: impl IntoIterator<Item = &'a FlinkType>) -> Option<FlinkType> {
    fold_types(types, |a, b| {
        merge(a, b).or_else(|| {
            let (from, to) = (a.clone().nullable(), b.clone().nullable());
            if can_implicitly_cast(&from, &to) {
                Some(b.clone())
            } else {
                can_implicitly_cast(&to, &from).then(|| a.clone())
            }
        })
    })
}

fn fold_types<'a>(
    types: impl IntoIterator<Item = &'a FlinkType>,
    merge: impl Fn(&TypeKind, &TypeKind) -> Option<TypeKind>,
) -> Option<FlinkType> {
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
        (T::Timestamp(p), T::TimestampLtz(q)) | (T::TimestampLtz(p), T::Timestamp(q)) => {
            T::TimestampLtz(*p.max(q))
        }
        (T::Array(x), T::Array(y)) => T::Array(Box::new(common_type([&**x, &**y])?)),
        (T::Multiset(x), T::Multiset(y)) => T::Multiset(Box::new(common_type([&**x, &**y])?)),
        (T::Map(k, v), T::Map(l, w)) => T::Map(
            Box::new(common_type([&**k, &**l])?),
            Box::new(common_type([&**v, &**w])?),
        ),
        (T::Row(xs), T::Row(ys)) if xs.len() == ys.len() => {
            let mut fields = xs.clone();
            for (field, y) in fields.iter_mut().zip(ys) {
                field.ty = common_type([&field.ty, &y.ty])?;
            }
            T::Row(fields)
        }
        (T::IntervalYearMonth(..), T::IntervalYearMonth(..))
        | (T::IntervalDayTime(..), T::IntervalDayTime(..)) => a.clone(),
        _ if a.is_numeric() && b.is_numeric() => merge_numeric(a, b),
        _ => return None,
    })
}

fn merge_numeric(a: &TypeKind, b: &TypeKind) -> TypeKind {
    use TypeKind as T;
    if a.is_approximate() || b.is_approximate() {
        let decimal = matches!(a, T::Decimal(..)) || matches!(b, T::Decimal(..));
        return if decimal || *a == T::Double || *b == T::Double {
            T::Double
        } else {
            T::Float
        };
    }
    if a.is_integer() && b.is_integer() {
        return if integer_rank(a) >= integer_rank(b) {
            a.clone()
        } else {
            b.clone()
        };
    }
    let ((p1, s1), (p2, s2)) = (decimal_form(a), decimal_form(b));
    // Digits before the point count more than those behind it.
    let whole = (p1 - s1).max(p2 - s2).min(DECIMAL_PRECISION_MAX);
    let scale = s1.max(s2).min(DECIMAL_PRECISION_MAX - whole);
    T::Decimal(whole + scale, scale)
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
        assert_eq!(
            common_type([&int, &decimal]),
            Some(TypeKind::Decimal(11, 1).not_null())
        );
        let texts = [TypeKind::Char(3).not_null(), TypeKind::Char(2).not_null()];
        assert_eq!(common_type(&texts), Some(TypeKind::Varchar(3).not_null()));
        assert_eq!(common_type([&int, &texts[0]]), None);
        let wide = TypeKind::Decimal(38, 37).nullable();
        let narrow = TypeKind::Decimal(12, 2).nullable();
        assert_eq!(
            common_type([&narrow, &wide]),
            Some(TypeKind::Decimal(38, 28).nullable())
        );
        let (float, double) = (TypeKind::Float.nullable(), TypeKind::Double.nullable());
        assert_eq!(least_restrictive([&float, &double]), Some(float.clone()));
        assert_eq!(common_type([&float, &double]), Some(double));
        let (date, timestamp) = (TypeKind::Date.nullable(), TypeKind::Timestamp(3).nullable());
        assert_eq!(common_type([&date, &timestamp]), Some(date.clone()));
        assert_eq!(least_restrictive([&date, &timestamp]), None);
        assert_eq!(
            common_type([&TypeKind::Null.nullable(), &int]),
            Some(TypeKind::Int.nullable())
        );
    }
}
