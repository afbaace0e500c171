//! Dates and times: the server's packings, old and new, and its idea of years and of dates that are none.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use millrace_json::java_time::days_of_date;

use super::bytes::{big_endian, little_endian};

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400 * SECOND;

/// Returns the days since 1970-01-01; `None` for a date that is none.
#[inline]
pub(crate) fn days_of(year: i64, month: i64, day: i64, adjusts_years: bool) -> Option<i32> {
    if year == 0 || !(1..=12).contains(&month) || day < 1 || day > days_of_month(year, month) {
        return None;
    }
    let year = match year {
        0..70 if adjusts_years => year + 2000,
        70..100 if adjusts_years => year + 1900,
        _ => year,
    };
    i32::try_from(days_of_date(year, month, day)).ok()
}

fn days_of_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// Returns the wall-clock microseconds since 1970-01-01 00:00 of a date and microseconds of its day.
#[inline]
pub(crate) fn wall_of(days: Option<i32>, micros: i64) -> Option<i64> {
    Some(i64::from(days?) * DAY + micros)
}

fn micros_of_day(hour: i64, minute: i64, second: i64, micros: i64) -> i64 {
    ((hour * 60 + minute) * 60 + second) * SECOND + micros
}

/// Reads a DATE of three bytes.
#[inline]
pub(crate) fn date(bytes: &[u8], adjusts_years: bool) -> Option<i32> {
    let packed = little_endian(bytes) as i64;
    days_of(packed >> 9, packed >> 5 & 15, packed & 31, adjusts_years)
}

/// Reads a fraction of a second of one to three bytes.
#[inline]
fn fraction(bytes: &[u8]) -> i64 {
    let value = big_endian(bytes) as i64;
    match bytes.len() {
        1 => value * 10_000,
        2 => value * 100,
        _ => value,
    }
}

/// Reads a DATETIME of 5.6.4 and later.
#[inline]
pub(crate) fn date_time(bytes: &[u8], adjusts_years: bool) -> Option<i64> {
    let (whole, rest) = bytes.split_at_checked(5)?;
    let packed = big_endian(whole) as i64 - 0x80_0000_0000;
    let (date, time) = (packed >> 17, packed & 0x1_ffff);
    let (months, day) = (date >> 5, date & 31);
    let days = days_of(months / 13, months % 13, day, adjusts_years);
    let micros = micros_of_day(time >> 12, time >> 6 & 63, time & 63, fraction(rest));
    wall_of(days, micros)
}

/// Reads a DATETIME of before 5.6.4: the number YYYYMMDDhhmmss.
pub(crate) fn old_date_time(bytes: &[u8], adjusts_years: bool) -> Option<i64> {
    let packed = little_endian(bytes) as i64;
    let (date, time) = (packed / 1_000_000, packed % 1_000_000);
    let days = days_of(date / 10_000, date / 100 % 100, date % 100, adjusts_years);
    let micros = micros_of_day(time / 10_000, time / 100 % 100, time % 100, 0);
    wall_of(days, micros)
}

/// Reads a TIMESTAMP of 5.6.4 and later: microseconds since 1970 in UTC; `None` for the zero timestamp.
#[inline]
pub(crate) fn timestamp(bytes: &[u8]) -> Option<i64> {
    let (whole, rest) = bytes.split_at_checked(4)?;
    instant(big_endian(whole) as i64, fraction(rest))
}

/// Reads a TIMESTAMP of before 5.6.4.
pub(crate) fn old_timestamp(bytes: &[u8]) -> Option<i64> {
    instant(little_endian(bytes) as i64, 0)
}

fn instant(seconds: i64, micros: i64) -> Option<i64> {
    (seconds != 0 || micros != 0).then_some(seconds * SECOND + micros)
}

/// Reads a TIME of 5.6.4 and later, in microseconds.
#[inline]
pub(crate) fn time(bytes: &[u8]) -> i64 {
    // The whole is one signed number with an offset, so a fraction counts towards the greater number.
    let (whole, rest) = bytes.split_at(bytes.len().min(3));
    let mut seconds = big_endian(whole) as i64 - 0x80_0000;
    let mut micros = big_endian(rest) as i64;
    if seconds < 0 && micros != 0 {
        seconds += 1;
        micros -= 1 << (8 * rest.len());
    }
    let micros = micros
        * match rest.len() {
            1 => 10_000,
            2 => 100,
            _ => 1,
        };
    let (sign, seconds, micros) = if seconds < 0 || micros < 0 {
        (-1, -seconds, -micros)
    } else {
        (1, seconds, micros)
    };
    sign * micros_of_day(
        seconds >> 12 & 1023,
        seconds >> 6 & 63,
        seconds & 63,
        micros,
    )
}

/// Reads a TIME of before 5.6.4: the number hhmmss with its sign.
pub(crate) fn old_time(bytes: &[u8]) -> i64 {
    let packed = little_endian(bytes) as i64;
    let packed = if packed & 0x80_0000 == 0 {
        packed
    } else {
        packed - 0x100_0000
    };
    let number = packed.abs();
    let micros = micros_of_day(number / 10_000, number / 100 % 100, number % 100, 0);
    packed.signum() * micros
}

