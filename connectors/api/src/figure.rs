//! Figures that connectors tell of their own work.

/// What a source or a group of sinks tells about its work, for metrics: a figure of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name in Prometheus' rule, such as `millrace_doris_loads_total`; a name that ends in `_total` only goes up.
    pub name: &'static str,
    /// What it counts, one sentence.
    pub help: &'static str,
    /// The table.
    pub table: String,
    /// The value now.
    pub value: f64,
}
