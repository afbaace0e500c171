//! Reads a Java pattern.
//!
//! # Flink
//! `java.util.regex.Pattern` of Java 17. Where Java throws, so does this; what Java has and this engine has not
//! is told apart, so that it can be refused before start.

use std::collections::HashMap;

use super::grapheme;
use super::sets::{self, CaseFlags};
use super::syntax::{Anchor, Lines, Node, PatternError, RepeatKind};

/// The deepest nesting of groups and classes; it bounds the reader's recursion.
const DEPTH_MAX: u32 = 200;
/// The greatest number in `{m,n}`; above it a program would not fit its bounds anyway.
const REPEAT_MAX: u32 = 100_000;

/// A pattern that has been read.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// Its meaning.
    pub(crate) node: Node,
    /// How many groups capture, without group 0.
    pub(crate) groups: u32,
    /// The numbers of the named groups.
    pub(crate) names: HashMap<String, u32>,
}

impl Pattern {
    /// Reads `text`.
    ///
    /// # Errors
    /// Java refuses it, or this engine lacks something in it.
    pub(crate) fn read(text: &str) -> Result<Self, PatternError> {
        let mut reader = Reader {
            tokens: unquoted(text),
            at: 0,
            flags: Flags::default(),
            groups: 0,
            names: HashMap::new(),
            depth: 0,
        };
        let node = reader.choice()?;
        if reader.peek().is_some() {
            return Err(invalid("Unmatched closing ')'"));
        }
        Ok(Self {
            node,
            groups: reader.groups,
            names: reader.names,
        })
    }
}

pub(super) fn invalid(message: &str) -> PatternError {
    PatternError::Invalid(message.to_owned())
}

/// A character of the pattern; a quoted one is always itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) character: char,
    pub(super) quoted: bool,
}

/// Takes out `\Q…\E`, which Java does before anything else.
fn unquoted(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len());
    let plain = |character| Token {
        character,
        quoted: false,
    };
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(quote) = rest.strip_prefix("\\Q") {
            let (quoted, behind) = quote.split_once("\\E").unwrap_or((quote, ""));
            tokens.extend(quoted.chars().map(|character| Token {
                character,
                quoted: true,
            }));
            rest = behind;
        } else if let Some(escaped) = rest.strip_prefix('\\') {
            tokens.push(plain('\\'));
            let escaped_character = escaped.chars().next();
            tokens.extend(escaped_character.map(plain));
            rest = &escaped[escaped_character.map_or(0, char::len_utf8)..];
        } else {
            tokens.push(plain(character));
            rest = &rest[character.len_utf8()..];
        }
    }
    tokens
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flags {
    pub(super) case: CaseFlags,
    pub(super) dot_all: bool,
    pub(super) multiline: bool,
    pub(super) comments: bool,
    pub(super) unix_lines: bool,
}

impl Flags {
    fn lines(self) -> Lines {
        if self.unix_lines {
            Lines::Unix
        } else {
            Lines::Any
        }
    }
}

/// Reads tokens from left to right.
pub(super) struct Reader {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) flags: Flags,
    groups: u32,
    names: HashMap<String, u32>,
    depth: u32,
}

impl Reader {
    /// Returns the next token; under the flag `x`, past white space and comments.
    pub(super) fn peek(&mut self) -> Option<Token> {
        if self.flags.comments {
            self.skip_comments();
        }
        self.tokens.get(self.at).copied()
    }

    fn skip_comments(&mut self) {
        while let Some(token) = self.tokens.get(self.at).filter(|token| !token.quoted) {
            match token.character {
                ' ' | '\t'..='\r' => self.at += 1,
                '#' => {
                    let rest = &self.tokens[self.at..];
                    let ends = |token: &Token| {
                        matches!(
                            token.character,
                            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'
                        )
                    };
                    self.at += rest.iter().position(ends).unwrap_or(rest.len());
                }
                _ => break,
            }
        }
    }

