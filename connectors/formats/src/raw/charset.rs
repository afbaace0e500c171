//! Java's charsets, as far as they are built in.

use encoding_rs::Encoding;

use super::java_tables::{self, DoubleByte};

/// A charset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    Utf8,
    Ascii,
    Latin1,
    /// With a mark in front when written; read by its mark, big-endian without one.
    Utf16,
    Utf16Be,
    Utf16Le,
    /// Of one byte.
    Single(&'static Encoding, Quirk),
    /// Of one and two bytes, or more.
    Double(&'static DoubleByte),
}

/// Where a charset of one byte is another one in Java than on the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    None,
    /// Bytes without a character are no control characters.
    NoControls,
    /// Bytes below 0xa0 are control characters.
    Controls,
    /// Two letters are lines of a box.
    Boxes,
}

impl PartialEq for DoubleByte {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for DoubleByte {}

impl Charset {
    /// Returns the charset of a Java name or alias.
    pub(crate) fn find(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        Some(match lower.as_str() {
            "utf-8" | "utf8" | "unicode-1-1-utf-8" => Self::Utf8,
            "us-ascii" | "ascii" | "iso646-us" | "646" | "ansi_x3.4-1968" | "iso_646.irv:1991"
            | "cp367" => Self::Ascii,
            "iso-8859-1" | "iso8859_1" | "iso8859-1" | "latin1" | "l1" | "cp819" | "ibm819"
            | "819" | "iso_8859-1" | "8859_1" | "iso_8859_1" | "csisolatin1" => Self::Latin1,
            "utf-16" | "utf_16" | "utf16" | "unicode" | "unicodebig" => Self::Utf16,
            "utf-16be" | "utf_16be" | "x-utf-16be" | "iso-10646-ucs-2" | "unicodebigunmarked" => {
                Self::Utf16Be
            }
            "utf-16le" | "utf_16le" | "x-utf-16le" | "unicodelittleunmarked" => Self::Utf16Le,
            name => {
                return double_byte(name)
                    .map(Self::Double)
                    .or_else(|| single_byte(name));
            }
        })
    }

    /// Returns the text of `bytes`; what is no character becomes U+FFFD.
    pub(crate) fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Utf8 => millrace_json::decode_utf8(bytes).into_owned(),
            Self::Ascii => bytes
                .iter()
                .map(|byte| {
                    if byte.is_ascii() {
                        char::from(*byte)
                    } else {
                        '\u{fffd}'
                    }
                })
                .collect(),
            Self::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Self::Utf16 => match bytes {
                [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
                [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
                _ => utf16(bytes, u16::from_be_bytes),
            },
            Self::Utf16Be => utf16(bytes, u16::from_be_bytes),
            Self::Utf16Le => utf16(bytes, u16::from_le_bytes),
            Self::Single(encoding, quirk) => {
                let (text, _) = encoding.decode_without_bom_handling(bytes);
                let pairs = text.chars().zip(bytes);
                pairs.map(|(c, byte)| quirk.apply(c, *byte)).collect()
            }
            Self::Double(table) => decode_double(table, bytes),
        }
    }

