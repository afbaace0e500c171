//! Text to dates, times of day and timestamps.
//!
//! # Flink
//! `DateTimeUtils.parseDate`, `parseTime` and `parseTimestampData` of 1.17. The first two take loose text
//! piece by piece; the third is a `java.time` formatter `yyyy-[MM][M]-[dd][d]` with an optional
//! ` [HH][H]:[mm][m]:[ss][s]` and fraction, resolved smartly: 30 February is the month's last day and 24:00:00
//! the next midnight.

use super::civil::{MILLIS_PER_DAY, days_from_date, days_of_month};
use super::convert::cut;

/// Parses a whole number as `Integer.parseInt(s.trim())` does where all characters are digits.
fn digits(text: &str) -> Option<i32> {
    let text = text.trim_matches(|c: char| c <= ' ');
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Parses a DATE into days since the epoch: year, month and day with hyphens, up to the first space.
#[must_use]
pub(crate) fn parse_date(text: &str) -> Option<i32> {
    let text = match text.find(' ') {
        Some(at) if at > 0 => &text[..at],
        _ => text,
    };
    let mut parts = text.splitn(3, '-');
    let year = digits(parts.next()?)?;
    let month = parts.next().map_or(Some(1), digits)?;
    let day = parts.next().map_or(Some(1), digits)?;
    let month = u32::try_from(month).ok()?;
    let day = u32::try_from(day).ok()?;
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    if day < 1 || day > days_of_month(i64::from(year), month) {
        return None;
    }
    i32::try_from(days_from_date(i64::from(year), month, day)).ok()
}

/// Returns why text is no DATE or TIME, in Flink's words.
pub(crate) fn bad_datetime(text: &str) -> String {
    format!("For input string: '{}'.", cut(text))
}

/// Parses a TIME into milliseconds of the day, which nothing keeps below a day: `25:00:00` is 90,000,000.
#[must_use]
pub(crate) fn parse_time(text: &str) -> Option<i32> {
    let (clock, offset_hour, offset_minute) = split_offset(text)?;
    let (hour, minute, second, milli) = match clock.split_once(':') {
        None => (digits(clock)?, 0, 0, 0),
        Some((hour, rest)) => {
            let hour = digits(hour)?;
            match rest.split_once(':') {
                None => (hour, digits(rest)?, 0, 0),
                Some((minute, rest)) => {
                    let minute = digits(minute)?;
                    match rest.split_once('.') {
                        None => (hour, minute, digits(rest)?, 0),
                        Some((second, fraction)) => {
                            (hour, minute, digits(second)?, parse_fraction(fraction))
                        }
                    }
                }
            }
        }
    };
    let hour = hour.wrapping_add(offset_hour);
    let minute = minute.wrapping_add(offset_minute);
    Some(
        hour.wrapping_mul(3_600_000)
            .wrapping_add(minute.wrapping_mul(60_000))
            .wrapping_add(second.wrapping_mul(1000))
            .wrapping_add(milli),
    )
}

/// Splits `hh:mm:ss+hh:mm` at the sign and returns the clock with what to add to hours and minutes.
fn split_offset(text: &str) -> Option<(&str, i32, i32)> {
    let (at, sign) = match (text.find('-'), text.find('+')) {
        (Some(at), _) => (at, -1),
        (None, Some(at)) => (at, 1),
        (None, None) => return Some((text, 0, 0)),
    };
    let offset = &text[at + 1..];
    let (hour, minute) = match offset.split_once(':') {
        None => (digits(offset)?, 0),
        Some((hour, minute)) => (digits(hour)?, digits(minute)?),
    };
    Some((&text[..at], sign * hour, sign * minute))
}

/// Returns the milliseconds of a fraction, rounded at its fourth digit.
fn parse_fraction(text: &str) -> i32 {
    let bytes = text.trim_matches(|c: char| c <= ' ').as_bytes();
    let mut millis = 0;
    for (byte, unit) in bytes.iter().zip([100, 10, 1]) {
        if byte.is_ascii_digit() {
            millis += unit * i32::from(byte - b'0');
        }
    }
    if bytes.get(3).is_some_and(|byte| *byte >= b'5') {
        millis += 1;
    }
    millis
}

/// A timestamp's wall clock: milliseconds as if it were UTC, and nanoseconds of the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallClock {
    /// Milliseconds since 1970-01-01 00:00:00.
    pub(crate) millis: i64,
    /// 0..=999,999.
    pub(crate) nanos_of_milli: i32,
}

