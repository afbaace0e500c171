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
    /// The watermark of each port.
    inputs: Vec<Watermark>,
    /// The operator's input of each port.
    ports: Vec<usize>,
    /// The minimum of `inputs` that the operator knows.
    watermark: Watermark,
}

impl GraphBuilder {
    /// Adds an operator with so many inputs.
    pub fn add(&mut self, operator: Box<dyn Operator>, inputs: usize) -> NodeId {
        self.add_ports(operator, (0..inputs).collect())
    }

    /// Adds an operator with a port for each way that leads to it: `ports` says to which input. Each port has a watermark of
    /// its own; the edges name ports.
    pub fn add_ports(&mut self, operator: Box<dyn Operator>, ports: Vec<usize>) -> NodeId {
        self.nodes.push(Node {
            operator,
            edges: Vec::new(),
            inputs: vec![Watermark::NONE; ports.len()],
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
        let edges = std::mem::take(&mut self.sources[source]);
        let result = self.send_batch(&edges, batch, now_ms, sinks);
        self.sources[source] = edges;
        result
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
        let edges = std::mem::take(&mut self.sources[source]);
        let result = self.send_watermark(&edges, watermark, now_ms, sinks);
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
            let state = &mut self.nodes[node.0];
            state.inputs[input] = state.inputs[input].max(watermark);
            let least = state.inputs.iter().copied().min();
            let least = least.expect("a node with an edge has an input");
            if least > state.watermark {
                self.call(node.0, now_ms, sinks, |operator, ctx, out| {
                    operator.watermark(least, ctx, out)
                })?;
            }
        }
        Ok(())
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
        let least = state.inputs.iter().copied().min();
        state.watermark = least.unwrap_or(Watermark::NONE);
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
