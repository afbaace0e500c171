//! Text to tokens: Flink's lexical rules, and the repair of quotes that do not match.
//!
//! # Flink
//! The back-tick lexical policy of Calcite with identifiers up to 128 bytes and string literals without
//! backslash escapes.

mod setting;

use millrace_connector::{Diagnostic, Span};

use crate::keyword::is_reserved;

/// What a token is. The text of words and numbers is in the source, at the token's span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    /// A word without quotes: keyword or name.
    Word,
    /// A name in back-ticks.
    Quoted(String),
    /// `'…'`, with its prefix.
    Text(TextPrefix, String),
    /// `1`, `1.5`, `.5`.
    Exact,
    /// `1e5`.
    Approximate,
    /// The key or the value of a SET or RESET without quotes.
    Bare,
    /// An operator or a separator.
    Symbol(&'static str),
    /// `/*+`.
    HintStart,
    /// `*/` of a hint.
    HintEnd,
    /// The end of the text.
    End,
}

/// What stands before a string literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextPrefix {
    /// Nothing, `N` or a character set such as `_UTF8`.
    None,
    /// `U&`.
    Unicode,
    /// `X`.
    Binary,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: TokenKind,
    /// Where it stands.
    pub(crate) span: Span,
}

/// Two-character symbols before their one-character beginnings.
const SYMBOLS: &[&str] = &[
    "||", "<>", "<=", ">=", "!=", "=>", "==", "(", ")", "[", "]", "{", "}", ",", ";", ".", "+",
    "-", "*", "/", "%", "=", "<", ">", "?", ":", "!", "|", "&", "^", "\"", "~", "@", "#", "\\",
];

