//! POSITION, LOCATE and INSTR.
//!
//! # Flink
//! Positions count code points from 1; 0 means not found. An empty needle is found at 1, wherever the search
//! starts. INSTR with a negative start searches backwards; an occurrence below 1 fails the row.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, PrimitiveArray};
use millrace_connector::TypeKind;

use super::kernel::{BatchKernel, Ints, Texts};
use super::length::saturated;
use super::signature::{Param, check, nullable_if_any};
use super::substring::offset_of;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// `POSITION`.
pub(crate) static POSITION: FunctionDef = FunctionDef {
    name: "POSITION",
    aliases: &[],
    category: Category::String,
    signatures: &["POSITION(needle STRING IN string STRING [ FROM start INT ]) → INT"],
    doc: "Returns where `needle` first occurs in the text from `start` on, counted in code points from 1; 0 if it \
          does not.\nNULL gives NULL.",
    examples: &[("POSITION('bc' IN 'abc')", "2")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_locate("POSITION", args),
};

/// `LOCATE`.
pub(crate) static LOCATE: FunctionDef = FunctionDef {
    name: "LOCATE",
    aliases: &[],
    category: Category::String,
    signatures: &["LOCATE(needle STRING, string STRING [, start INT]) → INT"],
    doc: "Returns where `needle` first occurs in the text from `start` on, counted in code points from 1; 0 if it \
          does not.\nNULL gives NULL.",
    examples: &[("LOCATE('b', 'abcb', 3)", "4")],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind_locate("LOCATE", args),
};

/// `INSTR`.
pub(crate) static INSTR: FunctionDef = FunctionDef {
    name: "INSTR",
    aliases: &[],
    category: Category::String,
    signatures: &["INSTR(string STRING, needle STRING [, start INT [, occurrence INT]]) → INT"],
    doc: "Returns where `needle` occurs in the text for the `occurrence`-th time, counted in code points from 1; \
          0 if it does not.\nA negative start counts from the end and searches backwards.\n\
          An occurrence below 1 fails the row.\nNULL gives NULL.",
    examples: &[
        ("INSTR('abcb', 'b')", "2"),
        ("INSTR('abcb', 'b', -1, 1)", "4"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let params = [Param::Text, Param::Text, Param::Int, Param::Int];
        Ok(Bound {
            arg_types: check("INSTR", args, &params, 2)?,
            return_type: nullable_if_any(args, TypeKind::Int),
            kernel: BatchKernel::fallible("INSTR", instr),
        })
    },
};

fn bind_locate(name: &'static str, args: &[Arg]) -> Result<Bound, CallError> {
    Ok(Bound {
        arg_types: check(name, args, &[Param::Text, Param::Text, Param::Int], 1)?,
        return_type: nullable_if_any(args, TypeKind::Int),
        kernel: BatchKernel::infallible(name, locate),
    })
}

fn locate(args: &[Column], rows: usize) -> ArrayRef {
    let needles = Texts::new(&args[0]);
    let texts = Texts::new(&args[1]);
    let starts = args.get(2).map(Ints::new);
    let values: PrimitiveArray<Int32Type> = (0..rows)
        .map(|row| {
            let start = match &starts {
                Some(starts) => starts.get(row)?,
                None => 1,
            };
            Some(find(needles.get(row)?, texts.get(row)?, start))
        })
        .collect();
    Arc::new(values)
}

/// Returns the position of `needle` in `text` at or behind position `start`, or 0.
fn find(needle: &str, text: &str, start: i32) -> i32 {
    if needle.is_empty() {
        return 1;
    }
    let skipped = usize::try_from(start.saturating_sub(1)).unwrap_or(0);
    let from = offset_of(text, skipped);
    match text[from..].find(needle) {
        Some(at) => saturated(text[..from + at].chars().count() + 1),
        None => 0,
    }
}

fn instr(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let needles = Texts::new(&args[1]);
    let starts = args.get(2).map(Ints::new);
    let occurrences = args.get(3).map(Ints::new);
    let optional = |values: &Option<Ints<'_>>, row| match values {
        Some(values) => values.get(row),
        None => Some(1),
    };
    let values: PrimitiveArray<Int32Type> = (0..rows)
        .map(|row| {
            let (Some(text), Some(needle), Some(start), Some(occurrence)) = (
                texts.get(row),
                needles.get(row),
                optional(&starts, row),
                optional(&occurrences, row),
            ) else {
                return Ok(None);
            };
            if occurrence <= 0 {
                return Err(RowError::new(row, "nthAppearance must be positive!"));
            }
            Ok(Some(nth(text, needle, start, occurrence)))
        })
        .collect::<Result<_, _>>()?;
    Ok(Arc::new(values))
}

fn nth(text: &str, needle: &str, start: i32, occurrence: i32) -> i32 {
    match start {
        0 => 0,
        1.. => {
            let mut from = start;
            let mut position = 0;
            for _ in 0..occurrence {
                position = find(needle, text, from);
                // An empty needle is always at 1: without this the loop would run its whole count.
                if position == 0 || needle.is_empty() {
                    break;
                }
                from = position + 1;
            }
            position
        }
        ..0 => {
            let turned = |text: &str| text.chars().rev().collect::<String>();
            let from = start.checked_neg().unwrap_or(i32::MAX);
            match nth(&turned(text), &turned(needle), from, occurrence) {
                0 => 0,
                position => {
                    saturated(text.chars().count()) + 2
                        - position
                        - saturated(needle.chars().count())
                }
            }
        }
    }
}
