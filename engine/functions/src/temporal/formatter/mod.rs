//! Patterns of `java.time.format.DateTimeFormatter`: how they print and strictly read.
//!
//! # Flink
//! DATE_FORMAT of timestamps and TO_TIMESTAMP with a format use it. The locale is `en` with weeks that begin on
//! Sunday; fields resolve smartly.

mod field;
mod number;
mod parse;
mod pattern;
mod print;
mod resolve;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use print::Local;
pub(crate) use resolve::Reading;

use field::Field;
use number::Number;
use text::Style;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    /// Text that stands for itself.
    Literal(String),
    /// A field in digits.
    Number(Number),
    /// A field in words.
    Text(Field, Style),
    /// An offset such as `+08:00`.
    Offset(OffsetForm),
    /// An offset such as `GMT+8`, or `GMT+08:00` when full.
    LocalizedOffset { full: bool },
    /// A zone's id or name.
    Zone(ZoneForm),
    /// The period of a day such as `in the morning`.
    DayPeriod { narrow: bool },
    /// What may be missing.
    Optional(Vec<Item>),
    /// A part with spaces before it, up to a width.
    Padded(usize, Box<Item>),
}

/// How a zone is written, besides its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ZoneForm {
    /// Not otherwise.
    Id,
    /// By a name such as `CST`.
    Short,
    /// By a name such as `China Standard Time`.
    Full,
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetForm {
    colon: bool,
    minutes: Presence,
    seconds: Presence,
    /// What is written for no offset.
    zero: &'static str,
}

/// Whether a part of an offset stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    Never,
    Optional,
    Always,
}

/// A pattern that was read.
#[derive(Clone, Debug)]
pub(crate) struct Formatter {
    items: Vec<Item>,
}
