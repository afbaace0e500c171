//! Patterns and what Java makes of them.

use super::{Formatter, Local, Reading};
use crate::cast::parse_temporal::parse_timestamp;

fn millis(text: &str) -> i64 {
    parse_timestamp(text, 3).unwrap().millis
}

fn print(pattern: &str, text: &str) -> Result<String, String> {
    let clock = parse_timestamp(text, 9).unwrap();
    let local = Local::new(clock.millis, clock.nanos_of_milli);
    let mut out = String::new();
    Formatter::compile(pattern)?.print(&local, &mut out)?;
    Ok(out)
}

#[test]
fn prints_every_letter() {
    const AT: &str = "2024-02-09 14:05:06.789123456";
    for (pattern, expect) in [
        (
            "G GGGG GGGGG u uu y yyyy",
            "AD Anno Domini A 2024 24 2024 2024",
        ),
        ("D DDD d dd F g", "40 040 9 09 2 60349"),
        ("M MM MMM MMMM MMMMM L", "2 02 Feb February F 2"),
        ("Q QQ QQQ QQQQ", "1 01 Q1 1st quarter"),
        ("Y YY YYYY w ww W", "2024 24 2024 6 06 2"),
        ("E EEEE EEEEE e c ee", "Fri Friday F 6 6 06"),
        ("a h K k H m s", "PM 2 2 14 14 5 6"),
        (
            "S SSS SSSSSSSSS n A N",
            "7 789 789123456 789123456 50706789 50706789123456",
        ),
        ("B '' 'T' [Z] %", "in the afternoon ' T  %"),
        ("pppd ppHH", "  9 14"),
    ] {
        assert_eq!(print(pattern, AT).as_deref(), Ok(expect), "{pattern}");
    }
    assert_eq!(
        print("yyyy", "+12024-02-09 00:00:00").as_deref(),
        Ok("+12024")
    );
    assert_eq!(
        print("YYYY w", "2024-12-30 00:00:00").as_deref(),
        Ok("2025 1")
    );
    assert_eq!(print("B", "2024-12-30 12:00:00").as_deref(), Ok("noon"));
}

#[test]
fn refuses_patterns_and_what_a_wall_clock_lacks() {
    for pattern in [
        "bogus",
        "p",
        "{",
        "}",
        "#",
        "]",
        "'T",
        "cc",
        "MMMMMM",
        "aa",
        "hhh",
        "DDDD",
        "ZZZZZZ",
        "VVV",
        "OO",
        "www",
        "SSSSSSSSSS",
        "z",
        "Z",
        "X",
        "VV",
        "O",
        "pHH",
        "WW",
    ] {
        assert!(print(pattern, "2024-02-09 14:05:06").is_err(), "{pattern}");
    }
}

#[test]
fn reads_strictly_and_resolves_smartly() {
    for (pattern, text, expect) in [
        (
            "yyyy-MM-dd HH:mm:ss",
            "2024-02-30 00:00:00",
            "2024-02-29 00:00:00",
        ),
        (
            "yyyy-MM-dd HH:mm",
            "2024-01-02 24:00",
            "2024-01-03 00:00:00",
        ),
        (
            "yyyyMMddHHmmssSSS",
            "20240102030405678",
            "2024-01-02 03:04:05.678",
        ),
        ("yyMMdd", "991231", "2099-12-31"),
        (
            "d/MMM/yyyy h:mm a",
            "2/Jan/2024 12:04 AM",
            "2024-01-02 00:04:00",
        ),
        ("EEEE, d MMMM yyyy", "Tuesday, 2 January 2024", "2024-01-02"),
        ("yyyy-DDD", "2024-060", "2024-02-29"),
        ("HH:mm", "03:04", "1970-01-01 03:04:00"),
        ("yyyy-MM-dd[ HH:mm]", "2024-01-02", "2024-01-02"),
        (
            "yyyy-MM-dd[ HH:mm]",
            "2024-01-02 03:04",
            "2024-01-02 03:04:00",
        ),
        (
            "yyyy-MM-dd'T'HH:mm:ssXXX",
            "2024-01-02T03:04:05+08:00",
            "2024-01-02 03:04:05",
        ),
        (
            "yyyy-MM-dd HH:mm VV",
            "2024-01-02 03:04 Asia/Shanghai",
            "2024-01-02 03:04:00",
        ),
        ("YYYY-ww-e", "2024-02-2", "2024-01-08"),
        ("A", "3723004", "1970-01-01 01:02:03.004"),
        ("YYYY-MM-DD HH", "2024-01-02 03", "1970-01-01 03:00:00"),
        ("uuuu", "2024", "2024-01-01"),
    ] {
        let reading = Formatter::compile(pattern).unwrap().read(text);
        assert_eq!(reading, Reading::Millis(millis(expect)), "{pattern} {text}");
    }
}

#[test]
fn refuses_what_does_not_fit() {
    for (pattern, text) in [
        ("yyyy-MM-dd", "2024-1-2"),
        ("yyyy-MM-dd", "2024-01-02 "),
        ("yyyy-MM-dd", "12024-01-02"),
        ("yyyy-MM-dd", "0000-01-02"),
        ("yyyy-MM-dd hh:mm", "2024-01-02 13:04"),
        ("yyyy-MM-dd E", "2024-01-02 Wed"),
        ("MMM", "jan"),
        ("s", "1704164645"),
        ("yyyy-MM-dd HH:mm:ss.SSS", "2024-01-02 03:04:05.12"),
        ("d d", "1 2"),
        ("HH:mm XXX", "03:04 +0800"),
    ] {
        let reading = Formatter::compile(pattern).unwrap().read(text);
        assert_eq!(reading, Reading::Mismatch, "{pattern} {text}");
    }
    let reading = Formatter::compile("MM-dd").unwrap().read("02-30");
    assert_eq!(reading, Reading::NoDate);
    let reading = Formatter::compile("yyyy-MM-dd")
        .unwrap()
        .read("+999999999-01-01");
    assert_eq!(reading, Reading::NoDate);
}
