//! OVER windows and hints.

use millrace_connector::Spanned;

use super::{Parse, Parser};
use crate::ast::{FrameBound, Hint, NamedWindow, Over, WindowFrame, WindowSpec};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(super) fn over(&mut self) -> Parse<Over> {
        if self.at_symbol("(") {
            return self.window_spec().map(Over::Spec);
        }
        self.ident("a window").map(Over::Name)
    }

    pub(super) fn named_window(&mut self) -> Parse<NamedWindow> {
        let name = self.ident("a window name")?;
        self.expect_word("AS")?;
        let window = self.window_spec()?;
        Ok(NamedWindow { name, window })
    }

    fn window_spec(&mut self) -> Parse<WindowSpec> {
        let open = self.expect_symbol("(")?;
        let base = if self.at_ident() {
            Some(self.ident("a window name")?)
        } else {
            None
        };
        let partition_by = if self.eat_words(&["PARTITION", "BY"]) {
            self.comma_list(Self::expression)?
        } else {
            Vec::new()
        };
        let order_by = if self.at_word("ORDER") {
            self.order_by()?
        } else {
            Vec::new()
        };
        let frame = if self.at_any_word(&["ROWS", "RANGE"]) {
            Some(self.frame()?)
        } else {
            None
        };
        self.expect_close(")", open)?;
        Ok(WindowSpec {
            base,
            partition_by,
            order_by,
            frame,
            span: self.since(open),
        })
    }

    fn frame(&mut self) -> Parse<WindowFrame> {
        let rows = self.at_word("ROWS");
        let first = self.advance().span;
        let (start, end) = if self.eat_word("BETWEEN") {
            let start = self.frame_bound()?;
            self.expect_word("AND")?;
            (start, Some(self.frame_bound()?))
        } else {
            (self.frame_bound()?, None)
        };
        Ok(WindowFrame {
            rows,
            start,
            end,
            span: self.since(first),
        })
    }

    fn frame_bound(&mut self) -> Parse<FrameBound> {
        if self.eat_words(&["CURRENT", "ROW"]) {
            return Ok(FrameBound::CurrentRow);
        }
        if self.eat_words(&["UNBOUNDED", "PRECEDING"]) {
            return Ok(FrameBound::UnboundedPreceding);
        }
        if self.eat_words(&["UNBOUNDED", "FOLLOWING"]) {
            return Ok(FrameBound::UnboundedFollowing);
        }
        // AND belongs to BETWEEN here.
        let expr = Box::new(self.expression_without_in()?);
        if self.eat_word("PRECEDING") {
            return Ok(FrameBound::Preceding(expr));
        }
        self.expect_word("FOLLOWING")?;
        Ok(FrameBound::Following(expr))
    }

    /// Reads `/*+ NAME(…), NAME(…) */`, if it is there.
    pub(super) fn hints(&mut self) -> Parse<Vec<Hint>> {
        if self.peek().kind != TokenKind::HintStart {
            return Ok(Vec::new());
        }
        self.advance();
        let mut hints = Vec::new();
        while self.peek().kind != TokenKind::HintEnd {
            hints.push(self.hint()?);
            self.eat_symbol(",");
        }
        self.advance();
        Ok(hints)
    }

    fn hint(&mut self) -> Parse<Hint> {
        let name = self.ident("the name of a hint")?;
        let mut options = Vec::new();
        let mut arguments = Vec::new();
        if self.at_symbol("(") {
            let open = self.advance().span;
            while !self.at_symbol(")") {
                let value = self.hint_value()?;
                if self.eat_symbol("=") {
                    options.push((value, self.hint_value()?));
                } else {
                    arguments.push(value);
                }
                if !self.eat_symbol(",") {
                    break;
                }
            }
            self.expect_close(")", open)?;
        }
        let span = self.since(name.span);
        Ok(Hint {
            name,
            options,
            arguments,
            span,
        })
    }

    fn hint_value(&mut self) -> Parse<Spanned<String>> {
        match self.peek().kind {
            TokenKind::Text(..) => self.string("a value in quotes"),
            TokenKind::Exact => {
                let span = self.advance().span;
                Ok(Spanned::new(self.source(span).to_owned(), span))
            }
            _ => {
                let name = self.object_name("a name or a value in quotes")?;
                Ok(Spanned::new(name.to_string(), name.span))
            }
        }
    }
}
