//! TABLE_MAP events: how the rows that follow are laid out, and what the server tells about their columns.

use super::{ColumnDefinition, ColumnType, TableDefinition, TableName};
use crate::decode::{Bytes, Charset, Wire, charset_of_collation, max_length_of_charset};

/// A TABLE_MAP event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMap {
    /// The number that row events name it by.
    pub table_id: u64,
    /// The table.
    pub name: TableName,
    /// Its columns.
    pub columns: Vec<EventColumn>,
    /// Places of the primary key's columns in the key's order, with `binlog_row_metadata=FULL`; empty without a key.
    pub primary_key: Option<Vec<usize>>,
}

/// A column of a TABLE_MAP event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventColumn {
    /// How its values lie in a row image.
    pub wire: Wire,
    /// Whether NULL is a value of it.
    pub nullable: bool,
    /// Whether a number counts from 0, where the server tells.
    pub unsigned: Option<bool>,
    /// The number of a text's collation, where the server tells.
    pub collation: Option<u16>,
    /// Its name, with `binlog_row_metadata=FULL`.
    pub name: Option<String>,
    /// The members of an ENUM or SET, with `binlog_row_metadata=FULL`.
    pub members: Option<Vec<Vec<u8>>>,
}

/// An event that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {event} event: {reason}")]
pub struct MalformedEvent {
    /// What kind of event.
    pub event: &'static str,
    /// What is wrong.
    pub reason: String,
}

impl MalformedEvent {
    pub(crate) fn new(event: &'static str, reason: impl Into<String>) -> Self {
        Self {
            event,
            reason: reason.into(),
        }
    }
}

/// A definition that an event disagrees with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The number of columns differs.
    #[error("the event has {event} columns, the definition {definition}")]
    Count {
        /// In the event.
        event: usize,
        /// In the definition.
        definition: usize,
    },
    /// A column's type differs.
    #[error("column '{column}' is {definition} in the definition and {event} in the event")]
    Type {
        /// The column.
        column: String,
        /// Its type in the definition.
        definition: String,
        /// Its type in the event.
        event: String,
    },
    /// A column's name differs.
    #[error("column {place} is '{definition}' in the definition and '{event}' in the event")]
    Name {
        /// Its place, from 1.
        place: usize,
        /// Its name in the definition.
        definition: String,
        /// Its name in the event.
        event: String,
    },
}

const EVENT: &str = "TABLE_MAP";
/// No table of a real server has more.
const COLUMNS_MAX: u64 = 4096;

impl TableMap {
    /// Reads the body of an event, without its header and checksum.
    ///
    /// # Errors
    /// The body is cut short or has a type that is not known.
    pub fn parse(body: &[u8]) -> Result<Self, MalformedEvent> {
        Self::read(&mut Bytes::new(body)).ok_or_else(|| MalformedEvent::new(EVENT, "cut short"))?
    }

    fn read(body: &mut Bytes<'_>) -> Option<Result<Self, MalformedEvent>> {
        let table_id = body.uint(6)?;
        body.take(2)?;
        let database = text(read_short(body)?);
        body.take(1)?;
        let table = text(read_short(body)?);
        body.take(1)?;
        let count = body.length()?;
        if count > COLUMNS_MAX {
            return Some(Err(MalformedEvent::new(EVENT, format!("{count} columns"))));
        }
        let count = usize::try_from(count).ok()?;
        let types = body.take(count)?;
        let mut metadata = Bytes::new(body.text()?);
        let nullable = body.take(count.div_ceil(8))?;
        let mut columns = Vec::with_capacity(count);
        for (place, &code) in types.iter().enumerate() {
            let Some(wire) = Wire::read(code, &mut metadata) else {
                return Some(Err(MalformedEvent::new(
                    EVENT,
                    format!("column {} of {database}.{table} has type {code}", place + 1),
                )));
            };
            columns.push(EventColumn {
                wire,
                nullable: nullable[place / 8] >> (place % 8) & 1 == 1,
                unsigned: None,
                collation: None,
                name: None,
                members: None,
            });
        }
        let mut map = Self {
            table_id,
            name: TableName { database, table },
            columns,
            primary_key: None,
        };
        while !body.is_empty() {
            let kind = body.uint(1)?;
            let field = body.text()?;
            map.read_optional(kind, &mut Bytes::new(field))?;
        }
        if map.primary_key.is_none() && map.columns.iter().all(|column| column.name.is_some()) {
            map.primary_key = Some(Vec::new());
        }
        Some(Ok(map))
    }

