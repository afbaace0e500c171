//! A lane program among the operators of a lane.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use millrace_functions::EvalContext;
use millrace_operators::{Batch, Context, JoinCondition, Kinds, Operator, OperatorError, Output};

use crate::LaneProgram;

/// Filters and projects each batch; rows keep their kinds.
#[derive(Debug)]
pub struct ProgramOperator {
    program: LaneProgram,
}

impl ProgramOperator {
    /// Returns the operator that runs `program`.
    #[must_use]
    pub fn new(program: LaneProgram) -> Self {
        Self { program }
    }
}

impl Operator for ProgramOperator {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let ctx = EvalContext { now_ms: ctx.now_ms };
        let found = self.program.run(&batch.columns, batch.rows, &ctx);
        let found = found.map_err(|error| OperatorError::Row {
            row: error.row,
            message: error.message,
        })?;
        let (kinds, origins) = match &found.kept {
            None => (batch.kinds, batch.origins),
            Some(kept) => (
                batch.kinds.as_ref().map(|kinds| chosen(kinds, kept)),
                Some(traced(batch.origins.as_deref(), kept)),
            ),
        };
        out.batch(Batch {
            columns: found.columns,
            rows: found.rows,
            kinds,
            origins,
        });
        Ok(())
    }
}

fn chosen(kinds: &Kinds, kept: &[u32]) -> Kinds {
    kept.iter().map(|row| kinds[*row as usize]).collect()
}

/// Returns the source's row of each kept row.
fn traced(origins: Option<&[u32]>, kept: &[u32]) -> Arc<[u32]> {
    match origins {
        None => kept.into(),
        Some(origins) => kept.iter().map(|row| origins[*row as usize]).collect(),
    }
}

/// A condition of a join: a program of one BOOLEAN column over the columns of both sides.
#[derive(Debug)]
pub struct ProgramCondition {
    program: LaneProgram,
}

impl ProgramCondition {
    /// Returns the condition of a program without a filter, whose only column is BOOLEAN.
    #[must_use]
    pub fn new(program: LaneProgram) -> Self {
        Self { program }
    }
}

impl JoinCondition for ProgramCondition {
    fn evaluate(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        now_ms: i64,
    ) -> Result<BooleanArray, OperatorError> {
        let eval = EvalContext { now_ms };
        let output =
            self.program
                .run(columns, rows, &eval)
                .map_err(|error| OperatorError::Row {
                    row: error.row,
                    message: error.message,
                })?;
        Ok(output.columns[0].as_boolean().clone())
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_array::{Array, BooleanArray, Int32Array};
    use millrace_connector::{RowKind, Span, TypeKind};
    use millrace_operators::Watermark;

    use super::*;
    use crate::{Expr, ExprKind, NotNullEnforcer, OutputColumn, ProgramSource};

    #[test]
    fn kept_rows_keep_their_kinds_and_origins() {
        let column = |index, kind: TypeKind| {
            Expr::new(ExprKind::Column(index), kind.nullable(), Span::default())
        };
        let program = LaneProgram::compile(ProgramSource {
            width: 2,
            unnests: &[],
            filters: &[column(0, TypeKind::Boolean)],
            projection: &[column(1, TypeKind::Int)],
            outputs: vec![OutputColumn {
                name: "n".to_owned(),
                ty: TypeKind::Int.nullable(),
                enforced: false,
            }],
            not_null: NotNullEnforcer::Error,
        });
        let mut batch = Batch::changes(
            vec![
                Arc::new(BooleanArray::from(vec![false, true, true])),
                Arc::new(Int32Array::from(vec![1, 2, 3])),
            ],
            vec![RowKind::Insert, RowKind::Delete, RowKind::Insert],
        );
        batch.origins = Some(vec![4, 5, 6].into());
        let ctx = Context {
            now_ms: 0,
            watermark: Watermark::NONE,
        };
        let mut out = Output::default();
        let mut operator = ProgramOperator::new(program);
        operator.batch(0, batch, &ctx, &mut out).unwrap();
        let found = out.take_batches().remove(0);
        assert_eq!(found.columns[0].len(), 2);
        assert_eq!(
            found.columns[0].as_primitive::<Int32Type>().values(),
            &[2, 3]
        );
        assert_eq!(
            [found.kind(0), found.kind(1)],
            [RowKind::Delete, RowKind::Insert]
        );
        assert_eq!(found.origins.as_deref(), Some(&[5, 6][..]));
    }
}
