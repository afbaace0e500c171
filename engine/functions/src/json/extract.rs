//! JSON_VALUE for many paths of one column at once.

use arrow_array::{Array, ArrayRef, StringViewArray};
use millrace_json::{Kind, Scratch, Span, Tape, push_number, unescape};

use super::path::{Document, Found, Item, Path, Step, find};
use super::scan::PathTree;
use crate::string::text_builder::TextBuilder;

/// Returns what `JSON_VALUE(input, path)` gives for each path: every document is scanned once for all of them. Equal to
/// calls one by one with `NULL ON EMPTY NULL ON ERROR` and no RETURNING but STRING.
///
/// Values without escapes point into the input's buffers.
#[must_use]
pub fn json_value_many(input: &StringViewArray, paths: &[Path]) -> Vec<ArrayRef> {
    let mut extractor = Extractor::new(input, paths);
    for row in 0..input.len() {
        if input.is_null(row) {
            extractor.push_nulls();
        } else {
            extractor.push(input.value(row));
        }
    }
    extractor
        .columns
        .into_iter()
        .map(TextBuilder::finish)
        .collect()
}

/// A path that the pass over a document does not find.
struct Other<'a> {
    path: &'a Path,
    column: usize,
}

struct Extractor<'a> {
    /// The paths of keys and places.
    tree: PathTree,
    /// Their columns.
    scanned: Vec<usize>,
    others: Vec<Other<'a>>,
    columns: Vec<TextBuilder>,
    scratch: Scratch,
    spans: Vec<Span>,
    tape: Tape,
    made: Vec<u8>,
}

impl<'a> Extractor<'a> {
    fn new(input: &StringViewArray, paths: &'a [Path]) -> Self {
        let mut steps: Vec<Vec<Step>> = Vec::new();
        let mut scanned = Vec::new();
        let mut others = Vec::new();
        for (column, path) in paths.iter().enumerate() {
            match path.steps() {
                Some(path) => {
                    steps.push(path);
                    scanned.push(column);
                }
                None => others.push(Other { path, column }),
            }
        }
        Self {
            tree: PathTree::new(steps.iter().map(Vec::as_slice)),
            scanned,
            others,
            columns: paths
                .iter()
                .map(|_| TextBuilder::over(Some(input), input.len()))
                .collect(),
            scratch: Scratch::default(),
            spans: Vec::new(),
            tape: Tape::new(),
            made: Vec::new(),
        }
    }

    fn push_nulls(&mut self) {
        for column in &mut self.columns {
            column.push_null();
        }
    }

    fn push(&mut self, text: &str) {
        if !self.scanned.is_empty() {
            if self
                .tree
                .scan(text.as_bytes(), &mut self.scratch, &mut self.spans)
                .is_err()
            {
                return self.push_nulls();
            }
            for (span, column) in self.spans.iter().zip(&self.scanned) {
                push_scalar(*span, text, &mut self.columns[*column], &mut self.made);
            }
        }
        if !self.others.is_empty() {
            self.push_others(text);
        }
    }

    fn push_others(&mut self, text: &str) {
        let root = self.tape.parse::<false>(text.as_bytes(), 0).ok();
        for Other { path, column } in &self.others {
            let column = &mut self.columns[*column];
            let Some(root) = root.filter(|root| self.tape.kind(*root) != Kind::Null) else {
                column.push_null();
                continue;
            };
            let document = Document {
                tape: &self.tape,
                bytes: text.as_bytes(),
                root,
            };
            match find(&document, path) {
                Ok(Found::Item(Item::Node(node))) => {
                    push_scalar(self.tape.span(node), text, column, &mut self.made);
                }
                Ok(Found::Item(Item::Long(value))) => column.push(&value.to_string()),
                Ok(Found::Item(Item::Double(value))) => {
                    column.push(&millrace_json::double_to_string(value));
                }
                Ok(Found::Item(Item::Text(text))) => column.push(&text),
                _ => column.push_null(),
            }
        }
    }
}

/// Appends a scalar as Java's `String.valueOf` shows it, NULL for anything else.
#[inline]
pub(super) fn push_scalar(span: Span, text: &str, column: &mut TextBuilder, made: &mut Vec<u8>) {
    let (start, end) = (span.start as usize, span.end as usize);
    match span.kind {
        Kind::String if !span.is_escaped() => column.push_slice(&text[start..end]),
        Kind::Int | Kind::Float if !span.needs_rewrite() => column.push_slice(&text[start..end]),
        Kind::True | Kind::False => column.push_slice(&text[start..end]),
        Kind::String | Kind::Int | Kind::Float => {
            made.clear();
            if span.kind == Kind::String {
                unescape(&text.as_bytes()[start..end], made);
            } else {
                push_number(&text[start..end], span.kind == Kind::Float, made);
            }
            let made = std::str::from_utf8(made).expect("escapes give whole characters");
            column.push(made);
        }
        Kind::Missing | Kind::Null | Kind::Array | Kind::Object => column.push_null(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;

    #[test]
    fn many_paths_give_what_single_ones_give() {
        let documents: StringViewArray = [
            Some(r#"{"a":"a text that is longer than a view","b":{"c":[1,2.50,true]},"d":"x\ny"}"#),
            None,
            Some(r#"{"d":"\u4e2d","b":{"c":[]},"a":null}"#),
            Some("not json"),
            Some(r#"{"a":{"x":1},"b":{"c":[null,1e3]}} trailing"#),
            Some("{}"),
        ]
        .into_iter()
        .collect();
        let paths: Vec<Path> = [
            "$.a",
            "$.b.c[1]",
            "$.d",
            "$.b.c[-1]",
            "$..c",
            "$.b.c.length()",
            "bad path",
            "lax $.a",
        ]
        .into_iter()
        .map(Path::parse)
        .collect();
        let many = json_value_many(&documents, &paths);
        for (path, column) in paths.iter().zip(&many) {
            let single = json_value_many(&documents, std::slice::from_ref(path));
            assert_eq!(column.as_string_view(), single[0].as_string_view());
        }
        let texts = |column: usize| many[column].as_string_view().iter().collect::<Vec<_>>();
        assert_eq!(
            texts(0),
            [
                Some("a text that is longer than a view"),
                None,
                None,
                None,
                None,
                None
            ]
        );
        assert_eq!(
            texts(1),
            [Some("2.5"), None, None, None, Some("1000.0"), None]
        );
        assert_eq!(texts(2), [Some("x\ny"), None, Some("中"), None, None, None]);
        assert_eq!(
            texts(3),
            [Some("true"), None, None, None, Some("1000.0"), None]
        );
        assert_eq!(
            texts(5),
            [Some("3"), None, Some("0"), None, Some("2"), None]
        );
    }
}
