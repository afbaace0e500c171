//! Time zones with Java's rules, and the offset of the moment before last kept at hand.
//!
//! # Flink
//! Java has two sets of rules over one database. `java.util.TimeZone` (CONVERT_TZ, FROM_UNIXTIME, UNIX_TIMESTAMP,
//! EXTRACT, FLOOR) knows no local mean time before 1900 and takes the later of two instants that show the same
//! wall clock; `java.time` (casts between TIMESTAMP and TIMESTAMP_LTZ, DATE_FORMAT) knows it and takes the
//! earlier one. In a gap both read the wall clock with the offset before it.

use std::cell::Cell;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

/// 1900-01-01 00:00:00 UTC, before which `java.util.TimeZone` uses the standard offset.
const YEAR_1900: i64 = -2_208_988_800;
/// Seconds of 400 years, after which calendar and rules repeat.
const CYCLE: i64 = 146_097 * 86_400;
/// The greatest second asked of the database; rules beyond are those of 400 years earlier.
const LATEST: i64 = 250_000_000_000;
/// The least second asked of the database; nothing changed before.
const EARLIEST: i64 = -300_000_000_000;

/// Java's three-letter ids, `java.time.ZoneId.SHORT_IDS`.
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

/// Ids that Java pins to an offset without daylight saving, in hours.
const FIXED_IDS: &[(&str, i32)] = &[("EST", -5), ("MST", -7), ("HST", -10)];

/// Returns the zone `java.util.TimeZone.getTimeZone` gives: a database id in its exact case, a three-letter id,
/// `GMT+8`, `GMT-3:30`, `GMT+0800`; anything else is GMT.
pub(crate) fn java_time_zone(id: &str) -> TimeZone {
    if let Some((_, hours)) = FIXED_IDS.iter().find(|(short, _)| *short == id) {
        return fixed(hours * 3600);
    }
    let name = SHORT_IDS.iter().find(|(short, _)| *short == id).map_or(id, |(_, name)| *name);
    match TimeZone::get(name) {
        // The database is searched in any case, Java's is not.
        Ok(zone) if zone.iana_name() == Some(name) => zone,
        _ => custom_offset(id).map_or(TimeZone::UTC, fixed),
    }
}

fn fixed(seconds: i32) -> TimeZone {
    Offset::from_seconds(seconds).map_or(TimeZone::UTC, TimeZone::fixed)
}

/// Reads `GMT` with a sign and `h`, `hh`, `hmm`, `hhmm`, `h:mm` or `hh:mm`, in seconds.
fn custom_offset(id: &str) -> Option<i32> {
    let rest = id.strip_prefix("GMT")?;
    let (negative, rest) = match rest.as_bytes().first()? {
        b'+' => (false, &rest[1..]),
        b'-' => (true, &rest[1..]),
        _ => return None,
    };
    let number = |text: &str| {
        let valid = text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        if text.is_empty() { Some(0) } else { valid.then(|| text.parse::<i32>().ok()).flatten() }
    };
    let (hours, minutes) = match rest.split_once(':') {
        Some((hours, minutes)) if hours.len() <= 2 && minutes.len() == 2 => {
            (number(hours)?, number(minutes)?)
        }
        Some(_) => return None,
        None if rest.is_empty() => return None,
        None if rest.len() <= 2 => (number(rest)?, 0),
        None => {
            let digits = number(rest)?;
            (digits / 100, digits % 100)
        }
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = (hours * 60 + minutes) * 60;
    Some(if negative { -seconds } else { seconds })
}

/// A stretch of time with one offset, and the offsets beside it.
#[derive(Clone, Copy, Debug)]
struct Interval {
    /// First second of it.
    start: i64,
    /// First second after it.
    end: i64,
    /// Seconds east of UTC.
    offset: i32,
    /// The offset before `start`.
    before: i32,
    /// The offset from `end` on.
    after: i32,
}

/// Which of Java's two sets of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rules {
    /// `java.util.TimeZone` and `GregorianCalendar`.
    Legacy,
    /// `java.time`.
    Modern,
}

