//! The hash of keys, and the key groups that it gives.

use twox_hash::XxHash3_64;

/// The version of [`key_hash`], written into checkpoints; another one needs another function.
pub const KEY_HASH_VERSION: u16 = 1;

/// The seed of [`key_hash`], the bytes `millrace` read as a big-endian number.
const SEED: u64 = 0x6d69_6c6c_7261_6365;

/// Returns the hash of a key's bytes: XXH3 in its 64-bit form with a seed that never changes.
///
/// It is fixed for ever. Which slot and lane a key belongs to, and which checkpoint file holds its state, follow from
/// it on every machine and in every version; a change would scatter the state of every pipeline. The same holds for
/// the bytes themselves: they are a row of `millrace_operators::RowCodec`.
#[must_use]
pub fn key_hash(key: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(SEED, key)
}

/// Returns the key group of a key, one of `groups` (`pipeline.max-parallelism`): the upper 32 bits of the hash scaled
/// to their number, so the lower bits stay independent of it and serve hash tables.
///
/// # Panics
/// If there are no groups.
#[must_use]
pub fn key_group(hash: u64, groups: u16) -> u16 {
    assert!(groups > 0, "a pipeline has at least one key group");
    let scaled = ((hash >> 32) * u64::from(groups)) >> 32;
    u16::try_from(scaled).expect("less than the number of groups")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that checkpoints depend on: they must never change.
    #[test]
    fn stays_as_it_is() {
        let hashes = [key_hash(b""), key_hash(b"a"), key_hash(&[0xff; 300])];
        assert_eq!(hashes, FIXED);
    }

    const FIXED: [u64; 3] = [
        13602862849789602734,
        304952277178489474,
        16351894247958448878,
    ];

    #[test]
    fn spreads_keys_over_all_groups() {
        let mut seen = [0_u32; 128];
        for key in 0..128_000_u32 {
            seen[usize::from(key_group(key_hash(&key.to_be_bytes()), 128))] += 1;
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)));
        assert_eq!(key_group(u64::MAX, 1), 0);
        assert_eq!(key_group(u64::MAX, u16::MAX), u16::MAX - 1);
    }
}
