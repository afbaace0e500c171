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
