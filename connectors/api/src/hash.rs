//! A hash that is the same on every machine and in every version: for names that outlive a process.

/// Where FNV-1a begins.
pub const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// Returns the FNV-1a hash of `bytes`, begun at `basis`, which is [`FNV_BASIS`] unless several hashes of one name are wanted.
pub fn fnv1a(basis: u64, bytes: impl IntoIterator<Item = u8>) -> u64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.into_iter().fold(basis, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vectors of the FNV authors.
    #[test]
    fn gives_the_published_values() {
        assert_eq!(fnv1a(FNV_BASIS, *b""), FNV_BASIS);
        assert_eq!(fnv1a(FNV_BASIS, *b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(FNV_BASIS, *b"foobar"), 0x8594_4171_f739_67e8);
    }
}
