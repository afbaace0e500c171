//! Patterns and what Java makes of them, in the years around the change of calendars too.

use std::sync::Arc;

use super::super::java_zone::{JavaZone, ZoneCursor};
use super::SimpleFormat;

fn cursor(id: &str) -> ZoneCursor {
    ZoneCursor::new(Arc::new(JavaZone::of_id(id)))
}

fn print(pattern: &str, zone: &str, seconds: i64) -> String {
    let mut out = String::new();
    let format = SimpleFormat::compile(pattern).unwrap();
    format.print(seconds * 1000, &mut cursor(zone), &mut out);
    out
}

/// Reads and prints in full.
fn read(pattern: &str, text: &str) -> Option<String> {
    let millis = SimpleFormat::compile(pattern)
        .unwrap()
        .parse(text, &mut cursor("UTC"))?;
    let mut out = String::new();
    let format = SimpleFormat::compile("yyyy-MM-dd HH:mm:ss.SSS G").unwrap();
    format.print(millis, &mut cursor("UTC"), &mut out);
    Some(out)
}

#[test]
fn prints_every_letter() {
    const AT: i64 = 1_704_164_645;
    for (pattern, expect) in [
        ("G yyyy yy y", "AD 2024 24 2024"),
        ("YYYY w W D d F", "2024 1 1 2 2 1"),
        ("E EEEE u", "Tue Tuesday 2"),
        ("M MM MMM MMMM L", "1 01 Jan January 1"),
        ("a H k K h m s S SSS", "AM 3 3 3 3 4 5 0 000"),
        ("''yyyy'T''x'", "'2024T'x"),
        ("yyyyy", "02024"),
        ("z Z X XX XXX", "UTC +0000 Z Z Z"),
    ] {
        assert_eq!(print(pattern, "UTC", AT), expect, "{pattern}");
    }
    assert_eq!(
        print("z Z X XX XXX", "Asia/Shanghai", AT),
        "CST +0800 +08 +0800 +08:00"
    );
    assert_eq!(print("k K h", "UTC", 0), "24 0 12");
    assert_eq!(print("yyyy-MM-dd", "UTC", -12_219_292_801), "1582-10-04");
    assert_eq!(print("yyyy-MM-dd", "UTC", -12_219_292_800), "1582-10-15");
    assert_eq!(print("YYYY w", "UTC", 1_735_516_800), "2025 1");
}

#[test]
fn reads_leniently() {
    for (pattern, text, expect) in [
        ("yyyy-MM-dd", "2024-02-30", "2024-03-01 00:00:00.000 AD"),
        (
            "yyyy-MM-dd",
            "2024-13-01 more",
            "2025-01-01 00:00:00.000 AD",
        ),
        ("yyyy-MM-dd", "  2024- 1- 2", "2024-01-02 00:00:00.000 AD"),
        ("yyyyMMdd", "20240102", "2024-01-02 00:00:00.000 AD"),
        (
            "yyyyMMddHHmmssSSS",
            "20240102030405678",
            "2024-01-02 03:04:05.678 AD",
        ),
        ("HH:mm", "25:61", "1970-01-02 02:01:00.000 AD"),
        ("hh a", "12 pm", "1970-01-01 12:00:00.000 AD"),
        ("hh a", "12 AM", "1970-01-01 00:00:00.000 AD"),
        ("kk", "24", "1970-01-01 00:00:00.000 AD"),
        ("d MMM yyyy", "2 january 2024", "2024-01-02 00:00:00.000 AD"),
        ("d MMMM yyyy", "2 JAN 2024", "2024-01-02 00:00:00.000 AD"),
        (
            "yyyy-MM-dd G",
            "0044-03-15 BC",
            "0044-03-15 00:00:00.000 BC",
        ),
        ("yyyy D", "2024 366", "2024-12-31 00:00:00.000 AD"),
        ("YYYY ww u", "2024 02 1", "2024-01-08 00:00:00.000 AD"),
        ("yyyy MM W E", "2024 02 2 Wed", "2024-02-07 00:00:00.000 AD"),
        ("yyyy MM F E", "2024 02 2 Wed", "2024-02-14 00:00:00.000 AD"),
        (
            "yyyy-MM-dd HH:mm Z",
            "2024-01-02 03:04 -0130",
            "2024-01-02 04:34:00.000 AD",
        ),
        ("HH:mm X", "03:04 +02", "1970-01-01 01:04:00.000 AD"),
        ("HH:mm XXX", "03:04 Z", "1970-01-01 03:04:00.000 AD"),
        ("HH:mm z", "03:04 GMT+1:30", "1970-01-01 01:34:00.000 AD"),
        ("yyyy-MM-dd", "-001-01-01", "0002-01-01 00:00:00.000 BC"),
        ("SSS", "1234567", "1970-01-01 00:20:34.567 AD"),
    ] {
        assert_eq!(
            read(pattern, text).as_deref(),
            Some(expect),
            "{pattern} {text}"
        );
    }
}

