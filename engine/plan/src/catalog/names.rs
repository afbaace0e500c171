//! The names of a pipeline: catalogs, databases, and the tables and views in them.
//!
//! # Flink
//! A name of one part is of the current database, one of two parts of the current catalog. A temporary table hides the
//! one of the same name, and must be dropped before it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use millrace_connector::{Diagnostic, Span, did_you_mean};
use millrace_sql::ast::{self, ObjectName};

use super::Table;
use crate::logical::BoundQuery;

const DEFAULT_CATALOG: &str = "default_catalog";
const DEFAULT_DATABASE: &str = "default_database";

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// A table of a connector.
    Table(Arc<Table>),
    /// A query under a name.
    View(Arc<BoundQuery>),
    /// Something whose definition had errors; they were reported.
    Broken,
}

/// How a table or view is created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Creation {
    /// Whether TEMPORARY was written.
    pub(crate) temporary: bool,
    /// Whether an existing one is no error.
    pub(crate) if_not_exists: bool,
    /// Whether OR REPLACE was written.
    pub(crate) or_replace: bool,
}

/// Whether a table or a view is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    View,
}

/// A whole name: catalog, database, and the own name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Path {
    pub(crate) catalog: String,
    pub(crate) database: String,
    pub(crate) name: String,
}

/// The tables and views of one name, of which the temporary one is seen.
#[derive(Debug, Default)]
struct Slot {
    temporary: Option<(Entry, Span)>,
    permanent: Option<(Entry, Span)>,
}

impl Slot {
    fn seen(&self) -> Option<&(Entry, Span)> {
        self.temporary.as_ref().or(self.permanent.as_ref())
    }
}

/// All names of a pipeline, and which database is the current one.
#[derive(Debug)]
pub(crate) struct Catalog {
    slots: HashMap<Path, Slot>,
    databases: HashMap<String, Vec<String>>,
    catalog: String,
    database: String,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            slots: HashMap::new(),
            databases: HashMap::from([(
                DEFAULT_CATALOG.to_owned(),
                vec![DEFAULT_DATABASE.to_owned()],
            )]),
            catalog: DEFAULT_CATALOG.to_owned(),
            database: DEFAULT_DATABASE.to_owned(),
        }
    }
}

impl Path {
    /// Returns the name for messages and checkpoints: as short as it is unique.
    pub(crate) fn short(&self) -> String {
        match (self.catalog.as_str(), self.database.as_str()) {
            (DEFAULT_CATALOG, DEFAULT_DATABASE) => self.name.clone(),
            (DEFAULT_CATALOG, database) => format!("{database}.{}", self.name),
            (catalog, database) => format!("{catalog}.{database}.{}", self.name),
        }
    }
}

impl Catalog {
    /// Returns the name of the current database.
    pub(crate) fn current_database(&self) -> &str {
        &self.database
    }

    /// Returns the whole name of what `name` stands for.
    pub(crate) fn path(&self, name: &ObjectName) -> Path {
        let mut parts = name.parts.iter().rev().map(|part| part.value.clone());
        let own = parts.next().expect("a name has at least one part");
        let database = parts.next().unwrap_or_else(|| self.database.clone());
        Path {
            catalog: parts.next().unwrap_or_else(|| self.catalog.clone()),
            database,
            name: own,
        }
    }

    pub(crate) fn get(&self, name: &ObjectName) -> Option<&Entry> {
        if name.parts.len() > 3 {
            return None;
        }
        let slot = self.slots.get(&self.path(name))?;
        slot.seen().map(|(entry, _)| entry)
    }

    /// Adds an entry.
    pub(crate) fn define(
        &mut self,
        name: &ObjectName,
        entry: Entry,
        how: Creation,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let path = self.path(name);
        if !how.temporary
            && let Some(fault) = self.missing_database(&path, name.span)
        {
            diagnostics.push(fault);
            return;
        }
        let slot = self.slots.entry(path).or_default();
        let place = if how.temporary {
            &mut slot.temporary
        } else {
            &mut slot.permanent
        };
        match place {
            Some(_) if how.if_not_exists => {}
            Some((_, earlier)) => {
                let twice =
                    Diagnostic::error("MR0304", format!("'{name}' is defined twice"), name.span)
                        .label("defined again here")
                        .also(*earlier, "first definition");
                diagnostics.push(match how.or_replace {
                    true => twice.help(
                        "Flink reads OR REPLACE and replaces nothing; write DROP before this statement",
                    ),
                    false => twice,
                });
            }
            None => *place = Some((entry, name.span)),
        }
    }

