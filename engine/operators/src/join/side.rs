//! The rows of one side of a join.

use std::sync::Arc;

use millrace_state::{Change, StateError, StateWriter, TableId};

use super::{JoinSideSpec, UniqueKey};
use crate::keyed_map::{EntryId, KeyedMap, PartitionId};
use crate::stored::{Stored, put_count, take_count};
use crate::{Batch, EncodedRows, OperatorError, RowCodec};

#[derive(Debug)]
pub(super) struct Side {
    pub(super) spec: JoinSideSpec,
    pub(super) keys: RowCodec,
    pub(super) rows: Arc<RowCodec>,
    uniques: Option<RowCodec>,
    state: KeyedMap<Kept>,
}

/// A row that stands. Without a unique key the row is the entry's key.
#[derive(Debug)]
struct Kept {
    /// How often it came and was not retracted.
    count: u32,
    /// How many rows of the other side it meets, where that is counted.
    meets: u32,
    row: Box<[u8]>,
}

impl Stored for Kept {
    fn write(&self, out: &mut Vec<u8>) {
        put_count(out, self.count.into());
        put_count(out, self.meets.into());
        out.extend_from_slice(&self.row);
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        Some(Self {
            count: take_count(&mut bytes)?.try_into().ok()?,
            meets: take_count(&mut bytes)?.try_into().ok()?,
            row: bytes.into(),
        })
    }

    fn bytes(&self) -> usize {
        self.row.len()
    }
}

impl Side {
    pub(super) fn new(table: TableId, spec: JoinSideSpec) -> Result<Self, OperatorError> {
        let codec = |columns: &[usize]| {
            RowCodec::new(columns.iter().map(|column| spec.columns[*column].clone()))
        };
        let uniques = match &spec.unique {
            UniqueKey::None | UniqueKey::JoinKey => None,
            UniqueKey::Columns(columns) => Some(codec(columns)?),
        };
        Ok(Self {
            keys: codec(&spec.key)?,
            rows: Arc::new(RowCodec::new(spec.columns.iter().cloned())?),
            uniques,
            state: KeyedMap::new(table, spec.ttl),
            spec,
        })
    }

    /// Encodes the unique key where rows are kept by it.
    pub(super) fn encode_unique(
        &self,
        batch: &Batch,
    ) -> Result<Option<EncodedRows>, OperatorError> {
        match (&self.uniques, &self.spec.unique) {
            (Some(codec), UniqueKey::Columns(columns)) => {
                Ok(Some(codec.encode_some(batch, columns)?))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn partition(&self, key: &[u8]) -> Option<PartitionId> {
        self.state.partition(key)
    }

    pub(super) fn entries(
        &self,
        partition: PartitionId,
        now_ms: i64,
    ) -> impl Iterator<Item = EntryId> {
        self.state.entries(partition, now_ms)
    }

    /// Returns how often a row stands, and how many rows of the other side it meets.
    pub(super) fn counts(&self, entry: EntryId) -> (u32, u32) {
        let kept = self.state.get(entry);
        (kept.count, kept.meets)
    }

    pub(super) fn set_meets(&mut self, entry: EntryId, meets: u32, now_ms: i64) {
        self.state.get_mut(entry, now_ms).meets = meets;
    }

    pub(super) fn row(&self, entry: EntryId) -> &[u8] {
        match self.spec.unique {
            UniqueKey::None => self.state.key(entry),
            UniqueKey::JoinKey | UniqueKey::Columns(_) => &self.state.get(entry).row,
        }
    }

    pub(super) fn add(&mut self, key: &[u8], unique: &[u8], row: &[u8], meets: u32, now_ms: i64) {
        let (entry_key, kept_row) = self.place(unique, row);
        let partition = self.state.partition(key);
        let found = partition.and_then(|partition| self.state.find(partition, entry_key, now_ms));
        match found {
            None => {
                let kept = Kept {
                    count: 1,
                    meets,
                    row: kept_row.into(),
                };
                self.state.insert(key, entry_key, kept, now_ms);
            }
            Some(entry) if self.spec.unique == UniqueKey::None => {
                let kept = self.state.get_mut(entry, now_ms);
                kept.count += 1;
                kept.meets = meets;
            }
            Some(entry) => {
                let kept = Kept {
                    count: 1,
                    meets,
                    row: kept_row.into(),
                };
                self.state.replace(entry, kept, now_ms);
            }
        }
    }

    /// Takes a row back; one that is not there is ignored, as its state may have been too old.
    pub(super) fn retract(&mut self, key: &[u8], unique: &[u8], row: &[u8], now_ms: i64) {
        let (entry_key, _) = self.place(unique, row);
        let partition = self.state.partition(key);
        let found = partition.and_then(|partition| self.state.find(partition, entry_key, now_ms));
        let Some(entry) = found else { return };
        if self.state.get(entry).count > 1 {
            self.state.get_mut(entry, now_ms).count -= 1;
        } else {
            self.state.remove(entry);
        }
    }

    /// Returns an entry's key and the row that is kept beside it.
    fn place<'a>(&self, unique: &'a [u8], row: &'a [u8]) -> (&'a [u8], &'a [u8]) {
        match self.spec.unique {
            UniqueKey::None => (row, &[]),
            UniqueKey::JoinKey => (&[], row),
            UniqueKey::Columns(_) => (unique, row),
        }
    }

    pub(super) fn expire(&mut self, now_ms: i64) {
        self.state.expire(now_ms);
    }

    pub(super) fn snapshot(&mut self, writer: &mut dyn StateWriter) {
        self.state.snapshot(writer);
    }

    pub(super) fn restore(&mut self, change: Change<'_>) -> Result<(), StateError> {
        self.state.restore(change)
    }

    pub(super) fn restored(&mut self) {
        self.state.restored();
    }

    pub(super) fn size(&self) -> (u64, u64) {
        (self.state.len() as u64, self.state.bytes() as u64)
    }
}
