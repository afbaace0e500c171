//! Rows to messages of `json`.

use arrow_array::{Array, ArrayRef};
use millrace_connector::RowKind;

use super::columns::unsupported_type;
use super::options::{check_names, encode_options};
use super::write::{RowWriter, ValueWriter, WriteOptions, key_text, value_writer};
use crate::registry::{FormatOptions, Schema};
use crate::{EncodeError, EncodedBatch, Encoder, FormatContext, FormatError};

/// Makes an encoder of `json`.
pub(crate) fn make_encoder(
    options: &FormatOptions,
    schema: Schema<'_>,
    _ctx: &FormatContext,
) -> Result<Box<dyn Encoder>, FormatError> {
    check_names(schema)?;
    let fields = field_writers(schema, &encode_options(options)?)?;
    Ok(Box::new(JsonEncoder { fields }))
}

/// Returns how the columns of a table are written as the fields of an object.
pub(crate) fn field_writers(
    schema: Schema<'_>,
    options: &WriteOptions,
) -> Result<Vec<(Vec<u8>, ValueWriter)>, FormatError> {
    schema
        .iter()
        .enumerate()
        .map(|(column, (name, ty))| {
            let writer =
                value_writer(ty, options).map_err(|message| unsupported_type(column, message))?;
            Ok((key_text(name), writer))
        })
        .collect()
}

struct JsonEncoder {
    fields: Vec<(Vec<u8>, ValueWriter)>,
}

/// Bytes that a field is guessed to take, so that the buffer grows once a batch.
const FIELD_BYTES_GUESSED: usize = 24;

impl Encoder for JsonEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        _kinds: Option<&[RowKind]>,
        out: &mut EncodedBatch,
    ) -> Result<(), EncodeError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let keys: usize = self
            .fields
            .iter()
            .map(|(key, _)| key.len() + FIELD_BYTES_GUESSED)
            .sum();
        out.bytes.reserve(rows * keys);
        out.ends.reserve(rows);
        let writer = RowWriter::new(&self.fields, columns);
        for row in 0..rows {
            writer
                .write(row, &mut out.bytes)
                .map_err(|reason| EncodeError { row, reason })?;
            out.end_row();
        }
        Ok(())
    }
}