    /// Removes a table or view.
    pub(crate) fn drop(&mut self, drop: &ast::Drop, kind: Kind, diagnostics: &mut Vec<Diagnostic>) {
        let path = self.path(&drop.name);
        let slot = self.slots.entry(path).or_default();
        if let (false, Some((_, earlier)), Some(_)) =
            (drop.temporary, &slot.temporary, &slot.permanent)
        {
            diagnostics.push(
                Diagnostic::error(
                    "MR0304",
                    format!("a temporary '{}' hides the one to drop", drop.name),
                    drop.name.span,
                )
                .also(*earlier, "the temporary one")
                .help("drop the temporary one first: DROP TEMPORARY TABLE or DROP TEMPORARY VIEW"),
            );
            return;
        }
        let place = match drop.temporary {
            true => &mut slot.temporary,
            false if slot.permanent.is_none() => &mut slot.temporary,
            false => &mut slot.permanent,
        };
        let is_meant = place.as_ref().is_some_and(|(entry, _)| match entry {
            Entry::Table(_) => kind == Kind::Table,
            Entry::View(_) => kind == Kind::View,
            Entry::Broken => true,
        });
        if is_meant {
            *place = None;
        } else if !drop.if_exists {
            diagnostics.push(self.unknown(&drop.name));
        }
    }

