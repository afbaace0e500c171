//! Shared pieces of the tests: golden cases, values as their tables write them, and whole pipelines without services.

pub mod formats;
pub mod golden;
pub mod pipelines;
pub mod stateful;
pub mod value;
pub mod verdict;
