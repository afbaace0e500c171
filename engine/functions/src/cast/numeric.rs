//! Conversions between numbers and booleans.
//!
//! # Flink
//! Integers keep their low bits when they shrink; floating-point numbers saturate at INT or BIGINT and then
//! keep the low bits; DECIMAL rounds half up and is NULL on overflow, even where the type says NOT NULL.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray};
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use super::convert::{Converter, OnFailure, build_primitive, map_primitive, primitive};
use super::decimal::{DecimalText, POW10, fits, rescale, to_f64, to_i64};
use super::java_double::double_to_string;

/// Returns the conversion between two types of which each is a number, a BOOLEAN or an interval.
pub(crate) fn converter(from: &TypeKind, to: &TypeKind) -> Option<Converter> {
    match from {
        TypeKind::TinyInt => from_integer::<Int8Type>(to),
        TypeKind::SmallInt => from_integer::<Int16Type>(to),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => from_integer::<Int32Type>(to),
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => from_integer::<Int64Type>(to),
        TypeKind::Float => from_float::<Float32Type>(to),
        TypeKind::Double => from_float::<Float64Type>(to),
        TypeKind::Decimal(precision, scale) => from_decimal(*precision, *scale, to),
        TypeKind::Boolean => from_boolean(to),
        _ => None,
    }
}

/// Integers by their low bits.
#[expect(clippy::cast_possible_truncation, reason = "Flink keeps the low bits")]
fn from_integer<I>(to: &TypeKind) -> Option<Converter>
where
    I: ArrowPrimitiveType,
    I::Native: Into<i64>,
{
    fn each<I, O>(to: &TypeKind, op: fn(i64) -> O::Native) -> Converter
    where
        I: ArrowPrimitiveType,
        I::Native: Into<i64>,
        O: ArrowPrimitiveType,
    {
        let data_type = arrow_type(to);
        Converter::infallible(move |array| {
            Ok(map_primitive::<I, O>(array, &data_type, |v| op(v.into())))
        })
    }
    Some(match to {
        TypeKind::TinyInt => each::<I, Int8Type>(to, |v| v as i8),
        TypeKind::SmallInt => each::<I, Int16Type>(to, |v| v as i16),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => each::<I, Int32Type>(to, |v| v as i32),
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => each::<I, Int64Type>(to, |v| v),
        TypeKind::Float => each::<I, Float32Type>(to, |v| v as f32),
        TypeKind::Double => each::<I, Float64Type>(to, |v| v as f64),
        TypeKind::Decimal(precision, scale) => {
            let (precision, scale, data_type) = (*precision, *scale, arrow_type(to));
            Converter::infallible(move |array| {
                let input = primitive::<I>(array);
                build_primitive::<Decimal128Type>(
                    input.len(),
                    input.nulls(),
                    &data_type,
                    OnFailure::Null,
                    |row| {
                        Ok(integer_to_decimal(
                            input.value(row).into(),
                            precision,
                            scale,
                        ))
                    },
                )
            })
        }
        TypeKind::Boolean => to_boolean::<I>(|v| v.into() != 0),
        _ => return None,
    })
}

fn integer_to_decimal(value: i64, precision: u8, scale: u8) -> Option<i128> {
    i128::from(value)
        .checked_mul(POW10[usize::from(scale)])
        .and_then(|v| fits(v, precision))
}

fn to_boolean<I: ArrowPrimitiveType>(op: fn(I::Native) -> bool) -> Converter {
    Converter::infallible(move |array| {
        let input = primitive::<I>(array);
        let values = input.values().iter().map(|v| op(*v)).collect();
        Ok(Arc::new(BooleanArray::new(values, input.nulls().cloned())))
    })
}

/// Floating-point numbers as Java narrows them.
#[expect(clippy::cast_possible_truncation, reason = "Java narrows so")]
fn from_float<I>(to: &TypeKind) -> Option<Converter>
where
    I: ArrowPrimitiveType,
    I::Native: Into<f64>,
{
    fn each<I, O>(to: &TypeKind, op: fn(f64) -> O::Native) -> Converter
    where
        I: ArrowPrimitiveType,
        I::Native: Into<f64>,
        O: ArrowPrimitiveType,
    {
        let data_type = arrow_type(to);
        Converter::infallible(move |array| {
            Ok(map_primitive::<I, O>(array, &data_type, |v| op(v.into())))
        })
    }
    Some(match to {
        TypeKind::TinyInt => each::<I, Int8Type>(to, |v| v as i32 as i8),
        TypeKind::SmallInt => each::<I, Int16Type>(to, |v| v as i32 as i16),
        TypeKind::Int => each::<I, Int32Type>(to, |v| v as i32),
        TypeKind::BigInt => each::<I, Int64Type>(to, |v| v as i64),
        TypeKind::Float => each::<I, Float32Type>(to, |v| v as f32),
        TypeKind::Double => each::<I, Float64Type>(to, |v| v),
        TypeKind::Decimal(precision, scale) => {
            let (precision, scale, data_type) = (*precision, *scale, arrow_type(to));
            // Not even TRY_CAST forgives NaN and the infinities.
            Converter::fallible(move |array| {
                let input = primitive::<I>(array);
                build_primitive::<Decimal128Type>(
                    input.len(),
                    input.nulls(),
                    &data_type,
                    OnFailure::Fail,
                    |row| double_to_decimal(input.value(row).into(), precision, scale),
                )
            })
        }
        TypeKind::Boolean => to_boolean::<I>(|v| v.into() != 0.0),
        _ => return None,
    })
}

