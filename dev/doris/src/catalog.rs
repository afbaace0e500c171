//! Databases and tables: made, changed, dropped.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, ClusterError};
use crate::journal::Event;
use crate::schema::TableSchema;

impl Cluster {
    /// Makes a table; one that is there with the same columns is fine.
    pub(crate) fn create_table(&self, schema: TableSchema) -> Result<(), ClusterError> {
        schema.types().map_err(ClusterError::Schema)?;
        match self.table(&schema.db, &schema.table) {
            Some(there) if there == schema => Ok(()),
            Some(_) => Err(ClusterError::Schema(format!(
                "table '{}.{}' exists with other columns",
                schema.db, schema.table
            ))),
            None => self.change(Event::Table(schema)),
        }
    }

    /// Gives a table that is there another definition.
    pub(crate) fn alter_table(&self, schema: TableSchema) -> Result<(), ClusterError> {
        schema.types().map_err(ClusterError::Schema)?;
        self.existing(&schema.db, &schema.table)?;
        self.change(Event::Table(schema))
    }

    pub(crate) fn drop_table(&self, db: &str, table: &str) -> Result<(), ClusterError> {
        self.existing(db, table)?;
        self.change(Event::DropTable((db.to_owned(), table.to_owned())))
    }

    pub(crate) fn truncate_table(&self, db: &str, table: &str) -> Result<(), ClusterError> {
        self.existing(db, table)?;
        self.change(Event::Truncate((db.to_owned(), table.to_owned())))
    }

    pub(crate) fn create_database(&self, name: &str) -> Result<(), ClusterError> {
        self.change(Event::Database(name.to_owned()))
    }

    /// Drops a database with its tables.
    pub(crate) fn drop_database(&self, name: &str) -> Result<(), ClusterError> {
        for schema in self.tables(name) {
            self.drop_table(name, &schema.table)?;
        }
        self.change(Event::DropDatabase(name.to_owned()))
    }

    pub(crate) fn databases(&self) -> BTreeSet<String> {
        self.state().databases.clone()
    }

    /// Returns the tables of a database, by name.
    pub(crate) fn tables(&self, db: &str) -> Vec<TableSchema> {
        let state = self.state();
        let all = state.tables.values().filter(|table| table.db == db);
        all.cloned().collect()
    }

    pub(crate) fn table(&self, db: &str, table: &str) -> Option<TableSchema> {
        let name = (db.to_owned(), table.to_owned());
        self.state().tables.get(&name).cloned()
    }

    fn existing(&self, db: &str, table: &str) -> Result<TableSchema, ClusterError> {
        self.table(db, table)
            .ok_or_else(|| ClusterError::UnknownTable(format!("{db}.{table}")))
    }
}
