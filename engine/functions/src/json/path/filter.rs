//! Filters: `[?(@.a == 'x' && @.b > 1)]`.

use std::cmp::Ordering;

use millrace_json::Kind;

use super::eval::{Document, Found, Item, find_in};
use super::parser::parse_inner;
use super::{Token, is_definite};

/// The condition of a filter.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    Or(Vec<Predicate>),
    And(Vec<Predicate>),
    Not(Box<Predicate>),
    /// A path that leads somewhere.
    Exists(Operand),
    Compare(Operand, Comparison, Operand),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    Size,
    Empty,
}

/// What a condition speaks of.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// `@.a`, or `$.a` from the document's root.
    Path {
        from_root: bool,
        tokens: Vec<Token>,
    },
    Value(Value),
    List(Vec<Value>),
    Regex(regex::Regex),
}

/// A value to compare.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Number(f64),
    Text(String),
    /// An array or object: its canonical text, and how many elements or entries it has.
    Json(String, usize),
    Missing,
}

impl Predicate {
    /// Tells whether `item` meets the condition.
    pub(super) fn accepts(&self, document: &Document<'_>, item: usize) -> bool {
        match self {
            Self::Or(parts) => parts.iter().any(|part| part.accepts(document, item)),
            Self::And(parts) => parts.iter().all(|part| part.accepts(document, item)),
            Self::Not(part) => !part.accepts(document, item),
            Self::Exists(operand) => operand.value(document, item) != Value::Missing,
            Self::Compare(left, comparison, right) => {
                compare(left, *comparison, right, document, item)
            }
        }
    }
}

impl Operand {
    fn value(&self, document: &Document<'_>, item: usize) -> Value {
        match self {
            Self::Value(value) => value.clone(),
            Self::List(values) => Value::Json(String::new(), values.len()),
            Self::Regex(_) => Value::Missing,
            Self::Path { from_root, tokens } => {
                let start = if *from_root { document.root } else { item };
                match find_in(document, start, tokens, false) {
                    Ok(Found::Item(item)) => document.value(&item),
                    _ if is_definite(tokens) => Value::Missing,
                    _ => Value::Json("[]".to_owned(), 0),
                }
            }
        }
    }
}

impl Document<'_> {
    /// Returns an item as a value to compare.
    fn value(&self, item: &Item) -> Value {
        match item {
            Item::Long(value) => Value::Number(*value as f64),
            Item::Double(value) => Value::Number(*value),
            Item::Text(text) => Value::Text(text.clone()),
            Item::Node(node) => {
                let text =
                    || String::from_utf8_lossy(&self.tape.string(self.bytes, *node)).into_owned();
                match self.tape.kind(*node) {
                    Kind::Null | Kind::Missing => Value::Null,
                    Kind::True => Value::Boolean(true),
                    Kind::False => Value::Boolean(false),
                    Kind::Int | Kind::Float => text().parse().map_or(Value::Missing, Value::Number),
                    Kind::String => Value::Text(text()),
                    Kind::Array => Value::Json(self.text(item), self.tape.elements(*node).count()),
                    Kind::Object => {
                        Value::Json(self.text(item), self.tape.entries(self.bytes, *node).len())
                    }
                }
            }
            Item::List(items) => Value::Json(self.text(item), items.len()),
            Item::Merged(entries) => Value::Json(self.text(item), entries.len()),
        }
    }
}

fn compare(
    left: &Operand,
    comparison: Comparison,
    right: &Operand,
    document: &Document<'_>,
    item: usize,
) -> bool {
    let value = left.value(document, item);
    let is_in = |values: &Operand| match values {
        Operand::List(values) => values.iter().any(|other| is_equal(&value, other)),
        _ => false,
    };
    match comparison {
        Comparison::Matches => match (&value, right) {
            (Value::Text(text), Operand::Regex(regex)) => regex.is_match(text),
            _ => false,
        },
        Comparison::In => is_in(right),
        Comparison::NotIn => !is_in(right),
        _ => {
            let other = right.value(document, item);
            match comparison {
                Comparison::Equal => is_equal(&value, &other),
                Comparison::NotEqual => !is_equal(&value, &other),
                Comparison::Contains => match (&value, &other) {
                    (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
                    _ => false,
                },
                Comparison::Size => size(&value) == number(&other).map(|n| n as usize),
                Comparison::Empty => {
                    size(&value).map(|size| size == 0) == Some(other == Value::Boolean(true))
                }
                _ => order(&value, &other).is_some_and(|order| match comparison {
                    Comparison::Less => order == Ordering::Less,
                    Comparison::LessOrEqual => order != Ordering::Greater,
                    Comparison::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                }),
            }
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::Json(_, count) => Some(*count),
        Value::Text(text) => Some(text.encode_utf16().count()),
        _ => None,
    }
}

/// A number and a text are equal where the text is that number.
fn is_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), b @ Value::Text(_)) | (b @ Value::Text(_), Value::Number(a)) => {
            number(b) == Some(*a)
        }
        (Value::Missing, _) | (_, Value::Missing) => false,
        _ => left == right,
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => a.partial_cmp(b),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Reads the condition between the parentheses that open at `open`; returns it and the place behind them.
pub(super) fn parse(text: &[char], open: usize) -> Result<(Predicate, usize), String> {
    let mut parser = FilterParser { text, at: open + 1 };
    let predicate = parser.or()?;
    if parser.peek() != Some(')') {
        return Err(format!("Expected character: )  at position {}", parser.at));
    }
    Ok((predicate, parser.at + 1))
}

