//! The record batch (format 2) as bytes: reading and checking its header, giving it its offset, and
//! building the batch that ends a transaction.
//!
//! ```text
//!  0 base offset     8 length         12 leader epoch   16 magic      17 crc32c of all from 21
//! 21 attributes     23 last delta     27 base timestamp 35 max timestamp
//! 43 producer id    51 producer epoch 53 base sequence  57 record count   61 records
//! ```

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::ResponseError;

/// Bytes before the first record.
pub(crate) const HEADER_BYTES: usize = 61;
/// Bytes before what the length field counts.
const LENGTH_PREFIX_BYTES: usize = 12;
const CRC_FROM: usize = 21;
const MAGIC: u8 = 2;
const ATTRIBUTE_TRANSACTIONAL: i16 = 1 << 4;
const ATTRIBUTE_CONTROL: i16 = 1 << 5;
/// The epoch of the only leader that a partition ever has.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// The fields of a batch's header that the broker acts on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    attributes: i16,
    pub(crate) last_offset_delta: i32,
    pub(crate) max_timestamp: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) base_sequence: i32,
}

impl Header {
    /// Reports whether the batch belongs to a transaction.
    pub(crate) fn is_transactional(&self) -> bool {
        self.attributes & ATTRIBUTE_TRANSACTIONAL != 0
    }

    /// Reports whether the batch holds a marker and no rows.
    pub(crate) fn is_control(&self) -> bool {
        self.attributes & ATTRIBUTE_CONTROL != 0
    }

    /// Reports whether the producer numbers its batches.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.producer_id >= 0
    }

    /// Returns the sequence number of the last record; numbers wrap to 0 after `i32::MAX`.
    pub(crate) fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        i32::try_from(last % (i64::from(i32::MAX) + 1)).expect("the remainder is below 2^31")
    }
}

/// A checked batch and the bytes it came in.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) header: Header,
    pub(crate) bytes: Bytes,
}

/// Cuts the records of one produced partition into batches and checks each.
///
/// # Errors
/// `CorruptMessage` for a cut or altered batch, `UnsupportedForMessageFormat` for formats before 2,
/// `MessageTooLarge`, and `InvalidRecord` for what only a broker may write.
pub(crate) fn split(mut records: Bytes, bytes_max: usize) -> Result<Vec<Batch>, ResponseError> {
    let mut batches = Vec::with_capacity(1);
    while !records.is_empty() {
        if records.len() < HEADER_BYTES {
            return Err(ResponseError::CorruptMessage);
        }
        let length = i32_at(&records, 8);
        let size = usize::try_from(length).map_err(|_| ResponseError::CorruptMessage)?
            + LENGTH_PREFIX_BYTES;
        if records[16] != MAGIC {
            return Err(ResponseError::UnsupportedForMessageFormat);
        }
        if size < HEADER_BYTES || size > records.len() {
            return Err(ResponseError::CorruptMessage);
        }
        if size > bytes_max {
            return Err(ResponseError::MessageTooLarge);
        }
        batches.push(check(records.split_to(size))?);
    }
    if batches.is_empty() {
        return Err(ResponseError::InvalidRecord);
    }
    Ok(batches)
}

fn check(bytes: Bytes) -> Result<Batch, ResponseError> {
    if crc32c::crc32c(&bytes[CRC_FROM..]) != i32_at(&bytes, 17).cast_unsigned() {
        return Err(ResponseError::CorruptMessage);
    }
    let header = Header {
        attributes: i16_at(&bytes, 21),
        last_offset_delta: i32_at(&bytes, 23),
        max_timestamp: i64_at(&bytes, 35),
        producer_id: i64_at(&bytes, 43),
        producer_epoch: i16_at(&bytes, 51),
        base_sequence: i32_at(&bytes, 53),
    };
    let records = i32_at(&bytes, 57);
    let counted = records > 0 && header.last_offset_delta.checked_add(1) == Some(records);
    let numbered = !header.is_idempotent() || header.base_sequence >= 0;
    let owned = !header.is_transactional() || header.is_idempotent();
    if !counted || !numbered || !owned || header.is_control() {
        return Err(ResponseError::InvalidRecord);
    }
    Ok(Batch { header, bytes })
}

/// Copies a batch out of its request and writes its offset and leader epoch into the copy.
///
/// The checksum covers neither field, so it stays valid. The copy lets go of the request's memory.
pub(crate) fn place(bytes: &[u8], base_offset: i64) -> Bytes {
    assert!(
        bytes.len() >= HEADER_BYTES,
        "only checked batches are placed"
    );
    let mut placed = BytesMut::from(bytes);
    placed[0..8].copy_from_slice(&base_offset.to_be_bytes());
    placed[12..16].copy_from_slice(&LEADER_EPOCH.to_be_bytes());
    placed.freeze()
}

