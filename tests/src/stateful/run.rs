//! Runs a case: one row at a time, a watermark behind each row, the end table by table.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use arrow_array::ArrayRef;
use millrace_connector::{Diagnostic, RowKind, TableDefinition};
use millrace_operators::{Batch, Graph, GraphError, OperatorError, SinkPort, Watermark};
use millrace_plan::{
    Changes, Dataflow, EdgeCasts, LOCAL_TIME_ZONE, Origin, Settings, Sink, Source, TableChanges,
};
use serde_json::Value;

use super::materialised::{Materialised, printed};
use super::{Answer, Case, Change, Failure, Outputs};

/// The moment at which a case starts.
const START_MS: i64 = 1_772_323_200_000;

/// Answers a case; `folder` is where its files of events lie.
///
/// # Errors
/// A case that this reader does not understand.
pub fn answer(case: &Case, folder: &std::path::Path) -> Result<Answer> {
    let mut answer = Answer {
        id: case.id.clone(),
        ..Answer::default()
    };
    let plan = match plan(case) {
        Ok(plan) => plan,
        Err(failure) => {
            answer.error = Some(failure);
            return Ok(answer);
        }
    };
    answer.types = plan.first().map(|flow| flow.sinks[0].query.clone());
    if case.plan_only {
        return Ok(answer);
    }
    let several = plan.iter().map(|flow| flow.sinks.len()).sum::<usize>() > 1;
    let flows = plan.iter().map(|flow| Flow {
        flow,
        graph: {
            let before = vec![EdgeCasts::default(); flow.sources.len()];
            let after = vec![EdgeCasts::default(); flow.sinks.len()];
            flow.graph(&before, &after).0
        },
    });
    let mut run = Run {
        flows: flows.collect(),
        several,
        outputs: Vec::new(),
        now_ms: START_MS,
    };
    run.all(case, folder, &mut answer)?;
    Ok(answer)
}

/// Returns the session's settings.
#[must_use]
pub fn settings(case: &Case) -> Settings {
    let mut settings = Settings::default();
    settings.set(LOCAL_TIME_ZONE, case.tz.clone(), Origin::CommandLine);
    settings.set(
        "execution.runtime-mode",
        case.mode.clone(),
        Origin::CommandLine,
    );
    settings.set(
        "pipeline.auto-watermark-interval",
        "0 ms",
        Origin::CommandLine,
    );
    settings.set(millrace_plan::FLINK_VERSION, "1.17", Origin::CommandLine);
    for (key, value) in &case.conf {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        settings.set(key.clone(), text, Origin::CommandLine);
    }
    settings
}

/// The connector `oracle`: what its tables may send and take stands in their options.
struct OracleTables;

fn changes(text: &str) -> Changes {
    let has = |kind: &str| text.split(',').any(|part| part.trim() == kind);
    Changes {
        insert: has("I"),
        update_before: has("UB"),
        update_after: has("UA"),
        delete: has("D"),
    }
}

impl TableChanges for OracleTables {
    fn source(&self, table: &TableDefinition) -> Changes {
        changes(
            table
                .option("changelog-mode")
                .map_or("I", |option| &option.value),
        )
    }

    fn sink(&self, table: &TableDefinition) -> Changes {
        changes(
            table
                .option("sink-mode")
                .map_or("I,UB,UA,D", |option| &option.value),
        )
    }

    fn plans_all_nodes(&self) -> bool {
        true
    }

    fn can_look_up(&self, table: &TableDefinition) -> bool {
        table
            .option("lookup")
            .is_some_and(|option| option.value == "true")
    }
}

fn plan(case: &Case) -> Result<Vec<Dataflow>, Failure> {
    let text = case.script();
    let parsed = millrace_sql::parse(&text);
    let refused = |diagnostics: &[Diagnostic]| {
        let error = diagnostics
            .iter()
            .find(|diagnostic| diagnostic.is_error())?;
        Some(Failure {
            phase: "validate".to_owned(),
            step: None,
            msg: format!("{} {}", error.code, error.message),
        })
    };
    if let Some(failure) = refused(&parsed.diagnostics) {
        return Err(failure);
    }
    let tables: Arc<dyn TableChanges> = Arc::new(OracleTables);
    let settings = settings(case);
    let planned = match case.query {
        Some(_) => millrace_plan::plan_shown_tables(&parsed.statements, &settings, &tables),
        None => millrace_plan::plan_tables(&parsed.statements, &settings, &Arc::default(), &tables),
    };
    match planned {
        Ok(pipeline) => Ok(pipeline.flows),
        Err(errors) => Err(refused(&errors).unwrap_or(Failure {
            phase: "plan".to_owned(),
            step: None,
            msg: "refused without a reason".to_owned(),
        })),
    }
}

