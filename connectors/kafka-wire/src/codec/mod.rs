//! Unpacking of what producers packed, and packing.

mod gzip;
mod lz4;
mod pack;
mod snappy;
mod zstd;

use std::ops::Range;

use crate::arena::Arena;

pub use pack::Compression;
pub(crate) use pack::Packer;

/// The most that one batch may unpack to: a broker takes batches of a few megabytes at most.
const UNPACKED_MAX: usize = 1 << 30;
/// The smallest room that is tried where the packed bytes do not say what they unpack to.
const ROOM_MIN: usize = 4096;

/// How a batch is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub(crate) fn number(self) -> i16 {
        self as i16
    }

    pub(crate) fn from_number(number: i16) -> Option<Self> {
        [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd]
            .get(usize::try_from(number).ok()?)
            .copied()
    }
}

/// Decompressors with their memory, for one thread.
#[derive(Default)]
pub struct Unpacker {
    gzip: gzip::Gzip,
    zstd: zstd::Zstd,
}

impl std::fmt::Debug for Unpacker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacker").finish_non_exhaustive()
    }
}

impl Unpacker {
    /// Appends what `body` unpacks to.
    pub(crate) fn unpack(
        &mut self,
        codec: Codec,
        body: &[u8],
        arena: &mut Arena,
    ) -> Result<Range<usize>, String> {
        match codec {
            Codec::None => Ok(arena.append(body)),
            Codec::Gzip => self.gzip.unpack(body, arena),
            Codec::Snappy => snappy::unpack(body, arena),
            Codec::Lz4 => lz4::unpack(body, arena),
            Codec::Zstd => self.zstd.unpack(body, arena),
        }
    }
}

/// Appends what `read` gives until it gives nothing.
fn drain(
    mut read: impl std::io::Read,
    hint: usize,
    arena: &mut Arena,
) -> Result<Range<usize>, String> {
    let start = arena.len();
    loop {
        let room = (arena.len() - start).max(hint).max(ROOM_MIN);
        let count = read
            .read(arena.spare(room))
            .map_err(|error| error.to_string())?;
        if count == 0 {
            return Ok(start..arena.len());
        }
        arena.take(count);
        if arena.len() - start > UNPACKED_MAX {
            return Err(too_large());
        }
    }
}

fn too_large() -> String {
    format!("it unpacks to more than {} MiB", UNPACKED_MAX >> 20)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    const ALL: [Codec; 5] = [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];

    fn text(size: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < size {
            write!(
                bytes,
                "{{\"id\":{},\"name\":\"row\"}}",
                bytes.len() * 7919 % 1000
            )
            .unwrap();
        }
        bytes.truncate(size);
        bytes
    }

    fn pack(codec: Codec, bytes: &[u8]) -> Vec<u8> {
        match codec {
            Codec::None => bytes.to_vec(),
            Codec::Gzip => {
                let mut out =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Codec::Snappy => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
            Codec::Lz4 => {
                let mut out = lz4_flex::frame::FrameEncoder::new(Vec::new());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Codec::Zstd => ::zstd::encode_all(bytes, 1).unwrap(),
        }
    }

    #[test]
    fn each_codec_gives_back_what_went_in() {
        let mut unpacker = Unpacker::default();
        let mut arena = Arena::default();
        for size in [0, 1, 100, 70_000, 3_000_000] {
            for codec in ALL {
                let bytes = text(size);
                let range = unpacker.unpack(codec, &pack(codec, &bytes), &mut arena);
                let range = range.unwrap_or_else(|why| panic!("{codec:?}, {size}: {why}"));
                assert!(arena.bytes()[range] == bytes, "{codec:?}, {size}");
            }
        }
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let all = [
            Compression::Gzip(6),
            Compression::Snappy,
            Compression::Lz4,
            Compression::Zstd(1),
            Compression::Zstd(3),
        ];
        for compression in all {
            let mut packer = Packer::new(compression).unwrap();
            // Larger and smaller in turns, as the room is used again.
            for size in [70_000, 0, 3_000_000, 1, 100] {
                let bytes = [b"head".to_vec(), text(size)].concat();
                let packed = packer.pack(&bytes, 4).unwrap().unwrap();
                assert_eq!(&packed[..4], b"head");
                let mut arena = Arena::default();
                let unpacked =
                    Unpacker::default().unpack(compression.codec(), &packed[4..], &mut arena);
                assert!(
                    arena.bytes()[unpacked.unwrap()] == bytes[4..],
                    "{compression:?}, {size}"
                );
            }
        }
        assert!(Packer::new(Compression::Gzip(99)).is_err());
    }

    #[test]
    fn members_and_frames_may_follow_each_other() {
        let mut unpacker = Unpacker::default();
        for codec in [Codec::Gzip, Codec::Zstd] {
            let mut packed = pack(codec, &text(5000));
            packed.extend(pack(codec, &text(300)));
            let mut arena = Arena::default();
            unpacker.unpack(codec, &packed, &mut arena).unwrap();
            assert!(
                arena.bytes() == [text(5000), text(300)].concat(),
                "{codec:?}"
            );
        }
    }

    #[test]
    fn frames_without_a_size_are_unpacked() {
        let mut out = ::zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
        for part in text(900_000).chunks(1000) {
            out.write_all(part).unwrap();
        }
        let packed = out.finish().unwrap();
        let mut arena = Arena::default();
        Unpacker::default()
            .unpack(Codec::Zstd, &packed, &mut arena)
            .unwrap();
        assert!(arena.bytes() == text(900_000));
    }

    #[test]
    fn snappy_is_read_in_javas_framing() {
        let mut packed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
        for part in [text(4000), text(20)] {
            let block = pack(Codec::Snappy, &part);
            packed.extend((block.len() as u32).to_be_bytes());
            packed.extend(block);
        }
        let mut arena = Arena::default();
        Unpacker::default()
            .unpack(Codec::Snappy, &packed, &mut arena)
            .unwrap();
        assert!(arena.bytes() == [text(4000), text(20)].concat());
    }

    proptest! {
        #[test]
        fn damaged_bytes_are_unpacked_or_refused(
            size in 0_usize..3000,
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            for codec in ALL {
                let mut packed = pack(codec, &text(size));
                if !packed.is_empty() {
                    let at = at.index(packed.len());
                    packed[at] = byte;
                    packed.truncate(cut.index(packed.len()) + 1);
                }
                let mut arena = Arena::default();
                drop(Unpacker::default().unpack(codec, &packed, &mut arena));
            }
        }

        #[test]
        fn any_bytes_are_unpacked_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for codec in ALL {
                drop(Unpacker::default().unpack(codec, &bytes, &mut Arena::default()));
            }
        }
    }

    #[test]
    fn what_a_frame_says_of_its_size_costs_no_memory() {
        // A zstd frame of a gigabyte by its own words, and one that really grows by more than is believed.
        let lie = [0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 1, 0, 0];
        let mut arena = Arena::default();
        let outcome = Unpacker::default().unpack(Codec::Zstd, &lie, &mut arena);
        assert!(outcome.is_err() || outcome.is_ok_and(|range| range.is_empty()));
        assert!(arena.into_vec().capacity() < 1 << 20);
        let large = vec![7_u8; 4 << 20];
        let packed = ::zstd::bulk::compress(&large, 3).unwrap();
        assert!(packed.len() * 128 < large.len());
        let mut arena = Arena::default();
        let range = Unpacker::default().unpack(Codec::Zstd, &packed, &mut arena);
        assert_eq!(range.unwrap().len(), large.len());
    }
}
