//! Which changes a sink can take of those that its sources give: checked before start.

use millrace_connector::{ChangelogMode, Diagnostic};
use millrace_plan::{Branch, Settings, SinkKey, Source, sink_key};
use millrace_runtime::ChangeForm;

use crate::pipeline::Flow;
use crate::settings::definitions::key;
use crate::settings::typed::Values;

/// Whether changes of one key of a sink may come from several rows of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Materialize {
    /// Refused: it would need all rows of the key to be kept.
    Auto,
    /// Allowed: the last change of a key wins.
    None,
}

impl Materialize {
    /// Returns what `table.exec.sink.upsert-materialize` says; its value was checked before. FORCE is AUTO: what needs
    /// no state is always done.
    pub(crate) fn of(settings: &Settings) -> Self {
        match Values(settings).text(key::UPSERT_MATERIALIZE) {
            Some(text) if text.eq_ignore_ascii_case("none") => Self::None,
            _ => Self::Auto,
        }
    }
}

/// Returns which changes the sink of a branch gets.
pub(crate) fn form(flow: &Flow, source: usize, branch: &Branch) -> ChangeForm {
    let gives = flow.sources[source].changelog_mode();
    let takes = flow.sinks[branch.sink].changelog_mode();
    if gives == ChangelogMode::InsertOnly || takes != ChangelogMode::Upsert {
        return ChangeForm::All;
    }
    ChangeForm::Upserts(key_of(flow, source, branch).columns)
}

fn key_of(flow: &Flow, source: usize, branch: &Branch) -> SinkKey {
    let table = &flow.plan.sources[source].table;
    sink_key(table, branch, &flow.plan.sinks[branch.sink])
}

/// Finds sinks that cannot take the changes of their sources.
pub(crate) fn check(flow: &Flow, materialize: Materialize) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    for (index, source) in flow.plan.sources.iter().enumerate() {
        if flow.sources[index].changelog_mode() == ChangelogMode::InsertOnly {
            continue;
        }
        for (place, branch) in source.branches.iter().enumerate() {
            if source.branches[..place]
                .iter()
                .any(|other| is_united(other, branch))
            {
                faults.push(two_ways(flow, source, branch));
                continue;
            }
            match flow.sinks[branch.sink].changelog_mode() {
                ChangelogMode::All => {}
                ChangelogMode::InsertOnly => faults.push(only_inserts(flow, source, branch)),
                ChangelogMode::Upsert => {
                    let key = key_of(flow, index, branch);
                    if let Some(place) = key.unsteady {
                        faults.push(unsteady(flow, branch, place));
                    }
                    if key.columns.is_empty() || materialize == Materialize::None {
                        continue;
                    }
                    if !key.holds_source_key {
                        faults.push(many_rows_of_a_key(flow, source, branch));
                    } else if let Some(other) = united(flow, index, branch) {
                        faults.push(rows_of_two_tables(flow, source, other, branch));
                    }
                }
            }
        }
    }
    faults
}

/// # Flink
/// `FlinkChangelogModeInferenceProgram`: the wording is its own, so that a search finds it.
fn only_inserts(flow: &Flow, source: &Source, branch: &Branch) -> Diagnostic {
    let sink = &flow.plan.sinks[branch.sink].table;
    let from = &source.table.name.value;
    let kafka = sink
        .option("connector")
        .is_some_and(|option| option.value == "kafka");
    let fault = Diagnostic::error(
        "MR0603",
        format!(
            "table sink '{}' doesn't support consuming update and delete changes which is produced by '{from}'",
            sink.name.value
        ),
        branch.span,
    )
    .label(format!("'{from}' gives updates and deletions"))
    .also(sink.name.span, "takes only new rows");
    if kafka {
        fault
            .help("write the changes themselves: 'format' = 'debezium-json', 'canal-json' or 'maxwell-json'")
            .help("or keep the last row of each key: 'connector' = 'upsert-kafka' with a PRIMARY KEY")
    } else {
        fault.help("write to a sink that takes changes")
    }
}

