//! What arguments temporal functions take, and readers for them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use millrace_connector::{FlinkType, TypeKind};

use super::unit::Unit;
use crate::cast::print::timestamp_at;
use crate::operator::signature::{bad_types, between};
use crate::{Arg, CallError, Column};

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Param {
    /// CHAR or VARCHAR.
    Text,
    /// An integer, widened to BIGINT.
    BigInt,
}

/// Checks `args` against `params`, of which all from `least` on may be left out, and returns the types the kernel
/// wants.
///
/// # Errors
/// The count or a type does not fit.
pub(super) fn check(
    name: &str,
    args: &[Arg],
    params: &[Param],
    least: usize,
) -> Result<Vec<FlinkType>, CallError> {
    between(name, least, params.len(), args)?;
    let accept = |(arg, param): (&Arg, &Param)| {
        let kind = &arg.ty.kind;
        match param {
            Param::Text if kind.is_character() => Some(arg.ty.clone()),
            Param::Text if *kind == TypeKind::Null => Some(FlinkType::string()),
            Param::BigInt if kind.is_integer() || *kind == TypeKind::Null => Some(FlinkType {
                kind: TypeKind::BigInt,
                nullable: arg.ty.nullable,
            }),
            _ => None,
        }
    };
    let types: Option<Vec<FlinkType>> = args.iter().zip(params).map(accept).collect();
    types.ok_or_else(|| bad_types(name, args))
}

/// Returns the unit that the literal argument names.
///
/// # Errors
/// It is no literal, or names none.
pub(super) fn unit_of(args: &[Arg], index: usize) -> Result<Unit, CallError> {
    let text = args.get(index).and_then(|arg| {
        let value = &arg.literal.as_ref()?.value;
        let texts = value.as_string_view_opt()?;
        (texts.len() == 1 && texts.is_valid(0)).then(|| texts.value(0))
    });
    text.and_then(Unit::parse).ok_or_else(|| CallError::Argument {
        index,
        message: "a unit of time such as YEAR, DAY or SECOND is needed".to_owned(),
    })
}

/// Returns the refusal of a unit for a type.
pub(super) fn bad_unit(name: &str, index: usize, unit: Unit, kind: &TypeKind) -> CallError {
    CallError::Argument {
        index,
        message: format!("'{name}' does not take {} of {kind}", unit.name()),
    }
}

/// Returns the array as one of type `T`.
fn of<T: ArrowPrimitiveType>(array: &ArrayRef) -> &PrimitiveArray<T> {
    array
        .as_primitive_opt::<T>()
        .expect("the planner gives each kernel its argument types")
}

/// A date, time, timestamp or interval argument.
pub(super) struct Moments<'a> {
    column: &'a Column,
    form: Form,
}

/// How values lie in memory.
enum Form {
    Date,
    Time,
    Timestamp,
    Months,
    Millis,
    Null,
}

impl<'a> Moments<'a> {
    /// Reads `column` as values of `kind`.
    pub(super) fn new(column: &'a Column, kind: &TypeKind) -> Self {
        let form = match kind {
            TypeKind::Date => Form::Date,
            TypeKind::Time(_) => Form::Time,
            TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => Form::Timestamp,
            TypeKind::IntervalYearMonth(..) => Form::Months,
            TypeKind::IntervalDayTime(..) => Form::Millis,
            _ => Form::Null,
        };
        Self { column, form }
    }

    /// Returns the value of `row`, or `None` for NULL: days, milliseconds or months as the type has it, and
    /// nanoseconds of the millisecond.
    #[inline]
    pub(super) fn get(&self, row: usize) -> Option<(i64, i32)> {
        let (array, index) = (self.column.array(), self.column.index(row));
        if array.is_null(index) {
            return None;
        }
        Some(match self.form {
            Form::Date => (i64::from(of::<Date32Type>(array).value(index)), 0),
            Form::Time => (i64::from(of::<Time32MillisecondType>(array).value(index)), 0),
            Form::Timestamp => match array.as_primitive_opt::<TimestampMicrosecondType>() {
                Some(micros) => {
                    let micros = micros.value(index);
                    let rest = i32::try_from(micros.rem_euclid(1000)).expect("below 1000");
                    (micros.div_euclid(1000), rest * 1000)
                }
                None => {
                    debug_assert!(array.as_primitive_opt::<Decimal128Type>().is_some());
                    timestamp_at(array, index)
                }
            },
            Form::Months => (i64::from(of::<Int32Type>(array).value(index)), 0),
            Form::Millis => (of::<Int64Type>(array).value(index), 0),
            Form::Null => return None,
        })
    }
}
