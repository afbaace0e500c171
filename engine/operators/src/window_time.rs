//! The times of windows as columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, TimestampMicrosecondArray};
use jiff::tz::TimeZone;

use crate::instant_ms;

/// A column that a window has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowProperty {
    /// `window_start`, TUMBLE_START …: TIMESTAMP(3), wall clock.
    Start,
    /// `window_end`, TUMBLE_END …: TIMESTAMP(3), wall clock.
    End,
    /// `window_time`, TUMBLE_ROWTIME …: the last millisecond, of the rowtime's type.
    Time,
}

impl WindowProperty {
    /// Returns the column for so many rows of one window.
    pub(crate) fn column(
        self,
        (start_ms, end_ms): (i64, i64),
        zone: Option<&TimeZone>,
        rows: usize,
    ) -> ArrayRef {
        let time_ms = self.time_ms(start_ms, end_ms, zone);
        Arc::new(TimestampMicrosecondArray::from_value(time_ms * 1_000, rows))
    }

    /// Returns its value, milliseconds since the epoch.
    pub(crate) fn time_ms(self, start_ms: i64, end_ms: i64, zone: Option<&TimeZone>) -> i64 {
        match self {
            Self::Start => start_ms,
            Self::End => end_ms,
            Self::Time => instant_ms(end_ms - 1, zone),
        }
    }
}
