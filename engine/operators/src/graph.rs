//! Operators joined to a graph: each output goes on at once, depth first, so nothing is in flight between two calls.

use millrace_state::{StateReader, StateWriter};
use thiserror::Error;

use crate::operator::Item;
use crate::{Batch, Context, Operator, OperatorError, Output, Watermark};

/// A node of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub usize);

/// Where an output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// An operator's input.
    Node {
        /// The operator.
        node: NodeId,
        /// Its input.
        input: usize,
    },
    /// A sink, by its number in the dataflow.
    Sink(usize),
}

/// Takes the rows that reach a sink.
pub trait SinkPort {
    /// Takes rows.
    ///
    /// # Errors
    /// Why they cannot be taken.
    fn write(&mut self, sink: usize, batch: Batch) -> Result<(), OperatorError>;
}

/// A failure with the node where it happened; `None` = a sink.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct GraphError {
    /// The node.
    pub node: Option<NodeId>,
    /// The row of the source's batch, where it is known.
    pub origin: Option<usize>,
    /// Why.
    #[source]
    pub error: OperatorError,
}

/// Builds a graph. Nodes are numbered in the order of their addition; a node's outputs may be connected at any time.
#[derive(Default)]
pub struct GraphBuilder {
    nodes: Vec<Node>,
    sources: Vec<Vec<Edge>>,
}

/// The operators of one lane.
pub struct Graph {
    nodes: Vec<Node>,
    sources: Vec<Vec<Edge>>,
}

struct Node {
    operator: Box<dyn Operator>,
    edges: Vec<Edge>,
    inputs: Vec<Input>,
    /// The operator's input of each port.
    ports: Vec<usize>,
    /// The minimum of `inputs` that the operator knows.
    watermark: Watermark,
}

/// What is known of one input of an operator.
#[derive(Clone, Copy)]
struct Input {
    watermark: Watermark,
    /// Nothing has come for long, so it does not hold the watermark back.
    is_idle: bool,
}

impl Node {
    /// Returns the least watermark of the inputs that are not idle; what is known where all are.
    fn least(&self) -> Watermark {
        let active = self.inputs.iter().filter(|input| !input.is_idle);
        let least = active.map(|input| input.watermark).min();
        least.unwrap_or(self.watermark).max(self.watermark)
    }

    fn is_idle(&self) -> bool {
        !self.inputs.is_empty() && self.inputs.iter().all(|input| input.is_idle)
    }
}

impl GraphBuilder {
    /// Adds an operator with so many inputs.
    pub fn add(&mut self, operator: Box<dyn Operator>, inputs: usize) -> NodeId {
        self.add_ports(operator, (0..inputs).collect())
    }

    /// Adds an operator with a port for each way that leads to it: `ports` says to which input. Each port has a watermark of
    /// its own; edges name ports.
    pub fn add_ports(&mut self, operator: Box<dyn Operator>, ports: Vec<usize>) -> NodeId {
        self.nodes.push(Node {
            operator,
            edges: Vec::new(),
            inputs: vec![
                Input {
                    watermark: Watermark::NONE,
                    is_idle: false,
                };
                ports.len()
            ],
            ports,
            watermark: Watermark::NONE,
        });
        NodeId(self.nodes.len() - 1)
    }

    /// Connects a node's output; several edges get the same rows, in the order in which they were connected.
    pub fn connect(&mut self, from: NodeId, to: Edge) {
        self.nodes[from.0].edges.push(to);
    }

    /// Connects a source's output.
    pub fn connect_source(&mut self, source: usize, to: Edge) {
        if self.sources.len() <= source {
            self.sources.resize_with(source + 1, Vec::new);
        }
        self.sources[source].push(to);
    }

    /// Returns the graph.
    #[must_use]
    pub fn build(self) -> Graph {
        Graph {
            nodes: self.nodes,
            sources: self.sources,
        }
    }
}

impl Graph {
    /// Takes rows of a source.
    ///
    /// # Errors
    /// The first operator or sink that fails.
    pub fn batch(
        &mut self,
        source: usize,
        batch: Batch,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        self.at_source(source, |graph, edges| {
            graph.send_batch(edges, batch, now_ms, sinks)
        })
    }

    /// Takes a watermark of a source; [`Watermark::END`] when it has ended.
    ///
    /// # Errors
    /// The first operator or sink that fails.
    pub fn watermark(
        &mut self,
        source: usize,
        watermark: Watermark,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        self.at_source(source, |graph, edges| {
            graph.send_watermark(edges, watermark, now_ms, sinks)
        })
    }

