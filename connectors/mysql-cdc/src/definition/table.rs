//! A table and its name.

use std::fmt;

use super::ColumnDefinition;

/// A table's name with its database's.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct TableName {
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

impl TableName {
    /// Returns the name of a table.
    pub fn new(database: impl Into<String>, table: impl Into<String>) -> Self {
        Self {
            database: database.into(),
            table: table.into(),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

/// A table as it is at some position of the binary log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct TableDefinition {
    /// Its name.
    pub name: TableName,
    /// Its columns in the table's order.
    pub columns: Vec<ColumnDefinition>,
    /// Places of the primary key's columns, in the key's order; empty without one.
    pub primary_key: Vec<usize>,
    /// The charset of columns that name none; empty until it is taken over from the database's default.
    pub charset: String,
    /// How many columns row events may have behind those: MariaDB adds one that no statement names for each UNIQUE over
    /// values of any length. At most the number of UNIQUEs.
    #[serde(default)]
    pub hidden_max: usize,
    /// It is a sequence of MariaDB's, whose rows are none of a table.
    #[serde(default)]
    pub is_sequence: bool,
}

impl TableDefinition {
    /// Returns a sequence of MariaDB's.
    #[must_use]
    pub fn sequence(name: TableName) -> Self {
        Self {
            name,
            columns: Vec::new(),
            primary_key: Vec::new(),
            charset: String::new(),
            hidden_max: 0,
            is_sequence: true,
        }
    }

    /// Returns the place of a column, by its exact name.
    #[must_use]
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Returns the place of a column as the server finds it: names of columns ignore case.
    #[must_use]
    pub(crate) fn column_index_ignoring_case(&self, name: &str) -> Option<usize> {
        self.column_index(name).or_else(|| {
            let lower = name.to_lowercase();
            self.columns
                .iter()
                .position(|column| column.name.to_lowercase() == lower)
        })
    }
}
