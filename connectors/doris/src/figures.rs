//! What a table's loads have done, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_connector::sink::Figure;

/// Counters that lanes and coordinator add to, a few times a batch.
#[derive(Debug, Default)]
pub(crate) struct LoadFigures {
    pub(crate) loads: AtomicU64,
    pub(crate) rows: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
    pub(crate) retries: AtomicU64,
    pub(crate) overloads: AtomicU64,
    pub(crate) filtered_rows: AtomicU64,
    pub(crate) bad_rows: AtomicU64,
    pub(crate) left_out_rows: AtomicU64,
    pub(crate) waited_micros: AtomicU64,
}

impl LoadFigures {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    /// Books time in which Doris took nothing.
    pub(crate) fn waited(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self::add(&self.waited_micros, micros);
    }

    /// Returns the figures of a table.
    pub(crate) fn of(&self, table: &str) -> Vec<Figure> {
        let figure = |name, help, counter: &AtomicU64, unit: f64| Figure {
            name,
            help,
            table: table.to_owned(),
            value: counter.load(Ordering::Relaxed) as f64 / unit,
        };
        vec![
            figure(
                "millrace_doris_loads_total",
                "Stream loads that Doris has taken whole.",
                &self.loads,
                1.0,
            ),
            figure(
                "millrace_doris_load_rows_total",
                "Rows of stream loads that Doris has taken whole.",
                &self.rows,
                1.0,
            ),
            figure(
                "millrace_doris_load_bytes_total",
                "Bytes of rows handed to stream loads, before packing.",
                &self.bytes,
                1.0,
            ),
            figure(
                "millrace_doris_sent_bytes_total",
                "Bytes of bodies sent to Doris, packed or not.",
                &self.sent_bytes,
                1.0,
            ),
            figure(
                "millrace_doris_load_retries_total",
                "Begins of stream loads that were tried again.",
                &self.retries,
                1.0,
            ),
            figure(
                "millrace_doris_overloads_total",
                "Answers that Doris is overloaded, such as too many versions.",
                &self.overloads,
                1.0,
            ),
            figure(
                "millrace_doris_filtered_rows_total",
                "Rows that Doris left out, as 'max_filter_ratio' allows.",
                &self.filtered_rows,
                1.0,
            ),
            figure(
                "millrace_doris_bad_rows_total",
                "Rows that do not fit the table, skipped or put into the dead-letter table.",
                &self.bad_rows,
                1.0,
            ),
            figure(
                "millrace_doris_left_out_rows_total",
                "Deletes that were left out because 'sink.enable-delete' is false.",
                &self.left_out_rows,
                1.0,
            ),
            figure(
                "millrace_doris_backpressure_seconds_total",
                "Time that writers were blocked because Doris took no bytes or was overloaded.",
                &self.waited_micros,
                1e6,
            ),
        ]
    }
}
