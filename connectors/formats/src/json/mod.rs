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

pub(crate) use decoder::make_decoder;
pub(crate) use encoder::make_encoder;
pub(crate) use options::OPTIONS;
