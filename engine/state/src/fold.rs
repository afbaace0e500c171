//! Folding: several objects become one run, so that a restore has few to read and what was overwritten goes.
//!
//! Which ones is a question of sizes alone. Runs of one size class are left alone until there are [`FAN_IN`] of them, and
//! then become one of the next class, with all newer ones: so each byte is written anew once a class however long the
//! pipeline runs, and the number of runs is bounded by the classes that the state's size has.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::block;
use crate::layout::{self, MAGIC};
use crate::merge::{cut, merge};
use crate::object::OBJECT_BYTES;
use crate::{Head, SealedObject, StateError, StateObject};

/// How many runs of a class become one.
const FAN_IN: usize = 16;
/// Runs up to this size are of the lowest class; each further class is [`FAN_IN`] times as large.
const CLASS_BYTES: u64 = 64 << 10;

/// Returns which runs to fold into one, given the sizes of all, the oldest first: always the newest ones.
#[must_use]
pub fn runs_to_fold(sizes: &[u64]) -> Option<Range<usize>> {
    // The suffix of runs up to each class, and how many of that class it has.
    let mut found = None;
    let (mut highest, mut of_highest) = (0, 0);
    for (index, size) in sizes.iter().enumerate().rev() {
        let class = class(*size);
        if class > highest {
            (highest, of_highest) = (class, 0);
        }
        of_highest += usize::from(class == highest);
        if of_highest >= FAN_IN {
            found = Some(index..sizes.len());
        }
    }
    found
}

fn class(size: u64) -> u32 {
    let times = size / CLASS_BYTES;
    times
        .checked_ilog(FAN_IN as u64)
        .map_or(0, |class| class + 1)
}

/// Returns the ranges of key groups that the parts of a folded run have.
#[must_use]
pub fn parts(objects: &[StateObject<'_>]) -> Vec<Range<u16>> {
    let mut sizes: BTreeMap<u16, u64> = BTreeMap::new();
    for object in objects {
        for operator in &object.head().operators {
            for block in object.blocks(&operator.id, &(0..u16::MAX)) {
                *sizes.entry(block.group).or_default() += block.stored;
            }
        }
    }
    cut(&sizes, OBJECT_BYTES)
}

/// Folds the key groups of one part. `is_oldest` tells that nothing older exists: what was removed is then left out.
/// Returns `None` where nothing is left.
///
/// # Errors
/// An object that cannot be read.
pub fn fold_part(
    objects: &[StateObject<'_>],
    groups: &Range<u16>,
    is_oldest: bool,
) -> Result<Option<SealedObject>, StateError> {
    let Some(newest) = objects.last() else {
        return Ok(None);
    };
    let head: &Head = newest.head();
    let mut bytes = MAGIC.to_vec();
    let mut blocks = Vec::new();
    for operator in &head.operators {
        let mut own = Vec::new();
        merge(objects, &operator.id, groups, &mut |group, changes| {
            let kept =
                block::last_of_each(changes).filter(|change| !is_oldest || change.value.is_some());
            own.extend(block::write(group, kept, &mut bytes));
            Ok(())
        })?;
        blocks.push(own);
    }
    let is_empty = blocks.iter().all(Vec::is_empty);
    Ok((!is_empty).then(|| layout::seal(bytes, head, &blocks)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds runs of one size each, folding as told; returns the most runs there ever were, and how often a byte was
    /// written by folds. Nothing is ever overwritten, which is the worst case.
    fn grow(epochs: u64, size: u64) -> (usize, f64) {
        let mut sizes: Vec<u64> = Vec::new();
        let (mut most, mut written) = (0, 0);
        for _ in 0..epochs {
            sizes.push(size);
            most = most.max(sizes.len());
            if let Some(range) = runs_to_fold(&sizes) {
                assert_eq!(range.end, sizes.len());
                assert!(range.len() >= FAN_IN);
                let folded = sizes[range.clone()].iter().sum();
                written += folded;
                sizes.splice(range, [folded]);
            }
        }
        assert_eq!(sizes.iter().sum::<u64>(), epochs * size, "nothing is lost");
        (most, written as f64 / (epochs * size) as f64)
    }

    #[test]
    fn runs_stay_few_and_bytes_are_written_a_few_times() {
        for size in [100, 10 << 10, 1 << 20, 6 << 20] {
            for epochs in [11, 100, 3_600, 86_400] {
                let (most, times) = grow(epochs, size);
                assert!(most <= 5 * FAN_IN, "{epochs} of {size}: {most} runs");
                // Small runs are written more often, and it does not matter.
                let few = if size < CLASS_BYTES { 700.0 } else { 4.0 };
                assert!(times <= few, "{epochs} of {size}: each byte {times} times");
            }
        }
        let (_, hour) = grow(3_600, 6 << 20);
        assert!(hour <= 2.0, "within an hour each byte {hour} times");
    }

    #[test]
    fn a_base_is_left_alone_until_there_is_as_much_again() {
        let mut sizes = vec![4 << 30];
        for _ in 0..15 {
            sizes.push(1 << 20);
            assert_eq!(runs_to_fold(&sizes), None);
        }
        sizes.push(1 << 20);
        assert_eq!(runs_to_fold(&sizes), Some(1..17));
    }
}
