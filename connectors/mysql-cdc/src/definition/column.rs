//! A column and its type, as the server defines it.

use std::fmt;

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: ColumnType,
    /// Whether NULL is a value of it.
    pub nullable: bool,
    /// Whether and how its values are computed.
    pub generated: Option<Generated>,
}

/// Where a generated column's values are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Generated {
    /// Computed when read.
    Virtual,
    /// Computed when written.
    Stored,
}

/// A column's type. Charsets are lower-case names of the server (`utf8mb4`), empty until they are taken over from the
/// table's or the database's default.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ColumnType {
    /// `TINYINT`; `BOOL` is one of width 1.
    TinyInt {
        /// Whether it counts from 0.
        unsigned: bool,
        /// Whether its display width is 1.
        is_boolean: bool,
    },
    /// `SMALLINT`.
    SmallInt {
        /// Whether it counts from 0.
        unsigned: bool,
    },
    /// `MEDIUMINT`.
    MediumInt {
        /// Whether it counts from 0.
        unsigned: bool,
    },
    /// `INT`.
    Int {
        /// Whether it counts from 0.
        unsigned: bool,
    },
    /// `BIGINT`.
    BigInt {
        /// Whether it counts from 0.
        unsigned: bool,
    },
    /// `FLOAT`.
    Float,
    /// `DOUBLE`.
    Double,
    /// `DECIMAL(precision, scale)`.
    Decimal {
        /// Digits in all, at most 65.
        precision: u8,
        /// Digits after the point, at most 30 (38 in MariaDB).
        scale: u8,
    },
    /// `BIT(n)`, n in 1..=64.
    Bit(u8),
    /// `YEAR`.
    Year,
    /// `DATE`.
    Date,
    /// `TIME(fsp)`.
    Time(u8),
    /// `DATETIME(fsp)`.
    DateTime(u8),
    /// `TIMESTAMP(fsp)`.
    Timestamp(u8),
    /// `CHAR(length)`, length in characters.
    Char {
        /// Characters.
        length: u32,
        /// The bytes' charset.
        charset: String,
    },
    /// `VARCHAR(length)`, length in characters.
    Varchar {
        /// Characters.
        length: u32,
        /// The bytes' charset.
        charset: String,
    },
    /// `TINYTEXT` to `LONGTEXT`.
    Text {
        /// Bytes of the length prefix, 1 to 4.
        prefix: u8,
        /// The bytes' charset.
        charset: String,
    },
    /// `BINARY(n)`.
    Binary(u32),
    /// `VARBINARY(n)`.
    Varbinary(u32),
    /// `TINYBLOB` to `LONGBLOB`, by the bytes of the length prefix.
    Blob(u8),
    /// `ENUM`.
    Enum {
        /// The members, the first being number 1.
        members: Vec<String>,
        /// The charset that the server sends members in.
        charset: String,
    },
    /// `SET`.
    Set {
        /// The members, the first being the lowest bit.
        members: Vec<String>,
        /// The charset that the server sends members in.
        charset: String,
    },
    /// MySQL's `JSON` (MariaDB's is LONGTEXT).
    Json,
    /// `GEOMETRY`, `POINT` and their kin.
    Geometry,
    /// `VECTOR(n)`.
    Vector,
    /// MariaDB's `UUID`.
    Uuid,
    /// MariaDB's `INET4`.
    Inet4,
    /// MariaDB's `INET6`.
    Inet6,
}

impl ColumnType {
    /// Returns the charset of text.
    #[must_use]
    pub fn charset(&self) -> Option<&str> {
        match self {
            Self::Char { charset, .. }
            | Self::Varchar { charset, .. }
            | Self::Text { charset, .. }
            | Self::Enum { charset, .. }
            | Self::Set { charset, .. } => Some(charset),
            _ => None,
        }
    }

    /// Takes over `charset` if none was stated; text in charset `binary` is bytes.
    pub(crate) fn resolve_charset(&mut self, charset: &str) {
        if let Some(own) = self.charset_mut()
            && own.is_empty()
        {
            charset.clone_into(own);
        }
        if self.charset() == Some("binary") {
            *self = match *self {
                Self::Char { length, .. } => Self::Binary(length),
                Self::Varchar { length, .. } => Self::Varbinary(length),
                Self::Text { prefix, .. } => Self::Blob(prefix),
                _ => return,
            };
        }
    }

    /// Returns the charset of text, to be changed.
    pub(crate) fn charset_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Char { charset, .. }
            | Self::Varchar { charset, .. }
            | Self::Text { charset, .. }
            | Self::Enum { charset, .. }
            | Self::Set { charset, .. } => Some(charset),
            _ => None,
        }
    }
}

/// Writes the type as DDL has it, without charset.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = |unsigned: &bool| if *unsigned { " unsigned" } else { "" };
        let size = |prefix: &u8| ["tiny", "", "medium", "long"][usize::from(*prefix - 1) & 3];
        match self {
            Self::TinyInt {
                unsigned,
                is_boolean,
            } => {
                let width = if *is_boolean { "(1)" } else { "" };
                write!(f, "tinyint{width}{}", sign(unsigned))
            }
            Self::SmallInt { unsigned } => write!(f, "smallint{}", sign(unsigned)),
            Self::MediumInt { unsigned } => write!(f, "mediumint{}", sign(unsigned)),
            Self::Int { unsigned } => write!(f, "int{}", sign(unsigned)),
            Self::BigInt { unsigned } => write!(f, "bigint{}", sign(unsigned)),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Bit(n) => write!(f, "bit({n})"),
            Self::Year => f.write_str("year"),
            Self::Date => f.write_str("date"),
            Self::Time(fsp) => write!(f, "time({fsp})"),
            Self::DateTime(fsp) => write!(f, "datetime({fsp})"),
            Self::Timestamp(fsp) => write!(f, "timestamp({fsp})"),
            Self::Char { length, .. } => write!(f, "char({length})"),
            Self::Varchar { length, .. } => write!(f, "varchar({length})"),
            Self::Text { prefix, .. } => write!(f, "{}text", size(prefix)),
            Self::Binary(n) => write!(f, "binary({n})"),
            Self::Varbinary(n) => write!(f, "varbinary({n})"),
            Self::Blob(prefix) => write!(f, "{}blob", size(prefix)),
            Self::Enum { members, .. } => write!(f, "enum of {}", members.len()),
            Self::Set { members, .. } => write!(f, "set of {}", members.len()),
            Self::Json => f.write_str("json"),
            Self::Geometry => f.write_str("geometry"),
            Self::Vector => f.write_str("vector"),
            Self::Uuid => f.write_str("uuid"),
            Self::Inet4 => f.write_str("inet4"),
            Self::Inet6 => f.write_str("inet6"),
        }
    }
}
