//! A Doris that is none: a **stand-in** for demos and tests that takes stream loads and keeps their rows in a folder.
//!
//! One process plays a frontend (FE) and a backend (BE), each on its own port. It does what a sink can see of Doris
//! on these two: redirects with credentials, `100 Continue`, labels, transactions in two phases with their
//! time-outs, the answers word by word, values that turn into NULL or filter their row, UNIQUE tables with deletes.
//! What is committed survives its end; what is only prepared does too, as in Doris.
//!
//! What it does not do, and says so when asked: the MySQL port, SQL of any kind, column expressions, partial
//! columns, sequence columns, `where`, partitions, AGGREGATE tables, Arrow and Parquet bodies, `enclose`/`escape`,
//! group commit, several backends, TLS. A request for one of them is answered `Fail`, never half obeyed.
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
//! Code map: `server` listens, `frontend` and `backend` answer; `load` turns a body into rows by `schema` and
//! `value`; `transaction` is the book of labels and states, pure; `cluster` ties them to the `journal` on disk;
//! `fault` makes it misbehave on purpose; `admin` is the door for tests.

mod server;

mod admin;
mod answer;
mod backend;
mod frontend;

mod body;
mod load;
mod schema;
mod value;

mod cluster;
mod fault;
mod journal;
mod transaction;

pub use cluster::{ClusterError, Settings};
pub use fault::{Fault, FaultPoint};
pub use schema::{Column, Keys, TableSchema};
pub use server::{DorisStandIn, Options, StartError};
pub use transaction::{Transaction, TransactionState};
