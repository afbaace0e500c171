//! JSON: the server's binary form as text, spelled as the server itself spells it in a query's result.

use std::fmt::Write;

use base64::Engine;

use super::bytes::little_endian;
use super::decimal;
use super::temporal::unpack;

/// A value nests no deeper than this on a server.
pub(crate) const DEPTH_MAX: usize = 128;

/// Whether blanks follow `,` and `:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blanks {
    None,
    AfterSigns,
}

/// Where text goes to.
#[derive(Debug)]
pub(crate) struct Writer<'o> {
    pub(crate) out: &'o mut String,
    pub(crate) blanks: Blanks,
    /// More text than this is no document's: one that holds a part of itself twice doubles at each level.
    end: usize,
}

/// Text of so many bytes may come of one byte: a control character is `\u0001`, a small number much less.
const GROWTH_MAX: usize = 16;

impl<'o> Writer<'o> {
    /// Returns a writer of a document of `length` bytes.
    pub(crate) fn new(out: &'o mut String, blanks: Blanks, length: usize) -> Self {
        let end = out.len() + 64 + length * GROWTH_MAX;
        Self { out, blanks, end }
    }

    fn check(&self) -> Option<()> {
        (self.out.len() <= self.end).then_some(())
    }

    /// Writes what lies between two elements.
    pub(crate) fn separate(&mut self, at: usize) -> Option<()> {
        self.check()?;
        if at > 0 {
            self.out.push_str(self.blanks.comma());
        }
        Some(())
    }

    /// Writes a key and its colon.
    pub(crate) fn key(&mut self, key: &[u8]) {
        write_string(&String::from_utf8_lossy(key), self.out);
        self.out.push_str(self.blanks.colon());
    }
}

/// A value in the binary form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binary<'a> {
    pub(crate) kind: u8,
    /// What follows the type; of an element, to the end of what holds it.
    pub(crate) data: &'a [u8],
}

pub(crate) const SMALL_OBJECT: u8 = 0x00;
pub(crate) const LARGE_OBJECT: u8 = 0x01;
pub(crate) const SMALL_ARRAY: u8 = 0x02;
pub(crate) const LARGE_ARRAY: u8 = 0x03;
pub(crate) const LITERAL: u8 = 0x04;
const INT16: u8 = 0x05;
const UINT16: u8 = 0x06;
const INT32: u8 = 0x07;
const UINT32: u8 = 0x08;
const INT64: u8 = 0x09;
const UINT64: u8 = 0x0a;
const DOUBLE: u8 = 0x0b;
const STRING: u8 = 0x0c;
const OPAQUE: u8 = 0x0f;

/// An array or object in the binary form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container<'a> {
    data: &'a [u8],
    count: usize,
    /// Bytes of an offset: 2 or 4.
    width: usize,
    pub(crate) is_object: bool,
}

impl<'a> Binary<'a> {
    /// Returns the value of a whole document; an empty one is `null`, as the server has it.
    pub(crate) fn of_document(document: &'a [u8]) -> Self {
        match document.split_first() {
            Some((&kind, data)) => Self { kind, data },
            None => Self {
                kind: LITERAL,
                data: &[0],
            },
        }
    }

    /// Returns its elements if it is an array or object; `None` if it is cut short.
    pub(crate) fn container(&self) -> Option<Container<'a>> {
        let width = match self.kind {
            SMALL_OBJECT | SMALL_ARRAY => 2,
            _ => 4,
        };
        let count = little_endian(self.data.get(..width)?) as usize;
        let size = little_endian(self.data.get(width..2 * width)?) as usize;
        let container = Container {
            data: self.data.get(..size)?,
            count,
            width,
            is_object: matches!(self.kind, SMALL_OBJECT | LARGE_OBJECT),
        };
        // So that a count that is nonsense is seen before a loop over it.
        (container
            .values_start()?
            .checked_add(count.checked_mul(1 + width)?)?
            <= size)
            .then_some(container)
    }

    /// Tells whether it is an array or object.
    pub(crate) fn is_container(&self) -> bool {
        self.kind <= LARGE_ARRAY
    }

    /// Appends the value's text; `None` if it is cut short or of no known kind.
    pub(crate) fn write(&self, writer: &mut Writer<'_>, depth: usize) -> Option<()> {
        let data = self.data;
        let out = &mut *writer.out;
        match self.kind {
            SMALL_OBJECT..=LARGE_ARRAY => return self.container()?.write(writer, depth),
            LITERAL => out.push_str(match data.first()? {
                0 => "null",
                1 => "true",
                2 => "false",
                _ => return None,
            }),
            INT16 => push(out, i16::from_le_bytes(fixed(data)?)),
            UINT16 => push(out, u16::from_le_bytes(fixed(data)?)),
            INT32 => push(out, i32::from_le_bytes(fixed(data)?)),
            UINT32 => push(out, u32::from_le_bytes(fixed(data)?)),
            INT64 => push(out, i64::from_le_bytes(fixed(data)?)),
            UINT64 => push(out, u64::from_le_bytes(fixed(data)?)),
            DOUBLE => write_double(f64::from_le_bytes(fixed(data)?), out),
            STRING => {
                let text = variable(data)?;
                write_string(&String::from_utf8_lossy(text), out);
            }
            OPAQUE => {
                let (&kind, data) = data.split_first()?;
                write_opaque(kind, variable(data)?, out)?;
            }
            _ => return None,
        }
        Some(())
    }
}

