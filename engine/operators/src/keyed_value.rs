//! One value a key, with note of what changed since the last snapshot and of what is too old.

use millrace_state::{Change, StateError, StateWriter, TableId, key_hash};

use crate::index::{INDEX_ENTRY_BYTES, Index};
use crate::stored::{Stored, corrupt};
use crate::ttl::{Expiry, Ttl};

/// A table of state with one value for each key.
///
/// Values are read and written by the slot of their key, so a key is hashed once a row. A slot stays what it is until
/// its value is removed.
#[derive(Debug)]
pub(crate) struct KeyedValue<V> {
    table: TableId,
    index: Index,
    slots: Vec<Slot<V>>,
    free: Vec<u32>,
    dirty: Vec<u32>,
    /// Keys whose value stands in the last snapshot and is gone since; a key may be back, then it is dirty too.
    removed: Vec<Box<[u8]>>,
    expiry: Expiry,
    bytes: usize,
}

#[derive(Debug)]
struct Slot<V> {
    key: Box<[u8]>,
    hash: u64,
    /// `None` = free.
    value: Option<V>,
    written_ms: i64,
    dirty: bool,
    /// Whether the last snapshot, or one before, has the value.
    persisted: bool,
}

impl<V: Stored> KeyedValue<V> {
    pub(crate) fn new(table: TableId, ttl: Option<Ttl>) -> Self {
        Self {
            table,
            index: Index::default(),
            slots: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            removed: Vec::new(),
            expiry: Expiry::new(ttl),
            bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Returns about how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes + self.len() * (size_of::<Slot<V>>() + INDEX_ENTRY_BYTES)
    }

    /// Returns the slot of a key that has a value which is not too old.
    pub(crate) fn find(&self, key: &[u8], now_ms: i64) -> Option<u32> {
        let slot = self.slot_of(key_hash(key), key)?;
        (!self
            .expiry
            .is_over(self.slots[slot as usize].written_ms, now_ms))
        .then_some(slot)
    }

    pub(crate) fn get(&self, slot: u32) -> &V {
        let value = self.slots[slot as usize].value.as_ref();
        value.expect("a slot in use has a value")
    }

    /// Sets the value of a key and returns its slot.
    pub(crate) fn set(&mut self, key: &[u8], value: V, now_ms: i64) -> u32 {
        let slot = self.slot_for(key);
        self.bytes += value.bytes();
        let old = self.slots[slot as usize].value.replace(value);
        self.bytes -= old.map_or(0, |old| old.bytes());
        self.touch(slot, now_ms);
        slot
    }

    /// Removes the value in a slot.
    pub(crate) fn remove(&mut self, slot: u32) -> V {
        let place = &mut self.slots[slot as usize];
        let value = place.value.take().expect("a slot in use has a value");
        let key = std::mem::take(&mut place.key);
        self.bytes -= value.bytes() + key.len();
        self.index.remove(place.hash, slot);
        if place.persisted {
            self.removed.push(key);
        }
        place.persisted = false;
        self.free.push(slot);
        value
    }

    /// Removes values that are too old; what it costs follows from how many those are.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        while let Some(slots) = self.expiry.take_due(now_ms) {
            for slot in slots {
                let place = &self.slots[slot as usize];
                if place.value.is_some() && self.expiry.is_over(place.written_ms, now_ms) {
                    self.remove(slot);
                }
            }
        }
    }

    /// Tells whether a slot has a value.
    pub(crate) fn is_used(&self, slot: u32) -> bool {
        self.slots[slot as usize].value.is_some()
    }

    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        &self.slots[slot as usize].key
    }

    pub(crate) fn snapshot(&mut self, writer: &mut dyn StateWriter) {
        let table = self.table;
        for key in self.removed.drain(..) {
            writer.write(Change {
                table,
                partition: &key,
                key: &[],
                value: None,
            });
        }
        let mut buffer = Vec::new();
        for slot in self.dirty.drain(..) {
            let slot = &mut self.slots[slot as usize];
            let dirty = std::mem::take(&mut slot.dirty);
            let Some(value) = slot.value.as_ref().filter(|_| dirty) else {
                continue;
            };
            buffer.clear();
            self.expiry.write(slot.written_ms, &mut buffer);
            value.write(&mut buffer);
            writer.write(Change {
                table,
                partition: &slot.key,
                key: &[],
                value: Some(&buffer),
            });
            slot.persisted = true;
        }
    }

    /// Takes an entry of its table back.
    pub(crate) fn restore(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let value = change.value.ok_or_else(|| corrupt("a removed entry"))?;
        let mut rest = value;
        let written_ms = self.expiry.read(&mut rest)?;
        let value = V::read(rest).ok_or_else(|| corrupt("a value"))?;
        let slot = self.set(change.partition, value, written_ms);
        let place = &mut self.slots[slot as usize];
        place.persisted = true;
        place.dirty = false;
        self.dirty.clear();
        Ok(())
    }

    fn touch(&mut self, slot: u32, now_ms: i64) {
        let place = &mut self.slots[slot as usize];
        self.expiry.touch(slot, place.written_ms, now_ms);
        place.written_ms = now_ms;
        if !std::mem::replace(&mut place.dirty, true) {
            self.dirty.push(slot);
        }
    }

    fn slot_of(&self, hash: u64, key: &[u8]) -> Option<u32> {
        let is = |slot: u32| *self.slots[slot as usize].key == *key;
        self.index.find(hash, is)
    }

    fn slot_for(&mut self, key: &[u8]) -> u32 {
        let hash = key_hash(key);
        if let Some(slot) = self.slot_of(hash, key) {
            return slot;
        }
        let slots = &mut self.slots;
        let slot = self.free.pop().unwrap_or_else(|| {
            let next = u32::try_from(slots.len()).expect("slots are counted in 32 bits");
            slots.push(Slot {
                key: Box::default(),
                hash: 0,
                value: None,
                written_ms: i64::MIN,
                dirty: false,
                persisted: false,
            });
            next
        });
        self.index.insert(hash, slot);
        let place = &mut self.slots[slot as usize];
        place.key = key.into();
        place.hash = hash;
        place.written_ms = i64::MIN;
        self.bytes += key.len();
        slot
    }
}
