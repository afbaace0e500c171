//! What an epoch of changed state costs: copied by the lane, sorted and packed off its way, read back.
//!
//! `cargo bench -p millrace-state` prints processor time and bytes for keys and values as an aggregate has them, and what
//! compressors make of the same bytes alone.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::ops::Range;
use std::time::Duration;

use millrace_state::{
    Change, ChangeBuffer, Fingerprint, Head, KEY_HASH_VERSION, MergedReader, ObjectRanges,
    OperatorHead, StateError, StateObject, StateReader, StateWriter, TableId, seal_changes,
};

/// Changed entries of an epoch.
const ENTRIES: u64 = 200_000;
/// Keys of the whole state.
const KEYS: u64 = 10_000_000;

struct Bytes(Vec<u8>);

impl ObjectRanges for Bytes {
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, StateError> {
        let at = |offset: u64| usize::try_from(offset).expect("it is in memory");
        Ok(self.0[at(range.start)..at(range.end)].to_vec())
    }
}

/// Returns the processor time of this thread: the machine may be busy with other things.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanos.expect("the first word is a number"))
}

/// Prints what a compressor makes of entries cut into as many pieces as there are key groups.
fn compress(bytes: &[u8], levels: &[i32]) {
    for level in levels {
        let started = cpu();
        let packed = bytes
            .chunks(bytes.len() / 128 + 1)
            .map(|chunk| zstd::bulk::compress(chunk, *level).expect("it is in memory"));
        let packed: Vec<Vec<u8>> = packed.collect();
        let took = cpu() - started;
        let size: usize = packed.iter().map(Vec::len).sum();
        let ratio = size as f64 / bytes.len() as f64;
        println!("  zstd {level}: {size} bytes ({ratio:.2}) in {took:?}");
    }
}

fn main() {
    let head = Head {
        key_groups: 128,
        key_hash: KEY_HASH_VERSION,
        row_format: 1,
        operators: vec![OperatorHead {
            id: "aggregate".into(),
            fingerprint: Fingerprint::default(),
            ttl_ms: 0,
        }],
    };
    // A generator of Knuth's: keys in no order, each round others.
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state >> 33
    };
    for (what, text) in [("number keys", false), ("text keys", true)] {
        let changes: Vec<(Vec<u8>, Vec<u8>)> = (0..ENTRIES)
            .map(|_| {
                let key = next() % KEYS;
                let key = if text {
                    format!("\u{1}user-{key:032}").into_bytes()
                } else {
                    [&[1], &key.to_be_bytes()[..]].concat()
                };
                let count = next() % 50;
                let sum = count * (next() % 1_000);
                (key, [count.to_le_bytes(), sum.to_le_bytes()].concat())
            })
            .collect();
        let started = cpu();
        let mut buffer = ChangeBuffer::default();
        for (partition, value) in &changes {
            buffer.write(Change {
                table: TableId(0),
                partition,
                key: &[],
                value: Some(value),
            });
        }
        let copied = cpu() - started;
        let raw = buffer.bytes();
        let mut sorted = changes.clone();
        sorted.sort();
        let entries_alone: Vec<u8> = sorted
            .into_iter()
            .flat_map(|(key, value)| [key, value].concat())
            .collect();
        compress(&entries_alone, &[-5, 1, 3]);
        let started = cpu();
        let mut sealed = seal_changes(&head, &[buffer]);
        let sealed = sealed.pop().expect("something changed");
        let packed = cpu() - started;
        let (bytes, contents) = (sealed.bytes.len(), sealed.contents_bytes);
        let started = cpu();
        let place = Box::new(Bytes(sealed.bytes));
        let object = StateObject::open("o", bytes as u64, (contents, &sealed.digest), place);
        let objects = [object.expect("it was sealed above")];
        let mut reader = MergedReader {
            objects: &objects,
            id: "aggregate",
            groups: 0..128,
        };
        let mut entries = 0_u64;
        let visited = reader.for_each(&mut |_| {
            entries += 1;
            Ok(())
        });
        visited.expect("it was sealed above");
        let read = cpu() - started;
        println!(
            "{what}: {entries} entries, {raw} bytes of keys and values, {bytes} stored ({:.2}), {contents} of contents; \
             copied in {copied:?}, packed in {packed:?}, read in {read:?}",
            bytes as f64 / raw as f64
        );
    }
}
