//! Which windows a time falls into.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::Watermark;

/// The windows of a table function; all lengths in milliseconds.
///
/// # Flink
/// `TumblingWindowAssigner`, `SlidingWindowAssigner`, `CumulativeWindowAssigner`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowAssigner {
    /// `TUMBLE`.
    Tumble {
        /// A window's length.
        size_ms: i64,
        /// The start of a window relative to the epoch.
        offset_ms: i64,
    },
    /// `HOP`.
    Hop {
        /// A window's length.
        size_ms: i64,
        /// The time between two windows' starts.
        slide_ms: i64,
        /// The start of a window relative to the epoch.
        offset_ms: i64,
    },
    /// `CUMULATE`.
    Cumulate {
        /// The length of the longest window.
        size_ms: i64,
        /// How much each window is longer than the one before.
        step_ms: i64,
        /// The start of a window relative to the epoch.
        offset_ms: i64,
    },
}

/// A window: start and end in milliseconds of wall-clock time, the end not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first millisecond.
    pub start_ms: i64,
    /// The first millisecond behind it.
    pub end_ms: i64,
}

impl WindowAssigner {
    /// Adds the windows of a time in Flink's order: of HOP the latest first, of CUMULATE the shortest.
    pub fn assign(&self, time_ms: i64, windows: &mut Vec<Window>) {
        match *self {
            Self::Tumble { size_ms, offset_ms } => {
                let start_ms = window_start(time_ms, offset_ms, size_ms);
                windows.push(Window {
                    start_ms,
                    end_ms: start_ms + size_ms,
                });
            }
            Self::Hop {
                size_ms,
                slide_ms,
                offset_ms,
            } => {
                let mut start_ms = window_start(time_ms, offset_ms, slide_ms);
                while start_ms > time_ms - size_ms {
                    windows.push(Window {
                        start_ms,
                        end_ms: start_ms + size_ms,
                    });
                    start_ms -= slide_ms;
                }
            }
            Self::Cumulate {
                size_ms,
                step_ms,
                offset_ms,
            } => {
                let start_ms = window_start(time_ms, offset_ms, size_ms);
                let last_ms = start_ms + size_ms;
                let mut end_ms = window_start(time_ms, offset_ms, step_ms) + step_ms;
                while end_ms <= last_ms {
                    windows.push(Window { start_ms, end_ms });
                    end_ms += step_ms;
                }
            }
        }
    }
}

/// Returns the start of the window of `size_ms` that a time falls into.
///
/// # Flink
/// `TimeWindow.getWindowStartWithOffset`.
#[must_use]
pub fn window_start(time_ms: i64, offset_ms: i64, size_ms: i64) -> i64 {
    time_ms - (time_ms - offset_ms).rem_euclid(size_ms)
}

/// Returns an instant as wall-clock time of a zone; without a zone the time is one already.
///
/// # Flink
/// `TimeWindowUtil.toUtcTimestampMills`.
#[must_use]
pub fn wall_ms(instant_ms: i64, zone: Option<&TimeZone>) -> i64 {
    let (Some(zone), Ok(instant)) = (zone, Timestamp::from_millisecond(instant_ms)) else {
        return instant_ms;
    };
    instant_ms + i64::from(zone.to_offset(instant).seconds()) * 1_000
}

/// Returns the instant of a wall-clock time; where the clock was put forward the time moves with it, where it was put
/// back the first of both counts.
///
/// # Flink
/// `TimeWindowUtil.toEpochMills`.
#[must_use]
pub fn instant_ms(wall_ms: i64, zone: Option<&TimeZone>) -> i64 {
    let (Some(zone), Ok(wall)) = (zone, Timestamp::from_millisecond(wall_ms)) else {
        return wall_ms;
    };
    let wall: DateTime = TimeZone::UTC.to_datetime(wall);
    let instant = zone.to_ambiguous_timestamp(wall).compatible();
    instant.map_or(wall_ms, Timestamp::as_millisecond)
}

/// Returns the watermark at which a window's last millisecond, a wall-clock time, has passed: where the clock is put back
/// the later of both instants, where it is put forward the hour of the change.
///
/// # Flink
/// `TimeWindowUtil.toEpochMillsForTimer`.
#[must_use]
pub fn timer_ms(wall_ms: i64, zone: Option<&TimeZone>) -> i64 {
    const HOUR_MS: i64 = 3_600_000;
    if zone.is_none() {
        return wall_ms;
    }
    let first = instant_ms(wall_ms, zone);
    let second = instant_ms(wall_ms.saturating_add(HOUR_MS), zone);
    match second - first {
        0 => first - first % HOUR_MS,
        distance if distance > HOUR_MS => second - HOUR_MS,
        _ => first,
    }
}

/// Tells whether the watermark has passed a window's end, a wall-clock time: rows of it are late.
///
/// # Flink
/// `TimeWindowUtil.isWindowFired`.
#[must_use]
pub fn is_window_over(end_ms: i64, watermark: Watermark, zone: Option<&TimeZone>) -> bool {
    end_ms != i64::MAX && watermark.0 >= timer_ms(end_ms - 1, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(assigner: WindowAssigner, time_ms: i64) -> Vec<(i64, i64)> {
        let mut windows = Vec::new();
        assigner.assign(time_ms, &mut windows);
        let pairs = windows.iter();
        pairs
            .map(|window| (window.start_ms, window.end_ms))
            .collect()
    }

    #[test]
    fn windows_come_in_flinks_order() {
        let tumble = WindowAssigner::Tumble {
            size_ms: 10,
            offset_ms: 3,
        };
        assert_eq!(windows(tumble, 12), [(3, 13)]);
        assert_eq!(windows(tumble, -8), [(-17, -7)]);
        let hop = WindowAssigner::Hop {
            size_ms: 10,
            slide_ms: 5,
            offset_ms: 0,
        };
        assert_eq!(windows(hop, 12), [(10, 20), (5, 15)]);
        let gaps = WindowAssigner::Hop {
            size_ms: 5,
            slide_ms: 10,
            offset_ms: 0,
        };
        assert_eq!(windows(gaps, 7), []);
        let cumulate = WindowAssigner::Cumulate {
            size_ms: 15,
            step_ms: 5,
            offset_ms: 0,
        };
        assert_eq!(windows(cumulate, 7), [(0, 10), (0, 15)]);
    }

    #[test]
    fn zones_shift_instants_and_back() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let summer = 1_719_784_800_000;
        assert_eq!(wall_ms(summer, Some(&zone)), summer + 7_200_000);
        assert_eq!(instant_ms(summer + 7_200_000, Some(&zone)), summer);
        assert_eq!(wall_ms(summer, None), summer);
        // 02:30 on the day when the clock was put forward: 03:30 then.
        let gap = 1_711_852_200_000;
        assert_eq!(instant_ms(gap, Some(&zone)), gap - 3_600_000);
        // 02:30 twice on the day when it was put back: a window's timer waits for the second.
        let twice = 1_729_996_200_000;
        assert_eq!(instant_ms(twice, Some(&zone)), twice - 7_200_000);
        assert_eq!(timer_ms(twice, Some(&zone)), twice - 3_600_000);
    }
}
