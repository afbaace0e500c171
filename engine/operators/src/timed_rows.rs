//! Rows that wait for the watermark: kept by key and time, sorted within both.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, PrimitiveArray};
use millrace_state::{Change, StateError, StateWriter, TableId};

use crate::OperatorError;
use crate::keyed_sorted::{KeyedSorted, SortedRow, SortedRows};
use crate::stored::corrupt;

/// A time as bytes that order as it does.
pub(crate) fn time_bytes(time_ms: i64) -> [u8; 8] {
    (time_ms as u64 ^ 1 << 63).to_be_bytes()
}

/// Returns the time at the beginning of a sort key that [`time_bytes`] began.
pub(crate) fn time_of(sort: &[u8]) -> Option<i64> {
    let (time, _) = sort.split_first_chunk()?;
    Some((u64::from_be_bytes(*time) ^ 1 << 63) as i64)
}

/// Returns a column of times in microseconds.
pub(crate) fn times(
    column: &ArrayRef,
) -> Result<&PrimitiveArray<TimestampMicrosecondType>, OperatorError> {
    let times = column.as_primitive_opt::<TimestampMicrosecondType>();
    times.ok_or_else(|| OperatorError::Failed("a time is no timestamp".into()))
}

/// A time, and the keys and partitions that have rows of it.
pub(crate) type Due = (i64, Vec<(Box<[u8]>, u32)>);

/// Rows of each key by time, and an index of the times.
#[derive(Debug)]
pub(crate) struct TimedRows {
    rows: KeyedSorted,
    /// Partitions that have rows of a time, or had.
    times: BTreeMap<i64, Vec<u32>>,
}

impl TimedRows {
    pub(crate) fn new(table: TableId) -> Self {
        Self {
            rows: KeyedSorted::new(table, None),
            times: BTreeMap::new(),
        }
    }

    /// Puts a row behind those of its key, time and sort key, and returns its partition and place; `sort` begins with
    /// [`time_bytes`].
    pub(crate) fn insert(
        &mut self,
        key: &[u8],
        sort: &[u8],
        tag: &[u8],
        row: &[u8],
    ) -> (u32, usize) {
        let slot = self.rows.partition(key, 0);
        let place = self.rows.insert(slot, sort, tag, row, 0);
        let time = &sort[..8];
        let rows = self.rows.rows(slot);
        let mut others = rows.from(place + 1).take(1).collect::<Vec<_>>();
        others.extend(place.checked_sub(1).and_then(|before| rows.get(before)));
        if !others.iter().any(|other| other.sort().starts_with(time)) {
            let time = time_of(sort).expect("a sort key begins with its time");
            self.times.entry(time).or_default().push(slot);
        }
        (slot, place)
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<&SortedRows> {
        Some(self.rows.rows(self.rows.find(key)?))
    }

    pub(crate) fn state(&mut self) -> &mut KeyedSorted {
        &mut self.rows
    }

    pub(crate) fn rows(&self, slot: u32) -> &SortedRows {
        self.rows.rows(slot)
    }

    /// Takes the first time up to `last_ms`, with the partitions that have rows of it, by their keys.
    pub(crate) fn take_time(&mut self, last_ms: i64) -> Option<Due> {
        let first = self
            .times
            .first_entry()
            .filter(|first| *first.key() <= last_ms)?;
        let (time, mut slots) = first.remove_entry();
        slots.sort_unstable();
        slots.dedup();
        let slots = slots.into_iter().filter(|slot| self.count(*slot, time) > 0);
        let mut partitions: Vec<_> = slots
            .map(|slot| (self.rows.key(slot).into(), slot))
            .collect();
        partitions.sort_unstable();
        Some((time, partitions))
    }

    /// Returns the next time that [`TimedRows::take_time`] takes.
    pub(crate) fn first_time(&self) -> Option<i64> {
        self.times.first_key_value().map(|(time, _)| *time)
    }

    /// Takes all rows of a partition and time, in their order.
    pub(crate) fn take(&mut self, slot: u32, time_ms: i64) -> Vec<SortedRow> {
        let first = self.rows.rows(slot).lower_bound(&time_bytes(time_ms));
        let count = self.count(slot, time_ms);
        let taken = (0..count).map(|_| self.rows.remove(slot, first)).collect();
        self.rows.done(slot);
        taken
    }

    fn count(&self, slot: u32, time_ms: i64) -> usize {
        let time = time_bytes(time_ms);
        let rows = self.rows.rows(slot);
        let first = rows.lower_bound(&time);
        rows.from(first)
            .take_while(|row| row.sort().starts_with(&time))
            .count()
    }

    pub(crate) fn snapshot(&mut self, writer: &mut dyn StateWriter) {
        self.rows.snapshot(writer);
    }

    pub(crate) fn restore(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let time = time_of(change.key).ok_or_else(|| corrupt("the time of a row"))?;
        let slot = self.rows.restore(change)?;
        self.times.entry(time).or_default().push(slot);
        Ok(())
    }

    pub(crate) fn size(&self) -> (u64, u64) {
        (self.rows.len() as u64, self.rows.bytes() as u64)
    }
}
