//! The kind of change a row stands for.

use std::fmt;

/// The kind of change a row stands for.
///
/// # Flink
/// `org.apache.flink.types.RowKind`, 1.17.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RowKind {
    /// `+I`, a new row.
    #[default]
    Insert,
    /// `-U`, the row as it was before an update.
    UpdateBefore,
    /// `+U`, the row as it is after an update.
    UpdateAfter,
    /// `-D`, a removed row.
    Delete,
}

impl RowKind {
    /// Returns Flink's short sign: `+I`, `-U`, `+U` or `-D`.
    #[must_use]
    pub fn short(self) -> &'static str {
        match self {
            Self::Insert => "+I",
            Self::UpdateBefore => "-U",
            Self::UpdateAfter => "+U",
            Self::Delete => "-D",
        }
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}
