//! Java's regular expressions on Rust's engines.
//!
//! A pattern is read by Java's grammar into a tree without spellings ([`syntax`]), and written again for an engine
//! ([`print`]): the linear one of the `regex` crate wherever the pattern has an equal there, else a backtracking
//! one with a bounded number of steps. `$` and `^` with MULTILINE look at line terminators in a way the linear
//! engine lacks; it still runs such patterns on texts without terminators, where they mean the plain ends.
//!
//! # Flink
//! `java.util.regex` of Java 17. Known differences: `\b` counts all Unicode marks and connectors as parts of words
//! (Java: underscore, letters, digits and non-spacing marks); an empty match never lies between the two halves of
//! a surrogate pair, but for REGEXP_REPLACE.

mod cache;
mod class;
mod grapheme;
mod pattern;
mod print;
mod program;
mod sets;
mod syntax;

pub(crate) use cache::PatternCache;
pub(crate) use program::{JavaRegex, StepsExceeded};
pub(crate) use syntax::PatternError;

#[cfg(test)]
mod tests;
