//! Dates, times and timestamps plus and minus intervals, and arithmetic of intervals.
//!
//! # Flink
//! An interval can be multiplied by a number behind it, but neither be divided nor stand behind the number; an interval
//! before an instant (TIMESTAMP_LTZ) is refused.
//! A DATE takes the whole days of an interval, a TIME goes round the clock and ignores months, an instant
//! (TIMESTAMP_LTZ) counts months in UTC. A day that a month does not have becomes its last one.

use std::sync::Arc;

use arrow_array::types::{
    Date32Type, Decimal128Type, Int32Type, Int64Type, Time32MillisecondType,
    TimestampMicrosecondType,
};
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};
use millrace_connector::{FlinkType, TypeKind};

use super::arithmetic::Arithmetic;
use super::coercion::least_restrictive;
use super::elementwise::{binary, try_binary};
use super::signature::{nullable_if_args, with_kind};
use crate::cast::civil::{MILLIS_PER_DAY, date_from_days, days_from_date, days_of_month};
use crate::{Arg, Bound, Column, EvalContext, Kernel, RowError};

/// Binds an operation in which an interval takes part.
pub(super) fn bind(op: Arithmetic, args: &[Arg]) -> Option<Bound> {
    let (left, right) = (&args[0].ty, &args[1].ty);
    let sum = matches!(op, Arithmetic::Add | Arithmetic::Subtract);
    if sum && left.kind.is_datetime() && right.kind.is_interval() {
        return Some(bind_shift(args, 0, op == Arithmetic::Subtract));
    }
    let is_instant = matches!(right.kind, TypeKind::TimestampLtz(_));
    if op == Arithmetic::Add && left.kind.is_interval() && right.kind.is_datetime() && !is_instant {
        return Some(bind_shift(args, 1, false));
    }
    if sum && left.kind.is_interval() && right.kind.is_interval() {
        let common = least_restrictive(&[left.clone(), right.clone()])?;
        return Some(bind_intervals(op, args, &common));
    }
    let is_float = matches!(right.kind, TypeKind::Float | TypeKind::Double);
    if op == Arithmetic::Multiply && left.kind.is_interval() && right.kind.is_numeric() && !is_float
    {
        return Some(bind_intervals(op, args, left));
    }
    None
}

fn bind_shift(args: &[Arg], datetime: usize, negative: bool) -> Bound {
    let kind = args[datetime].ty.kind.clone();
    let months = matches!(args[1 - datetime].ty.kind, TypeKind::IntervalYearMonth(..));
    Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: nullable_if_args(kind.clone(), args),
        kernel: Arc::new(Shift {
            kind,
            datetime,
            months,
            negative,
        }),
    }
}

/// Moves a datetime by an interval.
#[derive(Debug)]
struct Shift {
    kind: TypeKind,
    /// Index of the datetime; the interval is the other argument.
    datetime: usize,
    months: bool,
    negative: bool,
}

impl Kernel for Shift {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let pair = [args[self.datetime].clone(), args[1 - self.datetime].clone()];
        if self.months {
            self.by_months(&pair, rows)
        } else {
            self.by_millis(&pair, rows)
        }
    }

    fn can_fail(&self) -> bool {
        false
    }
}

