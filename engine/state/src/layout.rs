//! How an object of state lies in the store.
//!
//! ```text
//!  magic (8) ‖ blocks, by operator and key group ‖ contents ‖ length of contents (4) ‖ format (4) ‖ magic (8)
//!  contents = length of head (4) ‖ head (JSON) ‖ for each operator: number of blocks, and for each block
//!             group (from the one before), stored size, unpacked size, entries (varints), checksum of the stored bytes (8)
//! ```
//! The manifest holds the digest of everything behind the blocks, and that holds the checksum of each block: so a byte
//! that changed anywhere is found before it is used, and a block can be read alone.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::block::{BlockRef, put_varint, take_varint};
use crate::{Fingerprint, StateError};

/// The version of the layout, and of what stands in it.
pub(crate) const FORMAT: u32 = 1;
pub(crate) const MAGIC: [u8; 8] = *b"mrSTATE\0";
const TRAILER_BYTES: usize = 16;
/// How many hexadecimal digits of the SHA-256 a digest keeps.
const DIGEST_DIGITS: usize = 32;

/// What an object says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// How many key groups the keys are spread over.
    pub key_groups: u16,
    /// The version of the hash that spreads them.
    pub key_hash: u16,
    /// The version of the encoding of rows in keys and values.
    pub row_format: u16,
    /// All operators that keep state, also those without an entry here.
    pub operators: Vec<OperatorHead>,
}

/// An operator in an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorHead {
    /// Its id within the dataflow.
    pub id: String,
    /// Its structure.
    pub fingerprint: Fingerprint,
    /// How long an entry lives after its last change, in milliseconds; 0 = for ever.
    pub ttl_ms: u64,
}

/// An object for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedObject {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How many of them, at the end, say where the others are.
    pub contents_bytes: u32,
    /// The digest of those.
    pub digest: String,
}

/// The parsed end of an object.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) head: Head,
    /// For each operator of the head, its blocks by ascending group.
    pub(crate) blocks: Vec<Vec<BlockRef>>,
}

/// Closes an object whose blocks stand in `bytes`, behind the magic.
pub(crate) fn seal(mut bytes: Vec<u8>, head: &Head, blocks: &[Vec<BlockRef>]) -> SealedObject {
    let start = bytes.len();
    let json = serde_json::to_vec(head).expect("a head is plain data");
    bytes.extend(length(json.len()).to_le_bytes());
    bytes.extend(json);
    for blocks in blocks {
        put_varint(blocks.len() as u64, &mut bytes);
        let mut before = 0;
        for block in blocks {
            put_varint(u64::from(block.group - before), &mut bytes);
            before = block.group;
            for number in [block.stored, block.raw, block.entries] {
                put_varint(number, &mut bytes);
            }
            bytes.extend(block.checksum.to_le_bytes());
        }
    }
    let contents = length(bytes.len() - start);
    bytes.extend(contents.to_le_bytes());
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend(MAGIC);
    SealedObject {
        contents_bytes: contents + length(TRAILER_BYTES),
        digest: digest(&bytes[start..]),
        bytes,
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("contents are small")
}

/// Reads the end of the object `name` of `size` bytes.
pub(crate) fn open(
    name: &str,
    size: u64,
    end: &[u8],
    expected: &str,
) -> Result<Contents, StateError> {
    let corrupt = |reason: &str| StateError::Corrupt {
        what: format!("'{name}'"),
        reason: reason.into(),
    };
    let (body, trailer) = end
        .split_at_checked(end.len().saturating_sub(TRAILER_BYTES))
        .filter(|(_, trailer)| trailer.ends_with(&MAGIC))
        .ok_or_else(|| corrupt("it is no object of state, or cut short"))?;
    let word = |at: usize| {
        let bytes = trailer[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes)
    };
    // Before the digest: another format may have another one.
    if word(4) > FORMAT {
        return Err(StateError::Newer {
            what: format!("'{name}'"),
            found: word(4),
            known: FORMAT,
        });
    }
    if digest(end) != expected {
        return Err(corrupt(
            "its contents do not have the digest that the checkpoint names",
        ));
    }
    let is_whole = word(0) as usize == body.len() && end.len() as u64 <= size;
    let parsed = is_whole.then(|| parse(body)).flatten();
    let (head, blocks, after) = parsed.ok_or_else(|| corrupt("its contents cannot be read"))?;
    // Blocks fill everything between the first magic and the contents.
    if after != size - end.len() as u64 {
        return Err(corrupt("its size is not that of its blocks"));
    }
    Ok(Contents { head, blocks })
}

fn parse(body: &[u8]) -> Option<(Head, Vec<Vec<BlockRef>>, u64)> {
    let (size, rest) = body.split_first_chunk::<4>()?;
    let (json, mut rest) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
    let head: Head = serde_json::from_slice(json).ok()?;
    let mut offset = MAGIC.len() as u64;
    let mut all = Vec::new();
    for _ in &head.operators {
        let count = take_varint(&mut rest)?;
        let mut blocks = Vec::new();
        let mut group = 0_u16;
        for at in 0..count {
            let step = u16::try_from(take_varint(&mut rest)?).ok()?;
            if at > 0 && step == 0 {
                return None;
            }
            group = group.checked_add(step)?;
            let [stored, raw, entries] = [
                take_varint(&mut rest)?,
                take_varint(&mut rest)?,
                take_varint(&mut rest)?,
            ];
            let (checksum, after) = rest.split_first_chunk::<8>()?;
            rest = after;
            blocks.push(BlockRef {
                group,
                offset,
                stored,
                raw,
                entries,
                checksum: u64::from_le_bytes(*checksum),
            });
            offset = offset.checked_add(stored)?;
        }
        all.push(blocks);
    }
    rest.is_empty().then_some((head, all, offset))
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let mut text: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(DIGEST_DIGITS);
    text
}
