//! A body cut into rows while it arrives.

use serde_json::Value;

/// How rows stand in a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Fields between separators, `\N` for NULL.
    Csv {
        column_separator: Vec<u8>,
        line_delimiter: Vec<u8>,
    },
    /// One object in each line.
    JsonLines { line_delimiter: Vec<u8> },
    /// One array of objects.
    JsonArray,
}

/// A row of a body, before its values are looked at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RawRow {
    /// Fields by place.
    Fields(Vec<Value>),
    /// Fields by name.
    Object(serde_json::Map<String, Value>),
    /// Nothing that can be read, and why.
    Bad(String),
}

/// Collects bytes and gives whole rows.
#[derive(Debug)]
pub(crate) struct Splitter {
    shape: Shape,
    pending: Vec<u8>,
    /// Up to where `pending` has no whole delimiter.
    searched: usize,
}

impl Splitter {
    pub(crate) fn new(shape: Shape) -> Self {
        Self {
            shape,
            pending: Vec::new(),
            searched: 0,
        }
    }

    /// Takes bytes in and gives each row that they complete to `row`.
    pub(crate) fn feed(&mut self, bytes: &[u8], mut row: impl FnMut(RawRow)) {
        self.pending.extend_from_slice(bytes);
        let delimiter = match &self.shape {
            Shape::Csv { line_delimiter, .. } | Shape::JsonLines { line_delimiter } => {
                line_delimiter.clone()
            }
            Shape::JsonArray => return,
        };
        let mut start = 0;
        while let Some(at) = find(&self.pending[self.searched..], &delimiter) {
            let end = self.searched + at;
            if let Some(raw) = self.line(&self.pending[start..end]) {
                row(raw);
            }
            start = end + delimiter.len();
            self.searched = start;
        }
        self.pending.drain(..start);
        self.searched = self.pending.len().saturating_sub(delimiter.len() - 1);
    }

    /// Gives what is left when the body has ended.
    pub(crate) fn finish(self, mut row: impl FnMut(RawRow)) {
        if self.shape != Shape::JsonArray {
            if let Some(raw) = self.line(&self.pending) {
                row(raw);
            }
            return;
        }
        if self.pending.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        match serde_json::from_slice::<Value>(&self.pending) {
            Ok(Value::Array(rows)) => rows.into_iter().map(object).for_each(row),
            Ok(_) => row(RawRow::Bad("the body is no array".into())),
            Err(error) => row(RawRow::Bad(format!("parse json document failed: {error}"))),
        }
    }

    fn line(&self, line: &[u8]) -> Option<RawRow> {
        if line.is_empty() {
            return None;
        }
        let Ok(text) = std::str::from_utf8(line) else {
            return Some(RawRow::Bad("the line is not UTF-8".into()));
        };
        if let Shape::Csv {
            column_separator, ..
        } = &self.shape
        {
            let separator =
                std::str::from_utf8(column_separator).expect("separators were checked to be UTF-8");
            let field = |text: &str| match text {
                "\\N" => Value::Null,
                text => Value::String(text.to_owned()),
            };
            return Some(RawRow::Fields(text.split(separator).map(field).collect()));
        }
        if text.trim().is_empty() {
            return None;
        }
        Some(match serde_json::from_str(text) {
            Ok(value) => object(value),
            Err(error) => RawRow::Bad(format!("parse json document failed: {error}")),
        })
    }
}

fn object(value: Value) -> RawRow {
    match value {
        Value::Object(fields) => RawRow::Object(fields),
        _ => RawRow::Bad("the row is no object".into()),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(shape: Shape, body: &[u8], piece: usize) -> Vec<RawRow> {
        let mut rows = Vec::new();
        let mut splitter = Splitter::new(shape);
        for bytes in body.chunks(piece) {
            splitter.feed(bytes, |row| rows.push(row));
        }
        splitter.finish(|row| rows.push(row));
        rows
    }

    #[test]
    fn rows_are_the_same_however_the_body_is_cut() {
        let shape = Shape::Csv {
            column_separator: b"\x01".to_vec(),
            line_delimiter: b"\x02\n".to_vec(),
        };
        let body = b"1\x01a\x02\n2\x01\\N\x02\n3\x01\xe4\xbd\xa0\n!";
        let whole = rows(shape.clone(), body, body.len());
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[1], RawRow::Fields(vec!["2".into(), Value::Null]));
        for piece in 1..6 {
            assert_eq!(rows(shape.clone(), body, piece), whole);
        }
    }

    #[test]
    fn json_comes_by_line_or_as_one_array() {
        let lines = Shape::JsonLines {
            line_delimiter: b"\n".to_vec(),
        };
        let by_line = rows(lines, b"{\"a\":1}\n\n{\"a\":2}", 3);
        let array = rows(Shape::JsonArray, b" [{\"a\":1},{\"a\":2}]", 3);
        assert_eq!(by_line, array);
        assert_eq!(by_line.len(), 2);
    }
}
