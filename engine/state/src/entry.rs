//! Entries: the unit in which state is written to a checkpoint and read back.

use thiserror::Error;

/// One of the tables that an operator keeps, numbered by the operator and fixed for ever in its state format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u8);

/// An entry that was set or removed since the last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The table.
    pub table: TableId,
    /// The bytes of the operator's key, by which rows are distributed: they decide the key group. Empty for state that
    /// belongs to no key.
    pub partition: &'a [u8],
    /// What identifies the entry within the key; empty where a key has one entry.
    pub key: &'a [u8],
    /// The new value; `None` = removed.
    pub value: Option<&'a [u8]>,
}

/// Takes what changed since the last checkpoint. For one entry the last change counts.
pub trait StateWriter {
    /// Takes a change.
    fn write(&mut self, change: Change<'_>);
}

/// Gives the entries of a checkpoint back, each once, in no order.
pub trait StateReader {
    /// Calls `visit` for each entry of the operator; `value` is always there.
    ///
    /// # Errors
    /// What `visit` said, or a checkpoint that cannot be read.
    fn for_each(
        &mut self,
        visit: &mut dyn FnMut(Change<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError>;
}

/// State that cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// Bytes that this build does not understand.
    #[error("the state of {what} cannot be read: {reason}")]
    Corrupt {
        /// Which state.
        what: String,
        /// Why.
        reason: String,
    },
    /// Written by a later build.
    #[error("{what} has format {found}, this build reads up to {known}")]
    Newer {
        /// Which file.
        what: String,
        /// The format it has.
        found: u32,
        /// The newest format that is known here.
        known: u32,
    },
    /// It belongs to something else.
    #[error("the state in the checkpoint is not that of this file: {0}")]
    Foreign(String),
    /// The place where it lies does not give it.
    #[error("the state cannot be fetched: {0}")]
    Unreachable(String),
}
