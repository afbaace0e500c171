//! Dates and times as `java.time` formatters read and write them.
//!
//! # Flink
//! `org.apache.flink.formats.common.TimeFormats`, 1.17. The SQL formats resolve smartly (30 February is the last day
//! of February, 24:00 the next midnight), the ISO ones strictly.

/// Nanoseconds of a second, a day's seconds.
const NANOS_PER_SECOND: i64 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A point on the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// Days since 1970-01-01.
    pub days: i64,
    /// Seconds since midnight.
    pub second: i64,
    /// Nanoseconds of the second.
    pub nano: i64,
}

impl WallTime {
    /// Returns the nanoseconds since 1970-01-01 00:00, cut to `precision` digits of the second.
    #[must_use]
    pub fn nanos(self, precision: u8) -> i128 {
        let unit = 10_i64.pow(9 - u32::from(precision.min(9)));
        let seconds = i128::from(self.days) * i128::from(SECONDS_PER_DAY) + i128::from(self.second);
        seconds * i128::from(NANOS_PER_SECOND) + i128::from(self.nano - self.nano % unit)
    }

    /// Returns the point that lies so many nanoseconds after 1970-01-01 00:00.
    #[must_use]
    pub fn of_nanos(nanos: i128) -> Self {
        let seconds = nanos.div_euclid(i128::from(NANOS_PER_SECOND)) as i64;
        Self {
            days: seconds.div_euclid(SECONDS_PER_DAY),
            second: seconds.rem_euclid(SECONDS_PER_DAY),
            nano: nanos.rem_euclid(i128::from(NANOS_PER_SECOND)) as i64,
        }
    }

    /// Returns the point that lies so many microseconds after 1970-01-01 00:00.
    #[must_use]
    pub fn of_micros(micros: i64) -> Self {
        let seconds = micros.div_euclid(1_000_000);
        Self {
            days: seconds.div_euclid(SECONDS_PER_DAY),
            second: seconds.rem_euclid(SECONDS_PER_DAY),
            nano: micros.rem_euclid(1_000_000) * 1_000,
        }
    }
}

/// How a timestamp is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampStyle {
    /// `2024-01-02T03:04:05` instead of `2024-01-02 03:04:05`.
    pub is_iso: bool,
    /// A `Z` at the end.
    pub has_zone: bool,
}

/// A text that is read from its start; faults are Java's.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    fn fault(&self, at: usize) -> String {
        format!(
            "Text '{}' could not be parsed at index {at}",
            shown(self.text)
        )
    }

    fn literal(&mut self, wanted: u8, any_case: bool) -> Result<(), String> {
        match self.text.get(self.at) {
            Some(b) if *b == wanted || (any_case && b.eq_ignore_ascii_case(&wanted)) => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.fault(self.at)),
        }
    }

    fn digits(&self) -> usize {
        self.text[self.at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    }

    fn number(&mut self, length: usize) -> i64 {
        let value = self.text[self.at..self.at + length]
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        self.at += length;
        value
    }

    fn two_digits(&mut self) -> Result<i64, String> {
        if self.digits() < 2 {
            return Err(self.fault(self.at));
        }
        Ok(self.number(2))
    }

    /// A year of four digits; of up to ten with a sign.
    fn year(&mut self) -> Result<i64, String> {
        let start = self.at;
        let sign = self
            .text
            .get(self.at)
            .copied()
            .filter(|b| matches!(b, b'+' | b'-'));
        self.at += usize::from(sign.is_some());
        let length = self.digits().min(10);
        let is_wrong =
            length < 4 || (sign == Some(b'+') && length == 4) || (sign.is_none() && length > 4);
        if is_wrong {
            return Err(self.fault(start));
        }
        let year = self.number(length);
        Ok(if sign == Some(b'-') { -year } else { year })
    }

    fn date(&mut self, is_strict: bool) -> Result<i64, String> {
        let year = self.year()?;
        self.literal(b'-', false)?;
        let month = self.two_digits()?;
        self.literal(b'-', false)?;
        let day = self.two_digits()?;
        if !(1..=12).contains(&month) {
            return Err(self.range("MonthOfYear (valid values 1 - 12)", month));
        }
        if !(1..=31).contains(&day) {
            return Err(self.range("DayOfMonth (valid values 1 - 28/31)", day));
        }
        let last = month_length(year, month);
        if day > last && is_strict {
            return Err(format!(
                "Text '{}' could not be parsed: Invalid date",
                shown(self.text)
            ));
        }
        Ok(days_of_date(year, month, day.min(last)))
    }

    /// Returns seconds of the day, up to 24:00, and nanoseconds. With `short`, seconds may be left out.
    fn time(&mut self, is_strict: bool, short: bool) -> Result<(i64, i64), String> {
        let hour = self.two_digits()?;
        self.literal(b':', false)?;
        let minute = self.two_digits()?;
        let mut second = 0;
        let mut nano = 0;
        // What is optional goes back to its start when it does not fit.
        let before_second = self.at;
        match self.literal(b':', false).and_then(|()| self.two_digits()) {
            Ok(value) => {
                second = value;
                nano = self.fraction();
            }
            Err(_) if short => self.at = before_second,
            Err(fault) => return Err(fault),
        }
        for (name, value, last) in [
            ("MinuteOfHour (valid values 0 - 59)", minute, 59),
            ("SecondOfMinute (valid values 0 - 59)", second, 59),
        ] {
            if value > last {
                return Err(self.range(name, value));
            }
        }
        let is_midnight = !is_strict && hour == 24 && minute == 0 && second == 0 && nano == 0;
        if hour > 23 && !is_midnight {
            return Err(self.range("HourOfDay (valid values 0 - 23)", hour));
        }
        Ok((hour * 3600 + minute * 60 + second, nano))
    }

    /// A point and up to nine digits, or nothing.
    fn fraction(&mut self) -> i64 {
        if self.text.get(self.at) != Some(&b'.') {
            return 0;
        }
        self.at += 1;
        let length = self.digits().min(9);
        self.number(length) * 10_i64.pow(9 - length as u32)
    }

    fn range(&self, field: &str, value: i64) -> String {
        format!(
            "Text '{}' could not be parsed: Invalid value for {field}: {value}",
            shown(self.text)
        )
    }

    fn end(&self) -> Result<(), String> {
        if self.at < self.text.len() {
            return Err(format!(
                "Text '{}' could not be parsed, unparsed text found at index {}",
                shown(self.text),
                self.at
            ));
        }
        Ok(())
    }
}

