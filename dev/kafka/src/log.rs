//! One partition: its batches in memory, the transactions open in it, and those that were aborted.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::records::RecordBatchDecoder;

use crate::batch::{self, Batch};
use crate::sequence::{Sequences, Verdict};

/// The log of one partition. Offsets are half open: `start..end` is held.
#[derive(Debug)]
pub(crate) struct Log {
    batches: VecDeque<Stored>,
    bytes: u64,
    retention_bytes: u64,
    start: i64,
    end: i64,
    sequences: Sequences,
    /// First offset of the open transaction of each producer that has one here.
    open: HashMap<i64, i64>,
    /// In the order of their markers, so `last` ascends.
    aborted: VecDeque<Aborted>,
}

#[derive(Debug)]
struct Stored {
    base: i64,
    last: i64,
    max_timestamp: i64,
    control: bool,
    bytes: Bytes,
}

/// A transaction that was aborted: its rows lie in `first..=last`, among those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) producer_id: i64,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// How far a reader may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Every row.
    Uncommitted,
    /// Up to the first row of the oldest open transaction, with a list of what to skip.
    Committed,
}

impl From<i8> for Isolation {
    fn from(level: i8) -> Self {
        if level == 1 {
            Self::Committed
        } else {
            Self::Uncommitted
        }
    }
}

/// What a fetch takes from a partition.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    pub(crate) records: Bytes,
    pub(crate) aborted: Vec<Aborted>,
}

impl Log {
    pub(crate) fn new(retention_bytes: u64) -> Self {
        Self {
            batches: VecDeque::new(),
            bytes: 0,
            retention_bytes,
            start: 0,
            end: 0,
            sequences: Sequences::default(),
            open: HashMap::new(),
            aborted: VecDeque::new(),
        }
    }

    /// Returns the first offset that is still held.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// Returns the offset that the next record gets.
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Returns the offset before which every transaction has ended.
    pub(crate) fn stable_end(&self) -> i64 {
        self.open
            .values()
            .copied()
            .min()
            .map_or(self.end, |first| first.max(self.start))
    }

    /// Returns the offset at which a reader's view ends.
    pub(crate) fn visible_end(&self, isolation: Isolation) -> i64 {
        match isolation {
            Isolation::Uncommitted => self.end,
            Isolation::Committed => self.stable_end(),
        }
    }

