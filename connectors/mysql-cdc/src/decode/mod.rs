//! Values: from the bytes of the binary log and from the query protocol into Arrow columns, one value from both.
//!
//! ```text
//! RowsEvent ─► RowReader ─► Image ──┐
//!                                   ├─► RowDecoder ─► Columns ─► arrays
//! mysql::Value of a query ──────────┘
//! ```

mod bytes;
mod cell;
mod charset;
mod columns;
mod decimal;
mod error;
mod geometry;
mod json;
mod json_diff;
mod key;
mod mariadb;
mod natural;
mod options;
mod row;
mod rows_event;
mod target;
mod temporal;
mod wire;

pub(crate) use bytes::Bytes;
pub use charset::Charset;
pub(crate) use charset::{canonical, charset_of_collation, max_length_of_charset};
pub use columns::Columns;
pub use error::{RowError, Unsupported, ValueError};
pub use key::{KeyReader, KeyValue};
pub use options::{DecimalMode, TimeMode, ValueOptions};
pub use row::{DeclaredColumn, RowDecoder};
pub use rows_event::{Image, ImageCell, RowReader, RowsEvent, RowsKind};
pub use wire::Wire;
