//! The `csv` format.
//!
//! # Flink
//! `CsvRowDataDeserializationSchema`, `CsvToRowDataConverters` and `RowDataToCsvConverters`, 1.17, over Jackson's CSV:
//! a message is its first record; what is longer than 24 characters or has a character below the delimiter is quoted.

mod columns;
mod decoder;
mod encoder;
mod options;
mod record;

pub(crate) use decoder::make_decoder;
pub(crate) use encoder::make_encoder;
pub(crate) use options::OPTIONS;
