//! Values as text, as the reference's own classes print them: what a column declared STRING holds.

use std::fmt::Write;

use millrace_json::java_time::date_of_days;
use millrace_json::{write_double, write_float};

use super::cell::{Cell, Reason};
use super::decimal::Decimal;
use super::geometry;
use super::json::{self, Blanks};
use super::json_diff;
use super::options::{DecimalMode, TimeMode, ValueOptions};
use super::temporal::{DAY, SECOND};
use crate::definition::ColumnType;

/// Prints values of one column.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    kind: ColumnType,
    decimals: DecimalMode,
    times: TimeMode,
    blanks: Blanks,
}

const NO_JSON: Reason = Reason::Borrowed("is no JSON in the server's binary form");
const NO_CHANGE: Reason =
    Reason::Borrowed("has JSON differences that do not fit to the value before");
const NO_GEOMETRY: Reason = Reason::Borrowed("is no geometry");

impl Printer {
    pub(crate) fn new(kind: &ColumnType, options: &ValueOptions) -> Self {
        Self {
            kind: kind.clone(),
            decimals: options.decimals,
            times: options.times,
            blanks: if options.compact_json {
                Blanks::None
            } else {
                Blanks::AfterSigns
            },
        }
    }

    /// Returns the number that a date or time is without its type.
    pub(crate) fn number(&self, cell: &Cell<'_>) -> Option<i64> {
        match cell {
            Cell::Int(value) => Some(*value),
            Cell::Date(days) => Some(i64::from(*days)),
            Cell::DateTime(micros) => {
                let has_micros = matches!(self.kind, ColumnType::DateTime(4..));
                Some(if has_micros && self.times != TimeMode::Connect {
                    *micros
                } else {
                    micros.div_euclid(1000)
                })
            }
            Cell::Time(micros) => {
                let has_micros = match self.times {
                    TimeMode::AdaptiveTimeMicroseconds => true,
                    TimeMode::Adaptive => matches!(self.kind, ColumnType::Time(4..)),
                    TimeMode::Connect => false,
                };
                Some(if has_micros { *micros } else { micros / 1000 })
            }
            _ => None,
        }
    }

    /// Returns what a DECIMAL is under the mode `double`.
    pub(crate) fn as_double(&self, decimal: &Decimal) -> Option<f64> {
        if self.decimals != DecimalMode::Double {
            return None;
        }
        let mut text = String::new();
        decimal.write_plain(&mut text);
        text.parse().ok()
    }

    /// Appends a value's text; nothing for NULL.
    pub(crate) fn write(&self, cell: &Cell<'_>, out: &mut String) -> Result<(), Reason> {
        match cell {
            Cell::Null => {}
            Cell::Int(value) => push(out, value),
            Cell::Unsigned(value) => push(out, value),
            Cell::Float(value) => write_float(*value, out),
            Cell::Double(value) => write_double(*value, out),
            Cell::Decimal(decimal) => match (self.decimals, self.as_double(decimal)) {
                (_, Some(double)) => write_double(double, out),
                (DecimalMode::Text, _) => decimal.write_plain(out),
                _ => decimal.write_java(out),
            },
            Cell::Bits(bits) => match self.kind {
                ColumnType::Bit(1) => push(out, *bits != 0),
                ColumnType::Bit(count) => {
                    let bytes = bits.to_le_bytes();
                    let bytes = &bytes[..usize::from(count).div_ceil(8).min(8)];
                    out.push_str(&String::from_utf8_lossy(bytes));
                }
                _ => push(out, bits),
            },
            Cell::Date(_) | Cell::DateTime(_) | Cell::Time(_) => {
                push(out, self.number(cell).unwrap_or_default());
            }
            Cell::Timestamp(micros) => write_instant(*micros, out),
            Cell::Text(text) => out.push_str(text),
            Cell::Bytes(bytes) => {
                out.push_str(&String::from_utf8_lossy(bytes));
                if let ColumnType::Binary(length) = self.kind {
                    let missing = (length as usize).saturating_sub(bytes.len());
                    out.extend(std::iter::repeat_n('\0', missing));
                }
            }
            Cell::Member(number) => out.push_str(self.member(*number)),
            Cell::Members(bits) => {
                for (at, member) in self.members(*bits).enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(member);
                }
            }
            Cell::Json(document) => {
                json::write_document(document, self.blanks, out).ok_or(NO_JSON)?;
            }
            Cell::ChangedJson(before, differences) => {
                json_diff::write_updated(before, differences, self.blanks, out).ok_or(NO_CHANGE)?;
            }
            Cell::JsonText(text) => json::write_text(text, self.blanks, out),
            Cell::Geometry(value) => geometry::write(value, out).ok_or(NO_GEOMETRY)?,
        }
        Ok(())
    }

    /// Returns a member of an ENUM; number 0 is the value that was none.
    fn member(&self, number: u64) -> &str {
        let at = usize::try_from(number).ok().and_then(|n| n.checked_sub(1));
        match (&self.kind, at) {
            (ColumnType::Enum { members, .. }, Some(at)) => members.get(at).map_or("", |m| m),
            _ => "",
        }
    }

    /// Returns the members of a SET in the order of its definition.
    pub(crate) fn members(&self, bits: u64) -> impl Iterator<Item = &str> {
        let members: &[String] = match &self.kind {
            ColumnType::Set { members, .. } => members,
            _ => &[],
        };
        let is_in = move |at: usize| at < 64 && bits >> at & 1 == 1;
        let chosen = members.iter().enumerate();
        chosen
            .filter(move |(at, _)| is_in(*at))
            .map(|(_, member)| member.as_str())
    }
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("a String takes all");
}

/// Appends an instant as `2024-02-29T12:34:56.789Z`, its fraction as short as it can be.
fn write_instant(micros: i64, out: &mut String) {
    let (year, month, day) = date_of_days(micros.div_euclid(DAY));
    let of_day = micros.rem_euclid(DAY);
    let (second, mut fraction) = (of_day / SECOND, of_day % SECOND);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    push(
        out,
        format_args!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}"),
    );
    if fraction != 0 {
        let mut width = 6;
        while fraction % 10 == 0 {
            fraction /= 10;
            width -= 1;
        }
        push(out, format_args!(".{fraction:0width$}"));
    }
    out.push('Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_short_fractions() {
        for (micros, expected) in [
            (1_709_210_096_789_000, "2024-02-29T12:34:56.789Z"),
            (1_000_000, "1970-01-01T00:00:01Z"),
            (500, "1970-01-01T00:00:00.0005Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
        ] {
            let mut out = String::new();
            write_instant(micros, &mut out);
            assert_eq!(out, expected);
        }
    }
}
