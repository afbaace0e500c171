//! TO_TIMESTAMP.
//!
//! # Flink
//! `DateTimeUtils.parseTimestampData`: a `java.time` formatter, and for text that does not fit its pattern
//! `java.sql.Timestamp.valueOf` and `java.sql.Date.valueOf`. Whatever fails gives NULL, bad patterns included.

use arrow_array::types::TimestampMicrosecondType;
use arrow_array::ArrayRef;
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use super::arguments::{Param, check};
use super::plain_text;
use crate::cast::convert::{OnFailure, build_primitive};
use crate::cast::parse_temporal::parse_timestamp;
use crate::string::kernel::{BatchKernel, Texts};
use crate::{Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `TO_TIMESTAMP`.
pub(crate) static TO_TIMESTAMP: FunctionDef = FunctionDef {
    name: "TO_TIMESTAMP",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["TO_TIMESTAMP(string STRING [, format STRING]) → TIMESTAMP(3)"],
    doc: "Returns the timestamp a text means.",
    examples: &[("TO_TIMESTAMP('2024-01-02 03:04:05')", "2024-01-02 03:04:05.000")],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let arg_types = check("TO_TIMESTAMP", args, &[Param::Text; 2], 1)?;
        if args.len() == 2 {
            return Err(CallError::NotYet { what: "TO_TIMESTAMP with a format".to_owned() });
        }
        Ok(Bound {
            arg_types,
            return_type: TypeKind::Timestamp(3).nullable(),
            kernel: BatchKernel::infallible("TO_TIMESTAMP", to_timestamp),
        })
    },
};

fn to_timestamp(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let ty = arrow_type(&TypeKind::Timestamp(3));
    build_primitive::<TimestampMicrosecondType>(rows, None, &ty, OnFailure::Null, |row| {
        Ok(texts.get(row).and_then(|text| {
            if text.len() == plain_text::LENGTH
                && let Some(seconds) = plain_text::read(text)
            {
                return Some(seconds * 1_000_000);
            }
            parse_timestamp(text, 3).ok()?.millis.checked_mul(1000)
        }))
    })
    .expect("no row fails")
}
