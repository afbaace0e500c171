//! Tables in Kafka: the `kafka` connector of Flink 1.17, exactly once if wanted.
//!
//! It knows Kafka and the formats, and nothing of plans, lanes or manifests. Start from [`KafkaConnector`].
//!
//! ```text
//! options ─► spec (validated) ─► source ─► reader on each lane: fetched chunks ─► records ─► decode the wanted columns
//!                             └► sink group (one producer) ─► writer on each lane: encode ─► append to the partitions' batches
//! ```

mod client;
mod columns;
mod connector;
mod encode;
mod format;
mod jaas;
mod mark;
mod metadata;
mod options;
mod origin;
mod properties;
mod reader;
mod reading;
mod records;
mod sink;
mod source;
mod splits;
mod startup;
mod trouble;
mod upsert;
mod writer;
mod writing;

pub use connector::KafkaConnector;
pub use options::{SINK_OPTIONS, SOURCE_OPTIONS, UPSERT_OPTIONS};
pub use upsert::UpsertKafkaConnector;
