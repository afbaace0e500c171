//! Records of a batch, read and written: varints, keys, values, headers.

use std::ops::Range;

use crate::error::WireError;

/// A record of a batch of version 2. Ranges point into the bytes that it was read from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// How far behind the batch's first offset it is.
    pub offset_delta: i32,
    /// How far behind the batch's first timestamp it is.
    pub timestamp_delta: i64,
    /// The key.
    pub key: Option<Range<usize>>,
    /// The value; `None` = a tombstone.
    pub value: Option<Range<usize>>,
    /// The headers, for [`read_headers`].
    pub headers: Range<usize>,
    /// The whole record.
    pub whole: Range<usize>,
}

/// A header's name and value.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A record to write.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewRecord<'a> {
    /// The key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` = a tombstone.
    pub value: Option<&'a [u8]>,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// The headers, in order.
    pub headers: &'a [Header<'a>],
}

const TORN: &str = "a record ends before it should";

fn torn() -> WireError {
    WireError::Data(TORN.into())
}

/// Reads a zig-zag varint of at most 64 bits.
#[inline]
fn varint(bytes: &[u8], at: &mut usize) -> Result<i64, WireError> {
    let mut value = 0_u64;
    let mut shift = 0;
    loop {
        let byte = *bytes.get(*at).ok_or_else(torn)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
        shift += 7;
        if shift > 63 {
            return Err(WireError::Data("a number in a record is too long".into()));
        }
    }
}

/// Reads a length and returns the range behind it; `None` where the length is negative.
#[inline]
fn field(bytes: &[u8], at: &mut usize, end: usize) -> Result<Option<Range<usize>>, WireError> {
    let length = varint(bytes, at)?;
    if length < 0 {
        return Ok(None);
    }
    let start = *at;
    let stop = usize::try_from(length)
        .ok()
        .and_then(|length| start.checked_add(length))
        .filter(|stop| *stop <= end)
        .ok_or_else(torn)?;
    *at = stop;
    Ok(Some(start..stop))
}

/// Returns the record at `at`, and moves `at` behind it.
///
/// # Errors
/// The bytes are no record.
#[inline]
pub fn read_record(bytes: &[u8], at: &mut usize) -> Result<Record, WireError> {
    let start = *at;
    let whole = field(bytes, at, bytes.len())?.ok_or_else(torn)?;
    let end = whole.end;
    let mut inner = whole.start;
    // One byte of attributes that mean nothing yet.
    inner += 1;
    let timestamp_delta = varint(bytes, &mut inner)?;
    let offset_delta = i32::try_from(varint(bytes, &mut inner)?).map_err(|_| torn())?;
    let key = field(bytes, &mut inner, end)?;
    let value = field(bytes, &mut inner, end)?;
    if inner > end {
        return Err(torn());
    }
    Ok(Record {
        offset_delta,
        timestamp_delta,
        key,
        value,
        headers: inner..end,
        whole: start..end,
    })
}

/// Gives each header of a record to `visit`, in order.
///
/// # Errors
/// The bytes are no headers.
pub fn read_headers<'a>(
    bytes: &'a [u8],
    headers: &Range<usize>,
    mut visit: impl FnMut(Header<'a>),
) -> Result<(), WireError> {
    let mut at = headers.start;
    let count = varint(bytes, &mut at)?;
    for _ in 0..count {
        let name = field(bytes, &mut at, headers.end)?.ok_or_else(torn)?;
        let value = field(bytes, &mut at, headers.end)?;
        visit((&bytes[name], value.map(|range| &bytes[range])));
    }
    Ok(())
}

