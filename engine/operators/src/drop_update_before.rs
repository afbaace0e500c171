//! Updates without their old rows.

use arrow_array::UInt32Array;
use millrace_connector::RowKind;

use crate::emit::take_rows;
use crate::{Batch, Context, Operator, OperatorError, Output};

/// Drops `-U` rows: what comes after it needs only the new row of an update.
///
/// # Flink
/// `DropUpdateBeforeFunction`.
#[derive(Debug, Default)]
pub struct DropUpdateBefore;

impl Operator for DropUpdateBefore {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let Some(kinds) = batch.kinds.as_ref() else {
            out.batch(batch);
            return Ok(());
        };
        let kept = kinds.iter().zip(0_u32..);
        let kept = kept.filter(|(kind, _)| **kind != RowKind::UpdateBefore);
        let rows: Vec<u32> = kept.map(|(_, row)| row).collect();
        if rows.len() == batch.rows {
            out.batch(batch);
            return Ok(());
        }
        let kinds = rows.iter().map(|row| kinds[*row as usize]).collect();
        let origins = rows.iter().map(|row| match &batch.origins {
            Some(origins) => origins[*row as usize],
            None => *row,
        });
        let origins = Some(origins.collect());
        let rows = UInt32Array::from(rows);
        let columns = batch.columns.iter();
        out.batch(Batch {
            columns: columns
                .map(|column| take_rows(column, &rows))
                .collect::<Result<_, _>>()?,
            rows: rows.len(),
            kinds: Some(kinds),
            origins,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Harness, INT};

    #[test]
    fn only_the_old_rows_of_updates_go() {
        let mut test = Harness::new(DropUpdateBefore, &[&[INT]]);
        test.check_batch(
            0,
            &["+I 1", "-U 1", "+U 2", "-D 2"],
            &["+I 1", "+U 2", "-D 2"],
        );
    }
}
