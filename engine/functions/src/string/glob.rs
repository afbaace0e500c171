//! The patterns of LIKE that have more wildcards than `%`.
//!
//! # Flink
//! `SqlLikeUtils.sqlToRegexLike` of 1.17 makes a Java regular expression of them, faults included: `_` does not
//! match a line terminator, and a `.` is not escaped, so that it matches what `_` matches.

use super::java_regex::PatternError;
use super::sql_pattern::bad_escape;

/// A pattern of LIKE, ready to match whole texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glob {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// One character that ends no line.
    One,
    /// Any text.
    Many,
}

impl Glob {
    /// Reads `pattern`.
    ///
    /// # Errors
    /// The escape character stands before something that needs none.
    pub(crate) fn read(pattern: &str, escape: Option<char>) -> Result<Self, PatternError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = pattern.char_indices();
        while let Some((at, character)) = rest.next() {
            let piece = if Some(character) == escape {
                match rest.next() {
                    Some((_, next)) if matches!(next, '_' | '%') || Some(next) == escape => {
                        plain.push(next);
                        continue;
                    }
                    _ => return Err(bad_escape(pattern, at)),
                }
            } else {
                match character {
                    '_' | '.' => Piece::One,
                    '%' => Piece::Many,
                    _ => {
                        plain.push(character);
                        continue;
                    }
                }
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(piece);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// Tells whether the whole of `text` fits.
    ///
    /// Only the last `%` met is ever tried again, with one character more: an earlier one has nothing to gain.
    pub(crate) fn fit(&self, text: &str) -> bool {
        let mut piece = 0;
        let mut at = 0;
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let step = match self.pieces.get(piece) {
                None => (at == text.len()).then_some(0),
                Some(Piece::Many) => {
                    retry = Some((piece + 1, at));
                    Some(0)
                }
                Some(Piece::Text(plain)) => text[at..]
                    .starts_with(plain.as_str())
                    .then_some(plain.len()),
                Some(Piece::One) => text[at..].chars().next().and_then(|next| {
                    let ends_line =
                        matches!(next, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
                    (!ends_line).then_some(next.len_utf8())
                }),
            };
            if let Some(step) = step {
                if piece == self.pieces.len() {
                    return true;
                }
                at += step;
                piece += 1;
                continue;
            }
            let Some((behind, from)) = retry else {
                return false;
            };
            let Some(skipped) = text[from..].chars().next() else {
                return false;
            };
            at = from + skipped.len_utf8();
            piece = behind;
            retry = Some((behind, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fits_as_the_regular_expression_does() {
        for (pattern, text, expected) in [
            ("a_c", "abc", true),
            ("a_c", "a\nc", false),
            ("a.c", "abc", true),
            ("_", "😀", true),
            ("__", "😀", false),
            ("_%_%_", "ab", false),
            ("_%_%_", "abc", true),
            ("a%b_", "aXbYbZ", true),
            ("a%b_", "aXbYb", false),
            ("%_", "", false),
            ("!__", "_x", true),
        ] {
            let glob = Glob::read(pattern, Some('!')).unwrap();
            assert_eq!(glob.fit(text), expected, "{text} LIKE {pattern}");
        }
        assert!(Glob::read("a!b_", Some('!')).is_err());
        assert!(Glob::read("a_!", Some('!')).is_err());
    }
}
