//! Expressions as a graph in which equal values are one node.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use millrace_functions::{Kernel, Volatility};

use super::many::ManyKernel;
use crate::expr::{Expr, ExprKind, ExprRef};

/// Index of a node.
pub(crate) type NodeId = usize;

/// A value of the graph.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    /// Whether some row can fail, in it or below it.
    pub(crate) fallible: bool,
    /// How many nodes and outputs read it.
    pub(crate) uses: usize,
}

/// How a value comes about.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Column(usize),
    Literal(ArrayRef),
    Call {
        name: &'static str,
        kernel: Arc<dyn Kernel>,
        args: Vec<NodeId>,
        volatility: Volatility,
    },
    And(Vec<NodeId>),
    Or(Vec<NodeId>),
    Case {
        branches: Vec<(NodeId, NodeId)>,
        otherwise: NodeId,
    },
    Coalesce(Vec<NodeId>),
    Many {
        kernel: Arc<dyn ManyKernel>,
        input: NodeId,
        results: usize,
    },
    Pick {
        many: NodeId,
        index: usize,
    },
}

/// The graph.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    by_key: HashMap<String, NodeId>,
    /// Literals by their type: which of them is meant is a matter of their values.
    literals: HashMap<String, Vec<NodeId>>,
    by_pointer: HashMap<*const Expr, NodeId>,
}

impl Graph {
    /// Adds an expression and counts one use of it. The expressions must outlive the building of the graph.
    pub(crate) fn add(&mut self, expr: &ExprRef) -> NodeId {
        let id = self.intern(expr);
        self.nodes[id].uses += 1;
        id
    }

    fn intern(&mut self, expr: &ExprRef) -> NodeId {
        if let Some(id) = self.by_pointer.get(&Arc::as_ptr(expr)) {
            return *id;
        }
        let id = self.build(expr);
        self.by_pointer.insert(Arc::as_ptr(expr), id);
        id
    }

    fn build(&mut self, expr: &ExprRef) -> NodeId {
        let op = match &expr.kind {
            ExprKind::Retype(inner) => return self.intern(inner),
            ExprKind::Column(index) => Op::Column(*index),
            ExprKind::Literal(value) => Op::Literal(ArrayRef::clone(value)),
            ExprKind::Call(call) => Op::Call {
                name: call.name,
                kernel: Arc::clone(&call.kernel),
                args: self.all(&call.args),
                volatility: call.volatility,
            },
            ExprKind::And(parts) => Op::And(self.all(parts)),
            ExprKind::Or(parts) => Op::Or(self.all(parts)),
            ExprKind::Coalesce(parts) => Op::Coalesce(self.all(parts)),
            ExprKind::Case {
                branches,
                otherwise,
            } => Op::Case {
                branches: branches
                    .iter()
                    .map(|(when, then)| (self.intern(when), self.intern(then)))
                    .collect(),
                otherwise: self.intern(otherwise),
            },
        };
        if let Op::Literal(value) = &op {
            return self.literal(value, expr);
        }
        let key = key(&op, expr);
        if let Some(id) = key.as_ref().and_then(|key| self.by_key.get(key)) {
            return *id;
        }
        let fallible = self.is_fallible(&op);
        for child in children(&op) {
            self.nodes[child].uses += 1;
        }
        let id = self.push(Node {
            op,
            fallible,
            uses: 0,
        });
        if let Some(key) = key {
            self.by_key.insert(key, id);
        }
        id
    }

    /// Returns the node of a literal: the same for the same value of the same type, NaN and -0.0 included.
    ///
    /// Values are compared by their bits, never by a text: Arrow's Debug form leaves out the middle of long arrays.
    fn literal(&mut self, value: &ArrayRef, expr: &Expr) -> NodeId {
        let ty = format!("{} {:?}", expr.ty.kind, value.data_type());
        let is_same = |id: &&NodeId| match &self.nodes[**id].op {
            Op::Literal(known) => known.to_data() == value.to_data(),
            _ => false,
        };
        let alike = self.literals.get(&ty).map_or(&[][..], Vec::as_slice);
        if let Some(id) = alike.iter().find(is_same) {
            return *id;
        }
        let id = self.push(Node {
            op: Op::Literal(ArrayRef::clone(value)),
            fallible: false,
            uses: 0,
        });
        self.literals.entry(ty).or_default().push(id);
        id
    }

    fn all(&mut self, parts: &[ExprRef]) -> Vec<NodeId> {
        parts.iter().map(|part| self.intern(part)).collect()
    }

    fn is_fallible(&self, op: &Op) -> bool {
        let own = match op {
            Op::Call { kernel, .. } => kernel.can_fail(),
            _ => false,
        };
        own || children(op)
            .into_iter()
            .any(|child| self.nodes[child].fallible)
    }

    pub(crate) fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}

/// Returns the nodes that `op` reads.
pub(crate) fn children(op: &Op) -> Vec<NodeId> {
    match op {
        Op::Column(_) | Op::Literal(_) => Vec::new(),
        Op::Call { args, .. } => args.clone(),
        Op::And(parts) | Op::Or(parts) | Op::Coalesce(parts) => parts.clone(),
        Op::Case {
            branches,
            otherwise,
        } => branches
            .iter()
            .flat_map(|(when, then)| [*when, *then])
            .chain([*otherwise])
            .collect(),
        Op::Many { input, .. } => vec![*input],
        Op::Pick { many, .. } => vec![*many],
    }
}

/// Returns a text that is equal for equal values; `None` for what differs from call to call, and for literals.
fn key(op: &Op, expr: &Expr) -> Option<String> {
    let mut key = String::new();
    match op {
        Op::Column(index) => write!(key, "column {index}"),
        Op::Call {
            volatility: Volatility::PerRow,
            ..
        } => return None,
        // The kernel is a function of the name, the arguments' values and types, and the result's type.
        Op::Call { name, args, .. } => {
            let ExprKind::Call(call) = &expr.kind else {
                return None;
            };
            let types: Vec<String> = call.args.iter().map(|arg| arg.ty.to_string()).collect();
            write!(key, "{name} {args:?} {types:?} {}", expr.ty)
        }
        Op::And(parts) => write!(key, "and {parts:?}"),
        Op::Or(parts) => write!(key, "or {parts:?}"),
        Op::Coalesce(parts) => write!(key, "coalesce {parts:?}"),
        Op::Case {
            branches,
            otherwise,
        } => write!(key, "case {branches:?} {otherwise}"),
        Op::Literal(_) | Op::Many { .. } | Op::Pick { .. } => return None,
    }
    .expect("writing to a String cannot fail");
    Some(key)
}
