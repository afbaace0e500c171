//! A file to dataflows: parsed, planned, checked against its connectors. No I/O but reading the file.

use std::path::Path;
use std::sync::Arc;

use millrace_connector::sink::CommitRole;
use millrace_connector::{
    Diagnostic, SinkSpec, SourceSpec, Spanned, TableDefinition, ValidateContext,
};
use millrace_functions::BindContext;
use millrace_plan::{ExplainedPlan, Settings, effective_settings, explain};
use millrace_runtime as runtime;
use millrace_sql::ast::Statement;

use crate::changelog::{self, Materialize};
use crate::cli::PipelineArgs;
use crate::connectors::Connectors;
use crate::failure::Failure;
use crate::secrets;
use crate::settings::definitions::key;
use crate::settings::{Outside, RunSettings, check, gather, typed};
use crate::text::{ParsedText, SqlText, in_order};
use crate::used_tables::UsedTables;
use crate::{same_topic, stateful, tables, transform};

/// A pipeline without errors.
#[derive(Debug)]
pub(crate) struct Pipeline {
    /// Its text.
    pub(crate) text: SqlText,
    /// How it runs.
    pub(crate) run: RunSettings,
    /// Its dataflows.
    pub(crate) flows: Vec<Flow>,
    /// What the user should see though nothing is wrong.
    pub(crate) warnings: Vec<Diagnostic>,
    /// What the user may want to know: options and settings without a meaning here.
    pub(crate) notes: Vec<String>,
}

/// A planned dataflow with its validated tables.
#[derive(Debug)]
pub(crate) struct Flow {
    /// The plan.
    pub(crate) plan: millrace_plan::Dataflow,
    /// For each source of the plan, its table validated.
    pub(crate) sources: Vec<Arc<dyn SourceSpec>>,
    /// For each sink of the plan, its table validated.
    pub(crate) sinks: Vec<Arc<dyn SinkSpec>>,
    /// What casts depend on.
    pub(crate) bind: BindContext,
    /// What its tables were checked with.
    pub(crate) context: ValidateContext,
}

/// Codes of findings that may only follow from text that could not be read.
const CONSEQUENCES: &[&str] = &["MR0301", "MR0505", "MR0506"];

/// Reads and checks the pipeline of a command line.
pub(crate) fn load(args: &PipelineArgs) -> Result<Pipeline, Failure> {
    load_with(args, |_| {})
}

/// Returns the plans of a file's EXPLAIN statements; of all its statements where they are wanted; `None` where neither.
pub(crate) fn plans(
    args: &PipelineArgs,
    wanted: bool,
) -> Result<Option<Vec<ExplainedPlan>>, Failure> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let outside = gather(args, environment);
    let text = SqlText::read(&args.file)?;
    let parsed = text.parse(&outside.variables);
    let is_explain =
        |statement: &Spanned<Statement>| matches!(statement.value, Statement::Explain(_));
    if !wanted && !parsed.statements.iter().any(is_explain) {
        return Ok(None);
    }
    let mut diagnostics = outside.diagnostics.clone();
    diagnostics.extend(parsed.diagnostics.iter().cloned());
    match explain(&parsed.statements, &outside.settings) {
        Ok(plans) if !diagnostics.iter().any(Diagnostic::is_error) => return Ok(Some(plans)),
        Ok(_) => {}
        Err(faults) => diagnostics.extend(parsed.relocate(faults)),
    }
    Err(Failure::Refused {
        diagnostics: in_order(diagnostics),
        text,
    })
}

/// Reads and checks the pipeline of a command line, with changes to what comes from outside of the file.
pub(crate) fn load_with(
    args: &PipelineArgs,
    change: impl FnOnce(&mut Outside),
) -> Result<Pipeline, Failure> {
    // Names and values that are not UTF-8 cannot be settings.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment: Vec<(String, String)> = environment.collect();
    secrets::note_named(environment.iter().map(|(name, value)| (name, value)));
    let mut outside = gather(args, environment);
    change(&mut outside);
    secrets::note_settings(&outside.settings);
    secrets::note_named(&outside.variables);
    let text = match SqlText::read(&args.file) {
        Ok(text) => text,
        Err(Failure::Refused {
            mut diagnostics,
            text,
        }) => {
            diagnostics.extend(outside.diagnostics);
            return Err(Failure::Refused { diagnostics, text });
        }
        Err(failure) => return Err(failure),
    };
    analyse(text, &args.file, &outside)
}

