//! Reads text by a pattern, as leniently as Java: fields run over, what follows the pattern is ignored.

use super::super::hybrid_calendar::{CalendarFields, Field};
use std::sync::Arc;

use super::super::java_zone::{JavaZone, ZoneCursor};
use super::super::names::{MONTHS, WEEKDAYS, short};
use super::super::zone_names::ZoneNames;
use super::{Item, SimpleFormat};

impl SimpleFormat {
    /// Returns the instant in milliseconds, or nothing for text the pattern does not fit.
    pub(crate) fn parse(&self, text: &str, zone: &mut ZoneCursor) -> Option<i64> {
        let mut reader = Reader {
            text: text.as_bytes(),
            at: 0,
            century_start: self.century_start,
            fields: CalendarFields::default(),
            ambiguous_year: false,
            named: None,
        };
        for (index, item) in self.items.iter().enumerate() {
            match item {
                Item::Literal(literal) => {
                    let end = reader.at + literal.len();
                    if reader.text.get(reader.at..end) != Some(literal.as_bytes()) {
                        return None;
                    }
                    reader.at = end;
                }
                Item::Field(letter, count) => {
                    let obey = self.items.get(index + 1).is_some_and(obeys_count);
                    reader.at = reader.field(*letter, *count, obey, zone.zone())?;
                }
            }
        }
        // Java takes a pattern that reads nothing for a failure.
        (reader.at > 0).then(|| reader.instant(zone))
    }
}

