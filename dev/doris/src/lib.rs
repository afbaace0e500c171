//! A Doris that is none: a **stand-in** for demos and tests that takes stream loads and keeps their rows in a folder.
//!
//! One process plays frontends (FE) and backends (BE), each on a port of its own, and a query port that speaks MySQL's
//! protocol. It does what a sink can see of Doris: redirects with credentials, `100 Continue`, labels, transactions in
//! two phases with their time-outs, the answers word by word, values that turn into NULL or filter their row, the three
//! models of tables, partial updates, sequence columns, bodies of CSV, JSON and Arrow.
//! What is committed survives its end; what is only prepared does too, as in Doris.
//!
//! What it does not do, it says when asked: column expressions, `where`, partitions, Parquet bodies,
//! `enclose`/`escape`, group commit, privileges, TLS. A request for one of them is answered `Fail`, never half obeyed.
//! How fast it is says nothing about Doris.
//!
//! ```no_run
//! use millrace_dev_doris::{Column, DorisStandIn, Keys, Options, TableSchema};
//!
//! let doris = DorisStandIn::start(Options::in_folder("doris-data"))?;
//! doris.create_table(TableSchema {
//!     db: "demo".into(),
//!     table: "orders".into(),
//!     keys: Keys::Duplicate,
//!     columns: vec![Column::new("id", "BIGINT"), Column::new("amount", "DECIMAL(18,2)")],
//! })?;
//! println!("fenodes = {}", doris.fe_address());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Code map: `server` listens, `frontend` and `backend` answer; `load` turns a body into rows by `headers`, `schema` and
//! `value`, most of them the quick way of `line` and `fits`; `rows` reads them back, merged as the table's model says;
//! `query` answers SQL; `transaction` is the book of labels and states, pure; `cluster` ties all to the `journal` on
//! disk; `fault` makes it misbehave on purpose; `admin` is the door for tests.

mod server;

mod admin;
mod answer;
mod backend;
mod frontend;
mod query;

mod arrow;
mod body;
mod fits;
mod headers;
mod line;
mod load;
mod rows;
mod schema;
mod value;

mod catalog;
mod cluster;
mod fault;
mod journal;
mod transaction;

pub use cluster::{ClusterError, Settings};
pub use fault::{Fault, FaultPoint, POINTS, UnknownFault};
pub use schema::{Aggregation, Column, Keys, TableSchema};
pub use server::{DorisStandIn, ExecuteError, Options, StartError};
pub use transaction::{Transaction, TransactionState};