/// Checks a text with everything from outside of it, and reports all that is wrong at once.
pub(crate) fn analyse(text: SqlText, file: &Path, outside: &Outside) -> Result<Pipeline, Failure> {
    let parsed = text.parse(&outside.variables);
    let settings = effective_settings(&parsed.statements, &outside.settings);
    let findings = check::check(&settings);
    let mut diagnostics = findings.diagnostics;
    secrets::mask_rows(
        settings
            .get(key::ROW_VALUES)
            .is_some_and(|value| value.eq_ignore_ascii_case("masked")),
    );
    let run = RunSettings::new(&settings, file)
        .map_err(|faults| diagnostics.extend(faults))
        .ok();
    let ctx = typed::validate_context(&settings);
    let planned = tables::plan(&parsed.statements, outside, &ctx);
    let flows = match planned {
        Ok(planned) => {
            diagnostics.extend(planned.warnings);
            validate(
                planned.flows,
                &outside.connectors,
                &ctx,
                &bind_context(&planned.settings),
                (
                    &planned.settings,
                    run.as_ref().map_or(1, |run| run.runtime.slots),
                ),
                &mut diagnostics,
            )
        }
        Err(faults) => {
            diagnostics.extend(
                faults
                    .into_iter()
                    .filter(|fault| !(parsed.has_gaps() && CONSEQUENCES.contains(&fault.code))),
            );
            validate_alone(&parsed, outside, &ctx, &mut diagnostics);
            Vec::new()
        }
    };
    let mut all = outside.diagnostics.clone();
    all.extend(in_order(without_unknown_values(&parsed, diagnostics)));
    all.extend(parsed.diagnostics.iter().cloned());
    let all = in_order(all);
    match run {
        Some(run) if !all.iter().any(Diagnostic::is_error) => {
            let notes = findings
                .notes
                .into_iter()
                .chain(flows.iter().flat_map(Flow::notes))
                .collect();
            Ok(Pipeline {
                text,
                run,
                flows,
                warnings: all,
                notes,
            })
        }
        _ => Err(Failure::Refused {
            diagnostics: all,
            text,
        }),
    }
}

/// Moves findings to the text as written; what lies in a variable without a value is left out.
fn without_unknown_values(parsed: &ParsedText, diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let unknown: Vec<_> = parsed
        .diagnostics
        .iter()
        .filter(|found| found.code == "MR0701")
        .filter_map(|found| found.primary.as_ref())
        .map(|label| label.span)
        .collect();
    parsed
        .relocate(diagnostics)
        .into_iter()
        .filter(|found| {
            found.primary.as_ref().is_none_or(|label| {
                !unknown
                    .iter()
                    .any(|gap| label.span.start <= gap.start && gap.end <= label.span.end)
            })
        })
        .collect()
}

/// Returns what casts depend on; the plan has refused settings that cannot be read.
fn bind_context(settings: &Settings) -> BindContext {
    BindContext {
        session_tz: settings.session_time_zone().expect("the plan has read it"),
        legacy_cast: settings.legacy_cast(),
        ..BindContext::default()
    }
}

