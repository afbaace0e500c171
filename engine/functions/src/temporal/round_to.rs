//! FLOOR(value TO unit) and CEIL(value TO unit).
//!
//! # Flink
//! `FloorCeilCallGen`, `DateTimeUtils.timestampFloor` and `julianDateFloor`, 1.17. From the week up, the day of a
//! timestamp is its milliseconds divided by a day towards zero. A TIMESTAMP_LTZ is rounded in the session's time
//! zone with the offset it has before. A TIME rounded to days or more is taken for a number of days.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use jiff::tz::TimeZone;
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use super::arguments::{bad_unit, unit_of};
use super::calendar::{DAY_MS, Rounding, round_date};
use super::java_zone::{JavaZone, ZoneCursor};
use super::moments::{Moment, values};
use super::unit::Unit;
use crate::operator::signature::{bad_types, exactly, nullable_if_args};
use crate::string::BatchKernel;
use crate::{
    Arg, BindContext, Bound, CallError, Category, Column, FunctionDef, Kernel, Volatility,
};

/// `FLOOR_TO`.
pub(crate) static FLOOR_TO: FunctionDef = FunctionDef {
    name: "FLOOR_TO",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["FLOOR(value TO unit) → type of value"],
    doc: "Rounds a date, time or timestamp down to a unit, MILLISECOND to MILLENNIUM; weeks begin on Sunday.\n\
          A TIMESTAMP_LTZ is rounded in the session's time zone.\nNULL gives NULL.",
    examples: &[(
        "FLOOR(TIMESTAMP '2024-05-06 07:08:09' TO HOUR)",
        "2024-05-06 07:00:00",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, ctx| bind("FLOOR", Rounding::Floor, args, ctx),
};

/// `CEIL_TO`.
pub(crate) static CEIL_TO: FunctionDef = FunctionDef {
    name: "CEIL_TO",
    aliases: &["CEILING_TO"],
    category: Category::Temporal,
    signatures: &["CEIL(value TO unit) → type of value"],
    doc: "Rounds a date, time or timestamp up to a unit, MILLISECOND to MILLENNIUM; weeks begin on Sunday.\n\
          A TIMESTAMP_LTZ is rounded in the session's time zone.\nNULL gives NULL.",
    examples: &[(
        "CEIL(TIMESTAMP '2024-05-06 07:08:09' TO HOUR)",
        "2024-05-06 08:00:00",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, ctx| bind("CEIL", Rounding::Ceil, args, ctx),
};

fn bind(
    name: &'static str,
    rounding: Rounding,
    args: &[Arg],
    ctx: &BindContext,
) -> Result<Bound, CallError> {
    exactly(name, 2, args)?;
    let kind = args[0].ty.kind.clone();
    if !kind.is_datetime() {
        return Err(bad_types(name, args));
    }
    let unit = unit_of(args, 1)?;
    // What is no part of the calendar leaves a DATE as it is.
    let no_part = kind == TypeKind::Date
        && matches!(
            unit,
            Unit::DayOfWeek | Unit::IsoDayOfWeek | Unit::DayOfYear | Unit::Epoch
        );
    if step_of(unit).is_none() && !is_date_unit(unit) && !no_part {
        return Err(bad_unit(name, 1, unit, &kind));
    }
    let kernel = match &kind {
        TypeKind::Date => dates(name, unit, rounding),
        TypeKind::Time(_) => times(name, unit, rounding),
        TypeKind::TimestampLtz(_) => {
            timestamps(name, kind.clone(), unit, rounding, Some(&ctx.session_tz))
        }
        _ => timestamps(name, kind.clone(), unit, rounding, None),
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: nullable_if_args(kind, &args[..1]),
        kernel,
    })
}

/// The units that are rounded by the calendar.
fn is_date_unit(unit: Unit) -> bool {
    matches!(
        unit,
        Unit::Millennium
            | Unit::Century
            | Unit::Decade
            | Unit::Year
            | Unit::Quarter
            | Unit::Month
            | Unit::Week
    )
}

/// The length in milliseconds of the units that are rounded by division.
fn step_of(unit: Unit) -> Option<i64> {
    Some(match unit {
        Unit::Day => DAY_MS,
        Unit::Hour => 3_600_000,
        Unit::Minute => 60_000,
        Unit::Second => 1000,
        Unit::Millisecond => 1,
        // Flink takes the multiplier of the unit, which is of months, for milliseconds.
        Unit::IsoYear => 12,
        _ => return None,
    })
}

fn round_step(value: i64, step: i64, rounding: Rounding) -> i64 {
    let floor = value.wrapping_sub(value.rem_euclid(step));
    match rounding {
        Rounding::Ceil if floor < value => floor.wrapping_add(step),
        _ => floor,
    }
}

fn dates(name: &'static str, unit: Unit, rounding: Rounding) -> Arc<dyn Kernel> {
    BatchKernel::infallible(name, move |args: &[Column], rows| {
        let days = values(&args[0], rows);
        let days = days.as_primitive::<Date32Type>();
        let rounded: PrimitiveArray<Date32Type> =
            days.unary(|days| round_date(unit, days, rounding));
        Arc::new(rounded)
    })
}

fn times(name: &'static str, unit: Unit, rounding: Rounding) -> Arc<dyn Kernel> {
    let step = step_of(unit).filter(|step| *step < DAY_MS);
    BatchKernel::infallible(name, move |args: &[Column], rows| {
        let times = values(&args[0], rows);
        let times = times.as_primitive::<Time32MillisecondType>();
        let rounded: PrimitiveArray<Time32MillisecondType> = times.unary(|time| match step {
            Some(step) => round_step(i64::from(time), step, rounding) as i32,
            None => round_date(unit, time, rounding),
        });
        Arc::new(rounded)
    })
}

fn timestamps(
    name: &'static str,
    kind: TypeKind,
    unit: Unit,
    rounding: Rounding,
    zone: Option<&TimeZone>,
) -> Arc<dyn Kernel> {
    // Minutes and less are the same in every zone of today, and Flink rounds them in none.
    let zone = zone
        .filter(|_| step_of(unit).is_none_or(|step| step >= 3_600_000))
        .map(|zone| Arc::new(JavaZone::of_zone(zone.clone())));
    BatchKernel::infallible(name, move |args: &[Column], rows| {
        let mut cursor = zone.as_ref().map(|zone| ZoneCursor::new(Arc::clone(zone)));
        let mut round = |moment: Moment| {
            let second = moment.millis.div_euclid(1000);
            let offset = cursor
                .as_mut()
                .map_or(0, |cursor| cursor.offset_at(second) * 1000);
            Moment {
                millis: round_moment(unit, moment, offset, rounding),
                nanos: 0,
            }
        };
        map_moments(&values(&args[0], rows), &kind, &mut round)
    })
}

fn round_moment(unit: Unit, moment: Moment, offset: i64, rounding: Rounding) -> i64 {
    let wall = moment.millis.wrapping_add(offset);
    let rounded = match step_of(unit) {
        Some(1) => wall.wrapping_add(i64::from(rounding == Rounding::Ceil && moment.nanos > 0)),
        Some(step) => round_step(wall, step, rounding),
        None => i64::from(round_date(unit, (wall / DAY_MS) as i32, rounding)) * DAY_MS,
    };
    rounded.wrapping_sub(offset)
}

/// Applies a function to each timestamp of an array.
fn map_moments(
    array: &ArrayRef,
    kind: &TypeKind,
    map: &mut dyn FnMut(Moment) -> Moment,
) -> ArrayRef {
    let nulls = array.nulls().cloned();
    if let Some(micros) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        let values = micros
            .values()
            .iter()
            .map(|micros| map(Moment::from_micros(*micros)).micros());
        let values = values.collect::<Vec<_>>().into();
        return Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(
            values, nulls,
        ));
    }
    let nanos = array.as_primitive::<Decimal128Type>();
    let values = nanos
        .values()
        .iter()
        .map(|nanos| map(Moment::from_nanos(*nanos)).total_nanos());
    let values = values.collect::<Vec<_>>().into();
    Arc::new(PrimitiveArray::<Decimal128Type>::new(values, nulls).with_data_type(arrow_type(kind)))
}
