//! Objects written, damaged, merged and folded, against a map.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::ops::Range;

use millrace_state::{
    Change, ChangeBuffer, Fingerprint, Head, KEY_HASH_VERSION, MergedReader, ObjectRanges,
    OperatorHead, SealedObject, StateError, StateObject, StateReader, StateWriter, TableId,
    fold_part, parts, seal_changes,
};
use proptest::prelude::*;

struct Bytes(Vec<u8>);

impl ObjectRanges for Bytes {
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, StateError> {
        let range = range.start as usize..range.end as usize;
        let found = self.0.get(range);
        found
            .map(<[u8]>::to_vec)
            .ok_or_else(|| StateError::Unreachable("no such range".into()))
    }
}

fn head() -> Head {
    let operator = |id: &str| OperatorHead {
        id: id.into(),
        fingerprint: Fingerprint {
            kind: "counter".into(),
            ..Fingerprint::default()
        },
        ttl_ms: 0,
    };
    Head {
        key_groups: 16,
        key_hash: KEY_HASH_VERSION,
        row_format: 1,
        operators: vec![operator("a"), operator("b")],
    }
}

fn open(sealed: &SealedObject) -> Result<StateObject<'static>, StateError> {
    open_bytes(sealed, sealed.bytes.clone())
}

fn open_bytes(sealed: &SealedObject, bytes: Vec<u8>) -> Result<StateObject<'static>, StateError> {
    let contents = (sealed.contents_bytes, sealed.digest.as_str());
    StateObject::open(
        "o",
        sealed.bytes.len() as u64,
        contents,
        Box::new(Bytes(bytes)),
    )
}

type Key = (u8, Vec<u8>, Vec<u8>);
type Entries = BTreeMap<Key, Vec<u8>>;

