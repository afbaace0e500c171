//! What a message's bytes are as text, and which columns its keys stand for.

use std::borrow::Cow;
use std::ops::Range;

use arrow_buffer::Buffer;
use millrace_json::key_hash;

use crate::Payloads;

/// The wanted columns by their keys.
#[derive(Debug, Default)]
pub(crate) struct KeyTable {
    /// Sorted by hash.
    entries: Vec<(u64, Vec<u8>, u16)>,
}

impl KeyTable {
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let mut entries: Vec<_> = keys
            .into_iter()
            .zip(0_u16..)
            .map(|(key, slot)| (key_hash(key.as_bytes()), key.as_bytes().to_vec(), slot))
            .collect();
        entries.sort_by_key(|(hash, ..)| *hash);
        Self { entries }
    }

    /// Returns the column of that key.
    #[inline]
    pub(crate) fn find(&self, key: &[u8]) -> Option<u16> {
        let hash = key_hash(key);
        let start = self.entries.partition_point(|(other, ..)| *other < hash);
        self.entries[start..]
            .iter()
            .take_while(|(other, ..)| *other == hash)
            .find(|(_, other, _)| other == key)
            .map(|(.., slot)| *slot)
    }
}

/// Tells whether a message is anything but plain UTF-8 without a mark: Jackson guesses the encoding from zero bytes
/// and byte order marks among the first four.
pub(crate) fn needs_repair(message: &[u8]) -> bool {
    let head = &message[..message.len().min(4)];
    head.contains(&0) || head.first().is_some_and(|b| *b == 0xef || *b >= 0xfe)
}

/// A buffer of valid messages, where they lie in it, and which were cut and why.
pub(crate) type Repaired = (Buffer, Vec<Option<Range<u32>>>, Vec<(usize, String)>);

/// Returns a buffer in which every message is valid UTF-8, with the ranges there and, for a message that is cut where
/// it stops being text, the reason.
pub(crate) fn repair_batch(payloads: &Payloads<'_>) -> Repaired {
    let mut bytes = Vec::with_capacity(payloads.buffer.len());
    let mut faults = Vec::new();
    let ranges = (0..payloads.ranges.len())
        .map(|message| {
            let payload = payloads.get(message)?;
            let start = bytes.len() as u32;
            match repair(payload) {
                Ok(text) => bytes.extend_from_slice(&text),
                Err((text, fault)) => {
                    bytes.extend_from_slice(&text);
                    faults.push((message, fault));
                }
            }
            Some(start..bytes.len() as u32)
        })
        .collect();
    (Buffer::from_vec(bytes), ranges, faults)
}

/// Returns a message as UTF-8 text as Jackson reads it, or what stands before the first bytes that are no text.
pub(crate) fn repair(message: &[u8]) -> Result<Cow<'_, [u8]>, (Vec<u8>, String)> {
    if needs_repair(message) {
        match *message {
            [0xef, 0xbb, 0xbf, ..] => return repair_utf8(&message[3..]),
            [0, 0, 0xfe, 0xff, ..] => return Ok(Cow::Owned(utf32(&message[4..], true))),
            [0xff, 0xfe, 0, 0, ..] => return Ok(Cow::Owned(utf32(&message[4..], false))),
            [0xfe, 0xff, ..] => return Ok(Cow::Owned(utf16(&message[2..], true))),
            [0xff, 0xfe, ..] => return Ok(Cow::Owned(utf16(&message[2..], false))),
            [0, 0, 0, _, ..] => return Ok(Cow::Owned(utf32(message, true))),
            [_, 0, 0, 0, ..] => return Ok(Cow::Owned(utf32(message, false))),
            [0, _, ..] => return Ok(Cow::Owned(utf16(message, true))),
            [_, 0, ..] => return Ok(Cow::Owned(utf16(message, false))),
            _ => {}
        }
    }
    repair_utf8(message)
}

fn utf16(bytes: &[u8], is_big: bool) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if is_big {
            u16::from_be_bytes(pair)
        } else {
            u16::from_le_bytes(pair)
        }
    });
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or('?'))
        .collect::<String>()
        .into_bytes()
}

fn utf32(bytes: &[u8], is_big: bool) -> Vec<u8> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|unit| {
            let code = if is_big {
                u32::from_be_bytes(*unit)
            } else {
                u32::from_le_bytes(*unit)
            };
            char::from_u32(code).unwrap_or('?')
        })
        .collect::<String>()
        .into_bytes()
}

/// Jackson takes overlong forms and surrogates for what they say, and fails on what has the wrong marks.
fn repair_utf8(message: &[u8]) -> Result<Cow<'_, [u8]>, (Vec<u8>, String)> {
    if simdutf8::basic::from_utf8(message).is_ok() {
        return Ok(Cow::Borrowed(message));
    }
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message;
    loop {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        out.extend_from_slice(&rest[..valid]);
        rest = &rest[valid..];
        let Some(&first) = rest.first() else {
            return Ok(Cow::Owned(out));
        };
        let length = match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => return Err((out, format!("Invalid UTF-8 start byte 0x{first:x}"))),
        };
        let mut code = u32::from(first) & (0x7f >> length);
        for at in 1..length {
            match rest.get(at) {
                Some(byte) if byte & 0xc0 == 0x80 => code = code << 6 | u32::from(byte & 0x3f),
                Some(byte) => return Err((out, format!("Invalid UTF-8 middle byte 0x{byte:x}"))),
                None => return Err((out, "Unexpected end-of-input in UTF-8 character".to_owned())),
            }
        }
        let mut utf8 = [0; 4];
        let character = char::from_u32(code).unwrap_or('?');
        // An overlong form of an ASCII character must not become structure; Jackson would keep it as content.
        let character = if code < 0x80 { '?' } else { character };
        out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
        rest = &rest[length..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_columns_by_key() {
        let names: Vec<String> = (0..300).map(|i| format!("column_{i}")).collect();
        let table = KeyTable::new(names.iter().map(String::as_str));
        for (i, name) in names.iter().enumerate() {
            assert_eq!(table.find(name.as_bytes()).map(usize::from), Some(i));
        }
        assert_eq!(table.find(b"column_300"), None);
    }

    #[test]
    fn reads_encodings_as_jackson_does() {
        let ok = |bytes: &[u8]| repair(bytes).expect("text").into_owned();
        assert_eq!(ok(b"\xef\xbb\xbf{}"), b"{}");
        assert_eq!(ok(b"\xff\xfe{\0}\0"), b"{}");
        assert_eq!(ok(b"{\0}\0"), b"{}");
        assert_eq!(ok(b"\0{\0}"), b"{}");
        assert_eq!(ok(b"{\0\0\0}\0\0\0"), b"{}");
        assert_eq!(
            repair(b"{\"b\":\"\xff\"}"),
            Err((
                b"{\"b\":\"".to_vec(),
                "Invalid UTF-8 start byte 0xff".to_owned()
            ))
        );
        assert_eq!(
            repair(b"{\"b\":\"\xc3(\"}").map_err(|(_, fault)| fault),
            Err("Invalid UTF-8 middle byte 0x28".to_owned())
        );
    }
}
