//! Keys as dense numbers: the groups of an operator whose state lies in columns.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use millrace_state::key_hash;

use crate::ttl::{Expiry, Ttl};

/// The groups that an operator has state for, by their key's bytes.
///
/// The number of a group that a snapshot has is used again only after the next one, so that until then its key names what
/// was removed.
#[derive(Debug)]
pub(crate) struct Groups {
    index: HashTable<u32>,
    keys: Keys,
    groups: Vec<Group>,
    /// When each was last written, where there is a time to live.
    written_ms: Vec<i64>,
    has_ttl: bool,
    free: Vec<u32>,
    /// Removed since the last snapshot, which has them.
    retired: Vec<u32>,
    /// Removed, and in no snapshot.
    spare: Vec<u32>,
    changed: Vec<u32>,
    expiry: Expiry,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    hash: u64,
    /// Where its key begins.
    start: usize,
    /// Its key's length.
    length: u32,
    is_used: bool,
    /// Whether it stands in the list of changes.
    is_changed: bool,
    /// Whether the last checkpoint has it.
    is_kept: bool,
}

impl Groups {
    pub(crate) fn new(ttl: Option<Ttl>) -> Self {
        Self {
            index: HashTable::new(),
            keys: Keys::default(),
            groups: Vec::new(),
            written_ms: Vec::new(),
            has_ttl: ttl.is_some(),
            free: Vec::new(),
            retired: Vec::new(),
            spare: Vec::new(),
            changed: Vec::new(),
            expiry: Expiry::new(ttl),
        }
    }

    /// Returns how many there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Returns the number that all groups' numbers are below.
    pub(crate) fn end(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.keys.bytes.capacity()
            + self.groups.capacity() * size_of::<Group>()
            + self.index.capacity() * 5
    }

    pub(crate) fn key(&self, group: u32) -> &[u8] {
        self.keys.get(&self.groups[group as usize])
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = key_hash(key);
        let found = self.index.find(hash, |group| {
            let group = &self.groups[*group as usize];
            group.hash == hash && self.keys.get(group) == key
        });
        found.copied()
    }

    /// Returns the group of a key, and whether it is new.
    pub(crate) fn find_or_add(&mut self, key: &[u8]) -> (u32, bool) {
        let hash = key_hash(key);
        let (keys, groups) = (&mut self.keys, &mut self.groups);
        let entry = self.index.entry(
            hash,
            |group| {
                let group = &groups[*group as usize];
                group.hash == hash && keys.get(group) == key
            },
            |group| groups[*group as usize].hash,
        );
        let vacant = match entry {
            Entry::Occupied(found) => return (*found.get(), false),
            Entry::Vacant(vacant) => vacant,
        };
        let group = self.free.pop().unwrap_or_else(|| {
            groups.push(Group {
                hash,
                start: 0,
                length: 0,
                is_used: false,
                is_changed: false,
                is_kept: false,
            });
            u32::try_from(groups.len() - 1).expect("groups are counted in 32 bits")
        });
        vacant.insert(group);
        let place = &mut groups[group as usize];
        keys.set(place, key);
        place.hash = hash;
        place.is_used = true;
        if self.has_ttl {
            self.written_ms.resize(groups.len(), i64::MIN);
            self.written_ms[group as usize] = i64::MIN;
        }
        (group, true)
    }

    /// Removes a group; its state must be emptied before.
    pub(crate) fn remove(&mut self, group: u32) {
        let place = &mut self.groups[group as usize];
        debug_assert!(place.is_used);
        place.is_used = false;
        let entry = self.index.find_entry(place.hash, |other| *other == group);
        if let Ok(entry) = entry {
            entry.remove();
        }
        if place.is_kept {
            self.retired.push(group);
        } else {
            self.spare.push(group);
        }
    }

    /// Lets the numbers of removed groups that no snapshot has be used again: between two calls, when nothing holds them.
    pub(crate) fn settle(&mut self) {
        for group in self.spare.drain(..) {
            self.keys.clear(&mut self.groups[group as usize]);
            self.free.push(group);
        }
        self.keys.compact(&mut self.groups);
    }

