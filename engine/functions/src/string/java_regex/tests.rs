//! Patterns and what Java 17 finds in texts.

use super::*;

/// `None`: no match. Else the text of the group.
fn group(pattern: &str, text: &str, group: usize) -> Option<String> {
    let regex = JavaRegex::find_in(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    let (start, end) = regex.group(text, group).unwrap()??;
    Some(text[start..end].to_owned())
}

#[test]
fn finds_what_java_finds() {
    for (pattern, text, expected) in [
        ("a*+b", "aaab", Some("aaab")),
        ("a*+a", "aaaa", None),
        ("foo(?=bar)", "foobar", Some("foo")),
        ("(?<=\\$)[0-9]+", "pricey $100", Some("100")),
        ("(?<!x)foo", "xfoo", None),
        ("(?>a|aX)b", "aXbX", None),
        ("(?i)abc", "ABC", Some("ABC")),
        ("(?i)É", "é", None),
        ("(?iu)É", "é", Some("é")),
        ("a.b", "a\u{85}b", None),
        ("(?d)a.b", "a\u{85}b", Some("a\u{85}b")),
        ("(?m)^b$", "a\nb", Some("b")),
        ("b$", "ab\n", Some("b")),
        ("b$", "ab\r\n", Some("b")),
        ("b\\z", "ab\n", None),
        ("b\\Z", "ab\n", Some("b")),
        ("\\w+", "é1", Some("1")),
        ("(?U)\\w+", "é1", Some("é1")),
        ("[\\u4e00-\\u9fa5]+", "中文abc", Some("中文")),
        ("\\p{IsHan}+", "中文abc", Some("中文")),
        ("[a-y&&[^b]]", "bz", None),
        ("[a-y&&[^b]]", "c", Some("c")),
        ("[]a]+", "]a", Some("]a")),
        ("[a-]+", "a-", Some("a-")),
        ("\\Qa.b\\E+", "a.bbb", Some("a.bbb")),
        ("[\\Q^]\\E]+", "^]", Some("^]")),
        ("\\x00a", "\0a", Some("\0a")),
        ("\\ud83d\\ude00", "😀", Some("😀")),
        ("\\R", "ab\r\ncd", Some("\r\n")),
        ("(?x) a b # c", "ab", Some("ab")),
        ("a{2}{3}", "aa", Some("aa")),
        ("(a)\\2", "aa", None),
        ("(?iu)\\u212A", "k", Some("k")),
        ("\\p{Alpha}", "é", None),
        ("}]", "}]", Some("}]")),
        ("(?-i:a)(?s:.)", "a\n", Some("a\n")),
        ("\\bb", "A-b", Some("b")),
        ("a|b|", "b", Some("b")),
    ] {
        assert_eq!(
            group(pattern, text, 0).as_deref(),
            expected,
            "{pattern} in {text:?}"
        );
    }
}

#[test]
fn counts_groups_as_java_does() {
    assert_eq!(
        group("foo(.*?)(bar)", "foothebar", 2).as_deref(),
        Some("bar")
    );
    assert_eq!(
        group("(?:x)(?<key>\\w+)=(?<val>\\w+)", "xk=v", 2).as_deref(),
        Some("v")
    );
    assert_eq!(group("(a)|(z)", "abc", 2), None);
    assert_eq!(group("(ab)\\1", "abab", 1).as_deref(), Some("ab"));
    assert_eq!(group("(?<n>a)\\k<n>", "aa", 1).as_deref(), Some("a"));
}

#[test]
fn refuses_what_java_refuses() {
    for pattern in [
        "[",
        "(",
        ")",
        "a{2",
        "(?<n>",
        "\\",
        "*a",
        "a**",
        "{a}",
        "a{2,1}",
        "[b-a]",
        "\\y",
        "\\p{Nope}",
        "(?<=a*)b",
        "(?<n>a)(?<n>b)",
        "\\k<x>",
        "(?z)a",
        "[a&&]x[",
        "\\xg0",
        "\\u12",
    ] {
        assert!(
            matches!(JavaRegex::find_in(pattern), Err(PatternError::Invalid(_))),
            "{pattern}"
        );
    }
}

#[test]
fn tells_what_it_lacks() {
    for pattern in ["\\b{2}", "(?i)(a)\\1", "\\N{DIGIT ONE}"] {
        assert!(
            matches!(
                JavaRegex::find_in(pattern),
                Err(PatternError::Unsupported(_))
            ),
            "{pattern}"
        );
    }
}

#[test]
fn clusters_are_those_of_unicode() {
    let spans = |pattern: &str, text: &str| {
        let mut seen = Vec::new();
        let regex = JavaRegex::find_in(pattern).unwrap();
        regex.each_match(text, |span| seen.push(span)).unwrap();
        seen
    };
    assert_eq!(spans("\\X", "a\r\nb"), [(0, 1), (1, 3), (3, 4)]);
    assert_eq!(spans("\\X", "e\u{301}x"), [(0, 3), (3, 4)]);
    assert_eq!(spans("\\X", "👩\u{200d}👧"), [(0, 11)]);
    assert_eq!(spans("\\b{g}", "e\u{301}x"), [(0, 0), (3, 3), (4, 4)]);
    assert_eq!(spans("\\b{g}", ""), [(0, 0)]);
}

#[test]
fn empty_match_may_follow_a_match() {
    let mut seen = Vec::new();
    let regex = JavaRegex::find_in("a*").unwrap();
    regex.each_match("aaab", |span| seen.push(span)).unwrap();
    assert_eq!(seen, [(0, 3), (3, 3), (4, 4)]);
}

#[test]
fn whole_text_is_tried_on_all_paths() {
    let regex = JavaRegex::match_all_of("a|ab").unwrap();
    assert!(regex.is_match("ab").unwrap());
    assert!(!regex.is_match("abc").unwrap());
}

#[test]
fn gives_up_on_runaway_backtracking() {
    let runaway = JavaRegex::find_in("(x)(?:\\1|\\1\\1)*y").unwrap();
    assert_eq!(runaway.is_match("xxy"), Ok(true));
    assert_eq!(runaway.is_match(&"x".repeat(60)), Err(StepsExceeded));
}

#[test]
fn keeps_patterns() {
    let cache = PatternCache::new(JavaRegex::find_in);
    for number in 0..200 {
        assert!(cache.get(&format!("a{number}")).is_ok());
    }
    assert!(cache.get("(").is_err());
}

/// A small generator of numbers; the seed is fixed so that a failure comes again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn text(&mut self, parts: &[&str], most: usize) -> String {
        (0..self.below(most))
            .map(|_| parts[self.below(parts.len())])
            .collect()
    }
}

