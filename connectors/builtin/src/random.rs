//! Numbers that look like chance and come out the same for the same row.

/// A generator of 64-bit numbers, seeded by the row and column it is for: a restart makes the same rows again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Returns the generator for one value.
    pub(crate) fn new(split: u64, row: u64, column: u64) -> Self {
        let mut random =
            Self(split.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ row.rotate_left(17) ^ (column << 56));
        random.next();
        random
    }

    /// Returns the next number (SplitMix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number within `low..=high`.
    pub(crate) fn within(&mut self, low: i128, high: i128) -> i128 {
        let width = (high - low).unsigned_abs() + 1;
        low + i128::try_from(u128::from(self.next()) % width).expect("it is less than the width")
    }

    /// Returns a number within `0.0..1.0`.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bounds_and_comes_out_the_same() {
        for row in 0..1_000 {
            let mut random = Random::new(1, row, 2);
            let value = random.within(-3, 3);
            assert!((-3..=3).contains(&value));
            assert_eq!(Random::new(1, row, 2).within(-3, 3), value);
            assert!((0.0..1.0).contains(&random.fraction()));
        }
    }
}
