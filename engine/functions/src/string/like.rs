//! LIKE and SIMILAR TO.
//!
//! # Flink
//! `LikeCallGen`: a literal pattern without `_` (or with escaped ones only) is matched exactly; any other as
//! [`super::glob`] does. A wrong escape in a literal pattern fails before start, in a column it fails the row; a
//! wrong SIMILAR TO pattern always fails the row. There is no default escape character.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use memchr::memmem::Finder;
use millrace_connector::TypeKind;

use super::glob::Glob;
use super::java_regex::{JavaRegex, PatternError};
use super::kernel::{BatchKernel, Texts};
use super::pattern_arg::{PatternArg, at_row};
use super::signature::{Param, check, literal_text, nullable_if_any};
use super::sql_pattern::{bad_escape, escape_character, similar_to_java};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Kernel, RowError, Volatility};

/// `LIKE`.
pub(crate) static LIKE: FunctionDef = FunctionDef {
    name: "LIKE",
    aliases: &[],
    category: Category::Comparison,
    signatures: &[
        "string STRING [ NOT ] LIKE pattern STRING [ ESCAPE character STRING ] → BOOLEAN",
    ],
    doc: "Tells whether the whole text fits the pattern: `%` fits any text, `_` one character that ends no line.\n\
          The escape character makes the next `%`, `_` or itself plain; there is none by default.\nNULL gives NULL.",
    examples: &[
        ("'abc' LIKE 'a%'", "true"),
        ("'a%c' LIKE 'a!%c' ESCAPE '!'", "true"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_like(args),
};

/// `SIMILAR TO`.
pub(crate) static SIMILAR_TO: FunctionDef = FunctionDef {
    name: "SIMILAR TO",
    aliases: &[],
    category: Category::Comparison,
    signatures: &[
        "string STRING [ NOT ] SIMILAR TO pattern STRING [ ESCAPE character STRING ] → BOOLEAN",
    ],
    doc: "Tells whether the whole text fits the SQL regular expression.\n\
          A pattern that is not valid fails the row.\nNULL gives NULL.",
    examples: &[("'abc' SIMILAR TO '(abc|def)'", "true")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let arg_types = check("SIMILAR TO", args, &[Param::Text; 3], 1)?;
        Ok(Bound {
            arg_types,
            return_type: nullable_if_any(args, TypeKind::Boolean),
            kernel: similar(args)?,
        })
    },
};

fn bind_like(args: &[Arg]) -> Result<Bound, CallError> {
    let arg_types = check("LIKE", args, &[Param::Text; 3], 1)?;
    let escape = args.get(2).map(literal_text);
    let kernel = match (literal_text(&args[1]), escape) {
        (Some(pattern), None) => literal_like(&pattern, None)?,
        (Some(pattern), Some(Some(escape))) => literal_like(&pattern, Some(&escape))?,
        _ => BatchKernel::fallible("LIKE", like_rows),
    };
    Ok(Bound {
        arg_types,
        return_type: nullable_if_any(args, TypeKind::Boolean),
        kernel,
    })
}

/// Returns the kernel for a pattern, and perhaps an escape character, that are literals.
fn literal_like(pattern: &str, escape: Option<&str>) -> Result<Arc<dyn Kernel>, CallError> {
    let wrong = |error: PatternError| CallError::Argument {
        index: 1,
        message: error.to_string(),
    };
    let character = escape.map(escape_character).transpose().map_err(wrong)?;
    // Flink's generated code doubles a backslash, and then takes it for two characters.
    if character == Some('\\') {
        return Err(wrong(PatternError::Invalid(
            r"Invalid escape character '\\'".to_owned(),
        )));
    }
    if let Some(plain) = plain_pattern(pattern, character).map_err(wrong)? {
        let segments = Segments::new(&plain);
        return Ok(BatchKernel::infallible(
            "LIKE",
            move |args: &[Column], rows| {
                let texts = Texts::new(&args[0]);
                let values: BooleanArray = (0..rows)
                    .map(|row| texts.get(row).map(|text| segments.fit(text)))
                    .collect();
                Arc::new(values) as ArrayRef
            },
        ));
    }
    let glob = Glob::read(pattern, character).map_err(wrong)?;
    Ok(BatchKernel::infallible(
        "LIKE",
        move |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let values: BooleanArray = (0..rows)
                .map(|row| texts.get(row).map(|text| glob.fit(text)))
                .collect();
            Arc::new(values) as ArrayRef
        },
    ))
}

/// Matches patterns, and perhaps escape characters, of columns. A pattern is read again where it changes.
fn like_rows(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let sources = Texts::new(&args[1]);
    let escapes = args.get(2).map(Texts::new);
    let mut known: Option<((&str, Option<&str>), Glob)> = None;
    let values: BooleanArray = (0..rows)
        .map(|row| {
            let (Some(text), Some(source)) = (texts.get(row), sources.get(row)) else {
                return Ok(None);
            };
            let escape = match &escapes {
                None => None,
                Some(escapes) => match escapes.get(row) {
                    None => return Ok(None),
                    escape => escape,
                },
            };
            let wrong = |error: PatternError| RowError::new(row, error.to_string());
            if let Some((key, glob)) = &known
                && *key == (source, escape)
            {
                return Ok(Some(glob.fit(text)));
            }
            let character = escape.map(escape_character).transpose().map_err(wrong)?;
            let glob = Glob::read(source, character).map_err(wrong)?;
            let fits = glob.fit(text);
            known = Some(((source, escape), glob));
            Ok(Some(fits))
        })
        .collect::<Result<_, RowError>>()?;
    Ok(Arc::new(values))
}

/// Returns the pattern without escapes, if none of its wildcards but `%` is left and no `%` is escaped.
fn plain_pattern(pattern: &str, escape: Option<char>) -> Result<Option<String>, PatternError> {
    let mut plain = String::with_capacity(pattern.len());
    let mut rest = pattern.char_indices();
    while let Some((at, character)) = rest.next() {
        if Some(character) == escape {
            match rest.next() {
                Some((_, '%')) => return Ok(None),
                Some((_, next)) if next == '_' || Some(next) == escape => plain.push(next),
                _ => {
                    return Err(bad_escape(pattern, at));
                }
            }
        } else if character == '_' {
            return Ok(None);
        } else {
            plain.push(character);
        }
    }
    Ok(Some(plain))
}

/// A pattern whose only wildcard is `%`.
#[derive(Debug)]
enum Segments {
    Equal(String),
    Chain {
        prefix: String,
        inner: Vec<Finder<'static>>,
        suffix: String,
    },
}

impl Segments {
    fn new(pattern: &str) -> Self {
        // To Flink a pattern of no character is one of no segment, as `%` is: every text fits.
        let pattern = if pattern.is_empty() { "%" } else { pattern };
        let Some((prefix, rest)) = pattern.split_once('%') else {
            return Self::Equal(pattern.to_owned());
        };
        let (inner, suffix) = rest.rsplit_once('%').unwrap_or(("", rest));
        Self::Chain {
            prefix: prefix.to_owned(),
            inner: inner
                .split('%')
                .filter(|segment| !segment.is_empty())
                .map(|segment| Finder::new(segment).into_owned())
                .collect(),
            suffix: suffix.to_owned(),
        }
    }

    fn fit(&self, text: &str) -> bool {
        match self {
            Self::Equal(pattern) => text == pattern,
            Self::Chain {
                prefix,
                inner,
                suffix,
            } => {
                let between = text
                    .strip_prefix(prefix.as_str())
                    .and_then(|rest| rest.strip_suffix(suffix.as_str()));
                let Some(between) = between else {
                    return false;
                };
                let mut rest = between.as_bytes();
                inner.iter().all(|segment| match segment.find(rest) {
                    Some(at) => {
                        rest = &rest[at + segment.needle().len()..];
                        true
                    }
                    None => false,
                })
            }
        }
    }
}

/// Returns the kernel of SIMILAR TO.
fn similar(args: &[Arg]) -> Result<Arc<dyn Kernel>, CallError> {
    let name = "SIMILAR TO";
    let literal_escape = args.get(2).and_then(literal_text);
    let constant = match (literal_text(&args[1]), args.get(2), &literal_escape) {
        (Some(pattern), None, _) => Some(similar_to_java(&pattern, None)),
        (Some(pattern), Some(_), Some(escape)) => Some(
            escape_character(escape).and_then(|escape| similar_to_java(&pattern, Some(escape))),
        ),
        _ => None,
    };
    let patterns = match constant {
        Some(Ok(java)) => PatternArg::constant(&java, 1, JavaRegex::match_all_of)?,
        Some(Err(error)) => {
            return Ok(BatchKernel::fallible(name, move |args: &[Column], rows| {
                fail_rows(args, rows, &error)
            }));
        }
        None => PatternArg::Column(super::java_regex::PatternCache::new(
            JavaRegex::match_all_of,
        )),
    };
    Ok(BatchKernel::fallible(name, move |args: &[Column], rows| {
        similar_rows(args, rows, &patterns)
    }))
}

/// Fails the first row whose arguments are all there.
fn fail_rows(args: &[Column], rows: usize, error: &PatternError) -> Result<ArrayRef, RowError> {
    let complete = |row: &usize| args.iter().all(|arg| !arg.is_null(*row));
    match (0..rows).find(complete) {
        Some(row) => Err(RowError::new(row, error.to_string())),
        None => Ok(Arc::new(BooleanArray::new_null(rows))),
    }
}

fn similar_rows(args: &[Column], rows: usize, patterns: &PatternArg) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let sources = Texts::new(&args[1]);
    let escapes = args.get(2).map(Texts::new);
    let is_constant = matches!(patterns, PatternArg::Constant(_));
    let values: BooleanArray = (0..rows)
        .map(|row| {
            let (Some(text), Some(source)) = (texts.get(row), sources.get(row)) else {
                return Ok(None);
            };
            let escape = match &escapes {
                None => None,
                Some(escapes) => match escapes.get(row) {
                    Some(escape) => Some(escape),
                    None => return Ok(None),
                },
            };
            let wrong = |error: PatternError| RowError::new(row, error.to_string());
            let java = if is_constant {
                String::new()
            } else {
                let escape = escape.map(escape_character).transpose().map_err(wrong)?;
                similar_to_java(source, escape).map_err(wrong)?
            };
            let pattern = patterns.get(&java, row)?;
            let matched = pattern.required(row)?.is_match(text);
            at_row(matched, row).map(Some)
        })
        .collect::<Result<_, RowError>>()?;
    Ok(Arc::new(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_leave_no_overlap() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("ab%bc", "abc", false),
            ("ab%bc", "abbc", true),
            ("%bc", "bcbc", true),
            ("a%X%c", "aXbXc", true),
            ("a%X%X%c", "aXbc", false),
            ("%%", "", true),
            ("", "", true),
            ("a%a", "a", false),
            ("a.c", "abc", false),
        ] {
            assert_eq!(
                Segments::new(pattern).fit(text),
                expected,
                "{text} LIKE {pattern}"
            );
        }
    }
}