impl<'a> Container<'a> {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    fn values_start(&self) -> Option<usize> {
        let keys = if self.is_object {
            self.count.checked_mul(self.width + 2)?
        } else {
            0
        };
        keys.checked_add(2 * self.width)
    }

    /// Returns a key.
    pub(crate) fn key(&self, at: usize) -> Option<&'a [u8]> {
        let entry = 2 * self.width + at * (self.width + 2);
        let lengths = entry + self.width;
        let offset = little_endian(self.data.get(entry..lengths)?) as usize;
        let length = little_endian(self.data.get(lengths..lengths + 2)?) as usize;
        self.data.get(offset..offset.checked_add(length)?)
    }

    /// Returns a value.
    pub(crate) fn value(&self, at: usize) -> Option<Binary<'a>> {
        let entry = self.values_start()? + at * (1 + self.width);
        let kind = *self.data.get(entry)?;
        let inline = self.data.get(entry + 1..entry + 1 + self.width)?;
        let is_inline = match kind {
            LITERAL | INT16 | UINT16 => true,
            INT32 | UINT32 => self.width == 4,
            _ => false,
        };
        let data = if is_inline {
            inline
        } else {
            self.data.get(little_endian(inline) as usize..)?
        };
        Some(Binary { kind, data })
    }

    fn write(&self, writer: &mut Writer<'_>, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        writer.out.push(if self.is_object { '{' } else { '[' });
        for at in 0..self.count {
            writer.separate(at)?;
            if self.is_object {
                writer.key(self.key(at)?);
            }
            self.value(at)?.write(writer, depth + 1)?;
        }
        writer.out.push(if self.is_object { '}' } else { ']' });
        Some(())
    }
}

impl Blanks {
    pub(crate) fn comma(self) -> &'static str {
        match self {
            Self::None => ",",
            Self::AfterSigns => ", ",
        }
    }

    pub(crate) fn colon(self) -> &'static str {
        match self {
            Self::None => ":",
            Self::AfterSigns => ": ",
        }
    }
}

/// Appends the text of a document; `None` if it is none.
pub(crate) fn write_document(document: &[u8], blanks: Blanks, out: &mut String) -> Option<()> {
    let mut writer = Writer::new(out, blanks, document.len());
    Binary::of_document(document).write(&mut writer, 0)
}

/// Appends a document that a query gave as text: with the server's blanks, or without.
pub(crate) fn write_text(text: &str, blanks: Blanks, out: &mut String) {
    if blanks == Blanks::AfterSigns {
        out.push_str(text);
        return;
    }
    let mut is_string = false;
    let mut is_escaped = false;
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            b' ' if !is_string => {
                out.push_str(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push_str(&text[start..]);
}

fn fixed<const N: usize>(data: &[u8]) -> Option<[u8; N]> {
    data.first_chunk().copied()
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    write!(out, "{value}").expect("a String takes all");
}

/// Returns the bytes behind a length of seven bits per byte.
fn variable(data: &[u8]) -> Option<&[u8]> {
    let mut length = 0_usize;
    for (at, byte) in data.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return data.get(at + 1..)?.get(..length);
        }
    }
    None
}