    fn read_optional(&mut self, kind: u64, field: &mut Bytes<'_>) -> Option<()> {
        match kind {
            1 => {
                let numbers = self.columns.iter_mut().filter(|c| c.wire.is_numeric());
                let bits = field.rest();
                for (at, column) in numbers.enumerate() {
                    column.unsigned = Some(bits.get(at / 8)? >> (7 - at % 8) & 1 == 1);
                }
            }
            2 => self.read_default_charset(field, Wire::is_text)?,
            3 => self.read_charsets(field, Wire::is_text)?,
            4 => {
                for column in &mut self.columns {
                    column.name = Some(text(field.text()?));
                }
            }
            5 => self.read_members(field, |wire| matches!(wire, Wire::Set(_)))?,
            6 => self.read_members(field, |wire| matches!(wire, Wire::Enum(_)))?,
            8 | 9 => {
                let mut key = Vec::new();
                while !field.is_empty() {
                    let place = usize::try_from(field.length()?).ok()?;
                    if kind == 9 {
                        field.length()?;
                    }
                    if place >= self.columns.len() {
                        return None;
                    }
                    key.push(place);
                }
                self.primary_key = Some(key);
            }
            10 => self.read_default_charset(field, Wire::is_enum_or_set)?,
            11 => self.read_charsets(field, Wire::is_enum_or_set)?,
            // Types of geometries, visibility, dimensions: nothing that values depend on.
            _ => {}
        }
        Some(())
    }

    fn read_default_charset(&mut self, field: &mut Bytes<'_>, of: fn(&Wire) -> bool) -> Option<()> {
        let default = u16::try_from(field.length()?).ok()?;
        let mut columns: Vec<_> = self.columns.iter_mut().filter(|c| of(&c.wire)).collect();
        for column in &mut columns {
            column.collation = Some(default);
        }
        while !field.is_empty() {
            let place = usize::try_from(field.length()?).ok()?;
            let collation = u16::try_from(field.length()?).ok()?;
            columns.get_mut(place)?.collation = Some(collation);
        }
        Some(())
    }

    fn read_charsets(&mut self, field: &mut Bytes<'_>, of: fn(&Wire) -> bool) -> Option<()> {
        for column in self.columns.iter_mut().filter(|c| of(&c.wire)) {
            column.collation = Some(u16::try_from(field.length()?).ok()?);
        }
        Some(())
    }

    fn read_members(&mut self, field: &mut Bytes<'_>, of: fn(&Wire) -> bool) -> Option<()> {
        for column in self.columns.iter_mut().filter(|c| of(&c.wire)) {
            let count = usize::try_from(field.length()?).ok()?;
            let mut members = Vec::with_capacity(count.min(256));
            for _ in 0..count {
                members.push(field.text()?.to_vec());
            }
            column.members = Some(members);
        }
        Some(())
    }

    /// Checks that `definition` is that of the rows that follow: as many columns, of these types, signs, charsets and
    /// names, as far as the event tells them.
    ///
    /// # Errors
    /// It is another one.
    pub fn check(&self, definition: &TableDefinition) -> Result<(), Contradiction> {
        let hidden = self.columns.get(definition.columns.len()..);
        let is_whole = hidden.is_some_and(|hidden| {
            hidden.len() <= definition.hidden_max && hidden.iter().all(EventColumn::is_hidden)
        });
        if !is_whole {
            return Err(Contradiction::Count {
                event: self.columns.len(),
                definition: definition.columns.len(),
            });
        }
        let pairs = self.columns.iter().zip(&definition.columns);
        for (place, (event, column)) in pairs.enumerate() {
            if let Some(name) = &event.name
                && *name != column.name
            {
                return Err(Contradiction::Name {
                    place: place + 1,
                    definition: column.name.clone(),
                    event: name.clone(),
                });
            }
            if !event.agrees_with(&column.kind) {
                return Err(Contradiction::Type {
                    column: column.name.clone(),
                    definition: column.kind.to_string(),
                    event: event.describe(),
                });
            }
        }
        Ok(())
    }

    /// Takes over from the definition what the event does not tell: MariaDB's own format of times with fractions of a
    /// second has the type of times without.
    pub(crate) fn adopt(&mut self, definition: &TableDefinition) {
        for (event, column) in self.columns.iter_mut().zip(&definition.columns) {
            event.wire = match (event.wire, &column.kind) {
                (Wire::OldTime, ColumnType::Time(fsp @ 1..)) => Wire::HiresTime(*fsp),
                (Wire::OldDateTime, ColumnType::DateTime(fsp @ 1..)) => Wire::HiresDateTime(*fsp),
                (Wire::OldTimestamp, ColumnType::Timestamp(fsp @ 1..)) => {
                    Wire::HiresTimestamp(*fsp)
                }
                (wire, _) => wire,
            };
        }
    }

