//! Reads text into fields, strictly: every letter must fit, and nothing may be left over.

use jiff::tz::TimeZone;

use super::field::{FIELDS, Field};
use super::text::{day_period, parse as parse_word};
use super::{Formatter, Item, OffsetForm, Presence};

/// Fields that were read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parsed {
    values: [Option<i64>; FIELDS],
}

impl Parsed {
    /// Returns a field.
    pub(super) fn get(&self, field: Field) -> Option<i64> {
        self.values[field as usize]
    }

    /// Returns a field and forgets it.
    pub(super) fn take(&mut self, field: Field) -> Option<i64> {
        self.values[field as usize].take()
    }

    /// Sets a field; nothing when it has another value already.
    pub(super) fn set(&mut self, field: Field, value: i64) -> Option<()> {
        let slot = &mut self.values[field as usize];
        if slot.is_some_and(|old| old != value) {
            return None;
        }
        *slot = Some(value);
        Some(())
    }
}

impl Formatter {
    /// Returns the fields of a text that fits from its beginning to its end.
    pub(super) fn fields(&self, text: &str) -> Option<Parsed> {
        let mut parsed = Parsed::default();
        let end = parse_items(&self.items, text.as_bytes(), 0, &mut parsed)?;
        (end == text.len()).then_some(parsed)
    }
}

fn parse_items(items: &[Item], text: &[u8], at: usize, parsed: &mut Parsed) -> Option<usize> {
    items
        .iter()
        .try_fold(at, |at, item| parse_item(item, text, at, parsed))
}

fn parse_item(item: &Item, text: &[u8], at: usize, parsed: &mut Parsed) -> Option<usize> {
    match item {
        Item::Literal(literal) => {
            let end = at + literal.len();
            (text.get(at..end)? == literal.as_bytes()).then_some(end)
        }
        Item::Number(number) => {
            let (value, end) = number.parse(text, at)?;
            parsed.set(number.field, value)?;
            Some(end)
        }
        Item::Text(field, style) => {
            let (value, end) = parse_word(*field, *style, text, at)?;
            parsed.set(*field, value)?;
            Some(end)
        }
        Item::Offset(form) => {
            let (seconds, end) = parse_offset(*form, text, at)?;
            parsed.set(Field::Offset, seconds)?;
            Some(end)
        }
        Item::LocalizedOffset { full } => parse_localized_offset(*full, text, at),
        Item::Zone => parse_zone(text, at),
        Item::DayPeriod { narrow } => (0..1440)
            .step_by(60)
            .map(|minute| day_period(minute, *narrow))
            .find(|name| text[at..].starts_with(name.as_bytes()))
            .map(|name| at + name.len()),
        Item::Optional(items) => {
            let before = *parsed;
            parse_items(items, text, at, parsed).or_else(|| {
                *parsed = before;
                Some(at)
            })
        }
        Item::Padded(width, item) => {
            let end = at + width;
            let field = text.get(at..end)?;
            let spaces = field.iter().take_while(|byte| **byte == b' ').count();
            let read = parse_item(item, &text[..end], at + spaces, parsed)?;
            (read == end).then_some(end)
        }
    }
}

/// Reads two digits.
fn pair(text: &[u8], at: usize) -> Option<i64> {
    let digits = text.get(at..at + 2)?;
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(digits[0])? * 10 + digit(digits[1])?)
}

fn parse_offset(form: OffsetForm, text: &[u8], at: usize) -> Option<(i64, usize)> {
    if text.get(at..)?.starts_with(form.zero.as_bytes()) {
        return Some((0, at + form.zero.len()));
    }
    let sign = match text.get(at)? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let hours = pair(text, at + 1)?;
    let mut end = at + 3;
    let mut rest = [0, 0];
    for (value, presence) in rest.iter_mut().zip([form.minutes, form.seconds]) {
        let colon = usize::from(form.colon);
        let stands = presence != Presence::Never
            && (!form.colon || text.get(end) == Some(&b':'))
            && pair(text, end + colon).is_some();
        if stands {
            *value = pair(text, end + colon)?;
            end += 2 + colon;
        } else if presence == Presence::Always {
            return None;
        } else {
            break;
        }
    }
    let [minutes, seconds] = rest;
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    Some((sign * (hours * 3600 + minutes * 60 + seconds), end))
}

/// Reads `GMT`, `GMT+8` or `GMT+08:00`; which offset it is has no bearing on a wall clock.
fn parse_localized_offset(full: bool, text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    if !rest.starts_with(b"GMT") {
        return None;
    }
    let end = at + 3;
    if !matches!(text.get(end), Some(b'+' | b'-')) {
        return Some(end);
    }
    let digits = text[end + 1..]
        .iter()
        .take(2)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if digits == 0 || (full && digits < 2) {
        return None;
    }
    let hours_end = end + 1 + digits;
    let minutes = text.get(hours_end) == Some(&b':') && pair(text, hours_end + 1).is_some();
    match (minutes, full) {
        (true, _) => Some(hours_end + 3),
        (false, true) => None,
        (false, false) => Some(hours_end),
    }
}

/// Reads a zone's id, an offset or an abbreviation.
fn parse_zone(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let length = rest
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"/_+-:".contains(byte))
        .count();
    let candidates = (1..=length).rev();
    let name = |length: usize| std::str::from_utf8(&rest[..length]).expect("ASCII");
    let known = |name: &str| {
        const SHORT: [&str; 12] = [
            "Z", "UT", "PST", "PDT", "EDT", "CST", "CDT", "MDT", "JST", "KST", "CEST", "BST",
        ];
        SHORT.contains(&name)
            || TimeZone::get(name).is_ok_and(|tz| tz.iana_name() == Some(name))
            || (name.len() == 6 && offset_end(name))
    };
    let length = candidates.into_iter().find(|length| known(name(*length)))?;
    Some(at + length)
}

fn offset_end(name: &str) -> bool {
    let form = OffsetForm {
        colon: true,
        minutes: Presence::Always,
        seconds: Presence::Never,
        zero: "Z",
    };
    parse_offset(form, name.as_bytes(), 0).is_some_and(|(_, end)| end == name.len())
}