    /// Appends `text`; what the charset lacks becomes `?`.
    pub(crate) fn encode(self, text: &str, out: &mut Vec<u8>) {
        match self {
            Self::Utf8 => out.extend_from_slice(text.as_bytes()),
            Self::Ascii => out.extend(
                text.chars()
                    .map(|c| if c.is_ascii() { c as u8 } else { b'?' }),
            ),
            Self::Latin1 => out.extend(
                text.chars()
                    .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')),
            ),
            Self::Utf16 => {
                if !text.is_empty() {
                    out.extend_from_slice(&[0xfe, 0xff]);
                }
                out.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Self::Utf16Be => out.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Self::Utf16Le => out.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
            Self::Single(encoding, quirk) => {
                let byte = |c| encode_single(encoding, quirk, c).unwrap_or(b'?');
                out.extend(text.chars().map(byte));
            }
            Self::Double(table) => text.chars().for_each(|c| table.encode(c, out)),
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|unit| unit.unwrap_or('\u{fffd}'))
        .collect();
    if !rest.is_empty() {
        text.push('\u{fffd}');
    }
    text
}

fn double_byte(name: &str) -> Option<&'static DoubleByte> {
    Some(match name {
        "gb2312" | "gb2312-80" | "gb2312-1980" | "euc-cn" | "euc_cn" | "euccn" | "x-euc-cn" => {
            &java_tables::GB2312
        }
        "gbk" | "cp936" | "windows-936" => &java_tables::GBK,
        "gb18030" | "gb18030-2000" => &java_tables::GB18030,
        "sjis" | "shift_jis" | "shift-jis" | "ms_kanji" | "x-sjis" | "csshiftjis" => {
            &java_tables::SHIFT_JIS
        }
        "windows-31j" | "ms932" | "windows-932" | "cswindows31j" => &java_tables::WINDOWS_31J,
        "eucjp" | "euc_jp" | "euc-jp" | "eucjis" | "x-euc-jp" => &java_tables::EUC_JP,
        "big5" | "csbig5" => &java_tables::BIG5,
        "euc_kr" | "euckr" | "euc-kr" | "ksc5601" | "ks_c_5601-1987" | "ksc_5601" => {
            &java_tables::EUC_KR
        }
        "x-windows-949" | "ms949" | "windows949" | "windows-949" => &java_tables::MS949,
        _ => return None,
    })
}

fn single_byte(name: &str) -> Option<Charset> {
    let quirk = match name {
        "iso-8859-9" => Quirk::Controls,
        "koi8-u" => Quirk::Boxes,
        name if name.starts_with("windows-125") => Quirk::NoControls,
        _ => Quirk::None,
    };
    // Java has neither ISO-8859-10 nor -14.
    let is_iso = ["2", "3", "4", "5", "6", "7", "8", "9", "13", "15", "16"]
        .iter()
        .any(|part| name.strip_prefix("iso-8859-") == Some(*part));
    let is_known = is_iso || quirk != Quirk::None || name == "koi8-r";
    let encoding = Encoding::for_label(name.as_bytes()).filter(|_| is_known)?;
    Some(Charset::Single(encoding, quirk))
}

impl Quirk {
    /// Returns Java's character of a byte for the web's.
    fn apply(self, c: char, byte: u8) -> char {
        match (self, c) {
            // U+05BA is windows-1255's on the web alone.
            (Self::NoControls, '\u{80}'..='\u{9f}' | '\u{5ba}') => '\u{fffd}',
            (Self::Controls, _) if byte < 0xa0 => char::from(byte),
            (Self::Boxes, '\u{45e}') => '\u{255d}',
            (Self::Boxes, '\u{40e}') => '\u{256c}',
            _ => c,
        }
    }
}

fn encode_single(encoding: &'static Encoding, quirk: Quirk, c: char) -> Option<u8> {
    match (quirk, c) {
        (_, '\0'..='\x7f') => return u8::try_from(c).ok(),
        (Quirk::Controls, '\u{80}'..='\u{9f}') => return u8::try_from(c).ok(),
        (Quirk::Boxes, '\u{255d}') => return Some(0xae),
        (Quirk::Boxes, '\u{256c}') => return Some(0xbe),
        _ => {}
    }
    let mut buffer = [0; 4];
    let (bytes, _, is_unmappable) = encoding.encode(c.encode_utf8(&mut buffer));
    let byte = *bytes.first()?;
    // What is encoded by the web's rules must be read as the same by Java's.
    (!is_unmappable && quirk.apply(c, byte) == c).then_some(byte)
}

/// Returns the character that the bytes are as a whole.
fn decode_one(encoding: &'static Encoding, bytes: &[u8]) -> Option<char> {
    let (text, is_malformed) = encoding.decode_without_bom_handling(bytes);
    let mut chars = text.chars();
    let first = chars.next()?;
    (!is_malformed && chars.next().is_none()).then_some(first)
}

fn decode_double(table: &DoubleByte, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while !rest.is_empty() {
        let (character, length) = table.take(rest);
        text.push(character.unwrap_or('\u{fffd}'));
        rest = &rest[length..];
    }
    text
}

impl DoubleByte {
    /// Returns the character at the start of `bytes`, and how many of them stand for it or are left out as one.
    ///
    /// # Java
    /// `DoubleByte.Decoder`, `GB18030.Decoder` and `EUC_JP.Decoder`.
    fn take(&self, bytes: &[u8]) -> (Option<char>, usize) {
        let first = bytes[0];
        if first.is_ascii() {
            return (Some(char::from(first)), 1);
        }
        if *self == java_tables::EUC_JP {
            let length = if first == 0x8f { 3 } else { 2 };
            return match bytes.get(..length) {
                Some(whole) if first == 0x8f => (decode_one(self.encoding, whole), length),
                Some(pair) => (self.pair(pair[0], pair[1]), length),
                None => (None, bytes.len()),
            };
        }
        if let Some(c) = self.single(first) {
            return (Some(c), 1);
        }
        let Some(second) = bytes.get(1).copied() else {
            return (None, 1);
        };
        if *self == java_tables::GB18030 {
            return self.take_gb18030(bytes, second);
        }
        match self.pair(first, second) {
            Some(c) => (Some(c), 2),
            None if !self.is_lead(first) || self.begins(second) => (None, 1),
            None => (None, 2),
        }
    }

