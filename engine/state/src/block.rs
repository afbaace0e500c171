//! A block: the entries of one operator in one key group, sorted, each once.
//!
//! ```text
//!  entry = table (1) ‖ partition: 0 = that of the entry before, else length + 1 (varint), bytes
//!                    ‖ key: length (varint), bytes ‖ value: 0 = removed, else length + 1 (varint), bytes
//! ```

use twox_hash::XxHash3_64;

use crate::{Change, StateError, TableId};

/// Blocks below this are not worth a compressor's frame.
const COMPRESSED_BYTES_MIN: usize = 256;
/// The compressor's level: see docs/decisions for the measurement.
const ZSTD_LEVEL: i32 = 1;
/// No block is larger when unpacked; a larger number is damage.
const BLOCK_BYTES_MAX: u64 = 1 << 40;

/// A block as it lies in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockRef {
    pub(crate) group: u16,
    pub(crate) offset: u64,
    pub(crate) stored: u64,
    /// The size when unpacked; equal to `stored` where it is not compressed.
    pub(crate) raw: u64,
    pub(crate) entries: u64,
    pub(crate) checksum: u64,
}

/// Sorts changes so that those of one entry stand together, the last one last.
pub(crate) fn sort(changes: &mut [Change<'_>]) {
    // Stable: of one entry the order stays.
    changes.sort_by(|a, b| (a.partition, a.table, a.key).cmp(&(b.partition, b.table, b.key)));
}

/// Returns of sorted changes the last of each entry.
pub(crate) fn last_of_each<'a, 'c>(
    changes: &'c [Change<'a>],
) -> impl Iterator<Item = Change<'a>> + 'c {
    changes.iter().enumerate().filter_map(|(at, change)| {
        let is_followed = changes.get(at + 1).is_some_and(|next| {
            (next.partition, next.table, next.key) == (change.partition, change.table, change.key)
        });
        (!is_followed).then_some(*change)
    })
}

/// Appends a block of sorted changes, each entry once, to `out`.
pub(crate) fn write<'a>(
    group: u16,
    changes: impl Iterator<Item = Change<'a>>,
    out: &mut Vec<u8>,
) -> Option<BlockRef> {
    let mut raw = Vec::new();
    let mut before: Option<&[u8]> = None;
    let mut entries = 0;
    for change in changes {
        entries += 1;
        raw.push(change.table.0);
        if before == Some(change.partition) {
            put_varint(0, &mut raw);
        } else {
            put_bytes(change.partition, 1, &mut raw);
        }
        before = Some(change.partition);
        put_bytes(change.key, 0, &mut raw);
        match change.value {
            None => put_varint(0, &mut raw),
            Some(value) => put_bytes(value, 1, &mut raw),
        }
    }
    if entries == 0 {
        return None;
    }
    let packed = (raw.len() >= COMPRESSED_BYTES_MIN)
        .then(|| zstd::bulk::compress(&raw, ZSTD_LEVEL).ok())
        .flatten()
        .filter(|packed| packed.len() < raw.len());
    let stored = packed.as_deref().unwrap_or(&raw);
    let block = BlockRef {
        group,
        offset: out.len() as u64,
        stored: stored.len() as u64,
        raw: raw.len() as u64,
        entries,
        checksum: checksum(stored),
    };
    out.extend_from_slice(stored);
    Some(block)
}

/// Returns the unpacked bytes of a block after a check of its stored ones.
pub(crate) fn unpack(block: &BlockRef, stored: &[u8], object: &str) -> Result<Vec<u8>, StateError> {
    let damaged = |reason: &str| StateError::Corrupt {
        what: format!("key group {} in '{object}'", block.group),
        reason: reason.into(),
    };
    if stored.len() as u64 != block.stored {
        return Err(damaged("it is cut short"));
    }
    if checksum(stored) != block.checksum {
        return Err(damaged("its bytes do not have their checksum"));
    }
    if block.raw == block.stored {
        return Ok(stored.to_vec());
    }
    let size = usize::try_from(block.raw)
        .ok()
        .filter(|_| block.raw <= BLOCK_BYTES_MAX)
        .ok_or_else(|| damaged("its size is impossible"))?;
    let raw = zstd::bulk::decompress(stored, size).map_err(|_| damaged("it cannot be unpacked"))?;
    if raw.len() == size {
        Ok(raw)
    } else {
        Err(damaged("it unpacks to another size"))
    }
}

/// Adds the entries of unpacked bytes to `changes`.
pub(crate) fn read<'a>(
    raw: &'a [u8],
    object: &str,
    changes: &mut Vec<Change<'a>>,
) -> Result<(), StateError> {
    let mut rest = raw;
    let mut partition: &[u8] = &[];
    let parsed = (|| {
        while let Some((table, after)) = rest.split_first() {
            rest = after;
            let code = take_varint(&mut rest)?;
            if code > 0 {
                partition = take(&mut rest, code - 1)?;
            }
            let code = take_varint(&mut rest)?;
            let key = take(&mut rest, code)?;
            let value = match take_varint(&mut rest)? {
                0 => None,
                code => Some(take(&mut rest, code - 1)?),
            };
            changes.push(Change {
                table: TableId(*table),
                partition,
                key,
                value,
            });
        }
        Some(())
    })();
    parsed.ok_or_else(|| StateError::Corrupt {
        what: format!("'{object}'"),
        reason: "an entry reaches over its end".into(),
    })
}

/// Returns the checksum of stored bytes.
pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

pub(crate) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("seven bits"));
}

fn put_bytes(bytes: &[u8], added: u64, out: &mut Vec<u8>) {
    put_varint(bytes.len() as u64 + added, out);
    out.extend_from_slice(bytes);
}

pub(crate) fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_of_any_size_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(value, &mut out);
            assert_eq!(take_varint(&mut out.as_slice()), Some(value));
            out.pop();
            assert_eq!(take_varint(&mut out.as_slice()), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(read(&raw, "o", &mut Vec::new()));
        }
    }
}