    /// Says that a name is unknown.
    pub(crate) fn unknown(&self, name: &ObjectName) -> Diagnostic {
        let path = self.path(name);
        if let Some(fault) = self.missing_database(&path, name.span) {
            return fault;
        }
        let diagnostic = Diagnostic::error(
            "MR0301",
            format!("table or view '{name}' not found"),
            name.span,
        )
        .label("not defined");
        let known: Vec<&Path> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.seen().is_some())
            .map(|(path, _)| path)
            .collect();
        let here = || {
            known
                .iter()
                .filter(|known| known.catalog == path.catalog && known.database == path.database)
                .map(|known| known.name.as_str())
        };
        if here().any(|known| known == path.name) {
            return diagnostic.help("DROP TABLE is for tables, DROP VIEW for views");
        }
        if let Some(same) = here().find(|known| known.eq_ignore_ascii_case(&path.name)) {
            return diagnostic.help(format!("names are case-sensitive: there is '{same}'"));
        }
        if let Some(elsewhere) = known.iter().find(|known| known.name == path.name) {
            let whole = format!(
                "{}.{}.{}",
                elsewhere.catalog, elsewhere.database, elsewhere.name
            );
            return diagnostic.help(format!(
                "the current database is '{}.{}'; there is '{whole}'",
                self.catalog, self.database
            ));
        }
        match did_you_mean(&path.name, here()) {
            Some(near) => diagnostic.help(format!("did you mean '{near}'?")),
            None => {
                diagnostic.help("define it by CREATE TABLE or CREATE VIEW before this statement")
            }
        }
    }

    fn missing_database(&self, path: &Path, span: Span) -> Option<Diagnostic> {
        let Some(databases) = self.databases.get(&path.catalog) else {
            return Some(self.unknown_catalog(&path.catalog, span));
        };
        if databases.contains(&path.database) {
            return None;
        }
        let fault = Diagnostic::error(
            "MR0308",
            format!(
                "there is no database '{}' in '{}'",
                path.database, path.catalog
            ),
            span,
        )
        .label("no such database");
        let near = did_you_mean(&path.database, databases.iter().map(String::as_str));
        Some(match near {
            Some(near) => fault.help(format!("did you mean '{near}'?")),
            None => fault.help(format!("write CREATE DATABASE {} before", path.database)),
        })
    }

    fn unknown_catalog(&self, catalog: &str, span: Span) -> Diagnostic {
        let fault = Diagnostic::error("MR0308", format!("there is no catalog '{catalog}'"), span)
            .label("no such catalog");
        let known: BTreeSet<&str> = self.databases.keys().map(String::as_str).collect();
        match did_you_mean(catalog, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean '{near}'?")),
            None => fault.help(format!(
                "there are: {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            )),
        }
    }

    /// Splits a database's name into catalog and database.
    fn database_path(&self, name: &ObjectName) -> (String, String) {
        match name.parts.as_slice() {
            [catalog, .., database] => (catalog.value.clone(), database.value.clone()),
            _ => (self.catalog.clone(), name.last().value.clone()),
        }
    }

    /// CREATE DATABASE.
    pub(crate) fn create_database(
        &mut self,
        name: &ObjectName,
        if_not_exists: bool,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let (catalog, database) = self.database_path(name);
        let Some(databases) = self.databases.get_mut(&catalog) else {
            diagnostics.push(self.unknown_catalog(&catalog, name.span));
            return;
        };
        if !databases.contains(&database) {
            databases.push(database);
        } else if !if_not_exists {
            diagnostics.push(Diagnostic::error(
                "MR0304",
                format!("database '{name}' is there already"),
                name.span,
            ));
        }
    }

    /// CREATE CATALOG: only of the kind that lives in memory.
    pub(crate) fn create_catalog(
        &mut self,
        name: &ast::Ident,
        options: &[ast::OptionPair],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let option = |wanted: &str| options.iter().find(|(key, _)| key.value == wanted);
        match option("type") {
            Some((_, kind)) if kind.value == "generic_in_memory" => {}
            Some((_, kind)) => {
                let what = format!("a catalog of type '{}'", kind.value);
                diagnostics
                    .push(crate::not_yet::clause(&what, kind.span).help(
                        "there is: 'generic_in_memory'; or write CREATE TABLE into the file",
                    ));
                return;
            }
            None => {
                diagnostics.push(
                    Diagnostic::error("MR0101", "the catalog has no option 'type'", name.span)
                        .help("write WITH ('type' = 'generic_in_memory')"),
                );
                return;
            }
        }
        let unknown = |key: &str| !matches!(key, "type" | "default-database" | "property-version");
        if let Some((key, _)) = options.iter().find(|(key, _)| unknown(&key.value)) {
            diagnostics.push(
                Diagnostic::error(
                    "MR0103",
                    format!("a catalog in memory has no option '{}'", key.value),
                    key.span,
                )
                .help("there are: 'type', 'default-database'"),
            );
            return;
        }
        if self.databases.contains_key(&name.value) {
            diagnostics.push(Diagnostic::error(
                "MR0304",
                format!("catalog '{}' is there already", name.value),
                name.span,
            ));
            return;
        }
        let first = option("default-database").map_or("default", |(_, name)| name.value.as_str());
        self.databases
            .insert(name.value.clone(), vec![first.to_owned()]);
    }

    /// USE and USE CATALOG.
    pub(crate) fn switch(
        &mut self,
        catalog: bool,
        name: &ObjectName,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let (catalog, database) = if catalog {
            let first = self.databases.get(&name.last().value);
            (
                name.last().value.clone(),
                first.map(|first| first[0].clone()),
            )
        } else {
            let (catalog, database) = self.database_path(name);
            (catalog, Some(database))
        };
        let path = Path {
            catalog,
            database: database.unwrap_or_default(),
            name: String::new(),
        };
        match self.missing_database(&path, name.span) {
            Some(fault) => diagnostics.push(fault),
            None => {
                self.catalog = path.catalog;
                self.database = path.database;
            }
        }
    }

    /// DROP DATABASE.
    pub(crate) fn drop_database(
        &mut self,
        drop: &ast::DropDatabase,
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let (catalog, database) = self.database_path(&drop.name);
        let path = Path {
            catalog,
            database,
            name: String::new(),
        };
        if let Some(fault) = self.missing_database(&path, drop.name.span) {
            if !drop.if_exists {
                diagnostics.push(fault);
            }
            return;
        }
        let is_inside =
            |known: &Path| known.catalog == path.catalog && known.database == path.database;
        let is_full = self
            .slots
            .iter()
            .any(|(known, slot)| is_inside(known) && slot.permanent.is_some());
        if is_full && !drop.cascade {
            diagnostics.push(
                Diagnostic::error(
                    "MR0304",
                    format!("database '{}' is not empty", drop.name),
                    drop.name.span,
                )
                .help("write CASCADE behind it to drop its tables too"),
            );
            return;
        }
        if path.catalog == self.catalog && path.database == self.database {
            diagnostics.push(
                Diagnostic::error(
                    "MR0308",
                    format!("database '{}' is the current one", drop.name),
                    drop.name.span,
                )
                .help("USE another one first"),
            );
            return;
        }
        for (known, slot) in &mut self.slots {
            if is_inside(known) {
                slot.permanent = None;
            }
        }
        if let Some(databases) = self.databases.get_mut(&path.catalog) {
            databases.retain(|known| *known != path.database);
        }
    }
}
