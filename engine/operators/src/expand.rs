//! GROUPING SETS, CUBE and ROLLUP: each row once for each set of keys.
//!
//! # Flink
//! `Expand`: the keys that are not of the set are NULL, and a number that names the set stands behind the columns, so
//! that a NULL of the data differs from one of the set.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, UInt32Array, new_null_array};
use arrow_schema::DataType;

use crate::columns::take;
use crate::{Batch, Context, Kinds, Operator, OperatorError, Output};

/// What an [`Expand`] does.
#[derive(Clone, Debug)]
pub struct ExpandSpec {
    /// The output's columns.
    pub columns: Vec<ExpandColumn>,
    /// How many rows each row gives.
    pub sets: usize,
}

/// A column of an [`Expand`].
#[derive(Clone, Debug)]
pub enum ExpandColumn {
    /// A column of the input in the sets where `present` says so, NULL in the others.
    Input {
        /// The input's column.
        column: usize,
        /// For each set, whether the column is in it.
        present: Vec<bool>,
    },
    /// A number that names the set, BIGINT.
    Set(Vec<i64>),
    /// NULL in each set.
    Null(DataType),
}

/// Gives out each row once for each set.
#[derive(Debug)]
pub struct Expand {
    spec: ExpandSpec,
}

impl Expand {
    /// Returns the operator.
    #[must_use]
    pub fn new(spec: ExpandSpec) -> Self {
        Self { spec }
    }

    fn column(&self, batch: &Batch, column: &ExpandColumn) -> Result<ArrayRef, OperatorError> {
        let rows = 0..u32::try_from(batch.rows).expect("a batch has fewer than 2^32 rows");
        match column {
            ExpandColumn::Input { column, present } => {
                let places = rows.flat_map(|row| present.iter().map(move |is| is.then_some(row)));
                take(&batch.columns[*column], &places.collect::<UInt32Array>())
            }
            ExpandColumn::Set(numbers) => {
                let numbers = rows.flat_map(|_| numbers.iter().copied());
                Ok(Arc::new(Int64Array::from_iter_values(numbers)))
            }
            ExpandColumn::Null(ty) => Ok(new_null_array(ty, batch.rows * self.spec.sets)),
        }
    }
}

impl Operator for Expand {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let columns = self.spec.columns.iter();
        let columns = columns
            .map(|column| self.column(&batch, column))
            .collect::<Result<Vec<_>, _>>()?;
        let sources = (0..batch.rows).flat_map(|row| std::iter::repeat_n(row, self.spec.sets));
        let kinds = batch.kinds.as_ref();
        let kinds: Option<Kinds> =
            kinds.map(|kinds| sources.clone().map(|row| kinds[row]).collect());
        let origins = sources.map(|row| match &batch.origins {
            Some(origins) => origins[row],
            None => u32::try_from(row).expect("a batch has fewer than 2^32 rows"),
        });
        out.batch(Batch {
            columns,
            rows: batch.rows * self.spec.sets,
            kinds,
            origins: Some(origins.collect()),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BIGINT, Harness, INT, STRING};

    #[test]
    fn each_row_comes_once_a_set() {
        let spec = ExpandSpec {
            columns: vec![
                ExpandColumn::Input {
                    column: 0,
                    present: vec![true, true, false],
                },
                ExpandColumn::Input {
                    column: 1,
                    present: vec![true, false, false],
                },
                ExpandColumn::Set(vec![0, 1, 3]),
                ExpandColumn::Null(BIGINT),
            ],
            sets: 3,
        };
        let mut test = Harness::new(Expand::new(spec), &[&[STRING, INT]]);
        test.check_batch(
            0,
            &["+I a|1", "-D b|2"],
            &[
                "+I a|1|0|NULL",
                "+I a|NULL|1|NULL",
                "+I NULL|NULL|3|NULL",
                "-D b|2|0|NULL",
                "-D b|NULL|1|NULL",
                "-D NULL|NULL|3|NULL",
            ],
        );
    }
}
