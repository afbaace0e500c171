//! String functions of Flink 1.20 to 2.x: STARTSWITH, ENDSWITH, ELT, REGEXP_COUNT, REGEXP_INSTR, REGEXP_SUBSTR.
//!
//! # Flink
//! A pattern that Java refuses gives NULL. REGEXP_INSTR counts UTF-16 units, as Java's `Matcher.start` does.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, new_null_array};
use arrow_schema::DataType;
use arrow_select::interleave::interleave;
use millrace_connector::physical::arrow_type;
use millrace_connector::{FlinkType, TypeKind};

use super::java_regex::{JavaRegex, StepsExceeded};
use super::kernel::{BatchKernel, ByteStrings, Ints, Longs, Texts};
use super::length::saturated;
use super::pattern_arg::{PatternArg, at_row};
use super::signature::{Param, check, count_error, nullable_if_any, types_error};
use super::text_builder::TextBuilder;
use crate::operator::coercion::common_type;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

macro_rules! later_function {
    ($constant:ident, $name:literal, $bind:expr, $since:literal, $signature:literal, $doc:literal, $example:expr) => {
        #[doc = concat!("`", $name, "`.")]
        pub(crate) static $constant: FunctionDef = FunctionDef {
            name: $name,
            aliases: &[],
            category: Category::String,
            signatures: &[$signature],
            doc: concat!(
                $doc,
                "\nNULL gives NULL.\nFlink has it from ",
                $since,
                " on."
            ),
            examples: &[$example],
            volatility: Volatility::Deterministic,
            bind: $bind,
        };
    };
}

later_function!(
    STARTSWITH,
    "STARTSWITH",
    |args, _| bind_affix("STARTSWITH", args, <[u8]>::starts_with),
    "2.0",
    "STARTSWITH(string STRING, prefix STRING) → BOOLEAN",
    "Tells whether the text begins with `prefix`; every text begins with the empty one.",
    ("STARTSWITH('abc', 'ab')", "true")
);
later_function!(
    ENDSWITH,
    "ENDSWITH",
    |args, _| bind_affix("ENDSWITH", args, <[u8]>::ends_with),
    "2.0",
    "ENDSWITH(string STRING, suffix STRING) → BOOLEAN",
    "Tells whether the text ends with `suffix`; every text ends with the empty one.",
    ("ENDSWITH('abc', 'bc')", "true")
);
later_function!(
    ELT,
    "ELT",
    |args, _| bind_elt(args),
    "2.0",
    "ELT(index INT, value STRING|BYTES, …) → STRING|BYTES",
    "Returns the text or the bytes with the number `index`, counted from 1; NULL if there are none.",
    ("ELT(2, 'a', 'b')", "b")
);
later_function!(
    REGEXP_COUNT,
    "REGEXP_COUNT",
    |args, _| bind_int("REGEXP_COUNT", args, count),
    "2.0",
    "REGEXP_COUNT(string STRING, pattern STRING) → INT",
    "Returns how often the Java regular expression is found in the text.\nA pattern that is not valid gives NULL.",
    ("REGEXP_COUNT('a1b22', '[0-9]+')", "2")
);
later_function!(
    REGEXP_INSTR,
    "REGEXP_INSTR",
    |args, _| bind_int("REGEXP_INSTR", args, place),
    "2.0",
    "REGEXP_INSTR(string STRING, pattern STRING) → INT",
    "Returns where the Java regular expression is first found in the text, counted from 1; 0 if it is not.\n\
     A pattern that is not valid gives NULL.",
    ("REGEXP_INSTR('a1b22', '[0-9]+')", "2")
);
later_function!(
    REGEXP_SUBSTR,
    "REGEXP_SUBSTR",
    |args, _| bind_substr(args),
    "2.0",
    "REGEXP_SUBSTR(string STRING, pattern STRING) → STRING",
    "Returns what the Java regular expression first matches in the text; NULL if nothing.\n\
     A pattern that is not valid gives NULL.",
    ("REGEXP_SUBSTR('a1b22', '[0-9]+')", "1")
);

fn bind_affix(
    name: &'static str,
    args: &[Arg],
    test: fn(&[u8], &[u8]) -> bool,
) -> Result<Bound, CallError> {
    let arg_types = check(name, args, &[Param::TextOrBinary; 2], 0)?;
    if args[0].ty.kind.is_binary() != args[1].ty.kind.is_binary() {
        return Err(types_error(name, args));
    }
    Ok(Bound {
        arg_types,
        return_type: nullable_if_any(args, TypeKind::Boolean),
        kernel: BatchKernel::infallible(name, move |args: &[Column], rows| {
            let values = ByteStrings::new(&args[0]);
            let affixes = ByteStrings::new(&args[1]);
            let found: BooleanArray = (0..rows)
                .map(|row| Some(test(values.get(row)?, affixes.get(row)?)))
                .collect();
            Arc::new(found) as ArrayRef
        }),
    })
}

