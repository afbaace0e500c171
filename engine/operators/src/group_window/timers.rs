//! When windows are to be looked at. A timer whose window is gone or has grown is passed over by who takes it.

use std::collections::BTreeSet;

/// Timers of windows, by their group.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Ends of windows and of their lateness: in event time, or in processing time for windows of that.
    times: BTreeSet<(i64, u32)>,
    /// Delays of early and late firings, in processing time.
    firings: BTreeSet<(i64, u32)>,
}

impl Timers {
    pub(super) fn set_time(&mut self, time_ms: i64, group: u32) {
        self.times.insert((time_ms, group));
    }

    pub(super) fn set_firing(&mut self, time_ms: i64, group: u32) {
        self.firings.insert((time_ms, group));
    }

    /// Takes the first timer up to a time.
    pub(super) fn take_time(&mut self, time_ms: i64) -> Option<(i64, u32)> {
        take(&mut self.times, time_ms)
    }

    /// Takes the first firing up to a time.
    pub(super) fn take_firing(&mut self, now_ms: i64) -> Option<(i64, u32)> {
        take(&mut self.firings, now_ms)
    }

    pub(super) fn next_time(&self) -> Option<i64> {
        self.times.first().map(|(time_ms, _)| *time_ms)
    }

    pub(super) fn next_firing(&self) -> Option<i64> {
        self.firings.first().map(|(time_ms, _)| *time_ms)
    }
}

fn take(timers: &mut BTreeSet<(i64, u32)>, time_ms: i64) -> Option<(i64, u32)> {
    let first = timers.first()?;
    if first.0 > time_ms {
        return None;
    }
    timers.pop_first()
}
