//! Rows of each key in a sorted list, with note of what changed since the last snapshot and of what is too old.

mod list;

use millrace_state::{Change, StateError, StateWriter, TableId, key_hash};

pub(crate) use self::list::{SortedRow, SortedRows};
use crate::index::{INDEX_ENTRY_BYTES, Index};
use crate::stored::{corrupt, put_bytes, take_bytes};
use crate::ttl::{Expiry, Ttl};

/// A table of state with a sorted list of rows for each key. An entry of a checkpoint is a row; its key is the sort key and
/// a number that keeps the order of arrival.
#[derive(Debug)]
pub(crate) struct KeyedSorted {
    table: TableId,
    index: Index,
    partitions: Vec<Partition>,
    free: Vec<u32>,
    dirty: Vec<u32>,
    removed: Vec<(Box<[u8]>, Vec<u8>)>,
    next_number: u64,
    expiry: Expiry,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Partition {
    key: Box<[u8]>,
    hash: u64,
    /// A little of its memory stays with the slot.
    rows: SortedRows,
    in_use: bool,
    dirty: bool,
    written_ms: i64,
    /// No row was written before.
    oldest_ms: i64,
}

impl KeyedSorted {
    pub(crate) fn new(table: TableId, ttl: Option<Ttl>) -> Self {
        Self {
            table,
            index: Index::default(),
            partitions: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            removed: Vec::new(),
            next_number: 0,
            expiry: Expiry::new(ttl),
            rows: 0,
            bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    pub(crate) fn bytes(&self) -> usize {
        let partitions = self.partitions.len() - self.free.len();
        self.bytes + partitions * (size_of::<Partition>() + INDEX_ENTRY_BYTES)
    }

    /// Returns the partition of a key, without rows that are too old. [`KeyedSorted::done`] is called behind its changes.
    pub(crate) fn partition(&mut self, key: &[u8], now_ms: i64) -> u32 {
        let slot = self.slot_for(key);
        let oldest_ms = self.partitions[slot as usize].oldest_ms;
        if self.expiry.is_over(oldest_ms, now_ms) {
            self.prune(slot, now_ms);
        }
        slot
    }

    /// Returns the partition of a key that has one.
    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        self.slot_of(key_hash(key), key)
    }

    fn slot_of(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let is = |slot: u32| *self.partitions[slot as usize].key == *key;
        self.index.find(hash, is)
    }

    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        &self.partitions[slot as usize].key
    }

    /// Forgets a partition that has no row left.
    pub(crate) fn done(&mut self, slot: u32) {
        let partition = &mut self.partitions[slot as usize];
        if partition.rows.len() > 0 {
            return;
        }
        if partition.in_use {
            partition.in_use = false;
            partition.rows.release();
            self.index.remove(partition.hash, slot);
            self.bytes -= partition.key.len();
            partition.key = Box::default();
            self.free.push(slot);
        }
    }

    pub(crate) fn rows(&self, slot: u32) -> &SortedRows {
        &self.partitions[slot as usize].rows
    }

    /// Puts a row behind those of its sort key and returns its place.
    pub(crate) fn insert(
        &mut self,
        slot: u32,
        sort: &[u8],
        tag: &[u8],
        row: &[u8],
        now_ms: i64,
    ) -> usize {
        let row = SortedRow::new(sort, tag, row, self.next_number, now_ms);
        self.next_number += 1;
        self.put(
            slot,
            self.partitions[slot as usize].rows.upper_bound(sort),
            row,
        )
    }

    /// Puts another row of the same sort key into a place.
    pub(crate) fn replace(
        &mut self,
        slot: u32,
        place: usize,
        tag: &[u8],
        row: &[u8],
        now_ms: i64,
    ) -> SortedRow {
        let rows = &mut self.partitions[slot as usize].rows;
        let old = rows.remove(place);
        let mut new = SortedRow::new(old.sort(), tag, row, old.number, now_ms);
        new.persisted = old.persisted;
        self.rows -= 1;
        self.bytes -= old.bytes();
        self.put(slot, place, new);
        old
    }

    /// Changes the tag of a row, whose length stays.
    pub(crate) fn set_tag(&mut self, slot: u32, place: usize, tag: &[u8]) {
        let partition = &mut self.partitions[slot as usize];
        partition.rows.set_tag(place, tag);
        if !std::mem::replace(&mut partition.dirty, true) {
            self.dirty.push(slot);
        }
    }

