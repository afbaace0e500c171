//! Bodies of JSON objects, one a line: what every Doris surely takes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int8Array};
use millrace_connector::{FlinkType, TypeKind};
use millrace_formats::{EncodedBatch, Encoder, FormatContext, FormatError, create_encoder};

use super::{BadRow, DELETE_SIGN};
use crate::form::RowForm;

pub(crate) struct JsonBody {
    form: RowForm,
    encoder: Box<dyn Encoder>,
}

impl JsonBody {
    pub(crate) fn new(form: &RowForm, has_sign: bool) -> Result<Self, (usize, String)> {
        let mut schema: Vec<(String, FlinkType)> = form
            .prepared()
            .map(|(name, ty)| (name.clone(), ty.clone()))
            .collect();
        if has_sign {
            schema.push((DELETE_SIGN.to_owned(), TypeKind::TinyInt.not_null()));
        }
        let options = BTreeMap::from([("encode.decimal-as-plain-number".into(), "true".into())]);
        let encoder = create_encoder("json", &options, &schema, &FormatContext::default());
        Ok(Self {
            form: form.clone(),
            encoder: encoder.map_err(|error| match error {
                FormatError::UnsupportedType { column, message } => (column, message),
                error => (0, error.to_string()),
            })?,
        })
    }

    pub(crate) fn encode(
        &mut self,
        columns: &[ArrayRef],
        signs: Option<&Int8Array>,
        out: &mut EncodedBatch,
    ) -> Result<(), BadRow> {
        let mut prepared = self.form.prepare(columns);
        prepared.extend(signs.map(|signs| Arc::new(signs.clone()) as ArrayRef));
        let encoded = self.encoder.encode(&prepared, None, out);
        encoded.map_err(|error| BadRow {
            row: error.row,
            reason: error.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Decimal128Array, Int64Array, StringViewArray, TimestampMicrosecondArray};
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn writes_values_as_doris_takes_them() {
        let micros = 1_709_267_696_789_000_i64;
        let columns = [
            (
                "id",
                TypeKind::BigInt.nullable(),
                Arc::new(Int64Array::from(vec![Some(1), None])) as ArrayRef,
            ),
            (
                "amount",
                TypeKind::Decimal(18, 4).nullable(),
                Arc::new(
                    Decimal128Array::from(vec![-1250, 0])
                        .with_precision_and_scale(18, 4)
                        .unwrap(),
                ),
            ),
            (
                "at",
                TypeKind::TimestampLtz(3).nullable(),
                Arc::new(TimestampMicrosecondArray::from(vec![micros, 0])),
            ),
            (
                "fine",
                TypeKind::Timestamp(9).nullable(),
                Arc::new(
                    Decimal128Array::from(vec![i128::from(micros) * 1000 + 999, -1])
                        .with_precision_and_scale(38, 0)
                        .unwrap(),
                ),
            ),
            (
                "text",
                FlinkType::string(),
                Arc::new(StringViewArray::from(vec!["tab\t\"你", ""])),
            ),
        ];
        let schema: Vec<_> = columns
            .iter()
            .map(|(name, ty, _)| ((*name).to_owned(), ty.clone()))
            .collect();
        let form = RowForm::new(&schema, TimeZone::get("Asia/Shanghai").unwrap()).unwrap();
        let arrays: Vec<_> = columns.iter().map(|column| Arc::clone(&column.2)).collect();
        let mut out = EncodedBatch::default();
        let mut body = JsonBody::new(&form, true).unwrap();
        let signs = Int8Array::from(vec![0, 1]);
        body.encode(&arrays, Some(&signs), &mut out).unwrap();
        let rows: Vec<_> = out
            .iter()
            .map(|row| String::from_utf8(row.unwrap().to_vec()).unwrap())
            .collect();
        assert_eq!(
            rows.join("\n"),
            "{\"id\":1,\"amount\":\"-0.1250\",\"at\":\"2024-03-01 12:34:56.789\",\"fine\":\"2024-03-01 04:34:56.789\",\"text\":\"tab\\t\\\"你\",\"__DORIS_DELETE_SIGN__\":0}\n\
             {\"id\":null,\"amount\":\"0.0000\",\"at\":\"1970-01-01 08:00:00\",\"fine\":\"1969-12-31 23:59:59.999999\",\"text\":\"\",\"__DORIS_DELETE_SIGN__\":1}"
        );
    }
}
