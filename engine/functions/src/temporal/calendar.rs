//! The arithmetic of dates that EXTRACT, FLOOR, CEIL, TIMESTAMPADD and TIMESTAMPDIFF share.
//!
//! # Flink
//! `org.apache.flink.table.utils.DateTimeUtils`, 1.17, with its quirks where they show.

use super::unit::Unit;
use crate::cast::civil::{date_from_days, days_from_date, days_of_month};

/// Milliseconds in a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Julian day number of 1970-01-01.
const EPOCH_JULIAN: i64 = 2_440_588;
/// The last Julian day number of the Julian calendar, 1582-10-04.
const LAST_JULIAN: i64 = 2_299_160;

/// Narrows a day to what a DATE holds; years reach five million, so nothing of Flink's range is lost.
fn narrow(days: i64) -> i32 {
    days as i32
}

/// Returns the days since the epoch of the first of a month, where month 13 is the next year's January.
fn first_of_month(year: i64, month: i64) -> i32 {
    let month = month - 1;
    let year = year + month.div_euclid(12);
    let month = u32::try_from(month.rem_euclid(12)).expect("below 12") + 1;
    java_days(year, month, 1)
}

/// Returns the days since the epoch as Java's 32 bits have them: quotients are cut towards zero, which shows before
/// the year -4800, and the sum wraps around.
fn java_days(year: i64, month: u32, day: u32) -> i32 {
    let begins_before_march = i64::from(month <= 2);
    let year = year + 4800 - begins_before_march;
    let month = i64::from(month) + 12 * begins_before_march - 3;
    let julian = i64::from(day) + (153 * month + 2) / 5 + 365 * year + year / 4 - year / 100
        + year / 400
        - 32_045;
    narrow(julian - EPOCH_JULIAN)
}

/// Adds months to a date; a day the month does not have becomes its last one.
pub(crate) fn add_months_to_date(days: i32, months: i32) -> i32 {
    let (year, month, day) = date_from_days(i64::from(days));
    // Java counts the months from the year's first as 32 bits that wrap around.
    let total = i64::from((month as i32).wrapping_add(months)) - 1;
    let year = year + total.div_euclid(12);
    let month = u32::try_from(total.rem_euclid(12)).expect("below 12") + 1;
    java_days(year, month, day.min(days_of_month(year, month)))
}

/// Adds months to a timestamp in milliseconds; the time of day stays.
pub(crate) fn add_months_to_millis(millis: i64, months: i32) -> i64 {
    let days = add_months_to_date(narrow(millis.div_euclid(DAY_MS)), months);
    i64::from(days) * DAY_MS + millis.rem_euclid(DAY_MS)
}

/// Returns the whole months from one date to another.
pub(crate) fn months_between_dates(from: i32, to: i32) -> i32 {
    if to < from {
        return -months_between_dates(to, from);
    }
    let (to_year, to_month, _) = date_from_days(i64::from(to));
    let (from_year, from_month, _) = date_from_days(i64::from(from));
    let months = (to_year - from_year) * 12 + i64::from(to_month) - i64::from(from_month);
    let months = months as i32;
    months - i32::from(add_months_to_date(from, months) > to)
}

/// Returns the whole months from one timestamp to another, both in milliseconds.
pub(crate) fn months_between_millis(from: i64, to: i64) -> i32 {
    let (to_days, from_days) = (
        narrow(to.div_euclid(DAY_MS)),
        narrow(from.div_euclid(DAY_MS)),
    );
    let months = months_between_dates(from_days, to_days);
    // Flink looks at the time of day in this direction only, whichever point is the earlier one.
    let early = to.rem_euclid(DAY_MS) < from.rem_euclid(DAY_MS);
    months - i32::from(early && add_months_to_date(from_days, months) == to_days)
}

/// Which way a value is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Down, FLOOR.
    Floor,
    /// Up, CEIL.
    Ceil,
}

