//! The server's charsets.

use std::borrow::Cow;

use encoding_rs::Encoding;
use mysql_common::collations::{Collation, CollationId};

/// How a text's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Utf8,
    Ascii,
    Utf16Be,
    Utf16Le,
    Utf32Be,
    /// As the web reads it.
    Web(&'static Encoding),
    /// As the web reads it, but 0x80 to 0x9f are control characters.
    WithControls(&'static Encoding),
    /// As the web reads it, with the characters that the standard has where Microsoft chose wider ones.
    Jis(&'static Encoding),
}

/// What Microsoft's tables have, and what JIS X 0208 has at the same place.
const JIS: [(char, char); 6] = [
    ('\u{ff5e}', '\u{301c}'),
    ('\u{2225}', '\u{2016}'),
    ('\u{ff0d}', '\u{2212}'),
    ('\u{ffe0}', '\u{a2}'),
    ('\u{ffe1}', '\u{a3}'),
    ('\u{ffe2}', '\u{ac}'),
];

impl Charset {
    /// Returns the charset of the server's name for it; `None` if it is not one that can be read.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        use encoding_rs as e;
        Some(Self(match name {
            "utf8mb4" | "utf8mb3" | "utf8" | "binary" => Kind::Utf8,
            "ascii" => Kind::Ascii,
            "ucs2" | "utf16" => Kind::Utf16Be,
            "utf16le" => Kind::Utf16Le,
            "utf32" => Kind::Utf32Be,
            "latin1" => Kind::Web(e::WINDOWS_1252),
            "gbk" | "gb2312" => Kind::Web(e::GBK),
            "gb18030" => Kind::Web(e::GB18030),
            "big5" => Kind::Web(e::BIG5),
            "sjis" => Kind::Jis(e::SHIFT_JIS),
            "cp932" => Kind::Web(e::SHIFT_JIS),
            "ujis" => Kind::Jis(e::EUC_JP),
            "eucjpms" => Kind::Web(e::EUC_JP),
            "euckr" => Kind::Web(e::EUC_KR),
            "latin2" => Kind::Web(e::ISO_8859_2),
            "latin5" => Kind::WithControls(e::WINDOWS_1254),
            "latin7" => Kind::Web(e::ISO_8859_13),
            "cp1250" => Kind::Web(e::WINDOWS_1250),
            "cp1251" => Kind::Web(e::WINDOWS_1251),
            "cp1256" => Kind::Web(e::WINDOWS_1256),
            "cp1257" => Kind::Web(e::WINDOWS_1257),
            "koi8r" => Kind::Web(e::KOI8_R),
            "koi8u" => Kind::Web(e::KOI8_U),
            "greek" => Kind::Web(e::ISO_8859_7),
            "hebrew" => Kind::Web(e::ISO_8859_8),
            "tis620" => Kind::WithControls(e::WINDOWS_874),
            _ => return None,
        }))
    }

    /// Returns the text of `bytes`; what is none becomes U+FFFD.
    #[must_use]
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        self.decode_counting(bytes).0
    }

    /// Returns the text of `bytes`, and whether something in it was none and became U+FFFD.
    #[inline]
    pub(crate) fn decode_counting<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, str>, bool) {
        match self.0 {
            Kind::Utf8 => match simdutf8::basic::from_utf8(bytes) {
                Ok(text) => (Cow::Borrowed(text), false),
                Err(_) => (String::from_utf8_lossy(bytes), true),
            },
            other => other.decode(bytes),
        }
    }
}