/// A time zone under one set of rules, with the interval of the last question remembered. One per kernel call:
/// it is cheap to make and not shared between threads.
#[derive(Debug)]
pub(crate) struct ZoneClock {
    zone: TimeZone,
    rules: Rules,
    fixed: Option<i32>,
    standard: i32,
    last: Cell<Interval>,
}

impl ZoneClock {
    /// Returns a clock over `zone`.
    pub(crate) fn new(zone: &TimeZone, rules: Rules) -> Self {
        let fixed = zone.to_fixed_offset().ok().map(Offset::seconds);
        let standard = fixed.unwrap_or_else(|| standard_offset(zone));
        let nowhere = Interval { start: 1, end: 0, offset: 0, before: 0, after: 0 };
        Self { zone: zone.clone(), rules, fixed, standard, last: Cell::new(nowhere) }
    }

    /// Returns the zone.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the offset, in seconds east of UTC, at an instant in seconds since the epoch.
    pub(crate) fn offset_at(&self, instant: i64) -> i32 {
        self.fixed.unwrap_or_else(|| self.interval_at(instant).offset)
    }

    /// Returns the wall clock of an instant, both in seconds.
    pub(crate) fn wall_of(&self, instant: i64) -> i64 {
        instant.saturating_add(i64::from(self.offset_at(instant)))
    }

    /// Returns the instant at which the wall clock shows `wall`, both in seconds.
    pub(crate) fn instant_of(&self, wall: i64) -> i64 {
        if let Some(offset) = self.fixed {
            return wall.saturating_sub(i64::from(offset));
        }
        let mut interval = self.last.get();
        if interval.start > interval.end {
            interval = self.interval_at(wall.saturating_sub(i64::from(self.standard)));
        }
        let (first, end) = self.walls(&interval);
        if wall < first || wall >= end {
            interval = self.interval_at(wall.saturating_sub(i64::from(self.standard)));
            // Offsets differ by hours and intervals last for weeks: a step or two reach the right one.
            loop {
                let (first, end) = self.walls(&interval);
                if wall < first {
                    interval = self.interval_at(interval.start.saturating_sub(1));
                } else if wall >= end {
                    interval = self.interval_at(interval.end);
                } else {
                    break;
                }
            }
        }
        wall.saturating_sub(i64::from(interval.offset))
    }

    /// The wall clocks that belong to an interval, first and past the last.
    fn walls(&self, interval: &Interval) -> (i64, i64) {
        let pick = |before: i32, after: i32| {
            i64::from(match self.rules {
                Rules::Legacy => after,
                Rules::Modern => before.max(after),
            })
        };
        (
            interval.start.saturating_add(pick(interval.before, interval.offset)),
            interval.end.saturating_add(pick(interval.offset, interval.after)),
        )
    }

    fn interval_at(&self, instant: i64) -> Interval {
        let last = self.last.get();
        if (last.start..last.end).contains(&instant) {
            return last;
        }
        let interval = self.look_up(instant);
        self.last.set(interval);
        interval
    }

    fn look_up(&self, instant: i64) -> Interval {
        if self.rules == Rules::Legacy && instant < YEAR_1900 {
            let after = self.raw_offset(YEAR_1900);
            let offset = self.standard;
            return Interval { start: i64::MIN, end: YEAR_1900, offset, before: offset, after };
        }
        // The rules of a year beyond the database's reach are those of a year 400 or more earlier.
        let shift = (instant - LATEST).max(0).div_euclid(CYCLE) * CYCLE
            + if instant > LATEST { CYCLE } else { 0 };
        let asked = (instant - shift).max(EARLIEST);
        let offset = self.raw_offset(asked);
        let timestamp = |seconds: i64| Timestamp::from_second(seconds).expect("within the limits");
        let start = self.zone.preceding(timestamp(asked + 1)).next().map(|t| t.timestamp());
        let end = self.zone.following(timestamp(asked)).next().map(|t| t.timestamp());
        let mut interval = Interval {
            start: start.map_or(i64::MIN, |t| t.as_second() + shift),
            end: end.map_or(i64::MAX, |t| t.as_second() + shift),
            offset,
            before: start.map_or(offset, |t| self.raw_offset(t.as_second() - 1)),
            after: end.map_or(offset, |t| self.raw_offset(t.as_second())),
        };
        if self.rules == Rules::Legacy && interval.start < YEAR_1900 {
            interval.start = YEAR_1900;
            interval.before = self.standard;
        }
        interval
    }