/// Cuts a value for a message.
#[must_use]
pub fn shown(text: &[u8]) -> String {
    let cut = String::from_utf8_lossy(&text[..text.len().min(64)]);
    cut.into_owned()
}

/// Returns the days since 1970-01-01 of a date like `2024-01-02` (ISO_LOCAL_DATE).
///
/// # Errors
/// It is no such date, in Java's words.
pub fn parse_date(text: &[u8]) -> Result<i64, String> {
    let mut reader = Reader::new(text);
    let days = reader.date(true)?;
    reader.end()?;
    Ok(days)
}

/// Returns the second of the day and the nanosecond of a time like `03:04:05.678`.
///
/// # Errors
/// It is no such time, in Java's words.
pub fn parse_sql_time(text: &[u8]) -> Result<(i64, i64), String> {
    let mut reader = Reader::new(text);
    let (second, nano) = reader.time(false, false)?;
    reader.end()?;
    Ok((second % SECONDS_PER_DAY, nano))
}

/// Returns the second of the day and the nanosecond of a time like `03:04` or `03:04:05.678` (ISO_LOCAL_TIME).
///
/// # Errors
/// It is no such time, in Java's words.
pub fn parse_iso_time(text: &[u8]) -> Result<(i64, i64), String> {
    let mut reader = Reader::new(text);
    let time = reader.time(true, true)?;
    reader.end()?;
    Ok(time)
}

/// Returns the wall time of a timestamp of the given style.
///
/// # Errors
/// It is no such timestamp, in Java's words.
pub fn parse_timestamp(text: &[u8], style: TimestampStyle) -> Result<WallTime, String> {
    let mut reader = Reader::new(text);
    // The ISO format with a zone is built by hand in Flink, and so resolves smartly like the SQL ones.
    let is_strict = style.is_iso && !style.has_zone;
    let days = reader.date(is_strict)?;
    reader.literal(if style.is_iso { b'T' } else { b' ' }, is_strict)?;
    let (second, nano) = reader.time(is_strict, style.is_iso)?;
    if style.has_zone {
        reader.literal(b'Z', false)?;
    }
    reader.end()?;
    Ok(WallTime {
        days: days + second / SECONDS_PER_DAY,
        second: second % SECONDS_PER_DAY,
        nano,
    })
}

/// Appends a date like `2024-01-02`; years beyond 9999 get a sign.
pub fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = date_of_days(days);
    let mut text = *b"0000-00-00";
    match year {
        0..=9999 => {
            text[..2].copy_from_slice(&two_digits(year / 100));
            text[2..4].copy_from_slice(&two_digits(year % 100));
        }
        10_000.. => {
            out.push(b'+');
            push_padded(year, 4, out);
        }
        _ => {
            out.push(b'-');
            push_padded(-year, 4, out);
        }
    }
    text[5..7].copy_from_slice(&two_digits(month));
    text[8..].copy_from_slice(&two_digits(day));
    let is_short = (0..=9999).contains(&year);
    out.extend_from_slice(if is_short { &text } else { &text[4..] });
}

