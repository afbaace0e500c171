//! What a table said lately.

use std::collections::BTreeMap;

use hashbrown::HashMap;

/// What a lookup cache keeps (`lookup.cache` = `PARTIAL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupCacheSpec {
    /// `lookup.partial-cache.max-rows`: how many keys; beyond it those go that were not asked for the longest time.
    pub keys_max: Option<usize>,
    /// `lookup.partial-cache.expire-after-write`.
    pub expire_after_write_ms: Option<i64>,
    /// `lookup.partial-cache.expire-after-access`.
    pub expire_after_access_ms: Option<i64>,
    /// `lookup.partial-cache.cache-missing-key`: whether it is kept that a key has no row.
    pub keeps_missing: bool,
}

/// The rows of some keys.
#[derive(Debug)]
pub(super) struct Cache {
    spec: LookupCacheSpec,
    entries: HashMap<Box<[u8]>, Entry>,
    /// Keys in the order in which they were asked for last.
    order: BTreeMap<u64, Box<[u8]>>,
    next: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    rows: Vec<Box<[u8]>>,
    written_ms: i64,
    asked_ms: i64,
    place: u64,
}

impl Cache {
    pub(super) fn new(spec: LookupCacheSpec) -> Self {
        Self {
            spec,
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            bytes: 0,
        }
    }

    /// Returns the rows of a key that is kept and not too old.
    pub(super) fn get(&mut self, key: &[u8], now_ms: i64) -> Option<Vec<Box<[u8]>>> {
        let entry = self.entries.get_mut(key)?;
        let is_over = |since_ms: i64, limit_ms: Option<i64>| {
            limit_ms.is_some_and(|limit_ms| since_ms.saturating_add(limit_ms) <= now_ms)
        };
        if is_over(entry.written_ms, self.spec.expire_after_write_ms)
            || is_over(entry.asked_ms, self.spec.expire_after_access_ms)
        {
            self.remove(key);
            return None;
        }
        entry.asked_ms = now_ms;
        let key = self.order.remove(&entry.place)?;
        entry.place = self.next;
        self.order.insert(self.next, key);
        self.next += 1;
        Some(entry.rows.clone())
    }

    /// Keeps the rows of a key.
    pub(super) fn put(&mut self, key: &[u8], rows: &[Box<[u8]>], now_ms: i64) {
        if rows.is_empty() && !self.spec.keeps_missing {
            return;
        }
        self.remove(key);
        let entry = Entry {
            rows: rows.to_vec(),
            written_ms: now_ms,
            asked_ms: now_ms,
            place: self.next,
        };
        self.bytes += key.len() + rows.iter().map(|row| row.len()).sum::<usize>();
        self.entries.insert(key.into(), entry);
        self.order.insert(self.next, key.into());
        self.next += 1;
        while self
            .spec
            .keys_max
            .is_some_and(|max| self.entries.len() > max)
        {
            let Some((_, oldest)) = self.order.first_key_value() else {
                break;
            };
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.place);
            self.bytes -= key.len() + entry.rows.iter().map(|row| row.len()).sum::<usize>();
        }
    }

    pub(super) fn size(&self) -> (u64, u64) {
        (self.entries.len() as u64, self.bytes as u64)
    }
}
