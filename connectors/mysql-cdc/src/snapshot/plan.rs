//! How a table is read: under which definition, which columns, cut by which key.

use std::sync::Arc;

use millrace_connector::{ConnectorError, ErrorKind, Retry};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::bound::literal;
use super::key::ChunkKey;
use super::query::Trouble;
use crate::config::Config;
use crate::connection::quoted;
use crate::decode::{DeclaredColumn, KeyReader, RowDecoder};
use crate::definition::{ColumnType, TableDefinition, TableName};
use crate::position::Bound;
use crate::server;
use crate::tables::value_options;

/// How a table is read; shared by the readers.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) table: TableName,
    pub(super) definition: Arc<TableDefinition>,
    pub(super) key: ChunkKey,
    pub(super) primary_key: Option<KeyReader>,
    pub(super) primary_columns: usize,
    /// What is selected: the wanted columns, the primary key, the chunk column.
    pub(super) list: String,
    /// Rows of a chunk.
    pub(super) rows: u64,
}

impl Plan {
    /// Asks for a table's definition and returns how it is read; `None` if the table is gone.
    pub(super) fn of(
        conn: &mut Conn,
        config: &Config,
        declared: &[DeclaredColumn],
        table: &TableName,
        rows: u64,
    ) -> Result<Option<Self>, Trouble> {
        // SHOW CREATE TABLE needs its answer as text in UTF-8.
        conn.query_drop("SET character_set_results=utf8mb4")?;
        let definition = server::definition(conn, config, table)?;
        conn.query_drop("SET character_set_results=NULL")?;
        let Some(definition) = definition else {
            return Ok(None);
        };
        let key = ChunkKey::of(&definition, config)?;
        let primary = definition.primary_key.clone();
        let primary_key = match primary.as_slice() {
            [] => None,
            places => KeyReader::new(&definition, places),
        };
        let mut plan = Self {
            table: table.clone(),
            definition: Arc::new(definition),
            primary_columns: primary.len(),
            list: String::new(),
            rows,
            key,
            primary_key,
        };
        let decoder = plan.decoder(config, declared)?;
        let places = decoder
            .query_columns()
            .iter()
            .chain(&primary)
            .chain([&plan.key.place]);
        let list: Vec<String> = places
            .map(|place| quoted(&plan.definition.columns[*place].name))
            .collect();
        plan.list = list.join(", ");
        Ok(Some(plan))
    }

    /// Returns a decoder of the table's rows.
    pub(super) fn decoder(
        &self,
        config: &Config,
        declared: &[DeclaredColumn],
    ) -> Result<RowDecoder, ConnectorError> {
        RowDecoder::new(
            Arc::clone(&self.definition),
            declared,
            &value_options(config),
        )
        .map_err(|error| ConnectorError::new(ErrorKind::Config, Retry::Never, error.to_string()))
    }

    /// Returns the table's name in the server's quotes.
    pub(super) fn table_name(&self) -> String {
        format!(
            "{}.{}",
            quoted(&self.table.database),
            quoted(&self.table.table)
        )
    }

    /// Returns a comparison of the chunk column with a bound.
    pub(super) fn compare(&self, sign: &str, bound: &Bound) -> String {
        format!(
            "{} {sign} {}",
            quoted(&self.key.name),
            literal(bound, &self.key.kind)
        )
    }

    /// Returns the condition of rows from one bound to below the other.
    pub(super) fn condition(&self, lower: Option<&Bound>, upper: Option<&Bound>) -> String {
        let key = quoted(&self.key.name);
        match (lower, upper) {
            (None, None) => String::new(),
            (None, Some(upper)) => {
                format!(" WHERE ({} OR {key} IS NULL)", self.compare("<", upper))
            }
            (Some(lower), None) => format!(" WHERE {}", self.compare(">=", lower)),
            (Some(lower), Some(upper)) => {
                format!(
                    " WHERE {} AND {}",
                    self.compare(">=", lower),
                    self.compare("<", upper)
                )
            }
        }
    }

    /// Tells whether so many numbers of the chunk column are at most as many rows.
    pub(super) fn counts_by_key(&self) -> bool {
        self.definition.primary_key == [self.key.place]
            && matches!(
                self.key.kind,
                ColumnType::SmallInt { .. }
                    | ColumnType::MediumInt { .. }
                    | ColumnType::Int { .. }
                    | ColumnType::BigInt { .. }
            )
    }
}
