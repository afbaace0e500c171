//! Kinds of rows: which are written, and which are deletes.

use arrow_array::{BooleanArray, Int8Array};
use millrace_connector::{ConnectorError, ErrorKind, Retry, RowKind};

/// What a table takes of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Whether rows carry a delete sign.
    pub(crate) has_sign: bool,
    /// Whether rows before an update are left out; else they are deletes.
    pub(crate) ignores_before: bool,
    /// Whether it keeps one row for each key, so that an update is a row like any other.
    pub(crate) is_unique: bool,
}

/// What becomes of a batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sorted {
    /// The rows to write; `None` = all.
    pub(crate) kept: Option<BooleanArray>,
    /// The delete signs of the rows to write, if rows carry one.
    pub(crate) signs: Option<Int8Array>,
    /// How many deletes are left out.
    pub(crate) left_out: u64,
}

impl Changes {
    /// Sorts the rows of a batch by their kinds.
    ///
    /// # Errors
    /// A change for a table that keeps every row it is given.
    pub(crate) fn sort(
        self,
        kinds: Option<&[RowKind]>,
        rows: usize,
        table: &str,
    ) -> Result<Sorted, ConnectorError> {
        let Some(kinds) = kinds else {
            return Ok(Sorted {
                kept: None,
                signs: self.has_sign.then(|| vec![0; rows].into()),
                left_out: 0,
            });
        };
        if !self.is_unique {
            return match kinds.iter().find(|kind| **kind != RowKind::Insert) {
                Some(kind) => Err(refused(*kind, table)),
                None => self.sort(None, rows, table),
            };
        }
        let is_kept = |kind: &RowKind| match kind {
            RowKind::Insert | RowKind::UpdateAfter => true,
            RowKind::UpdateBefore => self.has_sign && !self.ignores_before,
            RowKind::Delete => self.has_sign,
        };
        let sign =
            |kind: &RowKind| i8::from(matches!(kind, RowKind::Delete | RowKind::UpdateBefore));
        let signs = self.has_sign.then(|| {
            let kept = kinds.iter().filter(|kind| is_kept(kind));
            kept.map(sign).collect::<Vec<_>>().into()
        });
        let deletes = kinds.iter().filter(|kind| **kind == RowKind::Delete);
        Ok(Sorted {
            kept: (!kinds.iter().all(is_kept))
                .then(|| kinds.iter().map(|kind| Some(is_kept(kind))).collect()),
            signs,
            left_out: if self.has_sign {
                0
            } else {
                deletes.count() as u64
            },
        })
    }
}

fn refused(kind: RowKind, table: &str) -> ConnectorError {
    let text = format!(
        "a row of kind {kind} cannot be written to '{table}': only a UNIQUE table in Doris takes updates and deletes"
    );
    ConnectorError::new(ErrorKind::Config, Retry::Never, text)
        .help("make the table in Doris one of UNIQUE KEY, or write a query whose rows never change")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [RowKind; 4] = [
        RowKind::Insert,
        RowKind::UpdateBefore,
        RowKind::UpdateAfter,
        RowKind::Delete,
    ];

    fn sort(has_sign: bool, ignores_before: bool) -> (Vec<bool>, Option<Vec<i8>>, u64) {
        let changes = Changes {
            has_sign,
            ignores_before,
            is_unique: true,
        };
        let sorted = changes.sort(Some(&ALL), 4, "t").unwrap();
        let kept = sorted.kept.map_or(vec![true; 4], |kept| {
            kept.iter().map(|is_kept| is_kept.unwrap()).collect()
        });
        let signs = sorted.signs.map(|signs| signs.values().to_vec());
        (kept, signs, sorted.left_out)
    }

    #[test]
    fn kinds_become_rows_and_signs() {
        assert_eq!(
            sort(true, true),
            (vec![true, false, true, true], Some(vec![0, 0, 1]), 0)
        );
        assert_eq!(
            sort(true, false),
            (vec![true; 4], Some(vec![0, 1, 0, 1]), 0)
        );
        assert_eq!(sort(false, true), (vec![true, false, true, false], None, 1));
    }

    #[test]
    fn a_table_that_keeps_every_row_takes_inserts_only() {
        let changes = Changes {
            has_sign: false,
            ignores_before: true,
            is_unique: false,
        };
        assert!(changes.sort(Some(&[RowKind::Insert]), 1, "t").is_ok());
        for kind in [RowKind::UpdateBefore, RowKind::UpdateAfter, RowKind::Delete] {
            let error = changes.sort(Some(&[kind]), 1, "t").unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config);
        }
    }
}