/// Parses a timestamp, cut to `precision` digits of a second.
pub(crate) fn parse_timestamp(text: &str, precision: u8) -> Result<WallClock, String> {
    let bad = |at: usize| format!("Text '{}' could not be parsed at index {at}", cut(text));
    let mut reader = Reader { text, at: 0 };
    let year = reader.year().ok_or_else(|| bad(reader.at))?;
    reader.literal(b'-').ok_or_else(|| bad(reader.at))?;
    let month = reader.field();
    reader.literal(b'-').ok_or_else(|| bad(reader.at))?;
    let day = reader.field();
    let clock = reader.clock();
    if reader.at != text.len() {
        return Err(bad(reader.at));
    }
    let unresolved = || format!("Text '{}' could not be parsed", cut(text));
    resolve(year, month, day, clock, precision).ok_or_else(unresolved)
}

/// Parses what `java.time` formatters parse, optional parts included.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

/// A time of day as it was parsed: hour, minute, second (each may be missing) and nanoseconds.
struct Clock {
    hour: Option<i64>,
    minute: Option<i64>,
    second: Option<i64>,
    nanos: i64,
}

impl Reader<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn literal(&mut self, byte: u8) -> Option<()> {
        (self.byte(self.at) == Some(byte)).then(|| self.at += 1)
    }

    fn count_digits(&self, at: usize, max: usize) -> usize {
        self.text.as_bytes()[at..]
            .iter()
            .take(max)
            .take_while(|b| b.is_ascii_digit())
            .count()
    }

    /// `yyyy`: four digits; more need a sign, and a plus sign needs more.
    fn year(&mut self) -> Option<i64> {
        let sign = self.byte(self.at).filter(|b| matches!(b, b'+' | b'-'));
        let start = self.at + usize::from(sign.is_some());
        if start > self.text.len() {
            return None;
        }
        let length = self.count_digits(start, 19);
        let fits = match sign {
            Some(b'+') => length > 4,
            Some(_) => length >= 4,
            None => length == 4,
        };
        if !fits {
            return None;
        }
        let year: i64 = self.text[start..start + length].parse().ok()?;
        self.at = start + length;
        Some(if sign == Some(b'-') { -year } else { year })
    }

    /// `[MM][M]`: two digits if there are two, then any signed number; both must agree.
    fn field(&mut self) -> Option<i64> {
        let mut value = None;
        if self.count_digits(self.at, 2) == 2 {
            value = self.text[self.at..self.at + 2].parse().ok();
            self.at += 2;
        }
        if let Some((number, end)) = self.signed_number()
            && (value.is_none() || value == Some(number))
        {
            value = Some(number);
            self.at = end;
        }
        value
    }

    /// A number of up to 19 digits with its end; `-0` is none.
    fn signed_number(&self) -> Option<(i64, usize)> {
        let negative = self.byte(self.at) == Some(b'-');
        let start = self.at + usize::from(negative);
        let end = start + self.count_digits(start.min(self.text.len()), 19);
        let number: i64 = self.text.get(start..end)?.parse().ok()?;
        match (negative, number) {
            (true, 0) => None,
            (true, _) => Some((-number, end)),
            (false, _) => Some((number, end)),
        }
    }

    /// The optional time of day; consumes nothing when it is not there as a whole.
    fn clock(&mut self) -> Option<Clock> {
        let start = self.at;
        let clock = self.clock_inner();
        if clock.is_none() {
            self.at = start;
        }
        clock
    }

    fn clock_inner(&mut self) -> Option<Clock> {
        self.literal(b' ')?;
        let hour = self.field();
        self.literal(b':')?;
        let minute = self.field();
        self.literal(b':')?;
        let second = self.field();
        let mut nanos = 0;
        if self.byte(self.at) == Some(b'.') {
            let length = self.count_digits(self.at + 1, 9);
            for i in 0..9 {
                let digit = if i < length {
                    i64::from(self.text.as_bytes()[self.at + 1 + i] - b'0')
                } else {
                    0
                };
                nanos = nanos * 10 + digit;
            }
            self.at += 1 + length;
        }
        Some(Clock {
            hour,
            minute,
            second,
            nanos,
        })
    }
}

