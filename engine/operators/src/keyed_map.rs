//! Several values a key, each with a key of its own within it, in the order in which they came.

use millrace_state::{Change, StateError, StateWriter, TableId, key_hash};

use crate::index::{INDEX_ENTRY_BYTES, Index};
use crate::stored::{Stored, corrupt, put_count, take_count};
use crate::ttl::{Expiry, Ttl};

/// No slot.
const NONE: u32 = u32::MAX;

/// A table of state with a list of entries for each key (partition).
///
/// One index finds an entry by partition and entry key, so a partition of a million entries is as quick as a million
/// partitions; the entries of a partition are linked in the order of their insertion, which a checkpoint keeps.
#[derive(Debug)]
pub(crate) struct KeyedMap<V> {
    table: TableId,
    partition_index: Index,
    partitions: Vec<Partition>,
    free_partitions: Vec<u32>,
    entry_index: Index,
    entries: Vec<Entry<V>>,
    free_entries: Vec<u32>,
    dirty: Vec<u32>,
    /// Partition and key of entries that stand in the last snapshot and are gone since.
    removed: Vec<Removed>,
    next_number: u64,
    expiry: Expiry,
    bytes: usize,
}

/// Partition and key of an entry.
type Removed = (Box<[u8]>, Box<[u8]>);

/// The partition of a key; valid until one of its entries is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartitionId(u32);

/// An entry; valid until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EntryId(u32);

#[derive(Debug)]
struct Partition {
    key: Box<[u8]>,
    hash: u64,
    first: u32,
    last: u32,
    len: u32,
}

#[derive(Debug)]
struct Entry<V> {
    partition: u32,
    key: Box<[u8]>,
    hash: u64,
    previous: u32,
    next: u32,
    /// Counts entries in the order of insertion.
    number: u64,
    written_ms: i64,
    dirty: bool,
    persisted: bool,
    /// `None` = free.
    value: Option<V>,
}

impl<V: Stored> KeyedMap<V> {
    pub(crate) fn new(table: TableId, ttl: Option<Ttl>) -> Self {
        Self {
            table,
            partition_index: Index::default(),
            partitions: Vec::new(),
            free_partitions: Vec::new(),
            entry_index: Index::default(),
            entries: Vec::new(),
            free_entries: Vec::new(),
            dirty: Vec::new(),
            removed: Vec::new(),
            next_number: 0,
            expiry: Expiry::new(ttl),
            bytes: 0,
        }
    }

