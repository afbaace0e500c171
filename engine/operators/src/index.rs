//! Slots by the hash of their key.

use hashbrown::HashTable;

/// Finds slots by the hash of what stands in them. Half of the hash stands beside each slot, so that a probe looks only at
/// slots whose hash is the same, and growing looks at none.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: HashTable<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    slot: u32,
}

impl Index {
    /// Returns the slot of a hash that is the one looked for.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let hash = hash as u32;
        let found = self
            .slots
            .find(spread(hash), |place| place.hash == hash && is(place.slot));
        found.map(|place| place.slot)
    }

    /// Adds a slot, which is not there yet.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        let hash = hash as u32;
        let place = Place { hash, slot };
        self.slots
            .insert_unique(spread(hash), place, |place| spread(place.hash));
    }

    /// Removes a slot.
    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let found = self
            .slots
            .find_entry(spread(hash as u32), |place| place.slot == slot);
        if let Ok(found) = found {
            found.remove();
        }
    }
}

/// Returns 64 bits of 32, as the table wants good bits at both ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// How many bytes an entry of the index takes, with what the table keeps free.
pub(crate) const INDEX_ENTRY_BYTES: usize = 2 * size_of::<Place>();
