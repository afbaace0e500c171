//! The temporal functions.

mod arguments;
mod compiled;
mod hybrid_calendar;
mod java_zone;
mod names;
mod plain_text;
mod simple_format;
mod unit;

mod clock;
mod convert_tz;
mod to_date;
mod to_timestamp;
mod to_timestamp_ltz;
mod unix_time;

use crate::FunctionDef;

/// The functions of this group.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[
    &convert_tz::CONVERT_TZ,
    &clock::CURRENT_DATE,
    &clock::CURRENT_ROW_TIMESTAMP,
    &clock::CURRENT_TIME,
    &clock::CURRENT_TIMESTAMP,
    &clock::CURRENT_WATERMARK,
    &unix_time::FROM_UNIXTIME,
    &clock::LOCALTIME,
    &clock::LOCALTIMESTAMP,
    &clock::NOW,
    &clock::PROCTIME,
    &clock::SOURCE_WATERMARK,
    &to_date::TO_DATE,
    &to_timestamp::TO_TIMESTAMP,
    &to_timestamp_ltz::TO_TIMESTAMP_LTZ,
    &unix_time::UNIX_TIMESTAMP,
];
