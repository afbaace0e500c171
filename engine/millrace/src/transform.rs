//! The plan's lane program as the runtime sees it, with metadata brought to and from the connector's types.

use std::sync::Arc;

use arrow_array::ArrayRef;
use millrace_connector::Diagnostic;
use millrace_functions::{BindContext, EvalContext, RowError};
use millrace_plan::{Branch, EdgeCasts, LaneProgram};
use millrace_runtime::{Transform, TransformFactory, Transformed};

use crate::pipeline::Flow;

/// A lane's program with its casts before and after.
struct LaneTransform {
    before: EdgeCasts,
    program: LaneProgram,
    after: EdgeCasts,
}

/// Checks that the metadata columns of a flow's tables exist and can be cast to and from the connector's types.
pub(crate) fn check(flow: &Flow, ctx: &BindContext) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for source in 0..flow.sources.len() {
        faults.extend(before(flow, source, ctx).err().into_iter().flatten());
    }
    for sink in 0..flow.sinks.len() {
        faults.extend(after(flow, sink, ctx).err().into_iter().flatten());
    }
    faults
}

/// Returns what makes the program of a lane for a branch of the flow's source `source`.
pub(crate) fn factory(
    flow: &Flow,
    source: usize,
    branch: &Branch,
    ctx: &BindContext,
) -> TransformFactory {
    let held = "a flow is checked before it runs";
    let before = before(flow, source, ctx).expect(held);
    let after = after(flow, branch.sink, ctx).expect(held);
    let program = branch.program.clone();
    Arc::new(move || {
        Box::new(LaneTransform {
            before: before.clone(),
            program: program.clone(),
            after: after.clone(),
        })
    })
}

/// Returns what makes a program over a source whose columns reach no sink.
pub(crate) fn watermark_factory(
    flow: &Flow,
    source: usize,
    program: &LaneProgram,
) -> TransformFactory {
    let before = before(flow, source, &flow.bind).expect("a flow is checked before it runs");
    let program = program.clone();
    Arc::new(move || {
        Box::new(LaneTransform {
            before: before.clone(),
            program: program.clone(),
            after: EdgeCasts::default(),
        })
    })
}

pub(crate) fn before(
    flow: &Flow,
    source: usize,
    ctx: &BindContext,
) -> Result<EdgeCasts, Vec<Diagnostic>> {
    let plan = &flow.plan.sources[source];
    let keys = flow.sources[source].metadata();
    EdgeCasts::source(&plan.table, &plan.projection.columns, &keys, ctx)
}

pub(crate) fn after(
    flow: &Flow,
    sink: usize,
    ctx: &BindContext,
) -> Result<EdgeCasts, Vec<Diagnostic>> {
    let plan = &flow.plan.sinks[sink];
    EdgeCasts::sink(
        &plan.table,
        &plan.columns,
        &flow.sinks[sink].metadata(),
        ctx,
    )
}

impl Transform for LaneTransform {
    fn run(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        now_ms: i64,
    ) -> Result<Transformed, (usize, String)> {
        let ctx = EvalContext { now_ms };
        let failed = |error: RowError| (error.row, error.message);
        let output = if self.before.is_empty() {
            self.program.run(columns, rows, &ctx)
        } else {
            let mut columns = columns.to_vec();
            self.before
                .apply(&mut columns, rows, &ctx)
                .map_err(failed)?;
            self.program.run(&columns, rows, &ctx)
        };
        let mut output = output.map_err(failed)?;
        self.after
            .apply(&mut output.columns, output.rows, &ctx)
            .map_err(|error| {
                let origin = output
                    .kept
                    .as_ref()
                    .map_or(error.row, |kept| kept[error.row] as usize);
                (origin, error.message)
            })?;
        Ok(Transformed {
            columns: output.columns,
            rows: output.rows,
            origins: output.kept,
            not_null_dropped: output.not_null_dropped as u64,
        })
    }
}
