//! Conversions between dates, times of day and timestamps.
//!
//! # Flink
//! A timestamp that loses digits is cut towards the epoch in milliseconds (`DateTimeUtils.truncate`), so
//! `1969-12-31 23:59:59.999` becomes `1970-01-01 00:00:00` in TIMESTAMP(0). TIMESTAMP → TIME takes the rest of
//! the division by a day, negative before 1970; through a zone the wall clock is right.

use arrow_array::types::{
    Date32Type, Decimal128Type, Time32MillisecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use jiff::tz::TimeZone;
use millrace_connector::TypeKind;
use millrace_connector::physical::{MICROSECOND_PRECISION_MAX, arrow_type};

use super::civil::MILLIS_PER_DAY;
use super::convert::{Converter, OnFailure, build_primitive, map_primitive, primitive};
use super::print::timestamp_at;
use super::zone::ZoneOffsets;
use crate::RowError;

/// Builds a timestamp array from milliseconds since the epoch and nanoseconds of the millisecond.
pub(crate) fn timestamp_builder(
    rows: usize,
    nulls: Option<&NullBuffer>,
    precision: u8,
    on_failure: OnFailure,
    mut value: impl FnMut(usize) -> Result<(i64, i32), String>,
) -> Result<ArrayRef, RowError> {
    let data_type = arrow_type(&TypeKind::Timestamp(precision));
    if precision <= MICROSECOND_PRECISION_MAX {
        return build_primitive::<TimestampMicrosecondType>(
            rows,
            nulls,
            &data_type,
            on_failure,
            |row| {
                let (millis, nanos) = value(row)?;
                // Far outside of the years that 64 bits of microseconds reach, the value wraps.
                let micros = millis
                    .wrapping_mul(1000)
                    .wrapping_add(i64::from(nanos / 1000));
                Ok(Some(micros))
            },
        );
    }
    build_primitive::<Decimal128Type>(rows, nulls, &data_type, on_failure, |row| {
        let (millis, nanos) = value(row)?;
        Ok(Some(i128::from(millis) * 1_000_000 + i128::from(nanos)))
    })
}

/// Returns the conversion between two types of the datetime family.
pub(crate) fn converter(from: &TypeKind, to: &TypeKind, tz: &TimeZone) -> Option<Converter> {
    use TypeKind::{Date, Time, Timestamp, TimestampLtz};
    Some(match (from, to) {
        (Date, Date) | (Time(_), Time(_)) => Converter::identity(),
        (Date | Time(_), Timestamp(precision)) => from_part(from, *precision, None),
        (Date | Time(_), TimestampLtz(precision)) => from_part(from, *precision, Some(tz.clone())),
        (Timestamp(_), Date) => to_days(None),
        (TimestampLtz(_), Date) => to_days(Some(tz.clone())),
        (Timestamp(_), Time(_)) => to_time(None),
        (TimestampLtz(_), Time(_)) => to_time(Some(tz.clone())),
        (Timestamp(p), Timestamp(q)) | (TimestampLtz(p), TimestampLtz(q)) => {
            to_timestamp(*p, *q, Shift::None)
        }
        (Timestamp(p), TimestampLtz(q)) => to_timestamp(*p, *q, Shift::ToInstant(tz.clone())),
        (TimestampLtz(p), Timestamp(q)) => to_timestamp(*p, *q, Shift::ToLocal(tz.clone())),
        _ => return None,
    })
}

/// DATE or TIME to a timestamp: midnight of the day, or the time on 1970-01-01, with its fraction of a second
/// even where the precision has none.
fn from_part(from: &TypeKind, precision: u8, tz: Option<TimeZone>) -> Converter {
    let is_date = *from == TypeKind::Date;
    Converter::infallible(move |array| {
        let mut zone = tz.as_ref().map(ZoneOffsets::new);
        timestamp_builder(
            array.len(),
            array.nulls(),
            precision,
            OnFailure::Fail,
            |row| {
                let local = if is_date {
                    i64::from(primitive::<Date32Type>(array).value(row)) * MILLIS_PER_DAY
                } else {
                    i64::from(primitive::<Time32MillisecondType>(array).value(row))
                };
                let millis = match &mut zone {
                    Some(zone) => zone.instant_millis(local),
                    None => local,
                };
                Ok((millis, 0))
            },
        )
    })
}

fn to_days(tz: Option<TimeZone>) -> Converter {
    Converter::infallible(move |array| {
        let mut zone = tz.as_ref().map(ZoneOffsets::new);
        let data_type = arrow_type(&TypeKind::Date);
        build_primitive::<Date32Type>(
            array.len(),
            array.nulls(),
            &data_type,
            OnFailure::Fail,
            |row| {
                let (millis, _) = timestamp_at(array, row);
                let days = match &mut zone {
                    Some(zone) => zone.local_millis(millis).div_euclid(MILLIS_PER_DAY),
                    // Flink cuts towards the epoch here.
                    None => millis / MILLIS_PER_DAY,
                };
                Ok(i32::try_from(days).ok())
            },
        )
    })
}

fn to_time(tz: Option<TimeZone>) -> Converter {
    Converter::infallible(move |array| {
        let mut zone = tz.as_ref().map(ZoneOffsets::new);
        let data_type = arrow_type(&TypeKind::Time(0));
        build_primitive::<Time32MillisecondType>(
            array.len(),
            array.nulls(),
            &data_type,
            OnFailure::Fail,
            |row| {
                let (millis, _) = timestamp_at(array, row);
                let of_day = match &mut zone {
                    Some(zone) => zone.local_millis(millis).rem_euclid(MILLIS_PER_DAY),
                    None => millis % MILLIS_PER_DAY,
                };
                Ok(i32::try_from(of_day).ok())
            },
        )
    })
}

/// How a timestamp moves between wall clock and instant.
enum Shift {
    None,
    ToInstant(TimeZone),
    ToLocal(TimeZone),
}

fn to_timestamp(from: u8, to: u8, shift: Shift) -> Converter {
    let narrow = |precision| precision <= MICROSECOND_PRECISION_MAX;
    if matches!(shift, Shift::None) && from <= to && narrow(from) == narrow(to) {
        return Converter::identity();
    }
    if matches!(shift, Shift::None) && from <= to {
        let data_type = arrow_type(&TypeKind::Timestamp(to));
        return Converter::infallible(move |array| {
            Ok(map_primitive::<TimestampMicrosecondType, Decimal128Type>(
                array,
                &data_type,
                |micros| i128::from(micros) * 1000,
            ))
        });
    }
    Converter::infallible(move |array| {
        let mut zone = match &shift {
            Shift::None => None,
            Shift::ToInstant(tz) | Shift::ToLocal(tz) => Some(ZoneOffsets::new(tz)),
        };
        timestamp_builder(array.len(), array.nulls(), to, OnFailure::Fail, |row| {
            let (millis, nanos) = timestamp_at(array, row);
            let millis = match (&shift, &mut zone) {
                (Shift::ToInstant(_), Some(zone)) => zone.instant_millis(millis),
                (Shift::ToLocal(_), Some(zone)) => zone.local_millis(millis),
                _ => millis,
            };
            Ok(if from > to {
                truncate(millis, nanos, to)
            } else {
                (millis, nanos)
            })
        })
    })
}

/// Cuts a timestamp to `precision` digits of a second.
pub(crate) fn truncate(millis: i64, nanos_of_milli: i32, precision: u8) -> (i64, i32) {
    if precision <= 3 {
        return (cut_millis(millis, precision), 0);
    }
    let unit = 10_i32.pow(u32::from(9 - precision.min(9)));
    (millis, nanos_of_milli / unit * unit)
}

/// Sets the last digits of a millisecond count to zero.
fn cut_millis(millis: i64, precision: u8) -> i64 {
    if precision >= 3 {
        return millis;
    }
    let unit = 10_i64.pow(u32::from(3 - precision));
    millis / unit * unit
}

/// Returns an array of the type with all rows NULL.
pub(crate) fn all_null(to: &TypeKind) -> Converter {
    let data_type = arrow_type(to);
    Converter::infallible(move |array: &ArrayRef| {
        Ok(arrow_array::new_null_array(&data_type, array.len()))
    })
}
