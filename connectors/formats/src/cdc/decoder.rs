//! Messages of changes to rows with kinds.

use std::ops::Range;

use arrow_array::BooleanArray;
use arrow_buffer::Buffer;
use millrace_connector::RowKind;
use millrace_json::{Node, Tape};

use super::envelope::{Change, Document, Envelope};
use super::metadata::{Metadata, MetadataColumn};
use crate::json::{
    ColumnBuilder, ReadOptions, Source, append_nullable, check_names, column_builder,
    has_exact_numbers, needs_repair, repair_batch, timestamp_format, unsupported_type,
};
use crate::registry::{FormatOptions, Schema};
use crate::{BadMessages, DecodeError, Decoded, Decoder, FormatContext, FormatError, Payloads};

pub(super) fn make(
    envelope: Envelope,
    known: &[Metadata],
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Result<Box<dyn Decoder>, FormatError> {
    check_names(schema)?;
    let options = ReadOptions {
        fail_on_missing_field: false,
        ignore_parse_errors: options.boolean("ignore-parse-errors")?,
        timestamp_format: timestamp_format(options)?,
        bad_messages: ctx.bad_messages,
        has_exact_numbers: has_exact_numbers(schema),
    };
    for (column, (_, ty)) in schema.iter().enumerate() {
        column_builder(ty, &options).map_err(|message| unsupported_type(column, message))?;
    }
    let columns = wanted
        .iter()
        .map(|&index| {
            let (name, ty) = &schema[index];
            let builder =
                column_builder(ty, &options).map_err(|message| unsupported_type(index, message))?;
            Ok(Column {
                name: name.clone(),
                index,
                builder,
            })
        })
        .collect::<Result<_, FormatError>>()?;
    let metadata = ctx.metadata.iter().map(|key| {
        let metadata = known.iter().find(|known| known.described().key == *key);
        let metadata = metadata.ok_or_else(|| FormatError::UnsupportedSchema {
            message: format!("the format has no metadata '{key}'"),
        })?;
        let unsupported = |message| FormatError::UnsupportedSchema { message };
        metadata.column(&options).map_err(unsupported)
    });
    let metadata = metadata.collect::<Result<_, FormatError>>()?;
    Ok(Box::new(ChangeDecoder {
        envelope,
        options,
        columns,
        metadata,
        tape: Tape::new(),
    }))
}

struct Column {
    name: String,
    index: usize,
    builder: Box<dyn ColumnBuilder>,
}

struct ChangeDecoder {
    envelope: Envelope,
    options: ReadOptions,
    columns: Vec<Column>,
    metadata: Vec<MetadataColumn>,
    tape: Tape,
}

/// What is known of a batch besides its columns.
#[derive(Default)]
struct Batch {
    messages: Vec<u32>,
    kinds: Vec<RowKind>,
    skipped: u64,
    skip_reason: Option<DecodeError>,
    bad: Vec<DecodeError>,
}

impl ChangeDecoder {
    fn builders(&mut self) -> impl Iterator<Item = &mut Box<dyn ColumnBuilder>> {
        let columns = self.columns.iter_mut().map(|column| &mut column.builder);
        columns.chain(self.metadata.iter_mut().map(|column| &mut column.builder))
    }

    fn decode_text(
        &mut self,
        source: &Source<'_>,
        ranges: &[Option<Range<u32>>],
        cut: &[(usize, String)],
    ) -> Result<Decoded, DecodeError> {
        let mut batch = Batch::default();
        let mut changes = Vec::new();
        for (message, range) in ranges.iter().enumerate() {
            let Some(range) = range.as_ref().filter(|range| !range.is_empty()) else {
                continue;
            };
            changes.clear();
            let bytes = &source.bytes[..range.end as usize];
            let read = self.read(bytes, range.start as usize, &mut changes);
            let fault = match read {
                Ok(root) => match self.append(root, &changes, source, bytes, message, &mut batch) {
                    Ok(()) => continue,
                    Err(fault) => fault,
                },
                Err(reason) => {
                    let cut = cut.iter().find(|(faulty, _)| *faulty == message);
                    let reason = cut.map_or(reason, |(_, fault)| fault.clone());
                    DecodeError {
                        message,
                        column: None,
                        reason,
                    }
                }
            };
            if self.options.ignore_parse_errors {
                batch.skipped += 1;
                batch.skip_reason.get_or_insert(fault);
            } else if self.options.bad_messages == BadMessages::Collect {
                batch.bad.push(fault);
            } else {
                // What was built so far belongs to a batch that nobody gets.
                for builder in self.builders() {
                    builder.finish(source.buffer);
                }
                return Err(fault);
            }
        }
        Ok(self.finish(source.buffer, batch))
    }

    fn read(
        &mut self,
        bytes: &[u8],
        start: usize,
        changes: &mut Vec<Change>,
    ) -> Result<Node, String> {
        let root = self
            .tape
            .parse::<true>(bytes, start)
            .map_err(|error| error.to_string())?;
        let document = Document {
            tape: &self.tape,
            bytes,
        };
        self.envelope.changes(document, root, changes)?;
        Ok(root)
    }

    /// Appends the rows of a message; all of them even where a value fails, so that columns stay of equal length.
    fn append(
        &mut self,
        root: Node,
        changes: &[Change],
        source: &Source<'_>,
        bytes: &[u8],
        message: usize,
        batch: &mut Batch,
    ) -> Result<(), DecodeError> {
        let document = Document {
            tape: &self.tape,
            bytes,
        };
        let mut fault = None;
        for change in changes {
            batch.messages.push(message as u32);
            batch.kinds.push(change.kind);
            for column in &mut self.columns {
                let node = document.get(change.object, &column.name).or_else(|| {
                    let unchanged = change.unchanged?;
                    if document.mentions(unchanged.old, &column.name) {
                        return None;
                    }
                    document.get(unchanged.after, &column.name)
                });
                let Some(node) = node else {
                    column.builder.append_null();
                    continue;
                };
                let ignore = self.options.ignore_parse_errors;
                let result =
                    append_nullable(&mut *column.builder, &self.tape, node, source, ignore);
                if let Err(reason) = result {
                    fault.get_or_insert(DecodeError {
                        message,
                        column: Some(column.index),
                        reason,
                    });
                }
            }
            for column in &mut self.metadata {
                let Some(node) = column.find(&self.envelope, document, root) else {
                    column.builder.append_null();
                    continue;
                };
                let ignore = self.options.ignore_parse_errors;
                let result =
                    append_nullable(&mut *column.builder, &self.tape, node, source, ignore);
                if let Err(reason) = result {
                    fault.get_or_insert(DecodeError {
                        message,
                        column: None,
                        reason,
                    });
                }
            }
        }
        fault.map_or(Ok(()), Err)
    }

    fn finish(&mut self, buffer: &Buffer, batch: Batch) -> Decoded {
        let mut columns: Vec<_> = self
            .builders()
            .map(|builder| builder.finish(buffer))
            .collect();
        let Batch {
            mut messages,
            mut kinds,
            skipped,
            skip_reason,
            bad,
        } = batch;
        let is_bad = |message: &u32| bad.iter().any(|fault| fault.message == *message as usize);
        if !bad.is_empty() && messages.iter().any(is_bad) {
            let keep: Vec<bool> = messages.iter().map(|message| !is_bad(message)).collect();
            let mask = BooleanArray::from(keep.clone());
            for column in &mut columns {
                *column = arrow_select::filter::filter(column, &mask)
                    .expect("the mask is as long as the column");
            }
            let mut kept = keep.iter();
            messages.retain(|_| *kept.next().expect("one flag a row"));
            let mut kept = keep.iter();
            kinds.retain(|_| *kept.next().expect("one flag a row"));
        }
        Decoded {
            columns,
            rows: messages.len(),
            message_of_row: Some(messages),
            kinds: Some(kinds),
            skipped,
            skip_reason,
            bad,
        }
    }
}

impl Decoder for ChangeDecoder {
    fn decode(&mut self, payloads: &Payloads<'_>) -> Result<Decoded, DecodeError> {
        let is_plain = (0..payloads.ranges.len())
            .all(|message| !payloads.get(message).is_some_and(needs_repair));
        let exact = self.options.has_exact_numbers;
        if let Some(source) = Source::new(payloads.buffer).filter(|_| is_plain) {
            let source = source.with_exact_numbers(exact);
            return self.decode_text(&source, payloads.ranges, &[]);
        }
        let (buffer, ranges, cut) = repair_batch(payloads);
        let source = Source::new(&buffer)
            .expect("repaired messages are text")
            .with_exact_numbers(exact);
        self.decode_text(&source, &ranges, &cut)
    }
}
