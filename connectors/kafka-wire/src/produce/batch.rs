//! Record batches on their way out: open while records come, sealed, packed, stamped, sent.

use std::time::Instant;

use bytes::Bytes;

use super::Identity;
use crate::batch::{CRC_FROM, HEAD, TRANSACTIONAL};
use crate::codec::Packer;
use crate::error::WireError;
use crate::record::NewRecord;

/// The version of the format.
const MAGIC: u8 = 2;
/// The length that a batch says does not count what precedes it.
const LENGTH_FROM: usize = 12;
/// "No producer."
const NOBODY: Identity = Identity { id: -1, epoch: -1 };
/// "No sequence."
const NO_SEQUENCE: i32 = -1;

/// A batch that takes records.
pub(super) struct Open {
    /// Room for the head, then the records.
    bytes: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    /// When its first record came.
    pub(super) since: Instant,
}

impl Open {
    /// Returns a batch without records, in memory that may have been used before.
    pub(super) fn new(mut bytes: Vec<u8>) -> Self {
        bytes.clear();
        bytes.resize(HEAD, 0);
        Self {
            bytes,
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            since: Instant::now(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns how large it is, unpacked.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a record.
    #[inline]
    pub(super) fn append(&mut self, record: &NewRecord<'_>) {
        if self.count == 0 {
            self.base_timestamp = record.timestamp;
            self.max_timestamp = record.timestamp;
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        let delta = record.timestamp.wrapping_sub(self.base_timestamp);
        record.write(&mut self.bytes, delta, self.count);
        self.count += 1;
    }

    /// Ends it: no record comes any more.
    pub(super) fn seal(self, order: u64) -> Batch {
        Batch {
            order,
            held: self.bytes.len(),
            since: self.since,
            body: Body::Raw(self.bytes),
            count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            codec: 0,
            stamp: None,
            attempts: 0,
        }
    }
}

/// A batch that waits to be sent, or for its answer.
pub(super) struct Batch {
    /// Its place among the batches of its partition.
    pub(super) order: u64,
    /// How many bytes it counts in the bound of the queue.
    pub(super) held: usize,
    /// When its first record came.
    pub(super) since: Instant,
    /// How often it was sent.
    pub(super) attempts: u32,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
    codec: i16,
    body: Body,
    /// As whose it was sent, and from which sequence number on.
    stamp: Option<(Identity, i32)>,
}

enum Body {
    /// As the records were written.
    Raw(Vec<u8>),
    /// Packed, but not yet signed.
    Packed(Vec<u8>),
    /// Ready to be sent.
    Ready(Bytes),
}

impl Batch {
    pub(super) fn count(&self) -> i32 {
        self.count
    }

    /// Returns the first sequence number under which it was sent as `identity`.
    pub(super) fn sequence(&self, identity: Identity) -> Option<i32> {
        let (own, sequence) = self.stamp?;
        (own == identity).then_some(sequence)
    }

    /// Packs the records, once; returns the memory of what they were before.
    pub(super) fn pack(
        &mut self,
        packer: &mut Packer,
        codec: i16,
    ) -> Result<Option<Vec<u8>>, WireError> {
        let Body::Raw(raw) = &mut self.body else {
            return Ok(None);
        };
        let raw = std::mem::take(raw);
        let Some(packed) = packer.pack(&raw, HEAD)? else {
            self.body = Body::Packed(raw);
            return Ok(None);
        };
        self.body = Body::Packed(packed);
        self.codec = codec;
        Ok(Some(raw))
    }

    /// Returns how large it is now.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::Raw(bytes) | Body::Packed(bytes) => bytes.len(),
            Body::Ready(bytes) => bytes.len(),
        }
    }

    /// Writes the head, where that is not done yet, and returns the bytes to send. Must be packed.
    pub(super) fn sign(&mut self, stamp: Option<(Identity, i32)>, is_transactional: bool) -> Bytes {
        if let Body::Ready(bytes) = &self.body
            && self.stamp == stamp
        {
            return bytes.clone();
        }
        let mut bytes = match std::mem::replace(&mut self.body, Body::Packed(Vec::new())) {
            Body::Raw(bytes) | Body::Packed(bytes) => bytes,
            Body::Ready(bytes) => bytes.to_vec(),
        };
        self.stamp = stamp;
        let (identity, sequence) = stamp.unwrap_or((NOBODY, NO_SEQUENCE));
        let length = i32::try_from(bytes.len() - LENGTH_FROM).unwrap_or(i32::MAX);
        let transactional = if is_transactional { TRANSACTIONAL } else { 0 };
        let mut head = Head(&mut bytes, 0);
        head.put(&0_i64.to_be_bytes()); // the broker numbers the records
        head.put(&length.to_be_bytes());
        head.put(&(-1_i32).to_be_bytes()); // the leader's epoch is the broker's to write
        head.put(&[MAGIC]);
        head.put(&[0; 4]); // the checksum, below
        head.put(&(self.codec | transactional).to_be_bytes());
        head.put(&(self.count - 1).to_be_bytes());
        head.put(&self.base_timestamp.to_be_bytes());
        head.put(&self.max_timestamp.to_be_bytes());
        head.put(&identity.id.to_be_bytes());
        head.put(&identity.epoch.to_be_bytes());
        head.put(&sequence.to_be_bytes());
        head.put(&self.count.to_be_bytes());
        debug_assert_eq!(head.1, HEAD);
        let checksum = crc32c::crc32c(&bytes[CRC_FROM..]);
        bytes[CRC_FROM - 4..CRC_FROM].copy_from_slice(&checksum.to_be_bytes());
        let ready = Bytes::from(bytes);
        self.body = Body::Ready(ready.clone());
        ready
    }
}

/// Writes one field after the other.
struct Head<'a>(&'a mut [u8], usize);

impl Head<'_> {
    fn put(&mut self, field: &[u8]) {
        let end = self.1 + field.len();
        self.0[self.1..end].copy_from_slice(field);
        self.1 = end;
    }
}

