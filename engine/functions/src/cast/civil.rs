//! Dates and times of day of the proleptic Gregorian calendar, as Java's `LocalDateTime` has them.

use millrace_json::java_time::{date_of_days, days_of_date};

/// Milliseconds of a day.
pub(crate) const MILLIS_PER_DAY: i64 = 86_400_000;

/// Returns the days since 1970-01-01.
#[must_use]
#[inline]
pub(crate) fn days_from_date(year: i64, month: u32, day: u32) -> i64 {
    days_of_date(year, i64::from(month), i64::from(day))
}

/// Returns year, month and day.
#[must_use]
#[inline]
pub(crate) fn date_from_days(days: i64) -> (i64, u32, u32) {
    let (year, month, day) = date_of_days(days);
    let small = |v: i64| u32::try_from(v).expect("months and days are small");
    (year, small(month), small(day))
}

/// Tells whether the year has a 29 February.
#[must_use]
pub(crate) fn is_leap_year(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Returns the last day of the month.
#[must_use]
pub(crate) fn days_of_month(year: i64, month: u32) -> u32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Appends `yyyy-MM-dd`.
///
/// # Flink
/// `DateTimeUtils.int4`: a year past 9999 shows its last four digits; one before 0 shows the characters that stand as
/// far before `0` as its digits would stand behind it.
pub(crate) fn write_date(days: i64, out: &mut String) {
    let (year, month, day) = date_from_days(days);
    if year < 0 {
        write_negative_year(year, out);
    } else {
        let year = year.unsigned_abs();
        write_pair(year / 100, out);
        write_pair(year, out);
    }
    out.push('-');
    write_pair(u64::from(month), out);
    out.push('-');
    write_pair(u64::from(day), out);
}

fn write_negative_year(year: i64, out: &mut String) {
    for unit in [1000, 100, 10, 1] {
        let digit = u8::try_from((year / unit % 10).unsigned_abs()).expect("a digit");
        out.push(char::from(b'0' - digit));
    }
}

/// Appends `HH:mm:ss` of a second of the day.
pub(crate) fn write_time(second_of_day: i64, out: &mut String) {
    let seconds = second_of_day.unsigned_abs();
    let hours = seconds / 3600;
    if hours < 100 {
        write_pair(hours, out);
    } else {
        write_padded(hours, 2, out);
    }
    out.push(':');
    write_pair(seconds / 60 % 60, out);
    out.push(':');
    write_pair(seconds % 60, out);
}

/// Appends the last two digits of a number.
fn write_pair(value: u64, out: &mut String) {
    const PAIRS: &str = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
                         5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    let at = usize::try_from(value % 100 * 2).expect("below 200");
    out.push_str(&PAIRS[at..at + 2]);
}

/// Appends `value` with leading zeros up to `width` digits.
pub(crate) fn write_padded(value: u64, width: usize, out: &mut String) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    let mut rest = value;
    while rest != 0 {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    let at = at.min(buffer.len() - width);
    out.push_str(std::str::from_utf8(&buffer[at..]).expect("ASCII digits"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_have_four_characters_whatever_they_are() {
        for (date, text) in [
            ((2024, 2, 29), "2024-02-29"),
            ((0, 1, 1), "0000-01-01"),
            ((9999, 12, 31), "9999-12-31"),
            ((10_000, 1, 1), "0000-01-01"),
            ((12_345, 1, 1), "2345-01-01"),
            ((-1, 11, 28), "000/-11-28"),
            ((-290, 1, 1), "0.'0-01-01"),
        ] {
            let mut out = String::new();
            write_date(days_from_date(date.0, date.1, date.2), &mut out);
            assert_eq!(out, text, "{date:?}");
        }
    }

    #[test]
    fn converts_dates_both_ways() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (19_782, (2024, 2, 29)),
            (-719_162, (1, 1, 1)),
            (2_932_896, (9999, 12, 31)),
            (-719_528, (0, 1, 1)),
        ] {
            assert_eq!(date_from_days(days), date);
            assert_eq!(days_from_date(date.0, date.1, date.2), days);
        }
    }
}
