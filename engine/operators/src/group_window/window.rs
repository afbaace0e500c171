//! What a window remembers beside its aggregates.

use crate::Window;
use crate::stored::{put_bytes, put_i64, take_bytes, take_i64};

/// The state of a window.
#[derive(Debug)]
pub(super) struct WindowState {
    /// Its times; those of a session grow.
    pub(super) window: Window,
    pub(super) is_used: bool,
    /// How many rows it has.
    pub(super) count: i64,
    /// Whether it went out at its end.
    pub(super) has_fired: bool,
    /// The results that went out last, where updates are made.
    pub(super) previous: Option<Box<[u8]>>,
    /// When it goes out the next time before or after its end.
    pub(super) next_fire_ms: Option<i64>,
    /// The end for which timers are set, and the instant at which the window is complete then.
    pub(super) timed_end_ms: Option<i64>,
    pub(super) complete_ms: i64,
}

impl Default for WindowState {
    fn default() -> Self {
        Self {
            window: Window {
                start_ms: 0,
                end_ms: 0,
            },
            is_used: false,
            count: 0,
            has_fired: false,
            previous: None,
            next_fire_ms: None,
            timed_end_ms: None,
            complete_ms: 0,
        }
    }
}

const FIRED: u8 = 1;
const PREVIOUS: u8 = 2;
const NEXT_FIRE: u8 = 4;

impl WindowState {
    pub(super) fn new(window: Window) -> Self {
        Self {
            window,
            is_used: true,
            ..Self::default()
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put_i64(out, self.window.start_ms);
        put_i64(out, self.window.end_ms);
        put_i64(out, self.count);
        let mut flags = if self.has_fired { FIRED } else { 0 };
        flags |= if self.previous.is_some() { PREVIOUS } else { 0 };
        flags |= if self.next_fire_ms.is_some() {
            NEXT_FIRE
        } else {
            0
        };
        out.push(flags);
        if let Some(previous) = &self.previous {
            put_bytes(out, previous);
        }
        if let Some(next_fire_ms) = self.next_fire_ms {
            put_i64(out, next_fire_ms);
        }
    }

    /// Takes a state off the front of `bytes`.
    pub(super) fn read(bytes: &mut &[u8]) -> Option<Self> {
        let window = Window {
            start_ms: take_i64(bytes)?,
            end_ms: take_i64(bytes)?,
        };
        let count = take_i64(bytes)?;
        let (flags, rest) = bytes.split_first()?;
        *bytes = rest;
        let previous = if flags & PREVIOUS == 0 {
            None
        } else {
            Some(take_bytes(bytes)?.into())
        };
        let next_fire_ms = if flags & NEXT_FIRE == 0 {
            None
        } else {
            Some(take_i64(bytes)?)
        };
        Some(Self {
            window,
            is_used: true,
            count,
            has_fired: flags & FIRED != 0,
            previous,
            next_fire_ms,
            ..Self::default()
        })
    }
}
