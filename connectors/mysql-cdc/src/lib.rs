//! The `mysql-cdc` connector: tables of MySQL and MariaDB, from a snapshot without locks to the binary log.
//!
//! ```text
//! definition   what a table looks like at a position: SHOW CREATE TABLE and the DDL that follows
//! decode       rows of the query protocol and of the binary log ─► Arrow columns of the declared types
//! ```

pub mod decode;
pub mod definition;
