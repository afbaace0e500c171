//! MIN and MAX over rows that may be taken back: every value of a group is kept, with how often it is there.
//!
//! # Flink
//! `MinWithRetractAggFunction` and `MaxWithRetractAggFunction`, 1.17. A value that is taken back before it came counts
//! against its coming later.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use millrace_connector::FlinkType;
use millrace_connector::physical::arrow_type;

use super::chosen::Choice;
use super::codec::{Fixed, ValueCodec, ValueList};
use super::state::{Aggregate, AggregateState, EntryVisitor, Rows, Trace};
use crate::RowError;

/// The least or greatest value of a changing set.
#[derive(Debug)]
pub(super) struct Ranked {
    choice: Choice,
    return_type: FlinkType,
}

impl Ranked {
    pub(super) fn new(choice: Choice, return_type: FlinkType) -> Self {
        Self {
            choice,
            return_type,
        }
    }
}

impl Aggregate for Ranked {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Values {
            choice: self.choice,
            codec: ValueCodec::new(&[arrow_type(&self.return_type.kind)]),
            counts: BTreeMap::new(),
            best: Vec::new(),
            changed: Vec::new(),
            bytes: 0,
        })
    }
}

/// A group's number, big-endian, and a value's bytes.
type Key = Arc<[u8]>;

const GROUP_BYTES: usize = size_of::<u32>();

#[derive(Debug)]
struct Values {
    choice: Choice,
    codec: ValueCodec,
    /// Ordered by group, then by value. A count of 0 stands only for an entry that the last checkpoint has and the next
    /// has not.
    counts: BTreeMap<Key, Count>,
    /// The value of each group that is its result.
    best: Vec<Option<Key>>,
    changed: Vec<Key>,
    bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    count: i64,
    is_changed: bool,
    /// Whether a checkpoint has it.
    is_kept: bool,
}

impl Values {
    /// Changes how often a value of a group is there.
    fn change(&mut self, group: u32, key: &[u8], by: i64) {
        let (key, before, after) = self.count(key, by);
        if before <= 0 && after > 0 {
            let best = &mut self.best[group as usize];
            if best
                .as_ref()
                .is_none_or(|best| self.choice.takes(&key[..], &best[..]))
            {
                *best = Some(key);
            }
        } else if before > 0 && after <= 0 && self.best[group as usize].as_ref() == Some(&key) {
            self.best[group as usize] = self.find_best(group);
        }
    }

    /// Returns the key as it is kept, and its count before and after.
    fn count(&mut self, key: &[u8], by: i64) -> (Key, i64, i64) {
        let Some((kept, _)) = self.counts.get_key_value(key) else {
            let key: Key = key.into();
            self.bytes += key.len();
            self.changed.push(Arc::clone(&key));
            let count = Count {
                count: by,
                is_changed: true,
                is_kept: false,
            };
            self.counts.insert(Arc::clone(&key), count);
            return (key, 0, by);
        };
        let key = Arc::clone(kept);
        let entry = self.counts.get_mut(&key).expect("it was just found");
        let before = entry.count;
        entry.count += by;
        let after = entry.count;
        if after == 0 && !entry.is_kept {
            self.bytes -= key.len();
            self.counts.remove(&key);
        } else if !std::mem::replace(&mut entry.is_changed, true) {
            self.changed.push(Arc::clone(&key));
        }
        (key, before, after)
    }

