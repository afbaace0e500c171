//! Which types can be cast to which.
//!
//! # Flink
//! `LogicalTypeCasts` of 1.17.

use millrace_connector::{FlinkType, TypeKind};

/// Tells whether a value of `from` may go where `to` is expected without CAST, as `INSERT INTO` takes it:
/// widening numbers, any number to DECIMAL and DOUBLE, CHAR to VARCHAR, and among dates and timestamps.
#[must_use]
pub fn can_implicitly_cast(from: &FlinkType, to: &FlinkType) -> bool {
    use TypeKind::{
        Array, BigInt, Binary, Boolean, Char, Date, Decimal, Double, Float, Int, IntervalDayTime,
        IntervalYearMonth, Map, Multiset, Null, Row, SmallInt, Time, Timestamp, TimestampLtz,
        TinyInt, Varbinary, Varchar,
    };
    match (&from.kind, &to.kind) {
        (Null, _) => true,
        (Char(_), Char(_) | Varchar(_))
        | (Varchar(_), Varchar(_))
        | (Binary(_), Binary(_) | Varbinary(_))
        | (Varbinary(_), Varbinary(_))
        | (Boolean, Boolean) => true,
        (kind, Decimal(..) | Double) => kind.is_numeric(),
        (TinyInt, TinyInt | SmallInt | Int | BigInt | Float)
        | (SmallInt, SmallInt | Int | BigInt | Float)
        | (Int, Int | BigInt | Float)
        | (BigInt, BigInt | Float)
        | (Decimal(..) | Float, Float) => true,
        (Date | Timestamp(_), Date)
        | (Time(_) | Timestamp(_), Time(_))
        | (Timestamp(_) | TimestampLtz(_), Timestamp(_) | TimestampLtz(_)) => true,
        (IntervalYearMonth(..), IntervalYearMonth(..))
        | (IntervalDayTime(..), IntervalDayTime(..)) => true,
        (Array(from), Array(to)) | (Multiset(from), Multiset(to)) => can_implicitly_cast(from, to),
        (Map(from_key, from_value), Map(to_key, to_value)) => {
            can_implicitly_cast(from_key, to_key) && can_implicitly_cast(from_value, to_value)
        }
        (Row(from), Row(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to)
                    .all(|(from, to)| can_implicitly_cast(&from.ty, &to.ty))
        }
        _ => false,
    }
}
