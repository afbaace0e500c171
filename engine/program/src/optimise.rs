//! What makes plans cheaper without changing a value.

mod extract;
mod fold;

pub(crate) use extract::merge_extractions;
pub use fold::{Folding, fold};
