//! Lane programs as operators and as conditions of joins.

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, BooleanArray};
use millrace_connector::RowKind;
use millrace_functions::{EvalContext, RowError};
use millrace_operators::{Batch, Context, JoinCondition, Operator, OperatorError, Output};

use crate::LaneProgram;

/// A filter and projection between two operators.
#[derive(Debug)]
pub struct ProgramOperator {
    program: LaneProgram,
}

impl ProgramOperator {
    /// Returns the operator of a program.
    #[must_use]
    pub fn new(program: LaneProgram) -> Self {
        Self { program }
    }
}

fn row_error(error: RowError) -> OperatorError {
    OperatorError::Row {
        row: error.row,
        message: error.message,
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
        let eval = EvalContext { now_ms: ctx.now_ms };
        let output = self
            .program
            .run(&batch.columns, batch.rows, &eval)
            .map_err(row_error)?;
        let (kinds, origins) = match &output.kept {
            None => (batch.kinds, batch.origins),
            Some(kept) => {
                let kinds = batch.kinds.as_ref().map(|kinds| {
                    let kept = kept.iter().map(|row| kinds[*row as usize]);
                    kept.collect::<Vec<RowKind>>().into()
                });
                let origins = match &batch.origins {
                    None => kept.clone(),
                    Some(origins) => kept.iter().map(|row| origins[*row as usize]).collect(),
                };
                (kinds, Some(origins.into()))
            }
        };
        out.batch(Batch {
            columns: output.columns,
            rows: output.rows,
            kinds,
            origins,
        });
        Ok(())
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
        let output = self.program.run(columns, rows, &eval).map_err(row_error)?;
        Ok(output.columns[0].as_boolean().clone())
    }
}
