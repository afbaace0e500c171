//! What a table in Doris is made of, and whether rows of a file fit into it.
//!
//! ```text
//! lookup (HTTP, then SQL) ─► TableFacts ─► fit: each column of the file beside its own ─► report: fail, or tell
//! ```

mod fit;
mod lookup;
mod report;
mod types;

use crate::query::Described;

pub(crate) use lookup::look_up;
pub(crate) use report::{Written, check};
pub(crate) use types::DorisType;

/// How a table treats rows of equal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    Duplicate,
    Unique,
    Aggregate,
}

impl Model {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Duplicate => "DUPLICATE",
            Self::Unique => "UNIQUE",
            Self::Aggregate => "AGGREGATE",
        }
    }
}

/// What is known of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TableFacts {
    /// Its model; `None` where this user may not look.
    pub(crate) model: Option<Model>,
    /// Its columns; none where this user may not look.
    pub(crate) columns: Vec<ColumnFact>,
}

impl TableFacts {
    pub(crate) fn column(&self, name: &str) -> Option<&ColumnFact> {
        let mut columns = self.columns.iter();
        columns.find(|column| column.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_unique(&self) -> Option<bool> {
        self.model.map(|model| model == Model::Unique)
    }
}

/// A column. What only the MySQL port tells is `None` without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ColumnFact {
    pub(crate) name: String,
    pub(crate) ty: DorisType,
    /// The type in Doris's own words.
    pub(crate) shown: String,
    pub(crate) nullable: Option<bool>,
    pub(crate) is_key: Option<bool>,
    pub(crate) has_default: Option<bool>,
}

impl From<Described> for ColumnFact {
    fn from(column: Described) -> Self {
        Self {
            ty: DorisType::parse(&column.ty),
            shown: column.ty.to_ascii_uppercase(),
            name: column.name,
            nullable: Some(column.nullable),
            is_key: Some(column.is_key),
            has_default: Some(column.has_default),
        }
    }
}
