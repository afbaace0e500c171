//! What a statement of the binary log changes about tables.

pub use super::statement::parse;
use super::{ColumnDefinition, TableDefinition, TableName};

/// The parts of `sql_mode` that change how a statement is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SqlMode {
    /// `"x"` is a name.
    pub ansi_quotes: bool,
    /// A backslash in a text is a backslash.
    pub no_backslash_escapes: bool,
}

impl SqlMode {
    /// Returns the parts of the number that a QUERY event's status variables carry.
    #[must_use]
    pub fn of_bits(bits: u64) -> Self {
        Self {
            ansi_quotes: bits & 4 != 0,
            no_backslash_escapes: bits & 0x10_0000 != 0,
        }
    }
}

/// How a statement of the log is to be read: by which server's rules, and under which `sql_mode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// The mode of the session that ran it.
    pub mode: SqlMode,
    /// MariaDB runs what stands in `/*M! … */`; for MySQL it is a comment.
    pub is_mariadb: bool,
}

/// A change of definitions. The statement that made it may have made more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A table was made from its own definition.
    Create {
        /// The definition; charsets that are not stated are empty.
        definition: Box<TableDefinition>,
        /// Whether it was left alone if it existed.
        if_not_exists: bool,
    },
    /// A table was made like another.
    CreateLike {
        /// The new table.
        table: TableName,
        /// The table that it is like.
        like: TableName,
        /// Whether it was left alone if it existed.
        if_not_exists: bool,
    },
    /// A table's columns, key, charset or name were changed.
    Alter {
        /// The table.
        table: TableName,
        /// The changes, in order.
        alterations: Vec<Alteration>,
    },
    /// A table was renamed.
    Rename {
        /// Its name until now.
        from: TableName,
        /// Its name from now on.
        to: TableName,
    },
    /// A table was dropped.
    Drop(TableName),
    /// A table was emptied; its definition stays.
    Truncate(TableName),
    /// A database was dropped with all its tables.
    DropDatabase(String),
    /// A database's default charset was stated.
    DatabaseCharset {
        /// The database.
        database: String,
        /// Its charset.
        charset: String,
    },
    /// A statement about these tables that was not understood; what they look like now is not known.
    NotUnderstood {
        /// The tables, as far as their names were understood.
        tables: Vec<TableName>,
        /// Why.
        reason: String,
    },
}

impl Change {
    /// Returns the tables that it names.
    #[must_use]
    pub fn tables(&self) -> Vec<TableName> {
        match self {
            Self::Create { definition, .. } => vec![definition.name.clone()],
            Self::CreateLike { table, .. } | Self::Drop(table) | Self::Truncate(table) => {
                vec![table.clone()]
            }
            Self::Alter { table, alterations } => {
                let renamed = alterations.iter().filter_map(|it| match it {
                    Alteration::Rename(to) => Some(to.clone()),
                    _ => None,
                });
                std::iter::once(table.clone()).chain(renamed).collect()
            }
            Self::Rename { from, to } => vec![from.clone(), to.clone()],
            Self::DropDatabase(_) | Self::DatabaseCharset { .. } => Vec::new(),
            Self::NotUnderstood { tables, .. } => tables.clone(),
        }
    }
}

/// One part of an ALTER TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// A column was added.
    Add {
        /// The column.
        column: ColumnDefinition,
        /// Where.
        place: Place,
        /// Whether the column is the primary key.
        is_primary_key: bool,
        /// Whether it was left out if it existed (MariaDB).
        if_not_exists: bool,
    },
    /// A column was dropped.
    Drop(String),
    /// A column was defined anew, perhaps under another name and elsewhere.
    Change {
        /// The name until now.
        from: String,
        /// The column.
        column: ColumnDefinition,
        /// Where it is now.
        place: Place,
        /// Whether the column is the primary key.
        is_primary_key: bool,
        /// Whether nothing was done if the column did not exist (MariaDB).
        if_exists: bool,
    },
    /// A column got another name.
    RenameColumn {
        /// The name until now.
        from: String,
        /// The name from now on.
        to: String,
    },
    /// A UNIQUE was added, over whatever columns.
    AddUnique,
    /// A primary key was added over these columns.
    AddPrimaryKey(Vec<String>),
    /// The primary key was dropped.
    DropPrimaryKey,
    /// The default charset of columns added later was stated.
    DefaultCharset(String),
    /// All text columns were converted to a charset.
    ConvertCharset(String),
    /// The table was renamed.
    Rename(TableName),
}

/// Where a column lies after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where it was; at the end if it is new.
    Kept,
    /// Before all others.
    First,
    /// After this column.
    After(String),
}
