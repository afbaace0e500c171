//! End-to-end tests: the binary `millrace` against a real Kafka broker and a real S3 server.
//!
//! They run with `MILLRACE_E2E=1` and say so when they are skipped. `./test` starts the servers, builds the
//! binary and sets what they look for:
//!
//! | variable | default |
//! |---|---|
//! | `MILLRACE_BIN` | `$CARGO_TARGET_DIR/debug/millrace` |
//! | `MILLRACE_KAFKA` | `127.0.0.1:19092` |
//! | `MILLRACE_S3_ENDPOINT` | `http://127.0.0.1:19001` |
//! | `MILLRACE_DORIS_ROWS` | 1000000, the rows of the run into Doris with kills |
//! | `MILLRACE_CDC_CHANGES` | 40000, the statements of the run from MySQL into Doris with kills |
//! | `MILLRACE_CDC_CASES` | all; a regular expression of the cases of `tests/mysql-cdc` that are run |
//! | `MILLRACE_SEED` | from the clock; printed |
//!
//! A test makes topics of its own, so tests do not meet each other.
//! The pieces: [`broker`] writes and reads topics, [`pipeline`] makes an SQL file and runs the binary on it,
//! [`delivery`] compares what went in with what came out, [`services`] runs servers that a test may stop.

mod broker;
mod delivery;
mod forwarder;
mod mysql;
mod mysql_workload;
mod pipeline;
mod reader;
mod services;

mod bad_input;
mod changelog;
mod crash;
mod doris;
mod doris_connector;
mod doris_points;
mod edge;
mod edits;
mod kafka_tables;
mod mysql_cdc;
mod mysql_failover;
mod mysql_points;
mod mysql_reset;
mod mysql_tables;
mod mysql_tls;
mod mysql_to_doris;
mod outage;
mod rescale;
mod rest;
mod routing;
mod scale;
mod shutdown;
mod stateful;
mod user_errors;

/// Tells whether the tests run; prints a notice when they do not.
fn enabled() -> bool {
    let enabled = std::env::var("MILLRACE_E2E").is_ok_and(|value| value == "1");
    if !enabled {
        eprintln!("skipped: end-to-end tests need servers; run ./test or set MILLRACE_E2E=1");
    }
    enabled
}
