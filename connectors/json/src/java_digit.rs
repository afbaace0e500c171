//! Digits of other scripts, which `Integer.parseInt` and `BigDecimal` read too.

use std::borrow::Cow;

/// The zeros of the scripts whose digits `Character.digit` knows, within one `char` of Java.
const ZEROS: [u32; 37] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6,
    0x0d66, 0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80,
    0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0,
    0xff10,
];

/// Returns `text` with all digits in ASCII; what is no text or has no other digits stays as it is.
#[must_use]
pub fn ascii_digits(text: &[u8]) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let Ok(chars) = std::str::from_utf8(text) else {
        return Cow::Borrowed(text);
    };
    let ascii: String = chars.chars().map(|c| digit(c).unwrap_or(c)).collect();
    Cow::Owned(ascii.into_bytes())
}

/// Returns the ASCII digit of the same value.
fn digit(c: char) -> Option<char> {
    let code = u32::from(c);
    let after = ZEROS.partition_point(|zero| *zero <= code);
    let value = code - ZEROS[after.checked_sub(1)?];
    char::from_digit(value, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_all_scripts_become_ascii() {
        for (text, ascii) in [
            ("12", "12"),
            ("-١٢", "-12"),
            ("１０.５", "10.5"),
            ("०९:x", "09:x"),
            ("²½Ⅷ", "²½Ⅷ"),
            ("𝟎", "𝟎"),
            ("٪", "٪"),
        ] {
            assert_eq!(&*ascii_digits(text.as_bytes()), ascii.as_bytes(), "{text}");
        }
        assert_eq!(&*ascii_digits(b"\xff1"), b"\xff1");
        assert!(ZEROS.is_sorted());
    }
}
