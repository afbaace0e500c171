//! JSON paths: how they are written, which of them need no tree, and what they find.
//!
//! # Flink
//! Flink hands paths to Jayway JsonPath 2.7 and reads documents with Jackson. A path begins with the mode `lax` or
//! `strict`; without one it is strict. Jayway's own rules hold for the rest: a path that does not begin with `$` or
//! `@` is taken as `$.path`, `$.k k` is refused, `$.arr.n` finds nothing in an array.

mod eval;
mod filter;
mod function;
mod parser;

pub(crate) use eval::{Document, Found, Item, find, write_item};

use filter::Predicate;

/// A path that is ready to be looked for.
#[derive(Clone, Debug)]
pub struct Path {
    /// Whether a missing value is an error instead of nothing.
    pub(crate) is_strict: bool,
    pub(crate) tokens: Result<Vec<Token>, String>,
}

/// A step of a path.
#[derive(Clone, Debug)]
pub(crate) enum Token {
    /// `.name`, `['name']`, `['a','b']`.
    Property(Vec<String>),
    /// `[0]`, `[-1]`, `[0,2]`.
    Index(Vec<i64>),
    /// `[1:]`, `[:2]`, `[1:2]`.
    Slice(Option<i64>, Option<i64>),
    /// `*`.
    Wildcard,
    /// `..`.
    Scan,
    /// `[?(…)]`.
    Filter(Predicate),
    /// `.length()`.
    Function(String),
}

/// A step that can be taken while scanning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

impl Path {
    /// Reads a path. One that cannot be read finds an error in every document.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (is_strict, spec) = split_mode(text);
        Self {
            is_strict,
            tokens: parser::parse(spec),
        }
    }

    /// Returns the steps, if there are only keys and places in it.
    pub(crate) fn steps(&self) -> Option<Vec<Step>> {
        let tokens = self.tokens.as_ref().ok()?;
        tokens
            .iter()
            .map(|token| match token {
                Token::Property(names) if names.len() == 1 => Some(Step::Key(names[0].clone())),
                Token::Index(indexes) if indexes.len() == 1 => {
                    usize::try_from(indexes[0]).ok().map(Step::Index)
                }
                _ => None,
            })
            .collect()
    }
}

/// Splits `lax $.a` into the mode and the rest.
fn split_mode(text: &str) -> (bool, &str) {
    let trimmed = text.trim_start_matches(is_java_space);
    for (word, is_strict) in [("strict", true), ("lax", false)] {
        if let Some(head) = trimmed.get(..word.len())
            && head.eq_ignore_ascii_case(word)
        {
            let rest = &trimmed[word.len()..];
            let spec = rest.trim_start_matches(is_java_space);
            if spec.len() < rest.len() && !spec.is_empty() {
                return (is_strict, spec);
            }
        }
    }
    (true, text)
}

fn is_java_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r')
}

impl Token {
    /// Tells whether the step leads to at most one place.
    fn is_definite(&self, is_leaf: bool) -> bool {
        match self {
            Self::Property(names) => names.len() == 1 || is_leaf,
            Self::Index(indexes) => indexes.len() == 1,
            Self::Function(_) => true,
            Self::Slice(..) | Self::Wildcard | Self::Scan | Self::Filter(_) => false,
        }
    }
}

/// Tells whether all steps are definite.
fn is_definite(tokens: &[Token]) -> bool {
    let last = tokens.len().saturating_sub(1);
    tokens
        .iter()
        .enumerate()
        .all(|(i, token)| token.is_definite(i == last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_the_mode_off() {
        assert_eq!(split_mode("lax  $.a"), (false, "$.a"));
        assert_eq!(split_mode(" STRICT\t$"), (true, "$"));
        assert_eq!(split_mode("lax$.a"), (true, "lax$.a"));
        assert_eq!(split_mode("$.a"), (true, "$.a"));
    }

    #[test]
    fn knows_which_paths_need_no_tree() {
        let steps = |text: &str| Path::parse(text).steps();
        assert_eq!(
            steps("$.a['b.c'][2]"),
            Some(vec![
                Step::Key("a".into()),
                Step::Key("b.c".into()),
                Step::Index(2)
            ])
        );
        assert_eq!(steps("a"), Some(vec![Step::Key("a".into())]));
        assert_eq!(steps("$"), Some(vec![]));
        for other in [
            "$..a",
            "$.*",
            "$[0,1]",
            "$[-1]",
            "$['a','b']",
            "$.a.length()",
            "$.k k",
            "",
            "$.",
            "$a",
        ] {
            assert_eq!(steps(other), None, "{other}");
        }
    }
}
