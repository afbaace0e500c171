//! Builds text columns: slices of the input without a copy, and computed text.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringViewArray};

/// Builds a text column whose values are slices of one parent column, or computed, or NULL.
///
/// Slices point into the parent's buffers; nothing but the view is written for them.
pub(crate) struct TextBuilder(millrace_views::TextBuilder);

impl TextBuilder {
    /// Returns a builder for about `rows` computed texts.
    pub(crate) fn new(rows: usize) -> Self {
        Self(millrace_views::TextBuilder::new(rows))
    }

    /// Returns a builder for about `rows` texts that may be slices of `parent`.
    pub(crate) fn over(parent: Option<&StringViewArray>, rows: usize) -> Self {
        let buffers = parent.map_or(&[][..], StringViewArray::data_buffers);
        Self(millrace_views::TextBuilder::over(buffers, rows))
    }

    /// Appends NULL.
    #[inline]
    pub(crate) fn push_null(&mut self) {
        self.0.push_null();
    }

    /// Appends a copy of `text`.
    #[inline]
    pub(crate) fn push(&mut self, text: &str) {
        self.0.push(text);
    }

    /// Appends a copy of `text`, or NULL.
    #[inline]
    pub(crate) fn push_option(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.push(text),
            None => self.push_null(),
        }
    }

    /// Appends `text`, which is a part of a text of the parent.
    #[inline]
    pub(crate) fn push_slice(&mut self, text: &str) {
        self.0.push_slice(text);
    }

    /// Returns the column.
    pub(crate) fn finish(mut self) -> ArrayRef {
        Arc::new(self.0.finish())
    }
}
