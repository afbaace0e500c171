//! Prints instants by a pattern.

use super::super::hybrid_calendar::{hybrid_date, hybrid_year_start, week_of_year};
use super::super::java_zone::ZoneCursor;
use super::super::names::{MONTHS, WEEKDAYS, short};
use super::{Item, SimpleFormat};
use crate::cast::civil::write_padded;

/// An instant in the fields of a calendar.
struct Fields {
    days: i64,
    year: i64,
    month: u32,
    day: u32,
    of_day: i64,
    second: i64,
    offset: i64,
}

impl SimpleFormat {
    /// Appends the instant in the zone.
    pub(crate) fn print(&self, millis: i64, zone: &mut ZoneCursor, out: &mut String) {
        let second = millis.div_euclid(1000);
        let offset = zone.offset_at(second);
        let wall = i128::from(millis) + i128::from(offset) * 1000;
        let days =
            i64::try_from(wall.div_euclid(86_400_000)).expect("fewer days than milliseconds");
        let of_day = i64::try_from(wall.rem_euclid(86_400_000)).expect("below a day");
        let (year, month, day) = hybrid_date(days);
        let fields = Fields {
            days,
            year,
            month,
            day,
            of_day,
            second,
            offset,
        };
        for item in &self.items {
            match item {
                Item::Literal(text) => out.push_str(text),
                Item::Field(letter, count) => fields.print(*letter, *count, zone, out),
            }
        }
    }
}

impl Fields {
    fn print(&self, letter: u8, count: usize, zone: &ZoneCursor, out: &mut String) {
        let hour = self.of_day / 3_600_000;
        let number = |value: i64, out: &mut String| {
            if value < 0 {
                out.push('-');
            }
            write_padded(value.unsigned_abs(), count.min(20), out);
        };
        let weekday = (self.days + 4).rem_euclid(7);
        match letter {
            b'G' => out.push_str(if self.year > 0 { "AD" } else { "BC" }),
            b'y' => {
                let year = if self.year > 0 {
                    self.year
                } else {
                    1 - self.year
                };
                print_year(year, count, out);
            }
            b'Y' => print_year(week_of_year(self.days, self.year).1, count, out),
            b'M' | b'L' if count >= 3 => {
                let name = MONTHS[self.month as usize - 1];
                out.push_str(if count == 3 { short(name) } else { name });
            }
            b'M' | b'L' => number(i64::from(self.month), out),
            b'd' => number(i64::from(self.day), out),
            b'D' => number(self.days - hybrid_year_start(self.year) + 1, out),
            b'F' => number((i64::from(self.day) - 1) / 7 + 1, out),
            b'w' => number(week_of_year(self.days, self.year).0, out),
            b'W' => {
                let first = self.days - i64::from(self.day) + 1;
                let sunday = first - (first + 4).rem_euclid(7);
                number((self.days - sunday) / 7 + 1, out);
            }
            b'E' => {
                let name = WEEKDAYS[weekday as usize];
                out.push_str(if count < 4 { short(name) } else { name });
            }
            b'u' => number(if weekday == 0 { 7 } else { weekday }, out),
            b'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            b'H' => number(hour, out),
            b'k' => number(if hour == 0 { 24 } else { hour }, out),
            b'K' => number(hour % 12, out),
            b'h' => number(if hour % 12 == 0 { 12 } else { hour % 12 }, out),
            b'm' => number(self.of_day / 60_000 % 60, out),
            b's' => number(self.of_day / 1000 % 60, out),
            b'S' => number(self.of_day % 1000, out),
            b'z' => self.print_zone_name(count > 3, zone, out),
            b'Z' => print_offset(self.offset, "", true, out),
            _ => match (self.offset, count) {
                (0, _) => out.push('Z'),
                (_, 1) => print_offset(self.offset, "", false, out),
                (_, 2) => print_offset(self.offset, "", true, out),
                _ => print_offset(self.offset, ":", true, out),
            },
        }
    }

    fn print_zone_name(&self, is_long: bool, zone: &ZoneCursor, out: &mut String) {
        if let Some(name) = zone.zone().name(self.second, is_long) {
            out.push_str(name);
            return;
        }
        out.push_str("GMT");
        if self.offset != 0 {
            print_offset(self.offset, ":", true, out);
        }
    }
}

/// Two letters are the last two digits.
fn print_year(year: i64, count: usize, out: &mut String) {
    if count == 2 {
        return write_padded((year.unsigned_abs()) % 100, 2, out);
    }
    if year < 0 {
        out.push('-');
    }
    write_padded(year.unsigned_abs(), count.min(20), out);
}

fn print_offset(offset: i64, colon: &str, minutes: bool, out: &mut String) {
    out.push(if offset < 0 { '-' } else { '+' });
    let offset = offset.unsigned_abs() / 60;
    write_padded(offset / 60, 2, out);
    if minutes {
        out.push_str(colon);
        write_padded(offset % 60, 2, out);
    }
}
