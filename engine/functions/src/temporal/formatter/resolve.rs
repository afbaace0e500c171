//! Makes a wall clock of fields, smartly: 30 February is the month's last day, 24:00:00 the next midnight.
//!
//! # Flink
//! `java.time.format.Parsed`, and `DateTimeUtils.fromTemporalAccessor`, which takes what is missing from
//! 1970-01-01 00:00:00.

use super::Formatter;
use super::field::Field;
use super::parse::Parsed;
use super::print::Local;
use crate::cast::civil::{MILLIS_PER_DAY, days_from_date, days_of_month, is_leap_year};

/// What a text is to a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A wall clock, in milliseconds as if it were UTC.
    Millis(i64),
    /// The text does not fit, or its fields contradict each other or their ranges.
    Mismatch,
    /// The fields fit but make no date.
    NoDate,
}

/// The greatest year there is.
const YEAR_MAX: i64 = 999_999_999;

impl Formatter {
    /// Reads a text.
    pub(crate) fn read(&self, text: &str) -> Reading {
        let Some(mut fields) = self.fields(text) else {
            return Reading::Mismatch;
        };
        match resolve(&mut fields) {
            Some((date, time, midnight)) => match finish(&fields, date, time) {
                Some(millis) if midnight && date.is_some() => {
                    Reading::Millis(millis.saturating_add(MILLIS_PER_DAY))
                }
                Some(millis) => Reading::Millis(millis),
                None => Reading::NoDate,
            },
            None => Reading::Mismatch,
        }
    }
}

fn check(value: i64, low: i64, high: i64) -> Option<i64> {
    (low..=high).contains(&value).then_some(value)
}

/// Returns the date, the nanosecond of the day, and whether it was 24:00:00.
fn resolve(fields: &mut Parsed) -> Option<(Option<i64>, Option<i64>, bool)> {
    simplify_hours(fields)?;
    simplify_time(fields)?;
    resolve_era(fields)?;
    let date = resolve_date(fields)?;
    let (time, midnight) = match resolve_time(fields)? {
        Some((nanos, midnight)) => (Some(nanos), midnight),
        None => (None, false),
    };
    if let Some(days) = date {
        cross_check(fields, days)?;
    }
    if let Some(nanos) = time {
        let hour = nanos / 3_600_000_000_000;
        let agrees = |field, value| fields.get(field).is_none_or(|given| given == value);
        if !agrees(Field::AmPm, hour / 12) || !agrees(Field::HourOfAmPm, hour % 12) {
            return None;
        }
    }
    Some((date, time, midnight))
}

fn simplify_hours(fields: &mut Parsed) -> Option<()> {
    if let Some(hour) = fields.take(Field::ClockHourOfDay) {
        check(hour, 0, 24)?;
        fields.set(Field::HourOfDay, hour % 24)?;
    }
    if let Some(hour) = fields.take(Field::ClockHourOfAmPm) {
        check(hour, 0, 12)?;
        fields.set(Field::HourOfAmPm, hour % 12)?;
    }
    if let (Some(half), Some(hour)) = (fields.get(Field::AmPm), fields.get(Field::HourOfAmPm)) {
        check(hour, 0, 11)?;
        fields.take(Field::AmPm);
        fields.take(Field::HourOfAmPm);
        fields.set(Field::HourOfDay, half * 12 + hour)?;
    }
    Some(())
}

fn simplify_time(fields: &mut Parsed) -> Option<()> {
    let nano_of_day = match (
        fields.take(Field::NanoOfDay),
        fields.take(Field::MilliOfDay),
    ) {
        (Some(nanos), None) => Some(nanos),
        (None, Some(millis)) => Some(millis.checked_mul(1_000_000)?),
        (Some(nanos), Some(millis)) if nanos / 1_000_000 == millis => Some(nanos),
        (Some(_), Some(_)) => return None,
        (None, None) => None,
    };
    let Some(nanos) = nano_of_day else {
        return Some(());
    };
    check(nanos, 0, MILLIS_PER_DAY * 1_000_000 - 1)?;
    let seconds = nanos / 1_000_000_000;
    fields.set(Field::HourOfDay, seconds / 3600)?;
    fields.set(Field::Minute, seconds / 60 % 60)?;
    fields.set(Field::Second, seconds % 60)?;
    fields.set(Field::Nano, nanos % 1_000_000_000)
}

fn resolve_era(fields: &mut Parsed) -> Option<()> {
    let Some(year) = fields.take(Field::YearOfEra) else {
        return Some(());
    };
    check(year, 1, YEAR_MAX + 1)?;
    let year = match fields.take(Field::Era) {
        Some(0) => 1 - year,
        Some(_) => year,
        None if fields.get(Field::Year).is_none_or(|given| given > 0) => year,
        None => 1 - year,
    };
    fields.set(Field::Year, year)
}

