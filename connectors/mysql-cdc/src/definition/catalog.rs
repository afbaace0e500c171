//! The definitions of all tables seen, kept in step with the DDL of the binary log.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Alteration, Change, ColumnDefinition, Place, TableDefinition, TableName};

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

    fn key(&self, table: &TableName) -> TableName {
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
        self.tables
            .insert(definition.name.clone(), Arc::clone(&definition));
        definition
    }

    /// Forgets a table.
    pub fn remove(&mut self, table: &TableName) {
        let key = self.key(table);
        self.tables.remove(&key);
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
                if *if_not_exists && self.get(&definition.name).is_some() {
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
                if *if_not_exists && self.get(table).is_some() {
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
                Applied::Changed(dropped.into_iter().map(|(name, _)| name).collect())
            }
            Change::DatabaseCharset { database, charset } => {
                self.set_database_charset(database, charset);
                Applied::Nothing
            }
            Change::NotUnderstood { tables, .. } => {
                for table in tables {
                    self.remove(table);
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
                self.tables.remove(&name);
                Applied::Unknown(vec![name])
            }
        }
    }

    fn rename(&mut self, from: &TableName, to: &TableName) -> Applied {
        let from = self.key(from);
        let definition = self.tables.remove(&from);
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
            self.tables.remove(&renamed);
            return Applied::Unknown(vec![renamed]);
        };
        let mut definition = (*definition).clone();
        for alteration in alterations {
            if definition.alter(alteration).is_none() {
                return Applied::Unknown(vec![renamed]);
            }
        }
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

impl TableDefinition {
    /// Applies one part of an ALTER TABLE; `None` if it does not fit.
    fn alter(&mut self, alteration: &Alteration) -> Option<()> {
        let key = self.key_names();
        match alteration {
            Alteration::Add {
                column,
                place,
                is_primary_key,
                if_not_exists,
            } => {
                if self.column_index_ignoring_case(&column.name).is_some() {
                    return if_not_exists.then_some(());
                }
                let end = self.columns.len();
                self.insert(column.clone(), place, end)?;
                let mut key = key;
                if *is_primary_key {
                    key.push(column.name.clone());
                }
                self.set_primary_key(&key).ok()?;
            }
            Alteration::Drop(name) => {
                // `IF EXISTS` of a column that is not there changes nothing.
                let Some(at) = self.column_index_ignoring_case(name) else {
                    return Some(());
                };
                let name = self.columns.remove(at).name;
                let key: Vec<_> = key.into_iter().filter(|other| *other != name).collect();
                self.set_primary_key(&key).ok()?;
            }
            Alteration::Change {
                from,
                column,
                place,
                is_primary_key,
                if_exists,
            } => {
                let Some(at) = self.column_index_ignoring_case(from) else {
                    return if_exists.then_some(());
                };
                let old = self.columns.remove(at).name;
                let mut key: Vec<_> = key
                    .into_iter()
                    .map(|name| {
                        if name == old {
                            column.name.clone()
                        } else {
                            name
                        }
                    })
                    .collect();
                if *is_primary_key && !key.contains(&column.name) {
                    key.push(column.name.clone());
                }
                self.insert(column.clone(), place, at)?;
                self.set_primary_key(&key).ok()?;
            }
            Alteration::RenameColumn { from, to } => {
                let at = self.column_index_ignoring_case(from)?;
                self.columns[at].name.clone_from(to);
            }
            Alteration::AddPrimaryKey(names) => self.set_primary_key(names).ok()?,
            Alteration::DropPrimaryKey => self.primary_key.clear(),
            Alteration::DefaultCharset(charset) => self.charset.clone_from(charset),
            Alteration::ConvertCharset(charset) => {
                self.charset.clone_from(charset);
                for column in &mut self.columns {
                    if let Some(own) = column.kind.charset_mut() {
                        own.clone_from(charset);
                    }
                }
            }
            Alteration::Rename(_) => {}
        }
        Some(())
    }

    fn key_names(&self) -> Vec<String> {
        let places = self.primary_key.iter();
        places.map(|at| self.columns[*at].name.clone()).collect()
    }

    fn insert(&mut self, column: ColumnDefinition, place: &Place, kept: usize) -> Option<()> {
        let at = match place {
            Place::Kept => kept.min(self.columns.len()),
            Place::First => 0,
            Place::After(name) => self.column_index_ignoring_case(name)? + 1,
        };
        self.columns.insert(at, column);
        Some(())
    }
}
