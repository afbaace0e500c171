//! Messages to columns: one split a message, then one pass a column.

use std::ops::Range;

use arrow_array::BooleanArray;
use arrow_buffer::Buffer;
use millrace_connector::TypeKind;
use millrace_json::{Kind, Span};

use super::columns::{csv_column, length_mismatch};
use super::options::CsvOptions;
use super::record::{Field, split};
use crate::json::{ColumnBuilder, Source, needs_repair, repair_batch, unsupported_type};
use crate::registry::{FormatOptions, Schema};
use crate::{BadMessages, DecodeError, Decoded, Decoder, FormatContext, FormatError, Payloads};

/// Makes a decoder of `csv`.
pub(crate) fn make_decoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Result<Box<dyn Decoder>, FormatError> {
    let options = CsvOptions::new(options, schema)?;
    let columns = wanted
        .iter()
        .map(|&index| {
            let builder = csv_column(&schema[index].1, &options)
                .map_err(|message| unsupported_type(index, message))?;
            Ok(Column {
                index,
                is_composed: matches!(schema[index].1.kind, TypeKind::Array(_) | TypeKind::Row(_)),
                builder,
                spans: Vec::new(),
            })
        })
        .collect::<Result<_, FormatError>>()?;
    Ok(Box::new(CsvDecoder {
        options,
        arity: schema.len(),
        columns,
        fields: Vec::new(),
        bad_messages: ctx.bad_messages,
    }))
}

struct Column {
    /// Place in the record.
    index: usize,
    /// Whether its field is taken apart: then the null literal is looked for among its elements.
    is_composed: bool,
    builder: Box<dyn ColumnBuilder>,
    spans: Vec<Span>,
}

struct CsvDecoder {
    options: CsvOptions,
    arity: usize,
    columns: Vec<Column>,
    fields: Vec<Field>,
    bad_messages: BadMessages,
}

impl CsvDecoder {
    /// Notes where the fields of a message lie; those that had to be made lie in `made`, which will stand behind the
    /// `length` bytes of the messages.
    fn note(
        &mut self,
        message: &[u8],
        start: u32,
        length: usize,
        made: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.fields.clear();
        split(message, &self.options, &mut self.fields)?;
        // Jackson forgives one blank entry at the end.
        let is_blank = |field: &Field| {
            let text = match field {
                Field::Slice(from, to) => &message[*from..*to],
                Field::Made(text) => text,
            };
            text.iter().all(|byte| *byte <= b' ')
        };
        if self.fields.len() == self.arity + 1 && self.fields.last().is_some_and(is_blank) {
            self.fields.pop();
        }
        let given = self.fields.len();
        if given > self.arity {
            return Err(format!("Too many entries: expected at most {}", self.arity));
        }
        if given < self.arity && !self.options.ignore_parse_errors {
            return Err(length_mismatch(self.arity, given));
        }
        for column in &mut self.columns {
            let span = self.fields.get(column.index).map(|field| {
                let (text, start) = match field {
                    Field::Slice(from, to) => (&message[*from..*to], start + *from as u32),
                    Field::Made(text) => {
                        let start = (length + made.len()) as u32;
                        made.extend_from_slice(text);
                        (text.as_slice(), start)
                    }
                };
                let null = self.options.null_literal.as_ref();
                let is_null =
                    !column.is_composed && null.is_some_and(|null| null.as_bytes() == text);
                Span {
                    start,
                    end: start + text.len() as u32,
                    kind: if is_null { Kind::Null } else { Kind::String },
                    facts: 0,
                }
            });
            column.spans.push(span.unwrap_or_default());
        }
        Ok(())
    }

    fn decode_text(
        &mut self,
        buffer: &Buffer,
        ranges: &[Option<Range<u32>>],
        cut: &[(usize, String)],
    ) -> Result<Decoded, DecodeError> {
        for column in &mut self.columns {
            column.spans.clear();
        }
        let mut made = Vec::new();
        let mut messages: Vec<u32> = Vec::new();
        let (mut skipped, mut skip_reason, mut bad) = (0, None, Vec::new());
        for (message, range) in ranges.iter().enumerate() {
            let Some(range) = range else { continue };
            let payload = &buffer.as_slice()[range.start as usize..range.end as usize];
            let cut = cut.iter().find(|(faulty, _)| *faulty == message);
            let noted = match cut {
                Some((_, fault)) => Err(fault.clone()),
                None => self.note(payload, range.start, buffer.len(), &mut made),
            };
            let Err(reason) = noted else {
                messages.push(message as u32);
                continue;
            };
            let fault = DecodeError {
                message,
                column: None,
                reason,
            };
            if self.options.ignore_parse_errors {
                skipped += 1;
                skip_reason.get_or_insert(fault);
            } else if self.bad_messages == BadMessages::Collect {
                bad.push(fault);
            } else {
                return Err(fault);
            }
        }
        let buffer = if made.is_empty() {
            buffer.clone()
        } else {
            let mut whole = buffer.as_slice().to_vec();
            whole.append(&mut made);
            Buffer::from_vec(whole)
        };
        let mut decoded = Decoded {
            columns: Vec::new(),
            rows: messages.len(),
            message_of_row: Some(messages),
            kinds: None,
            skipped,
            skip_reason,
            bad,
        };
        self.build(&buffer, &mut decoded)?;
        if decoded.rows == ranges.len() {
            decoded.message_of_row = None;
        }
        Ok(decoded)
    }

    fn build(&mut self, buffer: &Buffer, decoded: &mut Decoded) -> Result<(), DecodeError> {
        let source = Source::new(buffer).expect("fields are parts of text or made of it");
        let messages = decoded.message_of_row.take().unwrap_or_default();
        let goes_on = self.bad_messages == BadMessages::Collect;
        let ignore = self.options.ignore_parse_errors;
        let mut faults: Vec<(usize, usize, String)> = Vec::new();
        for column in &mut self.columns {
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
                .append_all(&column.spans, &source, &mut on_fault);
            decoded.columns.push(column.builder.finish(buffer));
        }
        faults.sort_by_key(|(row, ..)| *row);
        let mut keep = vec![true; decoded.rows];
        for (row, column, reason) in faults {
            let fault = DecodeError {
                message: messages[row] as usize,
                column: Some(column),
                reason,
            };
            if !goes_on {
                return Err(fault);
            }
            if std::mem::replace(&mut keep[row], false) {
                decoded.bad.push(fault);
            }
        }
        decoded.rows = keep.iter().filter(|kept| **kept).count();
        decoded.message_of_row = Some(
            messages
                .into_iter()
                .zip(&keep)
                .filter_map(|(message, kept)| kept.then_some(message))
                .collect(),
        );
        if decoded.rows < keep.len() {
            decoded.bad.sort_by_key(|bad| bad.message);
            let mask = BooleanArray::from(keep);
            for column in &mut decoded.columns {
                *column = arrow_select::filter::filter(column, &mask)
                    .expect("the mask is as long as the column");
            }
        }
        Ok(())
    }
}

impl Decoder for CsvDecoder {
    fn decode(&mut self, payloads: &Payloads<'_>) -> Result<Decoded, DecodeError> {
        let is_text = simdutf8::basic::from_utf8(payloads.buffer.as_slice()).is_ok()
            && (0..payloads.ranges.len())
                .all(|message| !payloads.get(message).is_some_and(needs_repair));
        if is_text {
            return self.decode_text(payloads.buffer, payloads.ranges, &[]);
        }
        let (buffer, ranges, cut) = repair_batch(payloads);
        self.decode_text(&buffer, &ranges, &cut)
    }
}
