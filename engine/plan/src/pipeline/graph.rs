//! The operators of a lane, made of a dataflow with stages.
//!
//! ```text
//!  source ─► casts of metadata ─► program ─► stage ─► program ─► casts of metadata ─► sink
//! ```

use millrace_functions::EvalContext;
use millrace_operators::{
    Batch, Context, Edge, Graph, GraphBuilder, NodeId, Operator, OperatorError, Output,
};
use millrace_program::{LaneProgram, ProgramOperator};

use super::{Branch, Dataflow, Feed};
use crate::edge::EdgeCasts;

/// A node of a lane's graph, by its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraphNode {
    /// Casts of metadata columns.
    Casts,
    /// A lane program.
    Program,
    /// An index into [`Dataflow::stages`].
    Stage(usize),
}

/// Casts metadata columns in the graph.
struct CastOperator(EdgeCasts);

impl Operator for CastOperator {
    fn batch(
        &mut self,
        _input: usize,
        mut batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let ctx = EvalContext { now_ms: ctx.now_ms };
        let cast = self.0.apply(&mut batch.columns, batch.rows, &ctx);
        cast.map_err(|error| OperatorError::Row {
            row: error.row,
            message: error.message,
        })?;
        out.batch(batch);
        Ok(())
    }
}

/// Hands on so many columns, from the first.
struct Passing(usize);

impl Operator for Passing {
    fn batch(
        &mut self,
        _input: usize,
        mut batch: Batch,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        batch.columns.truncate(self.0);
        out.batch(batch);
        Ok(())
    }
}

impl Dataflow {
    /// Returns the operators of one lane, and what each node is. Sources and sinks have their numbers in the dataflow; `before` and `after` are the
    /// casts of each source's and each sink's metadata columns.
    ///
    /// # Panics
    /// Where there are not as many casts as sources and sinks.
    #[must_use]
    pub fn graph(&self, before: &[EdgeCasts], after: &[EdgeCasts]) -> (Graph, Vec<GraphNode>) {
        self.graph_with(before, after, &|_| false)
    }

    /// The same, with stages that only hand on their first columns, as many as they have: something else does what they do.
    ///
    /// # Panics
    /// As for [`Dataflow::graph`].
    #[must_use]
    pub fn graph_with(
        &self,
        before: &[EdgeCasts],
        after: &[EdgeCasts],
        is_passed: &dyn Fn(usize) -> bool,
    ) -> (Graph, Vec<GraphNode>) {
        assert_eq!(
            (before.len(), after.len()),
            (self.sources.len(), self.sinks.len())
        );
        let mut graph = Building {
            graph: GraphBuilder::default(),
            nodes: Vec::new(),
            stages: Vec::new(),
        };
        for (index, stage) in self.stages.iter().enumerate() {
            let ports = self.ports(index);
            graph.nodes.push(GraphNode::Stage(index));
            let operator = match is_passed(index) {
                true => Box::new(Passing(stage.node.columns().len())),
                false => stage.node.operator(),
            };
            let node = graph.graph.add_ports(operator, ports);
            graph.stages.push((node, 0));
        }
        for (index, source) in self.sources.iter().enumerate() {
            let origin = match before[index].is_empty() {
                true => Origin::Source(index),
                false => {
                    let casts = Box::new(CastOperator(before[index].clone()));
                    let node = graph.add(casts, 1, GraphNode::Casts);
                    graph.graph.connect_source(index, into(node));
                    Origin::Node(node)
                }
            };
            graph.ways(origin, &source.branches, &source.feeds, after);
        }
        for (index, stage) in self.stages.iter().enumerate() {
            let origin = Origin::Node(graph.stages[index].0);
            graph.ways(origin, &stage.branches, &stage.feeds, after);
        }
        (graph.graph.build(), graph.nodes)
    }

    /// Returns the input of each way that leads to a stage: each has a watermark of its own, though several may lead to one input.
    fn ports(&self, stage: usize) -> Vec<usize> {
        let sources = self.sources.iter().flat_map(|source| &source.feeds);
        let stages = self.stages.iter().flat_map(|other| &other.feeds);
        let own = sources.chain(stages).filter(|feed| feed.stage == stage);
        own.map(|feed| feed.input).collect()
    }
}

/// A graph on its way.
struct Building {
    graph: GraphBuilder,
    nodes: Vec<GraphNode>,
    /// The node of each stage, and how many ways lead to it so far.
    stages: Vec<(NodeId, usize)>,
}

/// What gives rows.
#[derive(Clone, Copy)]
enum Origin {
    Source(usize),
    Node(NodeId),
}

impl Building {
    fn add(&mut self, operator: Box<dyn Operator>, inputs: usize, what: GraphNode) -> NodeId {
        self.nodes.push(what);
        self.graph.add(operator, inputs)
    }

    /// Joins an origin to sinks and stages.
    fn ways(&mut self, origin: Origin, branches: &[Branch], feeds: &[Feed], after: &[EdgeCasts]) {
        for branch in branches {
            let program = self.program(origin, &branch.program);
            let casts = &after[branch.sink];
            let last = if casts.is_empty() {
                program
            } else {
                let casts = Box::new(CastOperator(casts.clone()));
                let node = self.add(casts, 1, GraphNode::Casts);
                self.graph.connect(program, into(node));
                node
            };
            self.graph.connect(last, Edge::Sink(branch.sink));
        }
        for feed in feeds {
            let program = self.program(origin, &feed.program);
            let (node, ways) = &mut self.stages[feed.stage];
            let edge = Edge::Node {
                node: *node,
                input: *ways,
            };
            *ways += 1;
            self.graph.connect(program, edge);
        }
    }

    fn program(&mut self, origin: Origin, program: &LaneProgram) -> NodeId {
        let operator = Box::new(ProgramOperator::new(program.clone()));
        let node = self.add(operator, 1, GraphNode::Program);
        match origin {
            Origin::Source(source) => self.graph.connect_source(source, into(node)),
            Origin::Node(before) => self.graph.connect(before, into(node)),
        }
        node
    }
}

/// Returns the edge into a node's only input.
fn into(node: NodeId) -> Edge {
    Edge::Node { node, input: 0 }
}
