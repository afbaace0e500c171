//! `server-time-zone` in the spellings that Java takes.

use jiff::tz::{Dst, Offset, TimeZone};

/// Returns the zone of a text such as `+07:00`, `UTC+7`, `Z` or `Asia/Bangkok`.
pub(crate) fn parse(text: &str) -> Option<TimeZone> {
    let text = text.trim();
    if matches!(text, "Z" | "z")
        || ["UTC", "GMT", "UT"]
            .iter()
            .any(|name| text.eq_ignore_ascii_case(name))
    {
        return Some(TimeZone::UTC);
    }
    let offset_text = ["UTC", "GMT", "UT"]
        .iter()
        .find_map(|name| text.strip_prefix(name))
        .unwrap_or(text);
    if offset_text.starts_with(['+', '-']) {
        return offset(offset_text).map(TimeZone::fixed);
    }
    TimeZone::get(text).ok()
}

fn offset(text: &str) -> Option<Offset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = &text[1..];
    let parts: Vec<&str> = if digits.contains(':') {
        digits.split(':').collect()
    } else if digits.len() > 2 && digits.is_ascii() {
        vec![&digits[..2], &digits[2..]]
    } else {
        vec![digits]
    };
    let mut seconds = 0;
    for (part, unit) in parts.iter().zip([3600, 60, 1]) {
        if part.is_empty() || part.len() > 2 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<i32>().ok()? * unit;
    }
    if parts.len() > 3 || seconds > 18 * 3600 {
        return None;
    }
    Offset::from_seconds(sign * seconds).ok()
}

/// Returns the offset that the zone has now, in seconds, and how far the server's may be from it: jobs and servers
/// need not change to summer time in the same second.
pub(crate) fn offset_now(zone: &TimeZone) -> (i32, i32) {
    let info = zone.to_offset_info(jiff::Timestamp::now());
    let tolerance = match info.dst() {
        Dst::Yes => 3600,
        Dst::No => 1800,
    };
    (info.offset().seconds(), tolerance)
}

/// Returns an offset as `+07:00`.
pub(crate) fn show(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_javas_spellings() {
        let seconds = |text| parse(text).map(|zone| offset_now(&zone).0);
        assert_eq!(seconds("+07:00"), Some(25_200));
        assert_eq!(seconds("UTC+7"), Some(25_200));
        assert_eq!(seconds("GMT-03:30"), Some(-12_600));
        assert_eq!(seconds("+0530"), Some(19_800));
        assert_eq!(seconds("Z"), Some(0));
        assert_eq!(seconds("Asia/Bangkok"), Some(25_200));
        assert_eq!(seconds("+7:0:0:0"), None);
        assert_eq!(seconds("Mars/Olympus"), None);
        assert_eq!(show(-12_600), "-03:30");
    }
}
