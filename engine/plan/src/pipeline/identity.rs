//! What the stages of a dataflow are to a checkpoint, and what they hang together with.

use std::collections::BTreeSet;

use millrace_program::{ExprRef, ShownExpr};
use millrace_state::Fingerprint;

use super::{Branch, Dataflow, Feed, Logical};

/// What the state of a stage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageState {
    /// Its id: the same each time the same file is planned.
    pub id: String,
    /// Its structure, with all that leads to it.
    pub fingerprint: Fingerprint,
    /// How long an entry lives after its last change, in milliseconds; 0 = for ever.
    pub ttl_ms: u64,
}

impl Dataflow {
    /// Returns the name of a stage for people.
    #[must_use]
    pub fn stage_name(&self, stage: usize) -> String {
        format!("{}[{stage}]", self.stages[stage].node.name())
    }

    /// Returns what the state of a stage is; `None` = it keeps none.
    #[must_use]
    pub fn stage_state(&self, stage: usize) -> Option<StageState> {
        let node = &self.stages[stage].node;
        let mut fingerprint = node.fingerprint()?;
        for source in &self.sources {
            let columns = &source.table.columns;
            let names: Vec<&str> = columns.iter().map(|it| it.name.value.as_str()).collect();
            add_ways(&mut fingerprint, stage, &source.name, &names, &source.feeds);
        }
        for (index, other) in self.stages.iter().enumerate() {
            let numbers = 0..other.node.columns().len();
            let names: Vec<String> = numbers.map(|column| format!("#{column}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let from = self.stage_name(index);
            add_ways(&mut fingerprint, stage, &from, &names, &other.feeds);
        }
        Some(StageState {
            id: format!("{stage}-{}", node.name()),
            fingerprint,
            ttl_ms: node.ttl_ms(),
        })
    }

    /// Returns the sinks that rows of a source reach.
    #[must_use]
    pub fn reached_sinks(&self, source: usize) -> BTreeSet<usize> {
        let mut sinks = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut add = |branches: &[Branch]| sinks.extend(branches.iter().map(|it| it.sink));
        let source = &self.sources[source];
        add(&source.branches);
        let mut open: Vec<usize> = source.feeds.iter().map(|feed| feed.stage).collect();
        while let Some(stage) = open.pop() {
            if seen.insert(stage) {
                add(&self.stages[stage].branches);
                open.extend(self.stages[stage].feeds.iter().map(|feed| feed.stage));
            }
        }
        sinks
    }
}

fn add_ways(
    fingerprint: &mut Fingerprint,
    stage: usize,
    from: &str,
    names: &[&str],
    feeds: &[Feed],
) {
    for feed in feeds.iter().filter(|feed| feed.stage == stage) {
        let Logical { filters, columns } = &feed.logical;
        let list = |exprs: &[ExprRef], separator: &str| {
            let texts: Vec<String> = exprs
                .iter()
                .map(|expr| ShownExpr { expr, names }.to_string())
                .collect();
            texts.join(separator)
        };
        let mut text = format!("{}: {} of {from}", feed.input, list(columns, ", "));
        if !filters.is_empty() {
            text.push_str(&format!(" where {}", list(filters, " and ")));
        }
        fingerprint.inputs.push(text);
    }
}
