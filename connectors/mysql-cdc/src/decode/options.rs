//! What the table's options say about values.

use jiff::tz::TimeZone;

/// How values become Flink's.
#[derive(Clone, Debug)]
pub struct ValueOptions {
    /// `server-time-zone`.
    pub server_time_zone: TimeZone,
    /// `debezium.enable.time.adjuster`: years 0 to 69 are 2000 to 2069, 70 to 99 are 1970 to 1999.
    pub adjusts_years: bool,
    /// `use.legacy.json.format`: JSON without blanks.
    pub compact_json: bool,
    /// `debezium.decimal.handling.mode`.
    pub decimals: DecimalMode,
    /// `debezium.bigint.unsigned.handling.mode` is `long`: numbers over 2^63-1 wrap.
    pub wraps_unsigned_bigint: bool,
    /// `debezium.time.precision.mode`.
    pub times: TimeMode,
    /// `millrace.timestamp-ltz-instant`: a TIMESTAMP_LTZ is the instant itself, not the server's wall clock.
    pub ltz_is_instant: bool,
}

impl Default for ValueOptions {
    fn default() -> Self {
        Self {
            server_time_zone: TimeZone::UTC,
            adjusts_years: true,
            compact_json: true,
            decimals: DecimalMode::Precise,
            wraps_unsigned_bigint: false,
            times: TimeMode::AdaptiveTimeMicroseconds,
            ltz_is_instant: false,
        }
    }
}

/// What a DECIMAL is on its way to the declared type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalMode {
    /// Itself.
    Precise,
    /// A DOUBLE.
    Double,
    /// Its text without exponent.
    Text,
}

/// What a TIME or DATETIME is when it is declared STRING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeMode {
    /// TIME in microseconds; DATETIME in milliseconds up to three digits, else in microseconds.
    AdaptiveTimeMicroseconds,
    /// Both in milliseconds up to three digits, else in microseconds.
    Adaptive,
    /// Both in milliseconds.
    Connect,
}
