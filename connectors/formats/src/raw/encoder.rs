//! The only column to messages.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use millrace_connector::{RowKind, TypeKind};

use super::RawOptions;
use crate::registry::{FormatOptions, Schema};
use crate::{EncodeError, EncodedBatch, Encoder, FormatContext, FormatError};

/// Makes an encoder of `raw`.
pub(crate) fn make_encoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    _ctx: &FormatContext,
) -> Result<Box<dyn Encoder>, FormatError> {
    Ok(Box::new(RawEncoder(RawOptions::new(options, schema)?)))
}

struct RawEncoder(RawOptions);

impl RawEncoder {
    fn numbers<T: ArrowPrimitiveType, const N: usize>(
        &self,
        column: &ArrayRef,
        out: &mut EncodedBatch,
        big: fn(T::Native) -> [u8; N],
        little: fn(T::Native) -> [u8; N],
    ) {
        let write = if self.0.is_little { little } else { big };
        let values: &PrimitiveArray<T> = column.as_primitive();
        rows(column, out, |row, bytes| {
            bytes.extend_from_slice(&write(values.value(row)))
        });
    }
}

/// Appends a message for each row, one without a value for NULL.
fn rows(column: &ArrayRef, out: &mut EncodedBatch, mut write: impl FnMut(usize, &mut Vec<u8>)) {
    for row in 0..column.len() {
        if column.is_null(row) {
            out.null_rows.push(out.ends.len() as u32);
        } else {
            write(row, &mut out.bytes);
        }
        out.end_row();
    }
}

impl Encoder for RawEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        _kinds: Option<&[RowKind]>,
        out: &mut EncodedBatch,
    ) -> Result<(), EncodeError> {
        let column = &columns[0];
        match self.0.kind {
            TypeKind::Binary(_) | TypeKind::Varbinary(_) => {
                let values = column.as_binary_view();
                rows(column, out, |row, bytes| {
                    bytes.extend_from_slice(values.value(row))
                });
            }
            TypeKind::Boolean => {
                let values = column.as_boolean();
                rows(column, out, |row, bytes| {
                    bytes.push(u8::from(values.value(row)))
                });
            }
            TypeKind::TinyInt => {
                self.numbers::<Int8Type, 1>(column, out, i8::to_be_bytes, i8::to_le_bytes);
            }
            TypeKind::SmallInt => {
                self.numbers::<Int16Type, 2>(column, out, i16::to_be_bytes, i16::to_le_bytes);
            }
            TypeKind::Int => {
                self.numbers::<Int32Type, 4>(column, out, i32::to_be_bytes, i32::to_le_bytes);
            }
            TypeKind::BigInt => {
                self.numbers::<Int64Type, 8>(column, out, i64::to_be_bytes, i64::to_le_bytes);
            }
            TypeKind::Float => {
                self.numbers::<Float32Type, 4>(column, out, f32::to_be_bytes, f32::to_le_bytes);
            }
            TypeKind::Double => {
                self.numbers::<Float64Type, 8>(column, out, f64::to_be_bytes, f64::to_le_bytes);
            }
            _ => {
                let values = column.as_string_view();
                let charset = self.0.charset;
                rows(column, out, |row, bytes| {
                    charset.encode(values.value(row), bytes)
                });
            }
        }
        Ok(())
    }
}
