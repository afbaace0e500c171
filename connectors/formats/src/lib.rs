//! Bytes to Arrow columns and back, in Flink's formats: `json`, `csv`, `raw`, `debezium-json`, `canal-json`,
//! `maxwell-json` and `ogg-json`.
//!
//! It knows bytes, Flink's types and Arrow; it knows no connector, no SQL and no engine. Start from
//! [`formats`] (what exists), [`create_decoder`] and [`create_encoder`]; a connector then calls
//! [`Decoder::decode`] for each batch of messages and [`Encoder::encode`] for each batch of rows.

mod cdc;
mod contract;
mod csv;
mod hex_float;
mod java_number;
mod json;
mod raw;
mod registry;
mod strings;

pub use contract::{
    BadMessage, BadMessages, DecodeError, Decoded, Decoder, EncodeError, EncodedBatch, Encoder,
    FormatContext, FormatError, Payloads,
};
pub use registry::{FormatDef, create_decoder, create_encoder, format, formats};
