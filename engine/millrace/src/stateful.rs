//! Dataflows whose rows meet: the operators of their lane, and what cannot run.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, TimestampMicrosecondArray};
use millrace_connector::{ChangelogMode, Diagnostic};
use millrace_plan::{Feed, GraphNode, Settings};
use millrace_runtime::{
    ChangeForm, NodeInput, NodeState, Operators, RunError, Transform, TransformFactory, Transformed,
};

use crate::pipeline::Flow;
use crate::transform;

/// A stage that makes watermarks of rows.
const ASSIGNER: &str = "WatermarkAssigner";
/// A stage in front of a sink that knows rows by their key; the sink's own [`ChangeForm`] does it, and half an update that passed a filter
/// deletes there.
const DROPPED: &str = "DropUpdateBefore";

/// Refuses what keeps state and cannot run.
pub(crate) fn check(
    plan: &millrace_plan::Dataflow,
    settings: &Settings,
    slots: u32,
) -> Option<Diagnostic> {
    let stage = plan.stages.first()?;
    let sink = &plan.sinks[0];
    if slots > 1 {
        let reason = RunError::StateInSlots { slots }.to_string();
        let name = stage.node.name();
        return Some(
            Diagnostic::error("MR0813", reason, sink.span)
                .label(format!("what is written here keeps state ({name})"))
                .help("set 'millrace.slots' = '1'"),
        );
    }
    let is_batch = settings
        .get("execution.runtime-mode")
        .is_some_and(|mode| mode.trim().eq_ignore_ascii_case("batch"));
    is_batch.then(|| {
        Diagnostic::error(
            "MR0504",
            "a query that keeps state is not run in batch mode yet",
            sink.span,
        )
        .label("'execution.runtime-mode' is BATCH")
        .help("leave 'execution.runtime-mode' out: a bounded source is read to its end, and the last change of each row is the result")
    })
}

/// Tells whether the runtime, which knows the splits, makes the watermarks of a stage: it has a source right before it.
fn is_by_source(plan: &millrace_plan::Dataflow, stage: usize) -> bool {
    let leads_here = |feeds: &[Feed]| feeds.iter().any(|feed| feed.stage == stage);
    plan.stages[stage].node.name() == ASSIGNER
        && !plan.stages.iter().any(|other| leads_here(&other.feeds))
}

/// Returns the operators of a flow; `None` where it has no stages.
pub(crate) fn operators(flow: &Flow) -> Option<Operators> {
    if flow.plan.stages.is_empty() {
        return None;
    }
    let held = "a flow is checked before it runs";
    let before: Vec<_> = (0..flow.sources.len())
        .map(|source| transform::before(flow, source, &flow.bind).expect(held))
        .collect();
    let after: Vec<_> = (0..flow.sinks.len())
        .map(|sink| transform::after(flow, sink, &flow.bind).expect(held))
        .collect();
    let plan = flow.plan.clone();
    let passed: Vec<bool> = (0..plan.stages.len())
        .map(|stage| is_by_source(&plan, stage) || plan.stages[stage].node.name() == DROPPED)
        .collect();
    let (_, nodes) = plan.graph_with(&before, &after, &|stage| passed[stage]);
    let input = |(number, node): (usize, &GraphNode)| match node {
        GraphNode::Casts => unnamed(format!("Casts[{number}]")),
        GraphNode::Program => unnamed(format!("Calc[{number}]")),
        GraphNode::Stage(stage) => NodeInput {
            name: plan.stage_name(*stage),
            state: state(&plan, *stage, passed[*stage]),
        },
    };
    let nodes = nodes.iter().enumerate().map(input).collect();
    Some(Operators {
        graph: Arc::new(move || plan.graph_with(&before, &after, &|stage| passed[stage]).0),
        nodes,
        changes: (0..flow.sinks.len()).map(|sink| form(flow, sink)).collect(),
    })
}

fn unnamed(name: String) -> NodeInput {
    NodeInput { name, state: None }
}

fn state(plan: &millrace_plan::Dataflow, stage: usize, is_passed: bool) -> Option<NodeState> {
    let Some(state) = plan.stage_state(stage) else {
        // An assigner that is not passed keeps where it stood.
        let is_assigner = plan.stages[stage].node.name() == ASSIGNER && !is_passed;
        return is_assigner.then(|| NodeState {
            id: format!("{stage}-{ASSIGNER}"),
            fingerprint: Default::default(),
            ttl_ms: 0,
        });
    };
    Some(NodeState {
        id: state.id,
        fingerprint: state.fingerprint,
        ttl_ms: state.ttl_ms,
    })
}

/// Returns which changes a sink gets.
fn form(flow: &Flow, sink: usize) -> ChangeForm {
    if flow.sinks[sink].changelog_mode() != ChangelogMode::Upsert {
        return ChangeForm::All;
    }
    let plan = &flow.plan.sinks[sink];
    let place = |name: &str| {
        let mut columns = plan.columns.iter();
        columns.position(|column| plan.table.columns[*column].name.value == name)
    };
    let key = plan.table.primary_key.iter();
    ChangeForm::Upserts(key.filter_map(|name| place(&name.value)).collect())
}

/// Returns what gives the watermark of each row of a source.
pub(crate) fn watermark(flow: &Flow, source: usize) -> Option<TransformFactory> {
    let mut feeds = flow.plan.sources[source].feeds.iter();
    let feed = feeds.find(|feed| is_by_source(&flow.plan, feed.stage))?;
    let make = transform::watermark_factory(flow, source, &feed.program);
    Some(Arc::new(move || Box::new(LastColumn(make()))))
}

/// The last column of a program, for all of its rows.
struct LastColumn(Box<dyn Transform>);

impl Transform for LastColumn {
    fn run(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        now_ms: i64,
    ) -> Result<Transformed, (usize, String)> {
        let mut found = self.0.run(columns, rows, now_ms)?;
        let last = found.columns.pop().expect("the watermark is a column");
        let column = match found.origins {
            None => last,
            Some(origins) => {
                let known = last.as_primitive::<TimestampMicrosecondType>();
                let mut all = vec![None; rows];
                for (place, row) in origins.into_iter().enumerate() {
                    all[row as usize] = known.is_valid(place).then(|| known.value(place));
                }
                Arc::new(TimestampMicrosecondArray::from(all))
            }
        };
        Ok(Transformed {
            columns: vec![column],
            rows,
            origins: None,
            not_null_dropped: 0,
        })
    }
}
