//! Rows on their way.

use std::sync::Arc;

use arrow_array::ArrayRef;
use millrace_connector::RowKind;

/// The kind of each row; shared, since most operators hand it on.
pub type Kinds = Arc<[RowKind]>;

/// Rows of one node's output.
///
/// Row kinds travel beside the columns and never in them, so no rule of the planner can see, prune or push them.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The columns, each of `rows` values.
    pub columns: Vec<ArrayRef>,
    /// How many rows.
    pub rows: usize,
    /// The rows' kinds; `None` = all `+I`.
    pub kinds: Option<Kinds>,
    /// The row of the source's batch that each row came from; `None` = the same rows in the same order, or rows that
    /// came from no single one. For messages about a row.
    pub origins: Option<Arc<[u32]>>,
}

impl Batch {
    /// Returns a batch of inserted rows.
    #[must_use]
    pub fn inserts(columns: Vec<ArrayRef>, rows: usize) -> Self {
        Self {
            columns,
            rows,
            kinds: None,
            origins: None,
        }
    }

    /// Returns a batch of changes; `kinds` has a kind for each row.
    #[must_use]
    pub fn changes(columns: Vec<ArrayRef>, kinds: Vec<RowKind>) -> Self {
        Self {
            columns,
            rows: kinds.len(),
            kinds: Some(kinds.into()),
            origins: None,
        }
    }

    /// Returns the kind of a row.
    #[must_use]
    pub fn kind(&self, row: usize) -> RowKind {
        self.kinds
            .as_ref()
            .map_or(RowKind::Insert, |kinds| kinds[row])
    }
}
