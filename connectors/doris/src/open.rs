//! One load under way: rows in, chunks out.

use std::sync::Arc;
use std::time::Instant;

use crate::compress::Packer;
use crate::figures::LoadFigures;
use crate::http::{Connection, HttpError, Response};
use crate::settings::Compression;

/// Rows are sent in chunks of about this size.
const CHUNK_BYTES: usize = 256 << 10;
/// Room for a chunk's size before it, in hexadecimal of fixed width.
const CHUNK_HEAD: usize = 10;

/// Rows that were encoded together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) bytes: &'a [u8],
    /// Where each part ends in `bytes`; between two parts stands the body's separator.
    pub(crate) ends: &'a [usize],
    /// How many rows all parts have.
    pub(crate) rows: u64,
}

pub(crate) struct OpenLoad {
    connection: Connection,
    pub(crate) label: String,
    pub(crate) opened: Instant,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    is_begun: bool,
    packer: Packer,
    /// A chunk under way, room for its head first.
    chunk: Vec<u8>,
    /// What waits for the packer; without one, nothing does.
    plain: Vec<u8>,
    figures: Arc<LoadFigures>,
}

impl OpenLoad {
    pub(crate) fn new(
        connection: Connection,
        label: String,
        compression: Compression,
        figures: Arc<LoadFigures>,
    ) -> Self {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
        chunk.resize(CHUNK_HEAD, b'0');
        Self {
            connection,
            label,
            opened: Instant::now(),
            rows: 0,
            bytes: 0,
            is_begun: false,
            packer: Packer::new(compression),
            chunk,
            plain: Vec::new(),
            figures,
        }
    }

    /// Takes rows in; blocks while Doris is slow.
    pub(crate) fn push(&mut self, piece: &Piece<'_>, separator: &[u8]) -> Result<(), HttpError> {
        let mut start = 0;
        for end in piece.ends {
            let part = &piece.bytes[start..*end];
            let between = if self.is_begun { separator } else { &[] };
            self.is_begun = true;
            let buffer = match self.packer {
                Packer::None => &mut self.chunk,
                _ => &mut self.plain,
            };
            buffer.extend_from_slice(between);
            buffer.extend_from_slice(part);
            self.bytes += (between.len() + part.len()) as u64;
            start = *end;
            if buffer.len() >= CHUNK_BYTES {
                self.pack();
                self.send_chunk_of(CHUNK_BYTES)?;
            }
        }
        self.rows += piece.rows;
        Ok(())
    }

    fn pack(&mut self) {
        if !self.plain.is_empty() {
            self.packer.push(&self.plain, &mut self.chunk);
            self.plain.clear();
        }
    }

    /// Sends the chunk if it has at least so many bytes.
    fn send_chunk_of(&mut self, bytes_min: usize) -> Result<(), HttpError> {
        let length = self.chunk.len() - CHUNK_HEAD;
        if length == 0 || self.chunk.len() < bytes_min {
            return Ok(());
        }
        self.chunk[..CHUNK_HEAD].copy_from_slice(format!("{length:08x}\r\n").as_bytes());
        self.chunk.extend_from_slice(b"\r\n");
        let begun = Instant::now();
        let written = self.connection.write(&self.chunk);
        self.figures.waited(begun.elapsed());
        LoadFigures::add(&self.figures.sent_bytes, length as u64);
        self.chunk.truncate(CHUNK_HEAD);
        written
    }

    /// Gives up sending and takes what the other side has said, if anything.
    pub(crate) fn answer(self) -> Result<Response, HttpError> {
        self.connection.answer()
    }

    /// Ends the body and takes the answer.
    ///
    /// # Errors
    /// There is none; and whether the whole body was sent.
    pub(crate) fn end(mut self) -> Result<Response, (HttpError, bool)> {
        self.pack();
        let packer = std::mem::replace(&mut self.packer, Packer::None);
        packer.finish(&mut self.chunk);
        let sent = self
            .send_chunk_of(0)
            .and_then(|()| self.connection.write(b"0\r\n\r\n"));
        match (sent, self.connection.answer()) {
            // A server that refuses answers before it has read all, and closes.
            (_, Ok(response)) => Ok(response),
            (Err(error), Err(_)) => Err((error, false)),
            (Ok(()), Err(error)) => Err((error, true)),
        }
    }
}