fn bind_elt(args: &[Arg]) -> Result<Bound, CallError> {
    if args.len() < 2 {
        return Err(count_error("ELT", args.len(), 2, None));
    }
    if let Some(index) = args[0].literal.as_ref().and_then(negative) {
        return Err(CallError::Argument {
            index: 0,
            message: format!("Index must be an integer starting from '0', but was '{index}'."),
        });
    }
    let texts: Vec<FlinkType> = args[1..].iter().map(|arg| arg.ty.clone()).collect();
    let same = |of: fn(&TypeKind) -> bool| texts.iter().all(|ty| of(&ty.kind));
    if !args[0].ty.kind.is_integer() || !(same(TypeKind::is_character) || same(TypeKind::is_binary))
    {
        return Err(types_error("ELT", args));
    }
    let common = common_type(&texts).ok_or_else(|| types_error("ELT", args))?;
    let kind = match args[0].ty.kind {
        TypeKind::BigInt => TypeKind::BigInt,
        _ => TypeKind::Int,
    };
    let index = kind.nullable().with_nullable(args[0].ty.nullable);
    let others = texts
        .iter()
        .map(|ty| common.clone().with_nullable(ty.nullable));
    let data_type = arrow_type(&common.kind);
    Ok(Bound {
        arg_types: std::iter::once(index).chain(others).collect(),
        return_type: common.with_nullable(true),
        kernel: BatchKernel::infallible("ELT", move |args: &[Column], rows| {
            elt(args, rows, &data_type)
        }),
    })
}

/// Returns an index that is below 0.
fn negative(literal: &crate::Literal) -> Option<i64> {
    let value = literal.value.as_ref();
    let index = if let Some(ints) = value.as_primitive_opt::<Int32Type>() {
        ints.iter().next()?.map(i64::from)
    } else {
        value.as_primitive_opt::<Int64Type>()?.iter().next()?
    };
    index.filter(|index| *index < 0)
}

fn elt(args: &[Column], rows: usize, data_type: &DataType) -> ArrayRef {
    let (longs, ints) = (Longs::new(&args[0]), Ints::new(&args[0]));
    let none = new_null_array(data_type, 1);
    let arrays: Vec<&dyn Array> = std::iter::once(none.as_ref())
        .chain(args[1..].iter().map(|arg| arg.array().as_ref()))
        .collect();
    let picks: Vec<(usize, usize)> = (0..rows)
        .map(|row| {
            let index = longs.get(row).or_else(|| ints.get(row).map(i64::from));
            let index = index.and_then(|index| usize::try_from(index).ok());
            match index {
                Some(index) if index > 0 && index < args.len() => (index, args[index].index(row)),
                _ => (0, 0),
            }
        })
        .collect();
    interleave(&arrays, &picks).expect("the arrays are of one type and the picks lie in them")
}

type IntOf = fn(&JavaRegex, &str) -> Result<i32, StepsExceeded>;

fn count(program: &JavaRegex, text: &str) -> Result<i32, StepsExceeded> {
    let mut matches = 0;
    program.each_match(text, |_| matches += 1)?;
    Ok(saturated(matches))
}

fn place(program: &JavaRegex, text: &str) -> Result<i32, StepsExceeded> {
    Ok(match program.find_at(text, 0)? {
        Some((start, _)) => saturated(text[..start].encode_utf16().count() + 1),
        None => 0,
    })
}

fn bind_int(name: &'static str, args: &[Arg], of: IntOf) -> Result<Bound, CallError> {
    let arg_types = check(name, args, &[Param::Text; 2], 0)?;
    let patterns = PatternArg::new(args, 1, JavaRegex::find_in)?;
    Ok(Bound {
        arg_types,
        return_type: TypeKind::Int.nullable(),
        kernel: BatchKernel::fallible(name, move |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let sources = Texts::new(&args[1]);
            let values: PrimitiveArray<Int32Type> = (0..rows)
                .map(|row| {
                    let (Some(text), Some(source)) = (texts.get(row), sources.get(row)) else {
                        return Ok(None);
                    };
                    match patterns.get(source, row)?.program() {
                        Some(program) => at_row(of(program, text), row).map(Some),
                        None => Ok(None),
                    }
                })
                .collect::<Result<_, RowError>>()?;
            Ok(Arc::new(values) as ArrayRef)
        }),
    })
}

fn bind_substr(args: &[Arg]) -> Result<Bound, CallError> {
    let arg_types = check("REGEXP_SUBSTR", args, &[Param::Text; 2], 0)?;
    let patterns = PatternArg::new(args, 1, JavaRegex::find_in)?;
    Ok(Bound {
        arg_types,
        return_type: FlinkType::string(),
        kernel: BatchKernel::fallible("REGEXP_SUBSTR", move |args: &[Column], rows| {
            let texts = Texts::new(&args[0]);
            let sources = Texts::new(&args[1]);
            let mut out = TextBuilder::over(texts.array(), rows);
            for row in 0..rows {
                let (Some(text), Some(source)) = (texts.get(row), sources.get(row)) else {
                    out.push_null();
                    continue;
                };
                let pattern = patterns.get(source, row)?;
                let found = match pattern.program() {
                    Some(program) => at_row(program.find_at(text, 0), row)?,
                    None => None,
                };
                match found {
                    Some((start, end)) => out.push_slice(&text[start..end]),
                    None => out.push_null(),
                }
            }
            Ok(out.finish())
        }),
    })
}
