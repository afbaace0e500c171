//! What one answer brings of one partition, batch by batch.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::batch::{Batch, outline};
use crate::error::WireError;
use crate::fetch::Permit;

/// What one answer brings of one partition.
pub struct Chunk {
    /// The partition, by the number that it was assigned with.
    pub partition: usize,
    records: Bytes,
    at: usize,
    check_crcs: bool,
    /// Producer and first offset of aborted transactions, the first to begin last; `None`: all records are wanted.
    aborted: Option<Vec<(i64, i64)>>,
    /// Producers whose transaction at this point ends in an abort.
    aborting: HashSet<i64>,
    /// Gives the bytes back to the queue's budget when the last chunk of an answer is dropped.
    _permit: Option<Arc<Permit>>,
}

/// What stands next in a chunk.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Records.
    Records(Batch<'a>),
    /// Nothing to be read up to this offset: a marker, or records of an aborted transaction.
    Skip(i64),
}

impl Chunk {
    pub(crate) fn new(
        partition: usize,
        records: Bytes,
        check_crcs: bool,
        aborted: Option<Vec<(i64, i64)>>,
        permit: Option<Arc<Permit>>,
    ) -> Self {
        let aborted = aborted.map(|mut list| {
            list.sort_unstable_by_key(|(_, first)| std::cmp::Reverse(*first));
            list
        });
        Self {
            partition,
            records,
            at: 0,
            check_crcs,
            aborted,
            aborting: HashSet::new(),
            _permit: permit,
        }
    }

    /// Returns how many records the next batch says it holds; `None` at the end.
    #[must_use]
    pub fn peek_count(&self) -> Option<usize> {
        let rest = &self.records[self.at..];
        let found = outline(rest)?;
        Some(crate::batch::count(&rest[..found.size]).unwrap_or(0))
    }

    /// Returns what stands next and steps over it; `None` at the end. A torn batch at the end comes whole with the next answer.
    ///
    /// # Errors
    /// A batch is damaged.
    pub fn step(&mut self) -> Result<Option<Step<'_>>, WireError> {
        let Some(found) = outline(&self.records[self.at..]) else {
            return Ok(None);
        };
        let bytes = &self.records[self.at..self.at + found.size];
        if found.magic < 2 {
            return Err(WireError::Data(format!(
                "the records at offset {} are in the format of Kafka before 0.11, which is not read: copy the topic once with a newer client",
                found.last_offset
            )));
        }
        if found.magic > 2 {
            return Err(WireError::Data(format!(
                "the records at offset {} are in format {}, which is newer than this client",
                found.last_offset, found.magic
            )));
        }
        let batch = Batch::new(bytes, self.check_crcs)?;
        self.at += found.size;
        if let Some(waiting) = &mut self.aborted {
            while let Some((producer, first)) = waiting.last()
                && *first <= batch.last_offset
            {
                self.aborting.insert(*producer);
                waiting.pop();
            }
        }
        if batch.is_control() {
            if batch.is_abort()? {
                self.aborting.remove(&batch.producer_id);
            }
            return Ok(Some(Step::Skip(batch.last_offset)));
        }
        if batch.is_transactional() && self.aborting.contains(&batch.producer_id) {
            return Ok(Some(Step::Skip(batch.last_offset)));
        }
        Ok(Some(Step::Records(batch)))
    }
}

