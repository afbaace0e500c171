//! Record batches as brokers keep them: the head, the checksum, what is inside.

use std::ops::Range;

use crate::arena::Arena;
use crate::codec::{Codec, Unpacker};
use crate::error::WireError;

/// What precedes the length of a batch, and the length itself.
const PREFIX: usize = 12;
/// Where the version stands, in every version of the format.
const MAGIC_AT: usize = 16;
/// Where the bytes begin that the checksum of version 2 is of.
pub(crate) const CRC_FROM: usize = 21;
/// Where the records of version 2 begin.
pub(crate) const HEAD: usize = 61;

const COMPRESSION: i16 = 0b111;
const APPEND_TIME: i16 = 1 << 3;
pub(crate) const TRANSACTIONAL: i16 = 1 << 4;
const CONTROL: i16 = 1 << 5;

/// What a record's timestamp means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampKind {
    /// Set by the producer.
    CreateTime,
    /// Set by the broker.
    LogAppendTime,
}

/// A batch of records, still packed.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Offset of its first record as it was written; compaction may have removed that record.
    pub base_offset: i64,
    /// The last offset it stands for.
    pub last_offset: i64,
    /// The leader's epoch when it was written.
    pub leader_epoch: i32,
    /// How many records it holds.
    pub count: usize,
    /// What its timestamps mean.
    pub timestamp_kind: TimestampKind,
    base_timestamp: i64,
    max_timestamp: i64,
    attributes: i16,
    pub(crate) producer_id: i64,
    body: &'a [u8],
}

/// What the beginning of a batch says without a look at the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// How many bytes it takes.
    pub(crate) size: usize,
    /// The last offset it stands for.
    pub(crate) last_offset: i64,
    /// The version of its format.
    pub(crate) magic: u8,
}

fn fixed<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn i64_at(bytes: &[u8], at: usize) -> Option<i64> {
    fixed(bytes, at).map(i64::from_be_bytes)
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    fixed(bytes, at).map(i32::from_be_bytes)
}

fn i16_at(bytes: &[u8], at: usize) -> Option<i16> {
    fixed(bytes, at).map(i16::from_be_bytes)
}

/// Returns the outline of the batch that `bytes` begins with; `None` where it is not there as a whole.
pub(crate) fn outline(bytes: &[u8]) -> Option<Outline> {
    let size = usize::try_from(i32_at(bytes, 8)?).ok()? + PREFIX;
    let magic = *bytes.get(MAGIC_AT)?;
    if bytes.len() < size {
        return None;
    }
    let base = i64_at(bytes, 0)?;
    // In the old format the offset of a packed set is that of its last record.
    let delta = if magic >= 2 { i32_at(bytes, 23)? } else { 0 };
    Some(Outline {
        size,
        last_offset: base.checked_add(i64::from(delta))?,
        magic,
    })
}

/// Returns how many records the batch that `bytes` are says it holds.
pub(crate) fn count(bytes: &[u8]) -> Option<usize> {
    usize::try_from(i32_at(bytes, 57)?).ok()
}

impl<'a> Batch<'a> {
    /// Returns the batch of version 2 that `bytes` are.
    pub(crate) fn new(bytes: &'a [u8], check_crc: bool) -> Result<Self, WireError> {
        let torn = || WireError::Data("a record batch is shorter than its head".into());
        if bytes.len() < HEAD {
            return Err(torn());
        }
        let base_offset = i64_at(bytes, 0).ok_or_else(torn)?;
        if check_crc {
            let said = i32_at(bytes, 17).ok_or_else(torn)? as u32;
            if crc32c::crc32c(&bytes[CRC_FROM..]) != said {
                return Err(WireError::Data(format!(
                    "the record batch at offset {base_offset} is damaged: its checksum does not match"
                )));
            }
        }
        let attributes = i16_at(bytes, 21).ok_or_else(torn)?;
        let delta = i32_at(bytes, 23).ok_or_else(torn)?;
        let count = count(bytes)
            .ok_or_else(|| WireError::Data("a record batch counts less than nothing".into()))?;
        Ok(Self {
            base_offset,
            last_offset: base_offset.saturating_add(i64::from(delta)),
            leader_epoch: i32_at(bytes, 12).ok_or_else(torn)?,
            count,
            timestamp_kind: if attributes & APPEND_TIME == 0 {
                TimestampKind::CreateTime
            } else {
                TimestampKind::LogAppendTime
            },
            base_timestamp: i64_at(bytes, 27).ok_or_else(torn)?,
            max_timestamp: i64_at(bytes, 35).ok_or_else(torn)?,
            attributes,
            producer_id: i64_at(bytes, 43).ok_or_else(torn)?,
            body: &bytes[HEAD..],
        })
    }

    /// Returns a record's timestamp in milliseconds.
    #[must_use]
    pub fn timestamp(&self, delta: i64) -> i64 {
        match self.timestamp_kind {
            TimestampKind::CreateTime => self.base_timestamp.wrapping_add(delta),
            TimestampKind::LogAppendTime => self.max_timestamp,
        }
    }

    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Tells whether it holds a marker of a transaction's end instead of records.
    pub(crate) fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Tells whether the marker that it holds is of an abort. Markers are never packed.
    pub(crate) fn is_abort(&self) -> Result<bool, WireError> {
        let record = crate::record::read_record(self.body, &mut 0)?;
        let key = record.key.map(|range| &self.body[range]);
        Ok(key.and_then(|key| i16_at(key, 2)) == Some(0))
    }

    /// Appends the records to `arena`, unpacked, and returns where they are.
    ///
    /// # Errors
    /// The bytes cannot be unpacked.
    pub fn unpack(
        &self,
        unpacker: &mut Unpacker,
        arena: &mut Arena,
    ) -> Result<Range<usize>, WireError> {
        let codec = Codec::from_number(self.attributes & COMPRESSION).ok_or_else(|| {
            let number = self.attributes & COMPRESSION;
            WireError::Data(format!("nobody knows compression number {number}"))
        })?;
        unpacker.unpack(codec, self.body, arena).map_err(|why| {
            WireError::Data(format!(
                "the record batch at offset {} cannot be unpacked ({codec:?}): {why}",
                self.base_offset
            ))
        })
    }
}
