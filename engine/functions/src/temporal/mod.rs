//! The temporal functions.

mod arguments;
mod calendar;
mod compiled;
mod formatter;
mod hybrid_calendar;
mod java_zone;
mod legacy_text;
mod moments;
mod names;
mod plain_text;
mod simple_format;
mod unit;
mod zone_names;

mod clock;
mod convert_tz;
mod date_difference;
mod date_format;
mod extract;
mod round_to;
mod timestamp_add;
mod timestamp_diff;
mod to_date;
mod to_timestamp;
mod to_timestamp_ltz;
mod unix_time;

use crate::FunctionDef;

/// The functions of this group.
pub(crate) static FUNCTIONS: &[&FunctionDef] = &[
    &round_to::CEIL_TO,
    &convert_tz::CONVERT_TZ,
    &clock::CURRENT_DATE,
    &clock::CURRENT_ROW_TIMESTAMP,
    &clock::CURRENT_TIME,
    &clock::CURRENT_TIMESTAMP,
    &clock::CURRENT_WATERMARK,
    &date_format::DATE_FORMAT,
    &extract::DAYOFMONTH,
    &extract::DAYOFWEEK,
    &extract::DAYOFYEAR,
    &extract::EXTRACT,
    &round_to::FLOOR_TO,
    &unix_time::FROM_UNIXTIME,
    &extract::HOUR,
    &clock::LOCALTIME,
    &clock::LOCALTIMESTAMP,
    &extract::MINUTE,
    &extract::MONTH,
    &clock::NOW,
    &clock::PROCTIME,
    &extract::QUARTER,
    &extract::SECOND,
    &clock::SOURCE_WATERMARK,
    &date_difference::MINUS_DATE,
    &timestamp_add::TIMESTAMPADD,
    &timestamp_diff::TIMESTAMPDIFF,
    &to_date::TO_DATE,
    &to_timestamp::TO_TIMESTAMP,
    &to_timestamp_ltz::TO_TIMESTAMP_LTZ,
    &unix_time::UNIX_TIMESTAMP,
    &extract::WEEK,
    &extract::YEAR,
];
