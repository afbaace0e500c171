//! MySQL's text cut into words, names, texts, numbers and signs.

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word or a name without quotes.
    Word,
    /// A name in backticks.
    Name,
    /// A text in quotes.
    Text,
    Number,
    /// `?` of a prepared statement.
    Placeholder,
    Sign,
}

/// A token; `text` is without quotes and escapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) text: String,
    /// Whether blank space stands before it.
    pub(crate) is_apart: bool,
}

impl Token {
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(crate) fn is_sign(&self, sign: &str) -> bool {
        self.kind == Kind::Sign && self.text == sign
    }

    pub(crate) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Name)
    }
}

const LONG_SIGNS: &[&str] = &["<=>", "<=", ">=", "<>", "!=", "||", "&&", "@@", ":="];

/// Cuts a statement; the error says what is wrong.
pub(crate) fn tokens(sql: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = sql;
    loop {
        let before = rest.len();
        rest = skip_blanks(rest);
        let is_apart = rest.len() < before;
        let Some(first) = rest.chars().next() else {
            return Ok(found);
        };
        let (kind, text, length) = match first {
            '\'' | '"' | '`' => {
                let (text, length) = quoted(rest, first)?;
                let kind = if first == '`' { Kind::Name } else { Kind::Text };
                (kind, text, length)
            }
            '0'..='9' => number(rest),
            '.' if rest[1..].starts_with(|next: char| next.is_ascii_digit()) => number(rest),
            '?' => (Kind::Placeholder, "?".to_owned(), 1),
            _ if is_word_part(first) => {
                let end = rest.find(|next| !is_word_part(next)).unwrap_or(rest.len());
                (Kind::Word, rest[..end].to_owned(), end)
            }
            _ => {
                let sign = LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign));
                let length = sign.map_or(first.len_utf8(), |sign| sign.len());
                (Kind::Sign, rest[..length].to_owned(), length)
            }
        };
        found.push(Token {
            kind,
            text,
            is_apart,
        });
        rest = &rest[length..];
    }
}

fn is_word_part(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

fn skip_blanks(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start();
        let after_line = |text: &'static str| (text, "\n");
        let (_, end) = match rest {
            _ if rest.starts_with("--") => after_line("--"),
            _ if rest.starts_with('#') => after_line("#"),
            _ if rest.starts_with("/*") => ("/*", "*/"),
            _ => return rest,
        };
        rest = rest.find(end).map_or("", |at| &rest[at + end.len()..]);
    }
}

fn number(rest: &str) -> (Kind, String, usize) {
    let mut end = 0;
    let bytes = rest.as_bytes();
    while end < bytes.len() {
        let is_exponent_sign = matches!(bytes[end], b'+' | b'-')
            && end > 0
            && matches!(bytes[end - 1], b'e' | b'E')
            && !rest.starts_with("0x");
        if !(bytes[end].is_ascii_alphanumeric() || bytes[end] == b'.' || is_exponent_sign) {
            break;
        }
        end += 1;
    }
    let text = &rest[..end];
    // `1a` is a name, as in `1a.b`; nobody writes it.
    (Kind::Number, text.to_owned(), end)
}

fn quoted(rest: &str, quote: char) -> Result<(String, usize), String> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
                text.push(quote);
                continue;
            }
            return Ok((text, at + quote.len_utf8()));
        }
        if character == '\\' && quote != '`' {
            let Some((_, escaped)) = characters.next() else {
                break;
            };
            match escaped {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                '0' => text.push('\0'),
                // LIKE wants to see these.
                '%' | '_' => text.extend(['\\', escaped]),
                other => text.push(other),
            }
            continue;
        }
        text.push(character);
    }
    Err(format!("a text is not ended: {rest}"))
}

/// Reads tokens from the front.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [Token]);

impl<'a> Cursor<'a> {
    pub(crate) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    pub(crate) fn peek(&self) -> Option<&'a Token> {
        self.0.first()
    }

    /// Takes these words, if they are next.
    pub(crate) fn words(&mut self, words: &[&str]) -> bool {
        let are_next = self.0.len() >= words.len()
            && words
                .iter()
                .zip(self.0)
                .all(|(word, token)| token.is_word(word));
        if are_next {
            self.0 = &self.0[words.len()..];
        }
        are_next
    }

    pub(crate) fn sign(&mut self, sign: &str) -> bool {
        let is_next = self.peek().is_some_and(|token| token.is_sign(sign));
        if is_next {
            self.next();
        }
        is_next
    }

    pub(crate) fn name(&mut self) -> Result<String, String> {
        match self.next() {
            Some(token) if token.is_name() => Ok(token.text.clone()),
            Some(token) => Err(format!("a name is needed in place of '{}'", token.text)),
            None => Err("a name is needed at the end".into()),
        }
    }

    pub(crate) fn text(&mut self) -> Result<String, String> {
        match self.next() {
            Some(token) if token.kind == Kind::Text => Ok(token.text.clone()),
            Some(token) => Err(format!("a text is needed in place of '{}'", token.text)),
            None => Err("a text is needed at the end".into()),
        }
    }

    /// Reads `name`, `db.name` or `catalog.db.name`.
    pub(crate) fn path(&mut self) -> Result<(Option<String>, String), String> {
        let mut db = None;
        let mut name = self.name()?;
        while self.sign(".") {
            db = Some(std::mem::replace(&mut name, self.name()?));
        }
        Ok((db, name))
    }

    /// Takes what stands in the parentheses that open here, without them.
    pub(crate) fn group(&mut self) -> Result<&'a [Token], String> {
        if !self.sign("(") {
            let found = self.peek().map_or("the end", |token| token.text.as_str());
            return Err(format!("'(' is needed in place of {found}"));
        }
        let mut depth = 1;
        for (at, token) in self.0.iter().enumerate() {
            if token.is_sign("(") {
                depth += 1;
            } else if token.is_sign(")") {
                depth -= 1;
            }
            if depth == 0 {
                let inside = &self.0[..at];
                self.0 = &self.0[at + 1..];
                return Ok(inside);
            }
        }
        Err("a parenthesis is not closed".into())
    }
}

/// Cuts a list at its commas that stand in no parentheses.
pub(crate) fn split(list: &[Token]) -> Vec<&[Token]> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, token) in list.iter().enumerate() {
        if token.is_sign("(") || token.is_sign("<") {
            depth += 1;
        } else if token.is_sign(")") || token.is_sign(">") {
            depth -= 1;
        } else if token.is_sign(",") && depth == 0 {
            parts.push(&list[start..at]);
            start = at + 1;
        }
    }
    parts.push(&list[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_texts_names_and_comments() {
        let found = tokens(
            "SELECT `a``b`, 'it''s \\'\\n', \"x\" -- end\n/* c */ FROM t1.t2 WHERE x>=1.5e-3",
        )
        .unwrap();
        let texts: Vec<&str> = found.iter().map(|token| token.text.as_str()).collect();
        let expected = [
            "SELECT", "a`b", ",", "it's '\n", ",", "x", "FROM", "t1", ".", "t2", "WHERE", "x",
            ">=", "1.5e-3",
        ];
        assert_eq!(texts, expected);
        assert!(tokens("'open").is_err());
    }
}
