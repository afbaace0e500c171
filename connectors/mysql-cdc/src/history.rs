//! What the log behind a start in the past does to definitions: one pass over its statements.
//!
//! The server tells only today's definitions. One of today holds at an earlier place if no statement between changed
//! it; a table that the log itself creates needs none.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};

use crate::config::Config;
use crate::definition::{Change, TableName, ddl};
use crate::dump::{Dump, End, From, Identity, Next};
use crate::events::{self, code};
use crate::position::Place;
use crate::server::Server;

/// What statements do to tables that were there before the first of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Where today's definition of a name begins to hold; before that it is another one.
    since: HashMap<TableName, Place>,
    /// Names that were given away, and to what.
    renamed: HashMap<TableName, (TableName, Place)>,
    /// Names that were dropped.
    dropped: HashMap<TableName, Place>,
}

impl History {
    /// Returns the name whose definition of today held for `name` at `at`; `None` if none did.
    pub(crate) fn name_today(&self, name: &TableName, at: &Place) -> Option<TableName> {
        let mut name = name.clone();
        let mut at = at.clone();
        // Names may go in circles.
        for _ in 0..16 {
            match self.renamed.get(&name) {
                Some((to, place)) if !at.reaches(place) => {
                    let changed = self
                        .since
                        .get(&name)
                        .is_some_and(|since| !at.reaches(since) && since != place);
                    if changed {
                        return None;
                    }
                    (name, at) = (to.clone(), place.clone());
                }
                _ => break,
            }
        }
        let held = |places: &HashMap<TableName, Place>| {
            places.get(&name).is_none_or(|place| at.reaches(place))
        };
        (held(&self.since) && held(&self.dropped)).then_some(name)
    }

    /// Tells whether nothing is noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.since.is_empty() && self.renamed.is_empty() && self.dropped.is_empty()
    }

    /// Tells whether today's definition of a name held all the time.
    pub(crate) fn is_untouched(&self, name: &TableName) -> bool {
        !self.since.contains_key(name)
            && !self.renamed.contains_key(name)
            && !self.dropped.contains_key(name)
    }

    /// Returns what to say of a table's definition today.
    pub(crate) fn describe_now(&self, name: &TableName) -> String {
        if let Some(place) = self.dropped.get(name) {
            return format!("was dropped at {place}");
        }
        match self.since.get(name) {
            Some(place) => format!("was changed at {place}"),
            None => "was changed later".to_owned(),
        }
    }

    fn note(&mut self, change: &Change, made_here: &mut HashSet<TableName>, at: &Place) {
        match change {
            // Logged too where the table was there already.
            Change::Create {
                if_not_exists: true,
                ..
            }
            | Change::CreateLike {
                if_not_exists: true,
                ..
            } => {}
            Change::Create { definition, .. } => {
                made_here.insert(definition.name.clone());
            }
            Change::CreateLike { table, .. } => {
                made_here.insert(table.clone());
            }
            Change::Alter { table, alterations } => {
                if alterations.is_empty() {
                    return;
                }
                if !made_here.contains(table) {
                    self.since.insert(table.clone(), at.clone());
                }
                for alteration in alterations {
                    if let crate::definition::Alteration::Rename(to) = alteration {
                        self.rename(table, to, made_here, at);
                    }
                }
            }
            Change::Rename { from, to } => self.rename(from, to, made_here, at),
            Change::Drop(table) => {
                if !made_here.remove(table) {
                    self.dropped.insert(table.clone(), at.clone());
                }
            }
            Change::NotUnderstood { tables, .. } => {
                for table in tables {
                    self.since.insert(table.clone(), at.clone());
                    made_here.remove(table);
                }
            }
            Change::Truncate(_) | Change::DropDatabase(_) | Change::DatabaseCharset { .. } => {}
        }
    }

    fn rename(
        &mut self,
        from: &TableName,
        to: &TableName,
        made_here: &mut HashSet<TableName>,
        at: &Place,
    ) {
        if made_here.remove(from) {
            made_here.insert(to.clone());
        } else {
            self.renamed.insert(from.clone(), (to.clone(), at.clone()));
            made_here.remove(to);
        }
        self.since.insert(to.clone(), at.clone());
    }
}

