//! TIMESTAMPDIFF(unit, from, to).
//!
//! # Flink
//! `TimestampDiffCallGen` and Calcite's convertlet, 1.17: whole units from the first point to the second, as an
//! INT that wraps. WEEK and MICROSECOND are made of the whole seconds, QUARTER of the whole months. Fractions of a
//! millisecond do not count. NANOSECOND is the whole seconds as a BIGINT that wraps. A TIME and a timestamp are
//! compared by months and more only.

use std::sync::Arc;

use arrow_array::types::{Date32Type, Time32MillisecondType};
use arrow_array::{Array, Int32Array, Int64Array};
use millrace_connector::TypeKind;

use super::arguments::{bad_unit, unit_of};
use super::calendar::{DAY_MS, months_between_dates, months_between_millis};
use super::moments::Moments;
use super::unit::Unit;
use crate::operator::signature::{bad_types, exactly, nullable_if_args};
use crate::string::BatchKernel;
use crate::string::kernel::Values;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Kernel, Volatility};

/// `TIMESTAMPDIFF`.
pub(crate) static TIMESTAMPDIFF: FunctionDef = FunctionDef {
    name: "TIMESTAMPDIFF",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["TIMESTAMPDIFF(unit, from, to) → INT, BIGINT for NANOSECOND"],
    doc: "Returns the number of whole units, NANOSECOND to YEAR, from one date or timestamp to another; negative \
          where the second is earlier.\nThe number wraps around.\nNULL gives NULL.",
    examples: &[(
        "TIMESTAMPDIFF(DAY, DATE '2024-01-31', DATE '2024-02-29')",
        "29",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

/// What is counted, and what the count is multiplied with or divided by.
#[derive(Clone, Copy, Debug)]
enum Count {
    Months { divisor: i32 },
    Millis { divisor: i64 },
    Seconds { factor: i32, divisor: i32 },
}

impl Count {
    fn of(unit: Unit) -> Option<Self> {
        Some(match unit {
            Unit::Year => Self::Months { divisor: 12 },
            Unit::Quarter => Self::Months { divisor: 3 },
            Unit::Month => Self::Months { divisor: 1 },
            Unit::Week => Self::Seconds {
                factor: 1,
                divisor: 604_800,
            },
            Unit::Day => Self::Millis { divisor: DAY_MS },
            Unit::Hour => Self::Millis { divisor: 3_600_000 },
            Unit::Minute => Self::Millis { divisor: 60_000 },
            Unit::Second => Self::Millis { divisor: 1000 },
            Unit::Millisecond => Self::Seconds {
                factor: 1000,
                divisor: 1,
            },
            Unit::Microsecond => Self::Seconds {
                factor: 1_000_000,
                divisor: 1,
            },
            _ => return None,
        })
    }

    fn between(self, from: i64, to: i64) -> i32 {
        match self {
            Self::Months { divisor } => months_between_millis(from, to) / divisor,
            Self::Millis { divisor } => (to.wrapping_sub(from) / divisor) as i32,
            Self::Seconds { factor, divisor } => {
                let seconds = (to.wrapping_sub(from) / 1000) as i32;
                seconds.wrapping_mul(factor) / divisor
            }
        }
    }
}

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    use TypeKind::{Date, Time, Timestamp, TimestampLtz};
    exactly("TIMESTAMPDIFF", 3, args)?;
    let unit = unit_of(args, 0)?;
    let count = Count::of(unit);
    let nanos = unit == Unit::Nanosecond;
    let kernel = match (&args[1].ty.kind, &args[2].ty.kind, count) {
        (Timestamp(_) | Date, Timestamp(_) | Date, Some(count))
        | (TimestampLtz(_), TimestampLtz(_), Some(count)) => of_millis(count),
        (Timestamp(_) | Date, Timestamp(_) | Date, None)
        | (TimestampLtz(_), TimestampLtz(_), None)
            if nanos =>
        {
            of_nanos()
        }
        (Time(_), Timestamp(_), Some(count @ Count::Months { .. }))
        | (Timestamp(_), Time(_), Some(count @ Count::Months { .. })) => of_millis(count),
        // Flink takes the milliseconds of two TIMEs for days here, and refuses other units.
        (Time(_), Time(_), Some(Count::Months { divisor })) => of_times(divisor),
        (from, to, _) if from.is_datetime() && to.is_datetime() => {
            return Err(bad_unit("TIMESTAMPDIFF", 0, unit, from));
        }
        _ => return Err(bad_types("TIMESTAMPDIFF", args)),
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: nullable_if_args(
            if nanos {
                TypeKind::BigInt
            } else {
                TypeKind::Int
            },
            &args[1..],
        ),
        kernel,
    })
}

/// A DATE or timestamp argument in milliseconds.
pub(super) enum Points<'a> {
    /// A DATE.
    Days(Values<'a, Date32Type>),
    /// A TIME, on the first day of the epoch.
    Times(Values<'a, Time32MillisecondType>),
    /// A timestamp.
    Moments(Moments<'a>),
}

impl<'a> Points<'a> {
    /// Reads `column` as either.
    pub(super) fn new(column: &'a Column) -> Self {
        match column.array().data_type() {
            arrow_schema::DataType::Date32 => Self::Days(Values::new(column)),
            arrow_schema::DataType::Time32(_) => Self::Times(Values::new(column)),
            _ => Self::Moments(Moments::new(column)),
        }
    }

    /// Returns the milliseconds of `row`, or `None` for NULL.
    pub(super) fn millis(&self, row: usize) -> Option<i64> {
        match self {
            Self::Days(days) => days.get(row).map(|days| i64::from(days) * DAY_MS),
            Self::Times(times) => times.get(row).map(i64::from),
            Self::Moments(moments) => moments.get(row).map(|moment| moment.millis),
        }
    }
}

fn of_millis(count: Count) -> Arc<dyn Kernel> {
    BatchKernel::infallible("TIMESTAMPDIFF", move |args: &[Column], rows| {
        let (from, to) = (Points::new(&args[1]), Points::new(&args[2]));
        let counts = (0..rows).map(|row| Some(count.between(from.millis(row)?, to.millis(row)?)));
        Arc::new(counts.collect::<Int32Array>())
    })
}

fn of_nanos() -> Arc<dyn Kernel> {
    BatchKernel::infallible("TIMESTAMPDIFF", move |args: &[Column], rows| {
        let (from, to) = (Points::new(&args[1]), Points::new(&args[2]));
        let nanos = (0..rows).map(|row| {
            let seconds = to.millis(row)?.wrapping_sub(from.millis(row)?) / 1000;
            Some(seconds.wrapping_mul(1_000_000_000))
        });
        Arc::new(nanos.collect::<Int64Array>())
    })
}

fn of_times(divisor: i32) -> Arc<dyn Kernel> {
    BatchKernel::infallible("TIMESTAMPDIFF", move |args: &[Column], rows| {
        let from = Values::<Time32MillisecondType>::new(&args[1]);
        let to = Values::<Time32MillisecondType>::new(&args[2]);
        let counts =
            (0..rows).map(|row| Some(months_between_dates(from.get(row)?, to.get(row)?) / divisor));
        Arc::new(counts.collect::<Int32Array>())
    })
}