/// Microseconds of the last digit that MariaDB's own formats keep.
fn unit(fsp: u8) -> i64 {
    10_i64.pow(u32::from(6 - fsp.min(6)))
}

/// Reads MariaDB's own DATETIME with `fsp` digits of a second: all its parts in one number, months counted as thirteen
/// a year and days as thirty-two a month.
pub(crate) fn hires_date_time(bytes: &[u8], fsp: u8, adjusts_years: bool) -> Option<i64> {
    let packed = (big_endian(bytes) as i64).checked_mul(unit(fsp))?;
    let (date, micros) = (packed.div_euclid(DAY), packed.rem_euclid(DAY));
    let (months, day) = (date >> 5, date & 31);
    wall_of(
        days_of(months / 13, months % 13, day, adjusts_years),
        micros,
    )
}

/// Reads MariaDB's own TIMESTAMP with `fsp` digits of a second.
pub(crate) fn hires_timestamp(bytes: &[u8], fsp: u8) -> Option<i64> {
    let (whole, rest) = bytes.split_at_checked(4)?;
    instant(
        big_endian(whole) as i64,
        big_endian(rest) as i64 * unit(fsp),
    )
}

/// Reads MariaDB's own TIME with `fsp` digits of a second, in microseconds: counted from behind the lowest time.
pub(crate) fn hires_time(bytes: &[u8], fsp: u8) -> i64 {
    /// 838:59:59 and one second more.
    const ZERO: i64 = 3_020_400 * SECOND;
    let zero = ZERO / unit(fsp);
    (big_endian(bytes) as i64 & 0xffff_ffff_ffff).saturating_sub(zero) * unit(fsp)
}

/// What a date or time inside a JSON document says.
pub(crate) struct Packed {
    pub(crate) is_negative: bool,
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) micros: i64,
}

/// Takes apart the packing that the server has in memory; of a TIME the hour has ten bits.
pub(crate) fn unpack(packed: i64, is_time: bool) -> Packed {
    let value = packed.unsigned_abs() as i64;
    let (whole, micros) = ((value >> 24) & 0xff_ffff_ffff, value & 0xff_ffff);
    let (date, time) = (whole >> 17, whole & 0x1_ffff);
    let months = date >> 5;
    let hour = if is_time {
        whole >> 12 & 1023
    } else {
        time >> 12
    };
    Packed {
        is_negative: packed < 0,
        year: months / 13,
        month: months % 13,
        day: date & 31,
        hour,
        minute: time >> 6 & 63,
        second: time & 63,
        micros,
    }
}

/// A zone that remembers the stretch between two changes of its clocks that was asked for last.
#[derive(Debug)]
pub(crate) struct Zone {
    zone: TimeZone,
    /// Seconds of the stretch: from, until.
    known: (i64, i64),
    offset: i64,
}

impl Zone {
    pub(crate) fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            known: (0, 0),
            offset: 0,
        }
    }

    /// Returns the wall clock's microseconds at an instant.
    #[inline]
    pub(crate) fn wall(&mut self, instant: i64) -> i64 {
        let second = instant.div_euclid(SECOND);
        if !(self.known.0..self.known.1).contains(&second) {
            self.look_up(second);
        }
        instant + self.offset * SECOND
    }

    #[cold]
    fn look_up(&mut self, second: i64) {
        let Ok(at) = Timestamp::from_second(second) else {
            return;
        };
        self.offset = i64::from(self.zone.to_offset(at).seconds());
        let until = self.zone.following(at).next();
        // The first change at or before the instant: those before the next second.
        let after = Timestamp::from_second(second + 1).unwrap_or(at);
        let from = self.zone.preceding(after).next();
        self.known = (
            from.map_or(i64::MIN, |change| change.timestamp().as_second()),
            until.map_or(i64::MAX, |change| change.timestamp().as_second()),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_changes_are_seen() {
        let zone = TimeZone::get("Europe/Berlin").expect("a known zone");
        let mut cached = Zone::new(zone.clone());
        // Around both changes of 2024, forwards and backwards.
        for start in [1_711_846_800_i64, 1_729_990_800] {
            for second in [-7200, 1, -1, 0, 3600, -3600, 86_400 * 200, 0] {
                let at = start + second;
                let expected = zone
                    .to_offset(Timestamp::from_second(at).expect("in range"))
                    .seconds();
                let wall = cached.wall(at * SECOND + 5);
                assert_eq!(wall, (at + i64::from(expected)) * SECOND + 5, "{at}");
            }
        }
    }

    #[test]
    fn times_of_all_fractions() {
        // -00:00:00.01, -12:34:56.7890, 838:59:59, as a server packs them.
        assert_eq!(time(&[0x7f, 0xff, 0xff, 0xff]), -10_000);
        assert_eq!(
            time(&[0xb4, 0x6e, 0xfb]),
            838 * 3_600_000_000 + 3599 * SECOND
        );
        assert_eq!(time(&[0x80, 0, 0]), 0);
        assert_eq!(
            old_time(&(-8_385_959_i32).to_le_bytes()[..3]),
            -(838 * 3600 + 3599) * SECOND
        );
    }
}
