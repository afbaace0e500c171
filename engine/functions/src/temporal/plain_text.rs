//! `yyyy-MM-dd HH:mm:ss`, read and written at once where nothing about it is special.

use crate::cast::civil::{days_from_date, days_of_month};

/// The length of the text.
pub(crate) const LENGTH: usize = 19;
/// Seconds since the epoch of 1583-01-01, before which calendars differ.
const FIRST: i64 = -12_212_553_600;
/// Seconds since the epoch of 9999-12-31 23:59:59.
const LAST: i64 = 253_402_300_799;

/// Reads a valid timestamp of the years 1583 to 9999 into seconds. Text after it is ignored, as SimpleDateFormat
/// does, unless digits follow. `None` says nothing about the text but that it needs a closer look.
#[inline]
pub(crate) fn read(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let head: &[u8; LENGTH] = bytes.first_chunk()?;
    if bytes.get(LENGTH).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let separators = [head[4], head[7], head[10], head[13], head[16]];
    if separators != *b"-- ::" {
        return None;
    }
    let mut bad = 0;
    let mut pair = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        bad |= u8::from(tens > 9) | u8::from(ones > 9);
        u32::from(tens) * 10 + u32::from(ones)
    };
    let year = i64::from(pair(0)) * 100 + i64::from(pair(2));
    let (month, day) = (pair(5), pair(8));
    let (hour, minute, second) = (pair(11), pair(14), pair(17));
    if bad != 0 || year < 1583 || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if day > 28 && day > days_of_month(year, month) {
        return None;
    }
    let of_day = hour * 3600 + minute * 60 + second;
    Some(days_from_date(year, month, day) * 86_400 + i64::from(of_day))
}

/// Reads a valid date `yyyy-MM-dd` of the years 0 to 9999, with a space and more behind it perhaps, into days.
/// `None` says nothing about the text but that it needs a closer look.
#[inline]
pub(crate) fn read_date(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let head: &[u8; 10] = bytes.first_chunk()?;
    if head[4] != b'-' || head[7] != b'-' || bytes.get(10).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    let mut bad = 0;
    let mut pair = |at: usize| {
        let (tens, ones) = (head[at].wrapping_sub(b'0'), head[at + 1].wrapping_sub(b'0'));
        bad |= u8::from(tens > 9) | u8::from(ones > 9);
        u32::from(tens) * 10 + u32::from(ones)
    };
    let year = i64::from(pair(0)) * 100 + i64::from(pair(2));
    let (month, day) = (pair(5), pair(8));
    if bad != 0 || !(1..=12).contains(&month) || day == 0 || day > days_of_month(year, month) {
        return None;
    }
    i32::try_from(days_from_date(year, month, day)).ok()
}

/// Reads a timestamp with a fraction of one to nine digits perhaps, and nothing else, into milliseconds.
#[inline]
pub(crate) fn read_millis(text: &str) -> Option<i64> {
    let fraction = match text.as_bytes().get(LENGTH..)? {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            let mut millis = 0;
            for place in 0..3 {
                let digit = digits.get(place).map_or(0, |byte| byte.wrapping_sub(b'0'));
                millis = millis * 10 + i64::from(digit);
            }
            if !digits.iter().all(u8::is_ascii_digit) {
                return None;
            }
            millis
        }
        _ => return None,
    };
    Some(read(text)? * 1000 + fraction)
}

/// Writes seconds of the years 1583 to 9999; none for others.
#[inline]
pub(crate) fn write(seconds: i64) -> Option<[u8; LENGTH]> {
    if !(FIRST..=LAST).contains(&seconds) {
        return None;
    }
    let mut out = *b"0000-00-00 00:00:00";
    let (year, month, day) = date_of(seconds.div_euclid(86_400));
    write_pair(&mut out, 0, year / 100);
    write_pair(&mut out, 2, year % 100);
    write_pair(&mut out, 5, month);
    write_pair(&mut out, 8, day);
    write_time(&mut out, seconds.rem_euclid(86_400));
    Some(out)
}

