//! `millrace explain FILE`: what is read, computed and written, and what is guaranteed. No I/O.

mod expression;

use millrace_connector::sink::CommitRole;
use millrace_connector::{ChangelogMode, ColumnKind, DeliveryGuarantee, SinkSpec, TableDefinition};
use millrace_plan::{Branch, ExplainedPlan};
use millrace_runtime::ChangeForm;

use crate::cli::{PipelineArgs, PlanFormat};
use crate::failure::Failure;
use crate::pipeline::{self, Flow, Pipeline};
use crate::{changelog, output, store};

/// Explains a file: a page of how it runs, or its plans.
pub(crate) fn command(args: &PipelineArgs, plan: bool, format: PlanFormat) -> Result<u8, Failure> {
    if let Some(plans) = pipeline::plans(args, plan || format != PlanFormat::Text)? {
        output::print(&written(&plans, format));
        return Ok(0);
    }
    let pipeline = pipeline::load(args)?;
    output::print(&explain(&pipeline)?);
    Ok(0)
}

/// Writes plans in a form; EXPLAIN JSON_EXECUTION_PLAN is JSON in a text too.
pub(crate) fn written(plans: &[ExplainedPlan], format: PlanFormat) -> String {
    let json = |plan: &ExplainedPlan| format!("{:#}\n", plan.to_json());
    match format {
        PlanFormat::Text => {
            let texts = plans.iter().map(|plan| match plan.wants_json {
                true => json(plan),
                false => plan.to_string(),
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        PlanFormat::Json => {
            let all: Vec<_> = plans.iter().map(ExplainedPlan::to_json).collect();
            format!("{:#}\n", serde_json::Value::Array(all))
        }
        PlanFormat::Dot => {
            let graphs = plans.iter();
            graphs
                .map(|plan| plan.physical.to_graphviz(&plan.title))
                .collect()
        }
    }
}

fn explain(pipeline: &Pipeline) -> anyhow::Result<String> {
    let run = &pipeline.run;
    let options = &run.runtime;
    let mut page = Page::default();
    page.line(0, &format!("pipeline {}", options.pipeline));
    page.pair(
        1,
        "checkpoints",
        &format!(
            "every {} to {}",
            seconds(options.checkpoint_interval),
            store::absolute(&run.checkpoints)?
        ),
    );
    page.pair(
        1,
        "lanes",
        &format!("{} for each source", options.parallelism),
    );
    page.pair(
        1,
        "queues",
        &format!("at most {}", output::bytes(options.buffer_bytes_max)),
    );
    for flow in &pipeline.flows {
        page.line(0, "");
        explain_flow(&mut page, flow);
    }
    if !pipeline.notes.is_empty() {
        page.line(0, "");
        page.line(0, "notes");
        for note in &pipeline.notes {
            page.line(1, note);
        }
    }
    Ok(page.0)
}

/// Indented lines.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, text: &str) {
        for line in text.split('\n') {
            self.0.push_str(&"  ".repeat(depth));
            self.0.push_str(line);
            self.0.push('\n');
        }
    }

    fn pair(&mut self, depth: usize, name: &str, text: &str) {
        self.line(depth, &format!("{name}: {text}"));
    }
}

fn explain_flow(page: &mut Page, flow: &Flow) {
    page.line(0, &format!("dataflow {}", flow.plan.name));
    for (index, (source, spec)) in flow.plan.sources.iter().zip(&flow.sources).enumerate() {
        let table = &source.table;
        if source.is_one_row {
            page.line(1, &format!("source {}", source.name));
        } else {
            page.line(1, &format!("source {}", name_and_connector(table)));
        }
        for (name, text) in spec.describe() {
            page.pair(2, &name, &text);
        }
        if !source.is_one_row {
            page.pair(2, "decoded", &decoded(table, &source.projection.columns));
        }
        for branch in &source.branches {
            explain_branch(page, flow, table, branch);
            if spec.changelog_mode() != ChangelogMode::InsertOnly {
                page.pair(3, "changes", &changes(flow, index, branch));
            }
        }
    }
    for (sink, spec) in flow.plan.sinks.iter().zip(&flow.sinks) {
        if sink.is_shown {
            page.line(1, &format!("sink {}", sink.table.name.value));
        } else {
            page.line(1, &format!("sink {}", name_and_connector(&sink.table)));
        }
        for (name, text) in spec.describe() {
            page.pair(2, &name, &text);
        }
        page.pair(2, "guarantee", &guarantee(&**spec));
    }
}

fn explain_branch(page: &mut Page, flow: &Flow, source: &TableDefinition, branch: &Branch) {
    let sink = &flow.plan.sinks[branch.sink];
    page.line(2, &format!("to {}", sink.table.name.value));
    for filter in &branch.logical.filters {
        page.pair(3, "only where", &expression::shown(filter, source));
    }
    for (index, expr) in sink.columns.iter().zip(&branch.logical.columns) {
        let column = &sink.table.columns[*index];
        let value = expression::shown(expr, source);
        let ty = millrace_plan::written_type(&column.ty);
        page.line(3, &format!("{} {ty} = {value}", column.name.value));
    }
    page.pair(3, "lane program", &branch.program.to_string());
}

fn changes(flow: &Flow, source: usize, branch: &Branch) -> String {
    let ChangeForm::Upserts(key) = changelog::form(flow, source, branch) else {
        return "all as they come: +I, -U, +U, -D".to_owned();
    };
    let sink = &flow.plan.sinks[branch.sink];
    let names: Vec<&str> = key
        .iter()
        .map(|place| sink.table.columns[sink.columns[*place]].name.value.as_str())
        .collect();
    if names.is_empty() {
        return "+I, +U, -D; the sink has no PRIMARY KEY".to_owned();
    }
    let names = names.join(", ");
    format!("+I, +U, -D by ({names}); an update that changes the key deletes the old row")
}

fn name_and_connector(table: &TableDefinition) -> String {
    let connector = table
        .option("connector")
        .map_or("?", |option| option.value.as_str());
    format!("{} ({connector})", table.name.value)
}

fn decoded(table: &TableDefinition, wanted: &[usize]) -> String {
    let stored = |index: &usize| table.columns[*index].kind != ColumnKind::Computed;
    let all = (0..table.columns.len()).filter(stored).count();
    let names: Vec<&str> = wanted
        .iter()
        .map(|index| table.columns[*index].name.value.as_str())
        .collect();
    format!("{} of {all} columns: {}", wanted.len(), names.join(", "))
}

fn guarantee(spec: &dyn SinkSpec) -> String {
    let word = match spec.guarantee() {
        DeliveryGuarantee::None => "none",
        DeliveryGuarantee::AtLeastOnce => "at least once",
        DeliveryGuarantee::ExactlyOnce => "exactly once",
    };
    let why = match spec.role() {
        CommitRole::Decides => {
            "each epoch is one transaction, which commits rows and position in one act; read with isolation.level=read_committed"
        }
        CommitRole::Follows => "output is prepared first and committed after the checkpoint",
        CommitRole::Flushes => {
            "everything is flushed before a checkpoint; after a crash the last epoch is written again"
        }
    };
    format!("{word}: {why}")
}

fn seconds(time: std::time::Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}
