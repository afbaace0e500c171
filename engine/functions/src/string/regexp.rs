//! REGEXP, REGEXP_EXTRACT and REGEXP_REPLACE.
//!
//! # Flink
//! `SqlFunctionUtils`: a pattern that Java refuses makes REGEXP FALSE and the others NULL. REGEXP of the empty
//! pattern is FALSE. REGEXP_EXTRACT gives NULL without a match, for a group that took no part, and for an index
//! that is negative or past the last group. REGEXP_REPLACE takes the replacement as it stands: `$1` and `\` mean
//! nothing in it. An empty match splits a surrogate pair.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use millrace_connector::{FlinkType, TypeKind};

use super::concat::string_kind;
use super::java_regex::JavaRegex;
use super::kernel::{BatchKernel, Ints, Texts};
use super::pattern_arg::{PatternArg, at_row};
use super::signature::{Param, check, nullable_if_any};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `REGEXP`.
pub(crate) static REGEXP: FunctionDef = FunctionDef {
    name: "REGEXP",
    aliases: &[],
    category: Category::String,
    signatures: &["REGEXP(string STRING, pattern STRING) → BOOLEAN"],
    doc: "Tells whether the Java regular expression is found in the text.\n\
          An empty pattern and one that is not valid give FALSE, NULL gives NULL.",
    examples: &[("REGEXP('abc', '^a')", "true")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_regexp(args),
};

/// `REGEXP_EXTRACT`.
pub(crate) static REGEXP_EXTRACT: FunctionDef = FunctionDef {
    name: "REGEXP_EXTRACT",
    aliases: &[],
    category: Category::String,
    signatures: &["REGEXP_EXTRACT(string STRING, pattern STRING [, group INT]) → STRING"],
    doc: "Returns what the group of the Java regular expression matches first in the text; group 0 is the whole \
          match.\nNo match, no such group, a pattern that is not valid and NULL give NULL.",
    examples: &[("REGEXP_EXTRACT('foothebar', 'foo(.*?)(bar)', 2)", "bar")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_extract(args),
};

/// `REGEXP_REPLACE`.
pub(crate) static REGEXP_REPLACE: FunctionDef = FunctionDef {
    name: "REGEXP_REPLACE",
    aliases: &[],
    category: Category::String,
    signatures: &["REGEXP_REPLACE(string STRING, pattern STRING, replacement STRING) → STRING"],
    doc: "Returns the text with every match of the Java regular expression replaced.\n\
          The replacement stands for itself; it cannot refer to groups.\n\
          A pattern that is not valid and NULL give NULL.",
    examples: &[("REGEXP_REPLACE('foobar', 'oo|ar', '')", "fb")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_replace(args),
};

fn bind_regexp(args: &[Arg]) -> Result<Bound, CallError> {
    let arg_types = check("REGEXP", args, &[Param::Text; 2], 0)?;
    let patterns = PatternArg::new(args, 1, JavaRegex::find_in)?;
    Ok(Bound {
        arg_types,
        return_type: nullable_if_any(args, TypeKind::Boolean),
        kernel: BatchKernel::fallible("REGEXP", move |args: &[Column], rows| {
            regexp(args, rows, &patterns)
        }),
    })
}

fn regexp(args: &[Column], rows: usize, patterns: &PatternArg) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let sources = Texts::new(&args[1]);
    let values: BooleanArray = (0..rows)
        .map(|row| {
            let (Some(text), Some(source)) = (texts.get(row), sources.get(row)) else {
                return Ok(None);
            };
            if source.is_empty() {
                return Ok(Some(false));
            }
            match patterns.get(source, row)?.program() {
                Some(program) => at_row(program.is_match(text), row).map(Some),
                None => Ok(Some(false)),
            }
        })
        .collect::<Result<_, RowError>>()?;
    Ok(Arc::new(values))
}

fn bind_extract(args: &[Arg]) -> Result<Bound, CallError> {
    let params = [Param::Text, Param::Text, Param::Int];
    let arg_types = check("REGEXP_EXTRACT", args, &params, 1)?;
    let patterns = PatternArg::new(args, 1, JavaRegex::find_in)?;
    Ok(Bound {
        arg_types,
        return_type: FlinkType::string(),
        kernel: BatchKernel::fallible("REGEXP_EXTRACT", move |args: &[Column], rows| {
            extract(args, rows, &patterns)
        }),
    })
}

fn extract(args: &[Column], rows: usize, patterns: &PatternArg) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let sources = Texts::new(&args[1]);
    let groups = args.get(2).map(Ints::new);
    let mut out = TextBuilder::over(texts.array(), rows);
    for row in 0..rows {
        let group = match &groups {
            Some(groups) => groups.get(row),
            None => Some(0),
        };
        let (Some(text), Some(source), Some(group)) = (texts.get(row), sources.get(row), group)
        else {
            out.push_null();
            continue;
        };
        let pattern = patterns.get(source, row)?;
        let found = match (pattern.program(), usize::try_from(group)) {
            (Some(program), Ok(group)) if group <= program.groups() => {
                at_row(program.group(text, group), row)?.flatten()
            }
            _ => None,
        };
        match found {
            Some((start, end)) => out.push_slice(&text[start..end]),
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn bind_replace(args: &[Arg]) -> Result<Bound, CallError> {
    let arg_types = check("REGEXP_REPLACE", args, &[Param::Text; 3], 0)?;
    let patterns = PatternArg::new(args, 1, JavaRegex::find_in)?;
    Ok(Bound {
        arg_types,
        return_type: nullable_if_any(args, string_kind()),
        kernel: BatchKernel::fallible("REGEXP_REPLACE", move |args: &[Column], rows| {
            replace(args, rows, &patterns)
        }),
    })
}

fn replace(args: &[Column], rows: usize, patterns: &PatternArg) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let sources = Texts::new(&args[1]);
    let replacements = Texts::new(&args[2]);
    let mut out = TextBuilder::over(texts.array(), rows);
    let mut buffer = String::new();
    for row in 0..rows {
        let (Some(text), Some(source), Some(replacement)) =
            (texts.get(row), sources.get(row), replacements.get(row))
        else {
            out.push_null();
            continue;
        };
        let pattern = patterns.get(source, row)?;
        let Some(program) = pattern.program() else {
            out.push_null();
            continue;
        };
        buffer.clear();
        let mut copied = 0;
        let mut matches = 0;
        let splits = program.looks_at_nothing_around();
        let result = program.each_match(text, |(start, end)| {
            buffer.push_str(&text[copied..start]);
            buffer.push_str(replacement);
            copied = end;
            matches += 1;
            let next = text[end..].chars().next();
            let Some(next) = next.filter(|next| splits && start == end && next.len_utf16() == 2)
            else {
                return;
            };
            // The empty match stands between the halves of a surrogate pair too; Java writes each as a question mark.
            buffer.push('?');
            buffer.push_str(replacement);
            buffer.push('?');
            copied += next.len_utf8();
        });
        at_row(result, row)?;
        if matches == 0 {
            out.push_slice(text);
        } else {
            buffer.push_str(&text[copied..]);
            out.push(&buffer);
        }
    }
    Ok(out.finish())
}
