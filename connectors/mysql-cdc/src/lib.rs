//! The `mysql-cdc` connector: tables of MySQL and MariaDB, from a snapshot without locks to the binary log.
//!
//! ```text
//! connector, config   options ─► a validated source
//! source, startup     checks of the server ─► the first position, or one of a checkpoint
//! dump                the connection of the binary log, a thread and a bounded queue
//! stream              events ─► transactions ─► rows and definitions; the position after each
//! snapshot            chunks read without locks, brought to one place of the log
//! definition          what a table looks like at a position: SHOW CREATE TABLE and the DDL that follows
//! figures, watch      what /metrics tells; how long the server keeps what is not yet read
//! decode              rows of the query protocol and of the binary log ─► Arrow columns of the declared types
//! ```

mod birth;
mod config;
mod connection;
mod connector;
pub mod decode;
pub mod definition;
mod dump;
mod events;
mod failover;
mod figures;
mod gtid;
mod history;
mod inner;
mod kept;
mod options;
mod out;
mod position;
mod properties;
mod reader;
mod server;
mod snapshot;
mod source;
mod startup;
mod stream;
mod tables;
mod watch;
mod zone;

pub use connector::MysqlCdcConnector;
pub use options::OPTIONS;
