//! SPLIT and REGEXP_EXTRACT_ALL of Flink 2.0: texts as arrays.
//!
//! # Flink
//! SPLIT cuts at every delimiter, empty pieces included; an empty delimiter cuts between UTF-16 units.
//! REGEXP_EXTRACT_ALL gives a NULL element for a group that took no part, and NULL for a pattern that Java refuses or
//! a group that the pattern lacks.

use std::sync::Arc;

use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::{NullBufferBuilder, OffsetBuffer};
use arrow_schema::DataType;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};

use super::java_regex::{JavaRegex, StepsExceeded};
use super::kernel::{BatchKernel, Ints, Texts};
use super::pattern_arg::{PatternArg, at_row};
use super::signature::{Param, check};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `SPLIT`.
pub(crate) static SPLIT: FunctionDef = FunctionDef {
    name: "SPLIT",
    aliases: &[],
    category: Category::String,
    signatures: &["SPLIT(string STRING, delimiter STRING) → ARRAY<STRING>"],
    doc: "Returns the pieces of the text between the delimiters; an empty delimiter gives its characters.\n\
          NULL gives NULL.\nFlink has it from 2.0 on.",
    examples: &[("SPLIT('a,b,,c', ',')", "[a, b, , c]")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_split(args),
};

/// `REGEXP_EXTRACT_ALL`.
pub(crate) static REGEXP_EXTRACT_ALL: FunctionDef = FunctionDef {
    name: "REGEXP_EXTRACT_ALL",
    aliases: &[],
    category: Category::String,
    signatures: &[
        "REGEXP_EXTRACT_ALL(string STRING, pattern STRING [, group INT]) → ARRAY<STRING>",
    ],
    doc: "Returns what a group of the Java regular expression has in each of its matches; 0 is the whole match, the \
          default is 1.\nA pattern that is not valid, a group that it lacks and NULL give NULL.\n\
          Flink has it from 2.0 on.",
    examples: &[(
        "REGEXP_EXTRACT_ALL('1-2, 3-4', '([0-9])-([0-9])', 2)",
        "[2, 4]",
    )],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_extract_all(args),
};

/// Builds an ARRAY<STRING> row by row.
struct Builder {
    texts: TextBuilder,
    lengths: Vec<usize>,
    nulls: NullBufferBuilder,
}

impl Builder {
    fn new(rows: usize) -> Self {
        Self {
            texts: TextBuilder::new(rows),
            lengths: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
        }
    }

    fn push_null(&mut self) {
        self.lengths.push(0);
        self.nulls.append_null();
    }

    fn push<'a>(&mut self, texts: impl Iterator<Item = Option<&'a str>>) {
        let mut length = 0;
        for text in texts {
            self.texts.push_option(text);
            length += 1;
        }
        self.lengths.push(length);
        self.nulls.append_non_null();
    }

    fn finish(mut self) -> ArrayRef {
        let DataType::List(field) = arrow_type(&texts_type()) else {
            unreachable!("an ARRAY is a list");
        };
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        let list = ListArray::new(field, offsets, self.texts.finish(), self.nulls.finish());
        Arc::new(list)
    }
}

fn texts_type() -> TypeKind {
    TypeKind::Array(Box::new(FlinkType::string()))
}

fn bind_split(args: &[Arg]) -> Result<Bound, CallError> {
    let arg_types = check("SPLIT", args, &[Param::Text; 2], 0)?;
    let nullable = args.iter().any(|arg| arg.ty.nullable);
    Ok(Bound {
        arg_types,
        return_type: texts_type().nullable().with_nullable(nullable),
        kernel: BatchKernel::infallible("SPLIT", |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let delimiters = Texts::new(&args[1]);
            let mut out = Builder::new(rows);
            let mut unit = [0; 4];
            for row in 0..rows {
                match (texts.get(row), delimiters.get(row)) {
                    (Some(""), Some(_)) => out.push(std::iter::once(Some(""))),
                    (Some(text), Some("")) => {
                        let units: Vec<String> = text
                            .chars()
                            .flat_map(|character| lone_units(character, &mut unit))
                            .collect();
                        out.push(units.iter().map(|unit| Some(unit.as_str())));
                    }
                    (Some(text), Some(delimiter)) => out.push(text.split(delimiter).map(Some)),
                    _ => out.push_null(),
                }
            }
            out.finish()
        }),
    })
}

/// Returns a character as Java cuts it between its units: halves of a pair are no characters, `?` in UTF-8.
fn lone_units(character: char, buffer: &mut [u8; 4]) -> Vec<String> {
    match character.len_utf16() {
        1 => vec![character.encode_utf8(buffer).to_owned()],
        _ => vec!["?".to_owned(); 2],
    }
}

fn bind_extract_all(args: &[Arg]) -> Result<Bound, CallError> {
    let params = [Param::Text, Param::Text, Param::Int];
    let arg_types = check("REGEXP_EXTRACT_ALL", args, &params, 1)?;
    let patterns = PatternArg::new(args, 1, JavaRegex::find_in)?;
    Ok(Bound {
        arg_types,
        return_type: texts_type().nullable(),
        kernel: BatchKernel::fallible("REGEXP_EXTRACT_ALL", move |args: &[Column], rows| {
            extract_all(args, rows, &patterns)
        }),
    })
}

fn extract_all(args: &[Column], rows: usize, patterns: &PatternArg) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let sources = Texts::new(&args[1]);
    let groups = args.get(2).map(Ints::new);
    let mut out = Builder::new(rows);
    for row in 0..rows {
        let group = groups.as_ref().map_or(Some(1), |groups| groups.get(row));
        let (Some(text), Some(source), Some(group)) = (texts.get(row), sources.get(row), group)
        else {
            out.push_null();
            continue;
        };
        let pattern = patterns.get(source, row)?;
        let group = usize::try_from(group).ok();
        let valid = pattern
            .program()
            .zip(group)
            .filter(|(program, group)| *group <= program.groups());
        match valid {
            Some((program, group)) => {
                let found = at_row(all_of(program, text, group), row)?;
                out.push(found.into_iter());
            }
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}

fn all_of<'t>(
    program: &JavaRegex,
    text: &'t str,
    group: usize,
) -> Result<Vec<Option<&'t str>>, StepsExceeded> {
    let mut found = Vec::new();
    program.each_group(text, group, |span| {
        found.push(span.map(|(start, end)| &text[start..end]));
    })?;
    Ok(found)
}
