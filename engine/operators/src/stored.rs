//! Values of state as bytes.

use millrace_state::{StateError, TableId};

/// A value that a checkpoint can hold.
pub(crate) trait Stored: Sized {
    fn write(&self, out: &mut Vec<u8>);
    /// Returns the value that [`Stored::write`] wrote; `None` = other bytes.
    fn read(bytes: &[u8]) -> Option<Self>;
    /// Returns about how many bytes it holds beside itself.
    fn bytes(&self) -> usize;
}

/// A row.
impl Stored for Box<[u8]> {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        Some(bytes.into())
    }

    fn bytes(&self) -> usize {
        self.len()
    }
}

/// A number.
impl Stored for i64 {
    fn write(&self, out: &mut Vec<u8>) {
        put_i64(out, *self);
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let value = take_i64(&mut bytes)?;
        bytes.is_empty().then_some(value)
    }

    fn bytes(&self) -> usize {
        0
    }
}

/// A key that was seen.
impl Stored for () {
    fn write(&self, _out: &mut Vec<u8>) {}

    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.is_empty().then_some(())
    }

    fn bytes(&self) -> usize {
        0
    }
}

pub(crate) fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(crate) fn take_i64(bytes: &mut &[u8]) -> Option<i64> {
    let (value, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(i64::from_be_bytes(*value))
}

/// Writes a count in as few bytes as it needs: seven bits each, the lowest first.
pub(crate) fn put_count(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn take_count(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Writes bytes with their length.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_count(bytes)?).ok()?;
    let (value, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(value)
}

/// A table that an operator does not have.
pub(crate) fn unknown_table(table: TableId) -> StateError {
    StateError::Corrupt {
        what: "an operator".into(),
        reason: format!("it has no table {}", table.0),
    }
}

pub(crate) fn corrupt(what: &str) -> StateError {
    StateError::Corrupt {
        what: "an operator".into(),
        reason: format!("{what} has other bytes than expected"),
    }
}
