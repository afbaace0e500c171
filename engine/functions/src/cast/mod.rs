//! CAST, TRY_CAST and implicit casts between all types.
//!
//! Start from [`bind_cast`]. [`print`] writes values as CAST to STRING does; [`java_double`] writes
//! floating-point numbers as Java does; [`can_implicitly_cast`] tells what INSERT takes.

pub(crate) mod civil;
mod constructed;
pub(crate) mod convert;
pub mod decimal;
pub mod java_double;
pub(crate) mod numeric;
pub(crate) mod parse_number;
pub(crate) mod parse_temporal;
pub mod print;
mod rules;
pub(crate) mod temporal;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod zone;

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Int32Type, Int64Type};
use millrace_connector::{DayTimeResolution, FlinkType, RowField, TypeKind, YearMonthResolution};

use crate::{BindContext, CallError, FunctionDef, Kernel};
use convert::{Converter, OnFailure};
pub use rules::can_implicitly_cast;

/// The functions of this group: none, as CAST has its own syntax.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[];

/// Who asks for a cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CastMode {
    /// `CAST(x AS t)`: a value that cannot be converted fails the row.
    Cast,
    /// `TRY_CAST(x AS t)`: such a value becomes NULL.
    TryCast,
    /// The planner, to bring an argument to the type a function takes, or a value to a sink's column.
    Implicit,
}

/// Returns the code that converts values of `from` to `to`, and the result's type with its nullability.
///
/// # Errors
/// When values of `from` cannot be cast to `to`.
///
/// # Flink
/// `CastRuleProvider` of 1.17 behind Calcite's check. The result is nullable when the input is, or for
/// TRY_CAST; DECIMAL results of NOT NULL inputs are null on overflow all the same. A TIME in a cast always
/// has precision 0.
pub fn bind_cast(
    from: &FlinkType,
    to: &FlinkType,
    mode: CastMode,
    ctx: &BindContext,
) -> Result<(Arc<dyn Kernel>, FlinkType), CallError> {
    let target = if mode == CastMode::Implicit {
        to.kind.clone()
    } else {
        plain_time(&to.kind)
    };
    let forgiving = mode == CastMode::TryCast || (mode == CastMode::Cast && ctx.legacy_cast);
    let on_failure = if forgiving {
        OnFailure::Null
    } else {
        OnFailure::Fail
    };
    let caster = Caster { ctx, on_failure };
    let converter = caster
        .converter(from, &target)
        .ok_or_else(|| unsupported(from, &target, mode))?;
    let nullable = from.nullable || mode == CastMode::TryCast || from.kind == TypeKind::Null;
    let result = FlinkType {
        kind: target,
        nullable,
    };
    let converter = converter.named(format!("{from} to {result}"));
    Ok((Arc::new(converter), result))
}