/// Splits the text; the last token is always [`TokenKind::End`].
pub(crate) fn tokenize(text: &str) -> (Vec<Token>, Vec<Diagnostic>) {
    let mut lexer = Lexer {
        text,
        at: 0,
        in_hint: None,
        tokens: Vec::new(),
        diagnostics: Vec::new(),
    };
    lexer.run();
    (lexer.tokens, lexer.diagnostics)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Where the open hint begins.
    in_hint: Option<usize>,
    tokens: Vec<Token>,
    diagnostics: Vec<Diagnostic>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            match c {
                c if is_blank(c) => self.at += c.len_utf8(),
                '-' if self.rest().starts_with("--") => self.skip_line(),
                '/' if self.rest().starts_with("/*") => self.comment(),
                '*' if self.in_hint.is_some() && self.rest().starts_with("*/") => {
                    self.at += 2;
                    self.in_hint = None;
                    self.push(TokenKind::HintEnd, start);
                }
                '\'' => self.text_literal(start, TextPrefix::None),
                '`' => self.quoted_name(),
                c if c.is_ascii_digit() => self.number(),
                '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
                c if is_word_start(c) => self.word(),
                c => self.symbol(c),
            }
        }
        if let Some(start) = self.in_hint {
            let span = Span::new(start, start + 3);
            self.diagnostics.push(
                Diagnostic::error("MR0205", "this hint is not closed", span)
                    .help("close it with `*/`"),
            );
        }
        self.push(TokenKind::End, self.at);
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token {
            kind,
            span: Span::new(start, self.at),
        });
    }

    fn skip_line(&mut self) {
        self.at = line_end(self.text, self.at);
    }

    fn comment(&mut self) {
        let start = self.at;
        if self.rest().starts_with("/*+") {
            self.at += 3;
            self.in_hint = Some(start);
            self.push(TokenKind::HintStart, start);
            return;
        }
        match self.rest()[2..].find("*/") {
            Some(length) => self.at += 2 + length + 2,
            None => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "MR0205",
                        "this comment is not closed",
                        Span::new(start, start + 2),
                    )
                    .help("close it with `*/`"),
                );
                self.skip_line();
            }
        }
    }

    /// Reads `'…'` from the opening quote at `self.at`; `start` is where its prefix begins.
    fn text_literal(&mut self, start: usize, prefix: TextPrefix) {
        let open = self.at;
        let (value, close) = match scan_quoted(self.text, open, '\'') {
            Some((value, close)) => {
                if self.fits(open, close) {
                    (value, close)
                } else if self.text[open..close].contains('\n') {
                    self.unclosed_text(open)
                } else {
                    self.unescaped_quote(open, close)
                }
            }
            None => self.unclosed_text(open),
        };
        self.at = close;
        self.push(TokenKind::Text(prefix, value), start);
    }

    /// Tells whether what follows the closing quote (which ends at `close`) can follow a string.
    fn fits(&self, open: usize, close: usize) -> bool {
        let word: String = self.text[close..]
            .chars()
            .take_while(|c| is_word_part(*c))
            .collect();
        if word.is_empty() {
            return true;
        }
        let spans_lines = self.text[open..close].contains('\n');
        !spans_lines && word.len() > 1 && is_reserved(&word)
    }

    /// Ends a string that is never closed with its line, so that what follows is read as it was meant.
    fn unclosed_text(&mut self, open: usize) -> (String, usize) {
        self.diagnostics.push(
            Diagnostic::error(
                "MR0202",
                "this string is not closed",
                Span::new(open, open + 1),
            )
            .label("the string begins here")
            .help("close it with `'`; a quote inside a string is written twice: `''`"),
        );
        self.end_at_line(open)
    }

    /// Reports the quote that ends a string too early and reads on to the quote that was meant.
    fn unescaped_quote(&mut self, open: usize, close: usize) -> (String, usize) {
        let end = line_end(self.text, open);
        let meant = self.text[close..end]
            .match_indices('\'')
            .map(|(at, _)| close + at)
            .find(|at| {
                let after = self.text[at + 1..end].trim_start();
                after.is_empty()
                    || after.starts_with([',', ')', ';', '='])
                    || after.starts_with("--")
            });
        let word_start = self.text[..close - 1]
            .rfind(|c: char| !is_word_part(c))
            .map_or(0, |at| {
                at + self.text[at..].chars().next().map_or(1, char::len_utf8)
            });
        let word_end = close
            + self.text[close..]
                .find(|c: char| !is_word_part(c))
                .unwrap_or(self.text.len() - close);
        let before = &self.text[word_start..close - 1];
        let after = &self.text[close..word_end];
        self.diagnostics.push(
            Diagnostic::error(
                "MR0203",
                "this quote ends the string too early",
                Span::new(close - 1, close),
            )
            .label(format!("the string ends here, and `{after}` follows"))
            .also(Span::new(open, open + 1), "the string begins here")
            .help(format!(
                "write a quote inside a string twice: `{before}''{after}`"
            )),
        );
        match meant {
            Some(at) => (self.text[open + 1..at].replace("''", "'"), at + 1),
            None => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "MR0202",
                        "this string is not closed",
                        Span::new(open, open + 1),
                    )
                    .label("the string begins here")
                    .help("close it with `'` before the end of its line"),
                );
                self.end_at_line(open)
            }
        }
    }

    /// Takes a string from `open` to the end of its line, without a separator there.
    fn end_at_line(&self, open: usize) -> (String, usize) {
        let end = line_end(self.text, open);
        let line = self.text[open + 1..end].trim_end();
        let line = line.strip_suffix(';').unwrap_or(line);
        let line = line.strip_suffix([',', ')']).unwrap_or(line);
        (line.to_owned(), open + 1 + line.len())
    }

    fn quoted_name(&mut self) {
        let open = self.at;
        let line = line_end(self.text, open);
        let (value, close) = match scan_quoted(self.text, open, '`') {
            Some((value, close)) if close <= line => (value, close),
            _ => {
                self.diagnostics.push(
                    Diagnostic::error(
                        "MR0204",
                        "this back-tick is not closed",
                        Span::new(open, open + 1),
                    )
                    .label("the name begins here")
                    .help("close the name with a back-tick on the same line"),
                );
                let name: String = self.text[open + 1..line]
                    .chars()
                    .take_while(|c| is_word_part(*c))
                    .collect();
                let close = open + 1 + name.len();
                (name, close)
            }
        };
        self.at = close;
        self.push(TokenKind::Quoted(value), open);
    }

    fn number(&mut self) {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        self.at = digits(self.at);
        if bytes.get(self.at) == Some(&b'.') {
            self.at = digits(self.at + 1);
        }
        let mut kind = TokenKind::Exact;
        if matches!(bytes.get(self.at), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(self.at + 1), Some(b'+' | b'-')));
            let first = self.at + 1 + sign;
            if bytes.get(first).is_some_and(u8::is_ascii_digit) {
                self.at = digits(first);
                kind = TokenKind::Approximate;
            }
        }
        let tail: usize = self
            .rest()
            .chars()
            .take_while(|c| is_word_part(*c))
            .map(char::len_utf8)
            .sum();
        if tail > 0 {
            self.at += tail;
            let span = Span::new(start, self.at);
            self.diagnostics.push(
                Diagnostic::error(
                    "MR0206",
                    format!(
                        "`{}` is neither a number nor a name",
                        &self.text[span.range()]
                    ),
                    span,
                )
                .help("a name that begins with a digit is written in back-ticks"),
            );
            self.push(TokenKind::Quoted(self.text[span.range()].to_owned()), start);
            return;
        }
        self.push(kind, start);
    }

    fn word(&mut self) {
        let start = self.at;
        let length: usize = self
            .rest()
            .chars()
            .take_while(|c| is_word_part(*c))
            .map(char::len_utf8)
            .sum();
        let word = &self.text[start..start + length];
        let after = &self.text[start + length..];
        if after.starts_with('\'')
            && (word.eq_ignore_ascii_case("x") || word.eq_ignore_ascii_case("n"))
        {
            self.at += length;
            let binary = word.eq_ignore_ascii_case("x");
            let prefix = if binary {
                TextPrefix::Binary
            } else {
                TextPrefix::None
            };
            self.text_literal(start, prefix);
        } else if after.starts_with("&'") && word.eq_ignore_ascii_case("u") {
            self.at += length + 1;
            self.text_literal(start, TextPrefix::Unicode);
        } else if after.starts_with('\'') && is_character_set(word) {
            self.at += length;
            self.text_literal(start, TextPrefix::None);
        } else {
            self.at += length;
            self.push(TokenKind::Word, start);
            if self.begins_setting() {
                self.setting();
            }
        }
    }

    fn symbol(&mut self, c: char) {
        let start = self.at;
        if let Some(symbol) = SYMBOLS
            .iter()
            .find(|symbol| self.rest().starts_with(**symbol))
        {
            self.at += symbol.len();
            self.push(TokenKind::Symbol(symbol), start);
            return;
        }
        self.at += c.len_utf8();
        let message = format!(
            "`{}` (U+{:04X}) is no part of SQL",
            c.escape_debug(),
            u32::from(c)
        );
        let diagnostic = Diagnostic::error("MR0206", message, Span::new(start, self.at));
        self.diagnostics.push(match ascii_look_alike(c) {
            Some(ascii) => diagnostic.help(format!("write `{ascii}` instead")),
            None => diagnostic,
        });
        if let Some(ascii) = ascii_look_alike(c)
            && let Some(symbol) = SYMBOLS.iter().find(|symbol| **symbol == ascii)
        {
            self.push(TokenKind::Symbol(symbol), start);
        }
    }
}

