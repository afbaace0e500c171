//! Values into columns of the declared types, where these differ from the natural ones as the reference converts.

use std::borrow::Cow;

use millrace_connector::{FlinkType, TypeKind};

use super::cell::{Cell, Reason};
use super::columns::Builder;
use super::decimal::Decimal;
use super::natural::Printer;
use super::options::ValueOptions;
use super::temporal::{DAY, Zone};
use crate::definition::ColumnType;

/// Where values of one column go.
#[derive(Debug)]
pub(crate) struct Target {
    kind: ColumnType,
    declared: TypeKind,
    ltz_is_instant: bool,
    pub(crate) printer: Printer,
}

/// What conversions share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) zone: Zone,
    pub(crate) text: String,
    pub(crate) bytes: Vec<u8>,
}

/// Tells why values of a column can never become what was declared.
pub(crate) fn refusal(kind: &ColumnType, declared: &TypeKind) -> Option<String> {
    use ColumnType as C;
    use TypeKind as T;
    let is_text = matches!(declared, T::Char(_) | T::Varchar(_));
    let is_bytes = matches!(declared, T::Binary(_) | T::Varbinary(_));
    let is_number = declared.is_numeric() || *declared == T::Boolean;
    let has_text =
        kind.charset().is_some() || matches!(kind, C::Json | C::Uuid | C::Inet4 | C::Inet6);
    let is_possible = match kind {
        C::Vector => is_bytes,
        C::Geometry => is_text,
        C::Binary(_) | C::Varbinary(_) | C::Blob(_) => is_bytes || is_text,
        C::Bit(1) => is_text || is_number,
        C::Bit(_) => is_bytes || is_text,
        _ => match declared {
            T::Char(_) | T::Varchar(_) => true,
            T::Date => {
                let is_integer = matches!(
                    kind,
                    C::SmallInt { unsigned: true }
                        | C::MediumInt { .. }
                        | C::Int { .. }
                        | C::BigInt { unsigned: false }
                        | C::Year
                );
                is_integer || *kind == C::Date
            }
            T::Time(_) => matches!(kind, C::Time(_)),
            T::Timestamp(_) => matches!(kind, C::DateTime(_) | C::Timestamp(_)) || has_text,
            T::TimestampLtz(_) => matches!(kind, C::Timestamp(_)) || has_text,
            T::Array(element) => matches!(kind, C::Set { .. }) && element.kind.is_character(),
            _ => is_number,
        },
    };
    if is_possible {
        return None;
    }
    let natural = natural_type(kind);
    Some(format!(
        "no value of it can become that; declare it {natural}"
    ))
}

/// Returns the type that a column is best declared as.
fn natural_type(kind: &ColumnType) -> String {
    use ColumnType as C;
    match kind {
        C::TinyInt {
            is_boolean: true, ..
        } => "BOOLEAN or TINYINT".into(),
        C::TinyInt {
            unsigned: false, ..
        } => "TINYINT".into(),
        C::TinyInt { .. } | C::SmallInt { unsigned: false } => "SMALLINT".into(),
        C::SmallInt { .. }
        | C::MediumInt { unsigned: false }
        | C::Int { unsigned: false }
        | C::Year => "INT".into(),
        C::MediumInt { .. } | C::Int { .. } | C::BigInt { unsigned: false } => "BIGINT".into(),
        C::BigInt { .. } => "DECIMAL(20, 0)".into(),
        C::Float => "FLOAT".into(),
        C::Double => "DOUBLE".into(),
        C::Decimal { precision, scale } if *precision <= 38 => {
            format!("DECIMAL({precision}, {scale})")
        }
        C::Bit(1) => "BOOLEAN".into(),
        C::Bit(bits) => format!("BINARY({})", bits.div_ceil(8)),
        C::Date => "DATE".into(),
        C::Time(fsp) => format!("TIME({fsp})"),
        C::DateTime(fsp) => format!("TIMESTAMP({fsp})"),
        C::Timestamp(fsp) => format!("TIMESTAMP({fsp}) or TIMESTAMP_LTZ({fsp})"),
        C::Binary(_) | C::Varbinary(_) | C::Blob(_) | C::Vector => "BYTES".into(),
        C::Set { .. } => "STRING or ARRAY<STRING>".into(),
        _ => "STRING".into(),
    }
}

/// Tells what about the declaration deserves a warning.
pub(crate) fn advice(kind: &ColumnType, declared: &FlinkType) -> Option<&'static str> {
    use ColumnType as C;
    let is_text = declared.kind.is_character();
    match kind {
        C::Binary(_) | C::Varbinary(_) | C::Blob(_) | C::Bit(2..) if is_text => {
            Some("bytes are read as UTF-8; declare it BYTES to keep them as they are")
        }
        C::SmallInt { unsigned: true }
        | C::MediumInt { .. }
        | C::Int { .. }
        | C::BigInt { .. }
        | C::Year
        | C::Float
        | C::Double
        | C::Decimal { .. }
            if declared.kind == TypeKind::Boolean =>
        {
            Some("every value becomes FALSE, as with Flink CDC; declare it as a number")
        }
        _ => None,
    }
}

