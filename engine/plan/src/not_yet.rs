//! What Flink has and this engine has not built yet: each named by its clause.

use millrace_connector::{Diagnostic, Span};
use millrace_sql::ast;

const AGGREGATES: &[&str] = &[
    "COUNT",
    "SUM",
    "MIN",
    "MAX",
    "AVG",
    "FIRST_VALUE",
    "LAST_VALUE",
    "LISTAGG",
    "ARRAY_AGG",
    "PERCENTILE",
    "COLLECT",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "STDDEV",
    "VAR_POP",
    "VAR_SAMP",
    "VARIANCE",
    "RANK",
    "DENSE_RANK",
    "ROW_NUMBER",
    "LAG",
    "LEAD",
    "NTILE",
    "CUME_DIST",
    "PERCENT_RANK",
    "APPROX_COUNT_DISTINCT",
    "GROUPING",
    "GROUPING_ID",
    "TUMBLE_START",
    "TUMBLE_END",
    "TUMBLE_ROWTIME",
    "TUMBLE_PROCTIME",
    "HOP_START",
    "HOP_END",
    "HOP_ROWTIME",
    "HOP_PROCTIME",
    "SESSION_START",
    "SESSION_END",
    "SESSION_ROWTIME",
    "SESSION_PROCTIME",
];

/// Functions of later versions of Flink that need types or services which are not here.
const LATER: &[&str] = &[
    "BITMAP_AND",
    "BITMAP_ANDNOT",
    "BITMAP_BUILD",
    "BITMAP_CARDINALITY",
    "BITMAP_FROM_BYTES",
    "BITMAP_OR",
    "BITMAP_TO_ARRAY",
    "BITMAP_TO_BYTES",
    "BITMAP_TO_STRING",
    "BITMAP_XOR",
    "JSON",
    "ML_PREDICT",
    "OBJECT_OF",
    "OBJECT_UPDATE",
    "PARSE_JSON",
    "TRY_PARSE_JSON",
];

/// Says so of a call of a function that a later version of Flink has.
pub(crate) fn later_function(name: &str, span: Span) -> Option<Diagnostic> {
    LATER
        .contains(&name.to_ascii_uppercase().as_str())
        .then(|| {
            Diagnostic::error("MR0502", format!("'{name}' is not supported yet"), span)
                .label("not supported yet")
        })
}

/// Tells whether a function works on many rows.
pub(crate) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// A call of a function that works on many rows.
pub(crate) fn aggregate(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        "MR0503",
        format!("the aggregate function '{name}' is not supported here"),
        span,
    )
    .label("works on many rows")
    .help("aggregate functions stand in SELECT and HAVING; RANK, ROW_NUMBER, LAG and their like need OVER")
}

/// An expression.
pub(crate) fn expression(what: &str, span: Span) -> Diagnostic {
    Diagnostic::error("MR0501", format!("{what} is not supported yet"), span)
        .label("not supported yet")
}

/// A clause of a query or a statement.
pub(crate) fn clause(what: &str, span: Span) -> Diagnostic {
    Diagnostic::error("MR0504", format!("{what} is not supported yet"), span)
        .label("not supported yet")
        .help("COMPAT.md lists what runs; leave this pipeline on Flink for now")
}

/// A call in FROM.
pub(crate) fn table_function(call: &ast::FunctionCall) -> Diagnostic {
    let name = call.name.last().value.to_ascii_uppercase();
    if matches!(name.as_str(), "TUMBLE" | "HOP" | "CUMULATE" | "SESSION") {
        return clause(&format!("the window function '{name}'"), call.span);
    }
    Diagnostic::error(
        "MR0305",
        format!("unknown table function '{}'", call.name),
        call.name.span,
    )
    .label("no such table function")
    .help("Flink has none of its own, and those of users need a JVM, which is not here")
    .help("UNNEST(…) takes arrays, maps and multisets apart")
}
