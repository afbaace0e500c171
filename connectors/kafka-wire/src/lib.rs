//! A client of Kafka: connections, metadata, offsets, fetching and writing of record batches, transactions, in safe Rust.
//!
//! It knows Kafka's protocol, and nothing of tables or columns. Start from [`Cluster`], [`Fetcher`] and [`Producer`].
//!
//! ```text
//! Cluster   asks: topics, offsets, a group's offsets      (one connection to each broker it asks)
//! Fetcher   a thread for each broker that leads: fetch ─► chunks in a queue bounded by bytes ─► the lane
//!           a thread that finds leaders (anew)
//! Producer  lanes append to batches; a thread for each broker packs and sends them; transactions
//! Chunk     a partition's batches as they came: the lane unpacks them into its own buffer (Arena) and reads the records there
//! ```
//!
//! A position belongs to the lane: what a chunk brings from before it is passed over, so nothing that happens to connections
//! or leaders can lose or double a record.

mod arena;
mod batch;
mod chunk;
mod cluster;
mod codec;
mod connection;
mod create;
mod error;
mod fetch;
mod offsets;
mod produce;
mod record;
mod sasl;
mod scram;
mod settings;
mod shape;
mod tls;

pub use arena::Arena;
pub use batch::{Batch, TimestampKind};
pub use chunk::{Chunk, Step};
pub use cluster::{Cluster, Partition, Topic, TopicPartition};
pub use codec::{Compression, Unpacker};
pub use error::WireError;
pub use fetch::{FetchFailure, Fetcher};
pub use kafka_protocol::ResponseError;
pub use offsets::{At, Committed};
pub use produce::{NewOffset, Outlet, ProduceFailure, Producer, Sticky};
pub use record::{Header, NewRecord, Record, read_headers, read_record};
pub use settings::{FetchSettings, Mechanism, ProduceSettings, Sasl, Settings};
pub use tls::{Pem, Tls};
