//! What a table is made of.

use serde::{Deserialize, Serialize};

/// The hidden column that marks a row of a UNIQUE table as deleted.
pub(crate) const DELETE_SIGN: &str = "__DORIS_DELETE_SIGN__";

/// How a table treats rows of equal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keys {
    /// It keeps all of them.
    #[serde(rename = "DUP_KEYS")]
    Duplicate,
    /// It keeps the last one.
    #[serde(rename = "UNIQUE_KEYS")]
    Unique,
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
        }
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
        if self.keys == Keys::Unique && !self.columns.iter().any(|column| column.key) {
            return Err(format!("UNIQUE table '{}' has no key column", self.table));
        }
        self.columns
            .iter()
            .map(|column| ColumnType::parse(&column.ty))
            .collect()
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
