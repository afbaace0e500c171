//! From a dataflow's stages to the operators of a lane.

use millrace_operators::{Edge, Graph, GraphBuilder, NodeId};
use millrace_program::{LaneProgram, ProgramOperator};

use crate::pipeline::{Branch, Dataflow, Feed};

impl Dataflow {
    /// Returns the operators of a lane: sources and sinks are those of the dataflow, by number. A source's rows have the columns of
    /// its projection.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let mut builder = GraphBuilder::default();
        // Each way into a stage has a watermark of its own, though several may lead to one input.
        let mut ports: Vec<Vec<usize>> = vec![Vec::new(); self.stages.len()];
        let feeds = self.sources.iter().flat_map(|source| &source.feeds);
        let feeds = feeds.chain(self.stages.iter().flat_map(|stage| &stage.feeds));
        for feed in feeds {
            ports[feed.stage].push(feed.input);
        }
        let stages: Vec<NodeId> = self
            .stages
            .iter()
            .zip(ports)
            .map(|(stage, ports)| builder.add_ports(stage.node.operator(), ports))
            .collect();
        let mut next = vec![0; self.stages.len()];
        let mut connect =
            |builder: &mut GraphBuilder, from: From, branches: &[Branch], feeds: &[Feed]| {
                for feed in feeds {
                    let to = Edge::Node {
                        node: stages[feed.stage],
                        input: next[feed.stage],
                    };
                    next[feed.stage] += 1;
                    way(builder, from, &feed.program, to);
                }
                for branch in branches {
                    way(builder, from, &branch.program, Edge::Sink(branch.sink));
                }
            };
        for (index, source) in self.sources.iter().enumerate() {
            connect(
                &mut builder,
                From::Source(index),
                &source.branches,
                &source.feeds,
            );
        }
        for (index, stage) in self.stages.iter().enumerate() {
            connect(
                &mut builder,
                From::Node(stages[index]),
                &stage.branches,
                &stage.feeds,
            );
        }
        builder.build()
    }
}

#[derive(Clone, Copy)]
enum From {
    Source(usize),
    Node(NodeId),
}

/// Connects by a program.
fn way(builder: &mut GraphBuilder, from: From, program: &LaneProgram, to: Edge) {
    let node = builder.add(Box::new(ProgramOperator::new(program.clone())), 1);
    builder.connect(node, to);
    let edge = Edge::Node { node, input: 0 };
    match from {
        From::Source(source) => builder.connect_source(source, edge),
        From::Node(from) => builder.connect(from, edge),
    }
}