/// Rounds a date to a unit from DAY to MILLENNIUM; any other unit leaves it.
///
/// # Flink
/// `julianDateFloor`: a date is split by the calendar in force on it, which is the Julian one up to 1582-10-04,
/// and put together as a Gregorian one. CEIL to DAY is the next day.
pub(crate) fn round_date(unit: Unit, days: i32, rounding: Rounding) -> i32 {
    let ceil = rounding == Rounding::Ceil;
    let (year, month, day) = calendar_in_force(i64::from(days));
    // The first year of a group that begins with a year ending in 1.
    let group = |size: i64| {
        let last = size * ((year + size - 1) / size);
        first_of_month(if ceil { last + 1 } else { last - size + 1 }, 1)
    };
    let begun = ceil && (month > 1 || day > 1);
    match unit {
        Unit::Millennium => group(1000),
        Unit::Century => group(100),
        Unit::Decade => first_of_month(10 * (year / 10 + i64::from(ceil)), 1),
        Unit::Year => first_of_month(year + i64::from(begun), 1),
        // Flink compares with January and not with the quarter's first month.
        Unit::Quarter => first_of_month(year, (month + 2) / 3 * 3 - 2 + 3 * i64::from(begun)),
        Unit::Month => first_of_month(year, month + i64::from(ceil && day > 1)),
        Unit::Week => {
            let weekday = days.wrapping_add(4).rem_euclid(7);
            let back = if ceil && weekday > 0 {
                weekday - 7
            } else {
                weekday
            };
            first_of_month(year, month).wrapping_add(narrow(day) - 1 - back)
        }
        Unit::Day => first_of_month(year, month).wrapping_add(narrow(day) - 1 + i32::from(ceil)),
        _ => days,
    }
}

/// Splits a date by the Julian calendar up to 1582-10-04 and by the Gregorian one after.
fn calendar_in_force(days: i64) -> (i64, i64, i64) {
    let julian = days + EPOCH_JULIAN;
    if julian > LAST_JULIAN {
        let (year, month, day) = date_from_days(days);
        return (year, i64::from(month), i64::from(day));
    }
    let c = julian + 32_082;
    let d = (4 * c + 3) / 1461;
    let e = c - 1461 * d / 4;
    let m = (5 * e + 2) / 153;
    (
        d - 4800 + m / 10,
        m + 3 - 12 * (m / 10),
        e - (153 * m + 2) / 5 + 1,
    )
}

/// Returns a field of a date, or nothing for a unit below the day.
pub(crate) fn extract_from_date(unit: Unit, days: i32) -> Option<i64> {
    let days = i64::from(days);
    let (year, month, day) = date_from_days(days);
    let group = |size: i64| (year + if year > 0 { size - 1 } else { 1 - size }) / size;
    Some(match unit {
        Unit::Millennium => group(1000),
        Unit::Century => group(100),
        Unit::Decade => year / 10,
        Unit::Year => year,
        Unit::IsoYear => iso_week(days).0,
        Unit::Quarter => (i64::from(month) + 2) / 3,
        Unit::Month => i64::from(month),
        Unit::Week => iso_week(days).1,
        Unit::Day => i64::from(day),
        Unit::DayOfWeek => (days + 4).rem_euclid(7) + 1,
        Unit::IsoDayOfWeek => (days + 3).rem_euclid(7) + 1,
        Unit::DayOfYear => days - days_from_date(year, 1, 1) + 1,
        Unit::Epoch => days * 86_400,
        _ => return None,
    })
}