    /// Returns the entries of a group in the order of their values.
    fn of_group(&self, group: u32) -> impl DoubleEndedIterator<Item = (&Key, &Count)> {
        let first = group.to_be_bytes();
        let end = group.checked_add(1).map(u32::to_be_bytes);
        let end = end
            .as_ref()
            .map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_slice()));
        self.counts
            .range::<[u8], _>((Bound::Included(first.as_slice()), end))
    }

    fn find_best(&self, group: u32) -> Option<Key> {
        let is_there = |(_, count): &(&Key, &Count)| count.count > 0;
        let mut entries = self.of_group(group);
        let found = match self.choice {
            Choice::Least | Choice::First => entries.find(is_there),
            Choice::Greatest | Choice::Last => entries.rev().find(is_there),
        };
        found.map(|(key, _)| Arc::clone(key))
    }

    fn result(&self, group: u32) -> Option<&[u8]> {
        let best = self.best[group as usize].as_ref()?;
        Some(&best[GROUP_BYTES..])
    }

    /// Calls `each` with the group, sign and key of each row, the key empty where the row does nothing.
    fn for_each(&mut self, rows: Rows<'_>, mut each: impl FnMut(&mut Self, u32, i8, &[u8])) {
        let values = &rows.args[0];
        let encoded = self.codec.encode(rows.args);
        let mut key = Vec::new();
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            key.clear();
            if sign != 0 && values.is_valid(row) {
                key.extend_from_slice(&group.to_be_bytes());
                key.extend_from_slice(encoded.row(row).data());
            }
            each(self, *group, sign, &key);
        }
    }
}

impl AggregateState for Values {
    fn resize(&mut self, groups: usize) {
        self.best.resize(groups, None);
    }

    fn reset(&mut self, group: u32) {
        let keys: Vec<Key> = self
            .of_group(group)
            .map(|(key, _)| Arc::clone(key))
            .collect();
        for key in keys {
            let count = self.counts.get(&key).map_or(0, |count| count.count);
            self.count(&key, -count);
        }
        self.best[group as usize] = None;
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        self.for_each(rows, |state, group, sign, key| {
            if !key.is_empty() {
                state.change(group, key, sign.into());
            }
        });
        Ok(())
    }

    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        let (mut before, mut after) = (ValueList::default(), ValueList::default());
        self.for_each(rows, |state, group, sign, key| {
            before.push(state.result(group));
            if !key.is_empty() {
                state.change(group, key, sign.into());
            }
            after.push(state.result(group));
        });
        Ok(Trace {
            before: before.decode(&self.codec),
            after: after.decode(&self.codec),
            changed: None,
        })
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            let entries = self.of_group(*from);
            let entries: Vec<(Vec<u8>, i64)> = entries
                .map(|(key, count)| {
                    let mut key = key.to_vec();
                    key[..GROUP_BYTES].copy_from_slice(&into.to_be_bytes());
                    (key, count.count)
                })
                .collect();
            for (key, count) in entries {
                self.change(*into, &key, count);
            }
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        self.codec
            .decode_options(groups.iter().map(|group| self.result(*group)))
    }

    fn write(&self, _group: u32, _out: &mut Vec<u8>) {}

    fn read(&mut self, _group: u32, _bytes: &mut &[u8]) -> Option<()> {
        Some(())
    }

    fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        for key in std::mem::take(&mut self.changed) {
            let Some(entry) = self.counts.get_mut(&key) else {
                continue;
            };
            if !std::mem::take(&mut entry.is_changed) {
                continue;
            }
            entry.is_kept = true;
            let count = entry.count;
            let (group, value) = key.split_at(GROUP_BYTES);
            let group = u32::from_be_bytes(group.try_into().expect("four bytes"));
            if count == 0 {
                self.bytes -= key.len();
                self.counts.remove(&key);
                visit(group, value, None);
            } else {
                visit(group, value, Some(&count.to_be_bytes()));
            }
        }
    }

    fn read_entry(&mut self, group: u32, key: &[u8], mut value: &[u8]) -> Option<()> {
        let count = i64::take(&mut value)?;
        let key: Key = [group.to_be_bytes().as_slice(), key].concat().into();
        self.bytes += key.len();
        let best = &mut self.best[group as usize];
        let is_better = |best: &Key| self.choice.takes(&key[..], &best[..]);
        if count > 0 && best.as_ref().is_none_or(is_better) {
            *best = Some(Arc::clone(&key));
        }
        let count = Count {
            count,
            is_changed: false,
            is_kept: true,
        };
        self.counts.insert(key, count);
        Some(())
    }

    fn bytes(&self) -> usize {
        self.bytes + self.counts.len() * 2 * (size_of::<Key>() + size_of::<Count>())
    }
}
