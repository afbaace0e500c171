//! Rows that wait for their time, and rows that may still be in a frame.

use std::collections::{BTreeMap, VecDeque};

use millrace_state::{Change, StateError, StateWriter, TableId};

use crate::stored::corrupt;

/// The table of rows: under a key's bytes, time and number of arrival; the value says whether the row waits, then it is
/// the row.
pub(super) const ROWS_TABLE: TableId = TableId(u8::MAX - 1);

/// The rows of all groups, by their slot.
#[derive(Debug, Default)]
pub(super) struct StoredRows {
    rows: Vec<StoredRow>,
    free: Vec<u32>,
    /// Rows that wait, in order of time and arrival.
    waiting: BTreeMap<(i64, u64), u32>,
    groups: Vec<GroupRows>,
    next_number: u64,
    changed: Vec<u32>,
    /// Rows that the last checkpoint has and that are gone since.
    removed: Vec<(u32, i64, u64)>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct GroupRows {
    /// How many rows wait.
    waiting: usize,
    /// Rows that were given out, the oldest first.
    history: VecDeque<u32>,
}

#[derive(Debug)]
struct StoredRow {
    group: u32,
    time_ms: i64,
    number: u64,
    row: Box<[u8]>,
    is_waiting: bool,
    is_used: bool,
    /// Whether it stands in the list of changes.
    is_changed: bool,
    /// Whether a checkpoint has it.
    is_kept: bool,
}

const HISTORY: u8 = 0;
const WAITING: u8 = 1;

impl StoredRows {
    pub(super) fn resize(&mut self, groups: usize) {
        self.groups.resize_with(groups, GroupRows::default);
    }

    pub(super) fn group(&self, slot: u32) -> u32 {
        self.rows[slot as usize].group
    }

    pub(super) fn time_ms(&self, slot: u32) -> i64 {
        self.rows[slot as usize].time_ms
    }

    pub(super) fn bytes(&self, slot: u32) -> &[u8] {
        &self.rows[slot as usize].row
    }

    /// Returns how many rows of a group wait.
    pub(super) fn waiting(&self, group: u32) -> usize {
        self.groups[group as usize].waiting
    }

    pub(super) fn first_waiting_ms(&self) -> Option<i64> {
        let ((time_ms, _), _) = self.waiting.first_key_value()?;
        Some(*time_ms)
    }

    pub(super) fn size(&self) -> usize {
        self.bytes + self.rows.capacity() * size_of::<StoredRow>()
    }

    pub(super) fn wait(&mut self, group: u32, time_ms: i64, row: &[u8]) {
        let number = self.next_number;
        self.next_number += 1;
        let slot = self.add(StoredRow {
            group,
            time_ms,
            number,
            row: row.into(),
            is_waiting: true,
            is_used: true,
            is_changed: false,
            is_kept: false,
        });
        self.waiting.insert((time_ms, number), slot);
        self.groups[group as usize].waiting += 1;
        self.change(slot);
    }

    fn add(&mut self, mut row: StoredRow) -> u32 {
        self.bytes += row.row.len();
        if let Some(slot) = self.free.pop() {
            // A slot that is used again may still stand in the list of changes.
            row.is_changed = self.rows[slot as usize].is_changed;
            self.rows[slot as usize] = row;
            return slot;
        }
        self.rows.push(row);
        u32::try_from(self.rows.len() - 1).expect("rows are counted in 32 bits")
    }

    fn change(&mut self, slot: u32) {
        if !std::mem::replace(&mut self.rows[slot as usize].is_changed, true) {
            self.changed.push(slot);
        }
    }

    /// Takes the first rows that wait for a time up to `time_ms`: about `rows_max` of them, those of one time together.
    pub(super) fn take_due(&mut self, time_ms: i64, rows_max: usize) -> Vec<u32> {
        let mut due = Vec::new();
        let mut last_ms = None;
        while let Some(entry) = self.waiting.first_entry() {
            let (at_ms, _) = *entry.key();
            if at_ms > time_ms || (due.len() >= rows_max && last_ms != Some(at_ms)) {
                break;
            }
            last_ms = Some(at_ms);
            due.push(entry.remove());
        }
        for slot in &due {
            let row = &mut self.rows[*slot as usize];
            row.is_waiting = false;
            self.groups[row.group as usize].waiting -= 1;
        }
        due
    }

