//! What a table is made of.

use serde::{Deserialize, Serialize};

/// The hidden column that marks a row of a UNIQUE table as deleted.
pub(crate) const DELETE_SIGN: &str = "__DORIS_DELETE_SIGN__";
/// The hidden column by which a UNIQUE table tells which of two rows is the newer one.
pub(crate) const SEQUENCE: &str = "__DORIS_SEQUENCE_COL__";

/// How a table treats rows of equal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keys {
    /// It keeps all of them.
    #[serde(rename = "DUP_KEYS")]
    Duplicate,
    /// It keeps the last one.
    #[serde(rename = "UNIQUE_KEYS")]
    Unique,
    /// It merges them, each column in its way.
    #[serde(rename = "AGG_KEYS")]
    Aggregate,
}

impl Keys {
    /// Returns the word of CREATE TABLE.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Duplicate => "DUPLICATE",
            Self::Unique => "UNIQUE",
            Self::Aggregate => "AGGREGATE",
        }
    }

    /// Returns the word of `_schema`.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Duplicate => "DUP_KEYS",
            Self::Unique => "UNIQUE_KEYS",
            Self::Aggregate => "AGG_KEYS",
        }
    }

    /// Returns the word of `COLUMN_KEY` in `information_schema.columns`.
    pub(crate) fn short(self) -> &'static str {
        match self {
            Self::Duplicate => "DUP",
            Self::Unique => "UNI",
            Self::Aggregate => "AGG",
        }
    }
}

/// How a column of an AGGREGATE table merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Aggregation {
    /// All values together.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The last.
    Replace,
    /// The last that is not NULL.
    ReplaceIfNotNull,
}

impl Aggregation {
    /// Returns the word of CREATE TABLE.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sum => "SUM",
            Self::Min => "MIN",
            Self::Max => "MAX",
            Self::Replace => "REPLACE",
            Self::ReplaceIfNotNull => "REPLACE_IF_NOT_NULL",
        }
    }

    /// Returns what a word of CREATE TABLE means.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [
            Self::Sum,
            Self::Min,
            Self::Max,
            Self::Replace,
            Self::ReplaceIfNotNull,
        ]
        .into_iter()
        .find(|known| known.word().eq_ignore_ascii_case(word))
    }
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSchema {
    /// Its database.
    pub db: String,
    /// Its name.
    pub table: String,
    /// Its model.
    pub keys: Keys,
    /// Its columns, those of the key first.
    pub columns: Vec<Column>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as in CREATE TABLE, such as `DECIMAL(18,4)`.
    #[serde(rename = "type")]
    pub ty: String,
    /// Whether it may be NULL.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// Whether it belongs to the key.
    #[serde(default)]
    pub key: bool,
    /// How it merges in an AGGREGATE table.
    #[serde(default)]
    pub aggregation: Option<Aggregation>,
    /// What a row has that does not say.
    #[serde(default)]
    pub default: Option<String>,
    /// Whether its value tells which of two rows of a key is the newer one.
    #[serde(default)]
    pub sequence: bool,
    /// Whether queries don't show it.
    #[serde(default)]
    pub hidden: bool,
    /// What people say of it.
    #[serde(default)]
    pub comment: String,
}

fn yes() -> bool {
    true
}

impl Column {
    /// Returns a nullable column outside the key.
    pub fn new(name: impl Into<String>, ty: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ty: ty.into(),
            nullable: true,
            key: false,
            aggregation: None,
            default: None,
            sequence: false,
            hidden: false,
            comment: String::new(),
        }
    }

    /// Makes it merge so in an AGGREGATE table.
    #[must_use]
    pub fn aggregated(mut self, aggregation: Aggregation) -> Self {
        self.aggregation = Some(aggregation);
        self
    }

    /// Makes its values tell which of two rows of a key is the newer one.
    #[must_use]
    pub fn sequence(mut self) -> Self {
        self.sequence = true;
        self
    }

    /// Makes it a NOT NULL column.
    #[must_use]
    pub fn not_null(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// Makes it part of the key, and NOT NULL.
    #[must_use]
    pub fn key(mut self) -> Self {
        self.key = true;
        self.nullable = false;
        self
    }
}

