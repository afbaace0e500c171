//! SPLIT_INDEX, and the cut of a row for many indexes at once.
//!
//! # Flink
//! `SqlFunctionUtils.splitIndex`: fields are counted from 0 and keep empty ones; the empty text has no field, so
//! every index of it is NULL, as is a negative index and one past the end. A separator of several characters is
//! taken as a whole; the empty one splits at single white-space characters. A separator that is a number is the
//! character of that code, 1 to 255; others give NULL. The result is always nullable.

use arrow_array::{Array, ArrayRef, StringViewArray};
use memchr::{memchr_iter, memmem};
use millrace_connector::FlinkType;

use super::kernel::{BatchKernel, Ints, Texts};
use super::signature::{Param, check, literal_text};
use super::text_builder::TextBuilder;
use crate::{Arg, Bound, CallError, Category, Column, FunctionDef, Volatility};

/// `SPLIT_INDEX`.
pub(crate) static SPLIT_INDEX: FunctionDef = FunctionDef {
    name: "SPLIT_INDEX",
    aliases: &[],
    category: Category::String,
    signatures: &[
        "SPLIT_INDEX(string STRING, separator STRING, index INT) → STRING",
        "SPLIT_INDEX(string STRING, separatorCode INT, index INT) → STRING",
    ],
    doc: "Returns the field with the number `index`, counted from 0, of the text split at the separator.\n\
          An index below 0 or past the last field gives NULL; the empty text has no fields.\nNULL gives NULL.",
    examples: &[
        ("SPLIT_INDEX('a|b', '|', 1)", "b"),
        ("SPLIT_INDEX('a||b', '|', 1)", ""),
        ("SPLIT_INDEX('a|b', 124, 0)", "a"),
    ],
    volatility: Volatility::Deterministic,
    bind: |args, _| bind(args),
};

fn bind(args: &[Arg]) -> Result<Bound, CallError> {
    let by_code = args.get(1).is_some_and(|arg| arg.ty.kind.is_integer());
    let separator = if by_code { Param::Int } else { Param::Text };
    let arg_types = check(
        "SPLIT_INDEX",
        args,
        &[Param::Text, separator, Param::Int],
        0,
    )?;
    let constant = literal_text(&args[1]).filter(|separator| !separator.is_empty());
    let kernel = match constant {
        Some(separator) => BatchKernel::infallible("SPLIT_INDEX", move |args: &[Column], rows| {
            by_constant(args, rows, &separator)
        }),
        None if by_code => BatchKernel::infallible("SPLIT_INDEX", by_code_column),
        None => BatchKernel::infallible("SPLIT_INDEX", by_column),
    };
    Ok(Bound {
        arg_types,
        return_type: FlinkType::string(),
        kernel,
    })
}

fn by_constant(args: &[Column], rows: usize, separator: &str) -> ArrayRef {
    if let (Column::Array(array), Column::Constant(_)) = (&args[0], &args[2])
        && let Some(texts) = array.as_any().downcast_ref::<StringViewArray>()
        && let Some(index) = Ints::new(&args[2]).get(0)
    {
        let mut columns = split_index_many(texts, separator, &[index]);
        return columns.pop().expect("one index gives one column");
    }
    let finder = Separator::new(separator);
    let indexes = Ints::new(&args[2]);
    pick(args, rows, |row, text| {
        finder.field(text, indexes.get(row)?)
    })
}

fn by_column(args: &[Column], rows: usize) -> ArrayRef {
    let separators = Texts::new(&args[1]);
    let indexes = Ints::new(&args[2]);
    pick(args, rows, |row, text| {
        let separator = separators.get(row)?;
        let index = indexes.get(row)?;
        if separator.is_empty() {
            return white_space_field(text, index);
        }
        Separator::new(separator).field(text, index)
    })
}

fn by_code_column(args: &[Column], rows: usize) -> ArrayRef {
    let codes = Ints::new(&args[1]);
    let indexes = Ints::new(&args[2]);
    pick(args, rows, |row, text| {
        let code = u8::try_from(codes.get(row)?)
            .ok()
            .filter(|code| *code > 0)?;
        let mut buffer = [0; 2];
        let separator = char::from(code).encode_utf8(&mut buffer);
        Separator::new(separator).field(text, indexes.get(row)?)
    })
}

fn pick(
    args: &[Column],
    rows: usize,
    range: impl Fn(usize, &str) -> Option<(usize, usize)>,
) -> ArrayRef {
    let texts = Texts::new(&args[0]);
    let mut out = TextBuilder::over(texts.array(), rows);
    for row in 0..rows {
        let cut = texts
            .get(row)
            .and_then(|text| range(row, text).map(|range| (text, range)));
        match cut {
            Some((text, (start, end))) => out.push_slice(&text[start..end]),
            None => out.push_null(),
        }
    }
    out.finish()
}

