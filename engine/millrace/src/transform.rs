//! The plan's lane program as the runtime sees it, with metadata brought to and from the connector's types.

use std::sync::Arc;

use arrow_array::ArrayRef;
use millrace_connector::{ColumnKind, Diagnostic, FlinkType, MetadataKey, TableDefinition};
use millrace_functions::cast::{CastMode, bind_cast};
use millrace_functions::{BindContext, Column, EvalContext, Kernel};
use millrace_plan::{Branch, LaneProgram};
use millrace_runtime::{Transform, TransformFactory, Transformed};

use crate::pipeline::Flow;

/// A metadata column whose type in the table is not the connector's.
#[derive(Clone, Debug)]
struct Recast {
    /// Which column of the batch.
    column: usize,
    kernel: Arc<dyn Kernel>,
}

/// A lane's program with its casts before and after.
struct LaneTransform {
    before: Vec<Recast>,
    program: LaneProgram,
    after: Vec<Recast>,
}

/// Checks that metadata columns can be cast between the table's and the connector's types.
pub(crate) fn check(flow: &Flow) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (source, spec) in flow.plan.sources.iter().zip(&flow.sources) {
        let columns = &source.projection.columns;
        faults.extend(recasts(&source.table, columns, &spec.metadata(), Way::Read).err());
    }
    for (sink, spec) in flow.plan.sinks.iter().zip(&flow.sinks) {
        faults.extend(recasts(&sink.table, &sink.columns, &spec.metadata(), Way::Write).err());
    }
    faults
}

/// Returns what makes the program of a lane for a branch of the flow's source `source`.
pub(crate) fn factory(flow: &Flow, source: usize, branch: &Branch) -> TransformFactory {
    let held = "a flow is checked before it runs";
    let from = &flow.plan.sources[source];
    let to = &flow.plan.sinks[branch.sink];
    let before = recasts(
        &from.table,
        &from.projection.columns,
        &flow.sources[source].metadata(),
        Way::Read,
    )
    .expect(held);
    let after = recasts(&to.table, &to.columns, &flow.sinks[branch.sink].metadata(), Way::Write)
        .expect(held);
    let program = branch.program.clone();
    Arc::new(move || {
        Box::new(LaneTransform {
            before: before.clone(),
            program: program.clone(),
            after: after.clone(),
        })
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

fn recasts(
    table: &TableDefinition,
    columns: &[usize],
    keys: &[MetadataKey],
    way: Way,
) -> Result<Vec<Recast>, Diagnostic> {
    let mut recasts = Vec::new();
    for (position, index) in columns.iter().enumerate() {
        let column = &table.columns[*index];
        let ColumnKind::Metadata { key, .. } = &column.kind else {
            continue;
        };
        let Some(known) = keys.iter().find(|known| known.key == key.value) else {
            continue;
        };
        let (from, to) = match way {
            Way::Read => (&known.ty, &column.ty),
            Way::Write => (&column.ty, &known.ty),
        };
        if from.kind != to.kind {
            let kernel = cast(from, to).map_err(|why| {
                Diagnostic::error(
                    "MR0306",
                    format!("metadata '{}' is {}, which is not {}", key.value, known.ty, column.ty),
                    column.name.span,
                )
                .label(why)
                .help(format!("declare the column as {}", known.ty))
            })?;
            recasts.push(Recast { column: position, kernel });
        }
    }
    Ok(recasts)
}

fn cast(from: &FlinkType, to: &FlinkType) -> Result<Arc<dyn Kernel>, String> {
    // Metadata has no session zone: TIMESTAMP and TIMESTAMP_LTZ stand for each other by the instant.
    let ctx = BindContext { session_tz: jiff::tz::TimeZone::UTC, legacy_cast: false };
    let bound = bind_cast(from, to, CastMode::Cast, &ctx);
    bound.map(|(kernel, _)| kernel).map_err(|error| error.to_string())
}

fn apply(
    recasts: &[Recast],
    columns: &mut [ArrayRef],
    rows: usize,
    ctx: &EvalContext,
) -> Result<(), (usize, String)> {
    for recast in recasts {
        let input = Column::Array(Arc::clone(&columns[recast.column]));
        let output = recast.kernel.evaluate(&[input], rows, ctx);
        match output.map_err(|error| (error.row, error.message))? {
            Column::Array(array) => columns[recast.column] = array,
            Column::Constant(_) => unreachable!("a cast of an array is an array"),
        }
    }
    Ok(())
}

impl Transform for LaneTransform {
    fn run(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        now_ms: i64,
    ) -> Result<Transformed, (usize, String)> {
        let ctx = EvalContext { now_ms };
        let output = if self.before.is_empty() {
            self.program.run(columns, rows, &ctx)
        } else {
            let mut columns = columns.to_vec();
            apply(&self.before, &mut columns, rows, &ctx)?;
            self.program.run(&columns, rows, &ctx)
        };
        let mut output = output.map_err(|error| (error.row, error.message))?;
        apply(&self.after, &mut output.columns, output.rows, &ctx).map_err(|(row, message)| {
            let origin = output.kept.as_ref().map_or(row, |kept| kept[row] as usize);
            (origin, message)
        })?;
        Ok(Transformed { columns: output.columns, rows: output.rows, origins: output.kept })
    }
}