fn resolve(
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    clock: Option<Clock>,
    precision: u8,
) -> Option<WallClock> {
    // Years of the era begin with 1 and end where `java.time` ends.
    if !(1..=999_999_999).contains(&year) {
        return None;
    }
    let month = u32::try_from(month.unwrap_or(1)).ok()?;
    let day = u32::try_from(day.unwrap_or(1)).ok()?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let day = day.min(days_of_month(year, month));
    let mut millis = days_from_date(year, month, day) * MILLIS_PER_DAY;
    let mut nanos = 0;
    if let Some(clock) = clock {
        let (hour, minute, second) = (clock.hour?, clock.minute?, clock.second?);
        let midnight = hour == 24 && minute == 0 && second == 0 && clock.nanos == 0;
        if !midnight && !(0..=23).contains(&hour) {
            return None;
        }
        if !(0..=59).contains(&minute) || !(0..=59).contains(&second) {
            return None;
        }
        millis += (hour * 3600 + minute * 60 + second) * 1000;
        nanos = clock.nanos;
    }
    let unit = 10_i64.pow(u32::from(9 - precision.min(9)));
    nanos -= nanos % unit;
    Some(WallClock {
        millis: millis + nanos / 1_000_000,
        nanos_of_milli: i32::try_from(nanos % 1_000_000).expect("below a million"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_dates() {
        for (text, expect) in [
            ("2024-1-2", Some(19_724)),
            ("2024", Some(19_723)),
            ("2024-01-02 xx", Some(19_724)),
            ("  1970-01-02", Some(1)),
            ("20240102", None),
            ("2024-02-30", None),
            ("2024-01-02-03", None),
            ("", None),
            ("99999999999-01-01", None),
        ] {
            assert_eq!(parse_date(text), expect, "{text}");
        }
    }

    #[test]
    fn parses_times() {
        for (text, expect) in [
            ("1:2:3", Some(3_723_000)),
            ("01", Some(3_600_000)),
            ("00:00:00.999999999", Some(1000)),
            ("01:02:03.1", Some(3_723_100)),
            ("010203", Some(-1_923_905_664)),
            ("01:02:03+01:00", Some(7_323_000)),
            ("01:02:03Z", None),
        ] {
            assert_eq!(parse_time(text), expect, "{text}");
        }
    }

    #[test]
    fn parses_timestamps() {
        let parse = |text| {
            parse_timestamp(text, 9)
                .ok()
                .map(|w| (w.millis, w.nanos_of_milli))
        };
        assert_eq!(
            parse("1970-1-2 3:4:5.123456789"),
            Some((97_445_123, 456_789))
        );
        assert_eq!(parse("1970-01-01"), Some((0, 0)));
        assert_eq!(parse("1970-01-01 24:00:00"), Some((MILLIS_PER_DAY, 0)));
        assert_eq!(parse("2024-02-30 00:00:00"), parse("2024-02-29 00:00:00"));
        assert_eq!(parse("1970-01-01 00:00:05."), Some((5000, 0)));
        for bad in [
            "10000-01-01 00:00:00",
            "24-01-02 03:04:05",
            "-2024-01-02 03:04:05",
            "2024-01-02 03:04",
            "2024-01-02T03:04:05",
            " 2024-01-02",
            "2024-13-01",
            "2024-01-02 23:59:60",
            "0000-01-01",
            "",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
