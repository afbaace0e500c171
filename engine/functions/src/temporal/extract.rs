//! EXTRACT and the functions that are short for it: YEAR, QUARTER, MONTH, WEEK, DAYOFYEAR, DAYOFMONTH, DAYOFWEEK,
//! HOUR, MINUTE and SECOND.
//!
//! # Flink
//! `ExtractCallGen` and `DateTimeUtils.extractFromTimestamp`, 1.17. The day of a timestamp is its milliseconds
//! divided by a day **towards zero**, so the last day of 1969 counts as the first of 1970; below the day, fields
//! before 1970 are negative. Hours and less of a DATE are made of its number of days.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type, Time32MillisecondType};
use arrow_array::{ArrowPrimitiveType, Int64Array};
use jiff::tz::TimeZone;
use millrace_connector::TypeKind;

use super::arguments::{bad_unit, unit_of};
use super::calendar::{DAY_MS, extract_from_date};
use super::java_zone::{JavaZone, ZoneCursor};
use super::moments::{Moment, Moments, values};
use super::unit::Unit;
use crate::operator::signature::{bad_types, exactly, nullable_if_args};
use crate::string::BatchKernel;
use crate::{
    Arg, BindContext, Bound, CallError, Category, Column, FunctionDef, Kernel, Volatility,
};

/// `EXTRACT`.
pub(crate) static EXTRACT: FunctionDef = FunctionDef {
    name: "EXTRACT",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["EXTRACT(unit FROM value) → BIGINT"],
    doc: "Returns a field of a date, time, timestamp or interval.\n\
          Units: MILLENNIUM, CENTURY, DECADE, YEAR, ISOYEAR, QUARTER, MONTH, WEEK (ISO 8601), DAY, DOW (1 is Sunday), \
          ISODOW (1 is Monday), DOY, HOUR, MINUTE, SECOND, MILLISECOND, MICROSECOND, NANOSECOND, EPOCH.\n\
          A TIMESTAMP_LTZ is read in the session's time zone.\nNULL gives NULL.",
    examples: &[
        ("EXTRACT(YEAR FROM DATE '2024-05-06')", "2024"),
        ("EXTRACT(HOUR FROM TIMESTAMP '2024-05-06 07:08:09')", "7"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, ctx| {
        exactly("EXTRACT", 2, args)?;
        bind("EXTRACT", args, 1, unit_of(args, 0)?, ctx)
    },
};

macro_rules! part {
    ($constant:ident, $name:literal, $unit:expr, $what:literal, $example:expr) => {
        #[doc = concat!("`", $name, "`.")]
        pub(crate) static $constant: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::Temporal,
            signatures: &[concat!($name, "(value) → BIGINT")],
            doc: concat!(
                "Returns ",
                $what,
                " of a date or timestamp.\nA TIMESTAMP_LTZ is read in the session's time zone.\nNULL gives NULL."
            ),
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: |args, ctx| {
                exactly($name, 1, args)?;
                if !args[0].ty.kind.is_datetime() {
                    return Err(bad_types($name, args));
                }
                bind($name, args, 0, $unit, ctx)
            },
        };
    };
}

part!(
    YEAR,
    "YEAR",
    Unit::Year,
    "the year",
    ("YEAR(DATE '2024-05-06')", "2024")
);
part!(
    QUARTER,
    "QUARTER",
    Unit::Quarter,
    "the quarter, 1 to 4,",
    ("QUARTER(DATE '2024-05-06')", "2")
);
part!(
    MONTH,
    "MONTH",
    Unit::Month,
    "the month, 1 to 12,",
    ("MONTH(DATE '2024-05-06')", "5")
);
part!(
    WEEK,
    "WEEK",
    Unit::Week,
    "the week by ISO 8601, 1 to 53,",
    ("WEEK(DATE '2024-05-06')", "19")
);
part!(
    DAYOFYEAR,
    "DAYOFYEAR",
    Unit::DayOfYear,
    "the day of the year, 1 to 366,",
    ("DAYOFYEAR(DATE '2024-05-06')", "127")
);
part!(
    DAYOFMONTH,
    "DAYOFMONTH",
    Unit::Day,
    "the day of the month, 1 to 31,",
    ("DAYOFMONTH(DATE '2024-05-06')", "6")
);
part!(
    DAYOFWEEK,
    "DAYOFWEEK",
    Unit::DayOfWeek,
    "the weekday, 1 for Sunday to 7,",
    ("DAYOFWEEK(DATE '2024-05-06')", "2")
);
part!(
    HOUR,
    "HOUR",
    Unit::Hour,
    "the hour, 0 to 23,",
    ("HOUR(TIMESTAMP '2024-05-06 07:08:09')", "7")
);
part!(
    MINUTE,
    "MINUTE",
    Unit::Minute,
    "the minute, 0 to 59,",
    ("MINUTE(TIMESTAMP '2024-05-06 07:08:09')", "8")
);
part!(
    SECOND,
    "SECOND",
    Unit::Second,
    "the second, 0 to 59,",
    ("SECOND(TIMESTAMP '2024-05-06 07:08:09')", "9")
);

fn bind(
    name: &'static str,
    args: &[Arg],
    value: usize,
    unit: Unit,
    ctx: &BindContext,
) -> Result<Bound, CallError> {
    let refused = || bad_unit(name, 0, unit, &args[value].ty.kind);
    let kernel = match &args[value].ty.kind {
        TypeKind::Date => of_numbers::<Date32Type>(value, date_field(unit).ok_or_else(refused)?),
        TypeKind::Time(_) => {
            of_numbers::<Time32MillisecondType>(value, time_field(unit).ok_or_else(refused)?)
        }
        TypeKind::Timestamp(_) => of_moments(value, unit, None),
        TypeKind::TimestampLtz(_) => of_moments(value, unit, Some(ctx.session_tz.clone())),
        TypeKind::IntervalYearMonth(..) => {
            of_numbers::<Int32Type>(value, months_field(unit).ok_or_else(refused)?)
        }
        TypeKind::IntervalDayTime(..) => {
            of_numbers::<Int64Type>(value, millis_field(unit).ok_or_else(refused)?)
        }
        _ => return Err(bad_types(name, args)),
    };
    Ok(Bound {
        arg_types: args.iter().map(|arg| arg.ty.clone()).collect(),
        return_type: nullable_if_args(TypeKind::BigInt, &args[value..=value]),
        kernel,
    })
}

/// A field of a number: days, milliseconds or months.
type NumberField = Box<dyn Fn(i64) -> i64 + Send + Sync>;

fn of_numbers<T>(value: usize, field: NumberField) -> Arc<dyn Kernel>
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    BatchKernel::infallible("EXTRACT", move |args: &[Column], rows| {
        let numbers = values(&args[value], rows);
        let fields: Int64Array = numbers
            .as_primitive::<T>()
            .unary(|number| field(number.into()));
        Arc::new(fields)
    })
}

