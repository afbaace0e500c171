//! The definitions of all tables seen, kept in step with the DDL of the binary log.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::altered::altered;
use super::{Alteration, Change, TableDefinition, TableName};

/// Definitions by table, at one position of the binary log.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    tables: HashMap<TableName, Arc<TableDefinition>>,
    /// Default charsets of databases.
    charsets: HashMap<String, String>,
    server_charset: String,
    /// Tables that are there with a definition that is not known: `IF NOT EXISTS` makes no new one.
    hidden: HashSet<TableName>,
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
            server_charset: charset_of_variable(character_set_server),
            ..Self::default()
        }
    }

    /// Notes the default charset of a database.
    pub fn set_database_charset(&mut self, database: &str, charset: &str) {
        let database = self.fold(database);
        self.charsets.insert(database, charset_of_variable(charset));
    }

    fn fold(&self, name: &str) -> String {
        if self.folds_names {
            name.to_lowercase()
        } else {
            name.to_owned()
        }
    }

    /// Returns the name that the server keeps a table under.
    pub(crate) fn key(&self, table: &TableName) -> TableName {
        TableName {
            database: self.fold(&table.database),
            table: self.fold(&table.table),
        }
    }

    /// Returns the definition of a table.
    #[must_use]
    pub fn get(&self, table: &TableName) -> Option<&Arc<TableDefinition>> {
        if self.folds_names {
            return self.tables.get(&self.key(table));
        }
        self.tables.get(table)
    }

    /// Notes a definition.
    pub fn insert(&mut self, mut definition: TableDefinition) -> Arc<TableDefinition> {
        definition.name = self.key(&definition.name);
        let definition = Arc::new(definition);
        self.hidden.remove(&definition.name);
        self.tables
            .insert(definition.name.clone(), Arc::clone(&definition));
        definition
    }

    /// Forgets a table.
    pub fn remove(&mut self, table: &TableName) {
        let key = self.key(table);
        self.hidden.remove(&key);
        self.tables.remove(&key);
    }

    /// Notes that a table is there whose definition is not known.
    pub fn hide(&mut self, table: &TableName) {
        let key = self.key(table);
        self.tables.remove(&key);
        self.hidden.insert(key);
    }

    fn is_there(&self, table: &TableName) -> bool {
        self.get(table).is_some() || self.hidden.contains(&self.key(table))
    }

    /// Returns the tables with a known definition.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TableDefinition>> {
        self.tables.values()
    }

    /// Applies a change of the binary log.
    pub fn apply(&mut self, change: &Change) -> Applied {
        match change {
            Change::Create {
                definition,
                if_not_exists,
            } => {
                if *if_not_exists && self.is_there(&definition.name) {
                    return Applied::Nothing;
                }
                let mut definition = (**definition).clone();
                let charset = self.default_charset(&definition.name.database);
                definition.resolve_charsets(&charset);
                Applied::Changed(vec![self.insert(definition).name.clone()])
            }
            Change::CreateLike {
                table,
                like,
                if_not_exists,
            } => {
                if *if_not_exists && self.is_there(table) {
                    return Applied::Nothing;
                }
                let definition = self.get(like).map(|like| (**like).clone());
                self.put(table, definition)
            }
            Change::Alter { table, alterations } => self.alter(table, alterations),
            Change::Rename { from, to } => self.rename(from, to),
            Change::Drop(table) => {
                self.remove(table);
                Applied::Changed(vec![self.key(table)])
            }
            Change::Truncate(_) => Applied::Nothing,
            Change::DropDatabase(database) => {
                let database = self.fold(database);
                let (dropped, kept) = std::mem::take(&mut self.tables)
                    .into_iter()
                    .partition::<Vec<_>, _>(|(name, _)| name.database == database);
                self.tables = kept.into_iter().collect();
                self.charsets.remove(&database);
                self.hidden.retain(|name| name.database != database);
                Applied::Changed(dropped.into_iter().map(|(name, _)| name).collect())
            }
            Change::DatabaseCharset { database, charset } => {
                self.set_database_charset(database, charset);
                Applied::Nothing
            }
            Change::NotUnderstood { tables, .. } => {
                for table in tables {
                    self.hide(table);
                }
                Applied::Unknown(tables.iter().map(|table| self.key(table)).collect())
            }
        }
    }

    fn default_charset(&self, database: &str) -> String {
        let of_database = self.charsets.get(&self.fold(database));
        of_database.unwrap_or(&self.server_charset).clone()
    }

    fn put(&mut self, table: &TableName, definition: Option<TableDefinition>) -> Applied {
        let name = self.key(table);
        match definition {
            Some(mut definition) => {
                definition.name = name;
                Applied::Changed(vec![self.insert(definition).name.clone()])
            }
            None => {
                self.hide(&name);
                Applied::Unknown(vec![name])
            }
        }
    }

    fn rename(&mut self, from: &TableName, to: &TableName) -> Applied {
        let from = self.key(from);
        let definition = self.tables.remove(&from);
        self.hidden.remove(&from);
        let definition = definition.map(|definition| (*definition).clone());
        match self.put(to, definition) {
            Applied::Changed(mut names) => {
                names.push(from);
                Applied::Changed(names)
            }
            applied => applied,
        }
    }

    fn alter(&mut self, table: &TableName, alterations: &[Alteration]) -> Applied {
        let key = self.key(table);
        let mut renamed = key.clone();
        for alteration in alterations {
            if let Alteration::Rename(to) = alteration {
                renamed = self.key(to);
            }
        }
        let Some(definition) = self.tables.remove(&key) else {
            self.hide(&renamed);
            return Applied::Unknown(vec![renamed]);
        };
        let Some(mut definition) = altered(&definition, alterations) else {
            self.hide(&renamed);
            return Applied::Unknown(vec![renamed]);
        };
        let default = self.default_charset(&key.database);
        definition.resolve_charsets(&default);
        let is_renamed = renamed != key;
        let mut applied = self.put(&renamed, Some(definition));
        if is_renamed && let Applied::Changed(names) = &mut applied {
            names.push(key);
        }
        applied
    }
}

fn charset_of_variable(charset: &str) -> String {
    crate::decode::canonical(&charset.to_ascii_lowercase()).to_owned()
}
