//! A document as a flat array of nodes, for what needs more than one pass.

use std::borrow::Cow;

use crate::error::JsonError;
use crate::escape::unescaped;
use crate::number::Number;
use crate::scanner::{Kind, Scanner, Scratch, Span};

/// A value of a [`Tape`]: its index there.
pub type Node = usize;

#[derive(Clone, Copy, Debug)]
struct Entry {
    span: Span,
    /// Index after the last node inside this one.
    next: u32,
}

/// A document as a flat array of nodes: a container is followed by what it holds, an object's values by their keys.
#[derive(Debug, Default)]
pub struct Tape {
    entries: Vec<Entry>,
    scratch: Scratch,
}

impl Tape {
    /// Returns an empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the tape by the document that begins at `start` in `bytes`, and returns its root. What follows
    /// the document is not looked at.
    ///
    /// # Errors
    /// It is malformed.
    pub fn parse<const LENIENT: bool>(
        &mut self,
        bytes: &[u8],
        start: usize,
    ) -> Result<Node, JsonError> {
        self.entries.clear();
        let mut scanner = Scanner::<LENIENT>::new(bytes, start, &mut self.scratch);
        let mut open: Vec<Node> = Vec::new();
        let mut byte = scanner.token();
        loop {
            // A value is due.
            let mut is_done = true;
            if let Some(bracket @ (b'{' | b'[')) = byte {
                let is_object = bracket == b'{';
                let at = scanner.position() as u32;
                scanner.bump();
                open.push(self.entries.len());
                self.entries.push(Entry {
                    span: Span {
                        start: at,
                        end: at,
                        kind: if is_object { Kind::Object } else { Kind::Array },
                        facts: 0,
                    },
                    next: 0,
                });
                let closing = if is_object { b'}' } else { b']' };
                if scanner.token() == Some(closing) {
                    scanner.bump();
                    Self::close(&mut self.entries, &mut open, scanner.position());
                } else {
                    is_done = false;
                }
            } else {
                let span = scanner.value::<true>()?;
                if open.is_empty() && matches!(span.kind, Kind::Int | Kind::Float) {
                    scanner.check_root_number()?;
                }
                push_leaf(&mut self.entries, span);
            }
            while is_done {
                let Some(&container) = open.last() else {
                    return Ok(0);
                };
                let is_object = self.entries[container].span.kind == Kind::Object;
                let goes_on = if is_object {
                    scanner.next_entry()?
                } else {
                    scanner.next_element()?
                };
                if goes_on {
                    is_done = false;
                } else {
                    Self::close(&mut self.entries, &mut open, scanner.position());
                }
            }
            let is_object = open
                .last()
                .is_some_and(|container| self.entries[*container].span.kind == Kind::Object);
            if is_object {
                let key = scanner.key()?;
                push_leaf(&mut self.entries, key);
            }
            byte = scanner.token();
        }
    }

    fn close(entries: &mut [Entry], open: &mut Vec<Node>, end: usize) {
        let after = entries.len() as u32;
        if let Some(container) = open.pop() {
            entries[container].next = after;
            entries[container].span.end = end as u32;
        }
    }

    /// Returns where a node lies.
    #[must_use]
    pub fn span(&self, node: Node) -> Span {
        self.entries[node].span
    }

    /// Returns what a node is.
    #[must_use]
    pub fn kind(&self, node: Node) -> Kind {
        self.entries[node].span.kind
    }

    /// Returns the elements of an array.
    pub fn elements(&self, array: Node) -> impl Iterator<Item = Node> + '_ {
        let end = self.entries[array].next as usize;
        let mut at = array + 1;
        std::iter::from_fn(move || {
            (at < end).then(|| {
                let node = at;
                at = self.entries[node].next as usize;
                node
            })
        })
    }

    /// Returns the entries of an object, keys and values, as they stand: repeated keys are repeated.
    pub fn raw_entries(&self, object: Node) -> impl Iterator<Item = (Node, Node)> + '_ {
        let mut nodes = self.elements(object);
        std::iter::from_fn(move || Some((nodes.next()?, nodes.next()?)))
    }

    /// Returns the entries of an object as Jackson keeps them: a repeated key stands where it was first and has the
    /// last value.
    #[must_use]
    pub fn entries<'a>(&self, bytes: &'a [u8], object: Node) -> Vec<(Cow<'a, [u8]>, Node)> {
        let mut entries: Vec<(Cow<'a, [u8]>, Node)> = Vec::new();
        let mut places = std::collections::HashMap::new();
        for (key, value) in self.raw_entries(object) {
            let key = self.string(bytes, key);
            // A map of places would cost more than it saves for the few keys that objects have.
            let place = if entries.len() < 16 {
                entries.iter().position(|(earlier, _)| *earlier == key)
            } else {
                if places.is_empty() {
                    places.extend(
                        entries
                            .iter()
                            .enumerate()
                            .map(|(i, (key, _))| (key.clone(), i)),
                    );
                }
                places.get(&key).copied()
            };
            match place {
                Some(place) => entries[place].1 = value,
                None => {
                    if !places.is_empty() {
                        places.insert(key.clone(), entries.len());
                    }
                    entries.push((key, value));
                }
            }
        }
        entries
    }

    /// Returns the value of the last entry with that key.
    #[must_use]
    pub fn get(&self, bytes: &[u8], object: Node, key: &[u8]) -> Option<Node> {
        let mut found = None;
        for (name, value) in self.raw_entries(object) {
            let span = self.span(name);
            let is_equal = if span.is_escaped() {
                *unescaped(span.of(bytes), true) == *key
            } else {
                span.of(bytes) == key
            };
            if is_equal {
                found = Some(value);
            }
        }
        found
    }

    /// Returns the text of a string.
    #[must_use]
    pub fn string<'a>(&self, bytes: &'a [u8], node: Node) -> Cow<'a, [u8]> {
        let span = self.span(node);
        unescaped(span.of(bytes), span.is_escaped())
    }

    /// Returns a number.
    #[must_use]
    pub fn number<'a>(&self, bytes: &'a [u8], node: Node) -> Number<'a> {
        let span = self.span(node);
        let text = std::str::from_utf8(span.of(bytes)).unwrap_or("0");
        Number::parse(text, span.kind == Kind::Float)
    }
}

fn push_leaf(entries: &mut Vec<Entry>, span: Span) {
    let next = entries.len() as u32 + 1;
    entries.push(Entry { span, next });
}
