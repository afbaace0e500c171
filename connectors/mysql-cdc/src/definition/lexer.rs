//! Words, names, texts and signs of a statement.

use std::borrow::Cow;

use super::{Dialect, NotUnderstood};

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A bare word or number, which may be a keyword or a name.
    Word(&'a str),
    /// A name in quotes.
    Name(Cow<'a, str>),
    /// A text.
    Text(String),
    /// Any other sign.
    Sign(char),
}

/// The pieces of a statement, read one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Tokens<'a> {
    tokens: Vec<(Token<'a>, usize)>,
    at: usize,
    text: &'a str,
}

impl<'a> Tokens<'a> {
    /// Cuts a statement into pieces. Comments are left out but for those that the server executes (`/*!40101 … */`,
    /// and in MariaDB `/*M! … */`).
    pub(crate) fn of(text: &'a str, dialect: Dialect) -> Self {
        let mut lexer = Lexer {
            text,
            at: 0,
            dialect,
            executed: 0,
        };
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next() {
            tokens.push(token);
        }
        Self {
            tokens,
            at: 0,
            text,
        }
    }

    pub(crate) fn peek(&self) -> Option<&Token<'a>> {
        self.peek_at(0)
    }

    pub(crate) fn peek_at(&self, ahead: usize) -> Option<&Token<'a>> {
        self.tokens.get(self.at + ahead).map(|(token, _)| token)
    }

    pub(crate) fn next(&mut self) -> Option<&Token<'a>> {
        let token = self.tokens.get(self.at).map(|(token, _)| token);
        self.at += usize::from(token.is_some());
        token
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// Returns a place to come back to.
    pub(crate) fn mark(&self) -> usize {
        self.at
    }

    /// Goes back to a place.
    pub(crate) fn reset(&mut self, mark: usize) {
        self.at = mark;
    }

    /// Tells whether a bare word comes next, ignoring case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    pub(crate) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Word(other)) if other.eq_ignore_ascii_case(word))
    }

    /// Skips a word if it comes next.
    pub(crate) fn eat(&mut self, word: &str) -> bool {
        let is_next = self.is_word(word);
        self.at += usize::from(is_next);
        is_next
    }

    /// Skips words if they come next, all of them.
    pub(crate) fn eat_all(&mut self, words: &[&str]) -> bool {
        let are_next = words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.is_word_at(ahead, word));
        if are_next {
            self.at += words.len();
        }
        are_next
    }

    /// Skips one of several words if it comes next.
    pub(crate) fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    pub(crate) fn is_sign(&self, sign: char) -> bool {
        self.peek() == Some(&Token::Sign(sign))
    }

    /// Skips a sign if it comes next.
    pub(crate) fn eat_sign(&mut self, sign: char) -> bool {
        let is_next = self.is_sign(sign);
        self.at += usize::from(is_next);
        is_next
    }

    pub(crate) fn expect(&mut self, word: &str) -> Result<(), NotUnderstood> {
        if self.eat(word) {
            return Ok(());
        }
        Err(self.expected(word))
    }

    pub(crate) fn expect_sign(&mut self, sign: char) -> Result<(), NotUnderstood> {
        if self.eat_sign(sign) {
            return Ok(());
        }
        Err(self.expected(&sign.to_string()))
    }

    /// Returns an error about what comes next.
    pub(crate) fn expected(&self, what: &str) -> NotUnderstood {
        self.wrong(format!("expected {what}"))
    }

    pub(crate) fn wrong(&self, reason: String) -> NotUnderstood {
        let start = self
            .tokens
            .get(self.at)
            .map_or(self.text.len(), |(_, at)| *at);
        NotUnderstood {
            reason,
            near: self.text[start..].chars().take(40).collect(),
        }
    }

    /// Reads a name, quoted or not.
    pub(crate) fn name(&mut self) -> Result<String, NotUnderstood> {
        let name = match self.peek() {
            Some(Token::Word(word)) => (*word).to_owned(),
            Some(Token::Name(name)) => name.clone().into_owned(),
            _ => return Err(self.expected("a name")),
        };
        self.at += 1;
        Ok(name)
    }

    /// Reads a whole number.
    pub(crate) fn number(&mut self) -> Result<u32, NotUnderstood> {
        if let Some(Token::Word(word)) = self.peek()
            && let Ok(number) = word.parse()
        {
            self.at += 1;
            return Ok(number);
        }
        Err(self.expected("a number"))
    }

    /// Skips what is in the parentheses that come next.
    pub(crate) fn skip_parentheses(&mut self) -> Result<(), NotUnderstood> {
        self.expect_sign('(')?;
        let mut depth = 1;
        while depth > 0 {
            match self.next() {
                Some(Token::Sign('(')) => depth += 1,
                Some(Token::Sign(')')) => depth -= 1,
                Some(_) => {}
                None => return Err(self.expected(")")),
            }
        }
        Ok(())
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    dialect: Dialect,
    /// How many comments that the server executes are open.
    executed: usize,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || c >= '\u{80}'
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn next(&mut self) -> Option<(Token<'a>, usize)> {
        self.skip_blanks();
        let start = self.at;
        let first = self.rest().chars().next()?;
        let token = match first {
            '`' => Token::Name(self.quoted_name('`')),
            '"' if self.dialect.mode.ansi_quotes => Token::Name(self.quoted_name('"')),
            '\'' | '"' => Token::Text(self.text(first)),
            first if is_word(first) => {
                let rest = self.rest();
                let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                self.at += end;
                Token::Word(&rest[..end])
            }
            sign => {
                self.at += sign.len_utf8();
                Token::Sign(sign)
            }
        };
        Some((token, start))
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with('#') || is_dash_comment(trimmed) {
                self.at += trimmed.find('\n').unwrap_or(trimmed.len());
            } else if let Some(opened) = executed_comment(trimmed, self.dialect.is_mariadb) {
                self.at += opened;
                self.executed += 1;
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let end = comment.find("*/").map(|end| end + 4);
                self.at += end.unwrap_or(trimmed.len());
            } else if self.executed > 0 && trimmed.starts_with("*/") {
                self.at += 2;
                self.executed -= 1;
            } else {
                return;
            }
        }
    }

    fn quoted_name(&mut self, quote: char) -> Cow<'a, str> {
        let body = &self.text[self.at + 1..];
        let mut name = String::new();
        let mut start = 0;
        while let Some(found) = body[start..].find(quote) {
            let end = start + found;
            if !body[end + 1..].starts_with(quote) {
                self.at += 1 + end + 1;
                if name.is_empty() {
                    return Cow::Borrowed(&body[start..end]);
                }
                name.push_str(&body[start..end]);
                return Cow::Owned(name);
            }
            name.push_str(&body[start..=end]);
            start = end + 2;
        }
        self.at = self.text.len();
        name.push_str(&body[start..]);
        Cow::Owned(name)
    }

    fn text(&mut self, quote: char) -> String {
        let body = &self.text[self.at + 1..];
        let mut text = String::new();
        let mut chars = body.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                if body[at + 1..].starts_with(quote) {
                    chars.next();
                    text.push(quote);
                    continue;
                }
                self.at += 1 + at + 1;
                return text;
            }
            if c != '\\' || self.dialect.mode.no_backslash_escapes {
                text.push(c);
                continue;
            }
            match chars.next().map(|(_, escaped)| escaped) {
                Some('0') => text.push('\0'),
                Some('b') => text.push('\u{8}'),
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some('Z') => text.push('\u{1a}'),
                Some(escaped) => text.push(escaped),
                None => {}
            }
        }
        self.at = self.text.len();
        text
    }
}