impl Kind {
    fn decode(self, bytes: &[u8]) -> (Cow<'_, str>, bool) {
        match self {
            Self::Utf8 | Self::Ascii => match std::str::from_utf8(bytes) {
                Ok(text) if text.is_ascii() => (Cow::Borrowed(text), false),
                _ => {
                    let text = bytes.iter().map(|byte| match byte {
                        0..0x80 => char::from(*byte),
                        _ => char::REPLACEMENT_CHARACTER,
                    });
                    (Cow::Owned(text.collect()), true)
                }
            },
            Self::Utf16Be => units(bytes, u16::from_be_bytes),
            Self::Utf16Le => units(bytes, u16::from_le_bytes),
            Self::Utf32Be => {
                let mut text = String::with_capacity(bytes.len() / 4);
                let (quads, rest) = bytes.as_chunks::<4>();
                let mut is_wrong = !rest.is_empty();
                for quad in quads {
                    let character = char::from_u32(u32::from_be_bytes(*quad));
                    is_wrong |= character.is_none();
                    text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                if !rest.is_empty() {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
                (Cow::Owned(text), is_wrong)
            }
            Self::Web(encoding) => encoding.decode_without_bom_handling(bytes),
            Self::WithControls(encoding) => {
                if !bytes.iter().any(|byte| (0x80..0xa0).contains(byte)) {
                    return encoding.decode_without_bom_handling(bytes);
                }
                let mut text = String::with_capacity(bytes.len() * 2);
                let mut is_wrong = false;
                for part in bytes
                    .chunk_by(|a, b| a.wrapping_sub(0x80) >= 0x20 && b.wrapping_sub(0x80) >= 0x20)
                {
                    if let [control @ 0x80..0xa0] = *part {
                        text.push(char::from(control));
                        continue;
                    }
                    let (decoded, wrong) = encoding.decode_without_bom_handling(part);
                    text.push_str(&decoded);
                    is_wrong |= wrong;
                }
                (Cow::Owned(text), is_wrong)
            }
            Self::Jis(encoding) => {
                let (text, is_wrong) = encoding.decode_without_bom_handling(bytes);
                if !text.contains(JIS.map(|(microsoft, _)| microsoft)) {
                    return (text, is_wrong);
                }
                let standard = |character: char| {
                    let known = JIS.iter().find(|(microsoft, _)| *microsoft == character);
                    known.map_or(character, |(_, standard)| *standard)
                };
                (Cow::Owned(text.chars().map(standard).collect()), is_wrong)
            }
        }
    }
}

fn units(bytes: &[u8], read: fn([u8; 2]) -> u16) -> (Cow<'static, str>, bool) {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut is_wrong = !rest.is_empty();
    let mut text = String::with_capacity(bytes.len());
    for character in char::decode_utf16(pairs.iter().map(|pair| read(*pair))) {
        is_wrong |= character.is_err();
        text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
    }
    (Cow::Owned(text), is_wrong)
}

/// Returns how many bytes a character of a charset has at most, as the server counts them.
pub(crate) fn max_length_of_charset(name: &str) -> u32 {
    match name {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8mb3" | "utf8" | "ujis" | "eucjpms" => 3,
        "ucs2" | "gbk" | "gb2312" | "big5" | "sjis" | "cp932" | "euckr" => 2,
        _ => 1,
    }
}

/// MariaDB's collations without padding have the numbers of their siblings and this.
const MARIADB_NOPAD: u16 = 1024;
/// MariaDB's Unicode 14 collations: 256 numbers for each of these charsets.
const MARIADB_UCA1400: u16 = 2048;
const MARIADB_UCA1400_CHARSETS: [&str; 5] = ["utf8mb3", "utf8mb4", "ucs2", "utf16", "utf32"];

/// Returns the charset of a collation's number.
pub(crate) fn charset_of_collation(id: u16) -> Option<&'static str> {
    if let Some(above) = id.checked_sub(MARIADB_UCA1400) {
        return MARIADB_UCA1400_CHARSETS
            .get(usize::from(above / 256))
            .copied();
    }
    let collation = CollationId::from(sibling(id));
    if collation == CollationId::UNKNOWN_COLLATION_ID {
        return None;
    }
    let collation: Collation<'static> = Collation::from(collation);
    let name = canonical(collation.charset());
    NAMES.iter().find(|known| **known == name).copied()
}

fn sibling(id: u16) -> u16 {
    match id {
        MARIADB_NOPAD..MARIADB_UCA1400 => id - MARIADB_NOPAD,
        _ => id,
    }
}

/// The charsets' names, since the crate lends its own only for as long as a copy of the collation lives.
const NAMES: [&str; 41] = [
    "armscii8", "ascii", "big5", "binary", "cp1250", "cp1251", "cp1256", "cp1257", "cp850",
    "cp852", "cp866", "cp932", "dec8", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8",
    "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7",
    "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16", "utf16le", "utf32",
    "utf8mb3", "utf8mb4",
];

/// Returns the one name of a charset that has two.
pub(crate) fn canonical(name: &str) -> &str {
    if name == "utf8" { "utf8mb3" } else { name }
}
