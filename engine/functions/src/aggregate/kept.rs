//! All values of a group in order of their arrival, for functions that need them when one is taken back.

use std::collections::VecDeque;

use super::codec::Fixed;
use super::state::EntryVisitor;

/// The values of all groups.
#[derive(Debug, Default)]
pub(super) struct Kept {
    groups: Vec<VecDeque<Item>>,
    /// Values that the last checkpoint has and that are gone since.
    removed: Vec<(u32, u64)>,
    added: Vec<(u32, u64)>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Item {
    /// Grows along the group.
    number: u64,
    value: Box<[u8]>,
    /// Whether a checkpoint has it.
    is_kept: bool,
}

impl Kept {
    pub(super) fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, VecDeque::new);
    }

    pub(super) fn push(&mut self, group: u32, value: &[u8]) {
        let items = &mut self.groups[group as usize];
        let number = items.back().map_or(0, |last| last.number + 1);
        items.push_back(Item {
            number,
            value: value.into(),
            is_kept: false,
        });
        self.bytes += value.len() + size_of::<Item>();
        self.added.push((group, number));
    }

    /// Removes the first of equal values; `false` = there is none.
    pub(super) fn remove(&mut self, group: u32, value: &[u8]) -> bool {
        let items = &mut self.groups[group as usize];
        let Some(place) = items.iter().position(|item| *item.value == *value) else {
            return false;
        };
        let item = items.remove(place).expect("it was just found");
        self.forget(group, &item);
        true
    }

    fn forget(&mut self, group: u32, item: &Item) {
        self.bytes -= item.value.len() + size_of::<Item>();
        if item.is_kept {
            self.removed.push((group, item.number));
        }
    }

    pub(super) fn reset(&mut self, group: u32) {
        for item in std::mem::take(&mut self.groups[group as usize]) {
            self.forget(group, &item);
        }
    }

    /// Appends the values of another group.
    pub(super) fn merge(&mut self, into: u32, from: u32) {
        for item in self.groups[from as usize].clone() {
            self.push(into, &item.value);
        }
    }

    pub(super) fn of_group(&self, group: u32) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.groups[group as usize].iter().map(|item| &*item.value)
    }

    pub(super) fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        // A number may be used again since: its removal comes first.
        for (group, number) in self.removed.drain(..) {
            visit(group, &number.to_be_bytes(), None);
        }
        for (group, number) in self.added.drain(..) {
            let items = &mut self.groups[group as usize];
            if let Ok(place) = items.binary_search_by_key(&number, |item| item.number) {
                let item = &mut items[place];
                if !std::mem::replace(&mut item.is_kept, true) {
                    visit(group, &number.to_be_bytes(), Some(&item.value));
                }
            }
        }
    }

    pub(super) fn read_entry(&mut self, group: u32, mut key: &[u8], value: &[u8]) -> Option<()> {
        let number = u64::take(&mut key)?;
        let items = &mut self.groups[group as usize];
        // Entries come in no order.
        let place = items
            .binary_search_by_key(&number, |item| item.number)
            .unwrap_or_else(|place| place);
        let item = Item {
            number,
            value: value.into(),
            is_kept: true,
        };
        items.insert(place, item);
        self.bytes += value.len() + size_of::<Item>();
        Some(())
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<VecDeque<Item>>()
    }
}
