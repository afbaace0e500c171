//! `(a - b) unit`: the difference of two points in time as an interval.
//!
//! # Flink
//! Intervals of YEAR to MONTH count whole months as TIMESTAMPDIFF does, all others are the milliseconds between.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array};
use millrace_connector::{DayTimeResolution, TypeKind, YearMonthResolution};

use super::arguments::unit_of;
use super::calendar::months_between_millis;
use super::timestamp_diff::Points;
use super::unit::Unit;
use crate::operator::signature::{bad_types, exactly, nullable_if_args};
use crate::string::BatchKernel;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `MINUS_DATE`, which the planner calls for `(a - b) unit`.
pub(crate) static MINUS_DATE: FunctionDef = FunctionDef {
    name: "MINUS_DATE",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["(a - b) unit → INTERVAL"],
    doc: "Returns the time from `b` to `a`, which are dates or timestamps, as an interval.\n\
          YEAR and MONTH count whole months; other units keep the milliseconds.\nNULL gives NULL.",
    examples: &[(
        "(DATE '2024-01-02' - DATE '2024-01-01') DAY",
        "+1 00:00:00.000",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    use TypeKind::{Date, Timestamp, TimestampLtz};
    exactly("-", 3, args)?;
    let unit = unit_of(args, 0)?;
    match (&args[1].ty.kind, &args[2].ty.kind) {
        (Timestamp(_), Timestamp(_)) | (Date, Date) | (TimestampLtz(_), TimestampLtz(_)) => {}
        _ => return Err(bad_types("-", &args[1..])),
    }
    let months = matches!(unit, Unit::Year | Unit::Quarter | Unit::Month);
    let (kind, kernel) = if months {
        let kind = TypeKind::IntervalYearMonth(YearMonthResolution::Month, 2);
        (kind, BatchKernel::infallible("-", months_between))
    } else {
        let kind = TypeKind::IntervalDayTime(DayTimeResolution::Second, 2, 3);
        (kind, BatchKernel::infallible("-", millis_between))
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: nullable_if_args(kind, &args[1..]),
        kernel,
    })
}

fn months_between(args: &[Column], rows: usize) -> ArrayRef {
    let (to, from) = (Points::new(&args[1]), Points::new(&args[2]));
    let months =
        (0..rows).map(|row| Some(months_between_millis(from.millis(row)?, to.millis(row)?)));
    Arc::new(months.collect::<Int32Array>())
}

fn millis_between(args: &[Column], rows: usize) -> ArrayRef {
    let (to, from) = (Points::new(&args[1]), Points::new(&args[2]));
    let millis = (0..rows).map(|row| Some(to.millis(row)?.wrapping_sub(from.millis(row)?)));
    Arc::new(millis.collect::<Int64Array>())
}
