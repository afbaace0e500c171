//! Java's character sets: names, encoders and decoders with Java's replacement rules.

use std::borrow::Cow;

use encoding_rs::Encoding;

pub(crate) use millrace_json::decode_utf8;

/// What stands for bytes that are no character.
const REPLACEMENT: char = '\u{fffd}';

/// A character set that ENCODE and DECODE know.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Charset {
    Utf8,
    /// With a byte order mark when written, big endian if there is none when read.
    Utf16,
    Utf16Be,
    Utf16Le,
    Ascii,
    Latin1,
    /// Two bytes a character at most; the tables are the web's, the replacement rules Java's.
    Gbk,
    /// Another one of the web's.
    Other(&'static Encoding),
}

impl Charset {
    /// Returns the character set of a name or alias of Java's, in any case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" | "UNICODE-1-1-UTF-8" => Self::Utf8,
            "UTF-16" | "UTF16" | "UTF_16" | "UNICODE" | "UNICODEBIG" => Self::Utf16,
            "UTF-16BE" | "UTF_16BE" | "X-UTF-16BE" | "ISO-10646-UCS-2" | "UNICODEBIGUNMARKED" => {
                Self::Utf16Be
            }
            "UTF-16LE" | "UTF_16LE" | "X-UTF-16LE" | "UNICODELITTLEUNMARKED" => Self::Utf16Le,
            "US-ASCII" | "ASCII" | "ASCII7" | "ISO646-US" | "646" | "ISO_646.IRV:1991"
            | "ISO_646.IRV:1983" | "ANSI_X3.4-1968" | "ANSI_X3.4-1986" | "DEFAULT" | "CP367"
            | "IBM367" | "IBM-367" | "ISO-IR-6" | "US" | "CSASCII" => Self::Ascii,
            "ISO-8859-1" | "ISO8859_1" | "ISO8859-1" | "ISO_8859-1" | "ISO_8859_1" | "LATIN1"
            | "L1" | "8859_1" | "CP819" | "IBM819" | "IBM-819" | "819" | "ISO-IR-100"
            | "CSISOLATIN1" | "ISO_8859-1:1987" => Self::Latin1,
            "GBK" | "CP936" | "WINDOWS-936" => Self::Gbk,
            other => Self::Other(other_encoding(other)?),
        })
    }

    /// Returns the bytes of `text`; `?` for a character the set lacks.
    pub(crate) fn encode<'a>(self, text: &'a str) -> Cow<'a, [u8]> {
        match self {
            Self::Utf8 => Cow::Borrowed(text.as_bytes()),
            Self::Utf16 if text.is_empty() => Cow::Borrowed(&[]),
            Self::Utf16 => {
                let mut bytes = vec![0xfe, 0xff];
                bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
                Cow::Owned(bytes)
            }
            Self::Utf16Be => Cow::Owned(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
            Self::Utf16Le => Cow::Owned(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            Self::Ascii => Cow::Owned(single_bytes(text, 0x7f)),
            Self::Latin1 => Cow::Owned(single_bytes(text, 0xff)),
            Self::Gbk => {
                // Java's table has no euro sign; the web's has it as the byte 0x80.
                Cow::Owned(encode_each(&text.replace('€', "?"), encoding_rs::GBK))
            }
            Self::Other(encoding) => Cow::Owned(encode_each(text, encoding)),
        }
    }

    /// Returns the text of `bytes`; U+FFFD for what is no character of the set.
    pub(crate) fn decode<'a>(self, bytes: &'a [u8]) -> Cow<'a, str> {
        match self {
            Self::Utf8 => decode_utf8(bytes),
            Self::Utf16 => match bytes {
                [0xfe, 0xff, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_be_bytes)),
                [0xff, 0xfe, rest @ ..] => Cow::Owned(decode_utf16(rest, u16::from_le_bytes)),
                _ => Cow::Owned(decode_utf16(bytes, u16::from_be_bytes)),
            },
            Self::Utf16Be => Cow::Owned(decode_utf16(bytes, u16::from_be_bytes)),
            Self::Utf16Le => Cow::Owned(decode_utf16(bytes, u16::from_le_bytes)),
            Self::Ascii => {
                let decoded = |byte: &u8| match byte {
                    0..=0x7f => char::from(*byte),
                    _ => REPLACEMENT,
                };
                Cow::Owned(bytes.iter().map(decoded).collect())
            }
            Self::Latin1 => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
            Self::Gbk => Cow::Owned(decode_gbk(bytes)),
            Self::Other(encoding) => encoding.decode_without_bom_handling(bytes).0,
        }
    }
}

