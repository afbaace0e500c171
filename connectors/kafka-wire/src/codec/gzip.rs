//! Gzip by libdeflate: in one pass over a buffer of the right size, which the last four bytes say.

use std::ops::Range;

use flate2::read::MultiGzDecoder;
use libdeflater::{DecompressionError, Decompressor};

use super::{UNPACKED_MAX, drain};
use crate::arena::Arena;

/// Deflate packs no tighter.
const RATIO_MAX: usize = 1032;
/// Head and tail of a member without anything optional.
const ENVELOPE: usize = 18;

pub(super) struct Gzip(Decompressor);

impl Default for Gzip {
    fn default() -> Self {
        Self(Decompressor::new())
    }
}

impl Gzip {
    pub(super) fn unpack(
        &mut self,
        body: &[u8],
        arena: &mut Arena,
    ) -> Result<Range<usize>, String> {
        let size = body
            .len()
            .checked_sub(4)
            .filter(|_| body.len() >= ENVELOPE)
            .and_then(|at| body[at..].try_into().ok())
            .map(u32::from_le_bytes)
            .ok_or("it is too short")? as usize;
        let plausible = size <= UNPACKED_MAX && size <= body.len().saturating_mul(RATIO_MAX);
        if plausible {
            // Of several members only the first is unpacked, and the size is the last one's. Where both are equal by chance,
            // the batch misses the records that its head counts: an error, never a loss.
            match self.0.gzip_decompress(body, arena.spare(size)) {
                Ok(count) if count == size => return Ok(arena.take(count)),
                Ok(_) | Err(DecompressionError::InsufficientSpace) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        drain(MultiGzDecoder::new(body), body.len() * 4, arena)
    }
}
