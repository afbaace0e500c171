//! Packing of what is written.

use std::io::Write;

use libdeflater::{CompressionLvl, Compressor as Deflater};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use super::Codec;
use crate::error::WireError;

/// How what is written is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// Gzip, at a level from 1 to 9.
    Gzip(i32),
    /// Snappy, in the framing of Java's library.
    Snappy,
    /// LZ4, in frames of independent blocks.
    Lz4,
    /// Zstandard, at a level.
    Zstd(i32),
}

/// The size of a block in Java's framing of snappy.
const SNAPPY_BLOCK: usize = 32 << 10;
/// What Java's framing of snappy begins with: its name, its version, and the oldest version that reads it.
const SNAPPY_HEAD: &[u8] = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

impl Compression {
    pub(crate) fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip(_) => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd(_) => Codec::Zstd,
        }
    }
}

/// A compressor with its memory, for one thread.
pub(crate) struct Packer {
    work: Work,
    /// Used again for each batch, and initialized up to its length.
    room: Vec<u8>,
}

enum Work {
    None,
    Gzip(Deflater),
    Snappy(Box<snap::raw::Encoder>),
    Lz4,
    Zstd(Compressor<'static>),
}

impl Packer {
    /// Returns a compressor.
    ///
    /// # Errors
    /// The level is none of the codec's.
    pub(crate) fn new(compression: Compression) -> Result<Self, WireError> {
        let level = |why: String| WireError::Config(format!("compression: {why}"));
        let work = match compression {
            Compression::None => Work::None,
            Compression::Gzip(number) => {
                let found = CompressionLvl::new(number)
                    .map_err(|_| level(format!("gzip has no level {number}")))?;
                Work::Gzip(Deflater::new(found))
            }
            Compression::Snappy => Work::Snappy(Box::new(snap::raw::Encoder::new())),
            Compression::Lz4 => Work::Lz4,
            Compression::Zstd(number) => {
                Work::Zstd(Compressor::new(number).map_err(|error| level(error.to_string()))?)
            }
        };
        Ok(Self {
            work,
            room: Vec::new(),
        })
    }

    /// Returns the first `head` bytes of `bytes` as they are, and the rest packed; `None` where nothing is packed.
    pub(crate) fn pack(&mut self, bytes: &[u8], head: usize) -> Result<Option<Vec<u8>>, WireError> {
        let body = &bytes[head..];
        let size = match &mut self.work {
            Work::None => return Ok(None),
            Work::Gzip(deflater) => {
                let bound = deflater.gzip_compress_bound(body.len());
                let out = room(&mut self.room, head, bound);
                deflater.gzip_compress(body, out).map_err(failed)?
            }
            Work::Zstd(compressor) => {
                let out = room(&mut self.room, head, compress_bound(body.len()));
                compressor.compress_to_buffer(body, out).map_err(failed)?
            }
            Work::Snappy(encoder) => {
                self.room.resize(head, 0);
                snappy(encoder, body, &mut self.room).map_err(failed)?;
                self.room.len() - head
            }
            Work::Lz4 => {
                self.room.resize(head, 0);
                let frame = FrameInfo::new()
                    .block_size(BlockSize::Max64KB)
                    .block_mode(BlockMode::Independent);
                let mut encoder = FrameEncoder::with_frame_info(frame, &mut self.room);
                encoder.write_all(body).map_err(failed)?;
                encoder.finish().map_err(failed)?;
                self.room.len() - head
            }
        };
        self.room[..head].copy_from_slice(&bytes[..head]);
        Ok(Some(self.room[..head + size].to_vec()))
    }
}

/// Returns room for `bound` bytes behind `head` of them; what was there before is overwritten.
fn room(room: &mut Vec<u8>, head: usize, bound: usize) -> &mut [u8] {
    if room.len() < head + bound {
        room.resize(head + bound, 0);
    }
    &mut room[head..]
}

fn snappy(
    encoder: &mut snap::raw::Encoder,
    body: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), snap::Error> {
    out.extend_from_slice(SNAPPY_HEAD);
    for block in body.chunks(SNAPPY_BLOCK) {
        let at = out.len();
        out.resize(at + 4 + snap::raw::max_compress_len(block.len()), 0);
        let size = encoder.compress(block, &mut out[at + 4..])?;
        let length = u32::try_from(size).expect("a block is small");
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        out.truncate(at + 4 + size);
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> WireError {
    WireError::Data(format!("records cannot be packed: {error}"))
}
