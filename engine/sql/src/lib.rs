//! Flink SQL text to statements with spans, and diagnostics to readable text.
//!
//! It knows Flink 1.17's grammar and nothing of catalogs, connectors or plans. Start from [`parse`], which reports all
//! errors of a file at once, [`substitute`], which fills in `${name}` before that, and [`render`], which shows
//! diagnostics as rustc does.
//!
//! ```
//! let parsed = millrace_sql::parse("INSERT INTO sink SELECT id FROM source;");
//! assert_eq!(parsed.statements.len(), 1);
//! assert!(parsed.diagnostics.is_empty());
//! ```

pub mod ast;
mod codes;
mod keyword;
mod lexer;
mod parser;
mod render;
mod variables;

pub use codes::{CODES, Code};
pub use parser::{
    CHAIN_LENGTH_MAX, ERRORS_MAX, NESTING_DEPTH_MAX, Parsed, parse, parse_expression, parse_query,
    parse_type,
};
pub use render::{LineColumn, line_column, render, render_json};
pub use variables::{Substituted, substitute};
