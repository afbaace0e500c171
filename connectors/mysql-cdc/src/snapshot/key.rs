//! The column that chunks are cut by, and how its values compare.

use millrace_connector::{ConnectorError, ErrorKind, Retry};

use crate::config::Config;
use crate::decode::{KeyReader, KeyValue};
use crate::definition::{ColumnType, TableDefinition};
use crate::position::Bound;

/// How the values of a chunk column compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As they do here.
    Here,
    /// As only the server knows: texts under a collation.
    Server,
    /// Not in a way that chunks could be cut by: one chunk is the table.
    Whole,
}

/// The column that the chunks of a table are cut by.
#[derive(Clone, Debug)]
pub(super) struct ChunkKey {
    pub(super) place: usize,
    pub(super) kind: ColumnType,
    pub(super) name: String,
    pub(super) order: Order,
    pub(super) reader: Option<KeyReader>,
}

impl ChunkKey {
    /// Returns the chunk column of a table.
    pub(super) fn of(
        definition: &TableDefinition,
        config: &Config,
    ) -> Result<Self, ConnectorError> {
        let option = "scan.incremental.snapshot.chunk.key-column";
        let fail = |text: String| {
            ConnectorError::new(ErrorKind::Config, Retry::Never, text).help(format!(
                "set '{option}' to a column that is indexed and seldom changes"
            ))
        };
        let place = match (&config.chunk_key, definition.primary_key.first()) {
            (Some(name), _) => definition
                .columns
                .iter()
                .position(|column| column.name.eq_ignore_ascii_case(name))
                .ok_or_else(|| {
                    fail(format!(
                        "table {} has no column '{name}' ('{option}')",
                        definition.name
                    ))
                })?,
            (None, Some(place)) => *place,
            (None, None) => {
                return Err(fail(format!(
                    "table {} has no primary key: its snapshot needs the option '{option}'",
                    definition.name
                )));
            }
        };
        let column = &definition.columns[place];
        let reader = KeyReader::new(definition, &[place]);
        let order = match &column.kind {
            ColumnType::Char { .. } | ColumnType::Varchar { .. } | ColumnType::Text { .. } => {
                Order::Server
            }
            // Zero dates come before all others here as there.
            ColumnType::Date | ColumnType::DateTime(_) if reader.is_some() => Order::Here,
            _ if reader.as_ref().is_some_and(KeyReader::is_ordered) => Order::Here,
            _ => Order::Whole,
        };
        Ok(Self {
            place,
            kind: column.kind.clone(),
            name: column.name.clone(),
            order,
            reader,
        })
    }

    /// Returns the bound in the order of values here.
    pub(super) fn value(&self, bound: &Bound) -> Option<KeyValue> {
        self.reader
            .as_ref()?
            .first_of_query(&super::bound::to_value(bound))
    }
}