    fn take_gb18030(&self, bytes: &[u8], second: u8) -> (Option<char>, usize) {
        let is_third = |byte: &u8| (0x81..=0xfe).contains(byte);
        match second {
            _ if !self.is_lead(bytes[0]) => (None, 1),
            0..0x30 => (None, 1),
            b'0'..=b'9' => match bytes {
                [_, _, _] | [_, _] => (None, bytes.len()),
                [_, _, third, ..] if !is_third(third) => (None, 3),
                [_, _, _, b'0'..=b'9', ..] => (decode_one(self.encoding, &bytes[..4]), 4),
                _ => (None, 4),
            },
            _ => (self.pair(bytes[0], second), 2),
        }
    }

    fn is_lead(&self, byte: u8) -> bool {
        let within = |(start, end): &(u8, u8)| (*start..=*end).contains(&byte);
        self.leads.iter().any(within)
    }

    /// Tells whether a character may begin with the byte.
    fn begins(&self, byte: u8) -> bool {
        byte.is_ascii() || self.is_lead(byte) || self.single(byte).is_some()
    }

    /// Returns the character that a byte beyond ASCII is by itself.
    fn single(&self, byte: u8) -> Option<char> {
        if byte == 0x80 {
            return None;
        }
        decode_one(self.encoding, &[byte])
    }

    fn pair(&self, first: u8, second: u8) -> Option<char> {
        let code = u16::from_be_bytes([first, second]);
        let within = |(start, end): &(u16, u16)| (*start..=*end).contains(&code);
        if !self.is_lead(first) || self.absent.iter().any(within) {
            return None;
        }
        let other = self.other.iter().find_map(|(start, character, count)| {
            let after = code.checked_sub(*start).filter(|after| after < count)?;
            char::from_u32(u32::from(character + after))
        });
        other.or_else(|| decode_one(self.encoding, &[first, second]))
    }

