//! Changes put into the order of a sink's key: `upsertMaterialize`.

use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{StateReader, StateWriter, TableId};

use crate::emit::Emitter;
use crate::keyed_map::{EntryId, KeyedMap};
use crate::ttl::Ttl;
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec};

const ROWS: TableId = TableId(0);

/// What a materializer in front of a sink is told.
#[derive(Clone, Debug)]
pub struct SinkMaterializeSpec {
    /// The columns' types.
    pub columns: Vec<DataType>,
    /// The sink's primary key.
    pub key: Vec<usize>,
    /// The upsert key of what comes in: a later row of this key takes an earlier one's place. `None` = there is none, so
    /// rows are told apart by all their columns.
    pub input_key: Option<Vec<usize>>,
    /// `table.exec.state.ttl`.
    pub ttl: Option<Ttl>,
}

/// Keeps all rows of each key of a sink whose input has another key, so that the row shown is always the last one that
/// still stands.
///
/// # Flink
/// `SinkUpsertMaterializer`. A retracted row that is not there is ignored.
#[derive(Debug)]
pub struct SinkMaterialize {
    spec: SinkMaterializeSpec,
    keys: RowCodec,
    rows: RowCodec,
    input_keys: Option<RowCodec>,
    state: KeyedMap<Box<[u8]>>,
    next_row: u64,
}

impl SinkMaterialize {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A type that has no place in state.
    pub fn new(spec: SinkMaterializeSpec) -> Result<Self, OperatorError> {
        let codec = |columns: &[usize]| {
            RowCodec::new(columns.iter().map(|column| spec.columns[*column].clone()))
        };
        Ok(Self {
            keys: codec(&spec.key)?,
            rows: RowCodec::new(spec.columns.iter().cloned())?,
            input_keys: spec.input_key.as_deref().map(codec).transpose()?,
            state: KeyedMap::new(ROWS, spec.ttl),
            next_row: 0,
            spec,
        })
    }

    fn add(&mut self, key: &[u8], input_key: Option<&[u8]>, row: &[u8], now_ms: i64) -> RowKind {
        let kind = match self.last(key, now_ms) {
            Some(_) => RowKind::UpdateAfter,
            None => RowKind::Insert,
        };
        match input_key {
            Some(input_key) => match self.find(key, Some(input_key), row, now_ms) {
                Some(entry) => self.state.replace(entry, row.into(), now_ms),
                None => {
                    self.state.insert(key, input_key, row.into(), now_ms);
                }
            },
            None => {
                let number = self.next_row.to_be_bytes();
                self.next_row += 1;
                self.state.insert(key, &number, row.into(), now_ms);
            }
        }
        kind
    }

    fn last(&self, key: &[u8], now_ms: i64) -> Option<EntryId> {
        let partition = self.state.partition(key)?;
        self.state.last(partition, now_ms)
    }

    fn find(
        &self,
        key: &[u8],
        input_key: Option<&[u8]>,
        row: &[u8],
        now_ms: i64,
    ) -> Option<EntryId> {
        let partition = self.state.partition(key)?;
        match input_key {
            Some(input_key) => self.state.find(partition, input_key, now_ms),
            None => self
                .state
                .entries(partition, now_ms)
                .find(|entry| **self.state.get(*entry) == *row),
        }
    }
}

impl Operator for SinkMaterialize {
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
        let input_keys = match (&self.input_keys, &self.spec.input_key) {
            (Some(codec), Some(columns)) => Some(codec.encode_some(&batch, columns)?),
            _ => None,
        };
        let mut emitter = Emitter::default();
        for row in 0..batch.rows {
            let (key, bytes) = (keys.row(row), rows.row(row));
            let input_key = input_keys.as_ref().map(|keys| keys.row(row));
            match batch.kind(row) {
                RowKind::Insert | RowKind::UpdateAfter => {
                    let kind = self.add(key, input_key, bytes, ctx.now_ms);
                    emitter.input(kind, row);
                }
                RowKind::UpdateBefore | RowKind::Delete => {
                    let Some(entry) = self.find(key, input_key, bytes, ctx.now_ms) else {
                        continue;
                    };
                    let was_last = self.last(key, ctx.now_ms) == Some(entry);
                    self.state.remove(entry);
                    match self.last(key, ctx.now_ms) {
                        None => emitter.input(RowKind::Delete, row),
                        Some(last) if was_last => {
                            emitter.stored(RowKind::UpdateAfter, self.state.get(last));
                        }
                        Some(_) => {}
                    }
                }
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
        reader.for_each(&mut |change| {
            if let Ok(number) = change.key.try_into().map(u64::from_be_bytes) {
                self.next_row = self.next_row.max(number.saturating_add(1));
            }
            self.state.restore(change)
        })?;
        self.state.restored();
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        (self.state.len() as u64, self.state.bytes() as u64)
    }
}

#[cfg(test)]
mod tests;
