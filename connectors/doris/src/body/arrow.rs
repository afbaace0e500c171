//! Bodies of Arrow IPC streams. The server reads a stream whole and takes its arrays as its own, without any conversion: a
//! stream has few rows, and columns must have been proven equal (see `table::is_equal_in_arrow`).

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int8Array, RecordBatch, StringArray};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema};
use millrace_connector::{FlinkType, TypeKind};
use millrace_formats::EncodedBatch;

use super::{BadRow, DELETE_SIGN};
use crate::form::RowForm;

/// The most rows of one stream: the real connector makes one of each 1000.
const STREAM_ROWS_MAX: usize = 4096;

pub(crate) struct ArrowBody {
    schema: Arc<Schema>,
}

impl ArrowBody {
    pub(crate) fn new(form: &RowForm, has_sign: bool) -> Result<Self, (usize, String)> {
        let mut fields = Vec::new();
        for (index, (name, ty)) in form.declared().iter().enumerate() {
            let ty = data_type(ty).ok_or_else(|| {
                let why = format!(
                    "{ty} cannot stand in an Arrow body: use 'sink.properties.format' = 'json'"
                );
                (index, why)
            })?;
            fields.push(Field::new(name, ty, true));
        }
        if has_sign {
            fields.push(Field::new(DELETE_SIGN, DataType::Int8, true));
        }
        Ok(Self {
            schema: Arc::new(Schema::new(fields)),
        })
    }

    pub(crate) fn encode(
        &mut self,
        columns: &[ArrayRef],
        signs: Option<&Int8Array>,
        out: &mut EncodedBatch,
    ) -> Result<(), BadRow> {
        let mut columns: Vec<ArrayRef> = columns.iter().map(without_views).collect();
        columns.extend(signs.map(|signs| Arc::new(signs.clone()) as ArrayRef));
        let failed = |error: arrow_schema::ArrowError| BadRow {
            row: 0,
            reason: error.to_string(),
        };
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(failed)?;
        let mut first = 0;
        while first < batch.num_rows() {
            let rows = STREAM_ROWS_MAX.min(batch.num_rows() - first);
            let mut writer = StreamWriter::try_new(&mut out.bytes, &self.schema).map_err(failed)?;
            writer.write(&batch.slice(first, rows)).map_err(failed)?;
            writer.finish().map_err(failed)?;
            drop(writer);
            out.ends.push(out.bytes.len());
            first += rows;
        }
        Ok(())
    }
}

/// Returns the type that the server takes as its own; it knows no views.
fn data_type(ty: &FlinkType) -> Option<DataType> {
    Some(match &ty.kind {
        TypeKind::Boolean => DataType::Boolean,
        TypeKind::TinyInt => DataType::Int8,
        TypeKind::SmallInt => DataType::Int16,
        TypeKind::Int => DataType::Int32,
        TypeKind::BigInt => DataType::Int64,
        TypeKind::Float => DataType::Float32,
        TypeKind::Double => DataType::Float64,
        TypeKind::Decimal(precision, scale) => {
            DataType::Decimal128(*precision, i8::try_from(*scale).ok()?)
        }
        TypeKind::Date => DataType::Date32,
        TypeKind::Char(_) | TypeKind::Varchar(_) => DataType::Utf8,
        _ => return None,
    })
}

fn without_views(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => {
            let texts: StringArray = column.as_string_view().iter().collect();
            Arc::new(texts)
        }
        _ => Arc::clone(column),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringViewArray};
    use arrow_ipc::reader::StreamReader;
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn streams_are_small_and_hold_the_rows_in_order() {
        let columns = [
            ("id".to_owned(), TypeKind::BigInt.nullable()),
            ("name".to_owned(), FlinkType::string()),
        ];
        let form = RowForm::new(&columns, TimeZone::UTC).unwrap();
        let mut body = ArrowBody::new(&form, true).unwrap();
        let rows = 10_000;
        let texts: StringViewArray = (0..rows).map(|row| Some(row.to_string())).collect();
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(0..rows)),
            Arc::new(texts),
        ];
        let signs = Int8Array::from(vec![0; arrays[0].len()]);
        let mut out = EncodedBatch::default();
        body.encode(&arrays, Some(&signs), &mut out).unwrap();
        assert_eq!(out.len(), 3);
        let mut next = 0;
        for stream in 0..out.len() {
            for batch in StreamReader::try_new(out.row(stream), None).unwrap() {
                let batch = batch.unwrap();
                assert_eq!(batch.schema().field(1).data_type(), &DataType::Utf8);
                for (row, text) in batch.column(1).as_string::<i32>().iter().enumerate() {
                    assert_eq!(text, Some((next + row).to_string().as_str()));
                }
                next += batch.num_rows();
            }
        }
        assert_eq!(next, 10_000);
    }

    #[test]
    fn times_are_not_for_arrow() {
        let columns = [("at".to_owned(), TypeKind::Timestamp(3).nullable())];
        let form = RowForm::new(&columns, TimeZone::UTC).unwrap();
        assert_eq!(ArrowBody::new(&form, false).err().unwrap().0, 0);
    }
}
