//! Time zones as `java.util.TimeZone` has them, with which SimpleDateFormat reads and prints.
//!
//! # Flink
//! They differ from `java.time`: an id nobody knows is GMT, three letters are ids of their own (`PST`), local mean
//! time before 1900 does not exist, and a wall clock that stands twice means the later instant.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::zone_names::ZoneNames;

/// Seconds of 1900-01-01 00:00:00 UTC, before which a zone keeps its standard offset of today.
const TABLE_START: i64 = -2_208_988_800;
/// 400 years, after which weekdays and leap years repeat, in seconds.
const CYCLE: i64 = 146_097 * 86_400;
/// The second from which rules are looked up a number of cycles earlier.
const LAST_EXACT: i64 = 253_000_000_000;
/// How many stretches of equal offset a cursor remembers.
const REMEMBERED: usize = 64;

/// Ids that only Java knows, with what they stand for.
const SHORT_IDS: &[(&str, &str)] = &[
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AGT", "America/Argentina/Buenos_Aires"),
    ("ART", "Africa/Cairo"),
    ("AST", "America/Anchorage"),
    ("BET", "America/Sao_Paulo"),
    ("BST", "Asia/Dhaka"),
    ("CAT", "Africa/Harare"),
    ("CNT", "America/St_Johns"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("EAT", "Africa/Addis_Ababa"),
    ("ECT", "Europe/Paris"),
    ("IET", "America/Indiana/Indianapolis"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("MIT", "Pacific/Apia"),
    ("NET", "Asia/Yerevan"),
    ("NST", "Pacific/Auckland"),
    ("PLT", "Asia/Karachi"),
    ("PNT", "America/Phoenix"),
    ("PRT", "America/Puerto_Rico"),
    ("PST", "America/Los_Angeles"),
    ("SST", "Pacific/Guadalcanal"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

/// Ids that Java reads as offsets without daylight saving time.
const FIXED_IDS: &[(&str, i32)] = &[("EST", -5), ("MST", -7), ("HST", -10)];

/// A time zone.
#[derive(Clone, Debug)]
pub(crate) struct JavaZone {
    /// Empty where it is an offset alone.
    id: String,
    tz: TimeZone,
    /// The standard offset of today in seconds, which holds before 1900 too.
    standard: i64,
}

impl JavaZone {
    /// Returns the zone of that id, as `TimeZone.getTimeZone` does; GMT for any id nobody knows.
    pub(crate) fn of_id(id: &str) -> Self {
        if let Some((_, hours)) = FIXED_IDS.iter().find(|(short, _)| *short == id) {
            return Self {
                id: id.to_owned(),
                ..Self::fixed(hours * 3600)
            };
        }
        let name = SHORT_IDS
            .iter()
            .find(|(short, _)| *short == id)
            .map_or(id, |(_, name)| name);
        let known = TimeZone::get(name)
            .ok()
            // Names are looked up in any case, while Java takes them as they are written.
            .filter(|tz| tz.iana_name() == Some(name) && name != "ROC");
        match known {
            Some(tz) => Self::of_zone(tz),
            None => Self::fixed(custom_offset(id).unwrap_or(0)),
        }
    }

    /// Returns a zone of the session.
    pub(crate) fn of_zone(tz: TimeZone) -> Self {
        let standard = standard_offset(&tz);
        let id = tz.iana_name().unwrap_or_default().to_owned();
        Self { id, tz, standard }
    }

    fn fixed(seconds: i32) -> Self {
        let offset = jiff::tz::Offset::from_seconds(seconds).expect("less than a day");
        Self {
            id: String::new(),
            tz: TimeZone::fixed(offset),
            standard: i64::from(seconds),
        }
    }

    /// Returns the zone's names.
    pub(crate) fn names(&self) -> Option<&'static ZoneNames> {
        ZoneNames::of_id(&self.id)
    }

    /// Returns the name of the time that the instant is in, standard or daylight saving.
    pub(crate) fn name(&self, second: i64, is_long: bool) -> Option<&'static str> {
        Some(self.names()?.name(self.is_daylight(second), is_long))
    }

    fn is_daylight(&self, second: i64) -> bool {
        second >= TABLE_START && self.tz.to_offset_info(timestamp(second)).dst().is_dst()
    }

    /// Returns by how many seconds daylight saving time moves the clock today; 0 where there is none.
    pub(crate) fn savings(&self) -> i64 {
        let far = timestamp(LAST_EXACT);
        let last = self.tz.preceding(far).next();
        let recent = last
            .filter(|change| far.as_second() - change.timestamp().as_second() <= 2 * 366 * 86_400);
        recent.map_or(0, |change| {
            let at = change.timestamp().as_second();
            let offset = |second| i64::from(self.tz.to_offset(timestamp(second)).seconds());
            (offset(at) - offset(at - 1)).abs()
        })
    }
}

/// The offset of the last time the zone has without daylight saving: the lower one of the last two.
fn standard_offset(tz: &TimeZone) -> i64 {
    let far = timestamp(LAST_EXACT);
    let last = i64::from(tz.to_offset(far).seconds());
    // A rule that goes on has changed within the last year; otherwise the last change was one of the law.
    let Some(change) = tz.preceding(far).next() else {
        return last;
    };
    if far.as_second() - change.timestamp().as_second() > 2 * 366 * 86_400 {
        return last;
    }
    let before = change.timestamp().as_second() - 1;
    last.min(i64::from(tz.to_offset(timestamp(before)).seconds()))
}

/// Reads `GMT+8`, `GMT+08:00` or `GMT+0800` into seconds.
fn custom_offset(id: &str) -> Option<i32> {
    let rest = id.strip_prefix("GMT")?;
    let (sign, rest) = match rest.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let number = |digits: &str| -> Option<i32> {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        (plain && digits.len() <= 6).then(|| digits.parse().unwrap_or(0))
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) if hours.len() <= 2 && minutes.len() == 2 => {
            (number(hours)?, number(minutes)?)
        }
        Some(_) => return None,
        None if rest.is_empty() => return None,
        None if rest.len() <= 2 => (number(rest)?, 0),
        None => (number(rest)? / 100, number(rest)? % 100),
    };
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A stretch of time with one offset, in seconds since the epoch.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start: i64,
    end: i64,
    offset: i64,
    /// The offset from `end` on.
    next: i64,
}

/// Offsets of one zone, remembering the stretches asked for.
#[derive(Debug)]
pub(crate) struct ZoneCursor {
    zone: Arc<JavaZone>,
    last: Stretch,
    known: Vec<Stretch>,
}

impl ZoneCursor {
    /// Returns a cursor over the zone.
    pub(crate) fn new(zone: Arc<JavaZone>) -> Self {
        // An empty stretch: the first question looks one up.
        let last = Stretch {
            start: 0,
            end: 0,
            offset: 0,
            next: 0,
        };
        Self {
            zone,
            last,
            known: Vec::new(),
        }
    }

    /// Returns the zone.
    pub(crate) fn zone(&self) -> &JavaZone {
        &self.zone
    }

    /// Returns the offset in seconds that a wall clock of standard time is read with.
    pub(crate) fn standard_offset_of_wall(&mut self, wall: i64) -> i64 {
        let offset = self.offset_of_wall(wall);
        let savings = match self.zone.is_daylight(wall - offset) {
            true => self.zone.savings().max(1800),
            false => 0,
        };
        offset - savings
    }

    /// Returns the offset in seconds at an instant in seconds.
    #[inline]
    pub(crate) fn offset_at(&mut self, second: i64) -> i64 {
        let second = within_cycle(second);
        if second < self.last.start || second >= self.last.end {
            self.last = self.stretch_of(second);
        }
        self.last.offset
    }

    /// Returns the offset in seconds that a wall clock, in seconds as if it were UTC, is read with: in a gap the
    /// one before it, where the clock stands twice the later one.
    #[inline]
    pub(crate) fn offset_of_wall(&mut self, wall: i64) -> i64 {
        let wall = within_cycle(wall);
        if !self.last.contains_wall(wall) {
            self.last = self.stretch_of_wall(wall);
        }
        self.last.offset
    }

    fn stretch_of_wall(&mut self, wall: i64) -> Stretch {
        let mut stretch = self.stretch_of(wall - self.zone.standard);
        // Offsets change by less than the time between two changes, so the right one is next to the guess.
        for _ in 0..4 {
            if stretch.contains_wall(wall) {
                break;
            }
            let beside = if wall < stretch.wall_start() {
                stretch.start - 1
            } else {
                stretch.end
            };
            stretch = self.stretch_of(beside);
        }
        stretch
    }

    fn stretch_of(&mut self, second: i64) -> Stretch {
        let known = self
            .known
            .iter()
            .find(|stretch| (stretch.start..stretch.end).contains(&second));
        if let Some(stretch) = known {
            return *stretch;
        }
        let stretch = self.look_up(second);
        if self.known.len() == REMEMBERED {
            self.known.clear();
        }
        self.known.push(stretch);
        stretch
    }

    fn look_up(&self, second: i64) -> Stretch {
        let tz = &self.zone.tz;
        let offset = |second| i64::from(tz.to_offset(timestamp(second)).seconds());
        if second < TABLE_START {
            return Stretch {
                start: i64::MIN,
                end: TABLE_START,
                offset: self.zone.standard,
                next: offset(TABLE_START),
            };
        }
        let instant = timestamp(second);
        // `preceding` leaves out a transition at the very instant, so it is asked a second later.
        let start = tz
            .preceding(timestamp(second.saturating_add(1)))
            .next()
            .map_or(TABLE_START, |t| t.timestamp().as_second().max(TABLE_START));
        let end = tz.following(instant).next();
        let end = end.map_or(i64::MAX, |t| t.timestamp().as_second());
        let here = offset(second);
        Stretch {
            start,
            end,
            offset: here,
            next: if end == i64::MAX { here } else { offset(end) },
        }
    }
}

impl Stretch {
    fn wall_start(&self) -> i64 {
        self.start.saturating_add(self.offset)
    }

    #[inline]
    fn contains_wall(&self, wall: i64) -> bool {
        wall >= self.wall_start() && wall < self.end.saturating_add(self.next)
    }
}

/// Moves seconds beyond what time zone rules cover back by whole cycles of the calendar.
#[inline]
fn within_cycle(second: i64) -> i64 {
    if second < LAST_EXACT {
        return second;
    }
    let cycles = (second - LAST_EXACT) / CYCLE + 1;
    second - cycles * CYCLE
}

fn timestamp(second: i64) -> Timestamp {
    let low = Timestamp::MIN.as_second();
    let high = Timestamp::MAX.as_second();
    Timestamp::from_second(second.clamp(low, high)).expect("clamped into range")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    fn cursor(id: &str) -> ZoneCursor {
        ZoneCursor::new(Arc::new(JavaZone::of_id(id)))
    }

    #[test]
    fn ids_are_those_of_java() {
        let hours = |id: &str| cursor(id).offset_at(utc("2024-01-02T00:00:00Z")) as f64 / 3600.0;
        for (id, expect) in [
            ("Asia/Shanghai", 8.0),
            ("asia/shanghai", 0.0),
            ("PRC", 8.0),
            ("PST", -8.0),
            ("EST", -5.0),
            ("GMT+8", 8.0),
            ("GMT-3:30", -3.5),
            ("GMT+0530", 5.5),
            ("GMT+24", 0.0),
            ("GMT+8:3", 0.0),
            ("UTC+8", 0.0),
            ("+08:00", 0.0),
            ("", 0.0),
        ] {
            assert_eq!(hours(id), expect, "{id}");
        }
    }

    #[test]
    fn names_are_those_of_today() {
        let name = |id: &str, at: &str| JavaZone::of_id(id).name(utc(at), false);
        for (id, at, expect) in [
            ("UTC", "2024-01-01T00:00:00Z", Some("UTC")),
            ("Asia/Shanghai", "0001-01-01T00:00:00Z", Some("CST")),
            ("Asia/Shanghai", "1900-06-01T00:00:00Z", Some("CST")),
            ("Asia/Shanghai", "2024-06-01T00:00:00Z", Some("CST")),
            ("Asia/Shanghai", "1988-06-01T00:00:00Z", Some("CDT")),
            ("America/New_York", "2024-06-01T00:00:00Z", Some("EDT")),
            ("Asia/Bangkok", "2024-06-01T00:00:00Z", Some("ICT")),
            ("EST", "2024-06-01T00:00:00Z", Some("EST")),
            ("GMT+8", "2024-06-01T00:00:00Z", None),
        ] {
            assert_eq!(name(id, at), expect, "{id} {at}");
        }
        for (id, savings) in [
            ("America/New_York", 3600),
            ("Australia/Lord_Howe", 1800),
            ("Asia/Shanghai", 0),
            ("UTC", 0),
        ] {
            assert_eq!(JavaZone::of_id(id).savings(), savings, "{id}");
        }
    }

    #[test]
    fn wall_clocks_that_stand_twice_mean_the_later_instant() {
        let mut zone = cursor("America/New_York");
        for (wall, hours) in [
            ("2024-11-03T00:59:59Z", -4),
            ("2024-11-03T01:00:00Z", -5),
            ("2024-11-03T02:00:00Z", -5),
            ("2024-03-10T02:30:00Z", -5),
            ("2024-03-10T03:00:00Z", -4),
        ] {
            assert_eq!(zone.offset_of_wall(utc(wall)), hours * 3600, "{wall}");
        }
    }

    #[test]
    fn there_is_no_local_mean_time_before_1900() {
        let mut zone = cursor("Asia/Shanghai");
        assert_eq!(zone.offset_at(utc("1899-12-31T23:59:59Z")), 8 * 3600);
        assert_eq!(zone.offset_at(utc("1900-01-01T00:00:00Z")), 8 * 3600 + 343);
        assert_eq!(zone.offset_at(i64::MIN / 1000), 8 * 3600);
        assert_eq!(zone.offset_at(i64::MAX / 1000), 8 * 3600);
    }
}