/// Writes seconds as [`write`] does, where `text` is what [`read`] made `near` of: on the same day the date is copied.
#[inline]
pub(crate) fn write_near(seconds: i64, text: &str, near: i64) -> Option<[u8; LENGTH]> {
    let of_day = near.rem_euclid(86_400) + seconds - near;
    match text.as_bytes().first_chunk::<LENGTH>() {
        Some(head) if (0..86_400).contains(&of_day) => {
            let mut out = *head;
            write_time(&mut out, of_day);
            Some(out)
        }
        _ => write(seconds),
    }
}

#[inline]
fn write_time(out: &mut [u8; LENGTH], of_day: i64) {
    let of_day = of_day as u32;
    write_pair(out, 11, of_day / 3600);
    write_pair(out, 14, of_day / 60 % 60);
    write_pair(out, 17, of_day % 60);
}

/// Writes two digits.
#[inline]
fn write_pair(out: &mut [u8; LENGTH], at: usize, value: u32) {
    out[at] = b'0' + (value / 10) as u8;
    out[at + 1] = b'0' + (value % 10) as u8;
}

/// What `civil::date_from_days` does, in 32 bits; the days are those of [`FIRST`] to [`LAST`].
#[inline]
fn date_of(days: i64) -> (u32, u32, u32) {
    let shifted = (days + 719_468) as u32;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 {
        month_index + 3
    } else {
        month_index - 9
    };
    (year_of_era + era * 400 + u32::from(month <= 2), month, day)
}

/// Returns the text as such.
#[inline]
pub(crate) fn as_text(bytes: &[u8; LENGTH]) -> &str {
    std::str::from_utf8(bytes).expect("digits and signs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for seconds in (FIRST..LAST).step_by(86_399 * 1013) {
            let text = write(seconds).unwrap();
            let text = as_text(&text);
            assert_eq!(read(text), Some(seconds));
            for other in [seconds - 30_000, seconds + 7, seconds + 30_000] {
                assert_eq!(write_near(other, text, seconds), write(other));
            }
        }
        assert_eq!(
            as_text(&write(1_704_164_645).unwrap()),
            "2024-01-02 03:04:05"
        );
        assert_eq!(write(LAST + 1), None);
        assert_eq!(write(FIRST - 1), None);
    }

    #[test]
    fn reads_dates_and_fractions() {
        assert_eq!(read_date("2024-01-02"), Some(19_724));
        assert_eq!(read_date("2024-01-02 x"), Some(19_724));
        assert_eq!(read_date("0000-01-01"), Some(-719_528));
        for text in [
            "2024-02-30",
            "2024-01-02x",
            "2024-1-2",
            "2024-01-00",
            "2024-0a-02",
        ] {
            assert_eq!(read_date(text), None, "{text}");
        }
        assert_eq!(read_millis("1970-01-01 00:00:01"), Some(1000));
        assert_eq!(read_millis("1970-01-01 00:00:01.0567"), Some(1056));
        assert_eq!(read_millis("1970-01-01 00:00:01.5"), Some(1500));
        for text in [
            "1970-01-01 00:00:01.",
            "1970-01-01 00:00:01.0x",
            "1970-01-01 00:00:01Z",
        ] {
            assert_eq!(read_millis(text), None, "{text}");
        }
    }

    #[test]
    fn leaves_what_is_special_to_others() {
        assert_eq!(read("2024-01-02 03:04:05.123Z"), Some(1_704_164_645));
        for text in [
            "2024-01-02 03:04:051",
            "2024-02-30 03:04:05",
            "2024-01-02 24:00:00",
            "2024-01-02 03:04:60",
            "1582-01-02 03:04:05",
            "2024-01-02T03:04:05",
            "2024-1-2 3:4:5",
            "2024-01-02 03:04:0x",
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
