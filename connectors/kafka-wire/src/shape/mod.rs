//! Lengths in answers, checked before an answer is decoded.
//!
//! The decoders of `kafka-protocol` take memory for as many elements as an answer says that it has, so that thirty bytes of
//! a hostile or mistaken server end the process. Here the answer is gone through first, without taking memory: every
//! count must fit into the bytes that are left.

mod table;

/// How a value lies in an answer.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// So many bytes.
    Fixed(usize),
    /// Two bytes of length; below 0 there is none.
    Text,
    /// Four bytes of length; below 0 there are none.
    Bytes,
    /// A length and 1 in as few bytes as it needs; 0 is none.
    CompactText,
    /// Four bytes of count; below 0 there is none.
    Array(&'static Self),
    /// A count and 1 in as few bytes as it needs; 0 is none.
    CompactArray(&'static Self),
    /// The fields of a group.
    Inner(&'static Group),
}

/// A value in some versions.
#[derive(Debug)]
struct Field {
    from: i16,
    until: i16,
    shape: Shape,
}

/// Fields in their order.
#[derive(Debug)]
struct Group {
    fields: &'static [Field],
    /// From this version on tagged fields follow.
    flexible: i16,
    /// Those that are known.
    tags: &'static [(u32, Shape)],
}

/// No version that is asked for has tagged fields.
const NEVER: i16 = i16::MAX;

const fn field(from: i16, until: i16, shape: Shape) -> Field {
    Field { from, until, shape }
}

/// Checks the lengths of an answer to the request with this key, behind its header.
///
/// # Errors
/// What does not fit.
pub(crate) fn check(key: i16, version: i16, answer: &[u8]) -> Result<(), String> {
    let found = table::ANSWERS.iter().find(|(known, _)| *known == key);
    let Some((_, group)) = found else {
        return Err(format!("answers to request {key} are not known here"));
    };
    let mut walk = Walk {
        rest: answer,
        version,
    };
    walk.group(group)
        .ok_or_else(|| "a length in it goes past its end".to_owned())
}

struct Walk<'a> {
    rest: &'a [u8],
    version: i16,
}

impl Walk<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn int(&mut self, width: usize) -> Option<i64> {
        let bytes = self.take(width)?;
        let value = bytes
            .iter()
            .fold(0_i64, |value, byte| value << 8 | i64::from(*byte));
        let unused = 64 - 8 * width as u32;
        Some(value << unused >> unused)
    }

    /// Reads a number of as few bytes as it needs; at most five.
    fn small(&mut self) -> Option<u32> {
        let mut value = 0;
        for place in 0..5 {
            let byte = u32::from(*self.take(1)?.first()?);
            value |= (byte & 0x7f) << (place * 7);
            if byte < 0x80 {
                break;
            }
        }
        Some(value)
    }

    fn skip(&mut self, length: i64) -> Option<()> {
        match usize::try_from(length) {
            Ok(length) => self.take(length).map(drop),
            Err(_) => Some(()),
        }
    }

    fn group(&mut self, group: &Group) -> Option<()> {
        for field in group.fields {
            if (field.from..=field.until).contains(&self.version) {
                self.shape(field.shape)?;
            }
        }
        if self.version < group.flexible {
            return Some(());
        }
        for _ in 0..self.small()? {
            let (tag, size) = (self.small()?, self.small()?);
            match group.tags.iter().find(|(known, _)| *known == tag) {
                Some((_, shape)) => self.shape(*shape)?,
                None => self.skip(i64::from(size))?,
            }
        }
        Some(())
    }

    fn shape(&mut self, shape: Shape) -> Option<()> {
        match shape {
            Shape::Fixed(width) => self.take(width).map(drop),
            Shape::Text => {
                let length = self.int(2)?;
                self.skip(length)
            }
            Shape::Bytes => {
                let length = self.int(4)?;
                self.skip(length)
            }
            Shape::CompactText => {
                let length = self.small()?;
                self.skip(i64::from(length) - 1)
            }
            Shape::Array(element) => {
                let count = self.int(4)?;
                self.elements(count, *element)
            }
            Shape::CompactArray(element) => {
                let count = self.small()?;
                self.elements(i64::from(count) - 1, *element)
            }
            Shape::Inner(group) => self.group(group),
        }
    }

    fn elements(&mut self, count: i64, element: Shape) -> Option<()> {
        let Ok(count) = usize::try_from(count) else {
            return Some(());
        };
        if count.checked_mul(self.bytes_min(element))? > self.rest.len() {
            return None;
        }
        for _ in 0..count {
            self.shape(element)?;
        }
        Some(())
    }

    /// Returns the fewest bytes that a value has.
    fn bytes_min(&self, shape: Shape) -> usize {
        match shape {
            Shape::Fixed(width) => width,
            Shape::Text => 2,
            Shape::Bytes | Shape::Array(_) => 4,
            Shape::CompactText | Shape::CompactArray(_) => 1,
            Shape::Inner(group) => {
                let fields = group.fields.iter();
                let here = fields.filter(|it| (it.from..=it.until).contains(&self.version));
                let all: usize = here.map(|field| self.bytes_min(field.shape)).sum();
                (all + usize::from(self.version >= group.flexible)).max(1)
            }
        }
    }
}

#[cfg(test)]
mod tests;
