//! DATE_FORMAT.
//!
//! # Flink
//! Timestamps are printed with a `java.time` formatter, TIMESTAMP_LTZ as the session's wall clock. Text is read as
//! `yyyy-MM-dd HH:mm:ss` and printed by SimpleDateFormat, both in UTC, whose letters differ.

use arrow_array::ArrayRef;
use jiff::tz::TimeZone;
use millrace_connector::{FlinkType, TypeKind};

use super::compiled::{Compiled, ZoneReader, Zones, zones};
use super::convert_tz::TIMESTAMP;
use super::formatter::{Formatter, Local};
use super::moments::Moments;
use super::plain_text;
use super::simple_format::{SimpleFormat, TIMESTAMP_PATTERN};
use crate::cast::zone::ZoneOffsets;
use crate::operator::signature::{bad_types, exactly};
use crate::string::kernel::{BatchKernel, Texts};
use crate::string::text_builder::TextBuilder;
use crate::{
    Arg, BindContext, Bound, CallError, Category, Column, FunctionDef, RowError, Volatility,
};

/// `DATE_FORMAT`.
pub(crate) static DATE_FORMAT: FunctionDef = FunctionDef {
    name: "DATE_FORMAT",
    aliases: &[],
    category: Category::Temporal,
    signatures: &[
        "DATE_FORMAT(timestamp TIMESTAMP | TIMESTAMP_LTZ, format STRING) → STRING",
        "DATE_FORMAT(timestamp STRING, format STRING) → STRING",
    ],
    doc: "Returns a timestamp as text by a pattern.\n\
          For timestamps it is a pattern of Java's DateTimeFormatter; TIMESTAMP_LTZ is shown in the session's time \
          zone. For text, which must begin with `yyyy-MM-dd HH:mm:ss`, it is one of SimpleDateFormat, where some \
          letters mean something else: `u` is the weekday and not the year.\n\
          NULL and text that is no timestamp give NULL. A pattern that is none, or asks for a zone or an offset of a \
          timestamp, fails the row.",
    examples: &[
        (
            "DATE_FORMAT(TIMESTAMP '2024-02-09 14:05:06', 'yyyy/MM/dd')",
            "2024/02/09",
        ),
        ("DATE_FORMAT('2024-12-30 14:05:06', 'HH:mm')", "14:05"),
    ],
    volatility: Volatility::Deterministic,
    bind,
};

fn bind(args: &[Arg], ctx: &BindContext) -> Result<Bound, CallError> {
    exactly("DATE_FORMAT", 2, args)?;
    let (value, format) = (&args[0].ty, &args[1].ty);
    let format = match &format.kind {
        kind if kind.is_character() => format.clone(),
        TypeKind::Null => FlinkType::string(),
        _ => return Err(bad_types("DATE_FORMAT", args)),
    };
    let (value, kernel) = match &value.kind {
        kind if kind.is_character() || *kind == TypeKind::Null => {
            let (patterns, zones) = (Compiled::new(SimpleFormat::compile), zones());
            let kernel = BatchKernel::fallible("DATE_FORMAT", move |args, rows| {
                of_text(args, rows, &patterns, &zones)
            });
            let text = if kind.is_character() {
                value.clone()
            } else {
                FlinkType::string()
            };
            (text, kernel)
        }
        kind @ (TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_)) => {
            let tz = matches!(kind, TypeKind::TimestampLtz(_)).then(|| ctx.session_tz.clone());
            let formatters = Compiled::new(Formatter::compile);
            let kernel = BatchKernel::fallible("DATE_FORMAT", move |args, rows| {
                of_timestamp(args, rows, &formatters, tz.as_ref())
            });
            (value.clone(), kernel)
        }
        _ => return Err(bad_types("DATE_FORMAT", args)),
    };
    Ok(Bound {
        arg_types: vec![value, format],
        return_type: FlinkType::string(),
        kernel,
    })
}

fn of_timestamp(
    args: &[Column],
    rows: usize,
    formatters: &Compiled<Formatter>,
    tz: Option<&TimeZone>,
) -> Result<ArrayRef, RowError> {
    let (moments, formats) = (Moments::new(&args[0]), Texts::new(&args[1]));
    let mut formatters = formatters.reader();
    let mut zone = tz.map(ZoneOffsets::new);
    let mut out = TextBuilder::new(rows);
    let mut scratch = String::new();
    for row in 0..rows {
        let (Some(moment), Some(format)) = (moments.get(row), formats.get(row)) else {
            out.push_null();
            continue;
        };
        let millis = match &mut zone {
            Some(zone) => zone.local_millis(moment.millis),
            None => moment.millis,
        };
        if format == TIMESTAMP_PATTERN
            && let Some(plain) = plain_text::write(millis.div_euclid(1000))
        {
            out.push(plain_text::as_text(&plain));
            continue;
        }
        let nanos = i32::try_from(moment.nanos).expect("below a million");
        scratch.clear();
        formatters
            .get(format)
            .and_then(|format| format.print(&Local::new(millis, nanos), &mut scratch))
            .map_err(|message| RowError::new(row, message))?;
        out.push(&scratch);
    }
    Ok(out.finish())
}

fn of_text(
    args: &[Column],
    rows: usize,
    patterns: &Compiled<SimpleFormat>,
    zones: &Zones,
) -> Result<ArrayRef, RowError> {
    let (texts, formats) = (Texts::new(&args[0]), Texts::new(&args[1]));
    let (mut patterns, mut zones) = (patterns.reader(), ZoneReader::new(zones));
    let utc = zones.get("UTC");
    let mut out = TextBuilder::new(rows);
    let mut scratch = String::new();
    for row in 0..rows {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)) else {
            out.push_null();
            continue;
        };
        let format = patterns
            .get(format)
            .map_err(|message| RowError::new(row, message))?;
        let millis = match plain_text::read(text) {
            Some(seconds) => Some(seconds * 1000),
            None => TIMESTAMP.parse(text, utc),
        };
        match millis {
            Some(millis) => {
                scratch.clear();
                format.print(millis, utc, &mut scratch);
                out.push(&scratch);
            }
            None => out.push_null(),
        }
    }
    Ok(out.finish())
}
