//! Malformed UTF-8 as Java reads it.

use std::borrow::Cow;

/// Decodes UTF-8 as Java's `new String(bytes, UTF_8)` does: a surrogate's three bytes are one U+FFFD, where Rust makes
/// three of them.
#[must_use]
pub fn decode_utf8(bytes: &[u8]) -> Cow<'_, str> {
    let Err(error) = std::str::from_utf8(bytes) else {
        return String::from_utf8_lossy(bytes);
    };
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut error = error;
    loop {
        let (valid, broken) = rest.split_at(error.valid_up_to());
        text.push_str(std::str::from_utf8(valid).expect("the prefix is valid"));
        text.push(char::REPLACEMENT_CHARACTER);
        let skipped = match broken {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => 3,
            // Java reads the second byte of a cut-off surrogate as a part of it.
            [0xed, 0xa0..=0xbf, ..] => 2,
            _ => error.error_len().unwrap_or(broken.len()),
        };
        rest = &broken[skipped..];
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return Cow::Owned(text);
            }
            Err(next) => error = next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers are those of Java 17.
    #[test]
    fn decodes_broken_utf8_as_java_does() {
        for (bytes, expected) in [
            (&b"\xed\xa0\x80"[..], "\u{fffd}"),
            (b"a\xed\xa0\x80\xed\xb0\x80b", "a\u{fffd}\u{fffd}b"),
            (b"\xed\xa0", "\u{fffd}"),
            (b"\xed\xa0(", "\u{fffd}("),
            (b"\xc3(", "\u{fffd}("),
            (b"\xff\xef", "\u{fffd}\u{fffd}"),
            (b"a\xf0\x9f\x98b", "a\u{fffd}b"),
            (b"\xe4\xb8", "\u{fffd}"),
            (b"\xc0\x80", "\u{fffd}\u{fffd}"),
            (b"\xe0\x80\x80", "\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf5\x80\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf0\x80\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"\xf4\x90\x80\x80", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(decode_utf8(bytes), expected, "{bytes:x?}");
        }
    }
}
