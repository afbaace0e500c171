//! Changes as a lane hands them over at a barrier: copied one after another, nothing else. Sorting and packing come later,
//! off the lane's way.

use crate::{Change, StateWriter, TableId};

/// Changes of one operator in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct ChangeBuffer {
    bytes: Vec<u8>,
    entries: Vec<Span>,
}

/// Where an entry's parts lie: partition, key and value one behind the other.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    partition: u32,
    key: u32,
    /// `None` = removed.
    value: Option<u32>,
    table: TableId,
}

impl ChangeBuffer {
    /// Tells whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns how many changes were written.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the bytes of all parts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Appends the changes of a later snapshot.
    pub fn append(&mut self, later: &Self) {
        for change in later.iter() {
            self.write(change);
        }
    }

    /// Returns the changes in their order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.entries.iter().map(|span| {
            let key = span.start + span.partition as usize;
            let value = key + span.key as usize;
            Change {
                table: span.table,
                partition: &self.bytes[span.start..key],
                key: &self.bytes[key..value],
                value: span
                    .value
                    .map(|length| &self.bytes[value..value + length as usize]),
            }
        })
    }
}

fn length(part: &[u8]) -> u32 {
    u32::try_from(part.len()).expect("a row of 4 GiB cannot be read")
}

impl StateWriter for ChangeBuffer {
    fn write(&mut self, change: Change<'_>) {
        self.entries.push(Span {
            start: self.bytes.len(),
            partition: length(change.partition),
            key: length(change.key),
            value: change.value.map(length),
            table: change.table,
        });
        self.bytes.extend_from_slice(change.partition);
        self.bytes.extend_from_slice(change.key);
        self.bytes
            .extend_from_slice(change.value.unwrap_or_default());
    }
}
