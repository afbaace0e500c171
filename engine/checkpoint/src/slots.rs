//! Which process of a pipeline reads which split.
//!
//! A pure function of the split's name and the number of slots, so that nobody has to be asked. The number belongs to the
//! generation: with another one, splits would be read twice or by nobody.

use millrace_connector::{FNV_BASIS, SplitId, fnv1a};

/// Returns the slot that reads a split. Partitions of one topic are dealt out in turn, so that the slots' shares differ by
/// one at most.
#[must_use]
pub fn owner(table: &str, split: &SplitId, slots: u32) -> u32 {
    let name = split.0.as_str();
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // A number too large for a partition is part of the name.
    let (stem, number) = match name[stem.len()..].parse::<u32>() {
        Ok(number) => (stem, u64::from(number)),
        Err(_) => (name, 0),
    };
    // The byte between the texts is one that no text has.
    let names = table.bytes().chain([0xff]).chain(stem.bytes());
    let turn = (fnv1a(FNV_BASIS, names) % u64::from(slots)).wrapping_add(number);
    u32::try_from(turn % u64::from(slots)).expect("it is less than the number of slots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_split_has_one_owner_and_partitions_are_spread_evenly() {
        for slots in [1, 2, 3, 7, 64, 1_000] {
            let mut shares = vec![0_u32; slots as usize];
            for partition in 0..4_096 {
                let split = SplitId(format!("orders-{partition}"));
                let slot = owner("t", &split, slots);
                assert_eq!(slot, owner("t", &split, slots));
                shares[slot as usize] += 1;
            }
            let (least, most) = (shares.iter().min(), shares.iter().max());
            assert!(
                most.zip(least)
                    .is_some_and(|(most, least)| most - least <= 1),
                "{slots}: {shares:?}"
            );
        }
    }

    #[test]
    fn topics_of_one_partition_are_spread_too() {
        let mut shares = vec![0_u32; 8];
        for topic in 0..800 {
            shares[owner("t", &SplitId(format!("topic{topic}x-0")), 8) as usize] += 1;
        }
        assert!(
            shares.iter().all(|share| (50..200).contains(share)),
            "{shares:?}"
        );
    }

    #[test]
    fn any_name_has_an_owner() {
        for name in [
            "",
            "-",
            "0",
            "99999999999999999999",
            "binlog",
            "t-4294967295",
        ] {
            assert!(owner("", &SplitId(name.into()), 5) < 5);
        }
    }
}
