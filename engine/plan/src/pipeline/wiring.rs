//! From physical plans to dataflows: what reads, what computes and what writes, joined by programs.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion_physical_plan::ExecutionPlan;
use millrace_connector::{Projection, Span, Spanned, TableDefinition};
use millrace_program::LaneProgram;

use super::{Branch, Dataflow, Feed, Logical, Sink, Source, Stage};
use crate::catalog::Table;
use crate::logical::Insert;
use crate::physical::{self, Input, Node, StreamNode};
use crate::query::persisted_columns;

/// Sources, sinks and the ways between them, before they are grouped into dataflows.
#[derive(Default)]
pub(super) struct Wiring {
    sources: Vec<(Arc<Table>, Source)>,
    stages: Vec<Stage>,
    sinks: Vec<(Arc<Table>, Sink)>,
}

impl Wiring {
    /// Adds an INSERT: a plan whose root is a sink.
    pub(super) fn add(&mut self, plan: &Arc<dyn ExecutionPlan>) {
        let root = plan
            .downcast_ref::<Node<physical::Sink>>()
            .expect("the plan of an INSERT ends in its sink");
        let insert = &root.kind.target;
        let sink = self.sink(insert);
        let mut one_row = None;
        for fused in root.inputs.iter().flat_map(physical::ways) {
            let branch = Branch {
                program: fused.kind.program.clone(),
                sink,
                span: insert.span,
                logical: Logical {
                    filters: fused.kind.filters.clone(),
                    columns: fused.kind.columns.clone(),
                },
            };
            match self.origin(&fused.kind.input, insert, &mut one_row) {
                Origin::Source(source) => self.sources[source].1.branches.push(branch),
                Origin::Stage(stage) => self.stages[stage].branches.push(branch),
            }
        }
    }

    /// Returns what gives a program its rows.
    fn origin(&mut self, input: &Input, insert: &Insert, one_row: &mut Option<usize>) -> Origin {
        match input {
            Input::Table(table) => Origin::Source(self.source(table, insert.span)),
            Input::OneRow => Origin::Source(*one_row.get_or_insert_with(|| self.one_row(insert))),
            Input::Stage(node, inputs) => Origin::Stage(self.stage(node, inputs, insert, one_row)),
        }
    }

    /// Adds a node with everything that it takes rows of; once, however many take rows of it.
    fn stage(
        &mut self,
        node: &Arc<dyn StreamNode>,
        inputs: &[Arc<dyn ExecutionPlan>],
        insert: &Insert,
        one_row: &mut Option<usize>,
    ) -> usize {
        let known = |stage: &Stage| Arc::ptr_eq(&stage.node, node);
        if let Some(index) = self.stages.iter().position(known) {
            return index;
        }
        let stage = self.stages.len();
        self.stages.push(Stage {
            node: Arc::clone(node),
            branches: Vec::new(),
            feeds: Vec::new(),
        });
        for (input, plan) in inputs.iter().enumerate() {
            for fused in physical::ways(plan) {
                let feed = Feed {
                    program: fused.kind.program.clone(),
                    stage,
                    input,
                    logical: Logical {
                        filters: fused.kind.filters.clone(),
                        columns: fused.kind.columns.clone(),
                    },
                };
                match self.origin(&fused.kind.input, insert, one_row) {
                    Origin::Source(source) => self.sources[source].1.feeds.push(feed),
                    Origin::Stage(stage) => self.stages[stage].feeds.push(feed),
                }
            }
        }
        stage
    }

    fn sink(&mut self, insert: &Insert) -> usize {
        let table = &insert.table;
        if let Some(index) = self
            .sinks
            .iter()
            .position(|(known, _)| Arc::ptr_eq(known, table))
        {
            return index;
        }
        let sink = Sink {
            table: Arc::new(table.definition.clone()),
            span: insert.table_span,
            columns: persisted_columns(table),
            is_shown: insert.is_shown,
            query: insert.query.clone(),
        };
        self.sinks.push((Arc::clone(table), sink));
        self.sinks.len() - 1
    }

    /// Adds the row that the VALUES of an INSERT are computed from: all branches of the INSERT share it, others do not.
    fn one_row(&mut self, insert: &Insert) -> usize {
        let name = format!("values of {}", insert.table.definition.name.value);
        let definition = TableDefinition {
            name: Spanned::new(name, insert.span),
            columns: Vec::new(),
            primary_key: Vec::new(),
            options: Vec::new(),
            options_span: insert.span,
        };
        let table = Table {
            definition,
            values: Vec::new(),
            rowtime: None,
        };
        let index = self.source(&Arc::new(table), insert.span);
        self.sources[index].1.is_one_row = true;
        index
    }

    fn source(&mut self, table: &Arc<Table>, span: Span) -> usize {
        if let Some(index) = self
            .sources
            .iter()
            .position(|(known, _)| Arc::ptr_eq(known, table))
        {
            return index;
        }
        let definition = Arc::new(table.definition.clone());
        let source = Source {
            name: definition.name.value.clone(),
            is_one_row: false,
            table: definition,
            span,
            projection: Projection::default(),
            branches: Vec::new(),
            feeds: Vec::new(),
        };
        self.sources.push((Arc::clone(table), source));
        self.sources.len() - 1
    }