/// Reads a text between `quote`s, which are doubled inside; returns it and one past the closing quote.
fn scan_quoted(text: &str, open: usize, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut from = open + 1;
    loop {
        let at = from + text[from..].find(quote)?;
        value.push_str(&text[from..at]);
        if !text[at + 1..].starts_with(quote) {
            return Some((value, at + 1));
        }
        value.push(quote);
        from = at + 2;
    }
}

fn line_end(text: &str, from: usize) -> usize {
    text[from..]
        .find('\n')
        .map_or(text.len(), |length| from + length)
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}' || c == '\u{0}'
}

/// # Flink
/// `LETTER` of Calcite's grammar, and the letters of scripts that it leaves out, such as Hangul.
fn is_word_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$' | '\u{100}'..='\u{1fff}' | '\u{3300}'..='\u{337f}')
}

fn is_word_part(c: char) -> bool {
    is_word_start(c) || c.is_alphanumeric()
}

fn is_character_set(word: &str) -> bool {
    word.len() > 1
        && word.starts_with('_')
        && word[1..]
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Returns what was meant by a character that input methods and word processors put in place of ASCII.
fn ascii_look_alike(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{2018}' | '\u{2019}' | '\u{ff07}' | '\u{00b4}' => "'",
        '\u{201c}' | '\u{201d}' | '\u{ff02}' => "'",
        '\u{ff0c}' | '\u{3001}' => ",",
        '\u{ff08}' => "(",
        '\u{ff09}' => ")",
        '\u{ff1b}' => ";",
        '\u{ff1d}' => "=",
        '\u{ff0e}' | '\u{3002}' => ".",
        '\u{2013}' | '\u{2014}' | '\u{2212}' | '\u{ff0d}' => "-",
        '\u{ff1e}' => ">",
        '\u{ff1c}' => "<",
        '\u{ff0a}' => "*",
        '\u{ff0b}' => "+",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[TokenKind]) {
        let (tokens, diagnostics) = tokenize(text);
        assert_eq!(diagnostics, [], "{text}");
        let kinds: Vec<_> = tokens.into_iter().map(|token| token.kind).collect();
        assert_eq!(&kinds[..kinds.len() - 1], expect, "{text}");
    }

    fn codes(text: &str) -> Vec<(&'static str, u32)> {
        let (_, diagnostics) = tokenize(text);
        diagnostics
            .iter()
            .map(|d| {
                (
                    d.code,
                    d.primary.as_ref().map_or(0, |label| label.span.start),
                )
            })
            .collect()
    }

    #[test]
    fn strings_have_no_backslash_escapes() {
        let text = |value: &str| TokenKind::Text(TextPrefix::None, value.into());
        check(
            r"'a\' 'it''s' ''''",
            &[text(r"a\"), text("it's"), text("'")],
        );
        check("'a;--b /* c */'", &[text("a;--b /* c */")]);
        check("N'x' _UTF8'y'", &[text("x"), text("y")]);
    }

    #[test]
    fn names_and_comments() {
        use TokenKind::{Quoted, Symbol, Word};
        check(
            "a --x'`\\\n`b``c` /* ' ` */ 中文_1$",
            &[Word, Quoted("b`c".into()), Word],
        );
        check("$lib $ a$b$ é$1 e\u{301}", &[Word, Word, Word, Word, Word]);
        check("a.b;", &[Word, Symbol("."), Word, Symbol(";")]);
        check(
            "t /*+ o */",
            &[Word, TokenKind::HintStart, Word, TokenKind::HintEnd],
        );
    }

    #[test]
    fn numbers() {
        use TokenKind::{Approximate, Exact, Symbol};
        check(
            "1 1. .5 1.5 1e5 1.0E-3",
            &[Exact, Exact, Exact, Exact, Approximate, Approximate],
        );
        check("1-1", &[Exact, Symbol("-"), Exact]);
    }

    #[test]
    fn quotes_that_do_not_match_are_found_where_they_stand() {
        assert_eq!(codes("comment 'User's number', b"), [("MR0203", 13)]);
        assert_eq!(
            codes("'topic' = 'a,\n 'format' = 'json'\n"),
            [("MR0202", 10)]
        );
        assert_eq!(codes("select 'abc"), [("MR0202", 7)]);
        assert_eq!(codes("select `abc\n from t"), [("MR0204", 7)]);
        assert_eq!(codes("select /* abc"), [("MR0205", 7)]);
        assert_eq!(codes("case when a then 'b'else 'c'end"), []);
        assert_eq!(codes("a，b"), [("MR0206", 1)]);
        assert_eq!(codes("1abc"), [("MR0206", 0)]);
    }
}