/// A separator that is not empty, ready to search for.
#[derive(Debug)]
enum Separator<'a> {
    Byte(u8),
    Text(Box<memmem::Finder<'a>>, usize),
}

impl<'a> Separator<'a> {
    fn new(separator: &'a str) -> Self {
        match separator.as_bytes() {
            [byte] => Self::Byte(*byte),
            bytes => Self::Text(Box::new(memmem::Finder::new(bytes)), bytes.len()),
        }
    }

    /// Returns the byte range of the field with that number.
    fn field(&self, text: &str, index: i32) -> Option<(usize, usize)> {
        let index = usize::try_from(index).ok().filter(|_| !text.is_empty())?;
        let bytes = text.as_bytes();
        match self {
            Self::Byte(byte) => nth_field(memchr_iter(*byte, bytes), 1, index, bytes.len()),
            Self::Text(finder, length) => {
                nth_field(finder.find_iter(bytes), *length, index, bytes.len())
            }
        }
    }

    /// Appends where each separator begins, up to the first `count` of them.
    fn find_all(&self, bytes: &[u8], count: usize, found: &mut Vec<u32>) {
        match self {
            Self::Byte(byte) => find_byte(*byte, bytes, count, found),
            Self::Text(finder, _) => {
                found.extend(finder.find_iter(bytes).take(count).map(narrow));
            }
        }
    }

    fn length(&self) -> usize {
        match self {
            Self::Byte(_) => 1,
            Self::Text(_, length) => *length,
        }
    }
}

fn nth_field(
    mut separators: impl Iterator<Item = usize>,
    length: usize,
    index: usize,
    end: usize,
) -> Option<(usize, usize)> {
    let start = match index.checked_sub(1) {
        None => 0,
        Some(skipped) => separators.nth(skipped)? + length,
    };
    Some((start, separators.next().unwrap_or(end)))
}

/// Splits at single characters that Java calls white space.
fn white_space_field(text: &str, index: i32) -> Option<(usize, usize)> {
    let index = usize::try_from(index).ok().filter(|_| !text.is_empty())?;
    let mut start = 0;
    let mut ends = text
        .char_indices()
        .filter(|(_, character)| is_java_white_space(*character));
    for _ in 0..index {
        let (at, character) = ends.next()?;
        start = at + character.len_utf8();
    }
    Some((start, ends.next().map_or(text.len(), |(at, _)| at)))
}

/// `Character.isWhitespace`: Unicode's separators but the no-break ones, and the ASCII controls of that kind.
pub(crate) fn is_java_white_space(character: char) -> bool {
    match character {
        '\u{9}'..='\u{d}' | '\u{1c}'..='\u{1f}' => true,
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        _ => character.is_whitespace(),
    }
}

/// How many rows are scanned before their fields are written: their bounds stay in the first cache.
const CHUNK_ROWS: usize = 64;
/// The bound of a field that a row lacks.
const MISSING: u32 = u32::MAX;

/// Cuts every text of `input` once and returns a column for each of `indexes`, as `SPLIT_INDEX(input, separator,
/// index)` would give it.
///
/// The columns share the input's buffers. A row costs one scan of its bytes, up to the last wanted field, and one
/// view for each wanted field.
///
/// # Panics
/// If the separator is empty.
#[must_use]
pub fn split_index_many(
    input: &StringViewArray,
    separator: &str,
    indexes: &[i32],
) -> Vec<ArrayRef> {
    assert!(
        !separator.is_empty(),
        "an empty separator splits at white space"
    );
    let separator = Separator::new(separator);
    let rows = input.len();
    let mut columns: Vec<TextBuilder> = indexes
        .iter()
        .map(|_| TextBuilder::over(Some(input), rows))
        .collect();
    let mut chunk = Chunk::new(&separator, indexes);
    for first in (0..rows).step_by(CHUNK_ROWS) {
        chunk.scan(input, first..(first + CHUNK_ROWS).min(rows));
        for (column, index) in columns.iter_mut().zip(indexes) {
            chunk.push_field(*index, column);
        }
    }
    columns.into_iter().map(TextBuilder::finish).collect()
}

/// Where the fields of a chunk's rows begin and end.
struct Chunk<'a> {
    separator: &'a Separator<'a>,
    /// How many fields of a row are of interest.
    fields: usize,
    /// The rows' texts, empty for NULL.
    texts: Vec<&'a str>,
    /// For each row, `stride` bounds: field n is between bound n and bound n + 1 less the separator.
    bounds: Vec<u32>,
    stride: usize,
    found: Vec<u32>,
}

impl<'a> Chunk<'a> {
    fn new(separator: &'a Separator<'a>, indexes: &[i32]) -> Self {
        let last = indexes.iter().copied().max().unwrap_or(-1);
        let wanted = usize::try_from(last).map_or(0, |last| last + 1);
        Self {
            separator,
            fields: wanted,
            texts: Vec::new(),
            bounds: Vec::new(),
            stride: 1,
            found: Vec::new(),
        }
    }

