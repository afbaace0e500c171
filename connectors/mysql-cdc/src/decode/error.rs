//! Values that cannot become what was declared.

use crate::definition::TableName;

/// A row that cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A value is none of the declared type.
    #[error(transparent)]
    Value(Box<ValueError>),
    /// The image lacks columns that are wanted.
    #[error(
        "table {table}: the row image lacks columns {} (binlog_row_image was MINIMAL or NOBLOB in the writing \
         session); make it write FULL images: SET binlog_row_image='FULL'",
        columns.join(", ")
    )]
    Absent {
        /// The table.
        table: TableName,
        /// The columns.
        columns: Vec<String>,
    },
    /// The image carries differences to a value that is not there.
    #[error(
        "table {table}, column '{column}': the update carries only differences (binlog_row_value_options=PARTIAL_JSON) \
         and its row image lacks the value before; make the writing session SET binlog_row_value_options='' or \
         binlog_row_image='FULL'"
    )]
    Differences {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
}

/// A value that the declared type does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "table {table}, column '{column}' (MySQL {kind}), declared {declared}: value {value} {reason}{}",
    if key.is_empty() { String::new() } else { format!("; row with {key}") }
)]
pub struct ValueError {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: String,
    /// Its type on the server.
    pub kind: String,
    /// The type of the Flink table's column.
    pub declared: String,
    /// The value, cut to 100 characters.
    pub value: String,
    /// What is wrong with it.
    pub reason: String,
    /// The primary key of the row, as far as it can be shown.
    pub key: String,
}

/// A column whose values can never become what was declared: told before the first row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table {table}, column '{column}' (MySQL {kind}), declared {declared}: {reason}")]
pub struct Unsupported {
    /// The table.
    pub table: TableName,
    /// The column.
    pub column: Box<str>,
    /// Its type on the server.
    pub kind: Box<str>,
    /// The type of the Flink table's column.
    pub declared: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

/// Characters of a value that a message shows.
pub(crate) const SHOWN_MAX: usize = 100;

/// Cuts a value for a message.
pub(crate) fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("'{}…'", &value[..end]),
        None => format!("'{value}'"),
    }
}