fn validate(
    plans: Vec<millrace_plan::Dataflow>,
    connectors: &Connectors,
    ctx: &ValidateContext,
    bind: &BindContext,
    (settings, slots): (&Settings, u32),
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Flow> {
    let materialize = Materialize::of(settings);
    let mut flows = Vec::new();
    for plan in plans {
        diagnostics.extend(stateful::check(&plan, settings, slots));
        let mut sources = Vec::new();
        let mut sinks = Vec::new();
        for source in &plan.sources {
            let spec = if source.is_one_row {
                Ok(Arc::new(millrace_builtin::OneRow) as Arc<dyn SourceSpec>)
            } else {
                connectors.source(&source.table, ctx)
            };
            match spec {
                Ok(spec) => sources.push(spec),
                Err(faults) => diagnostics.extend(faults),
            }
        }
        for sink in &plan.sinks {
            let spec = if sink.is_shown {
                Ok(Arc::new(millrace_builtin::Changes::new(&sink.table)) as Arc<dyn SinkSpec>)
            } else {
                connectors.sink(&sink.table, ctx)
            };
            match spec {
                Ok(spec) => sinks.push(spec),
                Err(faults) => diagnostics.extend(faults),
            }
        }
        if sources.len() == plan.sources.len() && sinks.len() == plan.sinks.len() {
            let flow = Flow {
                plan,
                sources,
                sinks,
                bind: bind.clone(),
                context: ctx.clone(),
            };
            diagnostics.extend(flow.check_deciders());
            diagnostics.extend(changelog::check(&flow, materialize));
            diagnostics.extend(transform::check(&flow, bind));
            flows.push(flow);
        }
    }
    diagnostics.extend(same_topic::check(&flows));
    flows
}

/// Checks the tables of a file that could not be planned, so that their faults are told along with the others.
fn validate_alone(
    parsed: &ParsedText,
    outside: &Outside,
    ctx: &ValidateContext,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let used = UsedTables::of(&parsed.statements);
    for table in millrace_plan::tables(&parsed.statements, &outside.settings) {
        let table: &TableDefinition = &table;
        // The name of a table outside of the default database begins with its database's.
        let own_name = table.name.value.rsplit('.').next().unwrap_or_default();
        // What no statement names may be meant for one that could not be read: nobody knows for which side.
        if used.written.contains(own_name) {
            let found = outside.connectors.sink(table, ctx);
            diagnostics.extend(found.err().into_iter().flatten());
        }
        if used.read.contains(own_name) {
            let found = outside.connectors.source(table, ctx);
            diagnostics.extend(found.err().into_iter().flatten());
        }
    }
}

impl Flow {
    /// Two transactions on two clusters cannot commit in one act.
    fn check_deciders(&self) -> Option<Diagnostic> {
        let mut deciders = self
            .plan
            .sinks
            .iter()
            .zip(&self.sinks)
            .filter(|(_, spec)| spec.role() == CommitRole::Decides);
        let (first, first_spec) = deciders.next()?;
        let (second, _) = deciders.find(|(_, spec)| spec.group_key() != first_spec.group_key())?;
        Some(
            Diagnostic::error(
                "MR0602",
                format!(
                    "'{}' and '{}' are both exactly-once, on different clusters, in one dataflow",
                    first.table.name.value, second.table.name.value
                ),
                second.table.name.span,
            )
            .label("its transaction cannot commit in one act with the other's")
            .also(first.table.name.span, "the other exactly-once sink")
            .help(format!(
                "put the INSERT INTO {} into a file of its own: each file then reads the source for itself",
                second.table.name.value
            ))
            .help("or give one of the two 'sink.delivery-guarantee' = 'at-least-once'"),
        )
    }

    fn notes(&self) -> Vec<String> {
        let sources = self
            .plan
            .sources
            .iter()
            .zip(&self.sources)
            .map(|(source, spec)| (&source.table, spec.notes()));
        let sinks = self
            .plan
            .sinks
            .iter()
            .zip(&self.sinks)
            .map(|(sink, spec)| (&sink.table, spec.notes()));
        sources
            .chain(sinks)
            .flat_map(|(table, notes)| {
                notes
                    .into_iter()
                    .map(move |note| format!("table '{}': {note}", table.name.value))
            })
            .collect()
    }

    /// Returns what the runtime runs.
    pub(crate) fn dataflow(&self) -> runtime::Dataflow {
        runtime::Dataflow {
            name: self.plan.name.clone(),
            id: self.plan.name.clone(),
            names: None,
            sources: self
                .plan
                .sources
                .iter()
                .enumerate()
                .map(|(index, source)| runtime::SourceInput {
                    name: source.name.clone(),
                    key: source.name.clone(),
                    spec: Arc::clone(&self.sources[index]),
                    projection: source.projection.clone(),
                    branches: source
                        .branches
                        .iter()
                        .filter(|_| self.plan.stages.is_empty())
                        .map(|branch| runtime::Branch {
                            transform: transform::factory(self, index, branch, &self.bind),
                            sink: branch.sink,
                            changes: changelog::form(self, index, branch),
                        })
                        .collect(),
                    watermark: stateful::watermark(self, index),
                })
                .collect(),
            sinks: self
                .plan
                .sinks
                .iter()
                .zip(&self.sinks)
                .map(|(sink, spec)| runtime::SinkInput {
                    name: sink.table.name.value.clone(),
                    spec: Arc::clone(spec),
                })
                .collect(),
            operators: stateful::operators(self),
        }
    }
}
