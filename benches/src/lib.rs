//! Measurements: kernels with criterion in `benches/` and by instruction counts in `src/bin/kernels.rs`, the raw Kafka copy in
//! `src/bin/rawcopy.rs`, and `compare`, which runs the pipelines beside Flink and that copy on one broker.
//!
//! Start from [`kernels`]: the kernels that both kinds of measurement run, over the texts of [`messages`].

mod calls;
pub mod kernels;
pub mod messages;
mod topic;

pub use topic::partitions;
