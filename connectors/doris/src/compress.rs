//! Bodies packed on their way out: one stream for each load.

use std::io::Write;

use flate2::Compression as Level;
use flate2::write::GzEncoder;
use lz4_flex::frame::FrameEncoder;

use crate::settings::Compression;

/// Packs the bytes of one load.
pub(crate) enum Packer {
    None,
    Gzip(GzEncoder<Vec<u8>>),
    Lz4(Box<FrameEncoder<Vec<u8>>>),
}

const INTO_MEMORY: &str = "a Vec takes everything";

impl Packer {
    pub(crate) fn new(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::None,
            // A slower level costs more than a network saves.
            Compression::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Level::fast())),
            Compression::Lz4 => Self::Lz4(Box::new(FrameEncoder::new(Vec::new()))),
        }
    }

    /// Takes bytes in and appends what comes out so far.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::None => out.extend_from_slice(bytes),
            Self::Gzip(encoder) => {
                encoder.write_all(bytes).expect(INTO_MEMORY);
                out.append(encoder.get_mut());
            }
            Self::Lz4(encoder) => {
                encoder.write_all(bytes).expect(INTO_MEMORY);
                out.append(encoder.get_mut());
            }
        }
    }

    /// Appends the rest.
    pub(crate) fn finish(self, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Gzip(encoder) => out.append(&mut encoder.finish().expect(INTO_MEMORY)),
            Self::Lz4(encoder) => out.append(&mut encoder.finish().expect(INTO_MEMORY)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn pack(compression: Compression) -> Vec<u8> {
        let mut packer = Packer::new(compression);
        let mut out = Vec::new();
        for _ in 0..1000 {
            packer.push(b"{\"id\":1}\n", &mut out);
        }
        packer.finish(&mut out);
        out
    }

    #[test]
    fn what_was_packed_comes_out_as_it_was() {
        let plain = pack(Compression::None);
        assert_eq!(plain.len(), 9000);
        let packed = pack(Compression::Gzip);
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice())
            .read_to_end(&mut text)
            .unwrap();
        assert_eq!(text, plain);
        let packed = pack(Compression::Lz4);
        let mut text = Vec::new();
        lz4_flex::frame::FrameDecoder::new(packed.as_slice())
            .read_to_end(&mut text)
            .unwrap();
        assert_eq!(text, plain);
    }
}