#[test]
fn refuses_what_does_not_fit() {
    for (pattern, text) in [
        ("yyyy-MM-dd", "2024/01/02"),
        ("yyyy-MM-dd", ""),
        ("yyyy-MM-dd HH:mm:ss", "2024-01-02 03:04"),
        ("MMM", " Jan"),
        ("MMM", "13"),
        ("yyyyMMdd", "20240"),
        ("HH:mm XXX", "03:04 +0200"),
        ("HH:mm Z", "03:04 +24:00"),
        ("", "2024"),
    ] {
        assert_eq!(read(pattern, text), None, "{pattern} {text}");
    }
}

#[test]
fn refuses_patterns() {
    for (pattern, message) in [
        ("bogus", "Illegal pattern character 'b'"),
        ("yyyy'T", "Unterminated quote"),
        ("XXXX", "invalid ISO 8601 format: length=4"),
    ] {
        assert_eq!(SimpleFormat::compile(pattern).unwrap_err(), message);
    }
    assert!(SimpleFormat::compile("").is_ok());
}

#[test]
fn any_text_and_year_is_survived() {
    let format = SimpleFormat::compile("yyyy-MM-dd HH:mm:ss").unwrap();
    let mut zone = cursor("America/New_York");
    for text in [
        "2147483647-01-01 00:00:00",
        "-2147483648-2147483647-2147483647 2147483647:0:0",
        "99999999999999999999-01-01 00:00:00",
        "é-é-é",
        "2024-01-02 03:04:é",
    ] {
        if let Some(millis) = format.parse(text, &mut zone) {
            format.print(millis, &mut zone, &mut String::new());
        }
    }
    for millis in [i64::MIN, i64::MAX, 0] {
        format.print(millis, &mut zone, &mut String::new());
    }
}

