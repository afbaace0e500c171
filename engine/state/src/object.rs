//! Objects of state: written whole, read by ranges.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::block::{self, BlockRef};
use crate::layout::{self, Contents, MAGIC};
use crate::merge::cut;
use crate::{Change, ChangeBuffer, Head, SealedObject, StateError, key_group, key_hash};

/// Gives byte ranges of an object.
pub trait ObjectRanges {
    /// Returns the bytes of a range, all of them.
    ///
    /// # Errors
    /// The object is gone, or whoever keeps it does not answer.
    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, StateError>;
}

/// About how large an object gets; a store's request has to end in time. More is cut by key groups.
pub(crate) const OBJECT_BYTES: u64 = 32 << 20;

/// Returns the objects of what changed, with a buffer for each operator of the head: one, or several of disjoint key groups
/// where that would be too large; none where nothing changed.
///
/// # Panics
/// Where the number of buffers is another one.
#[must_use]
pub fn seal_changes(head: &Head, buffers: &[ChangeBuffer]) -> Vec<SealedObject> {
    assert_eq!(head.operators.len(), buffers.len(), "a buffer an operator");
    let mut sizes: BTreeMap<u16, u64> = BTreeMap::new();
    let mut sorted: Vec<BTreeMap<u16, Vec<Change<'_>>>> = Vec::with_capacity(buffers.len());
    for buffer in buffers {
        let mut groups: BTreeMap<u16, Vec<Change<'_>>> = BTreeMap::new();
        for change in buffer.iter() {
            let group = key_group(key_hash(change.partition), head.key_groups);
            let parts = [
                change.partition,
                change.key,
                change.value.unwrap_or_default(),
            ];
            let bytes: usize = parts.iter().map(|part| part.len()).sum();
            *sizes.entry(group).or_default() += bytes as u64;
            groups.entry(group).or_default().push(change);
        }
        sorted.push(groups);
    }
    let parts = cut(&sizes, OBJECT_BYTES).into_iter();
    let sealed = parts.map(|part| {
        let mut bytes = MAGIC.to_vec();
        let of_operator = sorted.iter_mut().map(|groups| {
            let own = groups.range_mut(part.clone());
            let blocks = own.filter_map(|(group, changes)| {
                block::sort(changes);
                block::write(*group, block::last_of_each(changes), &mut bytes)
            });
            blocks.collect()
        });
        let blocks: Vec<Vec<BlockRef>> = of_operator.collect();
        layout::seal(bytes, head, &blocks)
    });
    sealed.collect()
}

/// An object that is open for reading.
pub struct StateObject<'a> {
    name: String,
    ranges: Box<dyn ObjectRanges + Send + Sync + 'a>,
    contents: Contents,
}

impl std::fmt::Debug for StateObject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateObject")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl<'a> StateObject<'a> {
    /// Opens the object `name` of `size` bytes, of which the last `contents_bytes` have the digest `digest`.
    ///
    /// # Errors
    /// An object that is damaged, no object of state, or of a later version.
    pub fn open(
        name: &str,
        size: u64,
        (contents_bytes, digest): (u32, &str),
        ranges: Box<dyn ObjectRanges + Send + Sync + 'a>,
    ) -> Result<Self, StateError> {
        let start = size.checked_sub(u64::from(contents_bytes));
        let start = start.ok_or_else(|| StateError::Corrupt {
            what: format!("'{name}'"),
            reason: "it is smaller than its contents".into(),
        })?;
        let end = ranges.read(start..size)?;
        Ok(Self {
            name: name.to_owned(),
            contents: layout::open(name, size, &end, digest)?,
            ranges,
        })
    }

    /// Returns what it says about itself.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.contents.head
    }

    /// Returns how many entries it has, of all operators.
    #[must_use]
    pub fn entries(&self) -> u64 {
        let blocks = self.contents.blocks.iter().flatten();
        blocks.map(|block| block.entries).sum()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the blocks of an operator in a range of key groups.
    pub(crate) fn blocks(&self, id: &str, groups: &Range<u16>) -> &[BlockRef] {
        let operators = &self.contents.head.operators;
        let Some(index) = operators.iter().position(|operator| operator.id == id) else {
            return &[];
        };
        let blocks = &self.contents.blocks[index];
        let start = blocks.partition_point(|block| block.group < groups.start);
        let end = blocks.partition_point(|block| block.group < groups.end);
        &blocks[start..end]
    }

    /// Reads adjacent blocks in one go and unpacks them.
    pub(crate) fn unpack(&self, blocks: &[BlockRef]) -> Result<Vec<(u16, Vec<u8>)>, StateError> {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            return Ok(Vec::new());
        };
        let bytes = self.ranges.read(first.offset..last.offset + last.stored)?;
        let unpacked = blocks.iter().map(|block| {
            let start = usize::try_from(block.offset - first.offset).expect("it was read");
            let end = start.saturating_add(usize::try_from(block.stored).unwrap_or(usize::MAX));
            let stored = bytes.get(start..end).unwrap_or_default();
            Ok((block.group, block::unpack(block, stored, &self.name)?))
        });
        unpacked.collect()
    }
}
