//! LZ4 frames.

use std::ops::Range;

use lz4_flex::frame::FrameDecoder;

use super::drain;
use crate::arena::Arena;

pub(super) fn unpack(body: &[u8], arena: &mut Arena) -> Result<Range<usize>, String> {
    drain(FrameDecoder::new(body), body.len() * 4, arena)
}
