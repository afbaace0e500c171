//! The type that several types have in common.
//!
//! # Flink
//! Two rules live beside each other in 1.17: Calcite's `leastRestrictive`, which CASE, UNION, VALUES, IN and `=`
//! use, and Flink's own `LogicalTypeMerging.findCommonType`, which COALESCE, IFNULL, GREATEST, LEAST and the
//! array and map constructors use. They agree on most types; FLOAT with DOUBLE and timestamps of different
//! precision tell them apart.

use millrace_connector::{DayTimeResolution, FlinkType, RowField, TypeKind, YearMonthResolution};

use super::decimal_types;
use crate::cast::can_implicitly_cast;

/// Which of the two rules is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Calcite,
    Flink,
}

/// Returns the type that CASE, UNION, VALUES, IN, ARRAY[…], MAP[…] and `=` bring values of these types to.
#[must_use]
pub fn least_restrictive(types: &[FlinkType]) -> Option<FlinkType> {
    common(types, Rule::Calcite)
}

/// Returns the type that COALESCE, IFNULL, GREATEST and LEAST bring values of these types to.
#[must_use]
pub fn common_type(types: &[FlinkType]) -> Option<FlinkType> {
    common(types, Rule::Flink)
}

/// Returns the type to which `=` and `<>` bring two operands of one family, such as two numbers.
#[must_use]
pub fn comparison_type(left: &FlinkType, right: &FlinkType) -> Option<FlinkType> {
    least_restrictive(&[left.clone(), right.clone()])
}

fn common(types: &[FlinkType], rule: Rule) -> Option<FlinkType> {
    let nullable = types
        .iter()
        .any(|ty| ty.nullable || ty.kind == TypeKind::Null);
    let known: Vec<&TypeKind> = types
        .iter()
        .map(|ty| &ty.kind)
        .filter(|kind| **kind != TypeKind::Null)
        .collect();
    let (first, rest) = known.split_first()?;
    let mut result = (*first).clone();
    for (i, kind) in rest.iter().enumerate() {
        result = match pair(&result, kind, rule) {
            Some(kind) => kind,
            None if rule == Rule::Flink => return by_implicit_cast(&known, nullable),
            // A number right before a date or timestamp counts as an interval of days.
            None if is_exact(known[i]) && is_exact(&result) && kind.is_datetime() => {
                return Some(with_nullable((*kind).clone(), nullable));
            }
            None => return None,
        };
    }
    Some(with_nullable(result, nullable))
}

fn with_nullable(kind: TypeKind, nullable: bool) -> FlinkType {
    FlinkType { kind, nullable }
}

fn is_exact(kind: &TypeKind) -> bool {
    kind.is_integer() || matches!(kind, TypeKind::Decimal(..))
}

/// The last resort: one of the types, when all others can be cast to it implicitly.
fn by_implicit_cast(kinds: &[&TypeKind], nullable: bool) -> Option<FlinkType> {
    let mut result = kinds.first()?.to_owned().clone();
    for kind in kinds {
        let from = result.clone().nullable();
        let to = (*kind).clone().nullable();
        if can_implicitly_cast(&from, &to) {
            result = to.kind;
        } else if !can_implicitly_cast(&to, &from) {
            return None;
        }
    }
    Some(with_nullable(result, nullable))
}

fn pair(a: &TypeKind, b: &TypeKind, rule: Rule) -> Option<TypeKind> {
    use TypeKind::{
        Array, Binary, Char, IntervalDayTime, IntervalYearMonth, Map, Multiset, Row, Time,
        Timestamp, TimestampLtz, Varbinary, Varchar,
    };
    if a == b {
        return Some(a.clone());
    }
    Some(match (a, b) {
        (Char(m), Char(n)) => Varchar(*m.max(n)),
        (Char(m) | Varchar(m), Char(n) | Varchar(n)) => Varchar(*m.max(n)),
        (Binary(m) | Varbinary(m), Binary(n) | Varbinary(n)) => Varbinary(*m.max(n)),
        (a, b) if a.is_numeric() && b.is_numeric() => numeric_pair(a, b, rule),
        (Time(p), Time(q)) => Time(*p.max(q)),
        (Timestamp(_) | TimestampLtz(_), Timestamp(_) | TimestampLtz(_)) => {
            timestamp_pair(a, b, rule)
        }
        (IntervalYearMonth(r, p), IntervalYearMonth(s, q)) => {
            IntervalYearMonth(join_year_month(*r, *s), *p.max(q))
        }
        (IntervalDayTime(r, d, f), IntervalDayTime(s, e, g)) => {
            IntervalDayTime(join_day_time(*r, *s), *d.max(e), *f.max(g))
        }
        (datetime, interval) if datetime.is_datetime() && interval.is_interval() => a.clone(),
        (interval, datetime) if datetime.is_datetime() && interval.is_interval() => b.clone(),
        (Array(a), Array(b)) => Array(Box::new(element(a, b, rule)?)),
        (Multiset(a), Multiset(b)) => Multiset(Box::new(element(a, b, rule)?)),
        (Map(ak, av), Map(bk, bv)) => Map(
            Box::new(element(ak, bk, rule)?),
            Box::new(element(av, bv, rule)?),
        ),
        (Row(a), Row(b)) if a.len() == b.len() => Row(row_pair(a, b, rule)?),
        _ if rule == Rule::Flink => return date_and_number(a, b),
        _ => return None,
    })
}

fn element(a: &FlinkType, b: &FlinkType, rule: Rule) -> Option<FlinkType> {
    common(&[a.clone(), b.clone()], rule)
}

