//! Escapes in strings, both ways.

use std::borrow::Cow;

use crate::append::{append_short, append_word};
use crate::swar::{escape_stop, has_escape};

/// Appends the string whose raw text between the quotes is `raw`, which a scanner has accepted. A surrogate
/// without its partner becomes `?`, as in Java's encoding to UTF-8.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((&escape, after)) = rest.split_first() else {
            return;
        };
        rest = after;
        match escape {
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => rest = unescape_unit(rest, out),
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
}

/// Appends the character of the four hex digits that `rest` begins with, of eight if they are a pair.
fn unescape_unit<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let Some(first) = hex4(rest) else {
        return rest;
    };
    let rest = &rest[4..];
    let mut character = char::from_u32(first);
    let mut after = rest;
    if (0xd800..0xdc00).contains(&first)
        && rest.starts_with(b"\\u")
        && let Some(second) = hex4(&rest[2..])
        && (0xdc00..0xe000).contains(&second)
    {
        character = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        after = &rest[6..];
    }
    let mut utf8 = [0; 4];
    out.extend_from_slice(character.unwrap_or('?').encode_utf8(&mut utf8).as_bytes());
    after
}

fn hex4(text: &[u8]) -> Option<u32> {
    let digits = text.get(..4)?;
    let mut value = 0;
    for &digit in digits {
        value = value << 4 | char::from(digit).to_digit(16)?;
    }
    Some(value)
}

/// Returns the string whose raw text between the quotes is `raw`; borrowed where nothing is escaped.
#[must_use]
pub fn unescaped(raw: &[u8], is_escaped: bool) -> Cow<'_, [u8]> {
    if !is_escaped {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    unescape(raw, &mut out);
    Cow::Owned(out)
}

/// Appends `text` between quotes as Jackson writes it to a string: characters beyond U+FFFF stay.
pub fn write_escaped(text: &[u8], out: &mut Vec<u8>) {
    write::<false>(text, out);
}

/// Appends `text` between quotes as Jackson writes it to bytes: characters beyond U+FFFF become a pair of
/// `\uXXXX`.
pub fn write_escaped_utf8_bytes(text: &[u8], out: &mut Vec<u8>) {
    write::<true>(text, out);
}

/// Appends a text of at most twelve bytes, the low ones of `word`, as [`write_escaped_utf8_bytes`] does.
#[inline]
pub fn write_escaped_word(word: u128, len: usize, out: &mut Vec<u8>) {
    const SPACES: u128 = 0x2020_2020_2020_2020_2020_2020_2020_2020;
    const QUOTE: u128 = b'"' as u128;
    let mask = (1_u128 << (8 * len)) - 1;
    let text = word & mask;
    if has_escape(text | (SPACES & !mask)) {
        return write_escaped_utf8_bytes(&text.to_le_bytes()[..len], out);
    }
    let quoted = QUOTE | text << 8 | QUOTE << (8 * (len + 1));
    append_word(quoted, len + 2, out);
}

#[inline]
fn write<const ASTRAL: bool>(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut done = 0;
    while let Some(stop) = escape_stop::<ASTRAL>(text, done) {
        out.extend_from_slice(&text[done..stop]);
        let byte = text[stop];
        done = if matches!(byte, b'"' | b'\\') {
            out.extend_from_slice(&[b'\\', byte]);
            stop + 1
        } else {
            write_special(&text[stop..], out) + stop
        };
    }
    append_short(&text[done..], out);
    out.push(b'"');
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Appends the escape of the first character of `text` and returns how many bytes it has.
#[cold]
fn write_special(text: &[u8], out: &mut Vec<u8>) -> usize {
    let byte = text[0];
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0xf0.. => return write_pair(text, out),
        _ => {
            write_unit(u32::from(byte), out);
            return 1;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
    1
}

fn write_pair(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(&[a, b, c, d]) = text.first_chunk::<4>() else {
        out.push(b'?');
        return 1;
    };
    let bits = |byte: u8, mask: u8| u32::from(byte & mask);
    let code = bits(a, 0x07) << 18 | bits(b, 0x3f) << 12 | bits(c, 0x3f) << 6 | bits(d, 0x3f);
    let offset = code.wrapping_sub(0x1_0000);
    write_unit(0xd800 + (offset >> 10 & 0x3ff), out);
    write_unit(0xdc00 + (offset & 0x3ff), out);
    4
}

fn write_unit(unit: u32, out: &mut Vec<u8>) {
    let digit = |shift: u32| HEX[(unit >> shift & 15) as usize];
    out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_unescape(raw: &str, expect: &str) {
        let mut out = Vec::new();
        unescape(raw.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expect);
    }

    #[test]
    fn unescapes_as_jackson_does() {
        check_unescape(r#"a\"b\\c\/d\b\f\n\r\t"#, "a\"b\\c/d\u{8}\u{c}\n\r\t");
        check_unescape(r"\u4e2d\ud83d\ude00x", "中😀x");
        check_unescape(r"\ud83dx", "?x");
        check_unescape(r"\ude00\ud83d", "??");
        check_unescape(r"\ud83d\ud83d\ude00", "?😀");
        check_unescape("plain", "plain");
    }

    #[test]
    fn escapes_as_jackson_does() {
        let text = "é\"\\/\u{1}\u{1f}\u{7f}\n\u{2028}😀 and more than eight bytes";
        let mut out = Vec::new();
        write_escaped(text.as_bytes(), &mut out);
        assert_eq!(
            String::from_utf8(out).expect("UTF-8"),
            "\"é\\\"\\\\/\\u0001\\u001F\u{7f}\\n\u{2028}😀 and more than eight bytes\""
        );
        let mut out = Vec::new();
        write_escaped_utf8_bytes("x😀y".as_bytes(), &mut out);
        assert_eq!(out, br#""x\uD83D\uDE00y""#);
    }

    #[test]
    fn short_texts_are_escaped_as_long_ones() {
        let texts = [
            "",
            "a",
            "plain text 1",
            "\"",
            "ab\\c",
            "\u{1f}",
            "é中",
            "x😀y",
            "\u{7f}12345678901",
        ];
        for text in texts {
            let mut bytes = [0xff; 16];
            bytes[..text.len()].copy_from_slice(text.as_bytes());
            let (mut short, mut long) = (vec![b'-'], vec![b'-']);
            write_escaped_word(u128::from_le_bytes(bytes), text.len(), &mut short);
            write_escaped_utf8_bytes(text.as_bytes(), &mut long);
            assert_eq!(short, long, "{text}");
        }
    }
}
