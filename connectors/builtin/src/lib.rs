//! The connectors that need no service: `print`, `blackhole` and `datagen`, as Flink 1.17 has them.
//!
//! They know tables and Arrow, and nothing of SQL, plans or lanes. Start from [`PrintConnector`],
//! [`BlackholeConnector`] and [`DatagenConnector`]; [`OneRow`] is what queries without a table read, [`Changes`] what shows the changes of a query.

mod blackhole;
mod changes;
mod datagen;
mod flush;
mod one_row;
mod print;
mod random;
mod row_text;

pub use blackhole::{BlackholeConnector, Nothing};
pub use changes::Changes;
pub use datagen::DatagenConnector;
pub use flush::FlushGroup;
pub use one_row::OneRow;
pub use print::PrintConnector;
