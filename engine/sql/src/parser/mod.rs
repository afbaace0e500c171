//! Tokens to statements: a recursive-descent parser that reports and goes on.
//!
//! A production returns [`Failed`] after it has reported; whoever can find a place to go on (the next item of a list,
//! the next statement) catches it there.

mod data_type;
mod expression;
mod from;
mod function_call;
mod json;
mod list;
mod literal;
mod query;
mod statement;
mod table;
mod window;

use millrace_connector::{Diagnostic, FlinkType, Span, Spanned};

use crate::ast::{Expr, Ident, ObjectName, Query, Statement};
use crate::keyword::is_reserved;
use crate::lexer::{Token, TokenKind, tokenize};

/// How deep queries, expressions and types may nest.
pub const NESTING_DEPTH_MAX: usize = 128;
/// How many operators, joins or set operations one level may chain.
pub const CHAIN_LENGTH_MAX: usize = 500;
/// How many errors are collected before the parser gives up on a text.
pub const ERRORS_MAX: usize = 100;

/// What a text holds: the statements that could be read, and what is wrong with the rest.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The statements that could be read, in order; a span goes from the first word to the last, without `;`.
    /// One with a quote that was repaired is among them, so that its other errors are found too.
    pub statements: Vec<Spanned<Statement>>,
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Parses a whole file and reports all errors at once.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    let mut parser = Parser::new(text);
    let statements = parser.statements();
    Parsed {
        statements,
        diagnostics: parser.finish(),
    }
}

/// Parses one expression.
///
/// # Errors
/// What is wrong with it, in the order of the text; never empty.
pub fn parse_expression(text: &str) -> Result<Expr, Vec<Diagnostic>> {
    parse_whole(text, |parser| parser.expression())
}

/// Parses one query.
///
/// # Errors
/// What is wrong with it, in the order of the text; never empty.
pub fn parse_query(text: &str) -> Result<Query, Vec<Diagnostic>> {
    parse_whole(text, |parser| parser.query())
}

/// Parses one type such as `DECIMAL(10, 2) NOT NULL`.
///
/// # Errors
/// What is wrong with it, in the order of the text; never empty.
pub fn parse_type(text: &str) -> Result<FlinkType, Vec<Diagnostic>> {
    parse_whole(text, |parser| parser.data_type().map(|ty| ty.value))
}

