//! The calendar of `java.util.GregorianCalendar`: Julian up to 1582-10-04, Gregorian from 1582-10-15 on.
//!
//! Years are astronomical here: 0 is 1 BC. [`CalendarFields`] collects what a parser has read and makes a date
//! of it, leniently: month 13 is next January, 30 February one of the first days of March.

use crate::cast::civil::{date_from_days, days_from_date, is_leap_year};

/// Days since the epoch of 1582-10-15, the first Gregorian day.
const CUTOVER: i64 = -141_427;
/// Days since the epoch of 1 March of the year 0 of the Julian calendar.
const JULIAN_MARCH: i64 = -719_470;
/// The year in which the calendar changed.
const CUTOVER_YEAR: i64 = 1582;

/// Returns year, month and day.
pub(crate) fn hybrid_date(days: i64) -> (i64, u32, u32) {
    if days >= CUTOVER {
        return date_from_days(days);
    }
    let shifted = days - JULIAN_MARCH;
    let era = shifted.div_euclid(1_461);
    let day_of_era = shifted.rem_euclid(1_461);
    let year_of_era = (day_of_era - day_of_era / 1_460) / 365;
    let day_of_year = day_of_era - 365 * year_of_era;
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    let year = era * 4 + year_of_era + i64::from(month <= 2);
    let small = |v: i64| u32::try_from(v).expect("months and days are small");
    (year, small(month), small(day))
}

/// Returns the days since the epoch of a date of the Julian calendar.
fn days_from_julian(year: i64, month: u32, day: u32) -> i64 {
    let shifted = year - i64::from(month <= 2);
    let month_index = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_index + 2) / 5 + i64::from(day) - 1;
    JULIAN_MARCH + shifted.div_euclid(4) * 1_461 + shifted.rem_euclid(4) * 365 + day_of_year
}

/// Returns the days since the epoch of the year's 1 January.
pub(crate) fn hybrid_year_start(year: i64) -> i64 {
    if year > CUTOVER_YEAR {
        days_from_date(year, 1, 1)
    } else {
        days_from_julian(year, 1, 1)
    }
}

/// Returns the last day not after `days` that is that weekday, 1 for Sunday to 7.
fn weekday_on_or_before(days: i64, weekday: i64) -> i64 {
    // The epoch was a Thursday.
    days - (days + 5 - weekday).rem_euclid(7)
}

/// Returns the week's number and the year it belongs to; week 1 has 1 January in it and weeks begin on Sunday.
pub(crate) fn week_of_year(days: i64, year: i64) -> (i64, i64) {
    let sunday = weekday_on_or_before(days, 1);
    if sunday + 7 > hybrid_year_start(year + 1) {
        return (1, year + 1);
    }
    let first = weekday_on_or_before(hybrid_year_start(year), 1);
    ((sunday - first) / 7 + 1, year)
}

/// What a calendar has fields for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Era,
    Year,
    WeekYear,
    Month,
    WeekOfYear,
    WeekOfMonth,
    DayOfMonth,
    DayOfYear,
    DayOfWeek,
    DayOfWeekInMonth,
    AmPm,
    Hour,
    HourOfDay,
    Minute,
    Second,
    Millisecond,
    ZoneOffset,
}

const FIELDS: usize = Field::ZoneOffset as usize + 1;

/// Fields that were read, the latest of which decides what day is meant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CalendarFields {
    /// When a field was set; 0 for never.
    stamps: [u8; FIELDS],
    values: [i32; FIELDS],
    count: u8,
}

impl CalendarFields {
    /// Sets a field.
    pub(crate) fn set(&mut self, field: Field, value: i32) {
        self.count = self.count.saturating_add(1);
        self.stamps[field as usize] = self.count;
        self.values[field as usize] = value;
    }

    fn stamp(&self, field: Field) -> u8 {
        self.stamps[field as usize]
    }

    /// Returns a field that was set.
    pub(crate) fn get(&self, field: Field) -> Option<i64> {
        (self.stamp(field) > 0).then(|| i64::from(self.values[field as usize]))
    }

    /// Returns the wall clock in milliseconds, as if it were UTC.
    ///
    /// # Flink
    /// `CalendarBuilder.establish` and `GregorianCalendar.computeTime`.
    pub(crate) fn wall_millis(&self) -> i64 {
        let time = self.time_of_day();
        let (carry, time) = (time.div_euclid(86_400_000), time.rem_euclid(86_400_000));
        let days = if self.stamp(Field::WeekYear) > self.stamp(Field::Year) {
            self.week_date() + carry
        } else {
            self.date(carry)
        };
        // Java's milliseconds wrap around for years beyond 292 million.
        days.wrapping_mul(86_400_000).wrapping_add(time)
    }