/// `--` begins a comment only with a blank behind it.
fn is_dash_comment(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace() || c.is_control())
    })
}

/// Returns the length of what opens a comment that the server executes, with the version in it. Versions are not
/// compared: a server that passes over such a comment for its version takes the `!` out of what it logs.
fn executed_comment(text: &str, is_mariadb: bool) -> Option<usize> {
    let of_mariadb = || text.strip_prefix("/*M!").filter(|_| is_mariadb);
    let rest = text.strip_prefix("/*!").or_else(of_mariadb)?;
    let digits = rest.bytes().take(6).take_while(u8::is_ascii_digit).count();
    // The version that means never.
    if rest[..digits].starts_with("99999") {
        return None;
    }
    Some(text.len() - rest.len() + digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Token<'_>> {
        let tokens = Tokens::of(text, Dialect::default());
        tokens.tokens.into_iter().map(|(token, _)| token).collect()
    }

    #[test]
    fn comments_names_and_texts() {
        let tokens = all("a /* x */ /*!50003 b*/ -- c\n`d``e` # f\n'g''h\\n\\%' \"i\" --j");
        let name: Token<'_> = Token::Name("d`e".into());
        assert_eq!(
            tokens,
            [
                Token::Word("a"),
                Token::Word("b"),
                name,
                Token::Text("g'h\n%".into()),
                Token::Text("i".into()),
                Token::Sign('-'),
                Token::Sign('-'),
                Token::Word("j"),
            ]
        );
    }

    #[test]
    fn comments_of_mariadb_are_run_by_mariadb_only() {
        let text = "a /*M!100100 b */ /*M! c */ d";
        let words = |is_mariadb| {
            let dialect = Dialect {
                is_mariadb,
                ..Dialect::default()
            };
            Tokens::of(text, dialect).tokens.len()
        };
        assert_eq!((words(false), words(true)), (2, 4));
    }

    #[test]
    fn open_ends() {
        for text in ["'a", "`a", "/* a", "/*! a", "a*/", "'\\", "`a``"] {
            all(text);
        }
    }
}
