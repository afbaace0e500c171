//! The `json` format.
//!
//! # Flink
//! `JsonRowDataDeserializationSchema`, `JsonToRowDataConverters` and `RowDataToJsonConverters`, 1.17.

mod cells;
mod columns;
mod convert;
mod decoder;
mod document;
mod encoder;
mod nested;
mod options;
mod write;

pub(crate) use cells::Cell;
pub(crate) use columns::{
    ColumnBuilder, ReadOptions, Source, append_nullable, column_builder, has_exact_numbers,
    primitive, unsupported_type,
};
pub(crate) use convert::class_cast;
pub(crate) use decoder::make_decoder;
pub(crate) use document::{needs_repair, repair_batch};
pub(crate) use encoder::{field_writers, make_encoder};
pub(crate) use options::{
    IGNORE_PARSE_ERRORS, NULL_KEY_LITERAL, NULL_KEY_MODE, OPTIONS, PLAIN_DECIMAL, TIMESTAMP_FORMAT,
    TimestampFormat, check_names, encode_options, timestamp_format,
};
pub(crate) use write::{RowWriter, ValueWriter};
