//! The connectors that need no service: `print`, `blackhole` and `datagen`, as Flink 1.17 has them.
//!
//! They know tables and Arrow, and nothing of SQL, plans or lanes. Start from [`PrintConnector`],
//! [`BlackholeConnector`] and [`DatagenConnector`].

mod blackhole;
mod datagen;
mod flush;
mod print;
mod random;
mod row_text;

pub use blackhole::BlackholeConnector;
pub use datagen::DatagenConnector;
pub use print::PrintConnector;
