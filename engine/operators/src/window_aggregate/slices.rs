//! The slices of windows; all times are milliseconds of wall-clock time.

use crate::{WindowAssigner, window_start};

/// How time is cut.
///
/// # Flink
/// `SliceAssigners`, 1.17.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slices {
    assigner: WindowAssigner,
    /// Whether each row has its window already, which then is its slice.
    is_attached: bool,
}

impl Slices {
    pub(super) fn new(assigner: WindowAssigner, is_attached: bool) -> Self {
        Self {
            assigner,
            is_attached,
        }
    }

    /// Returns the end of the slice that a time falls into.
    pub(super) fn slice_end(&self, time_ms: i64) -> i64 {
        let (length, offset) = match self.assigner {
            WindowAssigner::Tumble { size_ms, offset_ms } => (size_ms, offset_ms),
            WindowAssigner::Hop {
                slide_ms,
                offset_ms,
                ..
            } => (slide_ms, offset_ms),
            WindowAssigner::Cumulate {
                step_ms, offset_ms, ..
            } => (step_ms, offset_ms),
        };
        window_start(time_ms, offset, length) + length
    }

    /// Tells whether a window has several slices.
    pub(super) fn is_shared(&self) -> bool {
        !self.is_attached && !matches!(self.assigner, WindowAssigner::Tumble { .. })
    }

    /// Returns the time between the ends of two windows.
    pub(super) fn interval_ms(&self) -> i64 {
        match self.assigner {
            WindowAssigner::Tumble { size_ms, .. } => size_ms,
            WindowAssigner::Hop { slide_ms, .. } => slide_ms,
            WindowAssigner::Cumulate { step_ms, .. } => step_ms,
        }
    }

    /// Returns the end of the last window of a slice.
    pub(super) fn last_end(&self, slice_end: i64) -> i64 {
        match self.assigner {
            _ if self.is_attached => slice_end,
            WindowAssigner::Tumble { .. } => slice_end,
            WindowAssigner::Hop {
                size_ms, slide_ms, ..
            } => slice_end - slide_ms + size_ms,
            WindowAssigner::Cumulate { size_ms, .. } => self.window_start(slice_end) + size_ms,
        }
    }

    /// Returns the start of the window with an end.
    pub(super) fn window_start(&self, end: i64) -> i64 {
        match self.assigner {
            WindowAssigner::Tumble { size_ms, .. } | WindowAssigner::Hop { size_ms, .. } => {
                end - size_ms
            }
            WindowAssigner::Cumulate {
                size_ms, offset_ms, ..
            } => window_start(end - 1, offset_ms, size_ms),
        }
    }

    /// Returns the slice that those of a window that grows are merged into, as far as they are complete.
    pub(super) fn cumulates_into(&self, end: i64) -> Option<i64> {
        match self.assigner {
            WindowAssigner::Cumulate { step_ms, .. } if !self.is_attached => {
                Some(self.window_start(end) + step_ms)
            }
            _ => None,
        }
    }

    /// Returns the slice that takes rows of a slice some of whose windows are out.
    pub(super) fn late_target(&self, slice_end: i64) -> i64 {
        self.cumulates_into(slice_end).unwrap_or(slice_end)
    }
}
