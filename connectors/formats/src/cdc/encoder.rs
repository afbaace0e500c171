//! Rows to messages of changes.

use arrow_array::{Array, ArrayRef};
use millrace_connector::RowKind;

use crate::json::{RowWriter, ValueWriter, check_names, encode_options, field_writers};
use crate::registry::{FormatOptions, Schema};
use crate::{EncodeError, EncodedBatch, Encoder, FormatError};

/// What stands before and behind the row's object, for an insert and for a removal.
pub(super) struct Layout {
    insert: (&'static [u8], &'static [u8]),
    delete: (&'static [u8], &'static [u8]),
}

pub(super) static DEBEZIUM: Layout = Layout {
    insert: (br#"{"before":null,"after":"#, br#","op":"c"}"#),
    delete: (br#"{"before":"#, br#","after":null,"op":"d"}"#),
};
pub(super) static CANAL: Layout = Layout {
    insert: (br#"{"data":["#, br#"],"type":"INSERT"}"#),
    delete: (br#"{"data":["#, br#"],"type":"DELETE"}"#),
};
pub(super) static MAXWELL: Layout = Layout {
    insert: (br#"{"data":"#, br#","type":"insert"}"#),
    delete: (br#"{"data":"#, br#","type":"delete"}"#),
};
pub(super) static OGG: Layout = Layout {
    insert: (br#"{"before":null,"after":"#, br#","op_type":"I"}"#),
    delete: (br#"{"before":"#, br#","after":null,"op_type":"D"}"#),
};

pub(super) fn make(
    layout: &'static Layout,
    options: &FormatOptions,
    schema: Schema<'_>,
) -> Result<Box<dyn Encoder>, FormatError> {
    check_names(schema)?;
    Ok(Box::new(ChangeEncoder {
        layout,
        fields: field_writers(schema, &encode_options(options)?)?,
    }))
}

struct ChangeEncoder {
    layout: &'static Layout,
    fields: Vec<(Vec<u8>, ValueWriter)>,
}

impl Encoder for ChangeEncoder {
    fn encode(
        &mut self,
        columns: &[ArrayRef],
        kinds: Option<&[RowKind]>,
        out: &mut EncodedBatch,
    ) -> Result<(), EncodeError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let writer = RowWriter::new(&self.fields, columns);
        for row in 0..rows {
            let (head, tail) = match kinds.map_or(RowKind::Insert, |kinds| kinds[row]) {
                RowKind::Insert | RowKind::UpdateAfter => self.layout.insert,
                RowKind::UpdateBefore | RowKind::Delete => self.layout.delete,
            };
            out.bytes.extend_from_slice(head);
            writer
                .write(row, &mut out.bytes)
                .map_err(|reason| EncodeError { row, reason })?;
            out.bytes.extend_from_slice(tail);
            out.end_row();
        }
        Ok(())
    }
}