fn parse_whole<T>(
    text: &str,
    production: impl FnOnce(&mut Parser<'_>) -> Parse<T>,
) -> Result<T, Vec<Diagnostic>> {
    let mut parser = Parser::new(text);
    let result = production(&mut parser);
    if result.is_ok() && !parser.at_end() {
        let _reported: Failed = parser.unexpected("the end of the text");
    }
    let diagnostics = parser.finish();
    match result {
        Ok(value) if !diagnostics.iter().any(Diagnostic::is_error) => Ok(value),
        _ => Err(diagnostics),
    }
}

/// A production that could not be read; it has been reported.
#[derive(Debug)]
struct Failed;

type Parse<T> = Result<T, Failed>;

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    /// Index of the next token; the last token is never passed.
    at: usize,
    depth: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let (tokens, diagnostics) = tokenize(text);
        Self {
            text,
            tokens,
            at: 0,
            depth: 0,
            diagnostics,
        }
    }

    /// Returns what was reported, in the order of the text.
    fn finish(mut self) -> Vec<Diagnostic> {
        self.diagnostics.sort_by_key(|diagnostic| {
            diagnostic
                .primary
                .as_ref()
                .map_or(0, |label| label.span.start)
        });
        self.diagnostics.truncate(ERRORS_MAX);
        self.diagnostics
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at]
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.at + ahead).min(last)]
    }

    fn at_end(&self) -> bool {
        self.peek().kind == TokenKind::End
    }

    fn advance(&mut self) -> Token {
        let token = self.tokens[self.at].clone();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    /// Returns the span of the token before the next one.
    fn previous(&self) -> Span {
        self.at
            .checked_sub(1)
            .map_or(Span::new(0, 0), |at| self.tokens[at].span)
    }

    /// Returns the span from `start` to the last token that was read.
    fn since(&self, start: Span) -> Span {
        start.to(self.previous().max(start))
    }

    fn source(&self, span: Span) -> &'a str {
        &self.text[span.range()]
    }

    fn word_at(&self, ahead: usize) -> Option<&'a str> {
        let token = self.peek_at(ahead);
        (token.kind == TokenKind::Word).then(|| &self.text[token.span.range()])
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        self.word_at(ahead)
            .is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    fn at_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    /// Tells whether these words come next.
    fn at_words(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(ahead, word)| self.is_word_at(ahead, word))
    }

    fn at_any_word(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.at_word(word))
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn eat_words(&mut self, words: &[&str]) -> bool {
        let found = self.at_words(words);
        if found {
            self.at += words.len();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Parse<Span> {
        if self.at_word(word) {
            return Ok(self.advance().span);
        }
        Err(self.unexpected(&format!("`{word}`")))
    }

    fn expect_words(&mut self, words: &[&str]) -> Parse<()> {
        for word in words {
            self.expect_word(word)?;
        }
        Ok(())
    }

    fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead).kind, TokenKind::Symbol(found) if found == symbol)
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        self.is_symbol_at(0, symbol)
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Parse<Span> {
        if self.at_symbol(symbol) {
            return Ok(self.advance().span);
        }
        Err(self.unexpected(&format!("`{symbol}`")))
    }

    /// Reads the `)` or `]` that belongs to `open`.
    fn expect_close(&mut self, close: &str, open: Span) -> Parse<Span> {
        if self.at_symbol(close) {
            return Ok(self.advance().span);
        }
        if self.at_statement_end() {
            return Err(self.not_closed(close, open));
        }
        Err(self.unexpected(&format!("`{close}`")))
    }

    fn not_closed(&mut self, close: &str, open: Span) -> Failed {
        let end = self.previous().end as usize;
        let opener = self.source(open).to_owned();
        self.report(
            Diagnostic::error("MR0210", format!("`{opener}` is not closed"), open)
                .label(format!("no `{close}` belongs to this"))
                .also(
                    Span::new(end, end),
                    format!("`{close}` is missing here, at the latest"),
                )
                .help(format!("add the missing `{close}`")),
        )
    }

    fn at_statement_end(&self) -> bool {
        self.at_end() || self.at_symbol(";")
    }

    /// Records `diagnostic` and fails the production.
    fn report(&mut self, diagnostic: Diagnostic) -> Failed {
        self.diagnostics.push(diagnostic);
        Failed
    }

    /// Reports that the next token is not what was `expected`.
    fn unexpected(&mut self, expected: &str) -> Failed {
        let token = self.peek().clone();
        let found = self.describe(&token);
        let mut diagnostic = Diagnostic::error(
            "MR0201",
            format!("expected {expected}, found {found}"),
            token.span,
        )
        .label(format!("expected {expected}"));
        if let TokenKind::Symbol(symbol) = token.kind
            && let Some(help) = foreign_symbol(symbol)
        {
            diagnostic.code = "MR0207";
            diagnostic.message = format!("`{symbol}` is no operator of Flink SQL");
            diagnostic = diagnostic.label("").help(help);
        }
        self.report(diagnostic)
    }

    /// Says in words what a token is.
    fn describe(&self, token: &Token) -> String {
        match &token.kind {
            TokenKind::End => "the end of the text".to_owned(),
            TokenKind::Text(..) => "a string".to_owned(),
            TokenKind::Word if is_reserved(self.source(token.span)) => {
                format!("the reserved word `{}`", self.source(token.span))
            }
            _ => format!("`{}`", self.source(token.span)),
        }
    }

    /// Enters one level of nesting; [`Self::leave`] must follow.
    fn enter(&mut self) -> Parse<()> {
        if self.depth == NESTING_DEPTH_MAX {
            let span = self.peek().span;
            // The rest of the statement is skipped: every level above would fail at the same place.
            return Err(self.report(
                Diagnostic::error("MR0217", "this is nested too deeply", span)
                    .label(format!("more than {NESTING_DEPTH_MAX} levels"))
                    .help("move inner parts into views"),
            ));
        }
        self.depth += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Runs a production one level deeper.
    fn nested<T>(&mut self, production: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        self.enter()?;
        let result = production(self);
        self.leave();
        result
    }

    /// Counts a link of a chain.
    fn link(&mut self, count: &mut usize, span: Span) -> Parse<()> {
        *count += 1;
        if *count <= CHAIN_LENGTH_MAX {
            return Ok(());
        }
        Err(self.report(
            Diagnostic::error("MR0217", "this chain is too long", span)
                .label(format!("more than {CHAIN_LENGTH_MAX} links"))
                .help("write IN (…) instead of a chain of OR, or put parts into parentheses"),
        ))
    }

    /// Tells whether the next token can be a name.
    fn at_ident(&self) -> bool {
        self.is_ident_at(0)
    }

    fn is_ident_at(&self, ahead: usize) -> bool {
        match self.peek_at(ahead).kind {
            TokenKind::Quoted(_) => true,
            TokenKind::Word => self.word_at(ahead).is_some_and(|word| !is_reserved(word)),
            _ => false,
        }
    }

    /// Reads a name; `what` says which, such as "a column name".
    fn ident(&mut self, what: &str) -> Parse<Ident> {
        if !self.at_ident() {
            return Err(self.not_a_name(what));
        }
        let token = self.advance();
        let (value, quoted) = match token.kind {
            TokenKind::Quoted(value) => (value, true),
            _ => (self.source(token.span).to_owned(), false),
        };
        Ok(Ident {
            value,
            quoted,
            span: token.span,
        })
    }

    fn not_a_name(&mut self, what: &str) -> Failed {
        let token = self.peek().clone();
        let word = self.source(token.span);
        if token.kind == TokenKind::Word {
            return self.report(
                Diagnostic::error(
                    "MR0208",
                    format!("`{word}` is a reserved word, {what} is expected"),
                    token.span,
                )
                .label("a reserved word")
                .help(format!("if it is a name, write it in back-ticks: `{word}`")),
            );
        }
        if let TokenKind::Text(_, value) = &token.kind {
            let value = value.clone();
            let failed = self.unexpected(what);
            if let Some(diagnostic) = self.diagnostics.last_mut() {
                diagnostic
                    .help
                    .push(format!("a name is written in back-ticks: `{value}`"));
            }
            return failed;
        }
        self.unexpected(what)
    }

    /// Reads a name of one or more parts.
    fn object_name(&mut self, what: &str) -> Parse<ObjectName> {
        let first = self.ident(what)?;
        let mut span = first.span;
        let mut parts = vec![first];
        while self.at_symbol(".") && !self.is_symbol_at(1, "*") {
            self.advance();
            let part = self.ident("a name")?;
            span = span.to(part.span);
            parts.push(part);
        }
        Ok(ObjectName { parts, span })
    }

    /// Reads a string literal.
    fn string(&mut self, what: &str) -> Parse<Spanned<String>> {
        if !matches!(self.peek().kind, TokenKind::Text(..)) {
            return Err(self.unexpected(what));
        }
        self.text_value()
    }

    /// Skips to the end of the statement, or to what looks like the beginning of the next one.
    fn skip_statement(&mut self) {
        while !self.at_statement_end() && !self.at_new_statement() {
            self.advance();
        }
    }

    /// Tells whether a line begins here with words that only a new statement can begin with.
    fn at_new_statement(&self) -> bool {
        let pairs: [(&str, &[&str]); 3] = [
            (
                "CREATE",
                &[
                    "TABLE",
                    "VIEW",
                    "TEMPORARY",
                    "FUNCTION",
                    "CATALOG",
                    "DATABASE",
                ],
            ),
            ("INSERT", &["INTO", "OVERWRITE"]),
            ("EXECUTE", &["STATEMENT", "INSERT"]),
        ];
        self.at_line_start()
            && pairs.iter().any(|(first, second)| {
                self.at_word(first) && second.iter().any(|word| self.is_word_at(1, word))
            })
    }

    /// Tells whether the next token is the first of its line.
    fn at_line_start(&self) -> bool {
        let start = self.peek().span.start as usize;
        let line = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        self.text[line..start].chars().all(char::is_whitespace)
    }
}

/// Says how Flink writes what other databases write with `symbol`.
fn foreign_symbol(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "!=" => "write `<>`",
        "==" => "write `=`",
        "\"" => "a string is written in single quotes, a name in back-ticks",
        "&" | "|" | "^" | "~" => "Flink SQL has no operators on bits",
        "!" => "write NOT",
        "#" => "a comment begins with `--`",
        "\\" => "a backslash means nothing outside strings: remove it",
        "$" | "@" => "write such a name in back-ticks",
        _ => return None,
    })
}
