//! TO_DATE.
//!
//! # Flink
//! Without a format `DateTimeUtils.parseDate(String)`; with one SimpleDateFormat in UTC, where text that does not
//! fit gives the date of Java's least instant, in 32 bits: the year 1705471.

use arrow_array::ArrayRef;
use arrow_array::types::Date32Type;
use millrace_connector::TypeKind;
use millrace_connector::physical::arrow_type;

use super::arguments::{Param, check};
use super::compiled::{Compiled, ZoneReader, Zones, zones};
use super::plain_text;
use super::simple_format::SimpleFormat;
use crate::cast::convert::{OnFailure, build_primitive};
use crate::cast::parse_temporal::parse_date;
use crate::string::kernel::{BatchKernel, Texts};
use crate::{Bound, Category, Column, FunctionDef, RowError, Volatility};

/// Days of the date that unreadable text is.
const UNREADABLE: i32 = 622_191_233;

/// `TO_DATE`.
pub(crate) static TO_DATE: FunctionDef = FunctionDef {
    name: "TO_DATE",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["TO_DATE(string STRING [, format STRING]) → DATE"],
    doc: "Returns the date a text means.\n\
          Without a format it is what stands before the first space, as year, month and day with hyphens; a month or \
          day that is missing is the first. What is no date of the years 0 to 9999 gives NULL.\n\
          The format is a pattern of Java's SimpleDateFormat. Text after what fits is ignored, and what exceeds its \
          range runs over: `2024-02-30` is 1 March. Text that does not fit gives a date in the year 1705471, as in \
          Flink; a format that is none fails the row.\nNULL gives NULL.",
    examples: &[
        ("TO_DATE('2024-1-2')", "2024-01-02"),
        ("TO_DATE('20240102', 'yyyyMMdd')", "2024-01-02"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let arg_types = check("TO_DATE", args, &[Param::Text; 2], 1)?;
        let kernel = if args.len() == 1 {
            BatchKernel::infallible("TO_DATE", to_date)
        } else {
            let (patterns, zones) = (Compiled::new(SimpleFormat::compile), zones());
            BatchKernel::fallible("TO_DATE", move |args, rows| {
                to_date_by(args, rows, &patterns, &zones)
            })
        };
        Ok(Bound {
            arg_types,
            return_type: TypeKind::Date.nullable(),
            kernel,
        })
    },
};

fn to_date(args: &[Column], rows: usize) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let ty = arrow_type(&TypeKind::Date);
    build_primitive::<Date32Type>(rows, None, &ty, OnFailure::Null, |row| {
        let date = |text| plain_text::read_date(text).or_else(|| parse_date(text));
        Ok(texts.get(row).and_then(date))
    })
    .expect("no row fails")
}

fn to_date_by(
    args: &[Column],
    rows: usize,
    patterns: &Compiled<SimpleFormat>,
    zones: &Zones,
) -> Result<ArrayRef, RowError> {
    let (texts, formats) = (Texts::new(&args[0]), Texts::new(&args[1]));
    let (mut patterns, mut zones) = (patterns.reader(), ZoneReader::new(zones));
    let utc = zones.get("UTC");
    let ty = arrow_type(&TypeKind::Date);
    build_primitive::<Date32Type>(rows, None, &ty, OnFailure::Fail, |row| {
        let (Some(text), Some(format)) = (texts.get(row), formats.get(row)) else {
            return Ok(None);
        };
        let millis = patterns.get(format)?.parse(text, utc);
        let days = millis.map(|millis| millis.div_euclid(86_400_000));
        Ok(Some(
            days.and_then(|days| i32::try_from(days).ok())
                .unwrap_or(UNREADABLE),
        ))
    })
}