/// Reads all statements from `from` to the end of the log.
pub(crate) fn read(
    config: &Config,
    server: &Server,
    identity: &Identity,
    from: &From,
    cancel: &Cancel,
) -> Result<History, ConnectorError> {
    let mut history = History::default();
    let mut made_here = HashSet::new();
    scan(config, server, identity, from, cancel, |event, place| {
        if !matches!(event.code, code::QUERY | code::MARIADB_QUERY_COMPRESSED) {
            return Ok(true);
        }
        let compressed = event.code == code::MARIADB_QUERY_COMPRESSED;
        let Some(query) = events::query(&event.body, compressed) else {
            return Err(crate::tables::damaged("a QUERY event is cut short", place));
        };
        if is_frame(&query.text) {
            return Ok(true);
        }
        for change in ddl::parse(&query.text, &query.database, query.mode) {
            history.note(&change, &mut made_here, place);
        }
        Ok(true)
    })?;
    Ok(history)
}

/// Tells whether a statement only frames a transaction.
pub(crate) fn is_frame(text: &str) -> bool {
    matches!(text.len(), 0..=8)
        && ["BEGIN", "COMMIT", "ROLLBACK"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word))
}

/// Hands every event from `from` to the end of the log to `see`, with its place, until that says no.
pub(crate) fn scan(
    config: &Config,
    server: &Server,
    identity: &Identity,
    from: &From,
    cancel: &Cancel,
    mut see: impl FnMut(&events::RawEvent, &Place) -> Result<bool, ConnectorError>,
) -> Result<(), ConnectorError> {
    let mut dump = Dump::start(config, server, identity, from, true)?;
    let mut place = match from {
        From::File { file, pos } => Place::new(file.clone(), *pos),
        From::Gtids(_) => Place::default(),
    };
    loop {
        let event = match dump.next(Duration::from_millis(200)) {
            Next::Event(event) => event,
            Next::Idle if cancel.is_cancelled() => return Err(stopped()),
            Next::Idle => continue,
            Next::End(End::Log) => return Ok(()),
            Next::End(End::Lost(text)) => {
                let text = format!(
                    "lost MySQL at {} while reading the history: {text}",
                    config.address()
                );
                return Err(ConnectorError::new(
                    ErrorKind::Unreachable,
                    Retry::Restart,
                    text,
                ));
            }
            Next::End(End::Refused { code, message }) => {
                return Err(crate::stream::refusal(
                    config, identity, &place, code, &message,
                ));
            }
            Next::End(End::Damaged(text)) => return Err(crate::tables::damaged(&text, &place)),
        };
        if cancel.is_cancelled() {
            return Err(stopped());
        }
        if event.code == code::ROTATE {
            if let Some((file, pos)) = events::rotate(&event.body) {
                place = Place::new(file, pos);
            }
            continue;
        }
        if !see(&event, &place)? {
            return Ok(());
        }
        if !event.is_artificial() {
            place.pos = u64::from(event.log_pos);
        }
    }
}

fn stopped() -> ConnectorError {
    ConnectorError::new(ErrorKind::Unreachable, Retry::Restart, "told to stop")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> TableName {
        TableName::new("d", text)
    }

    fn at(pos: u64) -> Place {
        Place::new("binlog.000001", pos)
    }

    #[test]
    fn todays_definition_holds_behind_the_last_change() {
        let mut history = History::default();
        let mut made = HashSet::new();
        let drop_column = Change::Alter {
            table: name("a"),
            alterations: vec![crate::definition::Alteration::Drop("x".into())],
        };
        history.note(&drop_column, &mut made, &at(100));
        assert_eq!(history.name_today(&name("a"), &at(50)), None);
        assert_eq!(history.name_today(&name("a"), &at(100)), Some(name("a")));
        assert_eq!(history.name_today(&name("b"), &at(50)), Some(name("b")));
    }

    #[test]
    fn renames_are_followed() {
        let mut history = History::default();
        let mut made = HashSet::new();
        let rename = Change::Rename {
            from: name("a"),
            to: name("b"),
        };
        history.note(&rename, &mut made, &at(100));
        assert_eq!(history.name_today(&name("a"), &at(50)), Some(name("b")));
        assert_eq!(history.name_today(&name("b"), &at(50)), None);
        assert_eq!(history.name_today(&name("b"), &at(150)), Some(name("b")));
        history.note(&Change::Drop(name("b")), &mut made, &at(200));
        assert_eq!(history.name_today(&name("a"), &at(50)), None);
    }
}
