//! Flink's functions and operators over Arrow arrays: one file each, grouped by what they work on.
//!
//! It knows types, values and kernels; it knows no SQL text, no plan and no connector. Start from
//! [`FunctionDef`] (what a function is), [`Kernel`] (how it runs over a batch) and [`registry::lookup`]; for aggregates
//! from [`aggregate`].

pub mod aggregate;
pub mod cast;
mod collection;
mod column;
mod definition;
mod error;
pub mod json;
mod literal;
mod numeric;
pub mod operator;
pub mod registry;
mod string;
pub mod temporal;
mod user;

pub use collection::missing_element;
pub use column::{Column, EvalContext};
pub use definition::{Arg, BindContext, BindFn, Bound, Category, FunctionDef, Kernel, Volatility};
pub use error::{CallError, RowError};
pub use literal::Literal;
pub use string::split_index_many;
pub use user::{UserFunction, UserFunctions};
