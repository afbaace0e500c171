//! Fields in English words.

use super::super::names::{MONTHS, WEEKDAYS, short};
use super::field::Field;

/// How long words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Short,
    Full,
    Narrow,
}

/// The words of quarters.
const QUARTERS: [[&str; 3]; 4] = [
    ["Q1", "1st quarter", "1"],
    ["Q2", "2nd quarter", "2"],
    ["Q3", "3rd quarter", "3"],
    ["Q4", "4th quarter", "4"],
];

/// Returns the word for a field's value.
pub(super) fn word(field: Field, style: Style, value: i64) -> Option<&'static str> {
    let value = usize::try_from(value).ok()?;
    let of_name = |name: &'static str| match style {
        Style::Short => short(name),
        Style::Full => name,
        Style::Narrow => &name[..1],
    };
    Some(match field {
        Field::Month => of_name(MONTHS.get(value.checked_sub(1)?)?),
        // Monday is 1 and Sunday 7.
        Field::DayOfWeek if (1..=7).contains(&value) => of_name(WEEKDAYS[value % 7]),
        Field::Quarter => QUARTERS.get(value.checked_sub(1)?)?[style as usize],
        Field::AmPm => *["AM", "PM"].get(value)?,
        Field::Era => *match style {
            Style::Short => ["BC", "AD"],
            Style::Full => ["Before Christ", "Anno Domini"],
            Style::Narrow => ["B", "A"],
        }
        .get(value)?,
        _ => return None,
    })
}

/// Reads the longest word of a field at `at`; returns its value with its end.
pub(super) fn parse(field: Field, style: Style, text: &[u8], at: usize) -> Option<(i64, usize)> {
    let rest = text.get(at..)?;
    (0..=12)
        .filter_map(|value| Some((value, word(field, style, value)?)))
        .filter(|(_, word)| rest.starts_with(word.as_bytes()))
        .max_by_key(|(value, word)| (word.len(), -value))
        .map(|(value, word)| (value, at + word.len()))
}

/// Returns the name of the period a minute of the day lies in.
pub(super) fn day_period(minute: i64, narrow: bool) -> &'static str {
    match (minute, narrow) {
        (0, false) => "midnight",
        (0, true) => "mi",
        (720, false) => "noon",
        (720, true) => "n",
        (360..720, _) => "in the morning",
        (720..1080, _) => "in the afternoon",
        (1080..1260, _) => "in the evening",
        _ => "at night",
    }
}