    /// Tells that a source has been without rows for long, or has rows again: an idle one holds no watermark back.
    ///
    /// # Errors
    /// The first operator or sink that fails.
    pub fn idle(
        &mut self,
        source: usize,
        is_idle: bool,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        self.at_source(source, |graph, edges| {
            graph.send_idle(edges, is_idle, now_ms, sinks)
        })
    }

    fn at_source(
        &mut self,
        source: usize,
        send: impl FnOnce(&mut Self, &[Edge]) -> Result<(), GraphError>,
    ) -> Result<(), GraphError> {
        let Some(edges) = self.sources.get_mut(source).map(std::mem::take) else {
            return Ok(());
        };
        let result = send(self, &edges);
        self.sources[source] = edges;
        result
    }

    /// Calls the operators whose processing time has come.
    ///
    /// # Errors
    /// The first operator or sink that fails.
    pub fn timers(&mut self, now_ms: i64, sinks: &mut dyn SinkPort) -> Result<(), GraphError> {
        for index in 0..self.nodes.len() {
            let due = self.nodes[index].operator.next_timer_ms();
            if due.is_some_and(|due| due <= now_ms) {
                self.call(index, now_ms, sinks, |operator, ctx, out| {
                    operator.timer(ctx, out)
                })?;
            }
        }
        Ok(())
    }

    /// Returns the earliest processing time that an operator waits for.
    #[must_use]
    pub fn next_timer_ms(&self) -> Option<i64> {
        let timers = self.nodes.iter();
        timers
            .filter_map(|node| node.operator.next_timer_ms())
            .min()
    }

    /// Makes every operator give out what it holds back only to write fewer rows.
    ///
    /// # Errors
    /// The first operator or sink that fails.
    pub fn flush(&mut self, now_ms: i64, sinks: &mut dyn SinkPort) -> Result<(), GraphError> {
        for index in self.order() {
            self.call(index, now_ms, sinks, |operator, ctx, out| {
                operator.flush(ctx, out)
            })?;
        }
        Ok(())
    }

