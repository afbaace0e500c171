//! TO_TIMESTAMP.
//!
//! # Flink
//! `DateTimeUtils.parseTimestampData`: a `java.time` formatter, and for text that does not fit its pattern
//! `java.sql.Timestamp.valueOf` and `java.sql.Date.valueOf`. Whatever fails gives NULL, bad patterns included.

use arrow_array::ArrayRef;
use arrow_array::types::TimestampMicrosecondType;
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use super::arguments::{Param, check};
use super::compiled::Compiled;
use super::formatter::{Formatter, Reading};
use super::legacy_text;
use super::plain_text;
use super::simple_format::TIMESTAMP_PATTERN;
use crate::cast::convert::{OnFailure, build_primitive};
use crate::cast::parse_temporal::parse_timestamp;
use crate::string::kernel::{BatchKernel, Texts};
use crate::{Bound, Category, Column, FunctionDef, Volatility};

/// `TO_TIMESTAMP`.
pub(crate) static TO_TIMESTAMP: FunctionDef = FunctionDef {
    name: "TO_TIMESTAMP",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["TO_TIMESTAMP(string STRING [, format STRING]) → TIMESTAMP(3)"],
    doc: "Returns the timestamp a text means, in milliseconds; further digits are cut.\n\
          Without a format it is `yyyy-MM-dd HH:mm:ss` with up to nine digits of a fraction, or a date alone. Fields may \
          have one digit; a day the month does not have is its last one, and 24:00:00 is the next midnight.\n\
          The format is a pattern of Java's DateTimeFormatter, which must fit the whole text. What it leaves out is \
          taken from 1970-01-01 00:00:00; an offset is read and ignored. Text that does not fit is tried once more as \
          `yyyy-M-d` with perhaps `H:m:s` and a fraction.\n\
          NULL, text that cannot be read and a format that is none give NULL.",
    examples: &[
        (
            "TO_TIMESTAMP('2024-01-02 03:04:05')",
            "2024-01-02 03:04:05.000",
        ),
        (
            "TO_TIMESTAMP('02/Jan/2024 03:04', 'dd/MMM/yyyy HH:mm')",
            "2024-01-02 03:04:00.000",
        ),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let arg_types = check("TO_TIMESTAMP", args, &[Param::Text; 2], 1)?;
        let kernel = if args.len() == 1 {
            BatchKernel::infallible("TO_TIMESTAMP", to_timestamp)
        } else {
            let formatters = Compiled::new(Formatter::compile);
            BatchKernel::infallible("TO_TIMESTAMP", move |args, rows| {
                to_timestamp_by(args, rows, &formatters)
            })
        };
        Ok(Bound {
            arg_types,
            return_type: TypeKind::Timestamp(3).nullable(),
            kernel,
        })
    },
};

fn to_timestamp(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let ty = arrow_type(&TypeKind::Timestamp(3));
    build_primitive::<TimestampMicrosecondType>(rows, None, &ty, OnFailure::Null, |row| {
        Ok(texts.get(row).and_then(|text| {
            let millis = match plain_text::read_millis(text) {
                Some(millis) => millis,
                None => parse_timestamp(text, 3).ok()?.millis,
            };
            millis.checked_mul(1000)
        }))
    })
    .expect("no row fails")
}

fn to_timestamp_by(args: &[Column], rows: usize, formatters: &Compiled<Formatter>) -> ArrayRef {
    let (texts, formats) = (Texts::new(&args[0]), Texts::new(&args[1]));
    let mut formatters = formatters.reader();
    let ty = arrow_type(&TypeKind::Timestamp(3));
    build_primitive::<TimestampMicrosecondType>(rows, None, &ty, OnFailure::Null, |row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)) else {
            return Ok(None);
        };
        if format == TIMESTAMP_PATTERN
            && text.len() == plain_text::LENGTH
            && let Some(seconds) = plain_text::read(text)
        {
            return Ok(Some(seconds * 1_000_000));
        }
        let millis = match formatters.get(format)?.read(text) {
            Reading::Millis(millis) => Some(millis),
            Reading::Mismatch => legacy_text::read(text),
            Reading::NoDate => None,
        };
        Ok(millis.and_then(|millis| millis.checked_mul(1000)))
    })
    .expect("no row fails")
}