struct Flow<'a> {
    flow: &'a Dataflow,
    graph: Graph,
}

struct Run<'a> {
    flows: Vec<Flow<'a>>,
    /// Whether there are several sinks.
    several: bool,
    outputs: Outputs,
    now_ms: i64,
}

/// Takes what reaches the sinks.
struct Collected<'a> {
    sinks: &'a [Sink],
    several: bool,
    outputs: &'a mut Outputs,
}

impl SinkPort for Collected<'_> {
    fn write(&mut self, sink: usize, batch: Batch) -> Result<(), OperatorError> {
        let sink = &self.sinks[sink];
        for row in 0..batch.rows {
            self.outputs.push(Change {
                kind: batch.kind(row).short().to_owned(),
                row: printed(sink, &batch.columns, row),
                sink: self.several.then(|| sink.table.name.value.clone()),
            });
        }
        Ok(())
    }
}

/// Calls `act` with the graph of a dataflow and its sinks.
fn with(
    flow: &mut Flow<'_>,
    several: bool,
    outputs: &mut Outputs,
    act: impl FnOnce(&mut Graph, &mut dyn SinkPort) -> Result<(), GraphError>,
) -> Result<(), GraphError> {
    let mut sinks = Collected {
        sinks: &flow.flow.sinks,
        several,
        outputs,
    };
    act(&mut flow.graph, &mut sinks)
}

impl Run<'_> {
    fn all(&mut self, case: &Case, folder: &std::path::Path, answer: &mut Answer) -> Result<()> {
        let started = self.start();
        answer.start = std::mem::take(&mut self.outputs);
        if let Err(error) = started {
            answer.error = Some(failed(Some(0), &error));
            return Ok(());
        }
        for (index, event) in events(case, folder)?.iter().enumerate() {
            let result = self.step(event)?;
            answer.steps.push(std::mem::take(&mut self.outputs));
            if let Err(error) = result {
                answer.error = Some(failed(Some(index), &error));
                return Ok(());
            }
        }
        for table in self.tables() {
            let result = self.end(&table);
            answer.end.push((table, std::mem::take(&mut self.outputs)));
            if let Err(error) = result {
                answer.error = Some(failed(None, &error));
                return Ok(());
            }
        }
        if case.is_batch() {
            self.batch_result(case, answer);
        }
        Ok(())
    }

    /// Calls `act` with each dataflow in turn.
    fn each(
        &mut self,
        mut act: impl FnMut(&Dataflow, &mut Graph, i64, &mut dyn SinkPort) -> Result<(), GraphError>,
    ) -> Result<(), GraphError> {
        let now_ms = self.now_ms;
        for index in 0..self.flows.len() {
            let flow = &mut self.flows[index];
            let definition = flow.flow;
            with(flow, self.several, &mut self.outputs, |graph, sinks| {
                act(definition, graph, now_ms, sinks)
            })?;
        }
        Ok(())
    }

    /// The one row of VALUES comes first.
    fn start(&mut self) -> Result<(), GraphError> {
        self.each(|flow, graph, now_ms, sinks| {
            for (index, source) in flow.sources.iter().enumerate() {
                if source.is_one_row {
                    graph.batch(index, Batch::inserts(Vec::new(), 1), now_ms, sinks)?;
                    graph.watermark(index, Watermark::END, now_ms, sinks)?;
                }
            }
            graph.flush(now_ms, sinks)
        })
    }

    fn step(&mut self, event: &Value) -> Result<Result<(), GraphError>> {
        let table = event[0].as_str().context("an event names its table")?;
        if table == "#sleep" {
            let length = event[1].as_str().and_then(|text| text.parse::<i64>().ok());
            self.now_ms += length
                .or_else(|| event[1].as_i64())
                .context("a pause has a length")?;
            return Ok(self.timers());
        }
        let kind = event[1].as_str().context("an event has a kind")?;
        let values = event[2].as_array().context("an event has values")?;
        self.now_ms += 1;
        let mut unread = None;
        let result = self.each(|flow, graph, now_ms, sinks| {
            for index in sources(flow, table) {
                match batch(&flow.sources[index], kind, values) {
                    Ok(batch) => graph.batch(index, batch, now_ms, sinks)?,
                    Err(error) => unread = Some(error),
                }
                graph.flush(now_ms, sinks)?;
            }
            Ok(())
        });
        if let Some(error) = unread {
            return Err(error);
        }
        Ok(result.and_then(|()| self.timers()))
    }

    fn timers(&mut self) -> Result<(), GraphError> {
        self.each(|_, graph, now_ms, sinks| {
            while graph.next_timer_ms().is_some_and(|due| due <= now_ms) {
                graph.timers(now_ms, sinks)?;
            }
            graph.flush(now_ms, sinks)
        })
    }

    fn end(&mut self, table: &str) -> Result<(), GraphError> {
        self.each(|flow, graph, now_ms, sinks| {
            for index in sources(flow, table) {
                graph.watermark(index, Watermark::END, now_ms, sinks)?;
            }
            graph.flush(now_ms, sinks)
        })
    }

    fn batch_result(&self, case: &Case, answer: &mut Answer) {
        let changes = || {
            let steps = answer.steps.iter().flatten();
            let ends = answer.end.iter().flat_map(|(_, outputs)| outputs);
            answer.start.iter().chain(steps).chain(ends)
        };
        if changes().all(|change| change.kind == "+I") && !self.several {
            answer.rows = Some(Value::from_iter(
                changes().map(|change| Value::from(change.row.clone())),
            ));
            return;
        }
        let mut all = Materialised::new(case);
        all.add(changes());
        answer.rows = Some(all.rows());
    }

    /// The tables that are read, in the order of their names.
    fn tables(&self) -> Vec<String> {
        let sources = self.flows.iter().flat_map(|flow| &flow.flow.sources);
        let mut names: Vec<String> = sources
            .filter(|source| !source.is_one_row)
            .map(|source| source.table.name.value.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }
}

