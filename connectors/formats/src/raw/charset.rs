//! Java's charsets, as far as they are built in.

use encoding_rs::Encoding;

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
    Other(&'static Encoding),
}

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
            _ => {
                let alias = match lower.as_str() {
                    "gb2312" | "euc-cn" | "euc_cn" | "gbk" | "cp936" | "windows-936" => "gbk",
                    "gb18030" => "gb18030",
                    "sjis" | "shift_jis" | "shift-jis" => "shift_jis",
                    "eucjp" | "euc_jp" | "euc-jp" => "euc-jp",
                    "big5" => "big5",
                    "euc_kr" | "euckr" | "euc-kr" => "euc-kr",
                    other => other,
                };
                let known = alias.starts_with("windows-125")
                    || alias.starts_with("iso-8859-")
                    || [
                        "gbk",
                        "gb18030",
                        "shift_jis",
                        "euc-jp",
                        "big5",
                        "euc-kr",
                        "koi8-r",
                        "koi8-u",
                    ]
                    .contains(&alias);
                Self::Other(Encoding::for_label(alias.as_bytes()).filter(|_| known)?)
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
            Self::Other(encoding) if encoding == encoding_rs::GBK => decode_gbk(bytes),
            Self::Other(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
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
            Self::Other(encoding) => encode_other(encoding, text, out),
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

/// Reads GBK as Java does: 0x80 and 0xff, a byte that lacks its second one and a pair that is no character are U+FFFD.
fn decode_gbk(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if first.is_ascii() {
            text.push(char::from(*first));
            continue;
        }
        let mut character = None;
        if let ([second @ (0x40..=0x7e | 0x80..=0xfe), others @ ..], 0x81..=0xfe) = (behind, first)
        {
            let pair = [*first, *second];
            let (decoded, malformed) = encoding_rs::GBK.decode_without_bom_handling(&pair);
            character = decoded.chars().next().filter(|_| !malformed);
            rest = others;
        }
        text.push(character.unwrap_or('\u{fffd}'));
    }
    text
}

fn encode_other(encoding: &'static Encoding, text: &str, out: &mut Vec<u8>) {
    let mut encoder = encoding.new_encoder();
    let mut rest = text;
    let mut buffer = [0_u8; 1024];
    loop {
        let (result, read, written) =
            encoder.encode_from_utf8_without_replacement(rest, &mut buffer, true);
        out.extend_from_slice(&buffer[..written]);
        rest = &rest[read..];
        match result {
            encoding_rs::EncoderResult::InputEmpty => return,
            encoding_rs::EncoderResult::OutputFull => {}
            encoding_rs::EncoderResult::Unmappable(_) => out.push(b'?'),
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
}
