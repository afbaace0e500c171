//! Messages to columns: one scan a message, then one pass a column.

use std::ops::Range;

use arrow_array::BooleanArray;
use millrace_connector::FlinkType;
use millrace_json::{Fault, JsonError, Kind, Scanner, Scratch, Span, unescaped};

use super::cells::Cell;
use super::columns::{
    ColumnBuilder, ReadOptions, Source, column_builder, has_exact_numbers, unsupported_type,
};
use super::convert::class_cast;
use super::document::{KeyTable, needs_repair, repair_batch};
use super::nested::missing_field;
use super::options::{check_names, decode_options};
use crate::registry::{FormatOptions, Schema};
use crate::{BadMessages, DecodeError, Decoded, Decoder, FormatContext, FormatError, Payloads};

/// Makes a decoder of `json`.
pub(crate) fn make_decoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Result<Box<dyn Decoder>, FormatError> {
    check_names(schema)?;
    let mut read = decode_options(options, ctx)?;
    read.has_exact_numbers = has_exact_numbers(schema);
    // Every column's type must be one that the format has, wanted or not.
    for (column, (_, ty)) in schema.iter().enumerate() {
        column_builder(ty, &read).map_err(|message| unsupported_type(column, message))?;
    }
    Ok(Box::new(JsonDecoder::new(schema, wanted, read)?))
}

/// What the rows before looked like: most producers write the same keys in the same order, and many of the values
/// again and again.
#[derive(Debug, Default)]
struct Expected {
    /// The n-th entry of the row before.
    entries: Vec<ExpectedEntry>,
}

#[derive(Clone, Debug, Default)]
struct ExpectedEntry {
    /// The key with its quotes and colon.
    key: Vec<u8>,
    /// The column of that key.
    slot: Option<u16>,
    /// The value's text, a string's with its quotes; empty where it is not known.
    value: Vec<u8>,
    /// What the value is; places count from its start.
    span: Span,
    /// How many values in a row were others.
    misses: u32,
}

/// Entries of a row that are remembered; rows with more are scanned without memory from there on.
const ENTRIES_MAX: usize = 1024;
/// Values longer than this are not remembered.
const VALUE_BYTES_MAX: usize = 256;
/// After so many other values in a row, a value is no longer compared.
const MISSES_MAX: u32 = 4;
/// Values that are no longer compared get another chance after so many.
const MISSES_RETRY: u32 = 256;

impl ExpectedEntry {
    /// Steps over the value if it is the one of the row before.
    #[inline]
    fn skip_value(&self, scanner: &mut Scanner<'_, true>) -> Option<Span> {
        if self.misses >= MISSES_MAX || self.value.is_empty() {
            return None;
        }
        let start = scanner.position() as u32;
        scanner.skip_text(&self.value).then(|| Span {
            start: start + self.span.start,
            end: start + self.span.end,
            ..self.span
        })
    }

    /// Remembers a value. Numbers and words are not: they end only where something else begins.
    #[inline]
    fn note_value(&mut self, span: Span, bytes: &[u8]) {
        self.misses += 1;
        if self.misses >= MISSES_MAX {
            if self.misses >= MISSES_RETRY {
                self.misses = MISSES_MAX - 2;
            }
            return;
        }
        let quote = u32::from(span.kind == Kind::String);
        self.value.clear();
        let is_kept = matches!(span.kind, Kind::String | Kind::Array | Kind::Object)
            && (span.end - span.start) as usize <= VALUE_BYTES_MAX;
        if !is_kept {
            self.misses = MISSES_MAX;
            return;
        }
        let start = span.start - quote;
        self.value
            .extend_from_slice(&bytes[start as usize..(span.end + quote) as usize]);
        self.span = Span {
            start: span.start - start,
            end: span.end - start,
            ..span
        };
    }
}