    /// Appends a character, or `?`.
    fn encode(&self, c: char, out: &mut Vec<u8>) {
        if c.is_ascii() {
            return out.push(c as u8);
        }
        let other = self.other.iter().find_map(|(start, character, count)| {
            let after = u32::from(c).checked_sub(u32::from(*character))?;
            let after = u16::try_from(after).ok().filter(|after| after < count)?;
            Some(start + after)
        });
        if let Some(code) = other {
            return out.extend_from_slice(&code.to_be_bytes());
        }
        // The web's GBK has the euro sign in one byte, which Java reads as nothing.
        let encoding = if self.encoding == encoding_rs::GBK {
            encoding_rs::GB18030
        } else {
            self.encoding
        };
        let mut buffer = [0; 4];
        let (bytes, _, is_unmappable) = encoding.encode(c.encode_utf8(&mut buffer));
        if !is_unmappable && self.take(&bytes) == (Some(c), bytes.len()) {
            out.extend_from_slice(&bytes);
        } else {
            out.push(b'?');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_charsets_as_java_does() {
        for (name, text, bytes) in [
            ("utf-8", "é中", &b"\xc3\xa9\xe4\xb8\xad"[..]),
            ("ISO-8859-1", "é", b"\xe9"),
            ("UTF-16", "a", b"\xfe\xff\0a"),
            ("UTF-16LE", "a", b"a\0"),
            ("GBK", "中文", b"\xd6\xd0\xce\xc4"),
            ("windows-1252", "€", b"\x80"),
        ] {
            let charset = Charset::find(name).expect(name);
            let mut out = Vec::new();
            charset.encode(text, &mut out);
            assert_eq!(out, bytes, "{name}");
            assert_eq!(charset.decode(bytes), text, "{name}");
        }
        assert_eq!(Charset::Utf8.decode(b"\xed\xa0\x80"), "\u{fffd}");
        assert_eq!(Charset::find("bogus"), None);
        let mut out = Vec::new();
        Charset::Latin1.encode("中", &mut out);
        assert_eq!(out, b"?");
    }
    /// The digests are over what Java 17 reads: each byte, and each pair that begins beyond ASCII.
    #[test]
    fn reads_all_bytes_and_pairs_as_java_does() {
        for (name, expected) in [
            ("GBK", 0x39b769a38f8b9ab7),
            ("GB2312", 0x0ab243fe17546d9b),
            ("GB18030", 0x7facd9c1c4d9a6ba),
            ("Shift_JIS", 0x4d316df4b7d951e3),
            ("windows-31j", 0x8c0b430f8e39f900),
            ("EUC-JP", 0xd76772894f44518b),
            ("Big5", 0xbcecaa17d3514a1b),
            ("EUC-KR", 0xd8702da1c4362bd0),
            ("x-windows-949", 0xcb0ddfcdd8205522),
            ("windows-1250", 0x6f882d7e0033c363),
            ("windows-1251", 0xaa7114c9c6305cfe),
            ("windows-1252", 0x1b856b49775141c2),
            ("windows-1253", 0xd5378d7d82f26b91),
            ("windows-1254", 0xd39b7210abec575c),
            ("windows-1255", 0xf3f915c8d2ab3c41),
            ("windows-1256", 0xd415acd4ddee405d),
            ("windows-1257", 0x5e76095b8d1538d2),
            ("windows-1258", 0xd905e1525f6d4596),
            ("ISO-8859-2", 0xb304de827727a2ee),
            ("ISO-8859-9", 0x7c3aa38859b4c5b0),
            ("ISO-8859-15", 0x948aebb2a593f6fb),
            ("KOI8-R", 0xf4432026c604b83f),
            ("KOI8-U", 0x795c4904a437476f),
        ] {
            let charset = Charset::find(name).expect(name);
            let mut digest = millrace_connector::FNV_BASIS;
            let mut read = |bytes: &[u8]| {
                let text = charset.decode(bytes);
                let hex: String = text
                    .chars()
                    .map(|c| format!("{:x},", u32::from(c)))
                    .collect();
                digest = millrace_connector::fnv1a(digest, hex.bytes());
            };
            (0..=u8::MAX).for_each(|byte| read(&[byte]));
            if matches!(charset, Charset::Double(_)) {
                for first in 0x80..=u8::MAX {
                    (0..=u8::MAX).for_each(|second| read(&[first, second]));
                }
            }
            assert_eq!(digest, expected, "{name}");
        }
    }

    #[test]
    fn reads_and_writes_more_than_pairs() {
        let gb18030 = Charset::find("GB18030").unwrap();
        for (bytes, text) in [
            (&b"\x81\x30\x41\x30"[..], "\u{fffd}0"),
            (b"\x81\x30\x81\x41", "\u{fffd}"),
            (b"\x81\x30\x81\x30", "\u{80}"),
            (b"\x81\x30\x81", "\u{fffd}"),
            (b"\xe3\x32\x9a\x35", "\u{10ffff}"),
            (b"\xe3\x32\x9a\x36", "\u{fffd}"),
            (b"\x81\x30\x81\x39\xff", "\u{89}\u{fffd}"),
        ] {
            assert_eq!(gb18030.decode(bytes), text, "{bytes:x?}");
        }
        let euc_jp = Charset::find("EUC-JP").unwrap();
        assert_eq!(euc_jp.decode(b"\x8f\xb0\xa1\x8f\xb0"), "丂\u{fffd}");
        for (name, text, bytes) in [
            ("GBK", "€—中•", &b"\xa2\xe3\xa1\xaa\xd6\xd0?"[..]),
            ("Shift_JIS", "—〜～中€", b"\x81\x5c\x81\x60?\x92\x86?"),
            ("Big5", "•—中", b"\xa1\x45\xa1\x58\xa4\xa4"),
            ("EUC-KR", "\u{327e}中", b"\xa2\xe8\xf1\xe9"),
            ("windows-1252", "€\u{81}", b"\x80?"),
        ] {
            let mut out = Vec::new();
            Charset::find(name).unwrap().encode(text, &mut out);
            assert_eq!(out, bytes, "{name}");
        }
        for name in ["iso-8859-14", "iso-8859-10", "windows-874", "hz-gb-2312"] {
            assert_eq!(Charset::find(name), None, "{name}");
        }
    }
}
