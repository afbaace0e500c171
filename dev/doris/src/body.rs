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
    /// IPC streams, one behind the other.
    Arrow,
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

/// Collects bytes and gives whole lines, or at the end the whole body.
#[derive(Debug)]
pub(crate) struct Splitter {
    shape: Shape,
    delimiter: Vec<u8>,
    pending: Vec<u8>,
}

impl Splitter {
    pub(crate) fn new(shape: Shape) -> Self {
        let delimiter = match &shape {
            Shape::Csv { line_delimiter, .. } | Shape::JsonLines { line_delimiter } => {
                line_delimiter.clone()
            }
            Shape::JsonArray | Shape::Arrow => Vec::new(),
        };
        Self {
            shape,
            delimiter,
            pending: Vec::new(),
        }
    }

    /// Takes bytes in and gives each line that they complete to `take`; only what is cut off at the end is copied.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) {
        if self.delimiter.is_empty() {
            self.pending.extend_from_slice(bytes);
            return;
        }
        if !self.pending.is_empty() {
            // A delimiter may lie on both sides of the cut.
            let old = self.pending.len();
            let reach = (self.delimiter.len() - 1).min(old);
            let seam = bytes.len().min(self.delimiter.len() - 1);
            self.pending.extend_from_slice(&bytes[..seam]);
            let found = find(&self.pending[old - reach..], &self.delimiter)
                .map(|at| old - reach + at)
                .filter(|at| *at < old);
            self.pending.truncate(old);
            let (line_end, next) = match found {
                Some(at) => (at, at + self.delimiter.len() - old),
                None => match find(bytes, &self.delimiter) {
                    Some(at) => (old + at, at + self.delimiter.len()),
                    None => {
                        self.pending.extend_from_slice(bytes);
                        return;
                    }
                },
            };
            if line_end > old {
                self.pending.extend_from_slice(&bytes[..line_end - old]);
            }
            take(&self.pending[..line_end]);
            self.pending.clear();
            bytes = &bytes[next..];
        }
        while let Some(at) = find(bytes, &self.delimiter) {
            take(&bytes[..at]);
            bytes = &bytes[at + self.delimiter.len()..];
        }
        self.pending.extend_from_slice(bytes);
    }

    /// Returns what is left when the body has ended: the last line, or all of a body that has none.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }

    pub(crate) fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Returns the rows of a body that is one array.
    pub(crate) fn array(body: &[u8]) -> Vec<RawRow> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Vec::new();
        }
        match serde_json::from_slice::<Value>(body) {
            Ok(Value::Array(rows)) => rows.into_iter().map(object).collect(),
            Ok(_) => vec![RawRow::Bad("the body is no array".into())],
            Err(error) => vec![RawRow::Bad(format!("parse json document failed: {error}"))],
        }
    }

    /// Reads a line with care; `None` for a blank one.
    pub(crate) fn line(&self, line: &[u8]) -> Option<RawRow> {
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
    match needle {
        [byte] => memchr::memchr(*byte, haystack),
        _ => memchr::memmem::find(haystack, needle),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(shape: Shape, body: &[u8], piece: usize) -> Vec<RawRow> {
        let mut rows = Vec::new();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        let mut splitter = Splitter::new(shape);
        for bytes in body.chunks(piece) {
            splitter.feed(bytes, |line| lines.push(line.to_vec()));
        }
        lines.push(splitter.finish());
        if *splitter.shape() == Shape::JsonArray {
            return Splitter::array(&lines.concat());
        }
        rows.extend(lines.iter().filter_map(|line| splitter.line(line)));
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