/// Returns the type with precision 0 for every TIME in it.
fn plain_time(kind: &TypeKind) -> TypeKind {
    let plain = |ty: &FlinkType| FlinkType {
        kind: plain_time(&ty.kind),
        nullable: ty.nullable,
    };
    match kind {
        TypeKind::Time(_) => TypeKind::Time(0),
        TypeKind::Array(element) => TypeKind::Array(Box::new(plain(element))),
        TypeKind::Multiset(element) => TypeKind::Multiset(Box::new(plain(element))),
        TypeKind::Map(key, value) => TypeKind::Map(Box::new(plain(key)), Box::new(plain(value))),
        TypeKind::Row(fields) => TypeKind::Row(
            fields
                .iter()
                .map(|field| RowField {
                    name: field.name.clone(),
                    ty: plain(&field.ty),
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

fn unsupported(from: &FlinkType, to: &TypeKind, mode: CastMode) -> CallError {
    let message = match (&from.kind, to) {
        (kind, TypeKind::Timestamp(_)) if kind.is_numeric() => {
            "The cast from NUMERIC type to TIMESTAMP type is not allowed. It's recommended to use \
             TO_TIMESTAMP(FROM_UNIXTIME(numeric_col)) instead, note the numeric is in seconds."
                .to_owned()
        }
        (kind, TypeKind::TimestampLtz(_)) if kind.is_numeric() => {
            "The cast from NUMERIC type to TIMESTAMP_LTZ type is not allowed. It's recommended to use \
             TO_TIMESTAMP_LTZ(numeric_col, precision) instead."
                .to_owned()
        }
        (TypeKind::Timestamp(_), kind) if kind.is_numeric() => {
            "The cast from TIMESTAMP type to NUMERIC type is not allowed. It's recommended to use \
             UNIX_TIMESTAMP(CAST(timestamp_col AS STRING)) instead."
                .to_owned()
        }
        _ if mode == CastMode::Implicit => format!("{} cannot be used as {to}", from.kind),
        _ => format!("Cast function cannot convert value of type {} to type {to}", from.kind),
    };
    CallError::Argument { index: 0, message }
}

/// Finds conversions, with what they depend on.
struct Caster<'a> {
    ctx: &'a BindContext,
    on_failure: OnFailure,
}

impl Caster<'_> {
    fn converter(&self, from: &FlinkType, to: &TypeKind) -> Option<Converter> {
        if from.kind == TypeKind::Null {
            return Some(temporal::all_null(to));
        }
        if from.kind == *to && !from.kind.is_character() {
            return Some(Converter::identity());
        }
        let tz = &self.ctx.session_tz;
        match (&from.kind, to) {
            (kind, to) if to.is_character() => {
                is_printable(kind).then(|| text::to_text(from, to, self.ctx.legacy_cast, tz))
            }
            (kind, to) if kind.is_character() => text::from_text(to, self.on_failure, tz),
            (kind, to) if kind.is_binary() && to.is_binary() => text::bytes_to_bytes(kind, to),
            (kind, to) if is_counted(kind) && is_counted(to) => counted(kind, to),
            (kind, to) if kind.is_datetime() && to.is_datetime() => {
                temporal::converter(kind, to, tz)
            }
            (kind, to) if kind.is_constructed() && to.is_constructed() => {
                self.constructed(kind, to)
            }
            _ => None,
        }
    }

    fn constructed(&self, from: &TypeKind, to: &TypeKind) -> Option<Converter> {
        // A failing element makes the whole value NULL, so elements fail by themselves.
        let inner = Caster {
            ctx: self.ctx,
            on_failure: OnFailure::Fail,
        };
        let element = |from: &FlinkType, to: &FlinkType| inner.converter(from, &to.kind);
        let converter = match (from, to) {
            (TypeKind::Array(from), TypeKind::Array(target)) => {
                constructed::array(element(from, target)?, to)
            }
            (TypeKind::Map(from_key, from_value), TypeKind::Map(key, value)) => {
                constructed::map(element(from_key, key)?, element(from_value, value)?, to)
            }
            (TypeKind::Multiset(from), TypeKind::Multiset(target)) => {
                constructed::map(element(from, target)?, Converter::identity(), to)
            }
            (TypeKind::Row(from), TypeKind::Row(target)) => {
                let fields = from.iter().zip(target);
                let fields: Option<Vec<_>> = fields.map(|(f, t)| element(&f.ty, &t.ty)).collect();
                constructed::row(fields?, to)
            }
            _ => return None,
        };
        Some(
            if self.on_failure == OnFailure::Null && converter.can_fail() {
                constructed::null_on_failure(converter, to)
            } else {
                converter
            },
        )
    }
}

/// Tells whether values of it are numbers in memory.
fn is_counted(kind: &TypeKind) -> bool {
    kind.is_numeric() || kind.is_interval() || *kind == TypeKind::Boolean
}

/// Intervals of one field go to exact numbers of that field and come from integers; others only to their own kind.
fn counted(from: &TypeKind, to: &TypeKind) -> Option<Converter> {
    let exact = |kind: &TypeKind| kind.is_integer() || matches!(kind, TypeKind::Decimal(..));
    match (from.is_interval(), to.is_interval()) {
        (false, false) => numeric::converter(from, to),
        (true, true) => {
            let months = |kind: &TypeKind| matches!(kind, TypeKind::IntervalYearMonth(..));
            (months(from) == months(to)).then(Converter::identity)
        }
        (true, false) if exact(to) => {
            let field = field_length(from)?;
            let count = numeric::converter(from, to)?;
            Some(match from {
                _ if field == 1 => count,
                TypeKind::IntervalYearMonth(..) => {
                    let field = i32::try_from(field).ok()?;
                    divided::<Int32Type>(field).then(count)
                }
                _ => divided::<Int64Type>(field).then(count),
            })
        }
        (false, true) if from.is_integer() && field_length(to).is_some() => {
            numeric::converter(from, to)
        }
        _ => None,
    }
}

/// Returns the months or milliseconds of an interval's field, if it has but one.
fn field_length(interval: &TypeKind) -> Option<i64> {
    use DayTimeResolution::{Day, Hour, Minute, Second};
    Some(match interval {
        TypeKind::IntervalYearMonth(YearMonthResolution::Year, _) => 12,
        TypeKind::IntervalYearMonth(YearMonthResolution::Month, _) => 1,
        TypeKind::IntervalDayTime(Day, ..) => civil::MILLIS_PER_DAY,
        TypeKind::IntervalDayTime(Hour, ..) => 3_600_000,
        TypeKind::IntervalDayTime(Minute, ..) => 60_000,
        TypeKind::IntervalDayTime(Second, ..) => 1000,
        _ => return None,
    })
}

/// Returns the division of all values by a number that is not 0.
fn divided<T: ArrowPrimitiveType>(by: T::Native) -> Converter
where
    T::Native: std::ops::Div<Output = T::Native>,
{
    Converter::infallible(move |array| {
        let values = array.as_primitive::<T>();
        Ok(Arc::new(values.unary::<_, T>(|value| value / by)) as ArrayRef)
    })
}

/// Tells whether values of it have text: all but those with an untyped NULL inside.
fn is_printable(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Null => false,
        TypeKind::Array(element) | TypeKind::Multiset(element) => is_printable(&element.kind),
        TypeKind::Map(key, value) => is_printable(&key.kind) && is_printable(&value.kind),
        TypeKind::Row(fields) => fields.iter().all(|field| is_printable(&field.ty.kind)),
        _ => true,
    }
}