/// Returns the sequence number that follows `count` records from `sequence` on.
///
/// # Source
/// Kafka's `DefaultRecordBatch.incrementSequence`: from 2^31 - 1 on to 0.
pub(super) fn sequence_after(sequence: i32, count: i32) -> i32 {
    let next = (i64::from(sequence) + i64::from(count)) % (i64::from(i32::MAX) + 1);
    i32::try_from(next).expect("it is below 2^31")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;
    use crate::codec::{Compression, Unpacker};
    use crate::record::read_record;

    fn filled(count: i32) -> Batch {
        let mut open = Open::new(vec![7; 500]);
        for row in 0..count {
            open.append(&NewRecord {
                value: Some(format!("row {row}").as_bytes()),
                timestamp: 1000 + i64::from(row),
                ..NewRecord::default()
            });
        }
        open.seal(0)
    }

    #[test]
    fn what_is_written_is_read() {
        let identity = Identity { id: 9, epoch: 3 };
        for compression in [Compression::None, Compression::Zstd(1), Compression::Lz4] {
            let mut batch = filled(100);
            let mut packer = Packer::new(compression).unwrap();
            batch
                .pack(&mut packer, compression.codec().number())
                .unwrap();
            let bytes = batch.sign(Some((identity, 40)), true);
            let read = crate::batch::Batch::new(&bytes, true).unwrap();
            assert_eq!((read.count, read.last_offset), (100, 99));
            assert!(read.is_transactional() && !read.is_control());
            assert_eq!(read.producer_id, 9);
            let mut arena = Arena::default();
            let range = read.unpack(&mut Unpacker::default(), &mut arena).unwrap();
            let records = &arena.bytes()[range];
            let mut at = 0;
            for row in 0..100 {
                let record = read_record(records, &mut at).unwrap();
                assert_eq!(record.offset_delta, row);
                assert_eq!(
                    read.timestamp(record.timestamp_delta),
                    1000 + i64::from(row)
                );
                assert_eq!(
                    &records[record.value.unwrap()],
                    format!("row {row}").as_bytes()
                );
            }
            assert_eq!(at, records.len());
        }
    }

    #[test]
    fn a_batch_is_signed_anew_for_another_producer_only() {
        let mut batch = filled(1);
        let stamp = |epoch| Some((Identity { id: 1, epoch }, 0));
        let first = batch.sign(stamp(0), false);
        assert_eq!(first, batch.sign(stamp(0), false));
        assert_eq!(batch.sequence(Identity { id: 1, epoch: 0 }), Some(0));
        let second = batch.sign(stamp(1), false);
        assert_ne!(first, second);
        assert_eq!(batch.sequence(Identity { id: 1, epoch: 0 }), None);
        assert!(crate::batch::Batch::new(&second, true).is_ok());
        assert_eq!(second.len(), batch.len());
    }

    #[test]
    fn sequence_numbers_begin_anew_behind_the_last() {
        assert_eq!(sequence_after(5, 3), 8);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 1, 5), 3);
    }
}
