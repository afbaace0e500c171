//! From the graph to blocks: what is evaluated where.
//!
//! A value is computed at most once in a block. What cannot fail and is read more than once is computed in the
//! program's outermost block, where everybody can import it; what can fail stays inside the lazy part that reads it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use millrace_functions::Volatility;

use super::block::{Block, Logic, Register, Step, StepOp};
use super::graph::{Graph, NodeId, Op, children};
use crate::expr::ExprRef;
use crate::optimise::merge_extractions;

/// A lazy part of so few infallible steps is evaluated for all rows: that is cheaper than choosing rows.
const EAGER_STEPS_MAX: usize = 2;

/// The result of compiling.
pub(crate) struct Compiled {
    /// Source columns in the order of the outermost block's first registers.
    pub(crate) inputs: Vec<usize>,
    pub(crate) filter: Option<Block>,
    pub(crate) project: Block,
}

/// Compiles filters (ANDed in order) and a projection.
pub(crate) fn compile(filters: &[ExprRef], projection: &[ExprRef]) -> Compiled {
    let mut graph = Graph::default();
    let filters: Vec<NodeId> = filters.iter().map(|expr| graph.add(expr)).collect();
    let projection: Vec<NodeId> = projection.iter().map(|expr| graph.add(expr)).collect();
    let roots: Vec<NodeId> = filters.iter().chain(&projection).copied().collect();
    merge_extractions(&mut graph);
    let inputs = used_columns(&graph, &roots);

    let mut compiler = Compiler {
        graph: &graph,
        frames: Vec::new(),
        base: 0,
    };
    compiler.frames.push(Frame::of_inputs(&graph, &inputs));
    if filters.is_empty() {
        let outputs = projection
            .into_iter()
            .map(|node| compiler.register(node, 0))
            .collect();
        let project = compiler
            .frames
            .pop()
            .expect("the first frame was pushed above")
            .finish(outputs);
        return Compiled {
            inputs,
            filter: None,
            project,
        };
    }
    let condition = compiler.logic(Logic::And, &filters, 0);
    compiler.frames.push(Frame::default());
    compiler.base = 1;
    let outputs = projection
        .into_iter()
        .map(|node| compiler.register(node, 1))
        .collect();
    let project = compiler
        .frames
        .pop()
        .expect("the second frame was pushed above")
        .finish(outputs);
    let filter = compiler
        .frames
        .pop()
        .expect("the first frame was pushed above")
        .finish(vec![condition]);
    Compiled {
        inputs,
        filter: Some(filter),
        project,
    }
}

fn used_columns(graph: &Graph, roots: &[NodeId]) -> Vec<usize> {
    let mut seen = HashSet::new();
    let mut pending = roots.to_vec();
    let mut columns = Vec::new();
    while let Some(node) = pending.pop() {
        if !seen.insert(node) {
            continue;
        }
        if let Op::Column(index) = graph.nodes[node].op {
            columns.push(index);
        }
        pending.extend(children(&graph.nodes[node].op));
    }
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// A block under construction.
#[derive(Default)]
struct Frame {
    imports: Vec<Register>,
    steps: Vec<Step>,
    registers: usize,
    known: HashMap<NodeId, Register>,
}

impl Frame {
    fn of_inputs(graph: &Graph, inputs: &[usize]) -> Self {
        let mut frame = Self {
            registers: inputs.len(),
            ..Self::default()
        };
        for (id, node) in graph.nodes.iter().enumerate() {
            if let Op::Column(index) = node.op
                && let Ok(register) = inputs.binary_search(&index)
            {
                frame.known.insert(id, register);
            }
        }
        frame.steps = (0..inputs.len())
            .map(|i| Step {
                out: i,
                op: StepOp::Import(i),
            })
            .collect();
        frame
    }

    fn push(&mut self, op: StepOp, results: usize) -> Register {
        let out = self.registers;
        self.registers += results;
        self.steps.push(Step { out, op });
        out
    }

    fn finish(self, outputs: Vec<Register>) -> Block {
        Block {
            imports: self.imports,
            steps: self.steps,
            registers: self.registers,
            outputs,
        }
    }
}

struct Compiler<'a> {
    graph: &'a Graph,
    frames: Vec<Frame>,
    /// The outermost frame that new steps may go to.
    base: usize,
}