fn of_moments(value: usize, unit: Unit, zone: Option<TimeZone>) -> Arc<dyn Kernel> {
    let zone = zone.map(|zone| Arc::new(JavaZone::of_zone(zone)));
    BatchKernel::infallible("EXTRACT", move |args: &[Column], rows| {
        let mut cursor = zone.as_ref().map(|zone| ZoneCursor::new(Arc::clone(zone)));
        let moments = Moments::new(&args[value]);
        let field = |row| {
            let mut moment = moments.get(row)?;
            if let Some(cursor) = &mut cursor {
                let offset = cursor.offset_at(moment.millis.div_euclid(1000)) * 1000;
                moment.millis = moment.millis.wrapping_add(offset);
            }
            Some(moment_field(unit, moment))
        };
        Arc::new((0..rows).map(field).collect::<Int64Array>())
    })
}

/// Returns a field of a wall clock.
fn moment_field(unit: Unit, moment: Moment) -> i64 {
    match unit {
        Unit::Epoch => moment.millis / 1000,
        Unit::Microsecond => moment.millis % 1000 * 1000 + moment.nanos / 1000,
        Unit::Nanosecond => moment.millis % 1000 * 1_000_000 + moment.nanos,
        Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond => {
            time_part(unit, moment.millis)
        }
        _ => extract_from_date(unit, (moment.millis / DAY_MS) as i32)
            .expect("the units below the day are listed above"),
    }
}

/// HOUR, MINUTE, SECOND or MILLISECOND of milliseconds.
fn time_part(unit: Unit, millis: i64) -> i64 {
    match unit {
        Unit::Hour => millis % DAY_MS / 3_600_000,
        Unit::Minute => millis % 3_600_000 / 60_000,
        Unit::Second => millis % 60_000 / 1000,
        _ => millis % 1000,
    }
}

fn is_time_part(unit: Unit) -> bool {
    matches!(
        unit,
        Unit::Hour | Unit::Minute | Unit::Second | Unit::Millisecond
    )
}

fn date_field(unit: Unit) -> Option<NumberField> {
    if is_time_part(unit) {
        // The days are taken for milliseconds.
        return Some(Box::new(move |days| time_part(unit, days)));
    }
    extract_from_date(unit, 0)?;
    Some(Box::new(move |days| {
        extract_from_date(unit, days as i32).unwrap_or(0)
    }))
}

fn time_field(unit: Unit) -> Option<NumberField> {
    is_time_part(unit).then(|| Box::new(move |millis| time_part(unit, millis)) as NumberField)
}

fn millis_field(unit: Unit) -> Option<NumberField> {
    match unit {
        Unit::Day => Some(Box::new(|millis| millis / DAY_MS)),
        _ => time_field(unit),
    }
}

fn months_field(unit: Unit) -> Option<NumberField> {
    let field: fn(i64) -> i64 = match unit {
        Unit::Millennium => |months| months / 12_000,
        Unit::Century => |months| months / 1200,
        Unit::Year => |months| months / 12,
        Unit::Quarter => |months| (months % 12 - 1) / 3 + 1,
        Unit::Month => |months| months % 12,
        _ => return None,
    };
    Some(Box::new(field))
}