impl Expected {
    /// Remembers a key.
    fn note_key(&mut self, ordinal: usize, key: &[u8], slot: Option<u16>) {
        if ordinal >= ENTRIES_MAX {
            return;
        }
        if self.entries.len() <= ordinal {
            self.entries.resize(ordinal + 1, ExpectedEntry::default());
        }
        let entry = &mut self.entries[ordinal];
        entry.key.clear();
        entry.key.push(b'"');
        entry.key.extend_from_slice(key);
        entry.key.extend_from_slice(b"\":");
        entry.slot = slot;
        entry.value.clear();
        entry.misses = 0;
    }
}

/// What a message stands for.
enum Outcome {
    /// A row, whose spans are noted.
    Row,
    /// Nothing, as Flink has it: no value, no document, or `null`.
    Nothing,
}

struct Column {
    name: String,
    /// Index in the schema.
    index: usize,
    is_text: bool,
    builder: Box<dyn ColumnBuilder>,
    spans: Vec<Span>,
}

/// The decoder of `json`.
pub(crate) struct JsonDecoder {
    columns: Vec<Column>,
    keys: KeyTable,
    expected: Expected,
    scratch: Scratch,
    options: ReadOptions,
}

impl JsonDecoder {
    pub(crate) fn new(
        schema: Schema<'_>,
        wanted: &[usize],
        options: ReadOptions,
    ) -> Result<Self, FormatError> {
        let columns = wanted
            .iter()
            .map(|&index| {
                let (name, ty): &(String, FlinkType) = &schema[index];
                Ok(Column {
                    name: name.clone(),
                    index,
                    is_text: ty.kind.is_character(),
                    builder: column_builder(ty, &options)
                        .map_err(|message| unsupported_type(index, message))?,
                    spans: Vec::new(),
                })
            })
            .collect::<Result<Vec<_>, FormatError>>()?;
        let keys = KeyTable::new(columns.iter().map(|column| column.name.as_str()));
        Ok(Self {
            columns,
            keys,
            expected: Expected::default(),
            scratch: Scratch::default(),
            options,
        })
    }

    /// Notes the spans of the document in `bytes[range]` as row `row`.
    fn scan(&mut self, bytes: &[u8], range: &Range<u32>, row: usize) -> Result<Outcome, String> {
        let bytes = &bytes[..range.end as usize];
        let mut scanner = Scanner::<true>::new(bytes, range.start as usize, &mut self.scratch);
        match scanner.token() {
            None => return Ok(Outcome::Nothing),
            Some(b'{') => scanner.bump(),
            Some(_) => return Self::scan_other(&mut scanner, bytes),
        }
        let scanned = scan_fields(
            &mut scanner,
            bytes,
            &mut self.columns,
            &self.keys,
            &mut self.expected,
            row,
        );
        scanned.map_err(|error| error_text(error, range.start))?;
        if self.options.fail_on_missing_field
            && let Some(missing) = self
                .columns
                .iter()
                .find(|column| column.spans[row].kind == Kind::Missing)
        {
            return Err(missing_field(&missing.name));
        }
        Ok(Outcome::Row)
    }

    /// A document that is no object.
    #[cold]
    fn scan_other(scanner: &mut Scanner<'_, true>, bytes: &[u8]) -> Result<Outcome, String> {
        let span = scanner
            .value::<false>()
            .map_err(|error| error.to_string())?;
        if matches!(span.kind, Kind::Int | Kind::Float) {
            scanner
                .check_root_number()
                .map_err(|error| error.to_string())?;
        }
        if span.kind == Kind::Null {
            return Ok(Outcome::Nothing);
        }
        Err(class_cast(
            &Cell {
                span,
                bytes,
                has_exact_numbers: false,
            },
            "ObjectNode",
        ))
    }