fn many_rows_of_a_key(flow: &Flow, source: &Source, branch: &Branch) -> Diagnostic {
    let sink = &flow.plan.sinks[branch.sink].table;
    let from = &source.table;
    let fault = Diagnostic::error(
        "MR0171",
        format!(
            "several rows of '{}' may have one key in '{}'",
            from.name.value, sink.name.value
        ),
        branch.span,
    )
    .label("which of them a change leaves there cannot be told without state");
    let fault = match from.primary_key.as_slice() {
        [] => fault
            .also(from.name.span, "has no PRIMARY KEY")
            .help(format!(
                "declare PRIMARY KEY (…) NOT ENFORCED in '{}', and pass its columns on into the key of '{}'",
                from.name.value, sink.name.value
            )),
        key => {
            let names: Vec<&str> = key.iter().map(|name| name.value.as_str()).collect();
            fault
                .also(sink.primary_key[0].span, "this key")
                .help(format!(
                    "make {} of '{}' part of the PRIMARY KEY of '{}', not changed by any function",
                    names.join(", "),
                    from.name.value,
                    sink.name.value
                ))
        }
    };
    with_way_out(fault)
}

fn rows_of_two_tables(flow: &Flow, source: &Source, other: &Source, branch: &Branch) -> Diagnostic {
    let sink = &flow.plan.sinks[branch.sink].table;
    let fault = Diagnostic::error(
        "MR0171",
        format!(
            "a row of '{}' and one of '{}' may have one key in '{}'",
            source.table.name.value, other.table.name.value, sink.name.value
        ),
        branch.span,
    )
    .label("which of them a change leaves there cannot be told without state")
    .also(sink.primary_key[0].span, "this key");
    with_way_out(fault)
}

/// A batch goes through one branch and then through the next, so an update that moves a row from one to the other could
/// arrive before the deletion that it begins with.
fn two_ways(flow: &Flow, source: &Source, branch: &Branch) -> Diagnostic {
    let sink = &flow.plan.sinks[branch.sink].table.name.value;
    let from = &source.table.name.value;
    Diagnostic::error(
        "MR0175",
        format!("changes of '{from}' reach '{sink}' by two parts of a UNION ALL"),
        branch.span,
    )
    .label("the order of a row's changes would be lost between them")
    .help("read the table once: join the conditions by OR, and choose between the columns by CASE")
}

/// # Flink
/// With `table.optimizer.non-deterministic-update.strategy` = `IGNORE`, its default, nothing is said.
fn unsteady(flow: &Flow, branch: &Branch, place: usize) -> Diagnostic {
    let sink = &flow.plan.sinks[branch.sink];
    let column = &sink.table.columns[sink.columns[place]].name.value;
    Diagnostic::warning(
        "MR0174",
        format!(
            "'{column}', a key column of '{}', is made of the clock or of chance",
            sink.table.name.value
        ),
        branch.logical.columns[place].span,
    )
    .label("another value when the row is updated or deleted")
    .help("a later change will not find the row that it replaces; make the key of the row's own columns")
}

fn with_way_out(fault: Diagnostic) -> Diagnostic {
    fault.help(
        "or write SET 'table.exec.sink.upsert-materialize' = 'NONE': the last change of a key then wins, and the deletion \
         of one row deletes the key",
    )
}

/// Returns another source that the same INSERT unites with this one; the first of them says nothing, so that a pair is
/// told once.
fn united<'f>(flow: &'f Flow, index: usize, branch: &Branch) -> Option<&'f Source> {
    flow.plan.sources[..index]
        .iter()
        .find(|other| other.branches.iter().any(|one| is_united(one, branch)))
}

/// Tells whether two branches are parts of one INSERT's UNION ALL.
fn is_united(one: &Branch, other: &Branch) -> bool {
    one.sink == other.sink && one.span == other.span
}
