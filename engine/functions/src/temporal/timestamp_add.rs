//! TIMESTAMPADD(unit, count, value).
//!
//! # Flink
//! Calcite's convertlet makes it `value + count * INTERVAL '1' unit`, 1.17. A DATE plus hours or less becomes a
//! TIMESTAMP(6); a TIME goes round the clock; months of a TIMESTAMP_LTZ are counted in UTC.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{ArrayRef, PrimitiveArray};
use millrace_connector::TypeKind;
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};

use super::arguments::{bad_unit, unit_of};
use super::calendar::{DAY_MS, add_months_to_date, add_months_to_millis};
use super::moments::{Moment, Moments};
use super::unit::Unit;
use crate::operator::signature::{bad_types, exactly, nullable_if_args};
use crate::string::BatchKernel;
use crate::string::kernel::{Longs, Values};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Kernel, Volatility};

/// `TIMESTAMPADD`.
pub(crate) static TIMESTAMPADD: FunctionDef = FunctionDef {
    name: "TIMESTAMPADD",
    aliases: &[],
    category: Category::Temporal,
    signatures: &[
        "TIMESTAMPADD(unit, count INT, value) → type of value, TIMESTAMP(6) for a DATE plus HOUR, MINUTE or SECOND",
    ],
    doc: "Adds `count` units, SECOND to YEAR, to a date, time or timestamp.\n\
          A day that the month does not have becomes its last one.\nNULL gives NULL.",
    examples: &[("TIMESTAMPADD(MONTH, 1, DATE '2024-01-31')", "2024-02-29")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

/// How far one unit goes.
#[derive(Clone, Copy, Debug)]
enum Step {
    Months(i32),
    Millis(i64),
}

fn step_of(unit: Unit) -> Option<Step> {
    Some(match unit {
        Unit::Year => Step::Months(12),
        Unit::Quarter => Step::Months(3),
        Unit::Month => Step::Months(1),
        Unit::Week => Step::Millis(7 * DAY_MS),
        Unit::Day => Step::Millis(DAY_MS),
        Unit::Hour => Step::Millis(3_600_000),
        Unit::Minute => Step::Millis(60_000),
        Unit::Second => Step::Millis(1000),
        _ => return None,
    })
}

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    exactly("TIMESTAMPADD", 3, args)?;
    let unit = unit_of(args, 0)?;
    let mut kind = args[2].ty.kind.clone();
    if !args[1].ty.kind.is_integer() || !kind.is_datetime() {
        return Err(bad_types("TIMESTAMPADD", args));
    }
    let step = step_of(unit).ok_or_else(|| bad_unit("TIMESTAMPADD", 0, unit, &args[2].ty.kind))?;
    let below_day = matches!(step, Step::Millis(millis) if millis < DAY_MS);
    let mut value_type = args[2].ty.clone();
    if kind == TypeKind::Date && below_day {
        kind = TypeKind::Timestamp(6);
        value_type.kind = kind.clone();
    }
    let mut count_type = args[1].ty.clone();
    count_type.kind = TypeKind::BigInt;
    let kernel = match &kind {
        TypeKind::Date => {
            map_numbers::<Date32Type>(move |days, count| shift_date(step, days, count))
        }
        TypeKind::Time(_) => {
            map_numbers::<Time32MillisecondType>(move |time, count| shift_time(step, time, count))
        }
        TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) => {
            timestamps(step, kind.clone(), *p <= MICROSECOND_PRECISION_MAX)
        }
        _ => return Err(bad_types("TIMESTAMPADD", args)),
    };
    Ok(Bound {
        arg_types: vec![args[0].ty.clone(), count_type, value_type],
        return_type: nullable_if_args(kind, &args[1..]),
        kernel,
    })
}

fn shift_date(step: Step, days: i32, count: i64) -> i32 {
    match step {
        Step::Months(months) => add_months_to_date(days, (count as i32).wrapping_mul(months)),
        Step::Millis(millis) => {
            let days_more = count.wrapping_mul(millis) / DAY_MS;
            days.wrapping_add(days_more as i32)
        }
    }
}

fn shift_time(step: Step, time: i32, count: i64) -> i32 {
    match step {
        Step::Months(_) => time,
        Step::Millis(millis) => {
            let total = i64::from(time).wrapping_add(count.wrapping_mul(millis) % DAY_MS);
            total.rem_euclid(DAY_MS) as i32
        }
    }
}

fn shift_moment(step: Step, moment: Moment, count: i64) -> Moment {
    let millis = match step {
        Step::Months(months) => {
            add_months_to_millis(moment.millis, (count as i32).wrapping_mul(months))
        }
        Step::Millis(millis) => moment.millis.wrapping_add(count.wrapping_mul(millis)),
    };
    Moment {
        millis,
        nanos: moment.nanos,
    }
}

fn map_numbers<T>(shift: impl Fn(i32, i64) -> i32 + Send + Sync + 'static) -> Arc<dyn Kernel>
where
    T: arrow_array::ArrowPrimitiveType<Native = i32>,
{
    BatchKernel::infallible("TIMESTAMPADD", move |args: &[Column], rows| {
        let counts = Longs::new(&args[1]);
        let values = Values::<T>::new(&args[2]);
        let shifted = (0..rows).map(|row| Some(shift(values.get(row)?, counts.get(row)?)));
        Arc::new(shifted.collect::<PrimitiveArray<T>>()) as ArrayRef
    })
}

fn timestamps(step: Step, kind: TypeKind, in_micros: bool) -> Arc<dyn Kernel> {
    BatchKernel::infallible("TIMESTAMPADD", move |args: &[Column], rows| {
        let counts = Longs::new(&args[1]);
        let moments = Moments::new(&args[2]);
        let shifted =
            (0..rows).map(|row| Some(shift_moment(step, moments.get(row)?, counts.get(row)?)));
        if in_micros {
            let micros = shifted.map(|moment| moment.map(Moment::micros));
            return Arc::new(micros.collect::<PrimitiveArray<TimestampMicrosecondType>>())
                as ArrayRef;
        }
        let nanos = shifted.map(|moment| moment.map(Moment::total_nanos));
        let nanos = nanos.collect::<PrimitiveArray<Decimal128Type>>();
        Arc::new(nanos.with_data_type(arrow_type(&kind)))
    })
}
