//! Lists between parentheses, with recovery at their commas.

use millrace_connector::{Diagnostic, Span};

use super::{Failed, Parse, Parser};
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// Reads `item, item)` after `(`; an item that fails is skipped, the list goes on at the next comma.
    ///
    /// Fails at the end, if an item failed or the list is not closed.
    pub(super) fn list_until_close<T>(
        &mut self,
        open: Span,
        mut item: impl FnMut(&mut Self) -> Parse<T>,
    ) -> Parse<Vec<T>> {
        let mut items = Vec::new();
        let mut failed = false;
        loop {
            match item(self) {
                Ok(value) => items.push(value),
                Err(Failed) => {
                    failed = true;
                    self.skip_item();
                }
            }
            if self.at_symbol(")") {
                self.advance();
                break;
            }
            if self.at_statement_end() || self.at_new_statement() {
                if !failed {
                    return Err(self.not_closed(")", open));
                }
                return Err(Failed);
            }
            if self.at_symbol(",") {
                let comma = self.advance().span;
                if self.at_symbol(")") {
                    self.trailing_comma(comma);
                    self.advance();
                    failed = true;
                    break;
                }
                continue;
            }
            failed = true;
            if self.starts_item() {
                self.missing_comma();
            } else {
                // Its report is what counts; the list goes on behind the next comma.
                let _reported: Failed = self.unexpected("`,` or `)`");
                self.skip_item();
                if !self.eat_symbol(",") && !self.at_symbol(")") {
                    return Err(Failed);
                }
                if self.eat_symbol(")") {
                    break;
                }
            }
        }
        if failed { Err(Failed) } else { Ok(items) }
    }

    /// Reads `item, item`; recovery is left to the caller.
    pub(super) fn comma_list<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Parse<T>,
    ) -> Parse<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_symbol(",") {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Reads `(item, item)` in an expression.
    pub(super) fn parenthesized_list<T>(
        &mut self,
        item: impl FnMut(&mut Self) -> Parse<T>,
    ) -> Parse<Vec<T>> {
        let open = self.expect_symbol("(")?;
        let items = self.comma_list(item)?;
        self.close_arguments(open)?;
        Ok(items)
    }

    /// Reads the `)` behind arguments; says "missing comma" where another argument begins instead.
    pub(super) fn close_arguments(&mut self, open: Span) -> Parse<Span> {
        if !self.at_symbol(")") && !self.at_statement_end() && self.starts_item() {
            self.missing_comma();
            return Err(Failed);
        }
        self.expect_close(")", open)
    }

    /// Tells whether a name or a value begins here, so that a comma is what is most likely missing.
    fn starts_item(&self) -> bool {
        match self.peek().kind {
            TokenKind::Quoted(_)
            | TokenKind::Text(..)
            | TokenKind::Exact
            | TokenKind::Approximate => true,
            TokenKind::Word => {
                self.at_ident() || self.at_any_word(&["PRIMARY", "WATERMARK", "CONSTRAINT"])
            }
            _ => false,
        }
    }

    pub(super) fn missing_comma(&mut self) {
        let previous = self.previous();
        let next = self.peek().span;
        let end = previous.end as usize;
        let _reported: Failed = self.report(
            Diagnostic::error("MR0209", "a comma is missing", Span::new(end, end))
                .label("`,` is missing here")
                .also(next, "the next item begins here")
                .help("separate the items with commas"),
        );
    }

    pub(super) fn trailing_comma(&mut self, comma: Span) {
        let _reported: Failed = self.report(
            Diagnostic::error("MR0211", "a comma stands behind the last item", comma)
                .label("nothing follows this comma")
                .help("remove the comma"),
        );
    }

    /// Skips to the next `,` or `)` of this list.
    fn skip_item(&mut self) {
        let mut depth = 0usize;
        while !self.at_statement_end() && !self.at_new_statement() {
            match self.peek().kind {
                TokenKind::Symbol("(" | "[") => depth += 1,
                TokenKind::Symbol("," | ")") if depth == 0 => return,
                TokenKind::Symbol(")" | "]") => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.advance();
        }
    }
}
