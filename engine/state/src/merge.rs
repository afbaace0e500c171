//! Several objects as one: of each entry the last change.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::block;
use crate::{Change, StateError, StateObject, StateReader};

/// How many stored bytes, of all objects together, are read in one go.
const WINDOW_BYTES: u64 = 16 << 20;

/// The state of one operator in objects, the oldest first.
pub struct MergedReader<'a> {
    /// The objects.
    pub objects: &'a [StateObject<'a>],
    /// The operator's id.
    pub id: &'a str,
    /// The key groups that are wanted.
    pub groups: Range<u16>,
}

impl StateReader for MergedReader<'_> {
    fn for_each(
        &mut self,
        visit: &mut dyn FnMut(Change<'_>) -> Result<(), StateError>,
    ) -> Result<(), StateError> {
        for window in windows(self.objects, self.id, &self.groups, WINDOW_BYTES) {
            merge(self.objects, self.id, &window, &mut |_, changes| {
                let there = block::last_of_each(changes).filter(|change| change.value.is_some());
                for change in there {
                    visit(change)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Cuts key groups into ranges whose blocks have about `bytes_max` stored bytes, one group at least.
pub(crate) fn windows(
    objects: &[StateObject<'_>],
    id: &str,
    groups: &Range<u16>,
    bytes_max: u64,
) -> Vec<Range<u16>> {
    let mut sizes: BTreeMap<u16, u64> = BTreeMap::new();
    for object in objects {
        for block in object.blocks(id, groups) {
            *sizes.entry(block.group).or_default() += block.stored;
        }
    }
    cut(&sizes, bytes_max)
}

/// Cuts groups of known sizes into ranges of about `bytes_max`.
pub(crate) fn cut(sizes: &BTreeMap<u16, u64>, bytes_max: u64) -> Vec<Range<u16>> {
    let mut cuts: Vec<Range<u16>> = Vec::new();
    let mut bytes = 0;
    for (group, size) in sizes {
        bytes += size;
        match cuts.last_mut() {
            Some(last) if bytes <= bytes_max => last.end = group + 1,
            _ => {
                cuts.push(*group..group + 1);
                bytes = *size;
            }
        }
    }
    cuts
}

/// Calls `take` for each key group of a window with its changes, sorted, those of one entry from the oldest to the newest.
pub(crate) fn merge(
    objects: &[StateObject<'_>],
    id: &str,
    window: &Range<u16>,
    take: &mut dyn FnMut(u16, &[Change<'_>]) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut unpacked: BTreeMap<u16, Vec<(&str, Vec<u8>)>> = BTreeMap::new();
    for object in objects {
        for (group, raw) in object.unpack(object.blocks(id, window))? {
            let blocks = unpacked.entry(group).or_default();
            blocks.push((object.name(), raw));
        }
    }
    while let Some((group, blocks)) = unpacked.pop_first() {
        let mut changes = Vec::new();
        for (name, raw) in &blocks {
            block::read(raw, name, &mut changes)?;
        }
        // Each block is sorted already: the stable sort merges runs.
        block::sort(&mut changes);
        take(group, &changes)?;
    }
    Ok(())
}
