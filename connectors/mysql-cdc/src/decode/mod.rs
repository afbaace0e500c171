//! Rows of the query protocol and of the binary log, as Arrow columns of the declared types.