    /// Groups what hangs together.
    pub(super) fn flows(self) -> Vec<Dataflow> {
        let groups = self.groups();
        let mut flows: Vec<Dataflow> = Vec::new();
        let mut flow_of_group: HashMap<usize, usize> = HashMap::new();
        let mut place_of_sink = Vec::with_capacity(self.sinks.len());
        let sinks = self.sinks.len();
        for (index, (_, sink)) in self.sinks.into_iter().enumerate() {
            let flow = *flow_of_group.entry(groups[index]).or_insert_with(|| {
                let name = sink.table.name.value.clone();
                flows.push(Dataflow {
                    name,
                    sources: Vec::new(),
                    stages: Vec::new(),
                    sinks: Vec::new(),
                });
                flows.len() - 1
            });
            place_of_sink.push((flow, flows[flow].sinks.len()));
            flows[flow].sinks.push(sink);
        }
        let mut place_of_stage = Vec::with_capacity(self.stages.len());
        for (index, stage) in self.stages.into_iter().enumerate() {
            let flow = flow_of_group[&groups[sinks + index]];
            place_of_stage.push(flows[flow].stages.len());
            flows[flow].stages.push(stage);
        }
        for stage in flows.iter_mut().flat_map(|flow| &mut flow.stages) {
            renumber(
                &mut stage.branches,
                &mut stage.feeds,
                &place_of_sink,
                &place_of_stage,
            );
        }
        for (_, mut source) in self.sources {
            let first = source.branches.first().map(|branch| branch.sink);
            let first = first.or_else(|| source.feeds.first().map(|feed| sinks + feed.stage));
            let Some(first) = first else { continue };
            let flow = flow_of_group[&groups[first]];
            renumber(
                &mut source.branches,
                &mut source.feeds,
                &place_of_sink,
                &place_of_stage,
            );
            narrow(&mut source);
            source.name = free_name(&source.name, &flows[flow].sources);
            flows[flow].sources.push(source);
        }
        flows
    }

    /// Returns, for each sink and then for each stage, its group: the smallest number of those that hang together.
    fn groups(&self) -> Vec<usize> {
        let sinks = self.sinks.len();
        let mut groups: Vec<usize> = (0..sinks + self.stages.len()).collect();
        let mut join = |members: Vec<usize>| {
            for pair in members.windows(2) {
                let (a, b) = (groups[pair[0]], groups[pair[1]]);
                let (low, high) = (a.min(b), a.max(b));
                groups
                    .iter_mut()
                    .filter(|member| **member == high)
                    .for_each(|member| *member = low);
            }
        };
        let targets = |branches: &[Branch], feeds: &[Feed]| {
            let branches = branches.iter().map(|branch| branch.sink);
            let feeds = feeds.iter().map(|feed| sinks + feed.stage);
            branches.chain(feeds).collect::<Vec<_>>()
        };
        for (_, source) in &self.sources {
            join(targets(&source.branches, &source.feeds));
        }
        for (index, stage) in self.stages.iter().enumerate() {
            let mut members = vec![sinks + index];
            members.extend(targets(&stage.branches, &stage.feeds));
            join(members);
        }
        groups
    }
}

/// What gives rows.
enum Origin {
    /// Index into the sources.
    Source(usize),
    /// Index into the stages.
    Stage(usize),
}

/// Points ways at the places that sinks and stages have in their dataflow.
fn renumber(
    branches: &mut [Branch],
    feeds: &mut [Feed],
    sinks: &[(usize, usize)],
    stages: &[usize],
) {
    for branch in branches {
        branch.sink = sinks[branch.sink].1;
    }
    for feed in feeds {
        feed.stage = stages[feed.stage];
    }
}

/// Returns a name that none of the sources has: a table that is read with different hints is several sources.
fn free_name(name: &str, taken: &[Source]) -> String {
    let is_free = |name: &str| taken.iter().all(|source| source.name != name);
    if is_free(name) {
        return name.to_owned();
    }
    (2..)
        .map(|number| format!("{name} ({number})"))
        .find(|name| is_free(name))
        .expect("the numbers do not end")
}

/// Asks for the columns that some program reads, and points the programs at them.
fn narrow(source: &mut Source) {
    let mut columns: Vec<usize> = programs(source)
        .flat_map(|program| program.inputs().to_vec())
        .collect();
    columns.sort_unstable();
    columns.dedup();
    for program in programs(source) {
        program.reorder_inputs(|column| {
            columns
                .binary_search(&column)
                .expect("the list holds every column that a program reads")
        });
    }
    source.projection = Projection { columns };
}

fn programs(source: &mut Source) -> impl Iterator<Item = &mut LaneProgram> {
    let branches = source.branches.iter_mut().map(|branch| &mut branch.program);
    branches.chain(source.feeds.iter_mut().map(|feed| &mut feed.program))
}