    /// Appends a produced batch and returns its base offset; of a repeated batch, the offset it has.
    ///
    /// # Errors
    /// What [`Sequences::check`] finds wrong.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<i64, ResponseError> {
        let header = &batch.header;
        if let Verdict::Stored(base) = self.sequences.check(header)? {
            return Ok(base);
        }
        let base = self.end;
        self.sequences.appended(header, base);
        if header.is_transactional() {
            self.open.entry(header.producer_id).or_insert(base);
        }
        self.store(Stored {
            base,
            last: base + i64::from(header.last_offset_delta),
            max_timestamp: header.max_timestamp,
            control: false,
            bytes: batch::place(&batch.bytes, base),
        });
        Ok(base)
    }

    /// Ends a producer's transaction here, and turns away older epochs of it from now on.
    pub(crate) fn end_transaction(
        &mut self,
        producer_id: i64,
        epoch: i16,
        committed: bool,
        now_ms: i64,
    ) {
        let marker = self.end;
        self.sequences.raise_epoch(producer_id, epoch);
        let first = self.open.remove(&producer_id);
        if let (Some(first), false) = (first, committed) {
            self.aborted.push_back(Aborted {
                producer_id,
                first,
                last: marker,
            });
        }
        self.store(Stored {
            base: marker,
            last: marker,
            max_timestamp: now_ms,
            control: true,
            bytes: batch::marker(marker, producer_id, epoch, committed, now_ms),
        });
    }

    fn store(&mut self, stored: Stored) {
        assert_eq!(
            stored.base, self.end,
            "batches follow each other without a gap"
        );
        self.end = stored.last + 1;
        self.bytes += stored.bytes.len() as u64;
        self.batches.push_back(stored);
        while self.bytes > self.retention_bytes && self.batches.len() > 1 {
            self.drop_oldest();
        }
        self.forget_aborted();
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.batches.pop_front() {
            self.bytes -= oldest.bytes.len() as u64;
            self.start = self.start.max(oldest.last + 1);
        }
    }

    fn forget_aborted(&mut self) {
        while self
            .aborted
            .front()
            .is_some_and(|oldest| oldest.last < self.start)
        {
            self.aborted.pop_front();
        }
    }

    /// Drops what lies before `offset` and returns the new start; `-1` means all.
    ///
    /// # Errors
    /// `OffsetOutOfRange` for an offset that the log has not reached.
    pub(crate) fn delete_before(&mut self, offset: i64) -> Result<i64, ResponseError> {
        let offset = if offset == -1 { self.end } else { offset };
        if offset < 0 || offset > self.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        while self
            .batches
            .front()
            .is_some_and(|oldest| oldest.last < offset)
        {
            self.drop_oldest();
        }
        self.start = self.start.max(offset);
        self.forget_aborted();
        Ok(self.start)
    }

    /// Reads whole batches from the one that holds `offset`: at least one where one is visible, more
    /// as long as all fit into `bytes_max`.
    ///
    /// # Errors
    /// `OffsetOutOfRange` outside `start..=end`.
    pub(crate) fn read(
        &self,
        offset: i64,
        bytes_max: usize,
        isolation: Isolation,
    ) -> Result<Slice, ResponseError> {
        if offset < self.start || offset > self.end {
            return Err(ResponseError::OffsetOutOfRange);
        }
        let visible_end = self.visible_end(isolation);
        let from = self.batches.partition_point(|stored| stored.last < offset);
        let mut to = from;
        let mut taken = 0;
        while let Some(stored) = self.batches.get(to) {
            let fits = to == from || taken + stored.bytes.len() <= bytes_max;
            if stored.base >= visible_end || !fits {
                break;
            }
            taken += stored.bytes.len();
            to += 1;
        }
        if to == from {
            return Ok(Slice::default());
        }
        let upper = self.batches[to - 1].last;
        let aborted = match isolation {
            Isolation::Uncommitted => Vec::new(),
            Isolation::Committed => self.aborted_within(offset, upper),
        };
        Ok(Slice {
            records: self.joined(from, to, taken),
            aborted,
        })
    }

    fn joined(&self, from: usize, to: usize, size: usize) -> Bytes {
        if to == from + 1 {
            return self.batches[from].bytes.clone();
        }
        let mut joined = BytesMut::with_capacity(size);
        for stored in self.batches.range(from..to) {
            joined.extend_from_slice(&stored.bytes);
        }
        joined.freeze()
    }

    fn aborted_within(&self, from: i64, upper: i64) -> Vec<Aborted> {
        let skip = self.aborted.partition_point(|aborted| aborted.last < from);
        let mut found: Vec<Aborted> = self
            .aborted
            .range(skip..)
            .filter(|aborted| aborted.first <= upper)
            .copied()
            .collect();
        found.sort_by_key(|aborted| aborted.first);
        found
    }

    /// Finds the first visible row that is not older than `timestamp_ms`, as `(offset, timestamp)`.
    pub(crate) fn find_by_timestamp(
        &self,
        timestamp_ms: i64,
        isolation: Isolation,
    ) -> Option<(i64, i64)> {
        let end = self.visible_end(isolation);
        let candidates = self
            .batches
            .iter()
            .filter(|held| !held.control && held.max_timestamp >= timestamp_ms);
        candidates
            .take_while(|stored| stored.base < end)
            .find_map(|stored| {
                let mut rows = rows(stored).into_iter();
                rows.find(|(offset, time)| *offset >= self.start && *time >= timestamp_ms)
            })
            .filter(|(offset, _)| *offset < end)
    }

    /// Finds the first row with the largest timestamp, as `(offset, timestamp)`.
    pub(crate) fn find_max_timestamp(&self) -> Option<(i64, i64)> {
        let rows_only = self.batches.iter().filter(|stored| !stored.control);
        let largest = rows_only.map(|stored| stored.max_timestamp).max()?;
        self.find_by_timestamp(largest, Isolation::Uncommitted)
    }
}