    fn decode_text(
        &mut self,
        source: &Source<'_>,
        ranges: &[Option<Range<u32>>],
        faults: &[(usize, String)],
    ) -> Result<Decoded, DecodeError> {
        let bytes = source.bytes;
        for column in &mut self.columns {
            column.spans.clear();
            column.spans.resize(ranges.len(), Span::default());
        }
        let mut batch = Batch::default();
        let mut row = 0;
        for (message, range) in ranges.iter().enumerate() {
            let Some(range) = range else { continue };
            match self.scan(bytes, range, row) {
                Ok(Outcome::Row) => {
                    if row != message && batch.messages.is_empty() {
                        batch.messages.extend(0..row as u32);
                    }
                    if row != message {
                        batch.messages.push(message as u32);
                    }
                    row += 1;
                    continue;
                }
                Ok(Outcome::Nothing) => {}
                Err(reason) => {
                    // A message that was cut where it stops being text fails for that reason.
                    let cut = faults.iter().find(|(faulty, _)| *faulty == message);
                    let reason = cut.map_or(reason, |(_, fault)| fault.clone());
                    batch.refuse(message, reason, &self.options)?;
                }
            }
            for column in &mut self.columns {
                column.spans[row] = Span::default();
            }
        }
        batch.is_identity = row == ranges.len();
        self.build(source, row, batch)
    }

    /// Builds the columns from the spans of `rows` rows.
    fn build(
        &mut self,
        source: &Source<'_>,
        rows: usize,
        mut batch: Batch,
    ) -> Result<Decoded, DecodeError> {
        let mut faults: Vec<(usize, usize, String)> = Vec::new();
        let goes_on = self.options.bad_messages == BadMessages::Collect;
        let ignore = self.options.ignore_parse_errors;
        let columns: Vec<_> = self
            .columns
            .iter_mut()
            .map(|column| {
                let index = column.index;
                let mut on_fault = |row: usize, reason: String| {
                    if ignore {
                        return true;
                    }
                    faults.push((row, index, reason));
                    goes_on
                };
                column
                    .builder
                    .append_all(&column.spans[..rows], source, &mut on_fault);
                column.builder.finish(source.buffer)
            })
            .collect();
        let message_of = |row: usize| {
            if batch.messages.is_empty() {
                row
            } else {
                batch.messages[row] as usize
            }
        };
        faults.sort_by_key(|(row, ..)| *row);
        let mut keep = Vec::new();
        for (row, column, reason) in faults {
            let fault = DecodeError {
                message: message_of(row),
                column: Some(column),
                reason,
            };
            if !goes_on {
                return Err(fault);
            }
            if keep.is_empty() {
                keep.resize(rows, true);
            }
            if std::mem::replace(&mut keep[row], false) {
                batch.bad.push(fault);
            }
        }
        batch.bad.sort_by_key(|bad| bad.message);
        let decoded = Decoded {
            columns,
            rows,
            message_of_row: (!batch.is_identity)
                .then_some(batch.messages)
                .map(|messages| {
                    // Rows before the first message without one are their own messages.
                    if messages.is_empty() {
                        (0..rows as u32).collect()
                    } else {
                        messages
                    }
                }),
            kinds: None,
            skipped: batch.skipped,
            skip_reason: batch.skip_reason,
            bad: batch.bad,
        };
        Ok(if keep.is_empty() {
            decoded
        } else {
            without_bad_rows(decoded, keep)
        })
    }
}

impl Decoder for JsonDecoder {
    fn decode(&mut self, payloads: &Payloads<'_>) -> Result<Decoded, DecodeError> {
        let is_plain = (0..payloads.ranges.len())
            .all(|message| !payloads.get(message).is_some_and(needs_repair));
        let exact = self.options.has_exact_numbers;
        if let Some(source) = Source::new(payloads.buffer).filter(|_| is_plain) {
            let source = source.with_exact_numbers(exact);
            return self.decode_text(&source, payloads.ranges, &[]);
        }
        let (buffer, ranges, faults) = repair_batch(payloads);
        let source = Source::new(&buffer)
            .expect("repaired messages are text")
            .with_exact_numbers(exact);
        self.decode_text(&source, &ranges, &faults)
    }
}

