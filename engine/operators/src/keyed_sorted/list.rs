//! Rows in the order of their sort keys: the list of one partition.

/// A row of a partition.
#[derive(Debug)]
pub(crate) struct SortedRow {
    /// The beginning of the sort key, so that most comparisons need not look at the bytes.
    prefix: u128,
    /// Sort key, tag and row, one behind the other. The tag is what an operator keeps beside the row.
    bytes: Box<[u8]>,
    sort_end: u32,
    tag_end: u32,
    /// Orders rows of one sort key by arrival.
    pub(crate) number: u64,
    pub(crate) written_ms: i64,
    pub(crate) dirty: bool,
    pub(crate) persisted: bool,
}

impl SortedRow {
    pub(crate) fn new(sort: &[u8], tag: &[u8], row: &[u8], number: u64, written_ms: i64) -> Self {
        let mut bytes = Vec::with_capacity(sort.len() + tag.len() + row.len());
        bytes.extend_from_slice(sort);
        bytes.extend_from_slice(tag);
        bytes.extend_from_slice(row);
        Self {
            prefix: prefix(sort),
            bytes: bytes.into(),
            sort_end: sort.len() as u32,
            tag_end: (sort.len() + tag.len()) as u32,
            number,
            written_ms,
            dirty: true,
            persisted: false,
        }
    }

    pub(crate) fn sort(&self) -> &[u8] {
        &self.bytes[..self.sort_end as usize]
    }

    pub(crate) fn tag(&self) -> &[u8] {
        &self.bytes[self.sort_end as usize..self.tag_end as usize]
    }

