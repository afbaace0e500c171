//! Messages to the only column.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray};
use millrace_connector::TypeKind;

use super::RawOptions;
use super::charset::Charset;
use crate::registry::{FormatOptions, Schema};
use crate::strings::{BytesColumn, TextColumn};
use crate::{BadMessages, DecodeError, Decoded, Decoder, FormatContext, FormatError, Payloads};

/// Makes a decoder of `raw`.
pub(crate) fn make_decoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    wanted: &[usize],
    ctx: &FormatContext,
) -> Result<Box<dyn Decoder>, FormatError> {
    Ok(Box::new(RawDecoder {
        options: RawOptions::new(options, schema)?,
        copies: wanted.len(),
        bad_messages: ctx.bad_messages,
    }))
}

struct RawDecoder {
    options: RawOptions,
    /// How often the column is wanted.
    copies: usize,
    bad_messages: BadMessages,
}

/// Messages that have the wrong size.
type Bad = Vec<DecodeError>;

impl RawDecoder {
    fn numbers<T: ArrowPrimitiveType, const N: usize>(
        &self,
        payloads: &Payloads<'_>,
        bad: &mut Bad,
        big: fn([u8; N]) -> T::Native,
        little: fn([u8; N]) -> T::Native,
    ) -> ArrayRef {
        let read = if self.options.is_little { little } else { big };
        let values = (0..payloads.ranges.len()).map(|message| {
            let payload = payloads.get(message)?;
            // Flink checks the size, then reads what it needs.
            match <[u8; N]>::try_from(payload) {
                Ok(bytes) => Some(read(bytes)),
                Err(_) => {
                    bad.push(self.wrong_size(message, N));
                    None
                }
            }
        });
        Arc::new(values.collect::<PrimitiveArray<T>>())
    }

    fn wrong_size(&self, message: usize, size: usize) -> DecodeError {
        DecodeError {
            message,
            column: Some(0),
            reason: format!(
                "Size of data received for deserializing {} type is not {size}.",
                self.options.kind
            ),
        }
    }

    fn texts(&self, payloads: &Payloads<'_>) -> ArrayRef {
        let mut column = TextColumn::default();
        column.reserve(payloads.ranges.len());
        let is_utf8 = self.options.charset == Charset::Utf8;
        let text = simdutf8::basic::from_utf8(payloads.buffer.as_slice())
            .ok()
            .filter(|_| is_utf8);
        for message in 0..payloads.ranges.len() {
            let (Some(payload), Some(range)) = (payloads.get(message), &payloads.ranges[message])
            else {
                column.append_null();
                continue;
            };
            // A part of text is text if it begins and ends with whole characters.
            let range = range.start as usize..range.end as usize;
            match text.and_then(|text| text.get(range)) {
                Some(text) => column.append_slice(text, payloads.buffer),
                None => column.append_copy(self.options.charset.decode(payload).as_bytes()),
            }
        }
        column.finish()
    }

    fn bytes(payloads: &Payloads<'_>) -> ArrayRef {
        let mut column = BytesColumn::new();
        column.reserve(payloads.ranges.len());
        for (message, range) in payloads.ranges.iter().enumerate() {
            match (payloads.get(message), range) {
                (Some(payload), Some(range)) => column.append_slice(payload, range.start),
                _ => column.append_null(),
            }
        }
        column.finish(payloads.buffer)
    }

    fn column(&self, payloads: &Payloads<'_>, bad: &mut Bad) -> ArrayRef {
        match self.options.kind {
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => Self::bytes(payloads),
            TypeKind::Boolean => {
                let values =
                    (0..payloads.ranges.len()).map(|message| match payloads.get(message)? {
                        [byte] => Some(*byte != 0),
                        _ => {
                            bad.push(self.wrong_size(message, 1));
                            None
                        }
                    });
                Arc::new(values.collect::<BooleanArray>())
            }
            TypeKind::TinyInt => {
                self.numbers::<Int8Type, 1>(payloads, bad, i8::from_be_bytes, i8::from_le_bytes)
            }
            TypeKind::SmallInt => {
                self.numbers::<Int16Type, 2>(payloads, bad, i16::from_be_bytes, i16::from_le_bytes)
            }
            TypeKind::Int => {
                self.numbers::<Int32Type, 4>(payloads, bad, i32::from_be_bytes, i32::from_le_bytes)
            }
            TypeKind::BigInt => {
                self.numbers::<Int64Type, 8>(payloads, bad, i64::from_be_bytes, i64::from_le_bytes)
            }
            TypeKind::Float => self.numbers::<Float32Type, 4>(
                payloads,
                bad,
                f32::from_be_bytes,
                f32::from_le_bytes,
            ),
            TypeKind::Double => self.numbers::<Float64Type, 8>(
                payloads,
                bad,
                f64::from_be_bytes,
                f64::from_le_bytes,
            ),
            _ => self.texts(payloads),
        }
    }
}

impl Decoder for RawDecoder {
    fn decode(&mut self, payloads: &Payloads<'_>) -> Result<Decoded, DecodeError> {
        let mut bad = Bad::new();
        let column = self.column(payloads, &mut bad);
        let messages = payloads.ranges.len();
        if bad.is_empty() {
            return Ok(Decoded {
                columns: vec![column; self.copies],
                rows: messages,
                message_of_row: None,
                kinds: None,
                skipped: 0,
                skip_reason: None,
                bad,
            });
        }
        if self.bad_messages == BadMessages::Fail {
            return Err(bad.remove(0));
        }
        let mut keep = vec![true; messages];
        for fault in &bad {
            keep[fault.message] = false;
        }
        let message_of_row: Vec<u32> = (0..messages as u32)
            .filter(|message| keep[*message as usize])
            .collect();
        let column = arrow_select::filter::filter(&column, &BooleanArray::from(keep))
            .expect("the mask is as long as the column");
        Ok(Decoded {
            columns: vec![column; self.copies],
            rows: message_of_row.len(),
            message_of_row: Some(message_of_row),
            kinds: None,
            skipped: 0,
            skip_reason: None,
            bad,
        })
    }
}
