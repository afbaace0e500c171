//! Columns of texts and bytes that point into the messages, or into a side buffer where a value had to be made.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryViewArray};
use arrow_buffer::{Buffer, NullBufferBuilder, ScalarBuffer};
use millrace_views::TextBuilder;

/// Longest text that lies in its view.
const INLINE_MAX: usize = 12;
const MESSAGES: u32 = 0;
const SIDE: u32 = 1;

/// Builds a Utf8View column.
#[derive(Default)]
pub(crate) struct TextColumn {
    texts: TextBuilder,
    made: Vec<u8>,
}

impl TextColumn {
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.texts.reserve(rows);
    }

    #[inline]
    pub(crate) fn append_null(&mut self) {
        self.texts.push_null();
    }

    /// Appends a text that lies in the messages.
    #[inline]
    pub(crate) fn append_slice(&mut self, text: &str, messages: &Buffer) {
        self.texts.push_slice_of(text, messages);
    }

    /// Appends a text that is kept in the side buffer.
    pub(crate) fn append_copy(&mut self, text: &[u8]) {
        self.append_made(|made| made.extend_from_slice(text));
    }

    /// Appends the text that `make` makes.
    pub(crate) fn append_made(&mut self, make: impl FnOnce(&mut Vec<u8>)) {
        self.made.clear();
        make(&mut self.made);
        let text = simdutf8::basic::from_utf8(&self.made).expect("what is made of text is text");
        self.texts.push(text);
    }

    /// Returns the column and starts anew.
    pub(crate) fn finish(&mut self) -> ArrayRef {
        Arc::new(self.texts.finish())
    }
}

/// Builds a BinaryView column.
pub(crate) struct BytesColumn {
    views: Vec<u128>,
    nulls: NullBufferBuilder,
    side: Vec<u8>,
    points_into_messages: bool,
}

impl BytesColumn {
    pub(crate) fn new() -> Self {
        Self {
            views: Vec::new(),
            nulls: NullBufferBuilder::new(0),
            side: Vec::new(),
            points_into_messages: false,
        }
    }

    pub(crate) fn reserve(&mut self, rows: usize) {
        self.views.reserve(rows);
    }

    #[inline]
    pub(crate) fn append_null(&mut self) {
        self.views.push(0);
        self.nulls.append_null();
    }

    /// Appends the text that lies at `start` in the messages.
    #[inline]
    pub(crate) fn append_slice(&mut self, text: &[u8], start: u32) {
        self.points_into_messages |= text.len() > INLINE_MAX;
        self.views.push(view(text, MESSAGES, start));
        self.nulls.append_non_null();
    }

    /// Appends a text that is kept in the side buffer.
    pub(crate) fn append_copy(&mut self, text: &[u8]) {
        self.append_made(|side| side.extend_from_slice(text));
    }

    /// Appends the text that `make` appends to the side buffer.
    pub(crate) fn append_made(&mut self, make: impl FnOnce(&mut Vec<u8>)) {
        let start = self.side.len();
        make(&mut self.side);
        let text = &self.side[start..];
        let offset = u32::try_from(start).expect("a batch of messages has at most 4 GiB of text");
        self.views.push(view(text, SIDE, offset));
        if text.len() <= INLINE_MAX {
            self.side.truncate(start);
        }
        self.nulls.append_non_null();
    }

    /// Returns the column and starts anew.
    pub(crate) fn finish(&mut self, messages: &Buffer) -> ArrayRef {
        let views = ScalarBuffer::from(std::mem::take(&mut self.views));
        let side = Buffer::from_vec(std::mem::take(&mut self.side));
        let nulls = self.nulls.finish();
        // A column of short values must not keep the messages alive.
        let buffers = if self.points_into_messages {
            vec![messages.clone(), side]
        } else if side.is_empty() {
            Vec::new()
        } else {
            vec![Buffer::from_vec(Vec::<u8>::new()), side]
        };
        self.points_into_messages = false;
        Arc::new(
            BinaryViewArray::try_new(views, buffers, nulls).expect("views lie in their buffers"),
        )
    }
}

#[inline]
fn view(text: &[u8], buffer: u32, offset: u32) -> u128 {
    let length = text.len() as u32;
    if text.len() <= INLINE_MAX {
        let mut bytes = [0_u8; 16];
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes[4..4 + text.len()].copy_from_slice(text);
        u128::from_le_bytes(bytes)
    } else {
        let prefix = u32::from_le_bytes(*text.first_chunk::<4>().expect("more than twelve bytes"));
        u128::from(length)
            | u128::from(prefix) << 32
            | u128::from(buffer) << 64
            | u128::from(offset) << 96
    }
}