/// Returns the numbers of the sources that read a table.
fn sources(flow: &Dataflow, table: &str) -> Vec<usize> {
    let sources = flow.sources.iter().enumerate();
    sources
        .filter(|(_, source)| !source.is_one_row && source.table.name.value == table)
        .map(|(index, _)| index)
        .collect()
}

fn failed(step: Option<usize>, error: &GraphError) -> Failure {
    Failure {
        phase: "run".to_owned(),
        step,
        msg: error.to_string(),
    }
}

/// Returns a row of a table as the columns that its source reads.
fn batch(source: &Source, kind: &str, values: &[Value]) -> Result<Batch> {
    let columns = &source.table.columns;
    let mut given: HashMap<usize, &Value> = HashMap::new();
    let stored = (0..columns.len())
        .filter(|index| columns[*index].kind != millrace_connector::ColumnKind::Computed);
    for (index, value) in stored.zip(values) {
        given.insert(index, value);
    }
    let arrays: Vec<ArrayRef> = source
        .projection
        .columns
        .iter()
        .map(|index| {
            let value = given.get(index).copied().unwrap_or(&Value::Null);
            super::rows::one(&columns[*index].ty, value)
        })
        .collect::<Result<_>>()?;
    let kind = match kind {
        "+I" => RowKind::Insert,
        "-U" => RowKind::UpdateBefore,
        "+U" => RowKind::UpdateAfter,
        "-D" => RowKind::Delete,
        other => bail!("'{other}' is no kind of a row"),
    };
    if kind == RowKind::Insert {
        return Ok(Batch::inserts(arrays, 1));
    }
    Ok(Batch::changes(arrays, vec![kind]))
}

fn events(case: &Case, folder: &std::path::Path) -> Result<Vec<Value>> {
    if let Some(steps) = &case.steps {
        return Ok(steps.iter().map(|step| step.0.clone()).collect());
    }
    if let Some(events) = &case.events {
        return Ok(events.clone());
    }
    let Some(file) = &case.events_file else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(folder.join(file)).with_context(|| file.clone())?;
    let lines = text.lines().map(serde_json::from_str);
    Ok(lines.collect::<Result<_, _>>()?)
}
