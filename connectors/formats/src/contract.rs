//! What connectors and formats say to each other.

use std::ops::Range;

use arrow_array::ArrayRef;
use arrow_buffer::Buffer;
use millrace_connector::RowKind;
use thiserror::Error;

/// A batch of messages that lie in one shared buffer.
#[derive(Clone, Copy, Debug)]
pub struct Payloads<'a> {
    /// The bytes of all messages, at most `u32::MAX` of them. Decoded strings may point into it, which keeps
    /// it alive as long as they are.
    pub buffer: &'a Buffer,
    /// Where each message lies in it; `None` is a message without a value (a tombstone).
    pub ranges: &'a [Option<Range<u32>>],
}

impl<'a> Payloads<'a> {
    /// Returns the bytes of a message; `None` for one without a value.
    #[must_use]
    pub fn get(&self, message: usize) -> Option<&'a [u8]> {
        let range = self.ranges[message].as_ref()?;
        Some(&self.buffer.as_slice()[range.start as usize..range.end as usize])
    }
}

/// The rows of a batch of messages.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The wanted columns in the wanted order, then the wanted metadata, all of [`Decoded::rows`] rows.
    pub columns: Vec<ArrayRef>,
    /// How many rows there are.
    pub rows: usize,
    /// The message each row came from, ascending; `None`: row `i` came from message `i`.
    pub message_of_row: Option<Vec<u32>>,
    /// The kind of each row; `None`: all are inserts.
    pub kinds: Option<Vec<RowKind>>,
    /// Messages that the format's own rules drop silently because they cannot be read (`ignore-parse-errors`).
    /// Tombstones and messages that stand for no row are not counted.
    pub skipped: u64,
    /// Why the first of them was dropped.
    pub skip_reason: Option<DecodeError>,
    /// Messages that failed and were left out, ascending; only with [`BadMessages::Collect`].
    pub bad: Vec<BadMessage>,
}

/// What [`Decoder::decode`] does with a message that fails where Flink would fail the job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadMessages {
    /// Fails the batch, as Flink does.
    #[default]
    Fail,
    /// Leaves it out and lists it in [`Decoded::bad`].
    Collect,
}

/// A message that could not be decoded.
pub type BadMessage = DecodeError;

/// A message that could not be decoded, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct DecodeError {
    /// Index of the message in its batch.
    pub message: usize,
    /// Index into the schema of the column at fault, where one is.
    pub column: Option<usize>,
    /// The cause, in Flink's words where it has some.
    pub reason: String,
}

/// A row that could not be encoded, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct EncodeError {
    /// Index of the row in its batch.
    pub row: usize,
    /// The cause, in Flink's words where it has some.
    pub reason: String,
}

/// Turns messages into rows. One instance serves one table on one lane and may remember what it saw.
pub trait Decoder: Send {
    /// Decodes a batch of messages to the wanted columns.
    ///
    /// # Errors
    /// The first message that fails, by its index. Nothing of the batch is kept then, and the decoder can go on
    /// with another batch. With [`BadMessages::Collect`] it never fails.
    fn decode(&mut self, payloads: &Payloads<'_>) -> Result<Decoded, DecodeError>;
}

/// Encoded rows, one after the other.
#[derive(Clone, Debug, Default)]
pub struct EncodedBatch {
    /// The bytes of all rows.
    pub bytes: Vec<u8>,
    /// Where each row ends in `bytes`; it begins where the one before it ends.
    pub ends: Vec<usize>,
    /// Indexes of the rows that are messages without a value, ascending; their bytes mean nothing.
    pub null_rows: Vec<u32>,
}

impl EncodedBatch {
    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.null_rows.clear();
    }

    /// Returns how many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Tells whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the bytes of a row; empty for a message without a value too.
    #[must_use]
    pub fn row(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// Tells whether a row is a message without a value.
    #[must_use]
    pub fn is_null(&self, row: usize) -> bool {
        u32::try_from(row).is_ok_and(|row| self.null_rows.binary_search(&row).is_ok())
    }

    /// Returns the rows in order, `None` for a message without a value.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let mut nulls = self.null_rows.iter().peekable();
        (0..self.ends.len()).map(move |row| {
            if nulls.next_if(|null| **null as usize == row).is_some() {
                None
            } else {
                Some(self.row(row))
            }
        })
    }

    /// Makes the rows that `is_null` picks messages without a value.
    pub fn without_values(&mut self, is_null: impl Fn(usize) -> bool) {
        self.null_rows = (0..self.ends.len())
            .filter(|row| is_null(*row))
            .map(|row| u32::try_from(row).expect("a batch has fewer rows than that"))
            .collect();
    }

    /// Ends the row whose bytes were appended last.
    pub(crate) fn end_row(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// Turns rows into messages, one message a row. One instance serves one table on one lane.
pub trait Encoder: Send {
    /// Appends the rows of a batch to `out`. `columns` are all columns of the schema, of equal length; `kinds`
    /// has a kind for each row, or is `None` where all are inserts.
    ///
    /// # Errors
    /// The first row that fails; `out` is then of no use.
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        kinds: Option<&[RowKind]>,
        out: &mut EncodedBatch,
    ) -> Result<(), EncodeError>;
}

/// What decoding and encoding may depend on besides the format's options.
#[derive(Clone, Debug)]
pub struct FormatContext {
    /// `table.local-time-zone`.
    pub session_tz: jiff::tz::TimeZone,
    /// What a decoder does with a message that fails.
    pub bad_messages: BadMessages,
    /// The keys of the metadata whose values a decoder gives behind the wanted columns, in this order: some of
    /// [`crate::FormatDef::metadata`].
    pub metadata: Vec<&'static str>,
}

impl Default for FormatContext {
    fn default() -> Self {
        Self {
            session_tz: jiff::tz::TimeZone::UTC,
            bad_messages: BadMessages::Fail,
            metadata: Vec::new(),
        }
    }
}

/// Why a format cannot be made for a table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// No format has that name.
    #[error("there is no format '{given}'")]
    UnknownFormat {
        /// What was written.
        given: String,
        /// A name that looks like it.
        did_you_mean: Option<String>,
    },
    /// The format has no such option.
    #[error("'{key}' is not an option of the format '{format}'")]
    UnknownOption {
        /// The format.
        format: &'static str,
        /// What was written.
        key: String,
        /// An option that looks like it.
        did_you_mean: Option<String>,
    },
    /// An option's value is not one that it takes.
    #[error("{message}")]
    OptionValue {
        /// The option.
        key: String,
        /// What is wrong, in Flink's words where it has some.
        message: String,
    },
    /// The format cannot hold a column of this type.
    #[error("{message}")]
    UnsupportedType {
        /// Index of the column in the schema.
        column: usize,
        /// What is wrong, in Flink's words where it has some.
        message: String,
    },
    /// The format cannot hold this table.
    #[error("{message}")]
    UnsupportedSchema {
        /// What is wrong, in Flink's words where it has some.
        message: String,
    },
    /// The format reads but does not write, or the other way round.
    #[error("the format '{format}' cannot be used to {what}")]
    UnsupportedDirection {
        /// The format.
        format: &'static str,
        /// `read` or `write`.
        what: &'static str,
    },
}