    /// Tells whether the columns are those of a sequence, where the event has their names.
    fn is_sequence(&self) -> bool {
        const NAMES: [&str; 8] = [
            "next_not_cached_value",
            "minimum_value",
            "maximum_value",
            "start_value",
            "increment",
            "cache_size",
            "cycle_option",
            "cycle_count",
        ];
        let names = self.columns.iter().map(|column| column.name.as_deref());
        names.eq(NAMES.map(Some))
    }

    /// Returns the number and the name of a table, from the body of its event.
    ///
    /// # Errors
    /// The body is cut short.
    pub(crate) fn named(body: &[u8]) -> Result<Self, MalformedEvent> {
        let read = |body: &mut Bytes<'_>| {
            let table_id = body.uint(6)?;
            body.take(2)?;
            let database = text(read_short(body)?);
            body.take(1)?;
            let table = text(read_short(body)?);
            Some(Self {
                table_id,
                name: TableName { database, table },
                columns: Vec::new(),
                primary_key: None,
            })
        };
        read(&mut Bytes::new(body)).ok_or_else(|| MalformedEvent::new(EVENT, "cut short"))
    }

    /// Returns the definition that the event itself carries; `None` without `binlog_row_metadata=FULL`.
    #[must_use]
    pub fn definition(&self) -> Option<TableDefinition> {
        let columns = self
            .columns
            .iter()
            .map(EventColumn::definition)
            .collect::<Option<Vec<_>>>()?;
        Some(TableDefinition {
            name: self.name.clone(),
            columns,
            primary_key: self.primary_key.clone().unwrap_or_default(),
            charset: String::new(),
            hidden_max: 0,
            is_sequence: self.is_sequence(),
        })
    }
}

