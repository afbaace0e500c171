//! What Flink has and this engine has not built yet: each named by its clause.

use millrace_connector::{Diagnostic, Span};

const AGGREGATES: &[&str] = &[
    "COUNT",
    "SUM",
    "MIN",
    "MAX",
    "AVG",
    "FIRST_VALUE",
    "LAST_VALUE",
    "LISTAGG",
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

/// Tells whether a function works on many rows.
pub(crate) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// A call of a function that works on many rows.
pub(crate) fn aggregate(name: &str, span: Span) -> Diagnostic {
    Diagnostic::error(
        "MR0503",
        format!("the aggregate function '{name}' is not supported yet"),
        span,
    )
    .label("needs state over many rows")
    .help("this version runs stateless pipelines: projections, filters and UNION ALL")
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
        .help("this version runs stateless pipelines: projections, filters and UNION ALL")
}
