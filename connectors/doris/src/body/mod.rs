//! Rows as bodies of loads: JSON lines, CSV or Arrow streams.

mod arrow;
mod csv;
mod json;

use arrow_array::{ArrayRef, Int8Array};
use millrace_connector::{ConnectorError, ErrorKind, Retry};
use millrace_formats::EncodedBatch;

use crate::form::RowForm;
use crate::settings::BodyFormat;

pub(crate) use json::JsonBody;

/// The hidden column that marks a row of a UNIQUE table as deleted.
pub(crate) const DELETE_SIGN: &str = "__DORIS_DELETE_SIGN__";

/// Encodes batches for one lane.
pub(crate) enum BodyEncoder {
    Json(JsonBody),
    Csv(csv::CsvBody),
    Arrow(arrow::ArrowBody),
}

impl BodyEncoder {
    /// Makes an encoder of rows with a delete sign or without.
    ///
    /// # Errors
    /// The index of a column that this format cannot hold, and why.
    pub(crate) fn new(
        format: &BodyFormat,
        form: &RowForm,
        has_sign: bool,
    ) -> Result<Self, (usize, String)> {
        Ok(match format {
            BodyFormat::Json => Self::Json(JsonBody::new(form, has_sign)?),
            BodyFormat::Csv { column, line } => {
                Self::Csv(csv::CsvBody::new(form, &column.bytes, &line.bytes)?)
            }
            BodyFormat::Arrow => Self::Arrow(arrow::ArrowBody::new(form, has_sign)?),
        })
    }

    /// Replaces `out` by the rows of a batch; `signs` is there if the encoder was made for them.
    ///
    /// # Errors
    /// A row that this format cannot hold.
    pub(crate) fn encode(
        &mut self,
        columns: &[ArrayRef],
        signs: Option<&Int8Array>,
        out: &mut EncodedBatch,
    ) -> Result<(), BadRow> {
        out.clear();
        match self {
            Self::Json(body) => body.encode(columns, signs, out),
            Self::Csv(body) => body.encode(columns, signs, out),
            Self::Arrow(body) => body.encode(columns, signs, out),
        }
    }

    /// Returns what stands between two pieces of a body.
    pub(crate) fn separator(format: &BodyFormat) -> Vec<u8> {
        match format {
            BodyFormat::Json => b"\n".to_vec(),
            BodyFormat::Csv { line, .. } => line.bytes.clone(),
            BodyFormat::Arrow => Vec::new(),
        }
    }
}

/// A row that a body cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    pub(crate) row: usize,
    pub(crate) reason: String,
}

impl BadRow {
    pub(crate) fn into_error(self, table: &str) -> ConnectorError {
        let text = format!(
            "cannot write row {} of a batch to '{table}': {}",
            self.row, self.reason
        );
        ConnectorError::new(ErrorKind::Data, Retry::Never, text)
    }
}
