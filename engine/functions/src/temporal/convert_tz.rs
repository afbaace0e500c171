//! CONVERT_TZ.
//!
//! # Flink
//! `DateTimeUtils.convertTz`: SimpleDateFormat with `yyyy-MM-dd HH:mm:ss` reads and prints, so the fraction of a
//! second is lost and impossible dates run over.

use std::sync::LazyLock;

use arrow_array::{Array, ArrayRef};
use millrace_connector::FlinkType;

use super::arguments::{Param, check};
use super::compiled::{ZoneReader, Zones, zones};
use super::java_zone::ZoneCursor;
use super::plain_text;
use super::simple_format::{SimpleFormat, TIMESTAMP_PATTERN};
use crate::string::kernel::{BatchKernel, Texts};
use crate::string::text_builder::TextBuilder;
use crate::{Bound, Category, Column, FunctionDef, Volatility};

/// `CONVERT_TZ`.
pub(crate) static CONVERT_TZ: FunctionDef = FunctionDef {
    name: "CONVERT_TZ",
    aliases: &[],
    category: Category::Temporal,
    signatures: &["CONVERT_TZ(timestamp STRING, from STRING, to STRING) → STRING"],
    doc: "Returns a wall clock `yyyy-MM-dd HH:mm:ss` of one time zone as that of another.\n\
          Zones are names such as `Asia/Shanghai`, offsets such as `GMT+08:00` or Java's short ids such as `PST`; \
          any other text means GMT.\n\
          The fraction of a second and whatever else follows is dropped.\n\
          Fields may have fewer digits, and what exceeds its range runs over: `2024-02-30` is 1 March.\n\
          A wall clock that a change of the clock skips is read with the offset before it, one that stands twice \
          with the offset after it.\n\
          NULL and text that is no timestamp, such as a date alone, give NULL.",
    examples: &[
        (
            "CONVERT_TZ('2024-01-02 03:04:05', 'UTC', 'Asia/Shanghai')",
            "2024-01-02 11:04:05",
        ),
        (
            "CONVERT_TZ('2024-07-01 12:00:00.5', 'America/Los_Angeles', 'UTC')",
            "2024-07-01 19:00:00",
        ),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| {
        let zones = zones();
        Ok(Bound {
            arg_types: check("CONVERT_TZ", args, &[Param::Text; 3], 3)?,
            return_type: FlinkType::string(),
            kernel: BatchKernel::infallible("CONVERT_TZ", move |args, rows| {
                convert_tz(args, rows, &zones)
            }),
        })
    },
};

/// The pattern of functions that are given none.
pub(super) static TIMESTAMP: LazyLock<SimpleFormat> =
    LazyLock::new(|| SimpleFormat::compile(TIMESTAMP_PATTERN).expect("a valid pattern"));

fn convert_tz(args: &[Column], rows: usize, zones: &Zones) -> ArrayRef {
    let (texts, from, to) = (
        Texts::new(&args[0]),
        Texts::new(&args[1]),
        Texts::new(&args[2]),
    );
    let (mut from_zones, mut to_zones) = (ZoneReader::new(zones), ZoneReader::new(zones));
    let mut out = TextBuilder::new(rows);
    let mut scratch = String::new();
    for row in 0..rows {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), from.get(row), to.get(row))
        else {
            out.push_null();
            continue;
        };
        let (from, to) = (from_zones.get(from), to_zones.get(to));
        match convert_plain(text, from, to) {
            Some(plain) => out.push(plain_text::as_text(&plain)),
            None => match TIMESTAMP.parse(text, from) {
                Some(millis) => {
                    scratch.clear();
                    TIMESTAMP.print(millis, to, &mut scratch);
                    out.push(&scratch);
                }
                None => out.push_null(),
            },
        }
    }
    let array = out.finish();
    debug_assert_eq!(array.len(), rows);
    array
}

#[inline]
fn convert_plain(
    text: &str,
    from: &mut ZoneCursor,
    to: &mut ZoneCursor,
) -> Option<[u8; plain_text::LENGTH]> {
    let wall = plain_text::read(text)?;
    let instant = wall - from.offset_of_wall(wall);
    plain_text::write_near(instant + to.offset_at(instant), text, wall)
}