/// A type that values are checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnType {
    Boolean,
    /// A whole number of so many bits.
    Integer(u32),
    Float,
    Double,
    Decimal(u32, u32),
    Date,
    DateTime(u32),
    /// So many bytes of UTF-8 at most.
    Text(usize),
    Json,
    /// ARRAY, MAP, STRUCT: kept as they come.
    Nested,
}

impl ColumnType {
    /// Returns the type that `text` names.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let upper = text.trim().to_ascii_uppercase();
        let (name, arguments) = match upper.split_once(['(', '<']) {
            Some((name, rest)) => (
                name.trim(),
                rest.trim_end_matches([')', '>'])
                    .split(',')
                    .map(str::trim)
                    .collect(),
            ),
            None => (upper.as_str(), Vec::new()),
        };
        let number = |at: usize, default: u32| match arguments.get(at) {
            None => Ok(default),
            Some(text) => text
                .parse::<u32>()
                .map_err(|_| format!("'{text}' in '{upper}' is no number")),
        };
        Ok(match name {
            "BOOLEAN" | "BOOL" => Self::Boolean,
            "TINYINT" => Self::Integer(8),
            "SMALLINT" => Self::Integer(16),
            "INT" | "INTEGER" => Self::Integer(32),
            "BIGINT" => Self::Integer(64),
            "LARGEINT" => Self::Integer(128),
            "FLOAT" => Self::Float,
            "DOUBLE" => Self::Double,
            "DECIMAL" | "DECIMALV3" => {
                let (precision, scale) = (number(0, 9)?, number(1, 0)?);
                if precision == 0 || precision > 38 || scale > precision {
                    return Err(format!("'{upper}' is out of range"));
                }
                Self::Decimal(precision, scale)
            }
            "DATE" | "DATEV2" => Self::Date,
            "DATETIME" | "DATETIMEV2" => match number(0, 0)? {
                digits @ 0..=6 => Self::DateTime(digits),
                _ => return Err(format!("'{upper}' has more than 6 digits")),
            },
            "CHAR" => Self::Text(number(0, 1)? as usize),
            "VARCHAR" => Self::Text(number(0, 65533)? as usize),
            "STRING" | "TEXT" => Self::Text(usize::MAX),
            "JSON" | "JSONB" | "VARIANT" => Self::Json,
            "ARRAY" | "MAP" | "STRUCT" => Self::Nested,
            _ => return Err(format!("the stand-in has no type '{text}'")),
        })
    }
}

impl TableSchema {
    /// Checks names and types, and returns the types.
    pub(crate) fn types(&self) -> Result<Vec<ColumnType>, String> {
        if self.columns.is_empty() {
            return Err(format!("table '{}' has no column", self.table));
        }
        if self.keys != Keys::Duplicate && !self.columns.iter().any(|column| column.key) {
            return Err(format!(
                "{} table '{}' has no key column",
                self.keys.word(),
                self.table
            ));
        }
        for column in &self.columns {
            let is_merged = column.aggregation.is_some();
            if is_merged != (self.keys == Keys::Aggregate && !column.key) {
                return Err(format!(
                    "column '{}' of {} table '{}' {} an aggregation",
                    column.name,
                    self.keys.word(),
                    self.table,
                    if is_merged { "cannot have" } else { "needs" }
                ));
            }
        }
        self.columns
            .iter()
            .map(|column| ColumnType::parse(&column.ty))
            .collect()
    }

    /// Returns the columns that queries show.
    pub(crate) fn shown(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.hidden)
    }

    /// Returns the place of the column that tells which row is newer.
    pub(crate) fn sequence(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.sequence)
    }

    /// Returns the place of a column by name, whose case counts not.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.name.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_types_as_create_table_writes_them() {
        for (text, expected) in [
            ("bigint", ColumnType::Integer(64)),
            ("DECIMAL(18, 4)", ColumnType::Decimal(18, 4)),
            ("datetime(3)", ColumnType::DateTime(3)),
            ("VARCHAR(10)", ColumnType::Text(10)),
            ("ARRAY<INT>", ColumnType::Nested),
        ] {
            assert_eq!(ColumnType::parse(text), Ok(expected), "{text}");
        }
        assert!(ColumnType::parse("BITMAP").is_err());
        assert!(ColumnType::parse("DECIMAL(40,2)").is_err());
    }
}
