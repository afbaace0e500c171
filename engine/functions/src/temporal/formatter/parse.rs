//! Reads text into fields, strictly: every letter must fit, and nothing may be left over.

use jiff::tz::TimeZone;

use super::field::{FIELDS, Field};
use super::text::{day_period, parse as parse_word};
use super::{Formatter, Item, OffsetForm, Presence, ZoneForm};
use crate::temporal::zone_names::{ZoneNames, is_id};

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
        Item::Zone(form) => parse_zone(*form, text, at),
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

/// An offset as ids have it.
const ID_OFFSET: OffsetForm = OffsetForm {
    colon: true,
    minutes: Presence::Always,
    seconds: Presence::Optional,
    zero: "Z",
};

/// Reads a zone's id, an offset or a name.
///
/// # Flink
/// `ZoneIdPrinterParser` and `ZoneTextPrinterParser`: the longest id or name counts. Which zone it is has no bearing on
/// a wall clock.
fn parse_zone(form: ZoneForm, text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let offset = |at: usize| parse_offset(ID_OFFSET, text, at).map(|(_, end)| end);
    if matches!(rest.first()?, b'+' | b'-') {
        return offset(at);
    }
    if rest.starts_with(b"GMT0") {
        return Some(at + 4);
    }
    let prefix = [&b"UTC"[..], b"UT", b"GMT"]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix));
    if let Some(prefix) = prefix {
        let end = at + prefix.len();
        // What follows belongs to the id where it is an offset.
        return Some(match text.get(end) {
            Some(b'+' | b'-') => offset(end).unwrap_or(end),
            _ => end,
        });
    }
    let is_z = (rest[0] == b'Z').then_some(at + 1);
    longest_name(form, rest).map(|length| at + length).or(is_z)
}

fn longest_name(form: ZoneForm, text: &[u8]) -> Option<usize> {
    let id_length = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(byte))
        .count();
    let is_id = |length: &usize| std::str::from_utf8(&text[..*length]).is_ok_and(is_zone);
    let id = (1..=id_length).rev().find(is_id);
    let first = match form {
        ZoneForm::Id => return id,
        ZoneForm::Full => 0,
        ZoneForm::Short => 1,
    };
    let names = ZoneNames::all().iter();
    let names = names.flat_map(|names| names.names.iter().skip(first).step_by(2));
    let name = names
        .filter(|name| !name.is_empty() && text.starts_with(name.as_bytes()))
        .map(|name| name.len())
        .max();
    id.max(name)
}

fn is_zone(name: &str) -> bool {
    is_id(name) || TimeZone::get(name).is_ok_and(|tz| tz.iana_name() == Some(name))
}
