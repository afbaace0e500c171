//! Typed expressions and the lane programs that are compiled of them.
//!
//! It knows types, kernels and Arrow batches; it knows no SQL text, no plan, no connector, no clock and no thread. Start from
//! [`Expr`] (a bound expression) and [`LaneProgram`] (what runs over each batch).

mod expr;
mod operator;
mod optimise;
mod program;

pub use expr::{
    Call, Expr, ExprKind, ExprRef, ShownExpr, conjuncts, for_each_column, map_columns,
    move_columns, same, substitute,
};
pub use operator::{ProgramCondition, ProgramOperator};
pub use optimise::{Folding, fold, may_miss, stands_alone};
pub use program::{
    LaneProgram, NotNullEnforcer, Output, OutputColumn, Profile, ProgramSource, StepCost, Unnest,
    expand, unnested_columns,
};
