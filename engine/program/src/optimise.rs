//! What makes plans cheaper without changing a value.

mod extract;
mod fold;
mod missing;

pub(crate) use extract::merge_extractions;
pub use fold::{Folding, fold};
pub use missing::{may_miss, stands_alone};