/// The sets of which the web's tables and Java's agree.
fn other_encoding(name: &str) -> Option<&'static Encoding> {
    Some(match name {
        "GB18030" | "GB18030-2000" => encoding_rs::GB18030,
        "BIG5" | "CSBIG5" => encoding_rs::BIG5,
        "EUC-JP" | "EUCJP" | "EUC_JP" => encoding_rs::EUC_JP,
        "EUC-KR" | "EUCKR" | "EUC_KR" | "KSC5601" => encoding_rs::EUC_KR,
        "SHIFT_JIS" | "SHIFT-JIS" | "SJIS" | "MS_KANJI" => encoding_rs::SHIFT_JIS,
        "WINDOWS-1250" | "CP1250" => encoding_rs::WINDOWS_1250,
        "WINDOWS-1251" | "CP1251" => encoding_rs::WINDOWS_1251,
        "WINDOWS-1252" | "CP1252" => encoding_rs::WINDOWS_1252,
        "ISO-8859-2" | "LATIN2" => encoding_rs::ISO_8859_2,
        "ISO-8859-15" | "LATIN9" | "LATIN-9" => encoding_rs::ISO_8859_15,
        "KOI8-R" | "KOI8_R" => encoding_rs::KOI8_R,
        _ => return None,
    })
}

fn single_bytes(text: &str, last: u32) -> Vec<u8> {
    text.chars()
        .map(|character| match u8::try_from(u32::from(character)) {
            Ok(byte) if u32::from(byte) <= last => byte,
            _ => b'?',
        })
        .collect()
}

fn encode_each(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut buffer = [0; 4];
    for character in text.chars() {
        let (encoded, _, unmappable) = encoding.encode(character.encode_utf8(&mut buffer));
        if unmappable {
            bytes.push(b'?');
        } else {
            bytes.extend_from_slice(&encoded);
        }
    }
    bytes
}

fn decode_gbk(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, behind)) = rest.split_first() {
        if first.is_ascii() {
            text.push(char::from(*first));
            rest = behind;
            continue;
        }
        let pair = match behind.first() {
            Some(second @ (0x40..=0x7e | 0x80..=0xfe)) if (0x81..=0xfe).contains(first) => {
                let pair = [*first, *second];
                let (decoded, malformed) = encoding_rs::GBK.decode_without_bom_handling(&pair);
                text.push(
                    decoded
                        .chars()
                        .next()
                        .filter(|_| !malformed)
                        .unwrap_or(REPLACEMENT),
                );
                true
            }
            _ => {
                text.push(REPLACEMENT);
                false
            }
        };
        rest = if pair { &behind[1..] } else { behind };
    }
    text
}

fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text: String = char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .map(|decoded| decoded.unwrap_or(REPLACEMENT))
        .collect();
    if !odd.is_empty() {
        text.push(REPLACEMENT);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_gbk_as_java_does() {
        let gbk = Charset::named("gbk").unwrap();
        assert_eq!(gbk.decode(b"\xff"), "\u{fffd}");
        assert_eq!(gbk.decode(b"\xc3("), "\u{fffd}(");
        assert_eq!(gbk.decode(b"\xed\xa0\x80"), "頎\u{fffd}");
        assert_eq!(&*gbk.encode("中😀"), b"\xd6\xd0?");
    }
}
