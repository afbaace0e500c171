//! A pipeline that reads what it writes: rows would go round for ever.

use std::collections::BTreeSet;

use millrace_connector::{Diagnostic, TableDefinition};
use regex::Regex;

use crate::pipeline::Flow;

/// Warns of topics that a source reads and a sink of the same brokers writes.
pub(crate) fn check(flows: &[Flow]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let sources = flows.iter().flat_map(|flow| &flow.plan.sources);
    let sinks = || flows.iter().flat_map(|flow| &flow.plan.sinks);
    for source in sources.filter(|source| !source.is_one_row) {
        for sink in sinks().filter(|sink| !sink.is_shown) {
            if let Some(topic) = shared(&source.table, &sink.table) {
                found.push(warning(&topic, &source.table, &sink.table));
            }
        }
    }
    found
}

fn option<'t>(table: &'t TableDefinition, key: &str) -> Option<&'t str> {
    table.option(key).map(|value| value.value.as_str())
}

/// Returns a topic that both tables stand for.
fn shared(source: &TableDefinition, sink: &TableDefinition) -> Option<String> {
    let brokers = |table| -> Option<BTreeSet<&str>> {
        let servers = option(table, "properties.bootstrap.servers")?;
        Some(servers.split(',').map(str::trim).collect())
    };
    if brokers(source)?.is_disjoint(&brokers(sink)?) {
        return None;
    }
    let written = option(sink, "topic")?.split(';').map(str::trim);
    let pattern = option(source, "topic-pattern")
        .and_then(|pattern| Regex::new(&format!("^(?:{pattern})$")).ok());
    let read: BTreeSet<&str> = option(source, "topic")
        .into_iter()
        .flat_map(|topics| topics.split(';'))
        .map(str::trim)
        .collect();
    let is_read = |topic: &&str| {
        read.contains(topic) || pattern.as_ref().is_some_and(|all| all.is_match(topic))
    };
    written
        .filter(|topic| !topic.is_empty())
        .find(is_read)
        .map(str::to_owned)
}

fn warning(topic: &str, source: &TableDefinition, sink: &TableDefinition) -> Diagnostic {
    let span = |table: &TableDefinition| {
        let option = table.option("topic").or(table.option("topic-pattern"));
        option.map_or(table.options_span, |option| option.span)
    };
    let message = format!(
        "'{}' writes to topic '{topic}', which '{}' reads from the same brokers",
        sink.name.value, source.name.value
    );
    Diagnostic::warning("MR0604", message, span(sink))
        .label("what is written here is read again")
        .also(span(source), "read here")
        .help("write to another topic, unless the WHERE clause ends the circle")
}