fn no_number(declared: &TypeKind) -> Reason {
    Cow::Owned(format!("is no number of {declared}"))
}

impl Target {
    pub(crate) fn new(kind: &ColumnType, declared: &TypeKind, options: &ValueOptions) -> Self {
        Self {
            kind: kind.clone(),
            declared: declared.clone(),
            ltz_is_instant: options.ltz_is_instant,
            printer: Printer::new(kind, options),
        }
    }

    /// Appends a value.
    #[inline]
    pub(crate) fn append(
        &self,
        cell: &Cell<'_>,
        builder: &mut Builder,
        context: &mut Context,
    ) -> Result<(), Reason> {
        match (builder, cell) {
            (builder, Cell::Null) => builder.append_null(),
            (Builder::Text(builder), Cell::Text(text)) => builder.push(text),
            (Builder::Text(builder), cell) => {
                context.text.clear();
                self.printer.write(cell, &mut context.text)?;
                builder.push(&context.text);
            }
            (Builder::BigInt(builder), cell) => {
                builder.append_value(self.integer(cell, i64::MIN, i64::MAX, context)?);
            }
            (Builder::Int(builder), cell) => builder.append_value(match self.wide(cell) {
                Some(value) => value as i32,
                None => {
                    let (least, most) = (i64::from(i32::MIN), i64::from(i32::MAX));
                    self.integer(cell, least, most, context)? as i32
                }
            }),
            (Builder::SmallInt(builder), cell) => {
                let (least, most) = (i64::from(i16::MIN), i64::from(i16::MAX));
                builder.append_value(self.integer(cell, least, most, context)? as i16);
            }
            (Builder::TinyInt(builder), cell) => {
                let (least, most) = (i64::from(i8::MIN), i64::from(i8::MAX));
                builder.append_value(self.integer(cell, least, most, context)? as i8);
            }
            (Builder::Boolean(builder), cell) => builder.append_value(self.boolean(cell, context)?),
            (Builder::Decimal(builder), cell) => {
                builder.append_option(self.decimal(cell, context)?);
            }
            (Builder::Double(builder), cell) => builder.append_value(match cell {
                Cell::Double(value) => *value,
                Cell::Float(value) => f64::from(*value),
                cell => self.parse_double(cell, context)?,
            }),
            (Builder::Float(builder), cell) => builder.append_value(match cell {
                Cell::Float(value) => *value,
                Cell::Double(value) => *value as f32,
                cell => self.parse_float(cell, context)?,
            }),
            (Builder::Date(builder), cell) => builder.append_value(self.date(cell)?),
            (Builder::Time(builder), cell) => builder.append_value(self.time(cell)?),
            (Builder::Timestamp(builder), cell) => {
                let precision = match self.declared {
                    TypeKind::Timestamp(p) | TypeKind::TimestampLtz(p) => p.min(6),
                    _ => 6,
                };
                let unit = 10_i64.pow(u32::from(6 - precision));
                let micros = self.timestamp(cell, &mut context.zone)?;
                builder.append_value(micros.div_euclid(unit) * unit);
            }
            (Builder::Nanos(builder), cell) => {
                let micros = self.timestamp(cell, &mut context.zone)?;
                builder.append_value(i128::from(micros) * 1000);
            }
            (Builder::Bytes(builder), cell) => {
                builder.append_value(self.bytes(cell, &mut context.bytes)?);
            }
            (Builder::Texts(builder), cell) => {
                let Cell::Members(bits) = cell else {
                    return Err(self.wrong());
                };
                // The reference cuts the text at its commas: no member gives one empty text.
                if *bits == 0 {
                    builder.values().append_value("");
                }
                for member in self.printer.members(*bits) {
                    builder.values().append_value(member);
                }
                builder.append(true);
            }
            (Builder::Nulls(..), _) => return Err(self.wrong()),
        }
        Ok(())
    }

    fn wrong(&self) -> Reason {
        Cow::Owned(format!("cannot become {}", self.declared))
    }

    /// Returns a number of a class that INT takes the low bits of.
    #[inline]
    fn wide(&self, cell: &Cell<'_>) -> Option<i64> {
        match cell {
            Cell::Int(value) => Some(*value),
            cell => self.printer.number(cell),
        }
    }

    #[inline]
    fn integer(
        &self,
        cell: &Cell<'_>,
        least: i64,
        most: i64,
        context: &mut Context,
    ) -> Result<i64, Reason> {
        let value = match cell {
            Cell::Int(value) => Some(*value),
            Cell::Unsigned(value) => i64::try_from(*value).ok(),
            Cell::Bits(bits) => i64::try_from(*bits).ok(),
            cell => match self.printer.number(cell) {
                Some(value) => Some(value),
                None => parse_integer(self.text(cell, &mut context.text)?),
            },
        };
        value
            .filter(|value| (least..=most).contains(value))
            .ok_or_else(|| no_number(&self.declared))
    }

