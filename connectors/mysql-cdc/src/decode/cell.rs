//! One value of the server, read from a row image or from a query, before it becomes what was declared.

use std::borrow::Cow;

use mysql::Value;

use super::bytes::{big_endian, little_endian};
use super::charset::Charset;
use super::decimal::{self, Decimal};
use super::mariadb;
use super::options::ValueOptions;
use super::temporal::{self, SECOND, days_of, wall_of};
use super::wire::Wire;
use crate::definition::ColumnType;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Cell<'a> {
    Null,
    Int(i64),
    /// A BIGINT UNSIGNED.
    Unsigned(u64),
    Float(f32),
    Double(f64),
    Decimal(Decimal),
    /// The bits of a BIT.
    Bits(u64),
    /// Days since 1970.
    Date(i32),
    /// Wall-clock microseconds since 1970.
    DateTime(i64),
    /// Microseconds since 1970 in UTC.
    Timestamp(i64),
    /// Microseconds, perhaps negative.
    Time(i64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
    /// The number of an ENUM's member.
    Member(u64),
    /// The bits of a SET's members.
    Members(u64),
    /// JSON in the binary form.
    Json(&'a [u8]),
    /// JSON in the binary form, and differences to it.
    ChangedJson(&'a [u8], &'a [u8]),
    /// JSON as the server prints it.
    JsonText(&'a str),
    Geometry(&'a [u8]),
}

/// How the values of a column are read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) kind: ColumnType,
    pub(crate) nullable: bool,
    pub(crate) charset: Option<Charset>,
    adjusts_years: bool,
    wraps_unsigned: bool,
}

/// Why a value cannot be read.
pub(crate) type Reason = Cow<'static, str>;

const CUT_SHORT: Reason = Cow::Borrowed("is cut short");
const NOT_OF_TYPE: Reason = Cow::Borrowed("did not come as a value of its type");

impl Reader {
    /// Returns a reader; `None` if the column's charset cannot be read.
    pub(crate) fn new(kind: &ColumnType, nullable: bool, options: &ValueOptions) -> Option<Self> {
        let charset = match kind.charset() {
            Some(name) => Some(Charset::find(name)?),
            None => None,
        };
        Some(Self {
            kind: kind.clone(),
            nullable,
            charset,
            adjusts_years: options.adjusts_years,
            wraps_unsigned: options.wraps_unsigned_bigint,
        })
    }

    /// Reads a value of a row image.
    #[inline]
    pub(crate) fn read<'a>(
        &self,
        wire: Wire,
        bytes: &'a [u8],
        replacements: &mut u64,
    ) -> Result<Cell<'a>, Reason> {
        Ok(match wire {
            Wire::Int(_) => self.integer(bytes),
            Wire::Float => Cell::Float(f32::from_bits(little_endian(bytes) as u32)),
            Wire::Double => Cell::Double(f64::from_bits(little_endian(bytes))),
            Wire::Decimal(precision, scale) => {
                Cell::Decimal(decimal::read(bytes, precision, scale).ok_or(CUT_SHORT)?)
            }
            Wire::Bit(_) => Cell::Bits(big_endian(bytes)),
            Wire::Year => Cell::Int(match little_endian(bytes) {
                0 => 0,
                year => year as i64 + 1900,
            }),
            Wire::Date => self.date(temporal::date(bytes, self.adjusts_years)),
            Wire::OldTime => Cell::Time(temporal::old_time(bytes)),
            Wire::Time(_) => Cell::Time(temporal::time(bytes)),
            Wire::OldDateTime => self.date_time(temporal::old_date_time(bytes, self.adjusts_years)),
            Wire::DateTime(_) => self.date_time(temporal::date_time(bytes, self.adjusts_years)),
            Wire::OldTimestamp => self.timestamp(temporal::old_timestamp(bytes)),
            Wire::Timestamp(_) => self.timestamp(temporal::timestamp(bytes)),
            Wire::HiresTime(fsp) => Cell::Time(temporal::hires_time(bytes, fsp)),
            Wire::HiresDateTime(fsp) => {
                self.date_time(temporal::hires_date_time(bytes, fsp, self.adjusts_years))
            }
            Wire::HiresTimestamp(fsp) => self.timestamp(temporal::hires_timestamp(bytes, fsp)),
            Wire::Char(_) | Wire::Varchar(_) | Wire::Blob(_) => {
                return self.text(bytes, replacements);
            }
            Wire::Json(_) => Cell::Json(bytes),
            Wire::Geometry(_) => Cell::Geometry(bytes),
            Wire::Vector(_) => Cell::Bytes(bytes),
            Wire::Enum(_) => Cell::Member(little_endian(bytes)),
            Wire::Set(_) => Cell::Members(little_endian(bytes)),
            Wire::CompressedVarchar(_) | Wire::CompressedBlob(_) => {
                return Err("is compressed by MariaDB's COMPRESSED, which is not read".into());
            }
        })
    }

    #[inline]
    fn integer<'a>(&self, bytes: &[u8]) -> Cell<'a> {
        let value = little_endian(bytes);
        if self.is_unsigned() {
            return if bytes.len() == 8 {
                self.unsigned(value)
            } else {
                Cell::Int(value as i64)
            };
        }
        // The sign is the highest bit of the last byte.
        let unused = 64 - 8 * bytes.len().clamp(1, 8);
        Cell::Int((value as i64) << unused >> unused)
    }

    fn is_unsigned(&self) -> bool {
        matches!(
            self.kind,
            ColumnType::TinyInt { unsigned: true, .. }
                | ColumnType::SmallInt { unsigned: true }
                | ColumnType::MediumInt { unsigned: true }
                | ColumnType::Int { unsigned: true }
                | ColumnType::BigInt { unsigned: true }
        )
    }

    fn unsigned<'a>(&self, value: u64) -> Cell<'a> {
        if self.wraps_unsigned {
            Cell::Int(value as i64)
        } else {
            Cell::Unsigned(value)
        }
    }

    #[inline]
    fn date<'a>(&self, days: Option<i32>) -> Cell<'a> {
        match days {
            Some(days) => Cell::Date(days),
            None if self.nullable => Cell::Null,
            None => Cell::Date(0),
        }
    }

    #[inline]
    fn date_time<'a>(&self, micros: Option<i64>) -> Cell<'a> {
        match micros {
            Some(micros) => Cell::DateTime(micros),
            None if self.nullable => Cell::Null,
            None => Cell::DateTime(0),
        }
    }

    #[inline]
    fn timestamp<'a>(&self, micros: Option<i64>) -> Cell<'a> {
        match micros {
            Some(micros) => Cell::Timestamp(micros),
            None if self.nullable => Cell::Null,
            None => Cell::Timestamp(0),
        }
    }

    #[inline]
    fn text<'a>(&self, bytes: &'a [u8], replacements: &mut u64) -> Result<Cell<'a>, Reason> {
        match (&self.charset, &self.kind) {
            (Some(charset), _) => {
                let (text, is_wrong) = charset.decode_counting(bytes);
                *replacements += u64::from(is_wrong);
                Ok(Cell::Text(text))
            }
            (None, ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6) => {
                let text = mariadb::text(&self.kind, bytes).ok_or(CUT_SHORT)?;
                Ok(Cell::Text(Cow::Owned(text)))
            }
            // MariaDB's JSON, which is text.
            (None, ColumnType::Json) => Ok(Cell::Text(String::from_utf8_lossy(bytes))),
            _ => Ok(Cell::Bytes(bytes)),
        }
    }

    /// Reads a value of a query by the binary protocol.
    pub(crate) fn read_query<'a>(
        &self,
        value: &'a Value,
        replacements: &mut u64,
    ) -> Result<Cell<'a>, Reason> {
        Ok(match value {
            Value::NULL => Cell::Null,
            Value::Int(value) if matches!(self.kind, ColumnType::BigInt { unsigned: true }) => {
                self.unsigned(*value as u64)
            }
            Value::Int(value) => Cell::Int(*value),
            Value::UInt(value) if matches!(self.kind, ColumnType::BigInt { unsigned: true }) => {
                self.unsigned(*value)
            }
            Value::UInt(value) => Cell::Int(*value as i64),
            Value::Float(value) => Cell::Float(*value),
            Value::Double(value) => Cell::Double(*value),
            Value::Bytes(bytes) => return self.read_bytes(bytes, replacements),
            Value::Date(year, month, day, hour, minute, second, micros) => {
                let (year, month, day) = (i64::from(*year), i64::from(*month), i64::from(*day));
                let seconds =
                    (i64::from(*hour) * 60 + i64::from(*minute)) * 60 + i64::from(*second);
                let micros = seconds * SECOND + i64::from(*micros);
                match self.kind {
                    ColumnType::Date => self.date(days_of(year, month, day, self.adjusts_years)),
                    ColumnType::DateTime(_) => {
                        let days = days_of(year, month, day, self.adjusts_years);
                        self.date_time(wall_of(days, micros))
                    }
                    ColumnType::Timestamp(_) => {
                        self.timestamp(wall_of(days_of(year, month, day, false), micros))
                    }
                    _ => return Err(NOT_OF_TYPE),
                }
            }
            Value::Time(is_negative, days, hours, minutes, seconds, micros) => {
                let hours = i64::from(*days) * 24 + i64::from(*hours);
                let seconds = (hours * 60 + i64::from(*minutes)) * 60 + i64::from(*seconds);
                let micros = seconds * SECOND + i64::from(*micros);
                Cell::Time(if *is_negative { -micros } else { micros })
            }
        })
    }

    fn read_bytes<'a>(&self, bytes: &'a [u8], replacements: &mut u64) -> Result<Cell<'a>, Reason> {
        Ok(match &self.kind {
            ColumnType::Decimal { .. } => Cell::Decimal(decimal::parse(bytes).ok_or(NOT_OF_TYPE)?),
            ColumnType::Bit(_) if bytes.len() <= 8 => Cell::Bits(big_endian(bytes)),
            ColumnType::Json => {
                Cell::JsonText(std::str::from_utf8(bytes).map_err(|_| NOT_OF_TYPE)?)
            }
            ColumnType::Geometry => Cell::Geometry(bytes),
            ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6 => {
                Cell::Text(String::from_utf8_lossy(bytes))
            }
            ColumnType::Set { members, .. } => {
                let Cell::Text(text) = self.text(bytes, replacements)? else {
                    return Err(NOT_OF_TYPE);
                };
                Cell::Members(bits_of(&text, members).ok_or(NOT_OF_TYPE)?)
            }
            ColumnType::Char { .. }
            | ColumnType::Varchar { .. }
            | ColumnType::Text { .. }
            | ColumnType::Enum { .. }
            | ColumnType::Binary(_)
            | ColumnType::Varbinary(_)
            | ColumnType::Blob(_)
            | ColumnType::Vector => return self.text(bytes, replacements),
            _ => return Err(NOT_OF_TYPE),
        })
    }
}

/// Returns the bits of a SET's text.
fn bits_of(text: &str, members: &[String]) -> Option<u64> {
    let mut bits = 0;
    for member in text.split(',').filter(|member| !member.is_empty()) {
        let at = members.iter().position(|known| known == member)?;
        bits |= 1_u64.checked_shl(u32::try_from(at).ok()?)?;
    }
    Some(bits)
}