/// What is known of a batch besides its columns.
#[derive(Default)]
struct Batch {
    /// The message of each row, from the first that is not its own row's number on; empty before that.
    messages: Vec<u32>,
    is_identity: bool,
    skipped: u64,
    skip_reason: Option<DecodeError>,
    bad: Vec<DecodeError>,
}

impl Batch {
    /// Counts a message that cannot be read, or fails.
    #[cold]
    fn refuse(
        &mut self,
        message: usize,
        reason: String,
        options: &ReadOptions,
    ) -> Result<(), DecodeError> {
        let fault = DecodeError {
            message,
            column: None,
            reason,
        };
        if options.ignore_parse_errors {
            self.skipped += 1;
            self.skip_reason.get_or_insert(fault);
            return Ok(());
        }
        if options.bad_messages == BadMessages::Fail {
            return Err(fault);
        }
        self.bad.push(fault);
        Ok(())
    }
}

/// Notes where the wanted values of the object lie whose `{` has been stepped over.
fn scan_fields(
    scanner: &mut Scanner<'_, true>,
    bytes: &[u8],
    columns: &mut [Column],
    keys: &KeyTable,
    expected: &mut Expected,
    row: usize,
) -> Result<(), JsonError> {
    if scanner.token() == Some(b'}') {
        scanner.bump();
        return Ok(());
    }
    let mut ordinal = 0;
    loop {
        let mut known = false;
        let slot = match expected.entries.get(ordinal) {
            Some(entry) if scanner.skip_text(&entry.key) => {
                known = true;
                entry.slot
            }
            _ => {
                let key = scanner.key()?;
                let slot = keys.find(&unescaped(key.of(bytes), key.is_escaped()));
                if !key.is_escaped() {
                    expected.note_key(ordinal, key.of(bytes), slot);
                }
                slot
            }
        };
        let entry = if known {
            expected.entries.get_mut(ordinal)
        } else {
            None
        };
        let span = match entry.as_ref().and_then(|entry| entry.skip_value(scanner)) {
            Some(span) => {
                if let Some(entry) = entry {
                    entry.misses = 0;
                }
                span
            }
            None => {
                let is_text = slot.is_some_and(|slot| columns[usize::from(slot)].is_text);
                let span = if is_text {
                    scanner.value::<true>()?
                } else {
                    scanner.value::<false>()?
                };
                if let Some(entry) = entry {
                    entry.note_value(span, bytes);
                }
                span
            }
        };
        if let Some(slot) = slot {
            columns[usize::from(slot)].spans[row] = span;
        }
        ordinal += 1;
        if !scanner.next_entry()? {
            return Ok(());
        }
    }
}

/// Returns the text of a fault, with its place counted from the message's start.
#[cold]
fn error_text(error: JsonError, start: u32) -> String {
    let column = error.offset.saturating_sub(start as usize) + 1;
    match error.fault {
        Fault::End(_) => error.to_string(),
        _ => format!("{error} at byte {column}"),
    }
}

/// Drops the rows that are not to be kept.
fn without_bad_rows(decoded: Decoded, keep: Vec<bool>) -> Decoded {
    let rows = keep.iter().filter(|kept| **kept).count();
    let messages = decoded
        .message_of_row
        .unwrap_or_else(|| (0..decoded.rows as u32).collect());
    let message_of_row = messages
        .into_iter()
        .zip(&keep)
        .filter_map(|(message, kept)| kept.then_some(message))
        .collect();
    let mask = BooleanArray::from(keep);
    let columns = decoded
        .columns
        .iter()
        .map(|column| {
            arrow_select::filter::filter(column, &mask).expect("the mask is as long as the column")
        })
        .collect();
    Decoded {
        columns,
        rows,
        message_of_row: Some(message_of_row),
        ..decoded
    }
}