/// Builds the control batch that ends a producer's transaction in one partition.
pub(crate) fn marker(
    base_offset: i64,
    producer_id: i64,
    producer_epoch: i16,
    committed: bool,
    timestamp_ms: i64,
) -> Bytes {
    // One record: length 16, no attributes, no deltas, a key of 4 bytes (version 0, type), a value
    // of 6 bytes (version 0, coordinator epoch 0), no headers. Lengths are zigzag varints.
    let kind = u8::from(committed);
    let record: [u8; 17] = [32, 0, 0, 0, 8, 0, 0, 0, kind, 12, 0, 0, 0, 0, 0, 0, 0];
    let mut batch = BytesMut::with_capacity(HEADER_BYTES + record.len());
    batch.put_i64(base_offset);
    let length = HEADER_BYTES + record.len() - LENGTH_PREFIX_BYTES;
    batch.put_i32(i32::try_from(length).expect("a marker is shorter than 100 bytes"));
    batch.put_i32(LEADER_EPOCH);
    batch.put_u8(MAGIC);
    batch.put_u32(0);
    batch.put_i16(ATTRIBUTE_TRANSACTIONAL | ATTRIBUTE_CONTROL);
    batch.put_i32(0);
    batch.put_i64(timestamp_ms);
    batch.put_i64(timestamp_ms);
    batch.put_i64(producer_id);
    batch.put_i16(producer_epoch);
    batch.put_i32(-1);
    batch.put_i32(1);
    batch.put_slice(&record);
    let crc = crc32c::crc32c(&batch[CRC_FROM..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch.freeze()
}

fn i16_at(bytes: &[u8], at: usize) -> i16 {
    i16::from_be_bytes(bytes[at..at + 2].try_into().expect("two bytes"))
}

fn i32_at(bytes: &[u8], at: usize) -> i32 {
    i32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use kafka_protocol::records::{
        Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchDecoder, RecordBatchEncoder,
        RecordEncodeOptions, TimestampType,
    };

    /// Encodes rows `(timestamp, value)` as one producer would.
    pub(crate) fn encoded(producer: Option<(i64, i16, i32, bool)>, rows: &[(i64, &str)]) -> Bytes {
        let (producer_id, producer_epoch, base, transactional) =
            producer.unwrap_or((-1, -1, -1, false));
        let records: Vec<Record> = rows
            .iter()
            .enumerate()
            .map(|(at, (timestamp, value))| {
                let at = i32::try_from(at).unwrap();
                Record {
                    transactional,
                    control: false,
                    delete_horizon: false,
                    partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
                    producer_id,
                    producer_epoch,
                    timestamp_type: TimestampType::Creation,
                    offset: i64::from(at),
                    // The encoder starts a new batch where numbers don't ascend with offsets.
                    sequence: base + at,
                    timestamp: *timestamp,
                    key: None,
                    value: Some(Bytes::copy_from_slice(value.as_bytes())),
                    headers: Default::default(),
                }
            })
            .collect();
        let mut buffer = BytesMut::new();
        let options = RecordEncodeOptions {
            version: 2,
            compression: Compression::None,
        };
        RecordBatchEncoder::encode(&mut buffer, records.iter(), &options).unwrap();
        buffer.freeze()
    }

    #[test]
    fn a_batch_is_read_and_placed_without_breaking_its_checksum() {
        let bytes = encoded(Some((7, 3, 40, true)), &[(100, "a"), (300, "b")]);
        let batches = split(bytes, 1 << 20).unwrap();
        assert_eq!(batches.len(), 1);
        let header = batches[0].header;
        assert_eq!((header.producer_id, header.producer_epoch), (7, 3));
        assert_eq!((header.base_sequence, header.last_sequence()), (40, 41));
        assert_eq!(header.max_timestamp, 300);
        assert!(header.is_transactional() && !header.is_control());
        let mut placed = place(&batches[0].bytes, 1234);
        let decoded = RecordBatchDecoder::decode(&mut placed).unwrap();
        assert_eq!(decoded.records[1].offset, 1235);
    }

    #[test]
    fn altered_cut_and_large_batches_are_refused() {
        let good = encoded(None, &[(1, "a")]);
        let mut altered = BytesMut::from(&good[..]);
        *altered.last_mut().unwrap() ^= 1;
        let refused = |bytes: Bytes, max| split(bytes, max).map(|_| ()).unwrap_err();
        assert_eq!(
            refused(altered.freeze(), 1 << 20),
            ResponseError::CorruptMessage
        );
        assert_eq!(
            refused(good.slice(..good.len() - 1), 1 << 20),
            ResponseError::CorruptMessage
        );
        assert_eq!(
            refused(good.slice(..20), 1 << 20),
            ResponseError::CorruptMessage
        );
        assert_eq!(
            refused(good.clone(), good.len() - 1),
            ResponseError::MessageTooLarge
        );
        assert_eq!(
            refused(marker(0, 1, 0, true, 5), 1 << 20),
            ResponseError::InvalidRecord
        );
        assert_eq!(refused(Bytes::new(), 1 << 20), ResponseError::InvalidRecord);
    }

    #[test]
    fn a_marker_is_a_control_record_of_its_producer() {
        for committed in [false, true] {
            let mut bytes = marker(9, 5, 2, committed, 77);
            let decoded = RecordBatchDecoder::decode(&mut bytes).unwrap();
            let record = &decoded.records[0];
            assert!(record.control && record.transactional);
            assert_eq!(
                (record.offset, record.producer_id, record.producer_epoch),
                (9, 5, 2)
            );
            assert_eq!(
                record.key.as_deref(),
                Some(&[0, 0, 0, u8::from(committed)][..])
            );
            assert_eq!(record.value.as_deref(), Some(&[0u8; 6][..]));
            assert!(bytes.is_empty());
        }
    }
}