fn row_pair(a: &[RowField], b: &[RowField], rule: Rule) -> Option<Vec<RowField>> {
    a.iter()
        .zip(b)
        .map(|(a, b)| {
            Some(RowField {
                name: a.name.clone(),
                ty: element(&a.ty, &b.ty, rule)?,
            })
        })
        .collect()
}

/// DATE or a timestamp with an exact number, which counts as days.
fn date_and_number(a: &TypeKind, b: &TypeKind) -> Option<TypeKind> {
    let dated = |kind: &TypeKind| kind.is_datetime() && !matches!(kind, TypeKind::Time(_));
    match (a, b) {
        (a, b) if dated(a) && is_exact(b) => Some(a.clone()),
        (a, b) if is_exact(a) && dated(b) => Some(b.clone()),
        _ => None,
    }
}

fn timestamp_pair(a: &TypeKind, b: &TypeKind, rule: Rule) -> TypeKind {
    use TypeKind::{Timestamp, TimestampLtz};
    let (Timestamp(p) | TimestampLtz(p), Timestamp(q) | TimestampLtz(q)) = (a, b) else {
        unreachable!("both are timestamps");
    };
    match (rule, a, b) {
        (Rule::Calcite, ..) => a.clone(),
        (Rule::Flink, Timestamp(_), Timestamp(_)) => Timestamp(*p.max(q)),
        _ => TimestampLtz(*p.max(q)),
    }
}

fn numeric_pair(a: &TypeKind, b: &TypeKind, rule: Rule) -> TypeKind {
    use TypeKind::{Decimal, Double, Float};
    match (a, b) {
        (Float | Double, Float | Double) if rule == Rule::Calcite => a.clone(),
        (Float | Double, Float | Double) => Double,
        (Float | Double, Decimal(..)) | (Decimal(..), Float | Double) => {
            // Flink's rule looks at the later type only.
            if rule == Rule::Flink && matches!(a, Decimal(..)) {
                b.clone()
            } else {
                Double
            }
        }
        (Float | Double, _) => a.clone(),
        (_, Float | Double) => b.clone(),
        (a, b) if a.is_integer() && b.is_integer() => {
            if integer_digits(b) > integer_digits(a) {
                b.clone()
            } else {
                a.clone()
            }
        }
        _ => {
            let (p, s) = decimal_types::of(a).expect("an exact number");
            let (q, t) = decimal_types::of(b).expect("an exact number");
            let whole = (p - s).max(q - t);
            let scale = s.max(t).min(decimal_types::PRECISION_MAX - whole);
            decimal_types::decimal(whole + scale, scale)
        }
    }
}

fn integer_digits(kind: &TypeKind) -> i32 {
    decimal_types::of(kind).map_or(0, |(precision, _)| precision)
}

fn join_year_month(a: YearMonthResolution, b: YearMonthResolution) -> YearMonthResolution {
    if a == b {
        a
    } else {
        YearMonthResolution::YearToMonth
    }
}

/// Returns the resolution that has all fields of both.
fn join_day_time(a: DayTimeResolution, b: DayTimeResolution) -> DayTimeResolution {
    use DayTimeResolution::{
        Day, DayToHour, DayToMinute, DayToSecond, Hour, HourToMinute, HourToSecond, Minute,
        MinuteToSecond, Second,
    };
    let ends = |r| match r {
        Day => (0, 0),
        DayToHour => (0, 1),
        DayToMinute => (0, 2),
        DayToSecond => (0, 3),
        Hour => (1, 1),
        HourToMinute => (1, 2),
        HourToSecond => (1, 3),
        Minute => (2, 2),
        MinuteToSecond => (2, 3),
        Second => (3, 3),
    };
    let ((from, to), (start, end)) = (ends(a), ends(b));
    match (from.min(start), to.max(end)) {
        (0, 0) => Day,
        (0, 1) => DayToHour,
        (0, 2) => DayToMinute,
        (0, _) => DayToSecond,
        (1, 1) => Hour,
        (1, 2) => HourToMinute,
        (1, _) => HourToSecond,
        (2, 2) => Minute,
        (2, _) => MinuteToSecond,
        _ => Second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_types_have_in_common() {
        let check = |types: &[TypeKind], calcite: Option<&str>, flink: Option<&str>| {
            let types: Vec<_> = types.iter().map(|kind| kind.clone().nullable()).collect();
            let text = |ty: Option<FlinkType>| ty.map(|ty| ty.to_string());
            assert_eq!(text(least_restrictive(&types)).as_deref(), calcite);
            assert_eq!(text(common_type(&types)).as_deref(), flink);
        };
        use TypeKind::*;
        check(&[Char(2), Char(6)], Some("VARCHAR(6)"), Some("VARCHAR(6)"));
        check(&[Char(3), Char(3)], Some("CHAR(3)"), Some("CHAR(3)"));
        check(
            &[Int, Decimal(5, 2)],
            Some("DECIMAL(12, 2)"),
            Some("DECIMAL(12, 2)"),
        );
        check(
            &[Decimal(12, 2), Decimal(38, 37)],
            Some("DECIMAL(38, 28)"),
            Some("DECIMAL(38, 28)"),
        );
        check(&[Float, Double], Some("FLOAT"), Some("DOUBLE"));
        check(
            &[Timestamp(0), Timestamp(3)],
            Some("TIMESTAMP(0)"),
            Some("TIMESTAMP(3)"),
        );
        check(&[Date, Timestamp(3)], None, Some("DATE"));
        check(
            &[BigInt, Timestamp(3)],
            Some("TIMESTAMP(3)"),
            Some("TIMESTAMP(3)"),
        );
        check(&[Int, Varchar(5)], None, None);
        check(&[Null, Int], Some("INT"), Some("INT"));
        check(&[Null, Null], None, None);
    }
}
