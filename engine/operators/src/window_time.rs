//! The times of windows as instants and as columns.

use std::sync::Arc;

use arrow_array::{ArrayRef, TimestampMicrosecondArray};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

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

const HOUR_MS: i64 = 3_600_000;

/// Returns the instant at which a wall-clock time is over: of two instants that it names the later one, and where the
/// clock is put forward over it the moment of that.
///
/// # Flink
/// `TimeWindowUtil.toEpochMillsForTimer`, 1.17, which takes every change of the clock for one hour.
pub(crate) fn timer_ms(wall_ms: i64, zone: Option<&TimeZone>) -> i64 {
    let (Some(zone), Ok(wall)) = (zone, Timestamp::from_millisecond(wall_ms)) else {
        return wall_ms;
    };
    let wall: DateTime = TimeZone::UTC.to_datetime(wall);
    let instant = |wall: DateTime| {
        let instant = zone.to_ambiguous_timestamp(wall).compatible();
        instant.map_or(wall_ms, Timestamp::as_millisecond)
    };
    let first = instant(wall);
    let Ok(later) = wall.checked_add(Span::new().hours(1)) else {
        return first;
    };
    let second = instant(later);
    if second - first > HOUR_MS {
        second - HOUR_MS
    } else if second == first {
        first - first.rem_euclid(HOUR_MS)
    } else {
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_time_that_comes_twice_is_over_the_second_time() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let at = |text: &str| {
            let wall: DateTime = text.parse().unwrap();
            let wall = TimeZone::UTC.to_timestamp(wall).unwrap().as_millisecond();
            Timestamp::from_millisecond(timer_ms(wall, Some(&zone)))
                .unwrap()
                .to_string()
        };
        assert_eq!(at("2024-11-03T01:30:00"), "2024-11-03T06:30:00Z");
        assert_eq!(at("2024-11-03T00:30:00"), "2024-11-03T04:30:00Z");
        assert_eq!(at("2024-03-10T02:30:00"), "2024-03-10T07:00:00Z");
        assert_eq!(at("2024-03-10T03:30:00"), "2024-03-10T07:30:00Z");
    }
}