    /// Writes what changed since the last snapshot; `writer` is asked for each node in turn.
    ///
    /// # Errors
    /// State that cannot be written.
    pub fn snapshot<'a>(
        &mut self,
        mut writer: impl FnMut(NodeId) -> &'a mut dyn StateWriter,
    ) -> Result<(), OperatorError> {
        for (index, node) in self.nodes.iter_mut().enumerate() {
            node.operator.snapshot(writer(NodeId(index)))?;
        }
        Ok(())
    }

    /// Gives a node the state of a checkpoint; before any row.
    ///
    /// # Errors
    /// State that cannot be used.
    pub fn restore(
        &mut self,
        node: NodeId,
        reader: &mut dyn StateReader,
    ) -> Result<(), OperatorError> {
        self.nodes[node.0].operator.restore(reader)
    }

    /// Returns the watermark of each input of a node.
    #[must_use]
    pub fn watermarks(&self, node: NodeId) -> Vec<Watermark> {
        let inputs = self.nodes[node.0].inputs.iter();
        inputs.map(|input| input.watermark).collect()
    }

    /// Returns the watermark that a node knows.
    #[must_use]
    pub fn watermark_of(&self, node: NodeId) -> Watermark {
        self.nodes[node.0].watermark
    }

    /// Sets the watermarks of a node's inputs to those of a checkpoint; before any row. The operator is not called: it had
    /// seen them when its state was written.
    pub fn restore_watermarks(&mut self, node: NodeId, watermarks: &[Watermark]) {
        let node = &mut self.nodes[node.0];
        for (input, watermark) in node.inputs.iter_mut().zip(watermarks) {
            input.watermark = *watermark;
        }
        node.watermark = node.least();
    }

    /// Tells whether rows of a node can reach another.
    #[must_use]
    pub fn feeds(&self, from: NodeId, to: NodeId) -> bool {
        let edges = self.nodes[from.0].edges.iter();
        edges.copied().any(|edge| match edge {
            Edge::Node { node, .. } => node == to || self.feeds(node, to),
            Edge::Sink(_) => false,
        })
    }

    /// Returns the operators, by their number.
    pub fn operators(&self) -> impl Iterator<Item = (NodeId, &dyn Operator)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.map(|(index, node)| (NodeId(index), node.operator.as_ref()))
    }

    /// Returns the nodes with those first whose output others take.
    fn order(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.nodes.len());
        let mut seen = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            self.visit(start, &mut seen, &mut order);
        }
        order.reverse();
        order
    }

    fn visit(&self, node: usize, seen: &mut [bool], order: &mut Vec<usize>) {
        if std::mem::replace(&mut seen[node], true) {
            return;
        }
        for edge in &self.nodes[node].edges {
            if let Edge::Node { node, .. } = edge {
                self.visit(node.0, seen, order);
            }
        }
        order.push(node);
    }

    fn send_batch(
        &mut self,
        edges: &[Edge],
        batch: Batch,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        let Some((last, first)) = edges.split_last() else {
            return Ok(());
        };
        for edge in first {
            self.deliver(*edge, batch.clone(), now_ms, sinks)?;
        }
        self.deliver(*last, batch, now_ms, sinks)
    }

    fn deliver(
        &mut self,
        edge: Edge,
        batch: Batch,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        let (node, input) = match edge {
            Edge::Node { node, input } => (node.0, input),
            Edge::Sink(sink) => return sinks.write(sink, batch).map_err(at(None, None)),
        };
        let origins = batch.origins.clone();
        let input = self.nodes[node].ports[input];
        self.call(node, now_ms, sinks, |operator, ctx, out| {
            operator.batch(input, batch, ctx, out)
        })
        .map_err(|error| match error.error {
            OperatorError::Row { row, .. } if error.node == Some(NodeId(node)) => GraphError {
                origin: Some(origins.map_or(row, |origins| origins[row] as usize)),
                ..error
            },
            _ => error,
        })
    }

    fn send_watermark(
        &mut self,
        edges: &[Edge],
        watermark: Watermark,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        for edge in edges {
            let Edge::Node { node, input } = *edge else {
                continue;
            };
            let known = &mut self.nodes[node.0].inputs[input].watermark;
            *known = watermark.max(*known);
            self.advance(node.0, now_ms, sinks)?;
        }
        Ok(())
    }

    fn send_idle(
        &mut self,
        edges: &[Edge],
        is_idle: bool,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        for edge in edges {
            let Edge::Node { node, input } = *edge else {
                continue;
            };
            let was_idle = self.nodes[node.0].is_idle();
            self.nodes[node.0].inputs[input].is_idle = is_idle;
            let is_idle = self.nodes[node.0].is_idle();
            if is_idle != was_idle {
                let edges = std::mem::take(&mut self.nodes[node.0].edges);
                let result = self.send_idle(&edges, is_idle, now_ms, sinks);
                self.nodes[node.0].edges = edges;
                result?;
            }
            self.advance(node.0, now_ms, sinks)?;
        }
        Ok(())
    }

    /// Tells an operator its watermark where that has grown.
    fn advance(
        &mut self,
        node: usize,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        let least = self.nodes[node].least();
        if least == self.nodes[node].watermark {
            return Ok(());
        }
        self.call(node, now_ms, sinks, |operator, ctx, out| {
            operator.watermark(least, ctx, out)
        })
    }

    /// Calls an operator and hands on what it gives out.
    fn call(
        &mut self,
        node: usize,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
        call: impl FnOnce(&mut dyn Operator, &Context, &mut Output) -> Result<(), OperatorError>,
    ) -> Result<(), GraphError> {
        let state = &mut self.nodes[node];
        let ctx = Context {
            now_ms,
            watermark: state.watermark,
        };
        let mut out = Output::default();
        call(state.operator.as_mut(), &ctx, &mut out).map_err(at(Some(NodeId(node)), None))?;
        state.watermark = state.least();
        self.hand_on(node, out, now_ms, sinks)?;
        loop {
            let mut out = Output::default();
            let operator = self.nodes[node].operator.as_mut();
            let more = operator.more(&ctx, &mut out);
            let more = more.map_err(at(Some(NodeId(node)), None))?;
            self.hand_on(node, out, now_ms, sinks)?;
            if !more {
                return Ok(());
            }
        }
    }

    fn hand_on(
        &mut self,
        node: usize,
        out: Output,
        now_ms: i64,
        sinks: &mut dyn SinkPort,
    ) -> Result<(), GraphError> {
        if out.items.is_empty() {
            return Ok(());
        }
        let edges = std::mem::take(&mut self.nodes[node].edges);
        let result = out.items.into_iter().try_for_each(|item| match item {
            Item::Batch(batch) => self.send_batch(&edges, batch, now_ms, sinks),
            Item::Watermark(watermark) => self.send_watermark(&edges, watermark, now_ms, sinks),
        });
        self.nodes[node].edges = edges;
        result
    }
}