/// The outer option is about contradictions, the inner one about whether the fields make a date.
fn resolve_date(fields: &mut Parsed) -> Option<Option<i64>> {
    if let Some(weekday) = fields.take(Field::LocalDayOfWeek) {
        check(weekday, 1, 7)?;
        fields.set(Field::DayOfWeek, (weekday + 5) % 7 + 1)?;
    }
    if let Some(day) = fields.take(Field::ModifiedJulianDay) {
        return Some(Some(
            check(day, -365_961_480_000, 364_522_971_000)? - 40_587,
        ));
    }
    if let Some(days) = week_date(fields)? {
        return Some(Some(days));
    }
    let Some(year) = fields.get(Field::Year) else {
        return Some(None);
    };
    check(year, -YEAR_MAX, YEAR_MAX)?;
    if let (Some(month), Some(day)) = (fields.get(Field::Month), fields.get(Field::DayOfMonth)) {
        let month = u32::try_from(check(month, 1, 12)?).ok()?;
        let day = u32::try_from(check(day, 1, 31)?).ok()?;
        fields.take(Field::Month);
        fields.take(Field::DayOfMonth);
        let day = day.min(days_of_month(year, month));
        return Some(Some(days_from_date(year, month, day)));
    }
    if let Some(day) = fields.take(Field::DayOfYear) {
        check(day, 1, 365 + i64::from(is_leap_year(year)))?;
        return Some(Some(days_from_date(year, 1, 1) + day - 1));
    }
    if let (Some(month), Some(week), Some(weekday)) = (
        fields.get(Field::Month),
        fields.get(Field::WeekOfMonth),
        fields.get(Field::DayOfWeek),
    ) {
        let month = u32::try_from(check(month, 1, 12)?).ok()?;
        check(week, 0, 6)?;
        fields.take(Field::Month);
        fields.take(Field::WeekOfMonth);
        let first = days_from_date(year, month, 1);
        return Some(Some(first_of_week(first) + 7 * (week - 1) + weekday % 7));
    }
    Some(None)
}

/// Returns the Sunday on or before the day.
fn first_of_week(days: i64) -> i64 {
    days - (days + 4).rem_euclid(7)
}

fn week_date(fields: &mut Parsed) -> Option<Option<i64>> {
    let (Some(year), Some(week), Some(weekday)) = (
        fields.get(Field::WeekYear),
        fields.get(Field::WeekOfYear),
        fields.get(Field::DayOfWeek),
    ) else {
        return Some(None);
    };
    check(year, -YEAR_MAX, YEAR_MAX)?;
    check(week, 1, 53)?;
    let first = first_of_week(days_from_date(year, 1, 1));
    Some(Some(first + 7 * (week - 1) + weekday % 7))
}

/// Refuses fields that say something else than the date they did not take part in.
fn cross_check(fields: &Parsed, days: i64) -> Option<()> {
    let local = Local::of_days(days);
    let agrees = |field: &Field| {
        fields
            .get(*field)
            .is_none_or(|given| local.get(*field) == Some(given))
    };
    [
        Field::Era,
        Field::Year,
        Field::Quarter,
        Field::Month,
        Field::DayOfYear,
        Field::DayOfMonth,
        Field::WeekdayInMonth,
        Field::DayOfWeek,
        Field::WeekYear,
        Field::WeekOfYear,
        Field::WeekOfMonth,
    ]
    .iter()
    .all(agrees)
    .then_some(())
}

/// Returns the nanosecond of the day and whether it was 24:00:00, where hours say it.
fn resolve_time(fields: &mut Parsed) -> Option<Option<(i64, bool)>> {
    let (hour, minute) = (fields.get(Field::HourOfDay), fields.get(Field::Minute));
    let (second, nano) = (fields.get(Field::Second), fields.get(Field::Nano));
    if hour.is_some() {
        let gap = minute.is_none() && (second.is_some() || nano.is_some());
        if gap || (second.is_none() && nano.is_some()) {
            return Some(None);
        }
    }
    let values = [hour, minute, second, nano].map(|value| value.unwrap_or(0));
    let [h, m, s, n] = values;
    let midnight = hour.is_some() && values == [24, 0, 0, 0];
    if !midnight {
        check(h, 0, 23)?;
    }
    check(m, 0, 59)?;
    check(s, 0, 59)?;
    check(fields.get(Field::HourOfAmPm).unwrap_or(0), 0, 11)?;
    if hour.is_none() {
        return Some(None);
    }
    let seconds = h % 24 * 3600 + m * 60 + s;
    Some(Some((seconds * 1_000_000_000 + n, midnight)))
}

/// Fills what is missing.
fn finish(fields: &Parsed, date: Option<i64>, time: Option<i64>) -> Option<i64> {
    let days = match date {
        Some(days) => days,
        None => {
            let get = |field, default| fields.get(field).unwrap_or(default);
            let year = check(get(Field::Year, 1970), -YEAR_MAX, YEAR_MAX)?;
            let month = u32::try_from(check(get(Field::Month, 1), 1, 12)?).ok()?;
            let day = u32::try_from(check(get(Field::DayOfMonth, 1), 1, 31)?).ok()?;
            if day > days_of_month(year, month) {
                return None;
            }
            days_from_date(year, month, day)
        }
    };
    let nanos = match time {
        Some(nanos) => nanos,
        None => {
            let get = |field, high| check(fields.get(field).unwrap_or(0), 0, high);
            let minutes = get(Field::HourOfDay, 23)? * 60 + get(Field::Minute, 59)?;
            let seconds = minutes * 60 + get(Field::Second, 59)?;
            seconds * 1_000_000_000 + get(Field::Nano, 999_999_999)?
        }
    };
    days.checked_mul(MILLIS_PER_DAY)?
        .checked_add(nanos / 1_000_000)
}
