//! Reads a path as Jayway's `PathCompiler` does.

use super::Token;
use super::filter;

/// Returns the steps of a path without its mode.
///
/// # Errors
/// It is no path; a sentence for people.
pub(super) fn parse(spec: &str) -> Result<Vec<Token>, String> {
    let trimmed = spec.trim_matches(|c| c <= ' ');
    if trimmed.is_empty() {
        return Err("path can not be null or empty".to_owned());
    }
    // Jayway looks at the first character before it has cut what is blank: ` $.a` is read as `$. $.a`.
    let text = if spec.starts_with(['$', '@']) {
        trimmed.to_owned()
    } else {
        format!("$.{spec}")
            .trim_end_matches(|c| c <= ' ')
            .to_owned()
    };
    if text.ends_with('.') {
        return Err("Path must not end with a '.' or '..'".to_owned());
    }
    let mut parser = Parser::new(&text);
    parser.at = 1;
    parser.tokens(None)
}

/// Reads the path inside a filter that begins at `at` of `text`; returns its steps and where it ends.
pub(super) fn parse_inner(text: &[char], at: usize) -> Result<(Vec<Token>, usize), String> {
    let mut parser = Parser {
        text: text.to_vec(),
        at,
    };
    let end = inner_end(text, at);
    let tokens = parser.tokens(Some(end))?;
    Ok((tokens, end))
}

