//! Sets of MySQL's global transaction identifiers, with their gaps.

use std::collections::BTreeMap;
use std::fmt;

/// Who numbered a transaction: a server's uuid, and since 8.3 perhaps a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Source {
    pub(crate) uuid: [u8; 16],
    pub(crate) tag: String,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gtid {
    pub(crate) source: Source,
    pub(crate) number: u64,
}

/// A set of transactions. Gaps stay as they are: a transaction that is not in it was not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GtidSet {
    /// For each source, half-open ranges in order, never touching.
    sources: BTreeMap<Source, Vec<(u64, u64)>>,
}

impl Source {
    pub(crate) fn uuid_text(&self) -> String {
        let mut text = String::with_capacity(36);
        for (index, byte) in self.uuid.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                text.push('-');
            }
            text.push_str(&format!("{byte:02x}"));
        }
        text
    }
}

fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: Vec<u8> = text
        .bytes()
        .filter(|byte| *byte != b'-')
        .map(|byte| char::from(byte).to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok()
}

fn parse_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let first = first.trim().parse::<u64>().ok().filter(|n| *n > 0)?;
    let last = last.trim().parse::<u64>().ok()?;
    (first <= last && last < i64::MAX as u64).then_some((first, last + 1))
}

impl GtidSet {
    /// Reads `uuid:1-5:7,uuid:tag:1-3`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut set = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            let mut pieces = part.split(':').map(str::trim);
            let uuid_text = pieces.next().unwrap_or_default();
            let uuid =
                parse_uuid(uuid_text).ok_or_else(|| format!("'{uuid_text}' is not a uuid"))?;
            let mut tag = String::new();
            for piece in pieces {
                match parse_range(piece) {
                    Some((start, end)) => {
                        let source = Source {
                            uuid,
                            tag: tag.clone(),
                        };
                        set.add_range(source, start, end);
                    }
                    None if piece.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') => {
                        tag = piece.to_ascii_lowercase();
                    }
                    None => return Err(format!("'{piece}' is not a range of transactions")),
                }
            }
        }
        Ok(set)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Adds the transactions `start..end`.
    pub(crate) fn add_range(&mut self, source: Source, start: u64, end: u64) {
        if start >= end {
            return;
        }
        let ranges = self.sources.entry(source).or_default();
        let from = ranges.partition_point(|range| range.1 < start);
        let to = ranges.partition_point(|range| range.0 <= end);
        let merged = match ranges.get(from..to) {
            Some([first, ..]) => (first.0.min(start), ranges[to - 1].1.max(end)),
            _ => (start, end),
        };
        ranges.splice(from..to, [merged]);
    }

    pub(crate) fn add(&mut self, gtid: &Gtid) {
        let last = self
            .sources
            .get_mut(&gtid.source)
            .and_then(|ranges| ranges.last_mut());
        if let Some((_, end)) = last
            && *end == gtid.number
        {
            *end += 1;
            return;
        }
        self.add_range(gtid.source.clone(), gtid.number, gtid.number + 1);
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (source, ranges) in &other.sources {
            for (start, end) in ranges {
                self.add_range(source.clone(), *start, *end);
            }
        }
    }

    pub(crate) fn contains(&self, gtid: &Gtid) -> bool {
        self.sources.get(&gtid.source).is_some_and(|ranges| {
            let index = ranges.partition_point(|range| range.1 <= gtid.number);
            ranges
                .get(index)
                .is_some_and(|range| range.0 <= gtid.number)
        })
    }

    /// Tells whether every transaction here is in `other`.
    pub(crate) fn is_subset_of(&self, other: &Self) -> bool {
        self.without(other).is_empty()
    }

    /// Returns the transactions that are not in `other`.
    pub(crate) fn without(&self, other: &Self) -> Self {
        let mut left = Self::default();
        for (source, ranges) in &self.sources {
            let taken = other.sources.get(source).map_or(&[][..], Vec::as_slice);
            for (start, end) in ranges {
                let mut from = *start;
                for (cut_start, cut_end) in taken {
                    if *cut_end <= from || *cut_start >= *end {
                        continue;
                    }
                    left.add_range(source.clone(), from, *cut_start);
                    from = from.max(*cut_end);
                }
                left.add_range(source.clone(), from, *end);
            }
        }
        left
    }

    /// Returns the sources with their half-open ranges.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Source, &[(u64, u64)])> {
        self.sources
            .iter()
            .map(|(source, ranges)| (source, ranges.as_slice()))
    }

    /// Reads what a PREVIOUS_GTIDS event says.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = crate::decode::Bytes::new(bytes);
        let head = cursor.uint(8)?;
        // Since 8.3 the highest byte tells the format: 1 with tags.
        let tagged = head >> 56 == 1;
        let count = if tagged {
            head >> 8 & 0xff_ffff_ffff
        } else {
            head
        };
        let mut set = Self::default();
        for _ in 0..count {
            let uuid: [u8; 16] = cursor.take(16)?.try_into().ok()?;
            let tag = if tagged {
                let length = cursor.uint(1)? >> 1;
                let tag = cursor.take(usize::try_from(length).ok()?)?;
                String::from_utf8_lossy(tag).into_owned()
            } else {
                String::new()
            };
            for _ in 0..cursor.uint(8)? {
                let (start, end) = (cursor.uint(8)?, cursor.uint(8)?);
                let source = Source {
                    uuid,
                    tag: tag.clone(),
                };
                set.add_range(source, start, end);
            }
        }
        Some(set)
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (source, ranges)) in self.sources.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(&source.uuid_text())?;
            if !source.tag.is_empty() {
                write!(f, ":{}", source.tag)?;
            }
            for (start, end) in ranges {
                match end - start {
                    1 => write!(f, ":{start}")?,
                    _ => write!(f, ":{start}-{}", end - 1)?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> GtidSet {
        GtidSet::parse(text).unwrap()
    }

    #[test]
    fn reads_and_writes() {
        for text in [
            format!("{A}:1-5:7"),
            format!("{A}:1-5:7,{B}:3"),
            format!("{A}:1-5,{A}:blue:2-3"),
            String::new(),
        ] {
            assert_eq!(set(&text).to_string(), text);
        }
        assert_eq!(
            set(&format!("{A}:1-5:blue:2-3")).to_string(),
            format!("{A}:1-5,{A}:blue:2-3")
        );
        assert_eq!(
            set(&format!(" {A}:5-6:1-4 ,\n{A}:7")).to_string(),
            format!("{A}:1-7")
        );
        assert!(GtidSet::parse("x:1").is_err());
        assert!(GtidSet::parse(&format!("{A}:5-2")).is_err());
    }

    #[test]
    fn keeps_gaps() {
        let mut gaps = set(&format!("{A}:1-5:9-10"));
        let gtid = |number| Gtid {
            source: set(&format!("{A}:1")).iter().next().unwrap().0.clone(),
            number,
        };
        assert!(gaps.contains(&gtid(5)) && !gaps.contains(&gtid(6)) && gaps.contains(&gtid(9)));
        gaps.add(&gtid(7));
        gaps.add(&gtid(11));
        assert_eq!(gaps.to_string(), format!("{A}:1-5:7:9-11"));
        gaps.add(&gtid(6));
        gaps.add(&gtid(8));
        assert_eq!(gaps.to_string(), format!("{A}:1-11"));
    }

    #[test]
    fn algebra() {
        let all = set(&format!("{A}:1-10,{B}:1-3"));
        let some = set(&format!("{A}:2-3:7"));
        assert_eq!(
            all.without(&some).to_string(),
            format!("{A}:1:4-6:8-10,{B}:1-3")
        );
        assert!(some.is_subset_of(&all) && !all.is_subset_of(&some));
        assert!(GtidSet::default().is_subset_of(&some));
    }
}
