//! Zstandard, with the context kept between batches.

use std::ops::Range;

use zstd::bulk::Decompressor;
use zstd::stream::read::Decoder;
use zstd::zstd_safe::get_frame_content_size;

use super::{ROOM_MIN, UNPACKED_MAX, drain, too_large};
use crate::arena::Arena;

/// A frame is believed to unpack to so many times its bytes.
const RATIO_BELIEVED: usize = 128;

#[derive(Default)]
pub(super) struct Zstd {
    context: Decompressor<'static>,
    /// How much larger batches without a size became lately.
    ratio: usize,
}

impl Zstd {
    pub(super) fn unpack(
        &mut self,
        body: &[u8],
        arena: &mut Arena,
    ) -> Result<Range<usize>, String> {
        // Producers that stream (Java's among them) leave the size out.
        let said = get_frame_content_size(body).ok().flatten();
        let said = said
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| *size <= UNPACKED_MAX);
        // What a frame says of itself must not cost memory before it is true: one that grows so much is unpacked bit by bit.
        if said.is_some_and(|said| said > body.len().saturating_mul(RATIO_BELIEVED).max(ROOM_MIN)) {
            let frames = Decoder::with_buffer(body).map_err(|error| error.to_string())?;
            return drain(frames, body.len() * 4, arena);
        }
        let mut room = said.unwrap_or(body.len().saturating_mul(self.ratio.max(6)));
        room = room.max(ROOM_MIN);
        loop {
            match self.context.decompress_to_buffer(body, arena.spare(room)) {
                Ok(count) => {
                    if said.is_none() {
                        self.ratio = count / body.len().max(1) + 2;
                    }
                    return Ok(arena.take(count));
                }
                Err(error) if room >= UNPACKED_MAX => {
                    return Err(if is_too_small(&error) {
                        too_large()
                    } else {
                        error.to_string()
                    });
                }
                Err(error) if is_too_small(&error) => room = (room * 2).min(UNPACKED_MAX),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// Tells whether the room was too small. The library gives its code as text only.
fn is_too_small(error: &std::io::Error) -> bool {
    error.to_string().contains("too small")
}