#[test]
fn no_pattern_makes_it_panic_and_both_engines_agree() {
    const PARTS: &[&str] = &[
        "a", "b", "é", "😀", "(", ")", "[", "]", "{", "}", "2", ",", "*", "+", "?", "|", "^", "$",
        ".", "\\", "-", "&&", "(?i)", "(?:", "(?=", "(?<!", "(?>", "(?<n>", "\\Q", "\\E", "\\d",
        "\\p{L}", "\\b", "\\x{", "\\u", "\\1", "\\k<n>", "\n", "(?m)", "(?x)", "#", " ", "\\R",
        "\\Z", "\\0", "\\c",
    ];
    const TEXTS: &[&str] = &["a", "b", "é", "😀", "\n", "\r", "2", " ", "-", "\u{85}"];
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let mut compiled = 0;
    for _ in 0..20_000 {
        let pattern = numbers.text(PARTS, 9);
        let text = numbers.text(TEXTS, 8);
        let Ok(regex) = JavaRegex::find_in(&pattern) else {
            continue;
        };
        compiled += 1;
        let mut count = 0;
        if regex.each_match(&text, |_| count += 1).is_ok() {
            assert_eq!(
                regex.is_match(&text),
                Ok(count > 0),
                "{pattern:?} in {text:?}"
            );
            if let (Ok(exact), Ok(found)) = (regex.exact(), regex.find_at(&text, 0))
                && let Ok(expected) = exact.find(&text)
            {
                let expected = expected.map(|found| (found.start(), found.end()));
                assert_eq!(found, expected, "{pattern:?} in {text:?}");
            }
            let group = regex.group(&text, regex.groups());
            assert_eq!(
                group.unwrap().is_some(),
                count > 0,
                "{pattern:?} in {text:?}"
            );
        }
    }
    assert!(compiled > 2_000, "only {compiled} patterns were valid");
}
