//! FROM_UNIXTIME and UNIX_TIMESTAMP.
//!
//! # Flink
//! `DateTimeUtils.formatUnixTimestamp` and `unixTimestamp`: SimpleDateFormat in the session's zone. Text that cannot
//! be read gives the least BIGINT, not NULL; milliseconds are cut towards the epoch.

use std::sync::Arc;

use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array};
use jiff::tz::TimeZone;
use millrace_connector::{FlinkType, TypeKind};

use super::arguments::{Param, check};
use super::compiled::Compiled;
use super::convert_tz::TIMESTAMP;
use super::java_zone::{JavaZone, ZoneCursor};
use super::plain_text;
use super::simple_format::{SimpleFormat, TIMESTAMP_PATTERN};
use crate::operator::signature::nullable_if_args;
use crate::string::kernel::{BatchKernel, Texts, Values};
use crate::string::text_builder::TextBuilder;
use crate::{
    Arg, BindContext, Bound, CallError, Category, Column, EvalContext, FunctionDef, Kernel,
    RowError, Volatility,
};

/// `FROM_UNIXTIME`.
pub(crate) static FROM_UNIXTIME: FunctionDef = FunctionDef {
    name: "FROM_UNIXTIME",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["FROM_UNIXTIME(seconds BIGINT [, format STRING]) → STRING"],
    doc: "Returns the wall clock of the session's time zone, so many seconds after 1970-01-01 00:00:00 UTC.\n\
          The format is a pattern of Java's SimpleDateFormat, `yyyy-MM-dd HH:mm:ss` where none is given.\n\
          A format that is none fails the row.\nNULL gives NULL.",
    examples: &[
        ("FROM_UNIXTIME(44)", "1970-01-01 00:00:44"),
        ("FROM_UNIXTIME(1704164645, 'yyyy/MM/dd')", "2024/01/02"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, ctx| {
        let zone = session_zone(&ctx.session_tz);
        let arg_types = check("FROM_UNIXTIME", args, &[Param::BigInt, Param::Text], 1)?;
        let kernel = if args.len() == 1 {
            BatchKernel::infallible("FROM_UNIXTIME", move |args, rows| {
                from_unixtime(args, rows, &zone)
            })
        } else {
            let patterns = Compiled::new(SimpleFormat::compile);
            BatchKernel::fallible("FROM_UNIXTIME", move |args, rows| {
                from_unixtime_by(args, rows, &zone, &patterns)
            })
        };
        Ok(Bound {
            arg_types,
            return_type: FlinkType::string(),
            kernel,
        })
    },
};

/// `UNIX_TIMESTAMP`.
pub(crate) static UNIX_TIMESTAMP: FunctionDef = FunctionDef {
    name: "UNIX_TIMESTAMP",
    aliases: &[],
    category: Category::Temporal,
    signatures: &[
        "UNIX_TIMESTAMP() → BIGINT NOT NULL",
        "UNIX_TIMESTAMP(timestamp STRING [, format STRING]) → BIGINT",
    ],
    doc: "Returns the seconds from 1970-01-01 00:00:00 UTC to now, or to a wall clock of the session's time zone.\n\
          The format is a pattern of Java's SimpleDateFormat, `yyyy-MM-dd HH:mm:ss` where none is given.\n\
          Text that does not fit gives -9223372036854775808; text after what fits is ignored, and what exceeds its \
          range runs over.\n\
          A format that is none fails the row.\nNULL gives NULL.",
    examples: &[
        ("UNIX_TIMESTAMP('1970-01-01 00:00:44')", "44"),
        ("UNIX_TIMESTAMP('2024/01/02', 'yyyy/MM/dd')", "1704153600"),
    ],
    volatility: Volatility::PerBatch,
    bind: bind_unix_timestamp,
};

/// Returns the session's zone for SimpleDateFormat.
pub(super) fn session_zone(tz: &TimeZone) -> Arc<JavaZone> {
    Arc::new(JavaZone::of_zone(tz.clone()))
}

fn from_unixtime(args: &[Column], rows: usize, zone: &Arc<JavaZone>) -> ArrayRef {
    let seconds = Values::<Int64Type>::new(&args[0]);
    let mut zone = ZoneCursor::new(Arc::clone(zone));
    let mut out = TextBuilder::new(rows);
    let mut scratch = String::new();
    for row in 0..rows {
        let Some(seconds) = seconds.get(row) else {
            out.push_null();
            continue;
        };
        let millis = seconds.wrapping_mul(1000);
        // What overflows into other milliseconds is no plain case.
        let local = millis.div_euclid(1000) + zone.offset_at(millis.div_euclid(1000));
        match plain_text::write(local) {
            Some(plain) => out.push(plain_text::as_text(&plain)),
            None => {
                scratch.clear();
                TIMESTAMP.print(millis, &mut zone, &mut scratch);
                out.push(&scratch);
            }
        }
    }
    out.finish()
}

fn from_unixtime_by(
    args: &[Column],
    rows: usize,
    zone: &Arc<JavaZone>,
    patterns: &Compiled<SimpleFormat>,
) -> Result<ArrayRef, RowError> {
    let seconds = Values::<Int64Type>::new(&args[0]);
    let formats = Texts::new(&args[1]);
    let mut patterns = patterns.reader();
    let mut zone = ZoneCursor::new(Arc::clone(zone));
    let mut out = TextBuilder::new(rows);
    let mut scratch = String::new();
    for row in 0..rows {
        let (Some(seconds), Some(format)) = (seconds.get(row), formats.get(row)) else {
            out.push_null();
            continue;
        };
        let format = patterns
            .get(format)
            .map_err(|message| RowError::new(row, message))?;
        scratch.clear();
        format.print(seconds.wrapping_mul(1000), &mut zone, &mut scratch);
        out.push(&scratch);
    }
    Ok(out.finish())
}

fn bind_unix_timestamp(args: &[Arg], ctx: &BindContext) -> Result<Bound, CallError> {
    if args.is_empty() {
        return Ok(Bound {
            arg_types: Vec::new(),
            return_type: TypeKind::BigInt.not_null(),
            kernel: Arc::new(Now),
        });
    }
    let zone = session_zone(&ctx.session_tz);
    let patterns = Compiled::new(SimpleFormat::compile);
    Ok(Bound {
        arg_types: check("UNIX_TIMESTAMP", args, &[Param::Text; 2], 1)?,
        return_type: nullable_if_args(TypeKind::BigInt, args),
        kernel: BatchKernel::fallible("UNIX_TIMESTAMP", move |args, rows| {
            unix_timestamp(args, rows, &zone, &patterns)
        }),
    })
}

#[derive(Debug)]
struct Now;

impl Kernel for Now {
    fn evaluate(&self, _: &[Column], _: usize, ctx: &EvalContext) -> Result<Column, RowError> {
        let seconds = Int64Array::from(vec![ctx.now_ms / 1000]);
        Ok(Column::Constant(Arc::new(seconds)))
    }

    fn can_fail(&self) -> bool {
        false
    }
}

fn unix_timestamp(
    args: &[Column],
    rows: usize,
    zone: &Arc<JavaZone>,
    patterns: &Compiled<SimpleFormat>,
) -> Result<ArrayRef, RowError> {
    let texts = Texts::new(&args[0]);
    let formats = args.get(1).map(Texts::new);
    let mut patterns = patterns.reader();
    let mut zone = ZoneCursor::new(Arc::clone(zone));
    let mut out = Vec::with_capacity(rows);
    for row in 0..rows {
        let format = formats.map_or(Some(TIMESTAMP_PATTERN), |formats| formats.get(row));
        let (Some(text), Some(format)) = (texts.get(row), format) else {
            out.push(None);
            continue;
        };
        let plain = if format == TIMESTAMP_PATTERN {
            plain_text::read(text)
        } else {
            None
        };
        out.push(Some(match plain {
            Some(wall) => wall - zone.offset_of_wall(wall),
            None => patterns
                .get(format)
                .map_err(|message| RowError::new(row, message))?
                .parse(text, &mut zone)
                .map_or(i64::MIN, |millis| millis / 1000),
        }));
    }
    Ok(Arc::new(Int64Array::from(out)))
}