/// Returns the DECIMAL of a double's text, NULL on overflow.
pub(crate) fn double_to_decimal(
    value: f64,
    precision: u8,
    scale: u8,
) -> Result<Option<i128>, String> {
    let text = double_to_string(value);
    match DecimalText::parse(&text) {
        Some(number) => Ok(number.to_decimal(precision, scale)),
        None => Err(format!(
            "Character {} is neither a decimal digit number, decimal point, nor \"e\" notation exponential mark.",
            text.trim_start_matches('-').chars().next().unwrap_or('N')
        )),
    }
}

/// DECIMAL: whole part for integers, one division for floating-point numbers.
#[expect(clippy::cast_possible_truncation, reason = "Flink keeps the low bits")]
fn from_decimal(precision: u8, scale: u8, to: &TypeKind) -> Option<Converter> {
    fn each<O: ArrowPrimitiveType>(
        to: &TypeKind,
        op: impl Fn(i128) -> O::Native + Send + Sync + 'static,
    ) -> Converter {
        let data_type = arrow_type(to);
        Converter::infallible(move |array| {
            Ok(map_primitive::<Decimal128Type, O>(array, &data_type, &op))
        })
    }
    Some(match to {
        TypeKind::TinyInt => each::<Int8Type>(to, move |v| to_i64(v, scale) as i8),
        TypeKind::SmallInt => each::<Int16Type>(to, move |v| to_i64(v, scale) as i16),
        TypeKind::Int | TypeKind::IntervalYearMonth(..) => {
            each::<Int32Type>(to, move |v| to_i64(v, scale) as i32)
        }
        TypeKind::BigInt | TypeKind::IntervalDayTime(..) => {
            each::<Int64Type>(to, move |v| to_i64(v, scale))
        }
        TypeKind::Float => each::<Float32Type>(to, move |v| to_f64(v, precision, scale) as f32),
        TypeKind::Double => each::<Float64Type>(to, move |v| to_f64(v, precision, scale)),
        TypeKind::Decimal(to_precision, to_scale) => {
            let (to_precision, to_scale) = (*to_precision, *to_scale);
            let data_type = arrow_type(to);
            let widens = to_scale == scale && to_precision >= precision;
            Converter::infallible(move |array| {
                let input = primitive::<Decimal128Type>(array);
                if widens {
                    return Ok(Arc::new(input.clone().with_data_type(data_type.clone())));
                }
                build_primitive::<Decimal128Type>(
                    input.len(),
                    input.nulls(),
                    &data_type,
                    OnFailure::Null,
                    |row| Ok(rescale(input.value(row), scale, to_precision, to_scale)),
                )
            })
        }
        // Flink compares with a zero of the same type, which it cannot make where no digit stands before the point.
        TypeKind::Boolean if precision > scale => to_boolean::<Decimal128Type>(|v| v != 0),
        _ => return None,
    })
}

/// TRUE is 1 and FALSE is 0.
fn from_boolean(to: &TypeKind) -> Option<Converter> {
    fn each<O: ArrowPrimitiveType>(to: &TypeKind, one: O::Native) -> Converter {
        let data_type = arrow_type(to);
        Converter::infallible(move |array: &ArrayRef| {
            let input = array.as_boolean();
            let zero = O::Native::default();
            let values = input.values().iter().map(|v| if v { one } else { zero });
            let values = PrimitiveArray::<O>::new(values.collect(), input.nulls().cloned());
            Ok(Arc::new(values.with_data_type(data_type.clone())))
        })
    }
    Some(match to {
        TypeKind::TinyInt => each::<Int8Type>(to, 1),
        TypeKind::SmallInt => each::<Int16Type>(to, 1),
        TypeKind::Int => each::<Int32Type>(to, 1),
        TypeKind::BigInt => each::<Int64Type>(to, 1),
        TypeKind::Float => each::<Float32Type>(to, 1.0),
        TypeKind::Double => each::<Float64Type>(to, 1.0),
        TypeKind::Decimal(precision, scale) => {
            let (one, data_type) = (POW10[usize::from(*scale)], arrow_type(to));
            let one = fits(one, *precision);
            Converter::infallible(move |array| {
                let input = array.as_boolean();
                build_primitive::<Decimal128Type>(
                    input.len(),
                    input.nulls(),
                    &data_type,
                    OnFailure::Null,
                    |row| Ok(if input.value(row) { one } else { Some(0) }),
                )
            })
        }
        TypeKind::Boolean => Converter::identity(),
        _ => return None,
    })
}
