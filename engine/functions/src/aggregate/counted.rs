//! How often each value of a group is there: a hash table over the values of all groups.

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use super::codec::Fixed;
use super::state::EntryVisitor;

const NONE: u32 = u32::MAX;

/// Values as bytes, each with a count that is not 0.
#[derive(Debug, Default)]
pub(super) struct Counted {
    hasher: DefaultHashBuilder,
    index: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The first slot of each group; the others hang on it.
    heads: Vec<u32>,
    changed: Vec<u32>,
    /// Values that the last checkpoint has and that are gone since.
    removed: Vec<(u32, Box<[u8]>)>,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    value: Box<[u8]>,
    hash: u64,
    count: i64,
    group: u32,
    next: u32,
    previous: u32,
    /// Whether it stands in `changed`.
    is_changed: bool,
    /// Whether a checkpoint has it.
    is_kept: bool,
}

impl Counted {
    pub(super) fn resize(&mut self, groups: usize) {
        self.heads.resize(groups, NONE);
    }

    /// Changes a value's count and returns it as it is then.
    pub(super) fn change(&mut self, group: u32, value: &[u8], by: i64) -> i64 {
        let slot = self.slot(group, value);
        let place = &mut self.slots[slot as usize];
        place.count += by;
        let count = place.count;
        if count == 0 {
            self.remove(slot);
        } else if !std::mem::replace(&mut place.is_changed, true) {
            self.changed.push(slot);
        }
        count
    }

    /// Returns the values of a group with their counts, the last that came first.
    pub(super) fn of_group(&self, group: u32) -> impl Iterator<Item = (&[u8], i64)> {
        let mut slot = self.heads[group as usize];
        std::iter::from_fn(move || {
            let place = self.slots.get(slot as usize)?;
            slot = place.next;
            Some((&*place.value, place.count))
        })
    }

    pub(super) fn reset(&mut self, group: u32) {
        while self.heads[group as usize] != NONE {
            self.remove(self.heads[group as usize]);
        }
    }

    /// Adds the counts of another group.
    pub(super) fn merge(&mut self, into: u32, from: u32) {
        let values: Vec<(Box<[u8]>, i64)> = self
            .of_group(from)
            .map(|(value, count)| (value.into(), count))
            .collect();
        for (value, count) in values.into_iter().rev() {
            self.change(into, &value, count);
        }
    }

    pub(super) fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        // A value may be gone and back since: its removal comes first.
        for (group, value) in self.removed.drain(..) {
            visit(group, &value, None);
        }
        for slot in self.changed.drain(..) {
            let place = &mut self.slots[slot as usize];
            if std::mem::take(&mut place.is_changed) && place.count != 0 {
                place.is_kept = true;
                visit(place.group, &place.value, Some(&place.count.to_be_bytes()));
            }
        }
    }

    pub(super) fn read_entry(&mut self, group: u32, key: &[u8], mut value: &[u8]) -> Option<()> {
        let count = i64::take(&mut value)?;
        let slot = self.slot(group, key);
        let place = &mut self.slots[slot as usize];
        place.count = count;
        place.is_kept = true;
        Some(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.slots.capacity() * size_of::<Slot>() + self.index.capacity() * 5
    }

    fn slot(&mut self, group: u32, value: &[u8]) -> u32 {
        let hash = self.hasher.hash_one((group, value));
        let slots = &mut self.slots;
        let entry = self.index.entry(
            hash,
            |slot| {
                let slot = &slots[*slot as usize];
                slot.hash == hash && slot.group == group && *slot.value == *value
            },
            |slot| slots[*slot as usize].hash,
        );
        let vacant = match entry {
            Entry::Occupied(found) => return *found.get(),
            Entry::Vacant(vacant) => vacant,
        };
        let next = self.heads[group as usize];
        let place = Slot {
            value: value.into(),
            hash,
            count: 0,
            group,
            next,
            previous: NONE,
            is_changed: false,
            is_kept: false,
        };
        self.bytes += value.len();
        let slot = if let Some(slot) = self.free.pop() {
            // A slot that is used again may still stand in the list of changes.
            let is_changed = slots[slot as usize].is_changed;
            slots[slot as usize] = Slot {
                is_changed,
                ..place
            };
            slot
        } else {
            slots.push(place);
            u32::try_from(slots.len() - 1).expect("values are counted in 32 bits")
        };
        vacant.insert(slot);
        if next != NONE {
            slots[next as usize].previous = slot;
        }
        self.heads[group as usize] = slot;
        slot
    }

    fn remove(&mut self, slot: u32) {
        let place = &mut self.slots[slot as usize];
        let value = std::mem::take(&mut place.value);
        place.count = 0;
        let (group, next, previous) = (place.group, place.next, place.previous);
        self.bytes -= value.len();
        if place.is_kept {
            self.removed.push((group, value));
        }
        let entry = self.index.find_entry(place.hash, |other| *other == slot);
        if let Ok(entry) = entry {
            entry.remove();
        }
        match self.slots.get_mut(previous as usize) {
            Some(previous) => previous.next = next,
            None => self.heads[group as usize] = next,
        }
        if let Some(next) = self.slots.get_mut(next as usize) {
            next.previous = previous;
        }
        self.free.push(slot);
    }
}