    fn text<'c>(&self, cell: &Cell<'_>, text: &'c mut String) -> Result<&'c str, Reason> {
        text.clear();
        self.printer.write(cell, text)?;
        Ok(text)
    }

    fn boolean(&self, cell: &Cell<'_>, context: &mut Context) -> Result<bool, Reason> {
        let is_short = matches!(
            self.kind,
            ColumnType::TinyInt { .. } | ColumnType::SmallInt { unsigned: false }
        );
        Ok(match cell {
            Cell::Bits(bits) => *bits == 1,
            Cell::Int(value) if is_short => *value == 1,
            cell => self
                .text(cell, &mut context.text)?
                .eq_ignore_ascii_case("true"),
        })
    }

    fn decimal(&self, cell: &Cell<'_>, context: &mut Context) -> Result<Option<i128>, Reason> {
        let TypeKind::Decimal(precision, scale) = self.declared else {
            return Err(self.wrong());
        };
        let decimal = match cell {
            Cell::Decimal(value) if self.printer.as_double(value).is_none() => {
                return Ok(value.rounded(precision, scale));
            }
            Cell::Int(value) => Decimal::Narrow(i128::from(*value), 0),
            Cell::Unsigned(value) => Decimal::Narrow(i128::from(*value), 0),
            Cell::Bits(bits) => Decimal::Narrow(i128::from(*bits), 0),
            cell => {
                let text = self.text(cell, &mut context.text)?;
                let parsed =
                    millrace_json::java_decimal::parse_decimal(text.as_bytes(), precision, scale);
                return parsed.map_err(|_| no_number(&self.declared));
            }
        };
        Ok(decimal.rounded(precision, scale))
    }

    fn parse_double(&self, cell: &Cell<'_>, context: &mut Context) -> Result<f64, Reason> {
        let text = self.text(cell, &mut context.text)?;
        let number = floating(text).and_then(|number| number.parse().ok());
        number.ok_or_else(|| no_number(&self.declared))
    }

    fn parse_float(&self, cell: &Cell<'_>, context: &mut Context) -> Result<f32, Reason> {
        let text = self.text(cell, &mut context.text)?;
        let number = floating(text).and_then(|number| number.parse().ok());
        number.ok_or_else(|| no_number(&self.declared))
    }

    fn date(&self, cell: &Cell<'_>) -> Result<i32, Reason> {
        match cell {
            Cell::Date(days) => Ok(*days),
            // Numbers are days since 1970.
            Cell::Int(days) => i32::try_from(*days).map_err(|_| "is no day of DATE".into()),
            _ => Err(self.wrong()),
        }
    }

    fn time(&self, cell: &Cell<'_>) -> Result<i32, Reason> {
        match cell {
            Cell::Time(micros) if (0..DAY).contains(micros) => {
                Ok(i32::try_from(micros / 1000).expect("a day has fewer milliseconds"))
            }
            Cell::Time(_) => Err("lies outside of a day; declare it STRING".into()),
            _ => Err(self.wrong()),
        }
    }

    #[inline]
    fn timestamp(&self, cell: &Cell<'_>, zone: &mut Zone) -> Result<i64, Reason> {
        let instant = match cell {
            Cell::DateTime(micros) => return Ok(*micros),
            Cell::Timestamp(micros) => *micros,
            Cell::Text(text) => match text.parse::<jiff::Timestamp>() {
                Ok(instant) => instant.as_microsecond(),
                Err(_) => return Err("is no instant like 2024-02-29T12:34:56Z".into()),
            },
            _ => return Err(self.wrong()),
        };
        if self.ltz_is_instant && matches!(self.declared, TypeKind::TimestampLtz(_)) {
            return Ok(instant);
        }
        Ok(zone.wall(instant))
    }

    fn bytes<'c>(&self, cell: &Cell<'c>, scratch: &'c mut Vec<u8>) -> Result<&'c [u8], Reason> {
        scratch.clear();
        match (cell, &self.kind) {
            // A row image lacks the zeros at the end.
            (Cell::Bytes(bytes), ColumnType::Binary(length)) if bytes.len() < *length as usize => {
                scratch.extend_from_slice(bytes);
                scratch.resize(*length as usize, 0);
                Ok(scratch)
            }
            (Cell::Bytes(bytes), _) => Ok(bytes),
            (Cell::Bits(bits), ColumnType::Bit(count)) => {
                let length = usize::from(*count).div_ceil(8).min(8);
                scratch.extend_from_slice(&bits.to_le_bytes()[..length]);
                Ok(scratch)
            }
            _ => Err(self.wrong()),
        }
    }
}

/// Reads an integer as Java does: digits with at most a sign.
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let are_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

/// Returns what Rust reads as the floating-point number that Java reads of `text`.
fn floating(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, "NaN" | "Infinity") {
        return Some(text);
    }
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let is_decimal = number
        .bytes()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    (is_decimal && !number.is_empty()).then_some(number)
}
