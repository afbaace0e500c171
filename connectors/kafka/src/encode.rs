//! Rows of a batch as keys and values of records.

use std::sync::Arc;

use arrow_array::ArrayRef;
use millrace_connector::sink::{SinkBatch, SinkWriter, Written};
use millrace_connector::{ConnectorError, ErrorKind, Retry, RowKind};
use millrace_formats::{EncodedBatch, Encoder};

use crate::sink::KafkaSinkSpec;

/// Encodes the batches of one lane, into buffers that are used again.
pub(crate) struct RecordEncoder {
    table: String,
    is_upsert: bool,
    value: Box<dyn Encoder>,
    key: Option<Box<dyn Encoder>>,
    value_columns: Vec<usize>,
    key_columns: Vec<usize>,
    pub(crate) values: EncodedBatch,
    pub(crate) keys: EncodedBatch,
}

impl RecordEncoder {
    pub(crate) fn new(spec: &KafkaSinkSpec) -> Result<Self, ConnectorError> {
        let internal = |error: millrace_formats::FormatError| {
            ConnectorError::new(
                ErrorKind::Internal,
                Retry::Never,
                "a checked format cannot be made",
            )
            .caused_by(error)
        };
        let persisted = &spec.columns.persisted;
        let place = |column: &usize| {
            persisted
                .iter()
                .position(|p| p == column)
                .expect("physical columns are persisted")
        };
        let key = match &spec.formats.key {
            Some(format) => Some(format.encoder(&spec.context).map_err(internal)?),
            None => None,
        };
        let value = spec.formats.value.encoder(&spec.context);
        Ok(Self {
            table: spec.table.clone(),
            is_upsert: spec.is_upsert,
            value: value.map_err(internal)?,
            key,
            value_columns: spec.formats.value.columns.iter().map(place).collect(),
            key_columns: spec
                .formats
                .key
                .iter()
                .flat_map(|key| &key.columns)
                .map(place)
                .collect(),
            values: EncodedBatch::default(),
            keys: EncodedBatch::default(),
        })
    }

    /// Returns whether records have keys.
    pub(crate) fn has_keys(&self) -> bool {
        self.key.is_some()
    }

    /// Fills `values` and `keys` with the batch's rows.
    pub(crate) fn encode(&mut self, rows: &SinkBatch<'_>) -> Result<(), ConnectorError> {
        let pick = |columns: &[usize]| {
            columns
                .iter()
                .map(|c| Arc::clone(&rows.columns[*c]))
                .collect::<Vec<ArrayRef>>()
        };
        let table = &self.table;
        let bad = |error: millrace_formats::EncodeError| {
            let message = format!(
                "cannot write row {} of a batch to '{table}': {}",
                error.row, error.reason
            );
            ConnectorError::new(ErrorKind::Data, Retry::Never, message)
        };
        self.values.clear();
        // An upsert's value is the row alone; its format knows of no kinds.
        let kinds = rows.kinds.filter(|_| !self.is_upsert);
        self.value
            .encode(&pick(&self.value_columns), kinds, &mut self.values)
            .map_err(bad)?;
        if let Some(kinds) = rows.kinds.filter(|_| self.is_upsert) {
            self.values.without_values(|row| {
                matches!(kinds[row], RowKind::Delete | RowKind::UpdateBefore)
            });
        }
        if let Some(key) = &mut self.key {
            self.keys.clear();
            key.encode(&pick(&self.key_columns), None, &mut self.keys)
                .map_err(bad)?;
        }
        Ok(())
    }

    /// Returns what the encoded batch amounts to.
    pub(crate) fn written(&self, rows: &SinkBatch<'_>) -> Written {
        let bytes = self.values.bytes.len() + self.keys.bytes.len();
        Written {
            records: rows.rows as u64,
            bytes: bytes as u64,
            ..Written::default()
        }
    }
}

/// Encodes and throws away: the writer of a rehearsal.
impl SinkWriter for RecordEncoder {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        self.encode(rows)?;
        Ok(self.written(rows))
    }
}