fn at(node: Option<NodeId>, origin: Option<usize>) -> impl FnOnce(OperatorError) -> GraphError {
    move |error| GraphError {
        node,
        origin,
        error,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int64Array;

    use super::*;

    /// Hands rows on, with the watermark that it knows as a column.
    struct Tell;

    impl Operator for Tell {
        fn batch(
            &mut self,
            _: usize,
            batch: Batch,
            ctx: &Context,
            out: &mut Output,
        ) -> Result<(), OperatorError> {
            let known = Int64Array::from(vec![ctx.watermark.0; batch.rows]);
            out.batch(Batch::inserts(vec![Arc::new(known)], batch.rows));
            Ok(())
        }
    }

    #[derive(Default)]
    struct Seen(Vec<i64>);

    impl SinkPort for Seen {
        fn write(&mut self, _: usize, batch: Batch) -> Result<(), OperatorError> {
            let known = batch.columns[0].as_any().downcast_ref::<Int64Array>();
            self.0.extend(known.unwrap().values());
            Ok(())
        }
    }

    /// Two sources, each through a node of its own, meet in a third.
    fn meeting() -> Graph {
        let mut graph = GraphBuilder::default();
        let last = NodeId(2);
        for source in 0..2 {
            let node = graph.add(Box::new(Tell), 1);
            graph.connect_source(source, Edge::Node { node, input: 0 });
            let input = source;
            graph.connect(node, Edge::Node { node: last, input });
        }
        assert_eq!(graph.add(Box::new(Tell), 2), last);
        graph.connect(last, Edge::Sink(0));
        graph.build()
    }

    fn row() -> Batch {
        Batch::inserts(vec![Arc::new(Int64Array::from(vec![0]))], 1)
    }

    fn watermark(graph: &mut Graph, seen: &mut Seen) -> i64 {
        graph.batch(0, row(), 0, seen).unwrap();
        seen.0.pop().unwrap()
    }

    #[test]
    fn an_idle_input_holds_no_watermark_back() {
        let (mut graph, mut seen) = (meeting(), Seen::default());
        graph.watermark(0, Watermark(10), 0, &mut seen).unwrap();
        assert_eq!(watermark(&mut graph, &mut seen), i64::MIN);
        graph.idle(1, true, 0, &mut seen).unwrap();
        assert_eq!(watermark(&mut graph, &mut seen), 10, "the other is idle");
        graph.watermark(0, Watermark(20), 0, &mut seen).unwrap();
        assert_eq!(watermark(&mut graph, &mut seen), 20);
        graph.idle(1, false, 0, &mut seen).unwrap();
        graph.watermark(1, Watermark(15), 0, &mut seen).unwrap();
        assert_eq!(watermark(&mut graph, &mut seen), 20, "it never goes back");
        graph.watermark(0, Watermark(30), 0, &mut seen).unwrap();
        assert_eq!(watermark(&mut graph, &mut seen), 20);
        graph.idle(0, true, 0, &mut seen).unwrap();
        graph.idle(1, true, 0, &mut seen).unwrap();
        assert_eq!(watermark(&mut graph, &mut seen), 20, "all are idle");
    }

    #[test]
    fn watermarks_of_a_checkpoint_are_known_without_a_call() {
        let (mut graph, mut seen) = (meeting(), Seen::default());
        let both = [Watermark(10), Watermark(12)];
        graph.restore_watermarks(NodeId(2), &both);
        assert_eq!(graph.watermarks(NodeId(2)), both);
        assert_eq!(watermark(&mut graph, &mut seen), 10);
        graph.watermark(0, Watermark(10), 0, &mut seen).unwrap();
        graph.watermark(0, Watermark(11), 0, &mut seen).unwrap();
        assert_eq!(watermark(&mut graph, &mut seen), 11);
    }

    #[test]
    fn a_source_that_nobody_reads_is_no_failure() {
        let (mut graph, mut seen) = (meeting(), Seen::default());
        graph.batch(7, row(), 0, &mut seen).unwrap();
        graph.watermark(7, Watermark::END, 0, &mut seen).unwrap();
    }

    #[test]
    fn a_node_knows_whom_it_feeds() {
        let graph = meeting();
        assert!(graph.feeds(NodeId(0), NodeId(2)) && graph.feeds(NodeId(1), NodeId(2)));
        assert!(!graph.feeds(NodeId(0), NodeId(1)) && !graph.feeds(NodeId(2), NodeId(0)));
    }
}