    fn scan(&mut self, input: &'a StringViewArray, rows: std::ops::Range<usize>) {
        // No text has more fields than bytes and one; an index far out must not cost memory.
        let longest = rows
            .clone()
            .map(|row| input.views()[row] as u32 as usize + 1)
            .max();
        let stride = self.fields.min(longest.unwrap_or(0)) + 1;
        self.stride = stride;
        let step = narrow(self.separator.length());
        self.bounds.clear();
        self.texts.clear();
        for row in rows {
            let next = self.bounds.len() + stride;
            let text = if input.is_null(row) {
                ""
            } else {
                input.value(row)
            };
            self.texts.push(text);
            if !text.is_empty() {
                self.found.clear();
                let bytes = text.as_bytes();
                self.separator.find_all(bytes, stride - 1, &mut self.found);
                self.found.truncate(stride - 1);
                self.bounds.push(0);
                self.bounds.extend(self.found.iter().map(|at| at + step));
                if self.bounds.len() < next {
                    // The last field ends as if a separator stood behind it.
                    self.bounds.push(narrow(bytes.len()) + step);
                }
            }
            self.bounds.resize(next, MISSING);
        }
    }

    /// Appends the field with that number of each row.
    fn push_field(&self, index: i32, column: &mut TextBuilder) {
        let index = usize::try_from(index)
            .ok()
            .filter(|index| index + 1 < self.stride);
        let Some(index) = index else {
            self.texts.iter().for_each(|_| column.push_null());
            return;
        };
        let step = self.separator.length();
        for (text, bounds) in self.texts.iter().zip(self.bounds.chunks_exact(self.stride)) {
            let (start, end) = (bounds[index], bounds[index + 1]);
            if end == MISSING {
                column.push_null();
            } else {
                column.push_slice(&text[start as usize..end as usize - step]);
            }
        }
    }
}

fn narrow(length: usize) -> u32 {
    u32::try_from(length).expect("a text has less than 4 GiB")
}

/// Appends where `byte` stands in `bytes`, up to the first `count` places or a few more.
///
/// Fields are short, so a search that starts anew behind each one loses; this one looks at eight bytes at a time
/// and walks the set bits.
fn find_byte(byte: u8, bytes: &[u8], count: usize, found: &mut Vec<u32>) {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let pattern = u64::from_ne_bytes([byte; 8]);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut offset = 0_u32;
    for word in words {
        let differing = u64::from_le_bytes(*word) ^ pattern;
        // The high bit of each byte that is zero, without a carry between bytes.
        let mut hits = !(((differing & LOW) + LOW) | differing | LOW);
        while hits != 0 {
            found.push(offset + (hits.trailing_zeros() >> 3));
            hits &= hits - 1;
        }
        if found.len() >= count {
            return;
        }
        offset += 8;
    }
    for (at, candidate) in (offset..).zip(rest) {
        if *candidate == byte {
            found.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;

    use super::*;

    fn fields(text: &str, separator: &str, indexes: &[i32]) -> Vec<Option<String>> {
        let input = StringViewArray::from(vec![Some("a|b"), None, Some(text)]);
        split_index_many(&input, separator, indexes)
            .iter()
            .map(|column| {
                let column = column.as_string_view();
                assert!(column.is_null(1));
                column.is_valid(2).then(|| column.value(2).to_owned())
            })
            .collect()
    }

    #[test]
    fn cuts_each_row_once_for_all_indexes() {
        let text = "MoneyFlow|1001|2024-05-01 12:30:45||x";
        let expected = [
            Some("2024-05-01 12:30:45"),
            Some("MoneyFlow"),
            Some(""),
            Some("x"),
            None,
            None,
        ];
        let expected: Vec<_> = expected.iter().map(|e| e.map(str::to_owned)).collect();
        assert_eq!(fields(text, "|", &[2, 0, 3, 4, 5, -1]), expected);
        let doubled = text.replace('|', "||");
        assert_eq!(fields(&doubled, "||", &[2, 0, 3, 4, 5, -1]), expected);
    }

    #[test]
    fn empty_text_has_no_fields() {
        assert_eq!(fields("", "|", &[0, 1]), [None, None]);
        assert_eq!(
            fields("|", "|", &[0, 1]),
            [Some(String::new()), Some(String::new())]
        );
    }

    #[test]
    fn finds_every_byte_at_every_offset() {
        for length in 0..40 {
            for at in 0..length {
                let mut bytes = vec![b'{'; length];
                bytes[at] = b'|';
                let mut found = Vec::new();
                find_byte(b'|', &bytes, usize::MAX, &mut found);
                assert_eq!(found, [u32::try_from(at).unwrap()]);
            }
        }
    }
}
