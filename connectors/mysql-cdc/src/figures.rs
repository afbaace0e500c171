//! What a source has read and how far behind it is, for metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_connector::Figure;
use parking_lot::Mutex;

use crate::definition::TableName;
use crate::position::Place;

/// Figures that the lane and the threads beside it write, a few times a batch.
#[derive(Debug, Default)]
pub(crate) struct ReadFigures {
    pub(crate) has_snapshot: AtomicBool,
    pub(crate) chunks: AtomicU64,
    pub(crate) chunks_left: AtomicU64,
    pub(crate) tables_left: AtomicU64,
    pub(crate) snapshot_rows: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) event_bytes: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) is_connected: AtomicBool,
    pub(crate) retention_warnings: AtomicU64,
    /// About how many chunks each table has left.
    estimates: Mutex<BTreeMap<TableName, u64>>,
    reached: Mutex<Reached>,
    outlook: Mutex<Option<Outlook>>,
}

/// How far the stream has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// The end of the last event.
    pub(crate) place: Place,
    /// The second of the last event.
    pub(crate) event_at: u64,
    /// When the server last had no more to send.
    pub(crate) idle_at: u64,
    /// It had no more when it was last heard.
    pub(crate) is_idle: bool,
}

impl Reached {
    /// Returns for how long what is to be read next has been in the log, at most.
    pub(crate) fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.event_at.max(self.idle_at))
    }
}

/// What is known of the server's log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    /// Bytes of the log that are not yet read.
    pub(crate) bytes_behind: u64,
    /// When what is read next may be purged; `None` if the server keeps everything, or nothing is to be read.
    pub(crate) purge_in: Option<f64>,
}

/// Returns seconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

impl ReadFigures {
    pub(crate) fn add(counter: &AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn set(gauge: &AtomicU64, to: u64) {
        gauge.store(to, Ordering::Relaxed);
    }

    /// Notes how far the stream has come.
    pub(crate) fn reach(&self, place: &Place, event_at: u32, is_idle: bool) {
        let mut reached = self.reached.lock();
        if reached.place != *place {
            reached.place.clone_from(place);
        }
        reached.event_at = u64::from(event_at);
        reached.is_idle = is_idle;
        if is_idle {
            reached.idle_at = now();
        }
    }

    /// Notes about how many chunks the tables have that are to be read.
    pub(crate) fn expect(&self, chunks: BTreeMap<TableName, u64>) {
        Self::set(&self.chunks_left, chunks.values().sum());
        *self.estimates.lock() = chunks;
    }

    /// Notes that a chunk is handed on; with `is_last`, its table's last one.
    pub(crate) fn chunk(&self, table: &TableName, rows: usize, is_last: bool) {
        Self::add(&self.chunks, 1);
        Self::add(&self.snapshot_rows, rows as u64);
        let mut estimates = self.estimates.lock();
        if is_last {
            estimates.remove(table);
        } else if let Some(left) = estimates.get_mut(table) {
            *left = left.saturating_sub(1).max(1);
        }
        Self::set(&self.chunks_left, estimates.values().sum());
    }

    pub(crate) fn reached(&self) -> Reached {
        self.reached.lock().clone()
    }

    pub(crate) fn set_outlook(&self, outlook: Option<Outlook>) {
        *self.outlook.lock() = outlook;
    }

    /// Returns the figures of a table.
    pub(crate) fn of(&self, table: &str) -> Vec<Figure> {
        let mut figures = Vec::with_capacity(12);
        let mut tell = |name, help, value| {
            figures.push(Figure {
                name,
                help,
                table: table.to_owned(),
                value,
            });
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let flag = |flag: &AtomicBool| f64::from(u8::from(flag.load(Ordering::Relaxed)));
        tell(
            "millrace_mysql_snapshot_running",
            "1 while the snapshot is read, 0 when only the binary log is.",
            flag(&self.has_snapshot),
        );
        tell(
            "millrace_mysql_snapshot_chunks_total",
            "Chunks of the snapshot that were read and handed on.",
            read(&self.chunks),
        );
        tell(
            "millrace_mysql_snapshot_chunks_left",
            "About how many chunks are to be read, by the server's estimate of its tables' rows.",
            read(&self.chunks_left),
        );
        tell(
            "millrace_mysql_snapshot_tables_left",
            "Tables whose snapshot is not done.",
            read(&self.tables_left),
        );
        tell(
            "millrace_mysql_snapshot_rows_total",
            "Rows of the snapshot that were read and handed on.",
            read(&self.snapshot_rows),
        );
        tell(
            "millrace_mysql_binlog_events_total",
            "Events of the binary log that were read.",
            read(&self.events),
        );
        tell(
            "millrace_mysql_binlog_bytes_total",
            "Bytes of those events.",
            read(&self.event_bytes),
        );
        tell(
            "millrace_mysql_binlog_connected",
            "1 while there is a connection that the binary log comes over.",
            flag(&self.is_connected),
        );
        tell(
            "millrace_mysql_reconnects_total",
            "Connections of the binary log that were lost.",
            read(&self.reconnects),
        );
        tell(
            "millrace_mysql_retention_warnings_total",
            "Warnings that the binary log may be purged before it is read.",
            read(&self.retention_warnings),
        );
        let reached = self.reached();
        if reached.event_at > 0 || reached.is_idle {
            let delay = if reached.is_idle {
                0
            } else {
                reached.age(now())
            };
            tell(
                "millrace_mysql_binlog_delay_seconds",
                "Time since the last event that was read was written, 0 when the server has no more.",
                delay as f64,
            );
        }
        if let Some(outlook) = *self.outlook.lock() {
            tell(
                "millrace_mysql_binlog_behind_bytes",
                "Bytes of the binary log between what was read and its end.",
                outlook.bytes_behind as f64,
            );
            if let Some(seconds) = outlook.purge_in {
                tell(
                    "millrace_mysql_binlog_purge_seconds",
                    "Time until the server may purge what is read next, by its retention.",
                    seconds,
                );
            }
        }
        figures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(figures: &ReadFigures, name: &str) -> Option<f64> {
        let all = figures.of("t");
        all.iter()
            .find(|figure| figure.name == name)
            .map(|figure| figure.value)
    }

    #[test]
    fn delay_grows_unless_the_server_has_no_more() {
        let figures = ReadFigures::default();
        let delay = "millrace_mysql_binlog_delay_seconds";
        assert_eq!(value(&figures, delay), None);
        let place = Place::new("b.000001", 4);
        figures.reach(&place, (now() - 100) as u32, false);
        assert!(value(&figures, delay).unwrap() >= 100.0);
        figures.reach(&place, (now() - 100) as u32, true);
        assert_eq!(value(&figures, delay), Some(0.0));
        // What comes then has been there since then, at most.
        figures.reach(&place, (now() - 100) as u32, false);
        assert!(value(&figures, delay).unwrap() < 50.0);
    }

    #[test]
    fn names_follow_the_rule() {
        for figure in ReadFigures::default().of("t") {
            assert!(figure.name.starts_with("millrace_mysql_"));
            assert_eq!(figure.table, "t");
        }
    }
}
