//! JSON as Jackson reads and writes it, without building trees: a validating scanner over bytes, escapes, numbers
//! and times in Java's spelling, and a flat tape for what needs the whole document.
//!
//! It knows bytes only: no Arrow, no Flink type. Start from [`Scanner`] (one pass, spans instead of values),
//! [`Tape`] (the document as an array of nodes) and [`write_canonical`] (a document as Jackson's `toString`
//! writes it).

mod append;
mod canonical;
mod error;
mod escape;
pub mod java_decimal;
mod java_digit;
mod java_double;
pub mod java_time;
mod java_utf8;
mod number;
mod scanner;
mod swar;
mod tape;

pub use append::{Piece, push_integer};
pub use canonical::{write_canonical, write_canonical_exact};
pub use error::{Fault, JsonError};
pub use escape::{
    unescape, unescaped, write_escaped, write_escaped_utf8_bytes, write_escaped_word,
};
pub use java_digit::ascii_digits;
pub use java_double::{double_to_string, float_to_string, write_double, write_float};
pub use java_utf8::decode_utf8;
pub use number::{Number, push_double, push_float, push_number};
pub use scanner::{ESCAPED, Kind, REWRITE, Scanner, Scratch, Span};
pub use swar::key_hash;
pub use tape::{Node, Tape};
