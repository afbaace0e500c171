//! Snappy: one raw block, or many in the framing of Java's `SnappyOutputStream`.

use std::ops::Range;

use snap::raw::{Decoder, decompress_len};

use super::{UNPACKED_MAX, too_large};
use crate::arena::Arena;

/// What the framing begins with; two version numbers follow.
const MAGIC: &[u8] = b"\x82SNAPPY\0";
const HEAD: usize = 16;

pub(super) fn unpack(body: &[u8], arena: &mut Arena) -> Result<Range<usize>, String> {
    let start = arena.len();
    if !body.starts_with(MAGIC) {
        block(body, arena, start)?;
        return Ok(start..arena.len());
    }
    let mut rest = body.get(HEAD..).ok_or("its head is torn")?;
    while !rest.is_empty() {
        let (size, behind) = rest.split_first_chunk().ok_or("a block's size is torn")?;
        let size = u32::from_be_bytes(*size) as usize;
        let bytes = behind.get(..size).ok_or("a block is torn")?;
        block(bytes, arena, start)?;
        rest = &behind[size..];
    }
    Ok(start..arena.len())
}

fn block(bytes: &[u8], arena: &mut Arena, start: usize) -> Result<(), String> {
    let size = decompress_len(bytes).map_err(|error| error.to_string())?;
    // No byte of snappy stands for more than 64, so a size beyond that is a lie that must not cost memory.
    if size > bytes.len().saturating_mul(64) || arena.len() - start + size > UNPACKED_MAX {
        return Err(too_large());
    }
    let count = Decoder::new()
        .decompress(bytes, arena.spare(size))
        .map_err(|error| error.to_string())?;
    arena.take(count);
    Ok(())
}