/// Returns ISO 8601's year and week of a date.
pub(crate) fn iso_week(days: i64) -> (i64, i64) {
    // The week belongs to the year its Thursday lies in.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, _, _) = date_from_days(thursday);
    (year, (thursday - days_from_date(year, 1, 1)) / 7 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(text: &str) -> i32 {
        let mut parts = text.split('-').map(|part| part.parse::<u32>().unwrap());
        let year = i64::from(parts.next().unwrap());
        narrow(days_from_date(
            year,
            parts.next().unwrap(),
            parts.next().unwrap(),
        ))
    }

    #[test]
    fn months_are_added_with_the_last_day_as_limit() {
        assert_eq!(
            add_months_to_date(days("2024-01-31"), 1),
            days("2024-02-29")
        );
        assert_eq!(
            add_months_to_date(days("2024-01-31"), -2),
            days("2023-11-30")
        );
        assert_eq!(
            add_months_to_date(days("2024-03-31"), -3),
            days("2023-12-31")
        );
        assert_eq!(
            add_months_to_date(days("2024-02-29"), 12),
            days("2025-02-28")
        );
        assert_eq!(add_months_to_millis(-1, 2), 59 * DAY_MS - 1);
    }

    #[test]
    fn extreme_dates_wrap_around() {
        // Flink's answers for DATE '1900-02-28' plus 2,147,483,647 months.
        let wrapped = add_months_to_date(days("1900-02-28"), i32::MAX);
        assert_eq!(date_from_days(i64::from(wrapped)), (-2_566_755, 3, 23));
        let units = [
            Unit::Millennium,
            Unit::Century,
            Unit::Decade,
            Unit::Year,
            Unit::Quarter,
            Unit::Month,
            Unit::Week,
            Unit::Day,
            Unit::IsoYear,
            Unit::DayOfYear,
            Unit::Epoch,
        ];
        for days in [i32::MIN, i32::MIN + 1, i32::MAX - 1, i32::MAX] {
            for unit in units {
                round_date(unit, days, Rounding::Floor);
                round_date(unit, days, Rounding::Ceil);
                extract_from_date(unit, days);
            }
            for other in [i32::MIN, 0, i32::MAX] {
                add_months_to_date(days, other);
                months_between_dates(days, other);
            }
        }
        for millis in [i64::MIN, i64::MAX] {
            add_months_to_millis(millis, i32::MIN);
            months_between_millis(millis, 0);
            months_between_millis(0, millis);
        }
    }

    #[test]
    fn months_between_count_whole_ones() {
        assert_eq!(
            months_between_dates(days("2024-01-31"), days("2024-02-29")),
            1
        );
        assert_eq!(
            months_between_dates(days("2024-01-31"), days("2024-02-28")),
            0
        );
        assert_eq!(
            months_between_dates(days("2024-02-29"), days("2023-02-28")),
            -12
        );
        assert_eq!(months_between_millis(DAY_MS / 2, 31 * DAY_MS), 0);
        assert_eq!(
            months_between_millis(DAY_MS / 2, 31 * DAY_MS + DAY_MS / 2),
            1
        );
    }

    #[test]
    fn weeks_follow_iso_8601() {
        assert_eq!(iso_week(i64::from(days("2021-01-03"))), (2020, 53));
        assert_eq!(iso_week(i64::from(days("2024-12-30"))), (2025, 1));
        assert_eq!(iso_week(i64::from(days("2024-12-29"))), (2024, 52));
    }

    #[test]
    fn rounds_dates_to_units() {
        let check = |unit, text: &str, floor: &str, ceil: &str| {
            assert_eq!(
                round_date(unit, days(text), Rounding::Floor),
                days(floor),
                "{text}"
            );
            assert_eq!(
                round_date(unit, days(text), Rounding::Ceil),
                days(ceil),
                "{text}"
            );
        };
        check(Unit::Year, "2024-02-15", "2024-01-01", "2025-01-01");
        check(Unit::Quarter, "2024-01-01", "2024-01-01", "2024-01-01");
        check(Unit::Quarter, "2024-12-01", "2024-10-01", "2025-01-01");
        check(Unit::Month, "2024-02-15", "2024-02-01", "2024-03-01");
        check(Unit::Week, "2024-02-15", "2024-02-11", "2024-02-18");
        check(Unit::Century, "2000-06-01", "1901-01-01", "2001-01-01");
        check(Unit::Decade, "2024-06-01", "2020-01-01", "2030-01-01");
    }
}
