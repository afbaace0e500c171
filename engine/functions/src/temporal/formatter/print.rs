//! Prints wall clocks.

use super::field::Field;
use super::text::{day_period, word};
use super::{Formatter, Item};
use crate::cast::civil::{date_from_days, days_from_date};

/// A wall clock, in fields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    days: i64,
    year: i64,
    month: u32,
    day: u32,
    nano_of_day: i64,
}

impl Local {
    /// Returns the wall clock of milliseconds as if it were UTC, and nanoseconds of the millisecond.
    pub(crate) fn new(millis: i64, nanos_of_milli: i32) -> Self {
        let days = millis.div_euclid(86_400_000);
        let of_day = millis.rem_euclid(86_400_000);
        Self {
            nano_of_day: of_day * 1_000_000 + i64::from(nanos_of_milli),
            ..Self::of_days(days)
        }
    }

    /// Returns midnight of the day.
    pub(super) fn of_days(days: i64) -> Self {
        let (year, month, day) = date_from_days(days);
        Self {
            days,
            year,
            month,
            day,
            nano_of_day: 0,
        }
    }

    /// Returns the field, or nothing for the offset, which a wall clock lacks.
    pub(super) fn get(&self, field: Field) -> Option<i64> {
        const SECOND: i64 = 1_000_000_000;
        let day = i64::from(self.day);
        let hour = self.nano_of_day / (3600 * SECOND);
        let sunday = self.days - (self.days + 4).rem_euclid(7);
        let week_from = |first: i64| (sunday - (first - (first + 4).rem_euclid(7))) / 7 + 1;
        // The week with the next 1 January in it is the next year's first.
        let in_next_year = sunday + 7 > days_from_date(self.year + 1, 1, 1);
        Some(match field {
            Field::Era => i64::from(self.year > 0),
            Field::YearOfEra if self.year <= 0 => 1 - self.year,
            Field::YearOfEra | Field::Year => self.year,
            Field::Quarter => i64::from(self.month.div_ceil(3)),
            Field::Month => i64::from(self.month),
            Field::DayOfYear => self.days - days_from_date(self.year, 1, 1) + 1,
            Field::DayOfMonth => day,
            Field::WeekdayInMonth => (day - 1) % 7 + 1,
            Field::DayOfWeek => (self.days + 3).rem_euclid(7) + 1,
            Field::LocalDayOfWeek => (self.days + 4).rem_euclid(7) + 1,
            Field::AmPm => hour / 12,
            Field::HourOfDay => hour,
            Field::ClockHourOfDay => (hour + 23) % 24 + 1,
            Field::HourOfAmPm => hour % 12,
            Field::ClockHourOfAmPm => (hour + 11) % 12 + 1,
            Field::Minute => self.nano_of_day / (60 * SECOND) % 60,
            Field::Second => self.nano_of_day / SECOND % 60,
            Field::Nano => self.nano_of_day % SECOND,
            Field::MilliOfDay => self.nano_of_day / 1_000_000,
            Field::NanoOfDay => self.nano_of_day,
            Field::ModifiedJulianDay => self.days + 40_587,
            Field::WeekYear => self.year + i64::from(in_next_year),
            Field::WeekOfYear if in_next_year => 1,
            Field::WeekOfYear => week_from(days_from_date(self.year, 1, 1)),
            Field::WeekOfMonth => week_from(self.days - day + 1),
            Field::Offset => return None,
        })
    }
}

impl Formatter {
    /// Appends the wall clock.
    ///
    /// # Errors
    /// Why it cannot be printed: an offset or a zone is asked for, or a value is wider than its field.
    pub(crate) fn print(&self, local: &Local, out: &mut String) -> Result<(), String> {
        for item in &self.items {
            if !print_item(item, local, out)? {
                return Err("Unsupported field: OffsetSeconds or time-zone".to_owned());
            }
        }
        Ok(())
    }
}

/// Appends a part; tells whether the wall clock has it.
fn print_item(item: &Item, local: &Local, out: &mut String) -> Result<bool, String> {
    match item {
        Item::Literal(text) => out.push_str(text),
        Item::Number(number) => match local.get(number.field) {
            Some(value) => number.print(value, out)?,
            None => return Ok(false),
        },
        Item::Text(field, style) => {
            let word = local
                .get(*field)
                .and_then(|value| word(*field, *style, value));
            out.push_str(word.ok_or("the field has no text")?);
        }
        Item::DayPeriod { narrow } => {
            let minute = local.nano_of_day / 60_000_000_000;
            out.push_str(day_period(minute, *narrow));
        }
        Item::Offset(_) | Item::LocalizedOffset { .. } | Item::Zone(_) => return Ok(false),
        Item::Optional(items) => {
            let start = out.len();
            for item in items {
                if !print_item(item, local, out)? {
                    out.truncate(start);
                    break;
                }
            }
        }
        Item::Padded(width, item) => {
            let start = out.len();
            if !print_item(item, local, out)? {
                return Ok(false);
            }
            let length = out[start..].chars().count();
            let Some(missing) = width.checked_sub(length) else {
                return Err(format!(
                    "Cannot print as output of {length} characters exceeds pad width of {width}"
                ));
            };
            out.insert_str(start, &" ".repeat(missing));
        }
    }
    Ok(true)
}
