//! Upserts by key made a full changelog: `ChangelogNormalize`.

use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use crate::emit::Emitter;
use crate::keyed_value::KeyedValue;
use crate::ttl::Ttl;
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec};

const ROWS: TableId = TableId(0);

/// What a changelog normalizer is told.
#[derive(Clone, Debug)]
pub struct ChangelogNormalizeSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The primary key.
    pub key: Vec<usize>,
    /// Whether what comes after it needs the old row of an update.
    pub update_before: bool,
    /// `table.exec.state.ttl`.
    pub ttl: Option<Ttl>,
}

/// Keeps the last row of each key, so an upsert comes out as `-U` and `+U`, an insertion of what is there not at all, and a
/// deletion with all columns. It serves upsert sources and `table.exec.source.cdc-events-duplicate`.
///
/// # Flink
/// `ProcTimeDeduplicateKeepLastRowFunction` over a changelog. A `+U` that changes nothing is given out, as 1.17 compares
/// the row with its kind; with a time to live, a `+I` too, to keep what comes after from forgetting the row.
#[derive(Debug)]
pub struct ChangelogNormalize {
    spec: ChangelogNormalizeSpec,
    keys: RowCodec,
    rows: RowCodec,
    state: KeyedValue<Box<[u8]>>,
}

impl ChangelogNormalize {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: ChangelogNormalizeSpec) -> Result<Self, OperatorError> {
        Ok(Self {
            keys: RowCodec::new(spec.key.iter().map(|column| spec.columns[*column].clone()))?,
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            state: KeyedValue::new(ROWS, spec.ttl),
            spec,
        })
    }
}

impl Operator for ChangelogNormalize {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        self.state.expire(ctx.now_ms);
        let keys = self.keys.encode_some(&batch, &self.spec.key)?;
        let rows = self.rows.encode(&batch.columns, batch.rows)?;
        let mut emitter = Emitter::default();
        for row in 0..batch.rows {
            let (key, bytes) = (keys.row(row), rows.row(row));
            let slot = self.state.find(key, ctx.now_ms);
            match (batch.kind(row), slot) {
                (RowKind::Insert | RowKind::UpdateAfter, None) => {
                    emitter.input(RowKind::Insert, row);
                    self.state.set(key, bytes.into(), ctx.now_ms);
                }
                (RowKind::Insert | RowKind::UpdateAfter, Some(slot)) => {
                    let before = self.state.get(slot);
                    let inserted = batch.kind(row) == RowKind::Insert;
                    if inserted && self.spec.ttl.is_none() && **before == *bytes {
                        continue;
                    }
                    if self.spec.update_before {
                        emitter.stored(RowKind::UpdateBefore, before);
                    }
                    emitter.input(RowKind::UpdateAfter, row);
                    self.state.set(key, bytes.into(), ctx.now_ms);
                }
                (RowKind::UpdateBefore | RowKind::Delete, Some(slot)) => {
                    let before = self.state.remove(slot);
                    emitter.stored(RowKind::Delete, &before);
                }
                (RowKind::UpdateBefore | RowKind::Delete, None) => {}
            }
        }
        out.batch(emitter.finish(&self.rows, &batch.columns)?);
        Ok(())
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        self.state.snapshot(writer);
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| self.state.restore(change))?;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        (self.state.len() as u64, self.state.bytes() as u64)
    }
}

#[cfg(test)]
mod tests;
