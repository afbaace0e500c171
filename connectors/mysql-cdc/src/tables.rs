//! The tables that are read: their definitions at the place in the log, and the decoders of their rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_connector::{ConnectorError, ErrorKind, Retry};

use crate::config::Config;
use crate::connection::{Purpose, connect, failure};
use crate::decode::{DeclaredColumn, RowDecoder, ValueOptions};
use crate::definition::{Applied, Change, Definitions, TableDefinition, TableMap, TableName};
use crate::history::History;
use crate::out::Names;
use crate::position::{Place, read_history, write_history};
use crate::server::{self, Server};

/// Tables that TABLE_MAP events are kept of.
const MAPS_MAX: usize = 4096;

/// A table that is read, under one definition.
pub(crate) struct Captured {
    /// Its number in [`Names`].
    pub(crate) number: u32,
    pub(crate) name: TableName,
    pub(crate) decoder: RowDecoder,
    /// Counts definitions, so that what was derived from one is derived anew.
    pub(crate) version: u64,
}

/// What a table's number in the log means.
pub(crate) struct Mapped {
    body: Vec<u8>,
    pub(crate) map: TableMap,
    /// The table, if it is read.
    pub(crate) captured: Option<usize>,
}

/// The tables that are read.
pub(crate) struct Tables {
    config: Arc<Config>,
    declared: Vec<DeclaredColumn>,
    values: ValueOptions,
    definitions: Definitions,
    captured: Vec<Option<Captured>>,
    by_name: HashMap<TableName, usize>,
    by_id: HashMap<u64, Mapped>,
    names: Names,
    numbers: HashMap<TableName, u32>,
    warned: HashSet<String>,
    /// Tables that match and cannot be read, if the options say to go on without them.
    left_out: HashSet<TableName>,
    /// What the log behind a start in the past does to definitions.
    history: History,
    written: Option<String>,
    versions: u64,
    /// Tables whose definitions changed since it was asked.
    pub(crate) changed: Vec<TableName>,
}

/// Returns how values are read under the options.
pub(crate) fn value_options(config: &Config) -> ValueOptions {
    let defaults = ValueOptions::default();
    let properties = &config.properties;
    ValueOptions {
        server_time_zone: config.zone.clone(),
        adjusts_years: !properties.keeps_small_years,
        compact_json: config.legacy_json,
        decimals: properties.decimals.unwrap_or(defaults.decimals),
        wraps_unsigned_bigint: properties.wraps_unsigned_bigint,
        times: properties.times.unwrap_or(defaults.times),
        ltz_is_instant: config.ltz_instant,
    }
}

impl Tables {
    pub(crate) fn new(
        config: &Arc<Config>,
        server: &Server,
        declared: Vec<DeclaredColumn>,
    ) -> Self {
        Self {
            config: Arc::clone(config),
            declared,
            values: value_options(config),
            definitions: Definitions::new(server.lower_case_table_names, &server.charset),
            captured: Vec::new(),
            by_name: HashMap::new(),
            by_id: HashMap::new(),
            names: Names::default(),
            numbers: HashMap::new(),
            warned: HashSet::new(),
            left_out: HashSet::new(),
            history: History::default(),
            written: None,
            versions: 0,
            changed: Vec::new(),
        }
    }

    /// Tells whether the options choose a table, by the name that a statement has for it.
    pub(crate) fn matches(&self, name: &TableName) -> bool {
        let matcher = &self.config.matcher;
        matcher.matches(name) || matcher.matches(&self.definitions.key(name))
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Tells whether the definition of a table at this place of the log is known.
    pub(crate) fn knows(&self, name: &TableName) -> bool {
        self.definitions.get(name).is_some()
    }

    /// Tells whether definitions depend on places in the server's files.
    pub(crate) fn has_history(&self) -> bool {
        !self.history.is_empty()
    }

    pub(crate) fn set_history(&mut self, history: History) {
        for name in history.changed_tables() {
            if self.definitions.get(name).is_none() && self.config.matcher.matches(name) {
                self.definitions.hide(name);
            }
        }
        self.history = history;
    }

    pub(crate) fn set_database_charset(&mut self, database: &str, charset: &str) {
        self.definitions.set_database_charset(database, charset);
    }

    /// Takes over the definitions of a checkpoint.
    pub(crate) fn restore(&mut self, text: &str) {
        for definition in read_history(text) {
            self.definitions.insert(definition);
        }
        self.written = None;
    }

    /// Returns the definitions for a checkpoint.
    pub(crate) fn history_text(&mut self) -> &str {
        let (definitions, matcher) = (&self.definitions, &self.config.matcher);
        self.written.get_or_insert_with(|| {
            let tables = definitions.iter().map(|definition| &**definition);
            write_history(tables.filter(|definition| matcher.matches(&definition.name)))
        })
    }

    /// Returns the number of a table in [`Self::names`].
    pub(crate) fn number(&mut self, name: &TableName) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        Arc::make_mut(&mut self.names).push(name.clone());
        self.numbers.insert(name.clone(), number);
        number
    }