    /// Returns the next character if it is not quoted.
    pub(super) fn peek_special(&mut self) -> Option<char> {
        self.peek()
            .filter(|token| !token.quoted)
            .map(|token| token.character)
    }

    /// Returns the character behind the next one, with no regard to comments.
    pub(super) fn second(&self) -> Option<char> {
        self.tokens.get(self.at + 1).map(|token| token.character)
    }

    pub(super) fn accept(&mut self, character: char) -> bool {
        let found = self.peek_special() == Some(character);
        if found {
            self.at += 1;
        }
        found
    }

    /// Takes the next token as it stands, white space too.
    pub(super) fn take(&mut self) -> Option<char> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token.character)
    }

    pub(super) fn enter(&mut self) -> Result<(), PatternError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(PatternError::Unsupported("nesting that deep".to_owned()));
        }
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    fn choice(&mut self) -> Result<Node, PatternError> {
        let mut branches = vec![self.sequence()?];
        while self.accept('|') {
            branches.push(self.sequence()?);
        }
        Ok(match branches.len() {
            1 => branches.remove(0),
            _ => Node::Choice(branches),
        })
    }

    fn sequence(&mut self) -> Result<Node, PatternError> {
        let mut nodes = Vec::new();
        while let Some(token) = self.peek() {
            if !token.quoted && matches!(token.character, '|' | ')') {
                break;
            }
            if let Some(atom) = self.atom(token)? {
                nodes.push(self.repeated(atom)?);
            }
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.remove(0),
            _ => Node::Sequence(nodes),
        })
    }

    /// Reads one part; `None` for one that only sets flags.
    fn atom(&mut self, token: Token) -> Result<Option<Node>, PatternError> {
        if token.quoted {
            self.at += 1;
            return Ok(Some(self.literal(token.character)));
        }
        Ok(Some(match token.character {
            '(' => {
                self.at += 1;
                return self.group();
            }
            '[' => {
                self.at += 1;
                Node::Set(self.class()?)
            }
            '\\' => {
                self.at += 1;
                self.escape()?
            }
            '^' => {
                self.at += 1;
                Node::Anchor(if self.flags.multiline {
                    Anchor::LineStart(self.flags.lines())
                } else {
                    Anchor::TextStart
                })
            }
            '$' => {
                self.at += 1;
                Node::Anchor(if self.flags.multiline {
                    Anchor::LineEnd(self.flags.lines())
                } else {
                    Anchor::TextEndOrTerminator(self.flags.lines())
                })
            }
            '.' => {
                self.at += 1;
                Node::Set(sets::dot(self.flags.dot_all, self.flags.lines()))
            }
            '*' | '+' | '?' => {
                return Err(PatternError::Invalid(format!(
                    "Dangling meta character '{}'",
                    token.character
                )));
            }
            // Java repeats the empty text before it reads the number.
            '{' => Node::Empty,
            character => {
                self.at += 1;
                self.literal(character)
            }
        }))
    }

    fn literal(&self, character: char) -> Node {
        let code = u32::from(character);
        Node::Set(sets::folded_range(code, code, self.flags.case))
    }

    fn repeated(&mut self, node: Node) -> Result<Node, PatternError> {
        let (least, most) = match self.peek_special() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.at += 1;
                self.counts()?
            }
            _ => return Ok(node),
        };
        // The sign itself, or the brace at which `counts` stopped.
        self.at += 1;
        let kind = if self.accept('?') {
            RepeatKind::Lazy
        } else if self.accept('+') {
            RepeatKind::Possessive
        } else {
            RepeatKind::Greedy
        };
        Ok(Node::Repeat {
            node: Box::new(node),
            least,
            most,
            kind,
        })
    }

    /// Reads `m`, `m,` or `m,n` and stops at the closing brace.
    fn counts(&mut self) -> Result<(u32, Option<u32>), PatternError> {
        let least = self
            .number()?
            .ok_or_else(|| invalid("Illegal repetition"))?;
        let most = if self.accept(',') {
            match self.peek_special() {
                Some('}') => None,
                _ => Some(
                    self.number()?
                        .ok_or_else(|| invalid("Unclosed counted closure"))?,
                ),
            }
        } else {
            Some(least)
        };
        if self.peek_special() != Some('}') {
            return Err(invalid("Unclosed counted closure"));
        }
        if most.is_some_and(|most| most < least) {
            return Err(invalid("Illegal repetition range"));
        }
        Ok((least, most))
    }

    fn number(&mut self) -> Result<Option<u32>, PatternError> {
        let mut value: Option<u32> = None;
        while let Some(digit) = self.peek_special().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            let next = value
                .unwrap_or(0)
                .checked_mul(10)
                .and_then(|value| value.checked_add(digit))
                .filter(|value| *value <= i32::MAX.cast_unsigned())
                .ok_or_else(|| invalid("Illegal repetition range"))?;
            value = Some(next);
        }
        if value.is_some_and(|value| value > REPEAT_MAX) {
            return Err(PatternError::Unsupported(format!(
                "a repetition of more than {REPEAT_MAX}"
            )));
        }
        Ok(value)
    }

    /// Reads a group behind its opening parenthesis.
    fn group(&mut self) -> Result<Option<Node>, PatternError> {
        self.enter()?;
        let flags = self.flags;
        let result = if self
            .tokens
            .get(self.at)
            .is_some_and(|t| t.character == '?' && !t.quoted)
        {
            self.at += 1;
            self.special_group()
        } else {
            self.groups += 1;
            let number = self.groups;
            self.closed()
                .map(|node| Some(Node::Capture(number, Box::new(node))))
        };
        self.leave();
        if let Ok(Some(_)) = &result {
            self.flags = flags;
        }
        result
    }

    /// Reads up to the closing parenthesis.
    fn closed(&mut self) -> Result<Node, PatternError> {
        let node = self.choice()?;
        if !self.accept(')') {
            return Err(invalid("Unclosed group"));
        }
        Ok(node)
    }

    fn special_group(&mut self) -> Result<Option<Node>, PatternError> {
        let look = |reader: &mut Self, behind, negative| {
            let node = reader.closed()?;
            if behind && node.length_max().is_none() {
                return Err(invalid(
                    "Look-behind group does not have an obvious maximum length",
                ));
            }
            Ok(Some(Node::Look {
                behind,
                negative,
                node: Box::new(node),
            }))
        };
        match self.take() {
            Some(':') => Ok(Some(self.closed()?)),
            Some('=') => look(self, false, false),
            Some('!') => look(self, false, true),
            Some('>') => Ok(Some(Node::Atomic(Box::new(self.closed()?)))),
            Some('<') => match self.take() {
                Some('=') => look(self, true, false),
                Some('!') => look(self, true, true),
                Some(first) if first.is_ascii_alphabetic() => {
                    let name = self.name(first)?;
                    self.groups += 1;
                    let number = self.groups;
                    if self.names.insert(name.clone(), number).is_some() {
                        return Err(PatternError::Invalid(format!(
                            "Named capturing group <{name}> is already defined"
                        )));
                    }
                    Ok(Some(Node::Capture(number, Box::new(self.closed()?))))
                }
                _ => Err(invalid("Unknown look-behind group")),
            },
            Some(_) => {
                self.at -= 1;
                self.flag_group()
            }
            None => Err(invalid("Unknown inline modifier")),
        }
    }

    /// Reads a group's name up to `>`.
    fn name(&mut self, first: char) -> Result<String, PatternError> {
        let mut name = String::from(first);
        loop {
            match self.take() {
                Some('>') => return Ok(name),
                Some(character) if character.is_ascii_alphanumeric() => name.push(character),
                _ => return Err(invalid("named capturing group is missing trailing '>'")),
            }
        }
    }

    /// Reads `(?i)`, `(?i-s:…)` and the like behind the question mark.
    fn flag_group(&mut self) -> Result<Option<Node>, PatternError> {
        let before = self.flags;
        let mut on = true;
        loop {
            match self.take() {
                Some('i') => self.flags.case.ignore_case = on,
                Some('u') => self.flags.case.unicode_case = on,
                Some('U') => {
                    self.flags.case.unicode_sets = on;
                    self.flags.case.unicode_case = on;
                }
                Some('m') => self.flags.multiline = on,
                Some('s') => self.flags.dot_all = on,
                Some('d') => self.flags.unix_lines = on,
                Some('x') => self.flags.comments = on,
                Some('-') if on => on = false,
                Some(')') => return Ok(None),
                Some(':') => {
                    let node = self.closed()?;
                    self.flags = before;
                    return Ok(Some(node));
                }
                _ => return Err(invalid("Unknown inline modifier")),
            }
        }
    }

    /// Reads an escape outside a class, behind its backslash.
    fn escape(&mut self) -> Result<Node, PatternError> {
        let letter = self
            .take()
            .ok_or_else(|| invalid("Unexpected internal error"))?;
        Ok(match letter {
            'A' => Node::Anchor(Anchor::TextStart),
            'z' => Node::Anchor(Anchor::TextEnd),
            'Z' => Node::Anchor(Anchor::TextEndOrTerminator(self.flags.lines())),
            'G' => Node::Anchor(Anchor::LastMatchEnd),
            'b' if self.tokens.get(self.at).is_some_and(|t| t.character == '{') => {
                self.at += 1;
                if (self.take(), self.take()) != (Some('g'), Some('}')) {
                    return Err(PatternError::Unsupported("\\b{…}".to_owned()));
                }
                grapheme::boundary()
            }
            'b' => Node::Anchor(Anchor::WordBoundary),
            'B' => Node::Anchor(Anchor::NotWordBoundary),
            'R' => line_break(),
            'X' => grapheme::cluster(),
            'k' => self.named_backreference()?,
            '1'..='9' => self.backreference(letter)?,
            'p' | 'P' => Node::Set(self.property(letter == 'P')?),
            _ => match sets::escape(letter, self.flags.case) {
                Some(set) => Node::Set(set),
                None => {
                    let character = self.escaped_character(letter)?;
                    let flags = self.flags.case;
                    Node::Set(sets::folded_range(character, character, flags))
                }
            },
        })
    }

    fn named_backreference(&mut self) -> Result<Node, PatternError> {
        if self.take() != Some('<') {
            return Err(invalid(
                "\\k is not followed by '<' for named capturing group",
            ));
        }
        let first = self.take().filter(char::is_ascii_alphabetic);
        let first =
            first.ok_or_else(|| invalid("capturing group name does not start with a letter"))?;
        let name = self.name(first)?;
        let number = self.names.get(&name).copied().ok_or_else(|| {
            PatternError::Invalid(format!("named capturing group <{name}> does not exist"))
        })?;
        self.reference(number)
    }

    /// Reads further digits as long as there is a group of that number.
    fn backreference(&mut self, first: char) -> Result<Node, PatternError> {
        let digit = |c: char| c.to_digit(10);
        let mut number = digit(first).expect("the caller saw a digit");
        while let Some(next) = self.peek_special().and_then(digit) {
            let longer = number * 10 + next;
            if longer > self.groups {
                break;
            }
            number = longer;
            self.at += 1;
        }
        if number > self.groups {
            // Java compiles a reference to a group that is not there yet; it never matches.
            return Ok(Node::Set(regex_syntax::hir::ClassUnicode::empty()));
        }
        self.reference(number)
    }

    fn reference(&self, number: u32) -> Result<Node, PatternError> {
        if self.flags.case.ignore_case {
            return Err(PatternError::Unsupported(
                "a back-reference that ignores case".to_owned(),
            ));
        }
        Ok(Node::Backreference(number))
    }
}

/// `\R`: `\r\n` before its parts.
fn line_break() -> Node {
    let single = |character: char| Node::Set(sets::range(character.into(), character.into()));
    let any = sets::escape('v', CaseFlags::default()).expect("\\v is a set");
    Node::Choice(vec![
        Node::Sequence(vec![single('\r'), single('\n')]),
        Node::Set(any),
    ])
}
