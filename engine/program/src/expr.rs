//! Typed expressions: what the binder makes of the syntax tree.

mod compare;
mod shown;
mod substitute;

use std::sync::Arc;

use arrow_array::ArrayRef;
use millrace_connector::{FlinkType, Span};
use millrace_functions::{Kernel, Literal, Volatility};

pub use compare::{conjuncts, for_each_column, map_columns, move_columns, same};
pub(crate) use shown::ShownConstant;
pub use shown::ShownExpr;
pub use substitute::substitute;

/// A shared expression. Sharing one node says that it is one value: a call of RAND that two columns of a view's
/// reader share is made once a row.
pub type ExprRef = Arc<Expr>;

/// An expression with its type.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Its type, as Flink derives it.
    pub ty: FlinkType,
    /// Where it was written.
    pub span: Span,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// The input's column of that index.
    Column(usize),
    /// A constant: an array of length 1.
    Literal(ArrayRef),
    /// A call of a kernel; casts too.
    Call(Call),
    /// Three-valued AND; what stands right of a FALSE is not evaluated.
    And(Vec<ExprRef>),
    /// Three-valued OR; what stands right of a TRUE is not evaluated.
    Or(Vec<ExprRef>),
    /// CASE: the first branch whose condition is TRUE; nothing else is evaluated.
    Case {
        /// Conditions and results.
        branches: Vec<(ExprRef, ExprRef)>,
        /// The result without a TRUE condition.
        otherwise: ExprRef,
    },
    /// The first value that is not NULL; all are evaluated.
    Coalesce(Vec<ExprRef>),
    /// The same value under another type of the same physical form.
    Retype(ExprRef),
}

/// A bound call.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function's name or the operator's sign.
    pub name: &'static str,
    /// The code.
    pub kernel: Arc<dyn Kernel>,
    /// The arguments, cast to what the kernel takes.
    pub args: Vec<ExprRef>,
    /// Whether equal arguments give equal results.
    pub volatility: Volatility,
}

impl Expr {
    /// Returns an expression.
    #[must_use]
    pub fn new(kind: ExprKind, ty: FlinkType, span: Span) -> ExprRef {
        Arc::new(Self { kind, ty, span })
    }

    /// Returns its value if it is a constant, also under another type.
    #[must_use]
    pub fn literal(&self) -> Option<Literal> {
        match &self.kind {
            ExprKind::Literal(value) => Some(Literal {
                ty: self.ty.clone(),
                value: Arc::clone(value),
            }),
            ExprKind::Retype(inner) => {
                let inner = inner.literal()?;
                Some(Literal {
                    ty: self.ty.clone(),
                    value: inner.value,
                })
            }
            _ => None,
        }
    }

    /// Calls `visit` for each direct part.
    pub fn for_each_child<'a>(&'a self, mut visit: impl FnMut(&'a ExprRef)) {
        match &self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) => {}
            ExprKind::Call(call) => call.args.iter().for_each(visit),
            ExprKind::And(parts) | ExprKind::Or(parts) | ExprKind::Coalesce(parts) => {
                parts.iter().for_each(visit)
            }
            ExprKind::Case {
                branches,
                otherwise,
            } => {
                for (condition, value) in branches {
                    visit(condition);
                    visit(value);
                }
                visit(otherwise);
            }
            ExprKind::Retype(inner) => visit(inner),
        }
    }

    /// Returns itself with each direct part replaced by what `map` makes of it; the same node where nothing changed.
    pub fn map_children(self: &Arc<Self>, mut map: impl FnMut(&ExprRef) -> ExprRef) -> ExprRef {
        let mut changed = false;
        let mut each = |part: &ExprRef| {
            let mapped = map(part);
            changed |= !Arc::ptr_eq(&mapped, part);
            mapped
        };
        let kind = match &self.kind {
            ExprKind::Column(_) | ExprKind::Literal(_) => return Arc::clone(self),
            ExprKind::Call(call) => {
                let args = call.args.iter().map(&mut each).collect();
                ExprKind::Call(Call {
                    args,
                    ..call.clone()
                })
            }
            ExprKind::And(parts) => ExprKind::And(parts.iter().map(each).collect()),
            ExprKind::Or(parts) => ExprKind::Or(parts.iter().map(each).collect()),
            ExprKind::Coalesce(parts) => ExprKind::Coalesce(parts.iter().map(each).collect()),
            ExprKind::Case {
                branches,
                otherwise,
            } => ExprKind::Case {
                branches: branches
                    .iter()
                    .map(|(when, then)| (each(when), each(then)))
                    .collect(),
                otherwise: each(otherwise),
            },
            ExprKind::Retype(inner) => ExprKind::Retype(each(inner)),
        };
        if !changed {
            return Arc::clone(self);
        }
        Self::new(kind, self.ty.clone(), self.span)
    }
}
