//! Looks for many paths of keys and places in one pass over a document, without a tree.

use millrace_json::{JsonError, Kind, Scanner, Scratch, Span, unescaped};

use super::path::Step;

/// What one pass looks for: the paths of a column, merged where they begin alike.
#[derive(Debug)]
pub(crate) struct PathTree {
    root: Branch,
    /// Number of paths.
    count: usize,
}

/// A place in the document that paths lead to or through.
#[derive(Debug, Default)]
struct Branch {
    /// Paths that end here.
    ends: Vec<usize>,
    /// All paths that end here or below.
    inside: Vec<usize>,
    keys: Vec<(Vec<u8>, Branch)>,
    indexes: Vec<(usize, Branch)>,
    /// The keys of the object that was here last, each with its quotes and colon and which of `keys` it is: most
    /// documents of a column have the same keys in the same order.
    expected: Vec<(Vec<u8>, Option<usize>)>,
}

/// Keys of an object that are remembered.
const EXPECTED_KEYS_MAX: usize = 1024;

impl PathTree {
    /// Merges paths; their numbers are their places in `paths`.
    pub(crate) fn new<'a>(paths: impl IntoIterator<Item = &'a [Step]>) -> Self {
        let mut root = Branch::default();
        let mut count = 0;
        for (number, steps) in paths.into_iter().enumerate() {
            count = number + 1;
            let mut branch = &mut root;
            branch.inside.push(number);
            for step in steps {
                branch = branch.child(step);
                branch.inside.push(number);
            }
            branch.ends.push(number);
        }
        Self { root, count }
    }

    /// Notes in `spans` where each path leads in the document that begins at the start of `bytes`;
    /// [`Kind::Missing`] where it leads nowhere. What follows the document is not looked at.
    ///
    /// # Errors
    /// The document is malformed, even in a part that no path touches.
    pub(crate) fn scan(
        &mut self,
        bytes: &[u8],
        scratch: &mut Scratch,
        spans: &mut Vec<Span>,
    ) -> Result<Kind, JsonError> {
        spans.clear();
        spans.resize(self.count, Span::default());
        let mut scanner = Scanner::<false>::new(bytes, 0, scratch);
        let span = self.root.scan(&mut scanner, bytes, spans)?;
        if matches!(span.kind, Kind::Int | Kind::Float) {
            scanner.check_root_number()?;
        }
        Ok(span.kind)
    }
}

impl Branch {
    fn child(&mut self, step: &Step) -> &mut Self {
        match step {
            Step::Key(name) => {
                let name = name.as_bytes();
                let place = self
                    .keys
                    .iter()
                    .position(|(key, _)| key == name)
                    .unwrap_or_else(|| {
                        self.keys.push((name.to_vec(), Self::default()));
                        self.keys.len() - 1
                    });
                &mut self.keys[place].1
            }
            Step::Index(index) => {
                let place = self
                    .indexes
                    .iter()
                    .position(|(other, _)| other == index)
                    .unwrap_or_else(|| {
                        self.indexes.push((*index, Self::default()));
                        self.indexes.len() - 1
                    });
                &mut self.indexes[place].1
            }
        }
    }

    /// Scans the value that this branch stands for. The depth of the calls is that of the paths.
    fn scan(
        &mut self,
        scanner: &mut Scanner<'_, false>,
        bytes: &[u8],
        spans: &mut [Span],
    ) -> Result<Span, JsonError> {
        let span = match scanner.token() {
            Some(b'{') if !self.keys.is_empty() => {
                let start = scanner.position();
                self.scan_object(scanner, bytes, spans)?;
                container(Kind::Object, start, scanner.position())
            }
            Some(b'[') if !self.indexes.is_empty() => {
                let start = scanner.position();
                self.scan_array(scanner, bytes, spans)?;
                container(Kind::Array, start, scanner.position())
            }
            _ => scanner.value::<false>()?,
        };
        for end in &self.ends {
            spans[*end] = span;
        }
        Ok(span)
    }

    fn scan_object(
        &mut self,
        scanner: &mut Scanner<'_, false>,
        bytes: &[u8],
        spans: &mut [Span],
    ) -> Result<(), JsonError> {
        scanner.bump();
        if scanner.token() == Some(b'}') {
            scanner.bump();
            return Ok(());
        }
        let mut ordinal = 0;
        loop {
            let place = match self.expected.get(ordinal) {
                Some((text, place)) if scanner.skip_text(text) => *place,
                _ => self.look_up(scanner, bytes, ordinal)?,
            };
            match place {
                Some(place) => {
                    let child = &mut self.keys[place].1;
                    // Of a key that comes again, nothing of the earlier value may stay.
                    for path in &child.inside {
                        spans[*path] = Span::default();
                    }
                    child.scan(scanner, bytes, spans)?;
                }
                None => {
                    scanner.value::<false>()?;
                }
            }
            ordinal += 1;
            if !scanner.next_entry()? {
                return Ok(());
            }
        }
    }

