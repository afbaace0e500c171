//! What an epoch of changed state costs: copied by the lane, sorted and packed off its way, read back.
//!
//! `cargo bench -p millrace-state` prints time and bytes for keys and values as an aggregate has them.

use std::ops::Range;
use std::time::Instant;

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
        let started = Instant::now();
        let mut buffer = ChangeBuffer::default();
        for (partition, value) in &changes {
            buffer.write(Change {
                table: TableId(0),
                partition,
                key: &[],
                value: Some(value),
            });
        }
        let copied = started.elapsed();
        let raw = buffer.bytes();
        let started = Instant::now();
        let mut sealed = seal_changes(&head, &[buffer]);
        let sealed = sealed.pop().expect("something changed");
        let packed = started.elapsed();
        let (bytes, contents) = (sealed.bytes.len(), sealed.contents_bytes);
        let started = Instant::now();
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
        let read = started.elapsed();
        println!(
            "{what}: {entries} entries, {raw} bytes of keys and values, {bytes} stored ({:.2}), {contents} of contents; \
             copied in {copied:?}, packed in {packed:?}, read in {read:?}",
            bytes as f64 / raw as f64
        );
    }
}
