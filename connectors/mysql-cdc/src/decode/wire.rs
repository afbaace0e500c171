//! How a column's values lie in a row image, from the types and metadata of a TABLE_MAP event.

use std::fmt;

use super::bytes::{Bytes, little_endian};

/// The layout of one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A little-endian number of so many bytes.
    Int(u8),
    /// Four bytes.
    Float,
    /// Eight bytes.
    Double,
    /// `DECIMAL(precision, scale)`, nine digits in four bytes.
    Decimal(u8, u8),
    /// So many bits, big-endian in whole bytes.
    Bit(u8),
    /// Years since 1900.
    Year,
    /// Three bytes.
    Date,
    /// TIME of before 5.6.4, three bytes.
    OldTime,
    /// DATETIME of before 5.6.4, eight bytes.
    OldDateTime,
    /// TIMESTAMP of before 5.6.4, four bytes.
    OldTimestamp,
    /// TIME with so many digits of a second.
    Time(u8),
    /// DATETIME with so many digits of a second.
    DateTime(u8),
    /// TIMESTAMP with so many digits of a second.
    Timestamp(u8),
    /// MariaDB's own TIME with so many digits of a second, from before it took over MySQL's.
    HiresTime(u8),
    /// MariaDB's own DATETIME with so many digits of a second.
    HiresDateTime(u8),
    /// MariaDB's own TIMESTAMP with so many digits of a second.
    HiresTimestamp(u8),
    /// CHAR or BINARY of at most so many bytes.
    Char(u32),
    /// VARCHAR or VARBINARY of at most so many bytes.
    Varchar(u32),
    /// TEXT or BLOB with a length of so many bytes.
    Blob(u8),
    /// JSON with a length of so many bytes.
    Json(u8),
    /// A geometry with a length of so many bytes.
    Geometry(u8),
    /// A vector with a length of so many bytes.
    Vector(u8),
    /// The number of a member, in so many bytes.
    Enum(u8),
    /// Bits of members, in so many bytes.
    Set(u8),
    /// MariaDB's `VARCHAR … COMPRESSED` of at most so many bytes.
    CompressedVarchar(u32),
    /// MariaDB's `TEXT COMPRESSED` and `BLOB COMPRESSED`, with a length of so many bytes.
    CompressedBlob(u8),
}

/// Bytes of the fraction of a second.
const FRACTION_BYTES: [usize; 7] = [0, 1, 1, 2, 2, 3, 3];
/// Bytes of MariaDB's own TIME and DATETIME, by the digits of a second.
const HIRES_TIME_BYTES: [usize; 7] = [3, 4, 4, 5, 5, 5, 6];
const HIRES_DATE_TIME_BYTES: [usize; 7] = [5, 6, 6, 7, 7, 7, 8];
/// Bytes of the digits that do not fill a group of nine.
const DECIMAL_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

