//! Tables in Apache Doris: the `doris` connector, by stream load with two-phase commit.
//!
//! It knows HTTP, Doris's answers and the formats, and nothing of plans, lanes or manifests.
//! Start from [`DorisConnector`].
//!
//! ```text
//! options ─► spec (validated) ─► sink group ─► one table load for each sink table, shared by the lanes' writers
//!
//! writer: encode a batch ─► table load ─► open stream load ─► BE        (a slow BE blocks the lane: back pressure)
//! prepare: end each body, read the answer (PRECOMMITTED) ─► transaction ids into the checkpoint ─► commit
//! ```

mod connector;
mod options;
mod settings;

mod sink;
mod writer;

mod load;
mod rows;

mod answer;
mod client;
mod http;
mod node;

mod catalog;
mod recovery;

pub use connector::DorisConnector;
pub use options::SINK_OPTIONS;
