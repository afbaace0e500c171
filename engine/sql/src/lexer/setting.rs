//! `SET key = value` and `RESET key` without quotes, which are no SQL: `10s` is no number and `2048m` no name.
//!
//! # Flink
//! `SetOperationParseStrategy` looks at the statement before the SQL parser does. A key is anything without blanks and
//! single quotes, a value anything without blanks or a text in single quotes. Here a value may have blanks too: it ends
//! with its line or at `;`.

use super::{Lexer, TokenKind, is_blank};

impl Lexer<'_> {
    /// Tells whether the word that was just pushed begins a SET or RESET.
    pub(super) fn begins_setting(&self) -> bool {
        let word = self.tokens.len() - 1;
        let is_first = word == 0 || self.tokens[word - 1].kind == TokenKind::Symbol(";");
        let text = &self.text[self.tokens[word].span.range()];
        is_first && (text.eq_ignore_ascii_case("SET") || text.eq_ignore_ascii_case("RESET"))
    }

    /// Reads the key, and the value where it is not in quotes.
    pub(super) fn setting(&mut self) {
        self.skip_blanks();
        let start = self.at;
        let end = self.text[start..]
            .find(|c: char| is_blank(c) || c == '\'' || c == ';')
            .map_or(self.text.len(), |length| start + length);
        if start == end || self.rest().starts_with("--") || self.rest().starts_with("/*") {
            return;
        }
        let behind = self.text[end..].trim_start_matches(is_blank);
        let assign = match behind.strip_prefix('=') {
            Some(value) => Some((end, self.text.len() - value.len() - 1)),
            None => self.text[start..end]
                .rfind('=')
                .map(|at| (start + at, start + at)),
        };
        let Some((key_end, equals)) = assign else {
            self.at = end;
            self.push(TokenKind::Bare, start);
            return;
        };
        if key_end > start {
            self.at = key_end;
            self.push(TokenKind::Bare, start);
        }
        self.at = equals + 1;
        self.push(TokenKind::Symbol("="), equals);
        self.skip_blanks();
        if !self.rest().starts_with('\'') {
            self.bare_value();
        }
    }

    fn bare_value(&mut self) {
        let start = self.at;
        let line = self.rest().split(['\n', ';']).next().unwrap_or_default();
        let length = [" --", "\t--", " /*", "\t/*"]
            .iter()
            .filter_map(|comment| line.find(comment))
            .min()
            .unwrap_or(line.len());
        let value = line[..length].trim_end_matches(is_blank);
        if !value.is_empty() {
            self.at += value.len();
            self.push(TokenKind::Bare, start);
        }
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_blank).len();
    }
}
