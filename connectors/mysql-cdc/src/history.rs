//! What the log behind a start in the past does to definitions: one pass over its statements.
//!
//! The server tells only today's definitions. One of today holds at an earlier place if no statement between changed
//! it; a table that the log itself creates needs none.

use std::collections::HashMap;
use std::time::Duration;

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};

use crate::config::Config;
use crate::definition::{Alteration, Change, TableName};
use crate::dump::{Dump, End, From, Identity, Next};
use crate::events::{self, code};
use crate::position::Place;
use crate::server::Server;

/// What statements do to tables.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// What happened to each name, in order.
    facts: HashMap<TableName, Vec<(Moment, Fact)>>,
    /// Changes that were noted so far: one statement may make several.
    changes: u64,
}

/// When a change happened: one at the place of a row event, or before, holds for its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Moment {
    place: Place,
    /// Counts changes, so that those of one statement have an order.
    change: u64,
}

impl Moment {
    fn is_behind(&self, at: &Self) -> bool {
        if self.place == at.place {
            return self.change > at.change;
        }
        self.place.reaches(&at.place)
    }
}

/// What happened to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fact {
    /// Its table's definition changed.
    Changed,
    /// Its table was dropped.
    Dropped,
    /// Its table got this name.
    RenamedTo(TableName),
    /// Another table came under the name, or a new one.
    Taken,
}

impl History {
    /// Returns the name whose definition of today held for `name` at `at`; `None` if none did.
    pub(crate) fn name_today(&self, name: &TableName, at: &Place) -> Option<TableName> {
        let mut name = name.clone();
        let mut at = Moment {
            place: at.clone(),
            change: u64::MAX,
        };
        loop {
            match self.next(&name, &at) {
                None => return Some(name),
                // Moments only grow, so that circles of names end.
                Some((moment, Fact::RenamedTo(to))) => (name, at) = (to.clone(), moment.clone()),
                Some(_) => return None,
            }
        }
    }

    /// Returns the first thing that happened to a name behind a moment.
    fn next(&self, name: &TableName, at: &Moment) -> Option<&(Moment, Fact)> {
        let facts = self.facts.get(name)?;
        facts.iter().find(|(moment, _)| moment.is_behind(at))
    }

    /// Tells whether nothing is noted.
    pub(crate) fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    /// Tells whether today's definition of a name held all the time.
    pub(crate) fn is_untouched(&self, name: &TableName) -> bool {
        !self.facts.contains_key(name)
    }

    /// Returns the names whose tables were there before the first change, and changed later.
    pub(crate) fn changed_tables(&self) -> impl Iterator<Item = &TableName> {
        let begins_here = |facts: &[(Moment, Fact)]| matches!(facts, [(_, Fact::Taken), ..]);
        let changed = self.facts.iter().filter(move |(_, it)| !begins_here(it));
        changed.map(|(name, _)| name)
    }

    /// Returns what to say of a table's definition today.
    pub(crate) fn describe_now(&self, name: &TableName) -> String {
        let facts = self.facts.get(name);
        match facts.and_then(|facts| facts.last()) {
            Some((moment, Fact::Dropped)) => format!("was dropped at {}", moment.place),
            Some((moment, Fact::RenamedTo(to))) => {
                format!("became {to} at {}", moment.place)
            }
            Some((moment, _)) => format!("was changed at {}", moment.place),
            None => "was changed later".to_owned(),
        }
    }

