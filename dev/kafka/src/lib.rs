//! A Kafka broker for demos and tests: one node, in memory, inside the program that starts it.
//!
//! It is a **stand-in**. Nothing is written to disk, nothing is replicated, nobody logs in, and what it
//! holds is gone when it stops. Within that it does what a broker does: topics and partitions, record
//! batches kept as their producer compressed them, consumer groups (the classic protocol), idempotent
//! producers, and transactions with fencing, markers, aborted rows hidden from `read_committed`
//! readers, and offsets that appear when their transaction commits. `tests/conformance.rs` runs one
//! suite against it and against a real broker.
//!
//! What it does not do: log compaction (a compacted topic keeps every row), retention by time, topic
//! settings (they are kept and shown, not obeyed), quotas, security, message formats before 2, the
//! consumer protocol of KIP-848, and fetch sessions (clients fall back to full fetches by themselves).
//!
//! Start from [`EmbeddedBroker`] and [`Options`]:
//!
//! ```
//! use millrace_dev_kafka::{EmbeddedBroker, Options};
//!
//! let broker = EmbeddedBroker::start(Options::default())?;
//! broker.create_topic("orders", 4)?;
//! println!("bootstrap.servers = {}", broker.address());
//! broker.shutdown();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Code map: `connection` frames and dispatches requests, `api` says which versions are spoken;
//! `broker` holds the topics, each partition is a `log` of `batch`es with the producers' `sequence`s;
//! `transaction` and `group` are the two coordinators, pure state that the request handlers
//! (`transaction_api`, `group_api`, `offsets`) drive.

mod api;
mod connection;

mod broker;
mod metadata;
mod topics;

mod batch;
mod fetch;
mod list_offsets;
mod log;
mod produce;
mod sequence;

mod transaction;
mod transaction_api;

mod group;
mod group_api;
mod offsets;

mod server;

pub use broker::TopicError;
pub use server::{EmbeddedBroker, Options, StartError};
