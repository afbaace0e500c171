//! What tables look like: from SHOW CREATE TABLE, from the DDL in the binary log, and from its TABLE_MAP events.

mod alter;
mod altered;
mod catalog;
mod column;
mod create;
pub mod ddl;
mod lexer;
mod matching;
mod statement;
mod table;
mod table_map;
mod written;

pub use catalog::{Applied, Definitions};
pub use column::{ColumnDefinition, ColumnType, Generated};
pub use ddl::{Alteration, Change, Dialect, Place, SqlMode};
pub use matching::{MatchError, TableMatcher};
pub use table::{TableDefinition, TableName};
pub use table_map::{Contradiction, EventColumn, MalformedEvent, TableMap};
pub(crate) use written::{Written, written};

/// A statement that could not be read: ask the server for the table's definition instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} near '{near}'")]
pub struct NotUnderstood {
    /// What was expected or not known.
    pub reason: String,
    /// The text where reading stopped.
    pub near: String,
}
