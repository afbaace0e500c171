//! Rows that go their own way: each branch of the source transforms a batch and hands it to its sink.

use millrace_connector::RowKind;
use millrace_connector::source::SourceBatch;

use super::Output;
use crate::{ChangeForm, RunError, Transform, Transformed};

/// A branch in a lane; its writer has its number.
pub(crate) struct LaneBranch {
    pub(crate) transform: Box<dyn Transform>,
    pub(crate) changes: ChangeForm,
}

/// Runs the programs over a batch.
pub(super) fn run(
    branches: &mut [LaneBranch],
    table: &str,
    batch: &SourceBatch,
    now_ms: i64,
) -> Result<Vec<Output>, RunError> {
    let mut outputs = Vec::with_capacity(branches.len());
    for (writer, branch) in branches.iter_mut().enumerate() {
        let out = branch
            .transform
            .run(&batch.columns, batch.rows, now_ms)
            .map_err(|(row, message)| RunError::Row {
                table: table.to_owned(),
                origin: batch.origin.describe(row),
                message,
            })?;
        outputs.push(match kinds_of(batch, &out) {
            None => Output {
                writer,
                rows: out,
                kinds: None,
            },
            Some(kinds) => {
                let (rows, kinds) = branch.changes.apply(out, kinds);
                Output {
                    writer,
                    rows,
                    kinds: Some(kinds),
                }
            }
        });
    }
    Ok(outputs)
}

fn kinds_of(batch: &SourceBatch, out: &Transformed) -> Option<Vec<RowKind>> {
    let kinds = batch.kinds.as_ref()?;
    Some(match &out.origins {
        None => kinds.clone(),
        Some(origins) => origins
            .iter()
            .map(|origin| kinds[*origin as usize])
            .collect(),
    })
}
