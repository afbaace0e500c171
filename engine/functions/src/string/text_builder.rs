//! Builds text columns: slices of the input without a copy, and computed text.

use std::sync::Arc;

use arrow_array::builder::make_view;
use arrow_array::{ArrayRef, StringViewArray};
use arrow_buffer::{Buffer, NullBufferBuilder};

/// Texts up to this length lie in the view itself.
const INLINE_LENGTH_MAX: usize = 12;
/// Computed texts are gathered in blocks of at least this size.
const BLOCK_BYTES: usize = 64 * 1024;
/// A block is closed before it would exceed this, as a view's offset has 32 bits.
const BLOCK_BYTES_MAX: usize = 1 << 30;

/// Builds a text column whose values are slices of one parent column, or computed, or NULL.
///
/// Slices point into the parent's buffers; nothing but the view is written for them.
pub(crate) struct TextBuilder {
    views: Vec<u128>,
    nulls: NullBufferBuilder,
    buffers: Vec<Buffer>,
    block: Vec<u8>,
}

impl TextBuilder {
    /// Returns a builder for about `rows` computed texts.
    pub(crate) fn new(rows: usize) -> Self {
        Self {
            views: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
            buffers: Vec::new(),
            block: Vec::new(),
        }
    }

    /// Returns a builder for about `rows` texts that may be slices of `parent`.
    pub(crate) fn over(parent: Option<&StringViewArray>, rows: usize) -> Self {
        let mut builder = Self::new(rows);
        if let Some(parent) = parent {
            builder.buffers.extend_from_slice(parent.data_buffers());
        }
        builder
    }

    /// Appends NULL.
    pub(crate) fn push_null(&mut self) {
        self.views.push(0);
        self.nulls.append_null();
    }

    /// Appends a copy of `text`.
    pub(crate) fn push(&mut self, text: &str) {
        let view = if text.len() <= INLINE_LENGTH_MAX {
            make_view(text.as_bytes(), 0, 0)
        } else {
            self.reserve(text.len());
            let offset = narrow(self.block.len());
            self.block.extend_from_slice(text.as_bytes());
            make_view(text.as_bytes(), narrow(self.buffers.len()), offset)
        };
        self.views.push(view);
        self.nulls.append_non_null();
    }

    /// Appends a copy of `text`, or NULL.
    pub(crate) fn push_option(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push(text),
            None => self.push_null(),
        }
    }

    /// Appends the parent's whole text behind `view`.
    pub(crate) fn push_view(&mut self, view: u128) {
        self.views.push(view);
        self.nulls.append_non_null();
    }

    /// Appends `text[start..end]`, where `text` is the parent's text behind `view`.
    pub(crate) fn push_slice(&mut self, view: u128, text: &str, start: usize, end: usize) {
        self.views
            .push(slice_view(view, text.as_bytes(), start, end));
        self.nulls.append_non_null();
    }

    /// Returns the column.
    pub(crate) fn finish(self) -> ArrayRef {
        Arc::new(self.finish_text())
    }

    /// Returns the column as a text array.
    pub(crate) fn finish_text(mut self) -> StringViewArray {
        if !self.block.is_empty() {
            self.buffers.push(Buffer::from_vec(self.block));
        }
        StringViewArray::try_new(self.views.into(), self.buffers, self.nulls.finish())
            .expect("views are cut from valid text at character boundaries")
    }

    /// Makes room for `length` bytes in the current block.
    ///
    /// Blocks are numbered after the parent's buffers in the order they are closed, so the current one always
    /// has the number `buffers.len()`.
    fn reserve(&mut self, length: usize) {
        if self.block.len() + length > BLOCK_BYTES_MAX && !self.block.is_empty() {
            let block = std::mem::take(&mut self.block);
            self.buffers.push(Buffer::from_vec(block));
        }
        if self.block.capacity() == 0 {
            self.block.reserve(length.max(BLOCK_BYTES));
        }
    }
}

/// Returns the view of `text[start..end]`, where `text` lies behind `view`.
pub(crate) fn slice_view(view: u128, text: &[u8], start: usize, end: usize) -> u128 {
    let slice = &text[start..end];
    if slice.len() <= INLINE_LENGTH_MAX {
        return make_view(slice, 0, 0);
    }
    // A slice of more than 12 bytes comes from a text of more than 12, whose view has a buffer and an offset.
    let (buffer, offset) = ((view >> 64) as u32, (view >> 96) as u32);
    make_view(slice, buffer, offset + narrow(start))
}

/// Narrows a length or offset that lies in one buffer, which never has 4 GiB.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("a text buffer has less than 4 GiB")
}