    /// Notes a definition that the server told, and checks that its rows can be decoded.
    pub(crate) fn insert(&mut self, definition: TableDefinition) -> Result<(), ConnectorError> {
        let name = definition.name.clone();
        let definition = self.definitions.insert(definition);
        self.written = None;
        if definition.is_sequence {
            return Ok(());
        }
        self.forget_decoder(&name);
        let decoder = self.new_decoder(definition)?;
        self.install(&name, decoder);
        Ok(())
    }

    /// Checks that rows of a definition can be decoded.
    pub(crate) fn check(&mut self, definition: TableDefinition) -> Result<(), ConnectorError> {
        self.new_decoder(Arc::new(definition)).map(drop)
    }

    fn new_decoder(
        &mut self,
        definition: Arc<TableDefinition>,
    ) -> Result<RowDecoder, ConnectorError> {
        let decoder =
            RowDecoder::new(definition, &self.declared, &self.values).map_err(|error| {
                ConnectorError::new(ErrorKind::Config, Retry::Never, error.to_string())
            })?;
        for warning in decoder.warnings() {
            if self.warned.insert(warning.clone()) {
                tracing::warn!(table = self.config.table, "{warning}");
            }
        }
        Ok(decoder)
    }

    fn install(&mut self, name: &TableName, decoder: RowDecoder) -> usize {
        let number = self.number(name);
        self.versions += 1;
        self.captured.push(Some(Captured {
            number,
            name: name.clone(),
            decoder,
            version: self.versions,
        }));
        let index = self.captured.len() - 1;
        self.by_name.insert(name.clone(), index);
        index
    }

    fn forget_decoder(&mut self, name: &TableName) {
        if let Some(index) = self.by_name.remove(name) {
            self.captured[index] = None;
            self.by_id
                .retain(|_, mapped| mapped.captured != Some(index));
        }
    }

    /// Forgets what the numbers in the log meant: they count anew in the next file.
    pub(crate) fn forget_ids(&mut self) {
        self.by_id.clear();
    }

    /// Returns what a number in the log means.
    pub(crate) fn mapped(&mut self, id: u64) -> Option<(&Mapped, Option<&mut Captured>)> {
        let mapped = self.by_id.get(&id)?;
        let captured = match mapped.captured {
            Some(index) => self.captured[index].as_mut(),
            None => None,
        };
        Some((mapped, captured))
    }

    /// Takes a TABLE_MAP event.
    pub(crate) fn map(&mut self, body: &[u8], at: &Place) -> Result<(), ConnectorError> {
        let id = crate::decode::Bytes::new(body).uint(6).unwrap_or(0);
        if self
            .by_id
            .get(&id)
            .is_some_and(|mapped| mapped.body == body)
        {
            return Ok(());
        }
        let map = self.read_map(body, at)?;
        if self.by_id.len() >= MAPS_MAX {
            self.by_id.clear();
        }
        let mut map = map;
        let captured = if self.is_read(&map) {
            self.capture(&mut map, at)?
        } else {
            None
        };
        let mapped = Mapped {
            body: body.to_vec(),
            map,
            captured,
        };
        self.by_id.insert(id, mapped);
        Ok(())
    }

    fn is_read(&self, map: &TableMap) -> bool {
        self.config.matcher.matches(&map.name) && !self.left_out.contains(&map.name)
    }

    /// Reads a TABLE_MAP event; of a table that is not read only its name, whatever its columns are.
    fn read_map(&mut self, body: &[u8], at: &Place) -> Result<TableMap, ConnectorError> {
        let named = TableMap::named(body).map_err(|error| damaged(&error.to_string(), at))?;
        if !self.is_read(&named) {
            return Ok(named);
        }
        match TableMap::parse(body) {
            Ok(map) => Ok(map),
            Err(error) => {
                let error = damaged(&error.to_string(), at);
                self.leave_out(&named.name, error)?;
                Ok(named)
            }
        }
    }

    /// Leaves a table out from now on, with a warning, if the options say so for one that cannot be read; else returns
    /// the reason as the failure that it is.
    pub(crate) fn leave_out(
        &mut self,
        name: &TableName,
        why: ConnectorError,
    ) -> Result<(), ConnectorError> {
        if !self.config.properties.skips_unknown_definitions || why.kind == ErrorKind::Unreachable {
            return Err(why);
        }
        tracing::warn!(table = %name, error = why.message, "the table is left out: it cannot be read");
        self.left_out.insert(name.clone());
        Ok(())
    }

