//! How far time has come for an operator, kept in checkpoints: what was given out once must not be given out again.

use millrace_state::{Change, StateError, StateWriter, TableId};

use crate::stored::{corrupt, put_i64, take_i64};

/// The table of the one entry, which belongs to no key.
pub(crate) const PROGRESS_TABLE: TableId = TableId(u8::MAX);

/// The time up to which an operator has given out its results, milliseconds since the epoch.
#[derive(Debug)]
pub(crate) struct Progress {
    time_ms: i64,
    is_changed: bool,
    /// Whether a checkpoint gave it.
    is_restored: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self {
            time_ms: i64::MIN,
            is_changed: false,
            is_restored: false,
        }
    }

    pub(crate) fn time_ms(&self) -> i64 {
        self.time_ms
    }

    pub(crate) fn advance(&mut self, time_ms: i64) {
        if time_ms > self.time_ms {
            self.time_ms = time_ms;
            self.is_changed = true;
        }
    }

    pub(crate) fn write(&mut self, writer: &mut dyn StateWriter) {
        if std::mem::take(&mut self.is_changed) {
            let mut value = Vec::new();
            put_i64(&mut value, self.time_ms);
            writer.write(Change {
                table: PROGRESS_TABLE,
                partition: &[],
                key: &[],
                value: Some(&value),
            });
        }
    }

    /// Takes the entry back; of several the least counts, as in Flink.
    pub(crate) fn restore(&mut self, mut value: &[u8]) -> Result<(), StateError> {
        let time_ms = take_i64(&mut value).ok_or_else(|| corrupt("a time"))?;
        self.time_ms = if self.is_restored {
            self.time_ms.min(time_ms)
        } else {
            time_ms
        };
        self.is_restored = true;
        Ok(())
    }
}