impl Wire {
    /// Reads a column's metadata; `None` if the type is not known or the metadata is impossible.
    pub(crate) fn read(code: u8, metadata: &mut Bytes<'_>) -> Option<Self> {
        let fsp = |metadata: &mut Bytes<'_>| {
            let digits = metadata.uint(1)? as u8;
            (digits <= 6).then_some(digits)
        };
        let prefix = |metadata: &mut Bytes<'_>| {
            let bytes = metadata.uint(1)? as u8;
            (1..=4).contains(&bytes).then_some(bytes)
        };
        Some(match code {
            1 => Self::Int(1),
            2 => Self::Int(2),
            3 => Self::Int(4),
            4 => metadata.uint(1).map(|_| Self::Float)?,
            5 => metadata.uint(1).map(|_| Self::Double)?,
            7 => Self::OldTimestamp,
            8 => Self::Int(8),
            9 => Self::Int(3),
            10 | 14 => Self::Date,
            11 => Self::OldTime,
            12 => Self::OldDateTime,
            13 => Self::Year,
            15 | 253 => Self::Varchar(metadata.uint(2)? as u32),
            16 => {
                let bits = metadata.uint(1)? as u8;
                let bytes = metadata.uint(1)? as u8;
                let bits = bytes.checked_mul(8)?.checked_add(bits)?;
                (1..=64).contains(&bits).then_some(Self::Bit(bits))?
            }
            17 => Self::Timestamp(fsp(metadata)?),
            18 => Self::DateTime(fsp(metadata)?),
            19 => Self::Time(fsp(metadata)?),
            140 => Self::CompressedBlob(prefix(metadata)?),
            141 => Self::CompressedVarchar(metadata.uint(2)? as u32),
            242 => Self::Vector(prefix(metadata)?),
            245 => Self::Json(prefix(metadata)?),
            246 => {
                let precision = metadata.uint(1)? as u8;
                let scale = metadata.uint(1)? as u8;
                let is_possible = (1..=65).contains(&precision) && scale <= precision;
                is_possible.then_some(Self::Decimal(precision, scale))?
            }
            249..=252 => Self::Blob(prefix(metadata)?),
            247 | 248 | 254 => {
                let first = metadata.uint(1)? as u8;
                let second = metadata.uint(1)? as u8;
                Self::read_string(if code == 254 { first } else { code }, second)?
            }
            255 => Self::Geometry(prefix(metadata)?),
            _ => return None,
        })
    }

    /// Reads the metadata of the type that CHAR, ENUM and SET share: lengths over 255 put two bits into the type.
    fn read_string(first: u8, second: u8) -> Option<Self> {
        if first & 0x30 != 0x30 {
            let high = u32::from((first & 0x30) ^ 0x30) << 4;
            return Some(Self::Char(high | u32::from(second)));
        }
        match first {
            247 => matches!(second, 1 | 2).then_some(Self::Enum(second)),
            248 => matches!(second, 1..=8).then_some(Self::Set(second)),
            254 => Some(Self::Char(u32::from(second))),
            _ => None,
        }
    }

    /// Returns how many bytes the value that `data` begins with has, and how many of them are a length in front.
    #[inline]
    pub(crate) fn extent(self, data: &[u8]) -> Option<(usize, usize)> {
        let fixed = |length: usize| Some((0, length));
        let prefixed = |width: usize| {
            let length = little_endian(data.get(..width)?);
            Some((width, usize::try_from(length).ok()?))
        };
        match self {
            Self::Int(width) | Self::Enum(width) | Self::Set(width) => fixed(usize::from(width)),
            Self::Varchar(most) | Self::Char(most) | Self::CompressedVarchar(most) => {
                prefixed(if most > 255 { 2 } else { 1 })
            }
            Self::Blob(width)
            | Self::Json(width)
            | Self::Geometry(width)
            | Self::Vector(width)
            | Self::CompressedBlob(width) => prefixed(usize::from(width)),
            Self::Float | Self::OldTimestamp => fixed(4),
            Self::Double | Self::OldDateTime => fixed(8),
            Self::Year => fixed(1),
            Self::Date | Self::OldTime => fixed(3),
            Self::Decimal(precision, scale) => fixed(decimal_bytes(precision, scale)),
            Self::Bit(bits) => fixed(usize::from(bits).div_ceil(8)),
            Self::Time(fsp) => fixed(3 + FRACTION_BYTES[usize::from(fsp)]),
            Self::HiresTime(fsp) => fixed(HIRES_TIME_BYTES[usize::from(fsp.min(6))]),
            Self::HiresDateTime(fsp) => fixed(HIRES_DATE_TIME_BYTES[usize::from(fsp.min(6))]),
            Self::HiresTimestamp(fsp) => fixed(4 + FRACTION_BYTES[usize::from(fsp.min(6))]),
            Self::Timestamp(fsp) => fixed(4 + FRACTION_BYTES[usize::from(fsp)]),
            Self::DateTime(fsp) => fixed(5 + FRACTION_BYTES[usize::from(fsp)]),
        }
    }

    /// Tells whether the server's list of signs has an entry for it.
    pub(crate) fn is_numeric(&self) -> bool {
        matches!(
            self,
            Self::Int(_) | Self::Float | Self::Double | Self::Decimal(..) | Self::Year
        )
    }

    /// Tells whether the server's list of charsets has an entry for it.
    pub(crate) fn is_text(&self) -> bool {
        matches!(
            self,
            Self::Char(_)
                | Self::Varchar(_)
                | Self::Blob(_)
                | Self::CompressedVarchar(_)
                | Self::CompressedBlob(_)
        )
    }

    /// Tells whether it is ENUM or SET.
    pub(crate) fn is_enum_or_set(&self) -> bool {
        matches!(self, Self::Enum(_) | Self::Set(_))
    }
}

/// Returns how many bytes a DECIMAL has.
#[inline]
pub(crate) fn decimal_bytes(precision: u8, scale: u8) -> usize {
    let part = |digits: u8| usize::from(digits / 9) * 4 + DECIMAL_BYTES[usize::from(digits % 9)];
    part(precision - scale) + part(scale)
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(1) => f.write_str("tinyint"),
            Self::Int(2) => f.write_str("smallint"),
            Self::Int(3) => f.write_str("mediumint"),
            Self::Int(4) => f.write_str("int"),
            Self::Int(_) => f.write_str("bigint"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal(p, s) => write!(f, "decimal({p},{s})"),
            Self::Bit(bits) => write!(f, "bit({bits})"),
            Self::Year => f.write_str("year"),
            Self::Date => f.write_str("date"),
            Self::OldTime => f.write_str("time of before 5.6.4"),
            Self::OldDateTime => f.write_str("datetime of before 5.6.4"),
            Self::OldTimestamp => f.write_str("timestamp of before 5.6.4"),
            Self::Time(fsp) => write!(f, "time({fsp})"),
            Self::DateTime(fsp) => write!(f, "datetime({fsp})"),
            Self::Timestamp(fsp) => write!(f, "timestamp({fsp})"),
            Self::HiresTime(fsp) => write!(f, "time({fsp}) of before MariaDB 10.1.2"),
            Self::HiresDateTime(fsp) => write!(f, "datetime({fsp}) of before MariaDB 10.1.2"),
            Self::HiresTimestamp(fsp) => write!(f, "timestamp({fsp}) of before MariaDB 10.1.2"),
            Self::Char(bytes) => write!(f, "char or binary of {bytes} bytes"),
            Self::Varchar(bytes) => write!(f, "varchar or varbinary of {bytes} bytes"),
            Self::Blob(prefix) => write!(f, "text or blob with {prefix} bytes of length"),
            Self::Json(_) => f.write_str("json"),
            Self::Geometry(_) => f.write_str("geometry"),
            Self::Vector(_) => f.write_str("vector"),
            Self::Enum(bytes) => write!(f, "enum of {bytes} bytes"),
            Self::Set(bytes) => write!(f, "set of {bytes} bytes"),
            Self::CompressedVarchar(bytes) => write!(f, "compressed varchar of {bytes} bytes"),
            Self::CompressedBlob(prefix) => {
                write!(f, "compressed text or blob with {prefix} bytes of length")
            }
        }
    }
}
