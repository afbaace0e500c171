//! When something is due for a key.

use std::collections::BTreeSet;

use millrace_state::{Change, StateError, StateWriter, TableId};

use crate::keyed_value::KeyedValue;
use crate::stored::{Stored, put_i64, take_i64};

/// The timers of each key, at most two, and an index of them: for the left and the right side, where they differ.
#[derive(Debug)]
pub(crate) struct Timers {
    keys: KeyedValue<Pair>,
    due: BTreeSet<(i64, u32)>,
}

/// A key that is due.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DueKey {
    pub(crate) key: Box<[u8]>,
    slot: u32,
}

/// The timers of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pair([Option<i64>; 2]);

impl Stored for Pair {
    fn write(&self, out: &mut Vec<u8>) {
        for time_ms in self.0 {
            put_i64(out, time_ms.unwrap_or(i64::MIN));
        }
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let left = take_i64(&mut bytes)?;
        let right = take_i64(&mut bytes)?;
        Some(Self(
            [left, right].map(|time_ms| (time_ms != i64::MIN).then_some(time_ms)),
        ))
    }

    fn bytes(&self) -> usize {
        0
    }
}

impl Timers {
    pub(crate) fn new(table: TableId) -> Self {
        Self {
            keys: KeyedValue::new(table, None),
            due: BTreeSet::new(),
        }
    }

    pub(crate) fn get(&self, key: &[u8], side: usize) -> Option<i64> {
        let slot = self.keys.find(key, 0)?;
        self.keys.get(slot).0[side]
    }

    /// Tells whether a key that [`Timers::take_due`] gave has a timer of that time for a side: it may have been moved.
    pub(crate) fn is_due(&self, due: &DueKey, side: usize, time_ms: i64) -> bool {
        // A slot may have gone to another key, which then is due itself if it has a timer of that time.
        self.keys.is_used(due.slot)
            && *self.keys.key(due.slot) == *due.key
            && self.keys.get(due.slot).0[side] == Some(time_ms)
    }

    pub(crate) fn set_if_none(&mut self, key: &[u8], side: usize, time_ms: i64) {
        if self.get(key, side).is_none() {
            self.set(key, side, Some(time_ms));
        }
    }

    pub(crate) fn set(&mut self, key: &[u8], side: usize, time_ms: Option<i64>) {
        let found = self.keys.find(key, 0);
        let mut pair = found.map_or_else(Pair::default, |slot| *self.keys.get(slot));
        pair.0[side] = time_ms;
        match found {
            Some(slot) if pair == Pair::default() => {
                self.keys.remove(slot);
            }
            _ if pair == Pair::default() => {}
            _ => {
                let slot = self.keys.set(key, pair, 0);
                self.due.extend(time_ms.map(|time_ms| (time_ms, slot)));
            }
        }
    }

    pub(crate) fn first(&self) -> Option<i64> {
        self.due.first().map(|(time_ms, _)| *time_ms)
    }

    /// Takes the first time that is due, with its keys in their order. A key whose timer was moved is among them too.
    pub(crate) fn take_due(&mut self, until_ms: i64) -> Option<(i64, Vec<DueKey>)> {
        let time_ms = self.first().filter(|time_ms| *time_ms <= until_ms)?;
        let mut keys = Vec::new();
        while let Some((first_ms, slot)) = self.due.first().copied() {
            if first_ms != time_ms {
                break;
            }
            self.due.pop_first();
            if self.keys.is_used(slot) {
                let key = self.keys.key(slot).into();
                keys.push(DueKey { key, slot });
            }
        }
        keys.sort_unstable();
        Some((time_ms, keys))
    }

    pub(crate) fn snapshot(&mut self, writer: &mut dyn StateWriter) {
        self.keys.snapshot(writer);
    }

    pub(crate) fn restore(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let key = change.partition;
        self.keys.restore(change)?;
        if let Some(slot) = self.keys.find(key, 0) {
            let times = self.keys.get(slot).0.into_iter().flatten();
            self.due.extend(times.map(|time_ms| (time_ms, slot)));
        }
        Ok(())
    }
}