fn read(objects: &[StateObject<'_>], id: &str, groups: Range<u16>) -> Result<Entries, StateError> {
    let mut entries = Entries::new();
    let mut reader = MergedReader {
        objects,
        id,
        groups,
    };
    reader.for_each(&mut |change| {
        let key = (
            change.table.0,
            change.partition.to_vec(),
            change.key.to_vec(),
        );
        let before = entries.insert(key, change.value.unwrap().to_vec());
        assert_eq!(before, None, "an entry comes once");
        Ok(())
    })?;
    Ok(entries)
}

fn buffer(changes: &[(Key, Option<Vec<u8>>)]) -> ChangeBuffer {
    let mut buffer = ChangeBuffer::default();
    for ((table, partition, key), value) in changes {
        buffer.write(Change {
            table: TableId(*table),
            partition,
            key,
            value: value.as_deref(),
        });
    }
    buffer
}

fn sample() -> SealedObject {
    let changes: Vec<_> = (0..200_u8)
        .map(|n| ((0, vec![n], vec![]), Some(vec![n; 40])))
        .collect();
    let sealed = seal_changes(&head(), &[buffer(&changes), buffer(&changes[..3])]);
    assert_eq!(sealed.len(), 1);
    sealed.into_iter().next().unwrap()
}

#[test]
fn any_changed_byte_is_told_and_never_used() {
    let sealed = sample();
    let expected = read(&[open(&sealed).unwrap()], "a", 0..16).unwrap();
    assert_eq!(expected.len(), 200);
    for at in 8..sealed.bytes.len() {
        let mut bytes = sealed.bytes.clone();
        bytes[at] ^= 0x10;
        let read = open_bytes(&sealed, bytes).and_then(|object| {
            let objects = [object];
            read(&objects, "a", 0..16)?;
            read(&objects, "b", 0..16)
        });
        assert!(
            matches!(
                read,
                Err(StateError::Corrupt { .. } | StateError::Newer { .. })
            ),
            "byte {at}: {read:?}"
        );
    }
}

#[test]
fn an_object_that_is_cut_short_is_told() {
    let sealed = sample();
    for length in 0..sealed.bytes.len() {
        let bytes = sealed.bytes[..length].to_vec();
        assert!(open_bytes(&sealed, bytes).is_err(), "{length}");
    }
}

#[test]
fn a_later_format_is_refused_as_such() {
    let mut sealed = sample();
    let at = sealed.bytes.len() - 12;
    sealed.bytes[at] = 9;
    assert!(matches!(
        open(&sealed),
        Err(StateError::Newer {
            found: 9,
            known: 1,
            ..
        })
    ));
}

#[test]
fn state_of_several_windows_is_read_whole() {
    // Bytes that cannot be packed, so that one window is not enough.
    let mut noise = 1_u64;
    let mut bytes = |length: usize| -> Vec<u8> {
        let next = std::iter::repeat_with(|| {
            noise = noise
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (noise >> 56) as u8
        });
        next.take(length).collect()
    };
    let changes: Vec<(Key, Option<Vec<u8>>)> = (0..48_u8)
        .map(|n| ((0, vec![n], vec![]), Some(bytes(1 << 20))))
        .collect();
    let parts = seal_changes(&head(), &[buffer(&changes), ChangeBuffer::default()]);
    assert_eq!(parts.len(), 2, "a request has to end in time");
    let objects: Vec<StateObject<'_>> = parts.iter().map(|part| open(part).unwrap()).collect();
    let entries = read(&objects, "a", 0..16).unwrap();
    assert_eq!(entries.len(), 48);
    let mut damaged = parts[1].bytes.clone();
    damaged[5 << 20] ^= 1;
    let whole = open(&parts[0]).unwrap();
    let read = open_bytes(&parts[1], damaged).and_then(|object| read(&[whole, object], "a", 0..16));
    assert!(matches!(read, Err(StateError::Corrupt { .. })));
}

#[test]
fn nothing_changed_is_no_object() {
    let none = [ChangeBuffer::default(), ChangeBuffer::default()];
    assert_eq!(seal_changes(&head(), &none), []);
}

/// What an epoch writes: for each operator a few keys, set or removed.
type EpochChanges = [Vec<(Key, Option<Vec<u8>>)>; 2];

fn epochs() -> impl Strategy<Value = Vec<EpochChanges>> {
    let key = (
        0..3_u8,
        proptest::collection::vec(0..4_u8, 0..3),
        proptest::collection::vec(0..3_u8, 0..2),
    );
    let value = proptest::option::weighted(0.7, proptest::collection::vec(any::<u8>(), 0..300));
    let changes = || proptest::collection::vec((key.clone(), value.clone()), 0..30);
    proptest::collection::vec([changes(), changes()], 1..8)
}

proptest! {
    #[test]
    fn merged_and_folded_objects_are_the_map(epochs in epochs(), cut in 0..8_usize) {
        let mut maps = [Entries::new(), Entries::new()];
        let mut objects = Vec::new();
        for epoch in &epochs {
            for (map, changes) in maps.iter_mut().zip(epoch) {
                for (key, value) in changes {
                    match value {
                        Some(value) => drop(map.insert(key.clone(), value.clone())),
                        None => drop(map.remove(key)),
                    }
                }
            }
            let buffers = [buffer(&epoch[0]), buffer(&epoch[1])];
            let sealed = seal_changes(&head(), &buffers);
            objects.extend(sealed.iter().map(|sealed| open(sealed).unwrap()));
        }
        let check = |objects: &[StateObject<'_>]| {
            for (map, id) in maps.iter().zip(["a", "b"]) {
                prop_assert_eq!(&read(objects, id, 0..16).unwrap(), map);
                let mut halves = read(objects, id, 0..7).unwrap();
                halves.extend(read(objects, id, 7..16).unwrap());
                prop_assert_eq!(&halves, map);
            }
            Ok(())
        };
        check(&objects)?;
        // The newest ones alone, then the rest with what became of them.
        let newest = objects.split_off(cut.min(objects.len()));
        let is_oldest = objects.is_empty();
        for groups in parts(&newest) {
            let folded = fold_part(&newest, &groups, is_oldest).unwrap();
            objects.extend(folded.map(|sealed| open(&sealed).unwrap()));
        }
        check(&objects)?;
        let mut folded = Vec::new();
        for groups in parts(&objects) {
            let part = fold_part(&objects, &groups, true).unwrap();
            folded.extend(part.map(|sealed| open(&sealed).unwrap()));
        }
        check(&folded)?;
        let entries: u64 = folded.iter().map(StateObject::entries).sum();
        prop_assert_eq!(entries as usize, maps[0].len() + maps[1].len(), "what was removed is gone");
    }
}