/// The answers are those of Java 17.
#[test]
fn reads_zone_names() {
    for (pattern, zone, text, seconds) in [
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 CST",
            Some(1719911040),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 PST",
            Some(1719918240),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 PDT",
            Some(1719914640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 IST",
            Some(1719882240),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 CET",
            Some(1719885840),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 CEST",
            Some(1719882240),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 EST",
            Some(1719907440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 JST",
            Some(1719857040),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 UTC",
            Some(1719889440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 GMT",
            Some(1719889440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 BST",
            Some(1719885840),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 China Standard Time",
            Some(1719860640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 Pacific Daylight Time",
            Some(1719914640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 central european summer time",
            Some(1719882240),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 KST",
            Some(1719857040),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 MSK",
            Some(1719878640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 ICT",
            Some(1719864240),
        ),
        ("yyyy-MM-dd HH:mm z", "UTC", "2024-07-02 03:04 XYZ", None),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 Coordinated Universal Time",
            Some(1719889440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 CDT",
            Some(1719907440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 AEST",
            Some(1719853440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 WIB",
            Some(1719864240),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "2024-07-02 03:04 CST",
            Some(1719860640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "2024-07-02 03:04 CET",
            Some(1719885840),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "2024-07-02 03:04 CEST",
            Some(1719882240),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "2024-07-02 03:04 China Standard Time",
            Some(1719860640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "2024-07-02 03:04 Coordinated Universal Time",
            Some(1719889440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "2024-07-02 03:04 CDT",
            Some(1719860640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "America/New_York",
            "2024-07-02 03:04 EST",
            Some(1719907440),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Kolkata",
            "2024-07-02 03:04 IST",
            Some(1719869640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-01-02 03:04 PDT",
            Some(1704189840),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "2024-07-02 03:04 PST",
            Some(1719918240),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "UTC",
            "1988-07-02 03:04 CDT",
            Some(583833840),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "2024-07-02 03:04 CDT",
            Some(1719860640),
        ),
        (
            "yyyy-MM-dd HH:mm z",
            "Asia/Shanghai",
            "1988-07-02 03:04 CDT",
            Some(583783440),
        ),
        (
            "yyyy-MM-dd HH:mm zzzz",
            "Asia/Tokyo",
            "2024-07-02 03:04 JST",
            Some(1719857040),
        ),
    ] {
        let format = SimpleFormat::compile(pattern).unwrap();
        let millis = format.parse(text, &mut cursor(zone));
        assert_eq!(millis.map(|millis| millis / 1000), seconds, "{zone} {text}");
    }
}

/// The answers are those of Java 17.
#[test]
fn prints_zone_names() {
    for (pattern, zone, seconds, text) in [
        ("z", "UTC", 1704164645, "UTC"),
        ("zzzz", "UTC", 1704164645, "Coordinated Universal Time"),
        ("z", "UTC", 1720000000, "UTC"),
        ("zzzz", "UTC", 1720000000, "Coordinated Universal Time"),
        ("z", "GMT", 1704164645, "GMT"),
        ("zzzz", "GMT", 1704164645, "Greenwich Mean Time"),
        ("z", "GMT", 1720000000, "GMT"),
        ("zzzz", "GMT", 1720000000, "Greenwich Mean Time"),
        ("z", "Asia/Shanghai", 1704164645, "CST"),
        ("zzzz", "Asia/Shanghai", 1704164645, "China Standard Time"),
        ("z", "Asia/Shanghai", 1720000000, "CST"),
        ("zzzz", "Asia/Shanghai", 1720000000, "China Standard Time"),
        ("z", "America/New_York", 1704164645, "EST"),
        (
            "zzzz",
            "America/New_York",
            1704164645,
            "Eastern Standard Time",
        ),
        ("z", "America/New_York", 1720000000, "EDT"),
        (
            "zzzz",
            "America/New_York",
            1720000000,
            "Eastern Daylight Time",
        ),
        ("z", "Europe/London", 1704164645, "GMT"),
        ("zzzz", "Europe/London", 1704164645, "Greenwich Mean Time"),
        ("z", "Europe/London", 1720000000, "BST"),
        ("zzzz", "Europe/London", 1720000000, "British Summer Time"),
        ("z", "Asia/Kolkata", 1704164645, "IST"),
        ("zzzz", "Asia/Kolkata", 1704164645, "India Standard Time"),
        ("z", "Asia/Kolkata", 1720000000, "IST"),
        ("zzzz", "Asia/Kolkata", 1720000000, "India Standard Time"),
        ("z", "GMT+8", 1704164645, "GMT+08:00"),
        ("zzzz", "GMT+8", 1704164645, "GMT+08:00"),
        ("z", "GMT+8", 1720000000, "GMT+08:00"),
        ("zzzz", "GMT+8", 1720000000, "GMT+08:00"),
        ("z", "EST", 1704164645, "EST"),
        ("zzzz", "EST", 1704164645, "Eastern Standard Time"),
        ("z", "EST", 1720000000, "EST"),
        ("zzzz", "EST", 1720000000, "Eastern Standard Time"),
        ("z", "PST", 1704164645, "PST"),
        ("zzzz", "PST", 1704164645, "Pacific Standard Time"),
        ("z", "PST", 1720000000, "PDT"),
        ("zzzz", "PST", 1720000000, "Pacific Daylight Time"),
        ("z", "Etc/GMT+5", 1704164645, "GMT-05:00"),
        ("zzzz", "Etc/GMT+5", 1704164645, "GMT-05:00"),
        ("z", "Etc/GMT+5", 1720000000, "GMT-05:00"),
        ("zzzz", "Etc/GMT+5", 1720000000, "GMT-05:00"),
        ("z", "Asia/Tashkent", 1704164645, "UZT"),
        (
            "zzzz",
            "Asia/Tashkent",
            1704164645,
            "Uzbekistan Standard Time",
        ),
        ("z", "Asia/Tashkent", 1720000000, "UZT"),
        (
            "zzzz",
            "Asia/Tashkent",
            1720000000,
            "Uzbekistan Standard Time",
        ),
        ("z", "America/Sao_Paulo", 1704164645, "BRT"),
        (
            "zzzz",
            "America/Sao_Paulo",
            1704164645,
            "Brasilia Standard Time",
        ),
        ("z", "America/Sao_Paulo", 1720000000, "BRT"),
        (
            "zzzz",
            "America/Sao_Paulo",
            1720000000,
            "Brasilia Standard Time",
        ),
        ("z", "Australia/Lord_Howe", 1704164645, "LHDT"),
        (
            "zzzz",
            "Australia/Lord_Howe",
            1704164645,
            "Lord Howe Daylight Time",
        ),
        ("z", "Australia/Lord_Howe", 1720000000, "LHST"),
        (
            "zzzz",
            "Australia/Lord_Howe",
            1720000000,
            "Lord Howe Standard Time",
        ),
        ("z", "Zulu", 1704164645, "UTC"),
        ("zzzz", "Zulu", 1704164645, "Coordinated Universal Time"),
        ("z", "Zulu", 1720000000, "UTC"),
        ("zzzz", "Zulu", 1720000000, "Coordinated Universal Time"),
    ] {
        assert_eq!(
            print(pattern, zone, seconds),
            text,
            "{pattern} {zone} {seconds}"
        );
    }
}
