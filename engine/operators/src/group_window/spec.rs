//! What a group window is told.

use arrow_schema::DataType;
use jiff::tz::TimeZone;

use crate::WindowAssigner;
use crate::aggregates::AggregateSpec;
use crate::window_time::WindowProperty;

/// What a [`GroupWindow`](super::GroupWindow) does.
#[derive(Clone, Debug)]
pub struct GroupWindowSpec {
    /// The input's columns that are the key; none = one group a window.
    pub keys: Vec<usize>,
    /// The Arrow types of the keys.
    pub key_types: Vec<DataType>,
    /// The calls.
    pub aggregates: Vec<AggregateSpec>,
    /// The Arrow types of their results.
    pub result_types: Vec<DataType>,
    /// The rowtime column; `None` = processing time.
    pub rowtime: Option<usize>,
    /// The session's zone where the time is TIMESTAMP_LTZ or processing time; `None` for TIMESTAMP.
    pub zone: Option<TimeZone>,
    /// The windows.
    pub windows: GroupWindows,
    /// The window's columns. The output has the keys, a column a call, then these.
    pub properties: Vec<WindowProperty>,
    /// Whether the input has `-U` or `-D`.
    pub retract: bool,
    /// When windows go out.
    pub emit: WindowEmit,
}

/// How rows fall into group windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupWindows {
    /// TUMBLE or HOP.
    Fixed(WindowAssigner),
    /// SESSION.
    Session {
        /// How long no row may come until the session is over.
        gap_ms: i64,
    },
}

/// When windows go out beside their end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowEmit {
    /// `table.exec.emit.early-fire.*`.
    pub early: Option<Firing>,
    /// `table.exec.emit.late-fire.*`.
    pub late: Option<Firing>,
    /// `table.exec.emit.allow-lateness`.
    pub lateness_ms: i64,
    /// Whether a window that went out is updated; else each time gives `+I`.
    pub updates: bool,
    /// Whether `-U` goes out.
    pub update_before: bool,
}

/// How often a window goes out before its end, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firing {
    /// With each row: a delay of 0.
    EachRow,
    /// Each time so much processing time has passed since its first row.
    Every {
        /// The delay.
        ms: i64,
    },
}
