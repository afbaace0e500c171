//! millrace-sql: Flink SQL text to statements with spans.

pub mod ast;