/// Writes a zig-zag varint.
#[inline]
fn put(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// Returns how many bytes [`put`] writes.
#[inline]
fn put_len(value: i64) -> usize {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    (70 - (zigzag | 1).leading_zeros() as usize) / 7
}

#[inline]
fn put_field(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => put(out, -1),
        Some(bytes) => {
            put(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

#[inline]
fn field_len(field: Option<&[u8]>) -> usize {
    field.map_or(1, |bytes| put_len(bytes.len() as i64) + bytes.len())
}

impl NewRecord<'_> {
    /// Returns a size that the record does not exceed as part of a batch.
    pub(crate) fn size_max(&self) -> usize {
        // Its length, attributes, both deltas, the number of headers.
        const AROUND: usize = 5 + 1 + 10 + 5 + 5;
        AROUND + field_len(self.key) + field_len(self.value) + self.headers_len()
    }

    fn headers_len(&self) -> usize {
        let one = |(name, value): &Header<'_>| field_len(Some(name)) + field_len(*value);
        self.headers.iter().map(one).sum()
    }

    /// Appends the record.
    #[inline]
    pub(crate) fn write(&self, out: &mut Vec<u8>, timestamp_delta: i64, offset_delta: i32) {
        let offset_delta = i64::from(offset_delta);
        let headers = self.headers.len() as i64;
        let length = 1
            + put_len(timestamp_delta)
            + put_len(offset_delta)
            + field_len(self.key)
            + field_len(self.value)
            + put_len(headers)
            + self.headers_len();
        put(out, length as i64);
        out.push(0);
        put(out, timestamp_delta);
        put(out, offset_delta);
        put_field(out, self.key);
        put_field(out, self.value);
        put(out, headers);
        for (name, value) in self.headers {
            put_field(out, Some(name));
            put_field(out, *value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_back() {
        for value in [0, -1, 1, 63, 64, -64, -65, 790, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!(bytes.len(), put_len(value), "{value}");
            let mut at = 0;
            assert_eq!(varint(&bytes, &mut at).unwrap(), value);
            assert_eq!(at, bytes.len());
        }
        assert!(varint(&[0x80; 11], &mut 0).is_err());
        assert!(varint(&[0x80], &mut 0).is_err());
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let new = NewRecord {
            key: Some(b"k"),
            value: None,
            timestamp: 0,
            headers: &[(b"a", Some(b"1")), (b"b", None)],
        };
        let mut bytes = vec![9, 9];
        new.write(&mut bytes, 5, 2);
        assert!(bytes.len() - 2 <= new.size_max());
        let mut at = 2;
        let record = read_record(&bytes, &mut at).unwrap();
        assert_eq!((record.timestamp_delta, record.offset_delta), (5, 2));
        assert_eq!(&bytes[record.key.clone().unwrap()], b"k");
        assert_eq!(record.value, None);
        assert_eq!(at, bytes.len());
        let mut headers = Vec::new();
        read_headers(&bytes, &record.headers, |header| headers.push(header)).unwrap();
        assert_eq!(headers, new.headers);
    }

    proptest! {
        #[test]
        fn any_record_is_read_as_it_was_written(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20_000)),
            timestamp_delta in any::<i64>(),
            offset_delta in 0..i32::MAX,
        ) {
            let new = NewRecord { key: key.as_deref(), value: value.as_deref(), ..NewRecord::default() };
            let mut bytes = Vec::new();
            new.write(&mut bytes, timestamp_delta, offset_delta);
            prop_assert!(bytes.len() <= new.size_max());
            let record = read_record(&bytes, &mut 0).unwrap();
            prop_assert_eq!(record.key.map(|range| &bytes[range]), new.key);
            prop_assert_eq!(record.value.map(|range| &bytes[range]), new.value);
            prop_assert_eq!((record.timestamp_delta, record.offset_delta), (timestamp_delta, offset_delta));
            prop_assert_eq!(record.whole, 0..bytes.len());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut at = 0;
            while let Ok(record) = read_record(&bytes, &mut at) {
                prop_assert!(record.whole.end <= bytes.len() && at == record.whole.end);
                drop(read_headers(&bytes, &record.headers, |_| ()));
            }
        }
    }
}
