//! Tables in Apache Doris: the `doris` connector, by stream load with two-phase commit.
//!
//! It knows HTTP, Doris's answers and the formats, and nothing of plans, lanes or manifests.
//! Start from [`DorisConnector`].
//!
//! ```text
//! options ─► spec (validated) ─► sink group ─► one table load for each sink table, shared by the lanes' writers
//!
//! writer: sort by kinds ─► take out what does not fit ─► encode ─► table load ─► open stream load ─► BE
//!                                                                  (a slow BE blocks the lane: back pressure)
//! prepare: end each body, read the answer (PRECOMMITTED) ─► transaction ids into the checkpoint ─► commit
//! ```

mod connector;
mod options;
mod settings;

mod group;
mod member;
mod sink;
mod table;
mod writer;

mod bad_rows;
mod body;
mod changes;
mod form;

mod compress;
mod figures;
mod load;
mod open;

mod answer;
mod client;
mod http;
mod node;
mod query;
mod tls;

mod recovery;

pub use connector::DorisConnector;
pub use options::SINK_OPTIONS;