/// Appends a text in quotes, escaped as the server escapes it.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x0c => "\\f",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[start..at]);
        start = at + 1;
        if escape.is_empty() {
            write!(out, "\\u{byte:04x}").expect("a String takes all");
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

/// The greatest number of digits before the point, and of zeros behind it, without an exponent.
const POINT_MAX: i32 = 15;

/// Appends a double: the shortest digits that read back, as the server writes them.
pub(crate) fn write_double(value: f64, out: &mut String) {
    if value == 0.0 {
        out.push_str(if value.is_sign_negative() {
            "-0.0"
        } else {
            "0.0"
        });
        return;
    }
    let shortest = format!("{:e}", value.abs());
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value < 0.0 {
        out.push('-');
    }
    // Where the point lies, counted from the first digit.
    let point = exponent + 1;
    let length = digits.len() as i32;
    if point > -POINT_MAX && (point <= POINT_MAX || length > point) {
        if point <= 0 {
            out.push_str("0.");
            out.extend(std::iter::repeat_n('0', point.unsigned_abs() as usize));
            out.push_str(&digits);
        } else if length > point {
            let (whole, part) = digits.split_at(point as usize);
            out.push_str(whole);
            out.push('.');
            out.push_str(part);
        } else {
            out.push_str(&digits);
            out.extend(std::iter::repeat_n('0', (point - length) as usize));
            out.push_str(".0");
        }
        return;
    }
    out.push_str(&digits[..1]);
    if length > 1 {
        out.push('.');
        out.push_str(&digits[1..]);
    }
    push(out, format_args!("e{exponent}"));
}

const TIMESTAMP: u8 = 7;
const DATE: u8 = 10;
const TIME: u8 = 11;
const DATETIME: u8 = 12;
const NEWDECIMAL: u8 = 246;
const BASE64_LINE: usize = 76;

/// Appends a value of a type that JSON lacks.
fn write_opaque(kind: u8, data: &[u8], out: &mut String) -> Option<()> {
    match kind {
        NEWDECIMAL => {
            let &[precision, scale, ref digits @ ..] = data else {
                return None;
            };
            if !(1..=65).contains(&precision) || scale > precision {
                return None;
            }
            decimal::read(digits, precision, scale)?.write_plain(out);
        }
        DATE | TIME | DATETIME | TIMESTAMP => {
            let t = unpack(i64::from_le_bytes(fixed(data)?), kind == TIME);
            out.push('"');
            if kind != TIME {
                push(
                    out,
                    format_args!("{:04}-{:02}-{:02}", t.year, t.month, t.day),
                );
            }
            if kind == TIME && t.is_negative {
                out.push('-');
            }
            if kind != DATE {
                let blank = if kind == TIME { "" } else { " " };
                let (h, m, s, u) = (t.hour, t.minute, t.second, t.micros);
                push(out, format_args!("{blank}{h:02}:{m:02}:{s:02}.{u:06}"));
            }
            out.push('"');
        }
        _ => {
            push(out, format_args!("\"base64:type{kind}:"));
            let encoded = base64::engine::general_purpose::STANDARD.encode(data);
            // The server breaks its lines.
            let mut rest = encoded.as_str();
            while rest.len() > BASE64_LINE {
                let (line, after) = rest.split_at(BASE64_LINE);
                out.push_str(line);
                out.push_str("\\n");
                rest = after;
            }
            out.push_str(rest);
            out.push('"');
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_the_server_writes_them() {
        for (value, expected) in [
            (100.0, "100.0"),
            (-0.0, "-0.0"),
            (1e100, "1e100"),
            (1e15, "1e15"),
            (1e14, "100000000000000.0"),
            (1.234_567_890_123_456_8e22, "1.2345678901234568e22"),
            (0.1, "0.1"),
            (5e-324, "5e-324"),
            (1e-15, "0.000000000000001"),
        ] {
            let mut out = String::new();
            write_double(value, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn large_containers_have_wide_offsets() {
        // {"k":[70000,"x"]}, both large: numbers of 32 bits lie in their entries.
        let mut array = vec![2, 0, 0, 0, 20, 0, 0, 0];
        array.extend([INT32, 0x70, 0x11, 1, 0, STRING, 18, 0, 0, 0, 1, b'x']);
        let mut object = vec![1, 0, 0, 0, 40, 0, 0, 0, 19, 0, 0, 0, 1, 0];
        object.extend([LARGE_ARRAY, 20, 0, 0, 0, b'k']);
        object.extend(array);
        let document = [&[LARGE_OBJECT], object.as_slice()].concat();
        let mut out = String::new();
        write_document(&document, Blanks::AfterSigns, &mut out).expect("a document");
        assert_eq!(out, r#"{"k": [70000, "x"]}"#);
        for length in 1..document.len() {
            let cut = &document[..length];
            assert_eq!(write_document(cut, Blanks::None, &mut String::new()), None);
        }
    }

    #[test]
    fn a_document_that_holds_itself_ends() {
        // Arrays of two elements that both are the next array, in a chain.
        let mut document = vec![SMALL_ARRAY];
        for level in 0..100_u16 {
            let next = 10_u16.to_le_bytes();
            document.extend([2, 0]);
            document.extend((1000 - 10 * level).to_le_bytes());
            document.extend([SMALL_ARRAY, next[0], next[1], SMALL_ARRAY, next[0], next[1]]);
        }
        let written = write_document(&document, Blanks::None, &mut String::new());
        assert_eq!(written, None);
    }

    #[test]
    fn blanks_go_outside_of_strings_only() {
        let mut out = String::new();
        let text = r#"{"a b": [1, 2], "c\" , ": "x: y"}"#;
        write_text(text, Blanks::None, &mut out);
        assert_eq!(out, r#"{"a b":[1,2],"c\" , ":"x: y"}"#);
    }
}