impl Shift {
    fn by_millis(&self, args: &[Column], rows: usize) -> Result<Column, RowError> {
        let ty = arrow_type(&self.kind);
        let sign = if self.negative { -1 } else { 1 };
        match &self.kind {
            TypeKind::Date => {
                try_binary::<Date32Type, Int64Type, Date32Type>(args, rows, &ty, |days, millis| {
                    let days = i64::from(days) + sign * (millis / MILLIS_PER_DAY);
                    Ok(i32::try_from(days).ok())
                })
            }
            TypeKind::Time(_) => {
                type Time = Time32MillisecondType;
                binary::<Time, Int64Type, Time>(args, rows, &ty, |time, millis| {
                    let moved = i64::from(time) + sign * (millis % MILLIS_PER_DAY);
                    i32::try_from(moved.rem_euclid(MILLIS_PER_DAY)).expect("below a day")
                })
            }
            TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p)
                if *p <= MICROSECOND_PRECISION_MAX =>
            {
                type Micros = TimestampMicrosecondType;
                binary::<Micros, Int64Type, Micros>(args, rows, &ty, |micros, millis| {
                    micros.wrapping_add(sign.wrapping_mul(millis).wrapping_mul(1000))
                })
            }
            _ => {
                type Nanos = Decimal128Type;
                binary::<Nanos, Int64Type, Nanos>(args, rows, &ty, |nanos, millis| {
                    nanos.wrapping_add(i128::from(sign) * i128::from(millis) * 1_000_000)
                })
            }
        }
    }

    fn by_months(&self, args: &[Column], rows: usize) -> Result<Column, RowError> {
        let ty = arrow_type(&self.kind);
        let sign = if self.negative { -1 } else { 1 };
        match &self.kind {
            TypeKind::Date => {
                try_binary::<Date32Type, Int32Type, Date32Type>(args, rows, &ty, |days, months| {
                    let moved = add_months(i64::from(days), sign * i64::from(months));
                    Ok(i32::try_from(moved).ok())
                })
            }
            TypeKind::Time(_) => {
                type Time = Time32MillisecondType;
                binary::<Time, Int32Type, Time>(args, rows, &ty, |time, _| time)
            }
            TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p)
                if *p <= MICROSECOND_PRECISION_MAX =>
            {
                type Micros = TimestampMicrosecondType;
                const DAY: i64 = MILLIS_PER_DAY * 1000;
                binary::<Micros, Int32Type, Micros>(args, rows, &ty, |micros, months| {
                    let days = add_months(micros.div_euclid(DAY), sign * i64::from(months));
                    days.wrapping_mul(DAY).wrapping_add(micros.rem_euclid(DAY))
                })
            }
            _ => {
                type Nanos = Decimal128Type;
                const DAY: i128 = MILLIS_PER_DAY as i128 * 1_000_000;
                try_binary::<Nanos, Int32Type, Nanos>(args, rows, &ty, |nanos, months| {
                    let Ok(days) = i64::try_from(nanos.div_euclid(DAY)) else {
                        return Ok(None);
                    };
                    let days = add_months(days, sign * i64::from(months));
                    Ok(Some(i128::from(days) * DAY + nanos.rem_euclid(DAY)))
                })
            }
        }
    }
}

/// Returns the day `months` later, or the last of that month.
pub(crate) fn add_months(days: i64, months: i64) -> i64 {
    let (year, month, day) = date_from_days(days);
    let index = year * 12 + i64::from(month) - 1 + months;
    let year = index.div_euclid(12);
    let month = u32::try_from(index.rem_euclid(12) + 1).expect("1 to 12");
    days_from_date(year, month, day.min(days_of_month(year, month)))
}

fn bind_intervals(op: Arithmetic, args: &[Arg], interval: &FlinkType) -> Bound {
    let months = matches!(interval.kind, TypeKind::IntervalYearMonth(..));
    let number = if months {
        TypeKind::Int
    } else {
        TypeKind::BigInt
    };
    let arg_types = args
        .iter()
        .map(|arg| {
            if arg.ty.kind.is_interval() {
                arg.ty.clone()
            } else {
                with_kind(&arg.ty, number.clone())
            }
        })
        .collect();
    Bound {
        arg_types,
        return_type: nullable_if_args(interval.kind.clone(), args),
        kernel: Arc::new(Intervals { op, months }),
    }
}

/// Arithmetic of intervals, which are counts of months or milliseconds.
#[derive(Debug)]
struct Intervals {
    op: Arithmetic,
    months: bool,
}

impl Kernel for Intervals {
    fn evaluate(
        &self,
        args: &[Column],
        rows: usize,
        _ctx: &EvalContext,
    ) -> Result<Column, RowError> {
        let apply = |l: i64, r: i64| {
            Ok(Some(match self.op {
                Arithmetic::Add => l.wrapping_add(r),
                Arithmetic::Subtract => l.wrapping_sub(r),
                Arithmetic::Multiply => l.wrapping_mul(r),
                Arithmetic::Divide | Arithmetic::Modulo if r == 0 => {
                    return Err("/ by zero".to_owned());
                }
                Arithmetic::Divide => l.wrapping_div(r),
                Arithmetic::Modulo => l.wrapping_rem(r),
            }))
        };
        if self.months {
            let ty = arrow_schema::DataType::Int32;
            return try_binary::<Int32Type, Int32Type, Int32Type>(args, rows, &ty, |l, r| {
                let value = apply(i64::from(l), i64::from(r))?;
                #[expect(clippy::cast_possible_truncation, reason = "months wrap around")]
                let value = value.map(|v| v as i32);
                Ok(value)
            });
        }
        let ty = arrow_schema::DataType::Int64;
        try_binary::<Int64Type, Int64Type, Int64Type>(args, rows, &ty, apply)
    }

    fn can_fail(&self) -> bool {
        self.op == Arithmetic::Divide
    }
}
