//! Several objects as one: of each entry the last change.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::sync_channel;

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
        let windows = windows(self.objects, self.id, &self.groups, WINDOW_BYTES);
        let mut take = |_: u16, changes: &[Change<'_>]| {
            let there = block::last_of_each(changes).filter(|change| change.value.is_some());
            for change in there {
                visit(change)?;
            }
            Ok(())
        };
        let (objects, id) = (self.objects, self.id);
        if let [window] = windows.as_slice() {
            return merge(objects, id, window, &mut take);
        }
        // One window is read and unpacked while the one before is visited.
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(1);
            scope.spawn(move || {
                for window in windows {
                    let unpacked = unpack(objects, id, &window);
                    let is_over = unpacked.is_err();
                    if sender.send(unpacked).is_err() || is_over {
                        return;
                    }
                }
            });
            receiver
                .into_iter()
                .try_for_each(|unpacked| merge_unpacked(unpacked?, &mut take))
        })
    }
}

/// Takes a key group with its changes, sorted, those of one entry from the oldest to the newest.
pub(crate) type TakeGroup<'a> = dyn FnMut(u16, &[Change<'_>]) -> Result<(), StateError> + 'a;

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

/// Calls `take` for each key group of a window.
pub(crate) fn merge(
    objects: &[StateObject<'_>],
    id: &str,
    window: &Range<u16>,
    take: &mut TakeGroup<'_>,
) -> Result<(), StateError> {
    merge_unpacked(unpack(objects, id, window)?, take)
}

/// By key group, the blocks of all objects, the oldest first, each with its object's name.
type Unpacked<'a> = BTreeMap<u16, Vec<(&'a str, Vec<u8>)>>;

fn unpack<'a>(
    objects: &'a [StateObject<'_>],
    id: &str,
    window: &Range<u16>,
) -> Result<Unpacked<'a>, StateError> {
    let mut unpacked = Unpacked::new();
    for object in objects {
        for (group, raw) in object.unpack(object.blocks(id, window))? {
            let blocks = unpacked.entry(group).or_default();
            blocks.push((object.name(), raw));
        }
    }
    Ok(unpacked)
}

fn merge_unpacked(mut unpacked: Unpacked<'_>, take: &mut TakeGroup<'_>) -> Result<(), StateError> {
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
