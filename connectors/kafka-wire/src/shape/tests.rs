use bytes::Bytes;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiVersionsRequest, CreateTopicsRequest,
    EndTxnRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest, ListOffsetsRequest,
    MetadataRequest, OffsetCommitRequest, OffsetFetchRequest, ProduceRequest,
    SaslAuthenticateRequest, SaslHandshakeRequest, TxnOffsetCommitRequest,
};
use kafka_protocol::protocol::{Decodable, Request};

use super::*;

/// Numbers without a clock or chance: the same each time (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Makes bytes of a shape.
struct Maker<'a> {
    numbers: &'a mut Numbers,
    version: i16,
    out: Vec<u8>,
}

impl Maker<'_> {
    fn small(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn text(&mut self, length: u64) {
        for _ in 0..length {
            self.out.push(b'a' + self.numbers.below(26) as u8);
        }
    }

    fn group(&mut self, group: &Group) {
        for field in group.fields {
            if (field.from..=field.until).contains(&self.version) {
                self.shape(field.shape);
            }
        }
        if self.version < group.flexible {
            return;
        }
        let known = group.tags.iter().filter(|_| self.numbers.below(2) == 0);
        let known: Vec<_> = known.collect();
        self.small(known.len() as u32 + 1);
        for (tag, shape) in known {
            self.small(*tag);
            let mut inner = Maker {
                numbers: self.numbers,
                version: self.version,
                out: Vec::new(),
            };
            inner.shape(*shape);
            let inner = inner.out;
            self.small(inner.len() as u32);
            self.out.extend(inner);
        }
        self.small(200);
        self.small(3);
        self.text(3);
    }

    fn shape(&mut self, shape: Shape) {
        let count = self.numbers.below(3);
        match shape {
            Shape::Fixed(1) => self.out.push(1),
            Shape::Fixed(width) => self.text(width as u64),
            Shape::Text => {
                self.out.extend((count as i16).to_be_bytes());
                self.text(count);
            }
            Shape::Bytes => {
                self.out.extend((count as i32).to_be_bytes());
                self.text(count);
            }
            Shape::CompactText => {
                self.small(count as u32 + 1);
                self.text(count);
            }
            Shape::Array(element) => {
                self.out.extend((count as i32).to_be_bytes());
                (0..count).for_each(|_| self.shape(*element));
            }
            Shape::CompactArray(element) => {
                self.small(count as u32 + 1);
                (0..count).for_each(|_| self.shape(*element));
            }
            Shape::Inner(group) => self.group(group),
        }
    }
}

fn answer(key: i16, version: i16, numbers: &mut Numbers) -> Vec<u8> {
    let (_, group) = table::ANSWERS
        .iter()
        .find(|(known, _)| *known == key)
        .expect("a known answer");
    let mut maker = Maker {
        numbers,
        version,
        out: Vec::new(),
    };
    maker.group(group);
    maker.out
}

/// Calls `with!(Request, lowest, highest)` for each answer that is decoded.
macro_rules! for_each_answer {
    ($with:ident) => {
        $with!(ApiVersionsRequest, 0, 3);
        $with!(MetadataRequest, 4, 12);
        $with!(FindCoordinatorRequest, 0, 4);
        $with!(ListOffsetsRequest, 1, 7);
        $with!(OffsetFetchRequest, 1, 8);
        $with!(OffsetCommitRequest, 2, 8);
        $with!(FetchRequest, 4, 12);
        $with!(ProduceRequest, 3, 9);
        $with!(InitProducerIdRequest, 0, 4);
        $with!(AddPartitionsToTxnRequest, 0, 3);
        $with!(AddOffsetsToTxnRequest, 0, 3);
        $with!(TxnOffsetCommitRequest, 0, 3);
        $with!(EndTxnRequest, 0, 3);
        $with!(SaslHandshakeRequest, 0, 1);
        $with!(SaslAuthenticateRequest, 0, 2);
        $with!(CreateTopicsRequest, 2, 4);
    };
}

#[test]
fn the_tables_are_those_of_the_decoders() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    macro_rules! agree {
        ($request:ident, $low:literal, $high:literal) => {
            for version in $low..=$high {
                for _ in 0..20 {
                    let bytes = answer($request::KEY, version, &mut numbers);
                    let what = format!("{} {version} {bytes:?}", stringify!($request));
                    check($request::KEY, version, &bytes).expect(&what);
                    let mut rest = Bytes::from(bytes);
                    type Answer = <$request as Request>::Response;
                    Answer::decode(&mut rest, version).expect(&what);
                    assert!(rest.is_empty(), "{what}: {} bytes are left", rest.len());
                }
            }
        };
    }
    for_each_answer!(agree);
}

/// How long bytes are mutated; `MILLRACE_FUZZ_SECONDS` makes it longer.
fn seconds() -> u64 {
    let asked = std::env::var("MILLRACE_FUZZ_SECONDS");
    asked.ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn no_answer_ends_the_process() {
    let seed = 0x2545_f491_4f6c_dd1d;
    let mut numbers = Numbers(seed);
    let begin = std::time::Instant::now();
    let mut refused = 0_u64;
    while begin.elapsed().as_secs() < seconds() || refused < 1000 {
        macro_rules! mutate {
            ($request:ident, $low:literal, $high:literal) => {
                let version = $low + numbers.below($high - $low + 1) as i16;
                let mut bytes = answer($request::KEY, version, &mut numbers);
                for _ in 0..=numbers.below(4) {
                    let at = numbers.below(bytes.len().max(1) as u64) as usize;
                    match numbers.below(4) {
                        0 if at < bytes.len() => bytes[at] = numbers.below(256) as u8,
                        1 => bytes.truncate(at),
                        2 => drop(bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0x0f])),
                        _ => drop(bytes.splice(at..at, [0x7f, 0xff, 0xff, 0xff])),
                    }
                }
                match check($request::KEY, version, &bytes) {
                    Ok(()) => {
                        type Answer = <$request as Request>::Response;
                        let _ = Answer::decode(&mut Bytes::from(bytes), version);
                    }
                    Err(_) => refused += 1,
                }
            };
        }
        for_each_answer!(mutate);
    }
}

#[test]
fn thirty_bytes_take_no_memory() {
    // Versions of an error-free answer, and 2^32-2 of them.
    let bytes = [0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 18, 0, 0, 0, 3, 0];
    assert!(check(18, 3, &bytes).is_err());
    assert!(check(999, 0, &bytes).is_err());
}