    fn raw_offset(&self, instant: i64) -> i32 {
        let timestamp = Timestamp::from_second(instant).expect("within the limits");
        self.zone.to_offset(timestamp).seconds()
    }
}

/// The zone's offset outside daylight saving by its last rule.
fn standard_offset(zone: &TimeZone) -> i32 {
    // January and July 2037, the last year Java keeps in its table.
    [2_114_380_800, 2_130_019_200]
        .into_iter()
        .filter_map(|instant| Timestamp::from_second(instant).ok())
        .map(|timestamp| zone.to_offset(timestamp).seconds())
        .min()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{DAY_S, days_from_ymd};
    use super::*;

    fn seconds(year: i32, month: i32, day: i32, hour: i64, minute: i64) -> i64 {
        i64::from(days_from_ymd(year, month, day)) * DAY_S + hour * 3600 + minute * 60
    }

    fn clock(id: &str, rules: Rules) -> ZoneClock {
        ZoneClock::new(&java_time_zone(id), rules)
    }

    #[test]
    fn ids_are_read_as_java_reads_them() {
        let july = seconds(2024, 7, 2, 23, 4);
        let check = |id: &str, minutes: i32| {
            assert_eq!(clock(id, Rules::Legacy).offset_at(july), minutes * 60, "{id}");
        };
        check("Asia/Shanghai", 480);
        check("asia/shanghai", 0);
        check("GMT+8", 480);
        check("GMT+0800", 480);
        check("GMT-3:30", -210);
        check("GMT+24", 0);
        check("GMT+8:0", 0);
        check("UTC+8", 0);
        check("+08:00", 0);
        check("PST", -420);
        check("EST", -300);
        check("PRC", 480);
        check("Asia/Saigon", 420);
        check("", 0);
    }

    #[test]
    fn overlaps_and_gaps_are_resolved_by_the_rules() {
        let fall = seconds(2024, 11, 3, 1, 30);
        let spring = seconds(2024, 3, 10, 2, 30);
        let legacy = clock("America/New_York", Rules::Legacy);
        let modern = clock("America/New_York", Rules::Modern);
        assert_eq!(legacy.instant_of(fall) - fall, 5 * 3600);
        assert_eq!(modern.instant_of(fall) - fall, 4 * 3600);
        assert_eq!(legacy.instant_of(spring) - spring, 5 * 3600);
        assert_eq!(modern.instant_of(spring) - spring, 5 * 3600);
        for wall in [fall - 3600, fall + 3600, spring - 3600, spring + 3600] {
            assert_eq!(legacy.instant_of(wall), modern.instant_of(wall));
            assert_eq!(legacy.wall_of(legacy.instant_of(wall)), wall);
        }
        assert_eq!(legacy.instant_of(fall - 1800) - fall, 4 * 3600 + 1800 + 1800);
    }

    #[test]
    fn legacy_rules_begin_in_1900() {
        let legacy = clock("Asia/Shanghai", Rules::Legacy);
        assert_eq!(legacy.offset_at(YEAR_1900), 8 * 3600 + 343);
        assert_eq!(legacy.offset_at(YEAR_1900 - 1), 8 * 3600);
        let modern = clock("Asia/Shanghai", Rules::Modern);
        assert_eq!(modern.offset_at(YEAR_1900 - 1), 8 * 3600 + 343);
    }

    #[test]
    fn rules_go_on_for_ever() {
        let legacy = clock("America/New_York", Rules::Legacy);
        let summer = seconds(22_024, 7, 1, 0, 0);
        assert_eq!(legacy.offset_at(summer), -4 * 3600);
        assert_eq!(legacy.offset_at(summer + 184 * DAY_S), -5 * 3600);
        assert_eq!(legacy.offset_at(i64::MAX / 1000), -5 * 3600);
        assert_eq!(legacy.offset_at(i64::MIN / 1000), -5 * 3600);
    }
}