/// Appends a time like `03:04:05.12`, without zeros at the end of the fraction.
pub fn write_time(second: i64, nano: i64, out: &mut Vec<u8>) {
    // Gathered first: bytes that are pushed one by one cost a check of the room each.
    let mut text = *b"00:00:00.000000000";
    text[..2].copy_from_slice(&two_digits(second / 3600));
    text[3..5].copy_from_slice(&two_digits(second / 60 % 60));
    text[6..8].copy_from_slice(&two_digits(second % 60));
    if nano == 0 {
        out.extend_from_slice(&text[..8]);
        return;
    }
    let milli = nano / 1_000_000;
    text[9] = digit(milli / 100);
    text[10..12].copy_from_slice(&two_digits(milli % 100));
    let mut length = 12;
    let rest = nano % 1_000_000;
    if rest != 0 {
        text[12..14].copy_from_slice(&two_digits(rest / 10_000));
        text[14..16].copy_from_slice(&two_digits(rest / 100 % 100));
        text[16..].copy_from_slice(&two_digits(rest % 100));
        length = text.len();
    }
    while text[length - 1] == b'0' {
        length -= 1;
    }
    out.extend_from_slice(&text[..length]);
}

fn digit(value: i64) -> u8 {
    b'0' + (value % 10) as u8
}

fn two_digits(value: i64) -> [u8; 2] {
    [digit(value / 10), digit(value)]
}

/// Appends a timestamp in the given style.
pub fn write_timestamp(time: WallTime, style: TimestampStyle, out: &mut Vec<u8>) {
    write_date(time.days, out);
    out.push(if style.is_iso { b'T' } else { b' ' });
    write_time(time.second, time.nano, out);
    if style.has_zone {
        out.push(b'Z');
    }
}

fn push_padded(value: i64, width: usize, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    let mut rest = value;
    while rest > 0 || digits.len() - at < width {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn month_length(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap(year)),
        _ => 31,
    }
}

/// Returns the days since 1970-01-01 in the proleptic Gregorian calendar; years count from March, so that the leap
/// day is a year's last.
#[must_use]
#[inline]
pub fn days_of_date(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Returns year, month and day.
#[must_use]
#[inline]
pub fn date_of_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_inverse() {
        for days in (-800_000..3_000_000).step_by(97) {
            let (year, month, day) = date_of_days(days);
            assert_eq!(days_of_date(year, month, day), days);
        }
        assert_eq!(days_of_date(1970, 1, 1), 0);
        assert_eq!(days_of_date(2024, 2, 29), 19_782);
    }

    #[test]
    fn fractions_end_before_their_zeros() {
        let nanos = [
            0,
            1,
            10,
            99,
            1_000,
            500_000,
            1_000_000,
            7_000_100,
            10_000_000,
            120_000_000,
            123_456_000,
        ];
        for nano in nanos.into_iter().chain([123_456_789, 999_999_999]) {
            for second in [0, 59, 3_661, 86_399] {
                let mut out = Vec::new();
                write_time(second, nano, &mut out);
                let (hour, minute, of_minute) = (second / 3600, second / 60 % 60, second % 60);
                let expect = format!("{hour:02}:{minute:02}:{of_minute:02}.{nano:09}");
                let expect = expect.trim_end_matches('0').trim_end_matches('.');
                let expect = if nano == 0 {
                    format!("{hour:02}:{minute:02}:{of_minute:02}")
                } else {
                    expect.to_owned()
                };
                assert_eq!(String::from_utf8(out).expect("ASCII"), expect);
            }
        }
        let written = |days| {
            let mut out = Vec::new();
            write_date(days, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(written(days_of_date(10_000, 12, 31)), "+10000-12-31");
        assert_eq!(written(days_of_date(9_999, 1, 9)), "9999-01-09");
        assert_eq!(written(days_of_date(-1, 1, 1)), "-0001-01-01");
        assert_eq!(written(0), "1970-01-01");
    }

    #[test]
    fn reads_and_writes_timestamps_as_java_does() {
        let sql = TimestampStyle {
            is_iso: false,
            has_zone: false,
        };
        let iso = TimestampStyle {
            is_iso: true,
            has_zone: false,
        };
        let check = |text: &str, style, expect: &str| {
            let mut out = Vec::new();
            write_timestamp(
                parse_timestamp(text.as_bytes(), style).expect(text),
                style,
                &mut out,
            );
            assert_eq!(String::from_utf8(out).expect("ASCII"), expect);
        };
        check("2024-02-30 24:00:00", sql, "2024-03-01 00:00:00");
        check("2024-01-02 03:04:05.", sql, "2024-01-02 03:04:05");
        check("0001-01-01 00:00:00.120", sql, "0001-01-01 00:00:00.12");
        check("2024-01-02t03:04", iso, "2024-01-02T03:04:00");
        check("+12024-01-02 03:04:05", sql, "+12024-01-02 03:04:05");
        for bad in [
            "2024-02-30T00:00:00",
            "2024-01-02 03:04:05",
            "2024-01-02T24:00:00",
        ] {
            assert!(parse_timestamp(bad.as_bytes(), iso).is_err(), "{bad}");
        }
        assert_eq!(
            parse_timestamp(b"2024-01-02 03:04", sql),
            Err("Text '2024-01-02 03:04' could not be parsed at index 16".to_owned())
        );
        assert_eq!(parse_sql_time(b"24:00:00"), Ok((0, 0)));
    }
}