/// A path inside a filter ends before a blank, an operator or a bracket that it did not open.
fn inner_end(text: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut quote = None;
    for (at, c) in text.iter().enumerate().skip(start) {
        match (quote, c) {
            (Some(open), c) if *c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if depth > 0 => quote = Some(*c),
            (None, '[' | '(') => depth += 1,
            (None, ']' | ')') => {
                if depth == 0 {
                    return at;
                }
                depth -= 1;
            }
            (None, ' ' | '<' | '>' | '=' | '!' | '&' | '|' | ',' | '~') if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

struct Parser {
    text: Vec<char>,
    at: usize,
}

impl Parser {
    fn new(text: &str) -> Self {
        Self {
            text: text.chars().collect(),
            at: 0,
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    /// Returns the place of the next character at or after `from` that is no blank.
    fn significant(&self, from: usize) -> Option<(usize, char)> {
        let rest = self.text.get(from..)?;
        let skipped = rest.iter().take_while(|c| **c == ' ').count();
        rest.get(skipped).map(|c| (from + skipped, *c))
    }

    /// Reads the steps behind `$` up to `end`.
    fn tokens(&mut self, end: Option<usize>) -> Result<Vec<Token>, String> {
        if let Some(end) = end {
            self.text.truncate(end);
        }
        let mut tokens = Vec::new();
        match self.peek() {
            None => return Ok(tokens),
            Some('.' | '[') => {}
            Some(c) => {
                return Err(format!(
                    "Illegal character at position {} expected '.' or '[' but found '{c}'",
                    self.at
                ));
            }
        }
        while let Some(c) = self.peek() {
            match c {
                '.' => {
                    self.at += 1;
                    if self.peek() == Some('.') {
                        self.at += 1;
                        tokens.push(Token::Scan);
                    }
                    match self.peek() {
                        None => return Err("Path must not end with a '.'".to_owned()),
                        Some('.') => {
                            return Err(format!(
                                "Character '.' on position {} is not valid.",
                                self.at
                            ));
                        }
                        Some(_) => {}
                    }
                }
                // JsonPath takes one bracket behind a name for the end.
                '[' if self.at + 1 == self.text.len()
                    && matches!(tokens.last(), Some(Token::Property(_))) =>
                {
                    self.at += 1;
                }
                '[' => tokens.push(self.bracket()?),
                '*' => {
                    self.at += 1;
                    tokens.push(Token::Wildcard);
                }
                _ => tokens.push(self.name()?),
            }
        }
        if matches!(tokens.last(), Some(Token::Scan)) {
            return Err("Path must not end with a '.' or '..'".to_owned());
        }
        Ok(tokens)
    }

    /// Reads `name` or `name()`.
    fn name(&mut self) -> Result<Token, String> {
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                ' ' => {
                    return Err(format!(
                        "Use bracket notion ['my prop'] if your property contains blank characters. position: {}",
                        self.at
                    ));
                }
                '.' | '[' => break,
                '(' => {
                    let name: String = self.text[start..self.at].iter().collect();
                    return self.function(name);
                }
                _ => self.at += 1,
            }
        }
        let name = self.text[start..self.at].iter().collect();
        Ok(Token::Property(vec![name]))
    }

    fn function(&mut self, name: String) -> Result<Token, String> {
        match self.significant(self.at + 1) {
            Some((close, ')')) => {
                self.at = close + 1;
                Ok(Token::Function(name))
            }
            _ => Err(format!(
                "the path function '{name}' with arguments is not supported"
            )),
        }
    }

    fn bracket(&mut self) -> Result<Token, String> {
        let broken = || format!("Could not parse token starting at position {}", self.at);
        let (at, c) = self.significant(self.at + 1).ok_or_else(broken)?;
        match c {
            '\'' | '"' => self.quoted(at, c),
            '0'..='9' | '-' | ':' => self.places(),
            '*' => {
                let (close, c) = self.significant(at + 1).ok_or_else(broken)?;
                if c != ']' {
                    return Err(format!(
                        "Expected wildcard token to end with ']' on position {}",
                        at + 1
                    ));
                }
                self.at = close + 1;
                Ok(Token::Wildcard)
            }
            '?' => self.filter(at),
            _ => Err(broken()),
        }
    }

    /// Reads `'a','b']`.
    fn quoted(&mut self, first: usize, delimiter: char) -> Result<Token, String> {
        let mut names = Vec::new();
        let mut at = first;
        loop {
            at += 1;
            let mut name = String::new();
            loop {
                match self.text.get(at) {
                    None => {
                        return Err(
                            "Property has not been closed - missing closing quote".to_owned()
                        );
                    }
                    Some('\\') => {
                        at += 1;
                        if let Some(c) = self.text.get(at) {
                            name.push(unescaped(*c));
                        }
                    }
                    Some(c) if *c == delimiter => break,
                    Some(c) => name.push(*c),
                }
                at += 1;
            }
            names.push(name);
            match self.significant(at + 1) {
                Some((close, ']')) => {
                    self.at = close + 1;
                    return Ok(Token::Property(names));
                }
                Some((comma, ',')) => match self.significant(comma + 1) {
                    Some((open, c)) if c == delimiter => at = open,
                    _ => return Err("Found empty property".to_owned()),
                },
                _ => {
                    return Err(
                        "Property must be separated by comma or Property must be terminated close square bracket"
                            .to_owned(),
                    );
                }
            }
        }
    }

    /// Reads `0]`, `0,1]`, `1:2]`.
    fn places(&mut self) -> Result<Token, String> {
        let start = self.at + 1;
        let length = self.text[start..].iter().position(|c| *c == ']');
        let inner: String = match length {
            Some(length) => self.text[start..start + length].iter().collect(),
            None => {
                return Err(format!(
                    "Could not parse token starting at position {}",
                    self.at
                ));
            }
        };
        let inner = inner.trim();
        let number = |text: &str| {
            text.trim()
                .parse::<i64>()
                .map_err(|_| format!("Failed to parse array index: {inner}"))
        };
        let token = if inner.contains(':') {
            let mut parts = inner.split(':');
            let mut bound = || match parts.next() {
                None | Some("") => Ok(None),
                Some(part) => number(part).map(Some),
            };
            let (from, to) = (bound()?, bound()?);
            if from.is_none() && to.is_none() {
                return Err(format!("Failed to parse SliceOperation: {inner}"));
            }
            Token::Slice(from, to)
        } else {
            Token::Index(inner.split(',').map(number).collect::<Result<_, _>>()?)
        };
        self.at = start + length.unwrap_or_default() + 1;
        Ok(token)
    }

    /// Reads `?(…)]`.
    fn filter(&mut self, question: usize) -> Result<Token, String> {
        let Some((open, '(')) = self.significant(question + 1) else {
            return Err(format!("Expected filter at position {question}"));
        };
        let (predicate, end) = filter::parse(&self.text, open)?;
        match self.significant(end) {
            Some((close, ']')) => {
                self.at = close + 1;
                Ok(Token::Filter(predicate))
            }
            _ => Err("Filter must start with '[?(' and end with ')]'".to_owned()),
        }
    }
}

fn unescaped(c: char) -> char {
    match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        other => other,
    }
}
