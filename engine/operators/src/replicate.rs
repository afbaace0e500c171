//! Rows given out as often as one of their columns says.

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, UInt32Array};

use crate::emit::take_rows;
use crate::{Batch, Context, Operator, OperatorError, Output};

/// Gives each row out `n` times, n being a BIGINT column; not at all where that is NULL or less than 1. INTERSECT ALL and
/// EXCEPT ALL are an aggregate with one behind it.
///
/// # Flink
/// `ReplicateRows`.
#[derive(Debug)]
pub struct Replicate {
    count: usize,
}

impl Replicate {
    /// Returns the operator; `count` is the column that says how often.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self { count }
    }
}

impl Operator for Replicate {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let counts = batch.columns[self.count].as_primitive_opt::<Int64Type>();
        let counts =
            counts.ok_or_else(|| OperatorError::Failed("a count of rows is no BIGINT".into()))?;
        let mut rows = Vec::new();
        for row in (0..batch.rows).filter(|row| counts.is_valid(*row)) {
            let count = usize::try_from(counts.value(row)).unwrap_or(0);
            rows.resize(rows.len() + count, row as u32);
        }
        let kinds = rows.iter().map(|row| batch.kind(*row as usize)).collect();
        let rows = UInt32Array::from(rows);
        let columns = batch.columns.iter();
        let columns = columns.map(|column| take_rows(column, &rows));
        out.batch(Batch::changes(columns.collect::<Result<_, _>>()?, kinds));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BIGINT, Harness, INT};

    #[test]
    fn rows_come_as_often_as_they_say() {
        let mut test = Harness::new(Replicate::new(0), &[&[BIGINT, INT]]);
        test.check_batch(
            0,
            &["+I 2|7", "-U 1|8", "+U 0|9", "+U -1|9", "+U NULL|9"],
            &["+I 2|7", "+I 2|7", "-U 1|8"],
        );
    }
}