/// Returns offset and timestamp of each row. A batch that this program cannot unpack counts as one row
/// at its start: its checksum was right, so only its compression can be foreign.
fn rows(stored: &Stored) -> Vec<(i64, i64)> {
    match RecordBatchDecoder::decode(&mut stored.bytes.clone()) {
        Ok(set) => set
            .records
            .iter()
            .map(|row| (row.offset, row.timestamp))
            .collect(),
        Err(error) => {
            tracing::warn!(%error, base_offset = stored.base, "batch cannot be unpacked");
            vec![(stored.base, stored.max_timestamp)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{split, tests::encoded};

    fn put(log: &mut Log, producer: Option<(i64, i16, i32, bool)>, rows: &[(i64, &str)]) -> i64 {
        log.append(&split(encoded(producer, rows), 1 << 20).unwrap()[0])
            .unwrap()
    }

    fn values(slice: &Slice) -> Vec<String> {
        let sets = RecordBatchDecoder::decode_all(&mut slice.records.clone()).unwrap();
        let rows = sets
            .iter()
            .flat_map(|set| &set.records)
            .filter(|row| !row.control);
        rows.map(|row| String::from_utf8(row.value.as_ref().unwrap().to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn reads_start_inside_a_batch_and_give_at_least_one() {
        let mut log = Log::new(1 << 20);
        put(&mut log, None, &[(1, "a"), (2, "b")]);
        put(&mut log, None, &[(3, "c")]);
        let all = log.read(1, 1 << 20, Isolation::Uncommitted).unwrap();
        assert_eq!(values(&all), ["a", "b", "c"]);
        let one = log.read(0, 1, Isolation::Uncommitted).unwrap();
        assert_eq!(values(&one), ["a", "b"]);
        assert!(
            log.read(3, 1, Isolation::Uncommitted)
                .unwrap()
                .records
                .is_empty()
        );
        for outside in [-1, 4] {
            let refused = log.read(outside, 1, Isolation::Uncommitted).unwrap_err();
            assert_eq!(refused, ResponseError::OffsetOutOfRange);
        }
    }

    #[test]
    fn open_rows_are_hidden_and_aborted_ones_listed() {
        let mut log = Log::new(1 << 20);
        put(&mut log, None, &[(1, "plain")]);
        put(&mut log, Some((1, 0, 0, true)), &[(1, "t1")]);
        put(&mut log, Some((2, 0, 0, true)), &[(1, "t2")]);
        assert_eq!((log.stable_end(), log.end()), (1, 3));
        log.end_transaction(2, 0, false, 9);
        assert_eq!(log.stable_end(), 1);
        let seen = log.read(0, 1 << 20, Isolation::Committed).unwrap();
        assert_eq!(values(&seen), ["plain"]);
        assert!(
            log.read(1, 1 << 20, Isolation::Committed)
                .unwrap()
                .records
                .is_empty()
        );
        log.end_transaction(1, 0, true, 9);
        assert_eq!(log.stable_end(), 5);
        let seen = log.read(0, 1 << 20, Isolation::Committed).unwrap();
        assert_eq!(
            seen.aborted,
            [Aborted {
                producer_id: 2,
                first: 2,
                last: 3
            }]
        );
        assert!(
            log.read(4, 1 << 20, Isolation::Committed)
                .unwrap()
                .aborted
                .is_empty()
        );
        assert!(
            log.read(0, 1 << 20, Isolation::Uncommitted)
                .unwrap()
                .aborted
                .is_empty()
        );
    }

    #[test]
    fn retention_moves_the_start_and_keeps_the_newest_batch() {
        let size = encoded(None, &[(1, "a")]).len() as u64;
        let mut log = Log::new(2 * size);
        for _ in 0..5 {
            put(&mut log, None, &[(1, "a")]);
        }
        assert_eq!((log.start(), log.end()), (3, 5));
        assert_eq!(
            log.read(2, 1, Isolation::Uncommitted).unwrap_err(),
            ResponseError::OffsetOutOfRange
        );
        let mut tight = Log::new(1);
        put(&mut tight, None, &[(1, "a")]);
        assert_eq!((tight.start(), tight.end()), (0, 1));
        assert_eq!(log.delete_before(-1), Ok(5));
        assert_eq!(log.delete_before(6), Err(ResponseError::OffsetOutOfRange));
    }

    #[test]
    fn offsets_are_found_by_timestamp() {
        let mut log = Log::new(1 << 20);
        put(&mut log, None, &[(100, "a"), (300, "b"), (200, "c")]);
        put(&mut log, None, &[(250, "d")]);
        put(&mut log, Some((1, 0, 0, true)), &[(400, "open")]);
        let find = |time| log.find_by_timestamp(time, Isolation::Committed);
        assert_eq!(find(0), Some((0, 100)));
        assert_eq!(find(101), Some((1, 300)));
        assert_eq!(find(301), None);
        assert_eq!(
            log.find_by_timestamp(301, Isolation::Uncommitted),
            Some((4, 400))
        );
        assert_eq!(log.find_max_timestamp(), Some((4, 400)));
    }
}
