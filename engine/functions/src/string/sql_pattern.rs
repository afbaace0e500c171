//! Turns the patterns of SIMILAR TO into Java regular expressions.
//!
//! # Flink
//! `SqlLikeUtils` of 1.17: `_` does not match a line terminator, `.` and `^` mean what they mean in Java.

use super::java_regex::PatternError;

/// What a Java pattern needs a backslash for; the full stop is missing in Flink.
const JAVA_SPECIALS: &str = r"[]()|^-+*?{}$\";
/// What SIMILAR TO may escape.
const SIMILAR_SPECIALS: &str = "[]()|^-+*_%?{}";
/// The named classes of SIMILAR TO and their Java forms.
const CLASSES: &[(&str, &str)] = &[
    ("[:ALPHA:]", r"\p{Alpha}"),
    ("[:alpha:]", r"\p{Alpha}"),
    ("[:UPPER:]", r"\p{Upper}"),
    ("[:upper:]", r"\p{Upper}"),
    ("[:LOWER:]", r"\p{Lower}"),
    ("[:lower:]", r"\p{Lower}"),
    ("[:DIGIT:]", r"\d"),
    ("[:digit:]", r"\d"),
    ("[:SPACE:]", " "),
    ("[:space:]", " "),
    ("[:WHITESPACE:]", r"\s"),
    ("[:whitespace:]", r"\s"),
    ("[:ALNUM:]", r"\p{Alnum}"),
    ("[:alnum:]", r"\p{Alnum}"),
];

/// Returns the error for an escape character before something that needs none.
pub(crate) fn bad_escape(pattern: &str, at: usize) -> PatternError {
    PatternError::Invalid(format!("Invalid escape sequence '{pattern}', {at}"))
}

fn bad_pattern(pattern: &str, at: usize) -> PatternError {
    PatternError::Invalid(format!(
        "Invalid regular expression '{pattern}', position {at}"
    ))
}

/// Returns the escape character of an ESCAPE clause.
///
/// # Errors
/// The clause has not exactly one character.
pub(crate) fn escape_character(escape: &str) -> Result<char, PatternError> {
    let mut characters = escape.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) => Ok(character),
        _ => Err(PatternError::Invalid(format!(
            "Invalid escape character '{escape}'"
        ))),
    }
}

/// Returns the Java pattern of a SIMILAR TO pattern.
///
/// # Errors
/// The pattern breaks a rule of SIMILAR TO.
pub(crate) fn similar_to_java(pattern: &str, escape: Option<char>) -> Result<String, PatternError> {
    check_escapes(pattern, escape)?;
    let mut java = String::with_capacity(pattern.len() * 2);
    let mut at = 0;
    while let Some(character) = pattern[at..].chars().next() {
        let behind = at + character.len_utf8();
        if Some(character) == escape {
            at = behind + push_escaped(pattern, behind, escape, &mut java)?;
            continue;
        }
        at = behind;
        match character {
            '_' => java.push('.'),
            '%' => java.push_str("(?s:.*)"),
            '[' => {
                java.push('[');
                at = push_enumeration(pattern, behind, escape, &mut java)?;
                java.push(']');
            }
            ']' => return Err(bad_pattern(pattern, at - 1)),
            '\\' => java.push_str(r"\\"),
            '$' => java.push_str(r"\$"),
            _ => java.push(character),
        }
    }
    Ok(java)
}

/// Appends the character at `at`, which an escape character precedes, and returns its length.
fn push_escaped(
    pattern: &str,
    at: usize,
    escape: Option<char>,
    java: &mut String,
) -> Result<usize, PatternError> {
    match pattern[at..].chars().next() {
        Some(next) if SIMILAR_SPECIALS.contains(next) => {
            if JAVA_SPECIALS.contains(next) {
                java.push('\\');
            }
            java.push(next);
            Ok(next.len_utf8())
        }
        Some(next) if Some(next) == escape => {
            java.push(next);
            Ok(next.len_utf8())
        }
        _ => Err(bad_escape(pattern, at)),
    }
}

/// Appends the members of `[…]` behind its bracket and returns the offset behind the closing one.
fn push_enumeration(
    pattern: &str,
    start: usize,
    escape: Option<char>,
    java: &mut String,
) -> Result<usize, PatternError> {
    let mut at = start;
    while let Some(character) = pattern[at..].chars().next() {
        let behind = at + character.len_utf8();
        if character == ']' {
            return Ok(behind);
        }
        if Some(character) == escape {
            at = behind + push_escaped(pattern, behind, escape, java)?;
        } else if matches!(character, '-' | '^') {
            java.push(character);
            at = behind;
        } else if pattern[at..].starts_with("[:") {
            let class = CLASSES
                .iter()
                .find(|(name, _)| pattern[at..].starts_with(name));
            let (name, class) = class.ok_or_else(|| bad_pattern(pattern, at))?;
            java.push_str(class);
            at += name.len();
        } else if SIMILAR_SPECIALS.contains(character) {
            return Err(bad_pattern(pattern, at));
        } else {
            java.push(character);
            at = behind;
        }
    }
    Err(bad_pattern(pattern, pattern.len()))
}

/// The rules of SQL:2003, part 2, section 8.6, about the escape character.
fn check_escapes(pattern: &str, escape: Option<char>) -> Result<(), PatternError> {
    let Some(escape) = escape else {
        return Ok(());
    };
    if SIMILAR_SPECIALS.contains(escape) {
        for (at, _) in pattern.match_indices(escape) {
            let next = pattern[at + escape.len_utf8()..].chars().next();
            if !next.is_some_and(|next| SIMILAR_SPECIALS.contains(next) || next == escape) {
                return Err(bad_escape(pattern, at));
            }
        }
    }
    if escape == ':' && !(pattern.contains("[:") && pattern.contains(":]")) {
        return Err(bad_escape(pattern, 0));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_patterns_become_java_patterns() {
        for (pattern, java) in [
            ("a%", "a(?s:.*)"),
            ("[[:ALPHA:]]+", r"[\p{Alpha}]+"),
            ("a$c", r"a\$c"),
            ("[a-c]{2}", "[a-c]{2}"),
        ] {
            assert_eq!(similar_to_java(pattern, None).as_deref(), Ok(java));
        }
        assert_eq!(similar_to_java("a!%c", Some('!')).as_deref(), Ok("a%c"));
        for pattern in ["[", "]", "[a*]", "[[:NONE:]]"] {
            assert!(similar_to_java(pattern, None).is_err(), "{pattern}");
        }
    }
}
