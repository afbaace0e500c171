//! The buffer that a lane unpacks batches into.

use std::ops::Range;

/// A growing buffer whose memory is initialised once: appending to a reused one writes each byte a single time.
#[derive(Debug, Default)]
pub struct Arena {
    bytes: Vec<u8>,
    used: usize,
}

impl Arena {
    /// Returns an empty arena in the memory of `bytes`.
    #[must_use]
    pub fn reuse(bytes: Vec<u8>) -> Self {
        Self { bytes, used: 0 }
    }

    /// Returns how many bytes are in use.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used
    }

    /// Tells whether nothing is in use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Returns what is in use.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// Returns what is in use, for writing.
    #[must_use]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.used]
    }

    /// Returns what is in use as a vector of its own.
    #[must_use]
    pub fn into_vec(mut self) -> Vec<u8> {
        self.bytes.truncate(self.used);
        self.bytes
    }

    /// Returns room for `count` bytes behind what is in use.
    pub(crate) fn spare(&mut self, count: usize) -> &mut [u8] {
        let end = self.used + count;
        if self.bytes.len() < end {
            // Growth by an eighth beyond what is needed: batches of one poll are alike.
            let reserve = end + end / 8;
            if self.bytes.capacity() < end {
                self.bytes.reserve_exact(reserve - self.bytes.len());
            }
            let size = self.bytes.capacity().min(reserve);
            self.bytes.resize(size, 0);
        }
        &mut self.bytes[self.used..end]
    }

    /// Takes the first `count` bytes of the room into use, and returns where they are.
    pub(crate) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.used;
        self.used += count;
        debug_assert!(self.used <= self.bytes.len(), "the room was asked for");
        start..self.used
    }

    /// Appends a copy of `bytes`, and returns where it is.
    pub fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        self.spare(bytes.len()).copy_from_slice(bytes);
        self.take(bytes.len())
    }
}
