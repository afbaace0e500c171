//! Which changes rows stand for.

use std::fmt;

use millrace_connector::TableDefinition;

/// The kinds of change that rows may have.
///
/// # Flink
/// `org.apache.flink.table.connector.ChangelogMode`, 1.17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changes {
    /// `+I`.
    pub insert: bool,
    /// `-U`.
    pub update_before: bool,
    /// `+U`.
    pub update_after: bool,
    /// `-D`.
    pub delete: bool,
}

impl Changes {
    /// Only `+I`.
    pub const INSERT: Self = Self {
        insert: true,
        update_before: false,
        update_after: false,
        delete: false,
    };
    /// All kinds.
    pub const ALL: Self = Self {
        insert: true,
        update_before: true,
        update_after: true,
        delete: true,
    };
    /// All kinds but `-U`: rows are known by their key.
    pub const UPSERT: Self = Self {
        update_before: false,
        ..Self::ALL
    };

    /// Tells whether rows are only added.
    #[must_use]
    pub fn is_insert_only(self) -> bool {
        !self.update_before && !self.update_after && !self.delete
    }

    /// Tells whether an update comes without its old row.
    #[must_use]
    pub fn is_upsert(self) -> bool {
        self.update_after && !self.update_before
    }

    /// Returns the kinds of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            insert: self.insert || other.insert,
            update_before: self.update_before || other.update_before,
            update_after: self.update_after || other.update_after,
            delete: self.delete || other.delete,
        }
    }
}

/// Written as Flink's plans write it: `I,UB,UA,D`.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [
            (self.insert, "I"),
            (self.update_before, "UB"),
            (self.update_after, "UA"),
            (self.delete, "D"),
        ];
        let names: Vec<&str> = all
            .iter()
            .filter(|(has, _)| *has)
            .map(|(_, name)| *name)
            .collect();
        f.write_str(&names.join(","))
    }
}

/// What connectors say of tables, as far as plans depend on it.
pub trait TableChanges: Send + Sync {
    /// Returns the changes that a table that is read sends.
    fn source(&self, table: &TableDefinition) -> Changes;

    /// Returns the changes that a table that is written takes.
    fn sink(&self, table: &TableDefinition) -> Changes;

    /// Tells whether a table can be asked for the rows of a key.
    fn can_look_up(&self, table: &TableDefinition) -> bool;

    /// Tells whether nodes are planned that lanes do without: watermarks that nobody waits for, and changes brought into a
    /// sink's form where no row meets another.
    fn plans_all_nodes(&self) -> bool {
        false
    }
}

/// Tables of which nothing is known: they send insertions and take everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyTable;

impl TableChanges for AnyTable {
    fn source(&self, _table: &TableDefinition) -> Changes {
        Changes::INSERT
    }

    fn sink(&self, _table: &TableDefinition) -> Changes {
        Changes::ALL
    }

    fn can_look_up(&self, _table: &TableDefinition) -> bool {
        false
    }
}