impl Compiler<'_> {
    /// Returns the register of `node` in frame `frame`, computing or importing it.
    fn register(&mut self, node: NodeId, frame: usize) -> Register {
        if let Some(register) = self.frames[frame].known.get(&node) {
            return *register;
        }
        let register = if self.belongs_outside(node, frame) {
            let outer = self.register(node, frame - 1);
            self.import(outer, frame)
        } else {
            self.compute(node, frame)
        };
        self.frames[frame].known.insert(node, register);
        register
    }

    fn belongs_outside(&self, node: NodeId, frame: usize) -> bool {
        if frame == 0 {
            return false;
        }
        let info = &self.graph.nodes[node];
        let known = match info.op {
            Op::Pick { many, .. } => many,
            _ => node,
        };
        if self.frames[..frame]
            .iter()
            .any(|outer| outer.known.contains_key(&known))
        {
            return true;
        }
        let shared = info.uses > 1 || matches!(info.op, Op::Many { .. } | Op::Pick { .. });
        frame > self.base && shared && !info.fallible && !matches!(info.op, Op::Literal(_))
    }

    fn import(&mut self, outer: Register, frame: usize) -> Register {
        let frame = &mut self.frames[frame];
        let register = frame.registers;
        frame.registers += 1;
        frame.imports.push(outer);
        frame.steps.push(Step {
            out: register,
            op: StepOp::Import(frame.imports.len() - 1),
        });
        register
    }

    fn compute(&mut self, node: NodeId, frame: usize) -> Register {
        let graph = self.graph;
        let op = match &graph.nodes[node].op {
            Op::Column(_) => unreachable!("columns are known to the outermost frame"),
            Op::Literal(value) => StepOp::Constant(Arc::clone(value)),
            Op::Call {
                name,
                kernel,
                args,
                volatility,
            } => StepOp::Call {
                name,
                kernel: Arc::clone(kernel),
                args: args.iter().map(|arg| self.register(*arg, frame)).collect(),
                volatility: *volatility,
            },
            Op::And(parts) => return self.logic(Logic::And, parts, frame),
            Op::Or(parts) => return self.logic(Logic::Or, parts, frame),
            Op::Case {
                branches,
                otherwise,
            } => return self.case(branches, *otherwise, frame),
            Op::Coalesce(parts) => return self.coalesce(parts, frame),
            Op::Many { .. } => unreachable!("only picks are read"),
            Op::Pick { many, index } => return self.pick(*many, *index, frame),
        };
        self.frames[frame].push(op, 1)
    }

    /// Runs the whole extraction once and returns the register of one of its results.
    fn pick(&mut self, many: NodeId, index: usize, frame: usize) -> Register {
        if let Some(first) = self.frames[frame].known.get(&many) {
            return first + index;
        }
        let Op::Many {
            kernel,
            input,
            results,
        } = &self.graph.nodes[many].op
        else {
            unreachable!("a pick reads a node with several results")
        };
        let input = self.register(*input, frame);
        let first = self.frames[frame].push(
            StepOp::Many {
                kernel: Arc::clone(kernel),
                input,
                results: *results,
            },
            *results,
        );
        self.frames[frame].known.insert(many, first);
        first + index
    }

    fn logic(&mut self, logic: Logic, parts: &[NodeId], frame: usize) -> Register {
        let mut left = self.register(parts[0], frame);
        for part in &parts[1..] {
            let op = if self.is_eager(&[*part], frame) {
                let right = self.register(*part, frame);
                StepOp::Logic { logic, left, right }
            } else {
                let right =
                    Box::new(self.nested(|compiler, inner| compiler.register(*part, inner)));
                StepOp::LazyLogic { logic, left, right }
            };
            left = self.frames[frame].push(op, 1);
        }
        left
    }

    fn case(&mut self, branches: &[(NodeId, NodeId)], otherwise: NodeId, frame: usize) -> Register {
        let Some(((when, then), rest)) = branches.split_first() else {
            return self.register(otherwise, frame);
        };
        let condition = self.register(*when, frame);
        let mut lazy = vec![*then, otherwise];
        lazy.extend(rest.iter().flat_map(|(when, then)| [*when, *then]));
        let op = if self.is_eager(&lazy, frame) {
            let then = self.register(*then, frame);
            let otherwise = self.case(rest, otherwise, frame);
            StepOp::Choose {
                condition,
                then,
                otherwise,
            }
        } else {
            let then = Box::new(self.nested(|compiler, inner| compiler.register(*then, inner)));
            let otherwise =
                Box::new(self.nested(|compiler, inner| compiler.case(rest, otherwise, inner)));
            StepOp::Branch {
                condition,
                then,
                otherwise,
            }
        };
        self.frames[frame].push(op, 1)
    }

    /// All parts are evaluated, as in Flink; what cannot fail and is not needed costs little.
    fn coalesce(&mut self, parts: &[NodeId], frame: usize) -> Register {
        let registers: Vec<Register> = parts
            .iter()
            .map(|part| self.register(*part, frame))
            .collect();
        let choose = |rest: Option<Register>, first: &Register| match rest {
            None => Some(*first),
            Some(rest) => Some(self.frames[frame].push(
                StepOp::Coalesce {
                    first: *first,
                    rest,
                },
                1,
            )),
        };
        registers
            .iter()
            .rev()
            .fold(None, choose)
            .expect("COALESCE has an argument")
    }

    fn nested(&mut self, build: impl FnOnce(&mut Self, usize) -> Register) -> Block {
        self.frames.push(Frame::default());
        let inner = self.frames.len() - 1;
        let output = build(self, inner);
        self.frames
            .pop()
            .expect("the frame was pushed above")
            .finish(vec![output])
    }

    /// Tells whether values may and should be computed for all rows of `frame`.
    fn is_eager(&self, nodes: &[NodeId], frame: usize) -> bool {
        let mut steps = 0;
        let mut pending = nodes.to_vec();
        while let Some(node) = pending.pop() {
            if self.frames[..=frame]
                .iter()
                .any(|outer| outer.known.contains_key(&node))
            {
                continue;
            }
            let info = &self.graph.nodes[node];
            if info.fallible {
                return false;
            }
            match &info.op {
                Op::Column(_) | Op::Literal(_) | Op::Pick { .. } | Op::Many { .. } => {}
                Op::Call {
                    volatility: Volatility::PerRow,
                    ..
                } => return false,
                _ if info.uses > 1 => {}
                op => {
                    steps += 1;
                    pending.extend(children(op));
                }
            }
            if steps > EAGER_STEPS_MAX {
                return false;
            }
        }
        true
    }
}