/// Tells whether a field before this part must stop at the number of its letters: digits may follow at once.
fn obeys_count(next: &Item) -> bool {
    match next {
        Item::Literal(_) => false,
        Item::Field(b'M' | b'L', count) => *count <= 2,
        Item::Field(letter, _) => b"ydkHmsSDFwWhKYu".contains(letter),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    century_start: i64,
    fields: CalendarFields,
    /// Two digits of a year were read that may mean the first or the last year of the 100.
    ambiguous_year: bool,
    /// A zone that was named, which takes the place of the format's own.
    named: Option<NamedZone>,
}

/// A zone by its name.
struct NamedZone {
    zone: Arc<JavaZone>,
    /// The seconds that the name adds to the zone's standard time; `None` leaves that to the zone.
    daylight: Option<i64>,
}

impl Reader<'_> {
    fn instant(&mut self, zone: &mut ZoneCursor) -> i64 {
        let instant = self.to_instant(zone);
        if self.ambiguous_year && instant < self.century_start * 86_400_000 {
            let year = self.fields.get(Field::Year).unwrap_or(1970) + 100;
            self.fields
                .set(Field::Year, i32::try_from(year).unwrap_or(i32::MAX));
            return self.to_instant(zone);
        }
        instant
    }

    fn to_instant(&self, zone: &mut ZoneCursor) -> i64 {
        let Some(named) = &self.named else {
            return to_instant(&self.fields, zone);
        };
        let mut zone = ZoneCursor::new(Arc::clone(&named.zone));
        let Some(daylight) = named.daylight else {
            return to_instant(&self.fields, &mut zone);
        };
        let wall = self.fields.wall_millis();
        let standard = zone.standard_offset_of_wall(wall.div_euclid(1000));
        wall.wrapping_sub((standard + daylight) * 1000)
    }

    /// Reads a field and returns where it ends.
    fn field(&mut self, letter: u8, count: usize, obey: bool, own: &JavaZone) -> Option<usize> {
        let start = self.at;
        let mut at = start;
        while matches!(self.text.get(at), Some(b' ' | b'\t')) {
            at += 1;
        }
        self.text.get(at)?;
        let field = match letter {
            b'G' => return self.name(start, Field::Era, &[("BC", 0), ("AD", 1)]),
            b'a' => return self.name(start, Field::AmPm, &[("AM", 0), ("PM", 1)]),
            b'M' | b'L' if count >= 3 => return self.long_name(start, Field::Month, &MONTHS, 0),
            b'E' => return self.long_name(start, Field::DayOfWeek, &WEEKDAYS, 1),
            b'z' | b'Z' => return self.zone(start, at, own),
            b'X' => return self.iso_zone(at, count),
            b'y' => Field::Year,
            b'Y' => Field::WeekYear,
            b'M' | b'L' => Field::Month,
            b'd' => Field::DayOfMonth,
            b'k' | b'H' => Field::HourOfDay,
            b'm' => Field::Minute,
            b's' => Field::Second,
            b'S' => Field::Millisecond,
            b'D' => Field::DayOfYear,
            b'F' => Field::DayOfWeekInMonth,
            b'w' => Field::WeekOfYear,
            b'W' => Field::WeekOfMonth,
            b'u' => Field::DayOfWeek,
            _ => Field::Hour,
        };
        let limit = if obey { start + count } else { self.text.len() };
        if limit > self.text.len() {
            return None;
        }
        let (value, end) = integer(&self.text[..limit], at)?;
        let value = match letter {
            b'y' | b'Y' if count <= 2 => self.two_digit_year(value, at, end),
            b'M' | b'L' => value.wrapping_sub(1),
            b'k' if value == 24 => 0,
            b'h' if value == 12 => 0,
            // ISO counts weekdays from Monday; what is no weekday stays, and the calendar deals with it.
            b'u' if (1..=7).contains(&value) => value % 7 + 1,
            _ => value,
        };
        self.fields.set(field, value);
        Some(end)
    }

    /// Puts a year of exactly two digits into the 100 years around now.
    fn two_digit_year(&mut self, value: i32, start: usize, end: usize) -> i32 {
        if end - start != 2 || !self.text[start..end].iter().all(u8::is_ascii_digit) {
            return value;
        }
        let (first, _, _) = super::hybrid_date(self.century_start);
        let first = i32::try_from(first).unwrap_or(1945);
        self.ambiguous_year = value == first % 100;
        value + first / 100 * 100 + if value < first % 100 { 100 } else { 0 }
    }

    /// Reads one of some names, in any case.
    fn name(&mut self, at: usize, field: Field, names: &[(&str, i32)]) -> Option<usize> {
        let (name, value) = names.iter().find(|(name, _)| self.at_name(at, name))?;
        self.fields.set(field, *value);
        Some(at + name.len())
    }

    /// Reads a month or weekday, long or short.
    fn long_name(
        &mut self,
        at: usize,
        field: Field,
        names: &[&'static str],
        first: i32,
    ) -> Option<usize> {
        let index = names
            .iter()
            .position(|name| self.at_name(at, short(name)))?;
        let long = names[index];
        let name = if self.at_name(at, long) {
            long
        } else {
            short(long)
        };
        self.fields.set(
            field,
            i32::try_from(index).expect("at most 12 names") + first,
        );
        Some(at + name.len())
    }

    fn at_name(&self, at: usize, name: &str) -> bool {
        self.text
            .get(at..at + name.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Reads `+0800`, `GMT+8:00` or a name that stands for one offset.
    fn zone(&mut self, start: usize, at: usize, own: &JavaZone) -> Option<usize> {
        match self.text.get(at)? {
            b'+' => return self.numeric_zone(at + 1, 1, 0, false),
            b'-' => return self.numeric_zone(at + 1, -1, 0, false),
            _ => {}
        }
        if self.at_name(start, "GMT") {
            let at = start + 3;
            return match self.text.get(at) {
                Some(b'+') => self.numeric_zone(at + 1, 1, 0, true),
                Some(b'-') => self.numeric_zone(at + 1, -1, 0, true),
                _ => self.set_offset(0, at),
            };
        }
        self.zone_name(at, own)
    }

    /// Reads a zone's name: one of the format's own zone, else that of the first zone in Java's order.
    ///
    /// # Flink
    /// `SimpleDateFormat.subParseZoneString`: where standard and daylight saving time have the same name, or the zone
    /// has no such time today, the zone decides.
    fn zone_name(&mut self, at: usize, own: &JavaZone) -> Option<usize> {
        let text = self.text.get(at..)?;
        let of_own = own.names().into_iter();
        let (names, index) = of_own
            .chain(ZoneNames::all())
            .find_map(|names| Some((names, names.match_start(text)?)))?;
        let is_own = own.names().is_some_and(|own| std::ptr::eq(own, names));
        let zone = match is_own {
            true => own.clone(),
            false => JavaZone::of_id(names.first_id),
        };
        let name = names.names[index];
        let is_daylight = index >= 2;
        let is_same = !is_daylight && name.eq_ignore_ascii_case(names.names[index + 2]);
        let savings = if is_daylight { zone.savings() } else { 0 };
        self.named = Some(NamedZone {
            zone: Arc::new(zone),
            daylight: (!is_same && (!is_daylight || savings > 0)).then_some(savings),
        });
        Some(at + name.len())
    }

    /// Reads `Z`, or `+08`, `+0800` or `+08:00` by the number of letters.
    fn iso_zone(&mut self, at: usize, count: usize) -> Option<usize> {
        match self.text.get(at)? {
            b'Z' => self.set_offset(0, at + 1),
            b'+' => self.numeric_zone(at + 1, 1, count, count == 3),
            b'-' => self.numeric_zone(at + 1, -1, count, count == 3),
            _ => None,
        }
    }

    fn numeric_zone(&mut self, at: usize, sign: i32, count: usize, colon: bool) -> Option<usize> {
        let mut at = at;
        let digit = |at: usize| {
            let byte = *self.text.get(at)?;
            byte.is_ascii_digit().then(|| i32::from(byte - b'0'))
        };
        let mut hours = digit(at)?;
        at += 1;
        match digit(at) {
            Some(second) => {
                hours = hours * 10 + second;
                at += 1;
            }
            None if count > 0 || !colon => return None,
            None => {}
        }
        let mut minutes = 0;
        if count != 1 {
            if colon {
                (self.text.get(at) == Some(&b':')).then_some(())?;
                at += 1;
            }
            minutes = digit(at)? * 10 + digit(at + 1)?;
            at += 2;
        }
        if hours > 23 || minutes > 59 {
            return None;
        }
        self.set_offset(sign * (hours * 60 + minutes), at)
    }

    fn set_offset(&mut self, minutes: i32, end: usize) -> Option<usize> {
        self.fields.set(Field::ZoneOffset, minutes * 60_000);
        Some(end)
    }
}

fn to_instant(fields: &CalendarFields, zone: &mut ZoneCursor) -> i64 {
    let wall = fields.wall_millis();
    match fields.get(Field::ZoneOffset) {
        Some(offset) => wall.wrapping_sub(offset),
        None => wall.wrapping_sub(zone.offset_of_wall(wall.div_euclid(1000)) * 1000),
    }
}

/// Reads a whole number, with a minus perhaps, and returns it with its end. More than 64 bits is the greatest
/// number there is, more than 32 bits are cut off.
fn integer(text: &[u8], start: usize) -> Option<(i32, usize)> {
    let negative = text.get(start) == Some(&b'-');
    let first = start + usize::from(negative);
    let digits = text
        .get(first..)?
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits == 0 {
        return None;
    }
    let mut value = Some(0_i64);
    for byte in &text[first..first + digits] {
        value = value.and_then(|v| v.checked_mul(10)?.checked_add(i64::from(byte - b'0')));
    }
    let value = match value {
        #[expect(clippy::cast_possible_truncation, reason = "Java's Long.intValue")]
        Some(value) => (if negative { -value } else { value }) as i32,
        None if negative => i32::MIN,
        None => i32::MAX,
    };
    Some((value, first + digits))
}