    pub(crate) fn remove(&mut self, slot: u32, place: usize) -> SortedRow {
        let partition = &mut self.partitions[slot as usize];
        let row = partition.rows.remove(place);
        self.rows -= 1;
        self.bytes -= row.bytes();
        if row.persisted {
            self.removed.push((partition.key.clone(), entry_key(&row)));
        }
        row
    }

    pub(crate) fn expire(&mut self, now_ms: i64) {
        while let Some(slots) = self.expiry.take_due(now_ms) {
            for slot in slots {
                if self.partitions[slot as usize].rows.len() > 0 {
                    self.prune(slot, now_ms);
                    self.done(slot);
                }
            }
        }
    }

    pub(crate) fn snapshot(&mut self, writer: &mut dyn StateWriter) {
        let table = self.table;
        for (partition, key) in self.removed.drain(..) {
            writer.write(Change {
                table,
                partition: &partition,
                key: &key,
                value: None,
            });
        }
        let mut value = Vec::new();
        for slot in self.dirty.drain(..) {
            let partition = &mut self.partitions[slot as usize];
            partition.dirty = false;
            for row in partition.rows.take_dirty() {
                value.clear();
                self.expiry.write(row.written_ms, &mut value);
                put_bytes(&mut value, row.tag());
                value.extend_from_slice(row.row());
                writer.write(Change {
                    table,
                    partition: &partition.key,
                    key: &entry_key(row),
                    value: Some(&value),
                });
                row.persisted = true;
            }
        }
    }

    /// Takes an entry of its table back and returns its partition.
    pub(crate) fn restore(&mut self, change: Change<'_>) -> Result<u32, StateError> {
        let mut value = change.value.ok_or_else(|| corrupt("a removed row"))?;
        let written_ms = self.expiry.read(&mut value)?;
        let tag = take_bytes(&mut value).ok_or_else(|| corrupt("the tag of a row"))?;
        let (sort, number) = change
            .key
            .split_last_chunk()
            .ok_or_else(|| corrupt("the place of a row"))?;
        let mut row = SortedRow::new(sort, tag, value, u64::from_be_bytes(*number), written_ms);
        row.dirty = false;
        row.persisted = true;
        self.next_number = self.next_number.max(row.number + 1);
        let slot = self.slot_for(change.partition);
        let rows = &self.partitions[slot as usize].rows;
        let place = rows.bound(|other| (other.sort(), other.number) < (row.sort(), row.number));
        self.put(slot, place, row);
        Ok(slot)
    }

    fn put(&mut self, slot: u32, place: usize, row: SortedRow) -> usize {
        self.rows += 1;
        self.bytes += row.bytes();
        let partition = &mut self.partitions[slot as usize];
        self.expiry
            .touch(slot, partition.written_ms, row.written_ms);
        partition.written_ms = row.written_ms;
        partition.oldest_ms = partition.oldest_ms.min(row.written_ms);
        if row.dirty && !std::mem::replace(&mut partition.dirty, true) {
            self.dirty.push(slot);
        }
        partition.rows.insert(place, row);
        place
    }

    /// Removes rows that are too old.
    fn prune(&mut self, slot: u32, now_ms: i64) {
        let mut place = 0;
        let mut oldest_ms = i64::MAX;
        while let Some(row) = self.partitions[slot as usize].rows.get(place) {
            if self.expiry.is_over(row.written_ms, now_ms) {
                self.remove(slot, place);
            } else {
                oldest_ms = oldest_ms.min(row.written_ms);
                place += 1;
            }
        }
        self.partitions[slot as usize].oldest_ms = oldest_ms;
    }

    fn slot_for(&mut self, key: &[u8]) -> u32 {
        let hash = key_hash(key);
        if let Some(slot) = self.slot_of(hash, key) {
            return slot;
        }
        let partitions = &mut self.partitions;
        let new = Partition {
            key: key.into(),
            hash,
            rows: SortedRows::default(),
            in_use: true,
            dirty: false,
            written_ms: i64::MIN,
            oldest_ms: i64::MAX,
        };
        self.bytes += key.len();
        let slot = if let Some(slot) = self.free.pop() {
            let old = &mut partitions[slot as usize];
            let (dirty, rows) = (old.dirty, std::mem::take(&mut old.rows));
            *old = Partition { dirty, rows, ..new };
            slot
        } else {
            partitions.push(new);
            u32::try_from(partitions.len() - 1).expect("partitions are counted in 32 bits")
        };
        self.index.insert(hash, slot);
        slot
    }
}

fn entry_key(row: &SortedRow) -> Vec<u8> {
    let mut key = row.sort().to_vec();
    key.extend_from_slice(&row.number.to_be_bytes());
    key
}
