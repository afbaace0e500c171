//! The sessions of each key, and which of them a new row joins.

use hashbrown::HashMap;

use super::window::WindowState;
use crate::Window;

/// The groups of the sessions of each key, in the order of their times.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    keys: HashMap<Box<[u8]>, Vec<u32>>,
}

impl Sessions {
    /// Returns the sessions that a row's window touches and the window that covers all of them. The first of them takes
    /// the state of the others.
    ///
    /// # Flink
    /// `SessionWindowAssigner.mergeWindows` looks at the next session and the one before; `MergingWindowSet` takes the
    /// first of a `HashSet` of them for the one that stays, so here their hashes decide too: the order in which
    /// LISTAGG has its texts follows from it.
    pub(super) fn merge(
        &self,
        key: &[u8],
        window: Window,
        windows: &[WindowState],
    ) -> ([Option<u32>; 2], Window) {
        let mut cover = window;
        let mut merged = [None, None];
        let groups = self.keys.get(key).map_or(&[][..], Vec::as_slice);
        let at = |group: u32| windows[group as usize].window;
        let place = groups.partition_point(|group| at(*group) < window);
        let next = groups.get(place).copied();
        let previous = if next.is_some_and(|next| at(next) == window) {
            None
        } else {
            place.checked_sub(1).map(|place| groups[place])
        };
        for (merged, group) in merged.iter_mut().zip([next, previous]) {
            let Some(group) = group else { continue };
            let other = at(group);
            if cover.start_ms <= other.end_ms && cover.end_ms >= other.start_ms {
                *merged = Some(group);
                cover.start_ms = cover.start_ms.min(other.start_ms);
                cover.end_ms = cover.end_ms.max(other.end_ms);
            }
        }
        if let [Some(next), Some(previous)] = merged
            && bucket(at(previous)) < bucket(at(next))
        {
            merged.reverse();
        }
        if merged[0].is_none() {
            merged.reverse();
        }
        (merged, cover)
    }

    pub(super) fn add(&mut self, key: &[u8], group: u32, windows: &[WindowState]) {
        let at = |group: u32| windows[group as usize].window;
        match self.keys.get_mut(key) {
            Some(groups) => {
                let place = groups.partition_point(|other| at(*other) < at(group));
                groups.insert(place, group);
            }
            None => {
                self.keys.insert(key.into(), vec![group]);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &[u8], group: u32) {
        if let Some(groups) = self.keys.get_mut(key) {
            groups.retain(|other| *other != group);
            if groups.is_empty() {
                self.keys.remove(key);
            }
        }
    }
}

/// How many buckets a new `HashSet` of Java has.
const BUCKETS: u32 = 16;

/// Returns the bucket of a window in a Java `HashSet`: that is the order in which the set is gone through.
///
/// # Flink
/// `TimeWindow.hashCode` is `MathUtils.longToIntWithBitMixing(start + end)`.
fn bucket(window: Window) -> u32 {
    let mut bits = window.start_ms.wrapping_add(window.end_ms) as u64;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    let hash = bits as u32;
    (hash ^ (hash >> 16)) % BUCKETS
}