    /// Returns how many entries it holds.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.free_entries.len()
    }

    /// Returns about how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let partitions = self.partitions.len() - self.free_partitions.len();
        let index = INDEX_ENTRY_BYTES;
        self.bytes
            + self.len() * (size_of::<Entry<V>>() + index)
            + partitions * (size_of::<Partition>() + index)
    }

    pub(crate) fn partition(&self, key: &[u8]) -> Option<PartitionId> {
        self.partition_of(key_hash(key), key)
    }

    fn partition_of(&self, hash: u64, key: &[u8]) -> Option<PartitionId> {
        let is = |slot: u32| *self.partitions[slot as usize].key == *key;
        self.partition_index.find(hash, is).map(PartitionId)
    }

    /// Returns the entries of a partition that are not too old, in the order in which they came.
    pub(crate) fn entries(
        &self,
        partition: PartitionId,
        now_ms: i64,
    ) -> impl Iterator<Item = EntryId> + '_ {
        let first = self.partitions[partition.0 as usize].first;
        let mut next = first;
        std::iter::from_fn(move || {
            while next != NONE {
                let slot = next;
                let entry = &self.entries[slot as usize];
                next = entry.next;
                if !self.expiry.is_over(entry.written_ms, now_ms) {
                    return Some(EntryId(slot));
                }
            }
            None
        })
    }

    /// Returns the entry that came last, if it is not too old.
    pub(crate) fn last(&self, partition: PartitionId, now_ms: i64) -> Option<EntryId> {
        let mut slot = self.partitions[partition.0 as usize].last;
        while slot != NONE {
            let entry = &self.entries[slot as usize];
            if !self.expiry.is_over(entry.written_ms, now_ms) {
                return Some(EntryId(slot));
            }
            slot = entry.previous;
        }
        None
    }

    /// Returns the entry of a partition with this key that is not too old.
    pub(crate) fn find(&self, partition: PartitionId, key: &[u8], now_ms: i64) -> Option<EntryId> {
        let hash = self.entry_hash(partition, key);
        let slot = self
            .entry_index
            .find(hash, |slot| self.is(slot, partition, key))?;
        let written_ms = self.entries[slot as usize].written_ms;
        (!self.expiry.is_over(written_ms, now_ms)).then_some(EntryId(slot))
    }

    pub(crate) fn key(&self, entry: EntryId) -> &[u8] {
        &self.entries[entry.0 as usize].key
    }

    pub(crate) fn get(&self, entry: EntryId) -> &V {
        let value = self.entries[entry.0 as usize].value.as_ref();
        value.expect("an entry in use has a value")
    }

    /// Returns the value for a change.
    pub(crate) fn get_mut(&mut self, entry: EntryId, now_ms: i64) -> &mut V {
        self.touch(entry.0, now_ms);
        let value = self.entries[entry.0 as usize].value.as_mut();
        value.expect("an entry in use has a value")
    }

    /// Sets the value of an entry, which keeps its place.
    pub(crate) fn replace(&mut self, entry: EntryId, value: V, now_ms: i64) {
        self.bytes += value.bytes();
        let old = self.entries[entry.0 as usize].value.replace(value);
        self.bytes -= old.map_or(0, |old| old.bytes());
        self.touch(entry.0, now_ms);
    }

    /// Adds an entry behind the others of its partition, or takes the place of one that is too old.
    pub(crate) fn insert(
        &mut self,
        partition: &[u8],
        key: &[u8],
        value: V,
        now_ms: i64,
    ) -> EntryId {
        let partition = self.partition_for(partition);
        let hash = self.entry_hash(partition, key);
        let stale = self
            .entry_index
            .find(hash, |slot| self.is(slot, partition, key));
        if let Some(slot) = stale {
            debug_assert!(
                self.expiry
                    .is_over(self.entries[slot as usize].written_ms, now_ms)
            );
            self.unlink(slot);
            self.link(slot, partition);
            self.replace(EntryId(slot), value, now_ms);
            return EntryId(slot);
        }
        self.bytes += key.len() + value.bytes();
        let slot = self.new_entry(Entry {
            partition: partition.0,
            key: key.into(),
            hash,
            previous: NONE,
            next: NONE,
            number: 0,
            written_ms: i64::MIN,
            dirty: false,
            persisted: false,
            value: Some(value),
        });
        self.entry_index.insert(hash, slot);
        self.link(slot, partition);
        self.touch(slot, now_ms);
        EntryId(slot)
    }

    /// Removes an entry, and its partition with the last one.
    pub(crate) fn remove(&mut self, entry: EntryId) -> V {
        let slot = entry.0;
        self.unlink(slot);
        let place = &mut self.entries[slot as usize];
        let value = place.value.take().expect("an entry in use has a value");
        let key = std::mem::take(&mut place.key);
        let partition = place.partition as usize;
        self.bytes -= key.len() + value.bytes();
        self.entry_index.remove(place.hash, slot);
        let persisted = std::mem::take(&mut place.persisted);
        self.free_entries.push(slot);
        if self.partitions[partition].len > 0 {
            if persisted {
                let partition = self.partitions[partition].key.clone();
                self.removed.push((partition, key));
            }
            return value;
        }
        let partition_key = self.remove_partition(partition);
        if persisted {
            self.removed.push((partition_key, key));
        }
        value
    }

    /// Removes entries that are too old; what it costs follows from how many those are.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        while let Some(slots) = self.expiry.take_due(now_ms) {
            for slot in slots {
                let place = &self.entries[slot as usize];
                if place.value.is_some() && self.expiry.is_over(place.written_ms, now_ms) {
                    self.remove(EntryId(slot));
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
        let mut buffer = Vec::new();
        for slot in self.dirty.drain(..) {
            let entry = &mut self.entries[slot as usize];
            let dirty = std::mem::take(&mut entry.dirty);
            let Some(value) = entry.value.as_ref().filter(|_| dirty) else {
                continue;
            };
            buffer.clear();
            put_count(&mut buffer, entry.number);
            self.expiry.write(entry.written_ms, &mut buffer);
            value.write(&mut buffer);
            writer.write(Change {
                table,
                partition: &self.partitions[entry.partition as usize].key,
                key: &entry.key,
                value: Some(&buffer),
            });
            entry.persisted = true;
        }
    }

    /// Takes an entry of its table back; [`KeyedMap::restored`] is called behind the last.
    pub(crate) fn restore(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let mut rest = change.value.ok_or_else(|| corrupt("a removed entry"))?;
        let number = take_count(&mut rest).ok_or_else(|| corrupt("the number of an entry"))?;
        let written_ms = self.expiry.read(&mut rest)?;
        let value = V::read(rest).ok_or_else(|| corrupt("a value"))?;
        let entry = self.insert(change.partition, change.key, value, written_ms);
        let place = &mut self.entries[entry.0 as usize];
        place.number = number;
        place.persisted = true;
        place.dirty = false;
        self.dirty.clear();
        Ok(())
    }

    /// Puts restored entries into the order in which they once came.
    pub(crate) fn restored(&mut self) {
        let mut order = Vec::new();
        for partition in 0..self.partitions.len() {
            if self.partitions[partition].len < 2 {
                continue;
            }
            order.clear();
            let mut slot = self.partitions[partition].first;
            while slot != NONE {
                order.push(slot);
                slot = self.entries[slot as usize].next;
            }
            order.sort_unstable_by_key(|slot| self.entries[*slot as usize].number);
            for (index, slot) in order.iter().enumerate() {
                let entry = &mut self.entries[*slot as usize];
                entry.previous = index.checked_sub(1).map_or(NONE, |index| order[index]);
                entry.next = order.get(index + 1).copied().unwrap_or(NONE);
            }
            self.partitions[partition].first = order[0];
            self.partitions[partition].last = order[order.len() - 1];
        }
        let numbers = self.entries.iter().map(|entry| entry.number + 1);
        self.next_number = numbers.max().unwrap_or(0);
    }

    fn is(&self, slot: u32, partition: PartitionId, key: &[u8]) -> bool {
        let entry = &self.entries[slot as usize];
        entry.partition == partition.0 && *entry.key == *key
    }

    fn entry_hash(&self, partition: PartitionId, key: &[u8]) -> u64 {
        let partition = self.partitions[partition.0 as usize].hash;
        key_hash(key) ^ partition.rotate_left(29)
    }

    fn touch(&mut self, slot: u32, now_ms: i64) {
        let entry = &mut self.entries[slot as usize];
        self.expiry.touch(slot, entry.written_ms, now_ms);
        entry.written_ms = now_ms;
        if !std::mem::replace(&mut entry.dirty, true) {
            self.dirty.push(slot);
        }
    }

    fn link(&mut self, slot: u32, partition: PartitionId) {
        let place = &mut self.partitions[partition.0 as usize];
        let entry = &mut self.entries[slot as usize];
        entry.number = self.next_number;
        self.next_number += 1;
        entry.previous = place.last;
        entry.next = NONE;
        if place.last == NONE {
            place.first = slot;
        } else {
            self.entries[place.last as usize].next = slot;
        }
        place.last = slot;
        place.len += 1;
    }

    fn unlink(&mut self, slot: u32) {
        let entry = &self.entries[slot as usize];
        let (previous, next) = (entry.previous, entry.next);
        let partition = &mut self.partitions[entry.partition as usize];
        partition.len -= 1;
        if previous == NONE {
            partition.first = next;
        } else {
            self.entries[previous as usize].next = next;
        }
        if next == NONE {
            partition.last = previous;
        } else {
            self.entries[next as usize].previous = previous;
        }
    }

    fn new_entry(&mut self, entry: Entry<V>) -> u32 {
        let Some(slot) = self.free_entries.pop() else {
            self.entries.push(entry);
            return count(self.entries.len() - 1);
        };
        let dirty = self.entries[slot as usize].dirty;
        self.entries[slot as usize] = Entry { dirty, ..entry };
        slot
    }

    fn partition_for(&mut self, key: &[u8]) -> PartitionId {
        let hash = key_hash(key);
        if let Some(partition) = self.partition_of(hash, key) {
            return partition;
        }
        let partitions = &mut self.partitions;
        let partition = Partition {
            key: key.into(),
            hash,
            first: NONE,
            last: NONE,
            len: 0,
        };
        self.bytes += key.len();
        let slot = if let Some(slot) = self.free_partitions.pop() {
            partitions[slot as usize] = partition;
            slot
        } else {
            partitions.push(partition);
            count(partitions.len() - 1)
        };
        self.partition_index.insert(hash, slot);
        PartitionId(slot)
    }

    fn remove_partition(&mut self, partition: usize) -> Box<[u8]> {
        let slot = count(partition);
        let place = &mut self.partitions[partition];
        self.partition_index.remove(place.hash, slot);
        let key = std::mem::take(&mut place.key);
        self.bytes -= key.len();
        self.free_partitions.push(slot);
        key
    }
}

fn count(index: usize) -> u32 {
    let slot = u32::try_from(index).expect("slots are counted in 32 bits");
    assert!(slot < NONE, "slots are counted in 32 bits");
    slot
}