    pub(crate) fn row(&self) -> &[u8] {
        &self.bytes[self.tag_end as usize..]
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

/// Returns the first 16 bytes of a sort key as a number, with zeroes behind a shorter one.
fn prefix(sort: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = sort.len().min(16);
    bytes[..length].copy_from_slice(&sort[..length]);
    u128::from_be_bytes(bytes)
}

/// How many rows a block holds at most: what an insertion moves. With 1,024, a list of a million rows is as many blocks.
const BLOCK_MAX: usize = 1_024;

/// A sorted list in blocks, so that an insertion into a long one moves little. Most lists are one block.
#[derive(Debug, Default)]
pub(crate) struct SortedRows {
    blocks: Vec<Block>,
    len: usize,
}

#[derive(Debug, Default)]
struct Block {
    rows: Vec<SortedRow>,
    /// Whether a row of it may be dirty.
    dirty: bool,
}

impl SortedRows {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the place behind all rows whose sort key is not greater.
    pub(crate) fn upper_bound(&self, sort: &[u8]) -> usize {
        let prefix = prefix(sort);
        self.bound(|row| row.prefix < prefix || (row.prefix == prefix && row.sort() <= sort))
    }

    /// Returns the place of the first row whose sort key is not less.
    pub(crate) fn lower_bound(&self, sort: &[u8]) -> usize {
        let prefix = prefix(sort);
        self.bound(|row| row.prefix < prefix || (row.prefix == prefix && row.sort() < sort))
    }

    /// Returns how many rows, from the first, are `before`.
    pub(crate) fn bound(&self, before: impl Fn(&SortedRow) -> bool) -> usize {
        let whole = |block: &Block| block.rows.last().is_some_and(&before);
        let block = self.blocks.partition_point(whole);
        let place: usize = self.blocks[..block]
            .iter()
            .map(|block| block.rows.len())
            .sum();
        let within = self
            .blocks
            .get(block)
            .map_or(0, |block| block.rows.partition_point(&before));
        place + within
    }

    pub(crate) fn get(&self, place: usize) -> Option<&SortedRow> {
        let (block, within) = self.locate(place);
        self.blocks.get(block)?.rows.get(within)
    }

    /// Returns the rows from a place on.
    pub(crate) fn from(&self, place: usize) -> impl Iterator<Item = &SortedRow> {
        let (block, within) = self.locate(place);
        let first = self
            .blocks
            .get(block)
            .map_or(&[][..], |block| &block.rows[within..]);
        let rest = self.blocks.iter().skip(block + 1);
        first.iter().chain(rest.flat_map(|block| &block.rows))
    }

    /// Returns the rows that may be dirty, for a change that does not reorder them, and notes that they are clean.
    pub(crate) fn take_dirty(&mut self) -> impl Iterator<Item = &mut SortedRow> {
        let blocks = self.blocks.iter_mut().filter(|block| block.dirty);
        let rows = blocks.flat_map(|block| {
            block.dirty = false;
            block.rows.iter_mut()
        });
        rows.filter_map(|row| std::mem::take(&mut row.dirty).then_some(row))
    }

    pub(crate) fn insert(&mut self, place: usize, row: SortedRow) {
        self.len += 1;
        let (mut block, mut within) = self.locate(place);
        if block == self.blocks.len() {
            // Behind the last: into the last block, if there is one.
            if block == 0 {
                self.blocks.push(Block::default());
            } else {
                block -= 1;
            }
            within = self.blocks[block].rows.len();
        }
        let target = &mut self.blocks[block];
        target.dirty |= row.dirty;
        if target.rows.len() == target.rows.capacity() && target.rows.len() < 4 {
            target.rows.reserve_exact(1);
        }
        target.rows.insert(within, row);
        if target.rows.len() > BLOCK_MAX {
            let rows = target.rows.split_off(BLOCK_MAX / 2);
            let dirty = target.dirty;
            self.blocks.insert(block + 1, Block { rows, dirty });
        }
    }

    /// Changes the tag of a row, whose length stays.
    pub(crate) fn set_tag(&mut self, place: usize, tag: &[u8]) {
        let (block, within) = self.locate(place);
        let block = &mut self.blocks[block];
        let row = &mut block.rows[within];
        row.bytes[row.sort_end as usize..row.tag_end as usize].copy_from_slice(tag);
        row.dirty = true;
        block.dirty = true;
    }

    pub(crate) fn remove(&mut self, place: usize) -> SortedRow {
        self.len -= 1;
        let (block, within) = self.locate(place);
        let row = self.blocks[block].rows.remove(within);
        // The last block stays, as its memory is soon wanted again.
        if self.blocks[block].rows.is_empty() && self.blocks.len() > 1 {
            self.blocks.remove(block);
        }
        row
    }

    /// Gives the memory of an empty list back, unless it is small.
    pub(crate) fn release(&mut self) {
        const KEPT_MAX: usize = 8;
        if self
            .blocks
            .iter()
            .any(|block| block.rows.capacity() > KEPT_MAX)
        {
            *self = Self::default();
        }
    }

    fn locate(&self, mut place: usize) -> (usize, usize) {
        for (index, block) in self.blocks.iter().enumerate() {
            if place < block.rows.len() {
                return (index, place);
            }
            place -= block.rows.len();
        }
        (self.blocks.len(), 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Dice;

    #[test]
    fn long_lists_stay_sorted() {
        let mut dice = Dice::new(5);
        let mut list = SortedRows::default();
        let mut model: Vec<(u8, u64)> = Vec::new();
        for number in 0..9_000 {
            if dice.roll(3) == 0 && !model.is_empty() {
                let place = dice.roll(model.len() as u64) as usize;
                let row = list.remove(place);
                assert_eq!((row.sort()[0], row.number), model.remove(place));
                continue;
            }
            let sort = dice.roll(200) as u8;
            let place = list.upper_bound(&[sort]);
            assert_eq!(place, model.partition_point(|(other, _)| *other <= sort));
            list.insert(place, SortedRow::new(&[sort], b"k", b"row", number, 0));
            model.insert(place, (sort, number));
            assert_eq!(
                list.lower_bound(&[sort]),
                model.partition_point(|(other, _)| *other < sort)
            );
        }
        assert!(model.len() > BLOCK_MAX);
        let rows = list.from(7).map(|row| (row.sort()[0], row.number));
        assert_eq!(rows.collect::<Vec<_>>(), model[7..]);
        let row = list.get(0).unwrap();
        assert_eq!((row.tag(), row.row()), (&b"k"[..], &b"row"[..]));
        assert_eq!(list.take_dirty().count(), model.len());
        assert_eq!(list.take_dirty().count(), 0);
    }
}
