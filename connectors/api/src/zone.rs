//! The session's time zone by its name.

/// Names that `java.util.TimeZone` has and `java.time.ZoneId` has not.
const ZONES_OF_ONE_KIND: &[&str] = &["EST", "HST", "MST", "ROC"];

/// Returns the zone of that name: `Asia/Shanghai`, `UTC`, `GMT+8`, `GMT+08:00`.
///
/// # Flink
/// `TableConfig.validateTimeZone`: only what `java.util.TimeZone` and `java.time.ZoneId` take for the same zone. So
/// `+08:00`, `UTC+8`, `Z`, `EST` and names in another case are refused.
#[must_use]
pub fn parse_time_zone(name: &str) -> Option<jiff::tz::TimeZone> {
    use jiff::tz::{Offset, TimeZone};
    if name == "UTC" || name == "GMT" {
        return Some(TimeZone::UTC);
    }
    if let Some(offset) = name.strip_prefix("GMT")
        && let Some(seconds) = parse_offset(offset)
    {
        return Offset::from_seconds(seconds).ok().map(TimeZone::fixed);
    }
    // Names are looked up in any case, while Java takes them as they are written.
    TimeZone::get(name)
        .ok()
        .filter(|tz| tz.iana_name() == Some(name) && !ZONES_OF_ONE_KIND.contains(&name))
}

/// Reads `+8`, `+08`, `+0800` and `+08:00`, up to 18 hours.
fn parse_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i32>().ok()).flatten()
    };
    let (hours, minutes) = match digits.len() {
        1 | 2 => (number(digits)?, 0),
        4 => (number(digits.get(..2)?)?, number(digits.get(2..)?)?),
        5 => (
            number(digits.get(..2)?)?,
            number(digits.get(2..)?.strip_prefix(':')?)?,
        ),
        _ => return None,
    };
    (minutes < 60 && hours * 60 + minutes <= 18 * 60)
        .then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_zones_that_flink_takes() {
        let offset = |name: &str| {
            let zone = parse_time_zone(name)?;
            Some(zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds())
        };
        for (name, seconds) in [
            ("UTC", 0),
            ("GMT", 0),
            ("GMT0", 0),
            ("Zulu", 0),
            ("Asia/Shanghai", 28_800),
            ("PRC", 28_800),
            ("EST5EDT", -18_000),
            ("Etc/GMT+8", -28_800),
            ("GMT+8", 28_800),
            ("GMT+08", 28_800),
            ("GMT-0330", -12_600),
            ("GMT+08:00", 28_800),
            ("GMT-18:00", -64_800),
        ] {
            assert_eq!(offset(name), Some(seconds), "{name}");
        }
        for name in [
            "",
            "Z",
            "UT",
            "utc",
            "+08:00",
            "-0330",
            "UTC+8",
            "UTC+07:30",
            "UT+8",
            "EST",
            "MST",
            "HST",
            "ROC",
            "PST",
            "CST",
            "IST",
            "asia/shanghai",
            "Asia/shanghai",
            "GMT+8:00",
            "GMT+08:00:00",
            "GMT+18:01",
            "GMT+19",
            "GMT+",
            "GMT8",
            "gmt+8",
            "Nowhere/Land",
        ] {
            assert_eq!(offset(name), None, "{name}");
        }
    }
}