    /// Tells whether a table was left out.
    pub(crate) fn is_left_out(&self, name: &TableName) -> bool {
        self.left_out.contains(name)
    }

    /// Returns the decoder of rows that `map` lays out; `None` if they are none of a table, or the options say to leave
    /// them out.
    fn capture(&mut self, map: &mut TableMap, at: &Place) -> Result<Option<usize>, ConnectorError> {
        let name = map.name.clone();
        if let Some(index) = self.by_name.get(&name) {
            let captured = self.captured[*index]
                .as_mut()
                .expect("names lead to tables that are there");
            map.adopt(captured.decoder.definition());
            if captured.decoder.set_layout(map).is_ok() {
                return Ok(Some(*index));
            }
            self.forget_decoder(&name);
        }
        let definition = match self.definition_of(map, at) {
            Ok(definition) if definition.is_sequence => return Ok(None),
            Ok(definition) => definition,
            Err(error) if self.config.properties.skips_unknown_definitions => {
                tracing::warn!(table = %name, place = %at, error = %error.message, "rows are left out: their definition is unknown");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        map.adopt(&definition);
        let mut decoder = match self.new_decoder(definition) {
            Ok(decoder) => decoder,
            Err(error) => return self.leave_out(&name, error).map(|()| None),
        };
        decoder
            .set_layout(map)
            .map_err(|error| contradiction(&name, &error.to_string(), at))?;
        Ok(Some(self.install(&name, decoder)))
    }

    /// Returns the definition of the rows that `map` lays out: the one that the log led to, the event's own, or the
    /// server's of today if nothing changed it since. Never a guess.
    fn definition_of(
        &mut self,
        map: &TableMap,
        at: &Place,
    ) -> Result<Arc<TableDefinition>, ConnectorError> {
        let name = &map.name;
        let mut why = None;
        if let Some(known) = self.definitions.get(name) {
            if known.is_sequence {
                return Ok(Arc::clone(known));
            }
            match map.check(known) {
                Ok(()) => return Ok(Arc::clone(known)),
                Err(error) => why = Some(error.to_string()),
            }
        }
        if let Some(definition) = map.definition() {
            self.written = None;
            return Ok(self.definitions.insert(definition));
        }
        let Some(today) = self.history.name_today(name, at) else {
            return Err(self.unknown(name, map, at));
        };
        let mut conn = connect(&self.config, Purpose::Plain)
            .map_err(|error| failure(&self.config, &error, "connect"))?;
        let Some(mut definition) = server::definition(&mut conn, &self.config, &today)? else {
            let reason =
                "the table is not on the server any more, and the log does not tell its definition";
            return Err(contradiction(name, reason, at));
        };
        definition.name = name.clone();
        if definition.is_sequence {
            self.written = None;
            return Ok(self.definitions.insert(definition));
        }
        match map.check(&definition) {
            Ok(()) => {
                self.written = None;
                Ok(self.definitions.insert(definition))
            }
            Err(error) => {
                let known = why.map_or(String::new(), |why| format!("; before: {why}"));
                Err(contradiction(name, &format!("{error}{known}"), at))
            }
        }
    }

    fn unknown(&self, name: &TableName, map: &TableMap, at: &Place) -> ConnectorError {
        let now = self.history.describe_now(name);
        ConnectorError::new(
            ErrorKind::Data,
            Retry::Never,
            format!(
                "{name} had {} columns at {at} and {now}; its definition at that time is unknown",
                map.columns.len()
            ),
        )
        .help("start from 'latest-offset' or a later offset, use 'initial', or set binlog_row_metadata=FULL on the server")
    }

    /// Applies a change of the log.
    pub(crate) fn apply(&mut self, change: &Change) {
        let names = match self.definitions.apply(change) {
            Applied::Nothing => Vec::new(),
            Applied::Changed(names) | Applied::Unknown(names) => names,
        };
        for name in names {
            self.written = None;
            self.forget_decoder(&name);
            // What could not be read may be another table now.
            self.left_out.remove(&name);
            self.changed.push(name);
        }
        if let Change::Truncate(name) = change {
            self.changed.push(name.clone());
        }
    }
}

/// Returns the failure of an event that cannot be read.
pub(crate) fn damaged(reason: &str, at: &Place) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Data,
        Retry::Never,
        format!("the binary log cannot be read at {at}: {reason}"),
    )
    .help(format!(
        "look at it with: mysqlbinlog --start-position={} -vv {}",
        at.pos, at.file
    ))
}

fn contradiction(name: &TableName, reason: &str, at: &Place) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Data,
        Retry::Never,
        format!("the definition of {name} at {at} is unknown: {reason}"),
    )
    .help("start from 'latest-offset' or a later offset, use 'initial', or set binlog_row_metadata=FULL on the server")
}
