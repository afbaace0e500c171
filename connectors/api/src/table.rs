//! A table as its CREATE TABLE defines it.

use crate::{FlinkType, Span, Spanned};

/// A table with its columns and options, before anything was checked against a connector.
#[derive(Clone, Debug)]
pub struct TableDefinition {
    /// Its name.
    pub name: Spanned<String>,
    /// Its columns in the order of the text.
    pub columns: Vec<ColumnDefinition>,
    /// Names of the PRIMARY KEY columns; empty without one.
    pub primary_key: Vec<Spanned<String>>,
    /// The WITH clause as written, `connector` included, in the order of the text.
    pub options: Vec<(Spanned<String>, Spanned<String>)>,
    /// Where the WITH clause stands (the table's name where there is none).
    pub options_span: Span,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: Spanned<String>,
    /// Its type; of a computed column, the expression's.
    pub ty: FlinkType,
    /// Where its values come from.
    pub kind: ColumnKind,
    /// Its COMMENT.
    pub comment: Option<String>,
}

/// Where a column's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// The record itself.
    Physical,
    /// The connector or format.
    Metadata {
        /// The metadata key: the FROM text, else the column's name.
        key: Spanned<String>,
        /// Whether it is left out when the table is written to.
        is_virtual: bool,
    },
    /// An expression over other columns; never read or written.
    Computed,
}

impl TableDefinition {
    /// Returns the text of an option.
    #[must_use]
    pub fn option(&self, key: &str) -> Option<&Spanned<String>> {
        self.options
            .iter()
            .find(|(name, _)| name.value == key)
            .map(|(_, value)| value)
    }

    /// Returns the physical columns in order.
    pub fn physical_columns(&self) -> impl Iterator<Item = &ColumnDefinition> {
        self.columns
            .iter()
            .filter(|column| column.kind == ColumnKind::Physical)
    }
}