    fn time_of_day(&self) -> i64 {
        let get = |field| self.get(field).unwrap_or(0);
        let half = self.stamp(Field::Hour).min(self.stamp(Field::AmPm));
        let newest_half = if half > 0 {
            self.stamp(Field::Hour).max(self.stamp(Field::AmPm))
        } else {
            0
        };
        let whole = self.stamp(Field::HourOfDay);
        let hour = if whole > 0 && whole >= newest_half {
            get(Field::HourOfDay)
        } else {
            get(Field::Hour) + 12 * get(Field::AmPm)
        };
        let seconds = (hour * 60 + get(Field::Minute)) * 60 + get(Field::Second);
        seconds * 1000 + get(Field::Millisecond)
    }

    /// The day a week year, a week and a weekday mean.
    fn week_date(&self) -> i64 {
        let mut week = self.get(Field::WeekOfYear).unwrap_or(1);
        let mut weekday = self.get(Field::DayOfWeek).unwrap_or(1);
        if !(1..=7).contains(&weekday) {
            if weekday >= 8 {
                weekday -= 1;
                week += weekday / 7;
                weekday = weekday % 7 + 1;
            } else {
                let weeks = (7 - weekday).div_euclid(7);
                weekday += 7 * weeks;
                week -= weeks;
            }
            weekday = if weekday == 7 { 1 } else { weekday + 1 };
        }
        let year = self.get(Field::WeekYear).unwrap_or(1970);
        let first = weekday_on_or_before(hybrid_year_start(year), 1);
        first + weekday - 1 + 7 * (week - 1)
    }

    /// The day in the calendar in force on it, `carry` days of surplus hours included.
    fn date(&self, carry: i64) -> i64 {
        let mut year = self.get(Field::Year).unwrap_or(1970);
        if self.get(Field::Era) == Some(0) {
            year = 1 - year;
        }
        let way = self.way();
        let gregorian = || carry + self.date_in(year, way, days_from_date);
        let julian = || carry + self.date_in(year, way, days_from_julian);
        if year > CUTOVER_YEAR {
            let days = gregorian();
            return if days >= CUTOVER { days } else { julian() };
        }
        if year < CUTOVER_YEAR {
            let days = julian();
            return if days < CUTOVER { days } else { gregorian() };
        }
        let (g, j) = (gregorian(), julian());
        let by_year = matches!(way, Way::DayOfYear | Way::WeekOfYear);
        if !by_year && g >= CUTOVER { g } else { j }
    }

    /// Finds out which fields say the day: the group with the newest of them.
    fn way(&self) -> Way {
        let both = |a: u8, b: u8| if a == 0 || b == 0 { 0 } else { a.max(b) };
        let weekday = self.stamp(Field::DayOfWeek);
        let (in_month, of_month, of_year) = (
            self.stamp(Field::DayOfWeekInMonth),
            self.stamp(Field::WeekOfMonth),
            self.stamp(Field::WeekOfYear),
        );
        let day = self.stamp(Field::DayOfMonth);
        let day_of_year = self.stamp(Field::DayOfYear);
        let mut week_of_month = both(of_month, weekday);
        let mut week_in_month = both(in_month, weekday);
        let mut week_of_year = both(of_year, weekday);
        let mut best = day
            .max(week_of_month)
            .max(week_in_month)
            .max(day_of_year)
            .max(week_of_year);
        if best == 0 {
            week_of_month = of_month;
            week_in_month = in_month.max(weekday);
            week_of_year = of_year;
            best = week_of_month.max(week_in_month).max(week_of_year);
        }
        if best == day {
            return Way::DayOfMonth;
        }
        let by_week_of_month = best == week_of_month && of_month >= of_year;
        let by_weekday = best == week_in_month && in_month >= of_year;
        if by_week_of_month || by_weekday {
            let of_month_wins = if week_of_month == week_in_month {
                of_month >= in_month
            } else {
                best == week_of_month
            };
            return if of_month_wins {
                Way::WeekOfMonth
            } else {
                Way::WeekdayInMonth
            };
        }
        if best == day_of_year {
            Way::DayOfYear
        } else {
            Way::WeekOfYear
        }
    }

