//! TO_TIMESTAMP_LTZ.
//!
//! # Flink
//! `DateTimeUtils.toTimestampData`: seconds or milliseconds since the epoch, within the years 0 to 9999.

use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{ArrayRef, TimestampMicrosecondArray};
use millrace_connector::{FlinkType, TypeKind};

use crate::operator::signature::{bad_types, exactly};
use crate::string::kernel::{BatchKernel, Values};
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility};

/// Milliseconds of 0000-01-01 00:00:00 UTC.
const FIRST: i64 = -62_167_219_200_000;
/// Milliseconds of 9999-12-31 23:59:59.999 UTC.
const LAST: i64 = 253_402_300_799_999;

/// `TO_TIMESTAMP_LTZ`.
pub(crate) static TO_TIMESTAMP_LTZ: FunctionDef = FunctionDef {
    name: "TO_TIMESTAMP_LTZ",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["TO_TIMESTAMP_LTZ(epoch NUMERIC, precision INT) → TIMESTAMP_LTZ(3)"],
    doc: "Returns the instant so many seconds (precision 0) or milliseconds (precision 3) after 1970-01-01 00:00:00 \
          UTC.\n\
          Seconds of an approximate type count with their milliseconds; the fraction of a DECIMAL is dropped.\n\
          Instants outside the years 0 to 9999 and NULL give NULL; another precision fails the row.",
    examples: &[
        (
            "TO_TIMESTAMP_LTZ(1704164645, 0)",
            "2024-01-02 03:04:05.000Z",
        ),
        (
            "TO_TIMESTAMP_LTZ(1704164645123, 3)",
            "2024-01-02 03:04:05.123Z",
        ),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    exactly("TO_TIMESTAMP_LTZ", 2, args)?;
    let (epoch, precision) = (&args[0].ty, &args[1].ty);
    let kind = match &epoch.kind {
        kind if kind.is_integer() || *kind == TypeKind::Null => TypeKind::BigInt,
        kind if kind.is_approximate() => TypeKind::Double,
        kind @ TypeKind::Decimal(..) => kind.clone(),
        _ => return Err(bad_types("TO_TIMESTAMP_LTZ", args)),
    };
    if !precision.kind.is_integer() && precision.kind != TypeKind::Null {
        return Err(bad_types("TO_TIMESTAMP_LTZ", args));
    }
    let to = |kind, nullable| FlinkType { kind, nullable };
    Ok(Bound {
        arg_types: vec![
            to(kind.clone(), epoch.nullable),
            to(TypeKind::Int, precision.nullable),
        ],
        return_type: TypeKind::TimestampLtz(3).nullable(),
        kernel: BatchKernel::fallible("TO_TIMESTAMP_LTZ", move |args, rows| match kind {
            TypeKind::Double => from_double(args, rows),
            TypeKind::Decimal(_, scale) => from_decimal(args, rows, scale),
            _ => from_integer(args, rows),
        }),
    })
}

fn from_integer(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let values = Values::<Int64Type>::new(&args[0]);
    build(args, rows, |row, seconds| {
        let value = values.get(row)?;
        Some(if seconds {
            checked_seconds(value)?
        } else {
            value
        })
    })
}

fn checked_seconds(seconds: i64) -> Option<i64> {
    (FIRST / 1000..=LAST / 1000)
        .contains(&seconds)
        .then(|| seconds * 1000)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java's cast to long, which saturates too"
)]
fn from_double(args: &[Column], rows: usize) -> Result<ArrayRef, RowError> {
    let values = Values::<Float64Type>::new(&args[0]);
    let range = (FIRST / 1000) as f64..=(LAST / 1000) as f64;
    build(args, rows, |row, seconds| {
        let value = values.get(row)?;
        if !seconds {
            return Some(value as i64);
        }
        range.contains(&value).then_some((value * 1000.0) as i64)
    })
}

fn from_decimal(args: &[Column], rows: usize, scale: u8) -> Result<ArrayRef, RowError> {
    let values = Values::<Decimal128Type>::new(&args[0]);
    let unit = 10_i128.pow(u32::from(scale));
    build(args, rows, |row, seconds| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "BigDecimal.longValue drops high bits"
        )]
        let whole = (values.get(row)? / unit) as i64;
        Some(if seconds {
            whole.wrapping_mul(1000)
        } else {
            whole
        })
    })
}

/// Builds instants; `millis` is told whether seconds are meant.
fn build(
    args: &[Column],
    rows: usize,
    millis: impl Fn(usize, bool) -> Option<i64>,
) -> Result<ArrayRef, RowError> {
    let precisions = Values::<Int32Type>::new(&args[1]);
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let Some(precision) = precisions.get(row) else {
            out.push(None);
            continue;
        };
        if args[0].is_null(row) {
            out.push(None);
            continue;
        }
        let value = match precision {
            0 => millis(row, true),
            3 => millis(row, false),
            other => return Err(RowError::new(row, bad_precision(other))),
        };
        let value = value.filter(|millis| (FIRST..=LAST).contains(millis));
        out.push(value.map(|millis| millis * 1000));
    }
    Ok(Arc::new(TimestampMicrosecondArray::from(out)))
}

fn bad_precision(precision: i32) -> String {
    format!(
        "The precision value '{precision}' for function TO_TIMESTAMP_LTZ(numeric, precision) is unsupported, the \
         supported value is '0' for second or '3' for millisecond."
    )
}