/// Returns the last offset of the complete batches in `records`; `None` where there is none.
pub(crate) fn last_offset(records: &[u8]) -> Option<i64> {
    let mut rest = records;
    let mut last = None;
    while let Some(found) = outline(rest) {
        last = Some(found.last_offset);
        rest = &rest[found.size..];
    }
    last
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arena::Arena;
    use crate::codec::Unpacker;
    use crate::record::read_record;

    const TRANSACTIONAL: i16 = 1 << 4;
    const CONTROL: i16 = 1 << 5;

    /// Returns a batch of records whose values are `values`, the first at `base`.
    fn batch(
        base: i64,
        attributes: i16,
        producer: i64,
        key: Option<&[u8]>,
        values: &[&str],
    ) -> Vec<u8> {
        let mut body = Vec::new();
        for (delta, value) in values.iter().enumerate() {
            let mut inner = vec![0, 0, (delta * 2) as u8];
            match key {
                None => inner.push(1),
                Some(key) => {
                    inner.push(key.len() as u8 * 2);
                    inner.extend(key);
                }
            }
            inner.push(value.len() as u8 * 2);
            inner.extend(value.bytes());
            inner.push(0);
            body.push(inner.len() as u8 * 2);
            body.extend(inner);
        }
        let mut checked = Vec::new();
        checked.extend(attributes.to_be_bytes());
        checked.extend((values.len() as i32 - 1).to_be_bytes());
        checked.extend([0; 16]);
        checked.extend(producer.to_be_bytes());
        checked.extend([0; 6]);
        checked.extend((values.len() as i32).to_be_bytes());
        checked.extend(body);
        let mut bytes = base.to_be_bytes().to_vec();
        bytes.extend((checked.len() as i32 + 9).to_be_bytes());
        bytes.extend([0, 0, 0, 7, 2]);
        bytes.extend(crc32c::crc32c(&checked).to_be_bytes());
        bytes.extend(checked);
        bytes
    }

    fn marker(offset: i64, producer: i64, is_commit: bool) -> Vec<u8> {
        let key = [0, 0, 0, u8::from(is_commit)];
        batch(
            offset,
            TRANSACTIONAL | CONTROL,
            producer,
            Some(&key),
            &["\0\0\0\0\0\0"],
        )
    }

    fn chunk(records: Vec<u8>, aborted: Option<Vec<(i64, i64)>>) -> Chunk {
        Chunk::new(0, records.into(), true, aborted, None)
    }

    /// Returns the values that a chunk gives, and the last offset that it stands for.
    fn read(mut chunk: Chunk) -> Result<(Vec<String>, i64), WireError> {
        let (mut values, mut last) = (Vec::new(), -1);
        while let Some(step) = chunk.step()? {
            let batch = match step {
                Step::Skip(offset) => {
                    last = offset;
                    continue;
                }
                Step::Records(batch) => batch,
            };
            last = batch.last_offset;
            let mut arena = Arena::default();
            let range = batch.unpack(&mut Unpacker::default(), &mut arena)?;
            let mut at = range.start;
            for _ in 0..batch.count {
                let record = read_record(&arena.bytes()[..range.end], &mut at)?;
                let value = record.value.unwrap_or_default();
                values.push(String::from_utf8_lossy(&arena.bytes()[value]).into_owned());
            }
        }
        Ok((values, last))
    }

    /// Two transactions beside each other: 7 aborts, 8 commits; then 7 commits another.
    fn two_producers() -> Vec<u8> {
        [
            batch(10, TRANSACTIONAL, 7, None, &["a", "b"]),
            batch(12, TRANSACTIONAL, 8, None, &["c"]),
            batch(13, 0, -1, None, &["d"]),
            marker(14, 7, false),
            batch(15, TRANSACTIONAL, 7, None, &["e"]),
            marker(16, 8, true),
            marker(17, 7, true),
        ]
        .concat()
    }

    #[test]
    fn aborted_records_and_markers_are_left_out() {
        let (values, last) = read(chunk(two_producers(), Some(vec![(7, 10)]))).unwrap();
        assert_eq!(
            (values, last),
            (vec!["c".into(), "d".into(), "e".into()], 17)
        );
        assert_eq!(last_offset(&two_producers()), Some(17));
    }

    #[test]
    fn uncommitted_records_are_read_where_they_are_wanted() {
        let (values, last) = read(chunk(two_producers(), None)).unwrap();
        assert_eq!((values.concat().as_str(), last), ("abcde", 17));
    }

    #[test]
    fn a_torn_end_waits_for_the_next_answer() {
        let mut records = batch(0, 0, -1, None, &["a"]);
        let whole = records.len();
        records.extend(batch(1, 0, -1, None, &["b"]));
        for cut in whole..records.len() {
            let (values, last) = read(chunk(records[..cut].to_vec(), None)).unwrap();
            assert_eq!((values.concat().as_str(), last), ("a", 0), "{cut}");
            assert_eq!(last_offset(&records[..cut]), Some(0));
        }
    }

    #[test]
    fn damage_and_old_formats_are_errors() {
        let mut damaged = batch(5, 0, -1, None, &["abc"]);
        *damaged.last_mut().unwrap() ^= 1;
        let text = read(chunk(damaged, None)).unwrap_err().to_string();
        assert!(text.contains("offset 5 is damaged"), "{text}");
        let mut old = batch(6, 0, -1, None, &["abc"]);
        old[16] = 1;
        assert_eq!(chunk(old.clone(), None).peek_count(), Some(1));
        let text = read(chunk(old, None)).unwrap_err().to_string();
        assert!(text.contains("before 0.11"), "{text}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            at in any::<prop::sample::Index>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            check_crcs in any::<bool>(),
        ) {
            let mut records = two_producers();
            let at = at.index(records.len());
            for (old, new) in records[at..].iter_mut().zip(&bytes) {
                *old = *new;
            }
            last_offset(&records);
            let chunk = Chunk::new(0, records.into(), check_crcs, Some(vec![(7, 10)]), None);
            drop(read(chunk));
            drop(read(Chunk::new(0, bytes.into(), check_crcs, None, None)));
        }
    }
}
