//! How far a table was read, as a checkpoint keeps it.

use std::collections::BTreeMap;

use millrace_connector::{ConnectorError, ErrorKind, Position, Retry};
use serde::{Deserialize, Serialize};

use crate::definition::{TableDefinition, TableName};
use crate::events::file_number;
use crate::gtid::GtidSet;

/// A place in the binary log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) pos: u64,
}

impl Place {
    pub(crate) fn new(file: impl Into<String>, pos: u64) -> Self {
        Self {
            file: file.into(),
            pos,
        }
    }

    /// Tells whether it is at or behind `other`.
    pub(crate) fn reaches(&self, other: &Self) -> bool {
        (file_number(&self.file), self.pos) >= (file_number(&other.file), other.pos)
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.pos)
    }
}

/// How far the snapshot of one table has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableProgress {
    /// Keys at or above it are read: the open-ended chunk, which comes first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) from: Option<Bound>,
    /// Keys below it are read, NULL too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) below: Option<Bound>,
    /// All is read.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) done: bool,
}

/// The value of the chunk column where a chunk ends, as the server told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Bound {
    /// A whole number.
    Int(i64),
    /// A whole number that is not below 0.
    UInt(u64),
    /// Bytes, also of texts and decimals, in hexadecimal digits.
    Bytes(String),
    /// A date with its time and microseconds.
    Date(u16, u8, u8, u8, u8, u8, u32),
    /// A time: whether it is negative, days, hours, minutes, seconds, microseconds.
    Time(bool, u32, u8, u8, u8, u32),
}

/// How far the snapshot has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotProgress {
    /// The tables that are read, by `database.table` in the server's spelling.
    pub(crate) tables: BTreeMap<String, TableProgress>,
    /// The tables in the order in which they are read.
    pub(crate) order: Vec<TableName>,
}

/// An XA transaction that was prepared and not yet ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingXa {
    pub(crate) name: String,
    /// Its GTID as a set of one; empty without.
    pub(crate) gtid: String,
    /// Where it begins.
    pub(crate) place: Place,
}

/// How far a table was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Which server the places are of.
    pub(crate) server: String,
    /// Transactions that were read, without the one in progress; empty without GTIDs.
    pub(crate) gtid_set: String,
    pub(crate) file: String,
    /// The end of the last event.
    pub(crate) pos: u64,
    /// The begin of the transaction in progress, else `pos`.
    pub(crate) trx_pos: u64,
    /// The GTID of the transaction in progress as a set of one; empty between transactions and without GTIDs.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) trx_gtid: String,
    /// Row events of that transaction that were passed, of every table.
    pub(crate) events_done: u64,
    /// Rows of the next row event that were passed.
    pub(crate) rows_done: u64,
    /// Rows of that transaction that were passed, of the tables that are read: another server may have cut them into
    /// other events.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) trx_rows: u64,
    /// Seconds since the epoch of the last event.
    pub(crate) ts: u32,
    /// The second in which the server began `file`, where it is known: a log that began again has other files of the
    /// same names.
    #[serde(skip_serializing_if = "is_none", default)]
    pub(crate) born: u32,
    /// Events of earlier seconds are left out.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) from_ts: u64,
    /// Events of any kind that are counted off before rows are read (`skip-events`).
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) skip_events: u64,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) xa: Vec<PendingXa>,
    /// Until the snapshot is done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) snapshot: Option<SnapshotProgress>,
    /// A snapshot without the changes that follow is done.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) finished: bool,
    /// Definitions at this place, as a text that is written only when one changes.
    pub(crate) schema_history: String,
}

fn is_none(second: &u32) -> bool {
    *second == 0
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl State {
    pub(crate) fn place(&self) -> Place {
        Place::new(self.file.clone(), self.trx_pos)
    }

    pub(crate) fn gtids(&self) -> GtidSet {
        GtidSet::parse(&self.gtid_set).unwrap_or_default()
    }

    /// Returns the transactions of which rows went out.
    pub(crate) fn read_gtids(&self) -> GtidSet {
        let mut set = self.gtids();
        if self.trx_rows > 0 {
            set.add_all(&GtidSet::parse(&self.trx_gtid).unwrap_or_default());
        }
        set
    }

    /// Returns the form that a checkpoint keeps.
    pub(crate) fn to_position(&self) -> Position {
        Position(serde_json::to_value(self).expect("the state has only texts as keys"))
    }

    /// Reads what a checkpoint kept.
    ///
    /// # Errors
    /// It is not a state of this connector.
    pub(crate) fn from_position(position: &Position) -> Result<Self, ConnectorError> {
        serde_json::from_value(position.0.clone()).map_err(|error| {
            ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                "the checkpoint's position is not one of mysql-cdc",
            )
            .caused_by(error)
        })
    }
}

/// Definitions as a checkpoint keeps them: tables that look alike share one.
#[derive(Default, Serialize, Deserialize)]
struct History {
    shapes: Vec<TableDefinition>,
    tables: Vec<(TableName, usize)>,
}

/// Returns the definitions as a text.
pub(crate) fn write_history<'a>(tables: impl Iterator<Item = &'a TableDefinition>) -> String {
    let mut history = History::default();
    let mut tables: Vec<&TableDefinition> = tables.collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    for table in tables {
        let alike = |shape: &TableDefinition| {
            shape.columns == table.columns
                && shape.primary_key == table.primary_key
                && shape.charset == table.charset
        };
        let shape = history.shapes.iter().position(alike).unwrap_or_else(|| {
            history.shapes.push(table.clone());
            history.shapes.len() - 1
        });
        history.tables.push((table.name.clone(), shape));
    }
    serde_json::to_string(&history).expect("definitions have only texts as keys")
}

/// Returns the definitions of a text; none if it has another form.
pub(crate) fn read_history(text: &str) -> Vec<TableDefinition> {
    let history: History = serde_json::from_str(text).unwrap_or_default();
    history
        .tables
        .into_iter()
        .filter_map(|(name, shape)| {
            let mut definition = history.shapes.get(shape)?.clone();
            definition.name = name;
            Some(definition)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_back() {
        let state = State {
            server: "u".into(),
            file: "binlog.000007".into(),
            pos: 900,
            trx_pos: 700,
            events_done: 3,
            snapshot: Some(SnapshotProgress {
                tables: BTreeMap::from([(
                    "a.b".into(),
                    TableProgress {
                        from: Some(Bound::UInt(u64::MAX)),
                        below: Some(Bound::Bytes("00ff".into())),
                        done: false,
                    },
                )]),
                order: vec![TableName::new("a", "b")],
            }),
            ..State::default()
        };
        let position = state.to_position();
        // Manifests are text.
        let text = serde_json::to_string(&position).unwrap();
        let back = serde_json::from_str(&text).unwrap();
        assert_eq!(State::from_position(&back).unwrap(), state);
    }

    #[test]
    fn files_compare_by_number() {
        let old = Place::new("binlog.999999", 700);
        assert!(Place::new("binlog.1000000", 4).reaches(&old));
        assert!(!old.reaches(&Place::new("binlog.1000000", 4)));
    }
}