    fn date_in(&self, year: i64, way: Way, days_of: fn(i64, u32, u32) -> i64) -> i64 {
        let by_month = matches!(
            way,
            Way::DayOfMonth | Way::WeekOfMonth | Way::WeekdayInMonth
        );
        let month = self.get(Field::Month).filter(|_| by_month).unwrap_or(0);
        let year = year + month.div_euclid(12);
        let month = u32::try_from(month.rem_euclid(12) + 1).expect("1 to 12");
        let first = days_of(year, month, 1);
        let weekday = self.get(Field::DayOfWeek);
        let week_start = || {
            let sunday = weekday_on_or_before(first, 1);
            match weekday {
                Some(weekday) => weekday_on_or_before(sunday + 6, weekday),
                None => sunday,
            }
        };
        match way {
            Way::DayOfMonth => first + self.get(Field::DayOfMonth).unwrap_or(1) - 1,
            Way::DayOfYear => first + self.get(Field::DayOfYear).unwrap_or(1) - 1,
            Way::WeekOfMonth => week_start() + 7 * (self.get(Field::WeekOfMonth).unwrap_or(1) - 1),
            Way::WeekOfYear => week_start() + 7 * (self.get(Field::WeekOfYear).unwrap_or(1) - 1),
            Way::WeekdayInMonth => {
                let weekday = weekday.unwrap_or(1);
                let number = self.get(Field::DayOfWeekInMonth).unwrap_or(1);
                if number >= 0 {
                    return weekday_on_or_before(first + 7 * number - 1, weekday);
                }
                let last = first + i64::from(last_day(year, month)) - 1;
                weekday_on_or_before(last + 7 * (number + 1), weekday)
            }
        }
    }
}

fn last_day(year: i64, month: u32) -> u32 {
    match month {
        2 => {
            28 + u32::from(if year > CUTOVER_YEAR {
                is_leap_year(year)
            } else {
                year % 4 == 0
            })
        }
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// By which fields a day is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    DayOfMonth,
    DayOfYear,
    WeekOfMonth,
    WeekdayInMonth,
    WeekOfYear,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_changes_in_1582() {
        assert_eq!(hybrid_date(CUTOVER), (1582, 10, 15));
        assert_eq!(hybrid_date(CUTOVER - 1), (1582, 10, 4));
        assert_eq!(hybrid_date(-719_162), (1, 1, 3));
        for days in (-1_500_000..CUTOVER).step_by(131) {
            let (year, month, day) = hybrid_date(days);
            assert_eq!(days_from_julian(year, month, day), days);
        }
    }

    #[test]
    fn fields_run_over_into_the_next_ones() {
        let days = |fields: &[(Field, i32)]| {
            let mut all = CalendarFields::default();
            for (field, value) in fields {
                all.set(*field, *value);
            }
            let millis = all.wall_millis();
            (
                date_from_days(millis.div_euclid(86_400_000)),
                millis.rem_euclid(86_400_000),
            )
        };
        use Field::{DayOfMonth, DayOfYear, HourOfDay, Month, WeekOfYear, Year};
        let date = |year, month, day| ((year, month, day), 0);
        assert_eq!(
            days(&[(Year, 2024), (Month, 1), (DayOfMonth, 30)]),
            date(2024, 3, 1)
        );
        assert_eq!(
            days(&[(Year, 2024), (Month, 12), (DayOfMonth, 1)]),
            date(2025, 1, 1)
        );
        assert_eq!(
            days(&[(Year, 0), (Month, -1), (DayOfMonth, 0)]),
            date(-1, 11, 28)
        );
        assert_eq!(days(&[(Year, 2024), (WeekOfYear, 1)]), date(2023, 12, 31));
        assert_eq!(days(&[(Year, 2024), (DayOfYear, 60)]), date(2024, 2, 29));
        assert_eq!(days(&[(HourOfDay, 25)]), ((1970, 1, 2), 3_600_000));
    }

    #[test]
    fn the_week_of_new_year_is_the_first() {
        let week = |year, month, day| week_of_year(days_from_date(year, month, day), year);
        assert_eq!(week(2024, 12, 30), (1, 2025));
        assert_eq!(week(2024, 12, 28), (52, 2024));
        assert_eq!(week(2024, 2, 9), (6, 2024));
        assert_eq!(week(2023, 1, 1), (1, 2023));
    }
}
