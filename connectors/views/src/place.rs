//! Whether a text is part of a buffer, by its address.

use arrow_buffer::Buffer;

/// Returns the offset of `text` in `buffer`, if the buffer's bytes are where it lies.
///
/// A text of no bytes may be found at the end of a buffer that it is no part of, which does no harm. Any other text
/// that is found shares its bytes with the buffer: a buffer in use is not freed, so nothing else can lie there.
#[inline]
pub(crate) fn place_in(buffer: &Buffer, text: &str) -> Option<u32> {
    let offset = text.as_ptr().addr().wrapping_sub(buffer.as_ptr().addr());
    let rest = buffer.len().checked_sub(offset)?;
    if text.len() > rest {
        return None;
    }
    u32::try_from(offset).ok()
}
