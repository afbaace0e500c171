//! The writer of one lane: encodes a batch by itself, then hands it to the load that all lanes share.

use std::sync::Arc;

use millrace_connector::ConnectorError;
use millrace_connector::sink::{SinkBatch, SinkWriter, Written};
use millrace_formats::EncodedBatch;
use parking_lot::Mutex;

use crate::load::TableLoad;
use crate::rows::RowEncoder;

/// What stands between two rows of a body.
const ROW_SEPARATOR: &[u8] = b"\n";

pub(crate) struct DorisWriter {
    encoder: RowEncoder,
    load: Arc<Mutex<TableLoad>>,
    rows: EncodedBatch,
}

impl DorisWriter {
    pub(crate) fn new(encoder: RowEncoder, load: Arc<Mutex<TableLoad>>) -> Self {
        Self {
            encoder,
            load,
            rows: EncodedBatch::default(),
        }
    }
}

impl SinkWriter for DorisWriter {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        self.encoder
            .encode(rows.columns, rows.kinds, &mut self.rows)?;
        self.load
            .lock()
            .write(&self.rows.bytes, &self.rows.ends, ROW_SEPARATOR)?;
        Ok(Written {
            records: self.rows.len() as u64,
            bytes: self.rows.bytes.len() as u64,
        })
    }
}