fn read_short<'a>(body: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(body.uint(1)?).ok()?;
    body.take(length)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl EventColumn {
    /// Tells whether it can be the hash that MariaDB keeps for a UNIQUE over values of any length.
    fn is_hidden(&self) -> bool {
        let names_hash = |name: &String| name.starts_with("DB_ROW_HASH_");
        self.wire == Wire::Int(8) && self.name.as_ref().is_none_or(names_hash)
    }

    fn charset(&self) -> Option<&'static str> {
        self.collation.and_then(charset_of_collation)
    }

    fn describe(&self) -> String {
        let sign = match self.unsigned {
            Some(true) => " unsigned",
            _ => "",
        };
        match self.charset() {
            Some(charset) => format!("{}{sign} in {charset}", self.wire),
            None => format!("{}{sign}", self.wire),
        }
    }

    fn agrees_with(&self, kind: &ColumnType) -> bool {
        let sign = |unsigned: &bool| self.unsigned.is_none_or(|event| event == *unsigned);
        let same = |charset: &str| self.charset().is_none_or(|event| event == charset);
        let bytes = |length: u32, charset: &str| length * max_length_of_charset(charset);
        match (&self.wire, kind) {
            (Wire::Int(1), ColumnType::TinyInt { unsigned, .. })
            | (Wire::Int(2), ColumnType::SmallInt { unsigned })
            | (Wire::Int(3), ColumnType::MediumInt { unsigned })
            | (Wire::Int(4), ColumnType::Int { unsigned })
            | (Wire::Int(8), ColumnType::BigInt { unsigned }) => sign(unsigned),
            (Wire::Float, ColumnType::Float)
            | (Wire::Double, ColumnType::Double)
            | (Wire::Year, ColumnType::Year)
            | (Wire::Date, ColumnType::Date)
            // With fractions of a second it is MariaDB's own format.
            | (Wire::OldTime, ColumnType::Time(_))
            | (Wire::OldDateTime, ColumnType::DateTime(_))
            | (Wire::OldTimestamp, ColumnType::Timestamp(_))
            | (Wire::Json(_), ColumnType::Json)
            // MariaDB's JSON is a LONGTEXT.
            | (Wire::Blob(4), ColumnType::Json)
            | (Wire::Geometry(_), ColumnType::Geometry)
            | (Wire::Vector(_), ColumnType::Vector)
            | (Wire::Char(16), ColumnType::Uuid | ColumnType::Inet6)
            | (Wire::Char(4), ColumnType::Inet4) => true,
            (
                Wire::Decimal(precision, scale),
                ColumnType::Decimal {
                    precision: p,
                    scale: s,
                },
            ) => precision == p && scale == s,
            (Wire::Bit(event), ColumnType::Bit(bits)) => event == bits,
            (Wire::Time(event) | Wire::HiresTime(event), ColumnType::Time(fsp))
            | (Wire::DateTime(event) | Wire::HiresDateTime(event), ColumnType::DateTime(fsp))
            | (Wire::Timestamp(event) | Wire::HiresTimestamp(event), ColumnType::Timestamp(fsp)) => {
                event == fsp
            }
            (
                Wire::Char(event),
                ColumnType::Char {
                    length, charset, ..
                },
            )
            | (
                Wire::Varchar(event),
                ColumnType::Varchar {
                    length, charset, ..
                },
            ) => same(charset) && *event == bytes(*length, charset),
            (Wire::CompressedVarchar(_), ColumnType::Varchar { charset, .. })
            | (Wire::CompressedBlob(_), ColumnType::Text { charset, .. }) => same(charset),
            (Wire::CompressedVarchar(_), ColumnType::Varbinary(_))
            | (Wire::CompressedBlob(_), ColumnType::Blob(_)) => same("binary"),
            (
                Wire::Blob(event),
                ColumnType::Text {
                    prefix, charset, ..
                },
            ) => event == prefix && same(charset),
            (Wire::Char(event), ColumnType::Binary(length))
            | (Wire::Varchar(event), ColumnType::Varbinary(length)) => {
                same("binary") && event == length
            }
            (Wire::Blob(event), ColumnType::Blob(prefix)) => event == prefix && same("binary"),
            (Wire::Enum(width), ColumnType::Enum { members, charset }) => {
                let needed = if members.len() < 256 { 1 } else { 2 };
                *width == needed && same(charset) && self.has_as_many_members(members)
            }
            (Wire::Set(width), ColumnType::Set { members, charset }) => {
                let bytes = members.len().div_ceil(8);
                let needed = if bytes > 4 { 8 } else { bytes.max(1) };
                usize::from(*width) == needed && same(charset) && self.has_as_many_members(members)
            }
            _ => false,
        }
    }

    fn has_as_many_members(&self, members: &[String]) -> bool {
        self.members
            .as_ref()
            .is_none_or(|event| event.len() == members.len())
    }

    fn definition(&self) -> Option<ColumnDefinition> {
        let unsigned = self.unsigned.unwrap_or(false);
        let charset = || self.charset().map(str::to_owned);
        let kind = match self.wire {
            Wire::Int(1) => ColumnType::TinyInt {
                unsigned,
                is_boolean: false,
            },
            Wire::Int(2) => ColumnType::SmallInt { unsigned },
            Wire::Int(3) => ColumnType::MediumInt { unsigned },
            Wire::Int(4) => ColumnType::Int { unsigned },
            Wire::Int(_) => ColumnType::BigInt { unsigned },
            Wire::Float => ColumnType::Float,
            Wire::Double => ColumnType::Double,
            Wire::Decimal(precision, scale) => ColumnType::Decimal { precision, scale },
            Wire::Bit(bits) => ColumnType::Bit(bits),
            Wire::Year => ColumnType::Year,
            Wire::Date => ColumnType::Date,
            // How many digits of a second the values have is told by their definition only, and with it how long they are.
            Wire::OldTime | Wire::OldDateTime | Wire::OldTimestamp => return None,
            Wire::Time(fsp) | Wire::HiresTime(fsp) => ColumnType::Time(fsp),
            Wire::DateTime(fsp) | Wire::HiresDateTime(fsp) => ColumnType::DateTime(fsp),
            Wire::Timestamp(fsp) | Wire::HiresTimestamp(fsp) => ColumnType::Timestamp(fsp),
            Wire::Json(_) => ColumnType::Json,
            Wire::Geometry(_) => ColumnType::Geometry,
            Wire::Vector(_) => ColumnType::Vector,
            Wire::Enum(_) | Wire::Set(_) => {
                let charset = charset()?;
                let decode = Charset::find(&charset)?;
                let members = self.members.as_ref()?;
                let members = members
                    .iter()
                    .map(|member| decode.decode(member).into_owned())
                    .collect();
                match self.wire {
                    Wire::Enum(_) => ColumnType::Enum { members, charset },
                    _ => ColumnType::Set { members, charset },
                }
            }
            Wire::Char(length) | Wire::Varchar(length) | Wire::CompressedVarchar(length) => {
                let charset = charset()?;
                let is_char = matches!(self.wire, Wire::Char(_));
                match (charset == "binary", is_char) {
                    (true, true) => ColumnType::Binary(length),
                    (true, false) => ColumnType::Varbinary(length),
                    (false, true) => ColumnType::Char {
                        length: length / max_length_of_charset(&charset),
                        charset,
                    },
                    (false, false) => ColumnType::Varchar {
                        length: length / max_length_of_charset(&charset),
                        charset,
                    },
                }
            }
            Wire::Blob(prefix) | Wire::CompressedBlob(prefix) => {
                let charset = charset()?;
                if charset == "binary" {
                    ColumnType::Blob(prefix)
                } else {
                    ColumnType::Text { prefix, charset }
                }
            }
        };
        Some(ColumnDefinition {
            name: self.name.clone()?,
            kind,
            nullable: self.nullable,
            generated: None,
        })
    }
}