    fn note(&mut self, change: &Change, at: &Place) {
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
            Change::Create { definition, .. } => self.add(&definition.name, Fact::Taken, at),
            Change::CreateLike { table, .. } => self.add(table, Fact::Taken, at),
            Change::Alter { table, alterations } => {
                // What an index adds is told by the definition of today too.
                if alterations.iter().all(|it| *it == Alteration::AddUnique) {
                    return;
                }
                self.add(table, Fact::Changed, at);
                for alteration in alterations {
                    if let Alteration::Rename(to) = alteration {
                        self.rename(table, to, at);
                    }
                }
            }
            Change::Rename { from, to } => self.rename(from, to, at),
            Change::Drop(table) => self.add(table, Fact::Dropped, at),
            Change::NotUnderstood { tables, .. } => {
                for table in tables {
                    self.add(table, Fact::Changed, at);
                }
            }
            Change::DropDatabase(database) => {
                let names: Vec<_> = self.facts.keys().cloned().collect();
                for name in names.iter().filter(|name| name.database == *database) {
                    self.add(name, Fact::Dropped, at);
                }
            }
            Change::Truncate(_) | Change::DatabaseCharset { .. } => {}
        }
    }

    fn rename(&mut self, from: &TableName, to: &TableName, at: &Place) {
        // Only the case of letters may differ, or nothing at all.
        if from == to {
            return;
        }
        self.add(from, Fact::RenamedTo(to.clone()), at);
        // One change of two names.
        self.changes -= 1;
        self.add(to, Fact::Taken, at);
    }

    fn add(&mut self, name: &TableName, fact: Fact, at: &Place) {
        let moment = Moment {
            place: at.clone(),
            change: self.changes,
        };
        self.changes += 1;
        let facts = self.facts.entry(name.clone()).or_default();
        facts.push((moment, fact));
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
    scan(config, server, identity, from, cancel, |event, place| {
        if !matches!(event.code, code::QUERY | code::MARIADB_QUERY_COMPRESSED) {
            return Ok(true);
        }
        let Some(query) = events::query(event.code, &event.body, server.is_mariadb) else {
            return Err(crate::tables::damaged("a QUERY event is cut short", place));
        };
        if is_frame(&query.text) {
            return Ok(true);
        }
        for change in query.changes() {
            history.note(&change, place);
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
        let drop_column = Change::Alter {
            table: name("a"),
            alterations: vec![Alteration::Drop("x".into())],
        };
        history.note(&drop_column, &at(100));
        assert_eq!(history.name_today(&name("a"), &at(50)), None);
        assert_eq!(history.name_today(&name("a"), &at(100)), Some(name("a")));
        assert_eq!(history.name_today(&name("b"), &at(50)), Some(name("b")));
        assert_eq!(history.changed_tables().collect::<Vec<_>>(), [&name("a")]);
    }

    fn rename(from: &str, to: &str) -> Change {
        Change::Rename {
            from: name(from),
            to: name(to),
        }
    }

    #[test]
    fn renames_are_followed() {
        let mut history = History::default();
        history.note(&rename("a", "b"), &at(100));
        assert_eq!(history.name_today(&name("a"), &at(50)), Some(name("b")));
        assert_eq!(history.name_today(&name("b"), &at(50)), None);
        assert_eq!(history.name_today(&name("b"), &at(150)), Some(name("b")));
        history.note(&Change::Drop(name("b")), &at(200));
        assert_eq!(history.name_today(&name("a"), &at(50)), None);
    }

    #[test]
    fn names_that_are_swapped_again_and_again_are_followed() {
        let mut history = History::default();
        let today = |history: &History, table: &str, pos: u64| {
            let found = history.name_today(&name(table), &at(pos));
            found.map(|found| found.table)
        };
        // Three renames of one statement, at one place.
        for pos in [100, 200, 300] {
            for change in [rename("a", "z"), rename("b", "a"), rename("z", "b")] {
                history.note(&change, &at(pos));
            }
            let is_odd = pos != 200;
            let (of_a, of_b) = if is_odd { ("b", "a") } else { ("a", "b") };
            assert_eq!(today(&history, "a", 50).as_deref(), Some(of_a), "{pos}");
            assert_eq!(today(&history, "b", 50).as_deref(), Some(of_b), "{pos}");
            assert_eq!(today(&history, "a", pos).as_deref(), Some("a"), "{pos}");
        }
        assert_eq!(today(&history, "a", 150).as_deref(), Some("a"));
        assert_eq!(today(&history, "a", 250).as_deref(), Some("b"));
        assert_eq!(today(&history, "z", 50), None);
    }
}
