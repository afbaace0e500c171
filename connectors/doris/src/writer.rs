//! The writer of one lane: sorts a batch by kinds, takes out rows that do not fit, encodes the rest by itself, then hands it to
//! the load that all lanes share.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int8Array};
use millrace_connector::sink::{SinkBatch, SinkWriter, Written};
use millrace_connector::{ConnectorError, ErrorKind, Retry};
use millrace_formats::EncodedBatch;
use parking_lot::Mutex;

use crate::bad_rows::{Checker, Misfit, letter, mask};
use crate::body::{BodyEncoder, JsonBody};
use crate::changes::Changes;
use crate::figures::LoadFigures;
use crate::load::TableLoad;
use crate::open::Piece;

/// Where rows go that do not fit.
pub(crate) struct Misfits {
    pub(crate) checker: Checker,
    /// The dead-letter table; without one such rows are left out.
    pub(crate) letters: Option<Letters>,
}

/// What a dead-letter table is told.
pub(crate) struct Letters {
    pub(crate) load: Arc<Mutex<TableLoad>>,
    pub(crate) body: JsonBody,
    pub(crate) pipeline: String,
    /// `db.table` of the table that the rows were for.
    pub(crate) target: String,
}

pub(crate) struct DorisWriter {
    pub(crate) table: String,
    pub(crate) changes: Changes,
    pub(crate) encoder: BodyEncoder,
    pub(crate) load: Arc<Mutex<TableLoad>>,
    pub(crate) misfits: Option<Misfits>,
    pub(crate) figures: Arc<LoadFigures>,
    pub(crate) rows: EncodedBatch,
}

/// Rows on their way.
struct Batch {
    columns: Vec<ArrayRef>,
    signs: Option<Int8Array>,
    rows: usize,
}

impl Batch {
    /// Returns the rows of `mask` only.
    fn filter(&self, mask: &BooleanArray) -> Result<Self, ConnectorError> {
        let filter = |array: &dyn arrow_array::Array| {
            arrow_select::filter::filter(array, mask).map_err(|error| {
                let text = "rows of a batch cannot be taken out";
                ConnectorError::new(ErrorKind::Internal, Retry::Never, text).caused_by(error)
            })
        };
        let columns = self.columns.iter().map(|column| filter(column));
        let signs = self.signs.as_ref().map(|signs| {
            let signs = signs.values().iter().zip(mask.values());
            let kept = signs.filter(|(_, is_kept)| *is_kept);
            kept.map(|(sign, _)| *sign).collect::<Vec<i8>>().into()
        });
        Ok(Self {
            columns: columns.collect::<Result<_, _>>()?,
            signs,
            rows: mask.true_count(),
        })
    }
}

impl SinkWriter for DorisWriter {
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError> {
        let sorted = self.changes.sort(rows.kinds, rows.rows, &self.table)?;
        LoadFigures::add(&self.figures.left_out_rows, sorted.left_out);
        let mut batch = Batch {
            columns: rows.columns.to_vec(),
            signs: None,
            rows: rows.rows,
        };
        if let Some(kept) = &sorted.kept {
            batch = batch.filter(kept)?;
        }
        batch.signs = sorted.signs;
        let mut written = Written {
            records: batch.rows as u64,
            bytes: 0,
            ..Written::default()
        };
        if let Some(misfits) = &mut self.misfits {
            let found = misfits.checker.misfits(&batch.columns);
            if !found.is_empty() {
                LoadFigures::add(&self.figures.bad_rows, found.len() as u64);
                written.bad_rows = found.len() as u64;
                let fits = mask(&found, batch.rows);
                written.bytes += misfits.tell(&batch, &found, &fits)?;
                batch = batch.filter(&fits)?;
            }
        }
        if batch.rows == 0 {
            return Ok(written);
        }
        self.encoder
            .encode(&batch.columns, batch.signs.as_ref(), &mut self.rows)
            .map_err(|bad| bad.into_error(&self.table))?;
        self.load.lock().write(&Piece {
            bytes: &self.rows.bytes,
            ends: &self.rows.ends,
            rows: batch.rows as u64,
        })?;
        written.bytes += self.rows.bytes.len() as u64;
        Ok(written)
    }
}

impl Misfits {
    /// Writes rows that do not fit into the dead-letter table, if there is one. Returns how many bytes they have there.
    fn tell(
        &mut self,
        batch: &Batch,
        found: &[Misfit],
        fits: &BooleanArray,
    ) -> Result<u64, ConnectorError> {
        let first = &found[0];
        tracing::warn!(
            rows = found.len(),
            column = first.column,
            reason = first.reason,
            "rows do not fit their table in Doris"
        );
        let Some(letters) = &mut self.letters else {
            return Ok(0);
        };
        let misfits = batch.filter(&fits.iter().map(|fits| fits.map(|fits| !fits)).collect())?;
        let mut contents = EncodedBatch::default();
        letters
            .body
            .encode(&misfits.columns, None, &mut contents)
            .map_err(|bad| bad.into_error(&letters.target))?;
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for (row, misfit) in found.iter().enumerate() {
            let content = String::from_utf8_lossy(contents.row(row));
            let text = letter(&letters.pipeline, &letters.target, misfit, &content);
            bytes.extend_from_slice(text.as_bytes());
            ends.push(bytes.len());
        }
        letters.load.lock().write(&Piece {
            bytes: &bytes,
            ends: &ends,
            rows: found.len() as u64,
        })?;
        Ok(bytes.len() as u64)
    }
}