    /// Keeps a row that is given out; returns the oldest one if there are more than `rows_max` then.
    pub(super) fn push_history(&mut self, slot: u32, rows_max: usize) -> Option<u32> {
        self.change(slot);
        let history = &mut self.groups[self.rows[slot as usize].group as usize].history;
        history.push_back(slot);
        if history.len() > rows_max {
            history.pop_front()
        } else {
            None
        }
    }

    /// Takes the oldest row of a group if it is older than a time.
    pub(super) fn pop_history_before(&mut self, group: u32, first_ms: i64) -> Option<u32> {
        let history = &mut self.groups[group as usize].history;
        let oldest = *history.front()?;
        if self.rows[oldest as usize].time_ms >= first_ms {
            return None;
        }
        history.pop_front()
    }

    /// Frees a row that stands nowhere else any more.
    pub(super) fn forget(&mut self, slot: u32) {
        let row = &mut self.rows[slot as usize];
        debug_assert!(row.is_used);
        row.is_used = false;
        self.bytes -= row.row.len();
        row.row = Box::default();
        if std::mem::take(&mut row.is_kept) {
            self.removed.push((row.group, row.time_ms, row.number));
        }
        self.free.push(slot);
    }

    /// Frees the rows of a group of which none waits.
    pub(super) fn forget_group(&mut self, group: u32) {
        for slot in std::mem::take(&mut self.groups[group as usize].history) {
            self.forget(slot);
        }
    }

    pub(super) fn write<'a>(
        &mut self,
        writer: &mut dyn StateWriter,
        partition: impl Fn(u32) -> &'a [u8],
    ) {
        for (group, time_ms, number) in self.removed.drain(..) {
            writer.write(Change {
                table: ROWS_TABLE,
                partition: partition(group),
                key: &place(time_ms, number),
                value: None,
            });
        }
        let mut value = Vec::new();
        for slot in self.changed.drain(..) {
            let row = &mut self.rows[slot as usize];
            if !std::mem::take(&mut row.is_changed) || !row.is_used {
                continue;
            }
            row.is_kept = true;
            value.clear();
            value.push(if row.is_waiting { WAITING } else { HISTORY });
            value.extend_from_slice(&row.row);
            writer.write(Change {
                table: ROWS_TABLE,
                partition: partition(row.group),
                key: &place(row.time_ms, row.number),
                value: Some(&value),
            });
        }
    }

    /// Takes a row back; [`StoredRows::sort_history`] follows once all have come.
    pub(super) fn restore(
        &mut self,
        group: u32,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StateError> {
        let (time_ms, number) = read_place(key).ok_or_else(|| corrupt("a row's place"))?;
        let (is_waiting, row) = match value.split_first() {
            Some((&WAITING, row)) => (true, row),
            Some((&HISTORY, row)) => (false, row),
            _ => return Err(corrupt("a row")),
        };
        self.next_number = self.next_number.max(number + 1);
        let slot = self.add(StoredRow {
            group,
            time_ms,
            number,
            row: row.into(),
            is_waiting,
            is_used: true,
            is_changed: false,
            is_kept: true,
        });
        let rows = &mut self.groups[group as usize];
        if is_waiting {
            rows.waiting += 1;
            self.waiting.insert((time_ms, number), slot);
        } else {
            rows.history.push_back(slot);
        }
        Ok(())
    }

    /// Puts restored rows in order.
    pub(super) fn sort_history(&mut self) {
        for group in &mut self.groups {
            let rows = &self.rows;
            group.history.make_contiguous().sort_by_key(|slot| {
                let row = &rows[*slot as usize];
                (row.time_ms, row.number)
            });
        }
    }
}

fn place(time_ms: i64, number: u64) -> [u8; 16] {
    let mut place = [0; 16];
    place[..8].copy_from_slice(&time_ms.to_be_bytes());
    place[8..].copy_from_slice(&number.to_be_bytes());
    place
}

fn read_place(mut bytes: &[u8]) -> Option<(i64, u64)> {
    let (time_ms, rest) = bytes.split_first_chunk()?;
    bytes = rest;
    let number: [u8; 8] = bytes.try_into().ok()?;
    Some((i64::from_be_bytes(*time_ms), u64::from_be_bytes(number)))
}