    /// Notes that a group's state changes.
    pub(crate) fn touch(&mut self, group: u32, now_ms: i64) {
        if self.has_ttl {
            let written_ms = &mut self.written_ms[group as usize];
            self.expiry.touch(group, *written_ms, now_ms);
            *written_ms = now_ms;
        }
        let place = &mut self.groups[group as usize];
        if !std::mem::replace(&mut place.is_changed, true) {
            self.changed.push(group);
        }
    }

    /// Tells whether a group's state is too old to be seen.
    pub(crate) fn is_over(&self, group: u32, now_ms: i64) -> bool {
        self.has_ttl
            && self.groups[group as usize].is_used
            && self.expiry.is_over(self.written_ms[group as usize], now_ms)
    }

    /// Returns groups whose state is too old, each once; they must be removed then.
    pub(crate) fn expired(&mut self, now_ms: i64) -> Vec<u32> {
        let mut expired = Vec::new();
        while let Some(due) = self.expiry.take_due(now_ms) {
            expired.extend(due.into_iter().filter(|group| self.is_over(*group, now_ms)));
        }
        expired.sort_unstable();
        expired.dedup();
        expired
    }

    /// Calls `visit` with each group that changed since the last snapshot, the bytes of its time of writing in `out`;
    /// `false` = it was removed.
    pub(crate) fn take_changes(&mut self, mut visit: impl FnMut(&[u8], u32, &mut Vec<u8>, bool)) {
        let mut out = Vec::new();
        // A key may be back under another number: its removal comes first.
        for group in &self.retired {
            self.groups[*group as usize].is_kept = false;
            out.clear();
            let key = self.keys.get(&self.groups[*group as usize]);
            visit(key, *group, &mut out, false);
        }
        for group in self.changed.drain(..) {
            let place = &mut self.groups[group as usize];
            place.is_changed = false;
            if place.is_used {
                place.is_kept = true;
                out.clear();
                let written_ms = self.written_ms.get(group as usize);
                self.expiry
                    .write(written_ms.copied().unwrap_or(0), &mut out);
                visit(self.keys.get(place), group, &mut out, true);
            }
        }
    }

    /// Lets the numbers of removed groups be used again, after all that names them was written.
    pub(crate) fn recycle(&mut self) {
        self.spare.append(&mut self.retired);
        self.settle();
    }

    /// Notes that a group was restored; takes its time of writing off the front of `bytes`.
    pub(crate) fn restore(
        &mut self,
        group: u32,
        bytes: &mut &[u8],
    ) -> Result<(), millrace_state::StateError> {
        let written_ms = self.expiry.read(bytes)?;
        self.groups[group as usize].is_kept = true;
        if self.has_ttl {
            self.expiry.touch(group, i64::MIN, written_ms);
            self.written_ms[group as usize] = written_ms;
        }
        Ok(())
    }

    /// Returns all groups.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.index.iter().copied()
    }
}

/// The keys' bytes, one behind another.
#[derive(Debug, Default)]
struct Keys {
    bytes: Vec<u8>,
    unused: usize,
}

/// Below it, unused bytes stay.
const UNUSED_BYTES_MIN: usize = 1 << 20;

impl Keys {
    fn get(&self, group: &Group) -> &[u8] {
        &self.bytes[group.start..group.start + group.length as usize]
    }

    fn set(&mut self, group: &mut Group, key: &[u8]) {
        group.start = self.bytes.len();
        group.length = u32::try_from(key.len()).expect("a key has less than 4 GiB");
        self.bytes.extend_from_slice(key);
    }

    fn clear(&mut self, group: &mut Group) {
        self.unused += group.length as usize;
        group.start = 0;
        group.length = 0;
    }

    fn compact(&mut self, groups: &mut [Group]) {
        if self.unused < UNUSED_BYTES_MIN || self.unused * 2 < self.bytes.len() {
            return;
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() - self.unused);
        for group in groups {
            let start = bytes.len();
            bytes.extend_from_slice(self.get(group));
            group.start = start;
        }
        self.bytes = bytes;
        self.unused = 0;
    }
}