    /// Scans a key that is not the expected one, and remembers it.
    fn look_up(
        &mut self,
        scanner: &mut Scanner<'_, false>,
        bytes: &[u8],
        ordinal: usize,
    ) -> Result<Option<usize>, JsonError> {
        let key = scanner.key()?;
        let name = unescaped(key.of(bytes), key.is_escaped());
        let place = self.keys.iter().position(|(other, _)| *other == *name);
        if !key.is_escaped() && ordinal < EXPECTED_KEYS_MAX {
            if self.expected.len() <= ordinal {
                self.expected.resize(ordinal + 1, (Vec::new(), None));
            }
            let (text, expected) = &mut self.expected[ordinal];
            text.clear();
            text.push(b'"');
            text.extend_from_slice(&name);
            text.extend_from_slice(b"\":");
            *expected = place;
        }
        Ok(place)
    }

    fn scan_array(
        &mut self,
        scanner: &mut Scanner<'_, false>,
        bytes: &[u8],
        spans: &mut [Span],
    ) -> Result<(), JsonError> {
        scanner.bump();
        if scanner.token() == Some(b']') {
            scanner.bump();
            return Ok(());
        }
        let mut index = 0;
        loop {
            match self.indexes.iter_mut().find(|(wanted, _)| *wanted == index) {
                Some((_, child)) => {
                    child.scan(scanner, bytes, spans)?;
                }
                None => {
                    scanner.value::<false>()?;
                }
            }
            index += 1;
            if !scanner.next_element()? {
                return Ok(());
            }
        }
    }
}

fn container(kind: Kind, start: usize, end: usize) -> Span {
    Span {
        start: start as u32,
        end: end as u32,
        kind,
        facts: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::path::Path;

    fn check(document: &str, paths: &[&str], expect: &[Option<&str>]) {
        let steps: Vec<Vec<Step>> = paths
            .iter()
            .map(|path| {
                Path::parse(path)
                    .steps()
                    .expect("a path of keys and places")
            })
            .collect();
        let mut tree = PathTree::new(steps.iter().map(Vec::as_slice));
        let mut spans = Vec::new();
        // Twice, so that the second pass has the keys of the first.
        for _ in 0..2 {
            let found = tree.scan(document.as_bytes(), &mut Scratch::default(), &mut spans);
            assert!(found.is_ok(), "{document}");
            let texts: Vec<Option<&str>> = spans
                .iter()
                .map(|span| {
                    let text = std::str::from_utf8(span.of(document.as_bytes())).expect("UTF-8");
                    (span.kind != Kind::Missing).then_some(text)
                })
                .collect();
            assert_eq!(texts, expect, "{document}");
        }
    }

    #[test]
    fn finds_all_paths_in_one_pass() {
        check(
            r#"{"a":{"b":[1,{"c":"x"}],"d":2},"e":"y"} rest"#,
            &[
                "$.a.b[1].c",
                "$.e",
                "$.a",
                "$.a.d",
                "$.a.b[2]",
                "$.zz",
                "$",
                "$.e",
            ],
            &[
                Some("x"),
                Some("y"),
                Some(r#"{"b":[1,{"c":"x"}],"d":2}"#),
                Some("2"),
                None,
                None,
                Some(r#"{"a":{"b":[1,{"c":"x"}],"d":2},"e":"y"}"#),
                Some("y"),
            ],
        );
    }

    #[test]
    fn the_last_of_repeated_keys_counts_with_all_that_is_in_it() {
        check(
            r#"{"a":{"b":1},"a":{"c":2}}"#,
            &["$.a.b", "$.a.c"],
            &[None, Some("2")],
        );
        check(r#"{"a":1,"\u0061":2}"#, &["$.a"], &[Some("2")]);
    }

    #[test]
    fn a_fault_anywhere_is_a_fault() {
        let steps = Path::parse("$.a").steps().expect("a key");
        let mut tree = PathTree::new([steps.as_slice()]);
        for bad in [r#"{"a":1,"b":01}"#, r#"{"a":1"#, "", "1x", "{\"a\":\"\t\"}"] {
            let found = tree.scan(bad.as_bytes(), &mut Scratch::default(), &mut Vec::new());
            assert!(found.is_err(), "{bad}");
        }
    }
}
