//! What `java.sql.Timestamp.valueOf` and `java.sql.Date.valueOf` read.
//!
//! # Flink
//! TO_TIMESTAMP tries them on text that does not fit its format: `yyyy-[m]m-[d]d`, and after a space `h:m:s` with
//! perhaps a fraction. What exceeds its range runs over, but month and day must be within 1 to 12 and 1 to 31.

use super::hybrid_calendar::{CalendarFields, Field, hybrid_date};
use crate::cast::civil::{MILLIS_PER_DAY, days_from_date, days_of_month};

/// Returns the wall clock in milliseconds, as if it were UTC.
pub(super) fn read(text: &str) -> Option<i64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let mut fields = CalendarFields::default();
    let (date, time) = match text.split_once(' ') {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let short = |part: &str| (1..=2).contains(&part.len());
    if year.len() != 4 || !short(month) || !short(day) {
        return None;
    }
    let (month, day) = (number(month)?, number(day)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    fields.set(Field::Year, number(year)?);
    fields.set(Field::Month, month - 1);
    fields.set(Field::DayOfMonth, day);
    let mut millis = 0;
    if let Some(time) = time {
        let (hour, rest) = time.split_once(':')?;
        let (minute, rest) = rest.split_once(':')?;
        let second = match rest.split_once('.') {
            Some((second, fraction)) => {
                millis = fraction_millis(fraction)?;
                second
            }
            None => rest,
        };
        fields.set(Field::HourOfDay, number(hour)?);
        fields.set(Field::Minute, number(minute)?);
        fields.set(Field::Second, number(second)?);
    }
    let wall = fields.wall_millis();
    // The fields of the Julian calendar are taken as they are; not all of its dates exist in the other one.
    let (year, month, day) = hybrid_date(wall.div_euclid(MILLIS_PER_DAY));
    if day > days_of_month(year, month) {
        return None;
    }
    let of_day = wall.rem_euclid(MILLIS_PER_DAY);
    Some(days_from_date(year, month, day) * MILLIS_PER_DAY + of_day + millis)
}

/// What `Integer.parseInt` reads.
fn number(text: &str) -> Option<i32> {
    text.parse().ok()
}

fn fraction_millis(digits: &str) -> Option<i64> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain || !(1..=9).contains(&digits.len()) {
        return None;
    }
    let nanos: i64 = format!("{digits:0<9}").parse().ok()?;
    Some(nanos / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::parse_temporal::parse_timestamp;

    #[test]
    fn reads_loose_text() {
        let check = |text: &str, same: Option<&str>| {
            let same = same.map(|text| parse_timestamp(text, 3).unwrap().millis);
            assert_eq!(read(text), same, "{text}");
        };
        check("2024-1-2", Some("2024-01-02"));
        check(" 2024-01-02 3:4:5.12 ", Some("2024-01-02 03:04:05.120"));
        check("2024-02-30 25:00:00", Some("2024-03-02 01:00:00"));
        for text in [
            "2024-1-2 ",
            "2024-13-01",
            "24-01-02",
            "2024-01-02 03:04",
            "2024-01-02 1:2:3.",
            "",
        ] {
            let expect = (text == "2024-1-2 ").then_some("2024-01-02");
            check(text, expect);
        }
    }
}