struct FilterParser<'a> {
    text: &'a [char],
    at: usize,
}

impl FilterParser<'_> {
    /// Steps over blanks and returns the character there.
    fn peek(&mut self) -> Option<char> {
        while self.text.get(self.at) == Some(&' ') {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        self.peek();
        let length = word.chars().count();
        let stands = self
            .text
            .get(self.at..self.at + length)
            .is_some_and(|slice| slice.iter().copied().eq(word.chars()));
        if stands {
            self.at += length;
        }
        stands
    }

    fn or(&mut self) -> Result<Predicate, String> {
        let mut parts = vec![self.and()?];
        while self.take("||") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Predicate::Or(parts)
        })
    }

    fn and(&mut self) -> Result<Predicate, String> {
        let mut parts = vec![self.not()?];
        while self.take("&&") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 {
            parts.remove(0)
        } else {
            Predicate::And(parts)
        })
    }

    fn not(&mut self) -> Result<Predicate, String> {
        if self.take("!") {
            return Ok(Predicate::Not(Box::new(self.not()?)));
        }
        if self.peek() == Some('(') {
            let (predicate, end) = parse(self.text, self.at)?;
            self.at = end;
            return Ok(predicate);
        }
        let left = self.operand()?;
        let Some(comparison) = self.comparison()? else {
            return Ok(Predicate::Exists(left));
        };
        let right = self.operand()?;
        Ok(Predicate::Compare(left, comparison, right))
    }

    fn comparison(&mut self) -> Result<Option<Comparison>, String> {
        if matches!(self.peek(), None | Some(')' | '&' | '|')) {
            return Ok(None);
        }
        const SIGNS: [(&str, Comparison); 14] = [
            ("===", Comparison::Equal),
            ("!==", Comparison::NotEqual),
            ("==", Comparison::Equal),
            ("!=", Comparison::NotEqual),
            ("<=", Comparison::LessOrEqual),
            (">=", Comparison::GreaterOrEqual),
            ("=~", Comparison::Matches),
            ("<", Comparison::Less),
            (">", Comparison::Greater),
            ("in ", Comparison::In),
            ("nin ", Comparison::NotIn),
            ("contains ", Comparison::Contains),
            ("size ", Comparison::Size),
            ("empty ", Comparison::Empty),
        ];
        for (sign, comparison) in SIGNS {
            if self.take(sign) {
                return Ok(Some(comparison));
            }
        }
        Err(format!(
            "Filter operator at position {} is not supported!",
            self.at
        ))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        match self.peek() {
            Some(c @ ('@' | '$')) => {
                let (tokens, end) = parse_inner(self.text, self.at + 1)?;
                self.at = end;
                Ok(Operand::Path {
                    from_root: c == '$',
                    tokens,
                })
            }
            Some('/') => self.regex(),
            Some('[') => {
                self.at += 1;
                let mut values = Vec::new();
                while self.peek() != Some(']') {
                    values.push(self.value()?);
                    if self.peek() == Some(',') {
                        self.at += 1;
                    }
                }
                self.at += 1;
                Ok(Operand::List(values))
            }
            _ => self.value().map(Operand::Value),
        }
    }

    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some(quote @ ('\'' | '"')) => {
                let mut text = String::new();
                loop {
                    self.at += 1;
                    match self.text.get(self.at) {
                        None => return Err("String literal is not closed".to_owned()),
                        Some('\\') => {
                            self.at += 1;
                            text.extend(self.text.get(self.at));
                        }
                        Some(c) if *c == quote => break,
                        Some(c) => text.push(*c),
                    }
                }
                self.at += 1;
                Ok(Value::Text(text))
            }
            _ if self.take("true") => Ok(Value::Boolean(true)),
            _ if self.take("false") => Ok(Value::Boolean(false)),
            _ if self.take("null") => Ok(Value::Null),
            _ => {
                let start = self.at;
                while self
                    .text
                    .get(self.at)
                    .is_some_and(|c| matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
                {
                    self.at += 1;
                }
                let text: String = self.text[start..self.at].iter().collect();
                text.parse()
                    .map(Value::Number)
                    .map_err(|_| format!("Could not parse filter at position {start}"))
            }
        }
    }

    /// Reads `/pattern/flags`, which must match the whole text.
    fn regex(&mut self) -> Result<Operand, String> {
        let start = self.at + 1;
        let mut end = start;
        while self.text.get(end).is_some_and(|c| *c != '/') {
            end += if self.text[end] == '\\' { 2 } else { 1 };
        }
        let Some(pattern) = self.text.get(start..end) else {
            return Err("Pattern is not closed".to_owned());
        };
        let pattern: String = pattern.iter().collect();
        self.at = end + 1;
        let mut ignore_case = false;
        while let Some(flag) = self.text.get(self.at).filter(|c| c.is_ascii_alphabetic()) {
            ignore_case |= *flag == 'i';
            self.at += 1;
        }
        regex::RegexBuilder::new(&format!("^(?:{pattern})$"))
            .case_insensitive(ignore_case)
            .build()
            .map(Operand::Regex)
            .map_err(|error| error.to_string())
    }
}
