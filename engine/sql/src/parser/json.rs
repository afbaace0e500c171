//! The JSON functions of the SQL standard.

use millrace_connector::{Diagnostic, Span};

use super::{Parse, Parser};
use crate::ast::{
    Expr, ExprKind, JsonExistsOnError, JsonOnNull, JsonQuery, JsonQueryBehavior, JsonValue,
    JsonValueBehavior, JsonWrapper,
};

/// What a behaviour stands for: `… ON EMPTY` or `… ON ERROR`.
enum Occasion {
    Empty,
    Error,
}

impl Parser<'_> {
    /// Reads `name(input, path`; returns where the parenthesis stands.
    fn json_head(&mut self) -> Parse<(Span, Expr, Expr)> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let input = self.expression()?;
        self.refuse_json_format()?;
        self.expect_symbol(",")?;
        let path = self.expression()?;
        if self.at_word("PASSING") {
            let span = self.peek().span;
            return Err(self.report(
                Diagnostic::error("MR0218", "PASSING is not supported", span)
                    .help("write the value into the path"),
            ));
        }
        Ok((open, input, path))
    }

    fn refuse_json_format(&mut self) -> Parse<()> {
        if !self.at_words(&["FORMAT", "JSON"]) {
            return Ok(());
        }
        let span = self.peek().span.to(self.peek_at(1).span);
        Err(self.report(
            Diagnostic::error("MR0218", "FORMAT JSON is not supported", span)
                .help("remove it: the value is read as JSON anyway"),
        ))
    }

    fn occasion(&mut self) -> Parse<Occasion> {
        self.expect_word("ON")?;
        if self.eat_word("EMPTY") {
            return Ok(Occasion::Empty);
        }
        self.expect_word("ERROR")?;
        Ok(Occasion::Error)
    }

    pub(super) fn json_value(&mut self) -> Parse<ExprKind> {
        let (open, input, path) = self.json_head()?;
        let returning = if self.eat_word("RETURNING") {
            Some(self.data_type()?)
        } else {
            None
        };
        let (mut on_empty, mut on_error) = (None, None);
        loop {
            let behavior = if self.eat_word("NULL") {
                JsonValueBehavior::Null
            } else if self.eat_word("ERROR") {
                JsonValueBehavior::Error
            } else if self.eat_word("DEFAULT") {
                JsonValueBehavior::Default(self.expression()?)
            } else {
                break;
            };
            match self.occasion()? {
                Occasion::Empty => on_empty = Some(behavior),
                Occasion::Error => on_error = Some(behavior),
            }
        }
        self.expect_close(")", open)?;
        Ok(ExprKind::JsonValue(Box::new(JsonValue {
            input,
            path,
            returning,
            on_empty,
            on_error,
        })))
    }

    pub(super) fn json_query(&mut self) -> Parse<ExprKind> {
        let (open, input, path) = self.json_head()?;
        let wrapper = self.json_wrapper()?;
        let (mut on_empty, mut on_error) = (None, None);
        loop {
            let behavior = if self.eat_word("NULL") {
                JsonQueryBehavior::Null
            } else if self.eat_word("ERROR") {
                JsonQueryBehavior::Error
            } else if self.eat_words(&["EMPTY", "ARRAY"]) {
                JsonQueryBehavior::EmptyArray
            } else if self.eat_words(&["EMPTY", "OBJECT"]) {
                JsonQueryBehavior::EmptyObject
            } else {
                break;
            };
            match self.occasion()? {
                Occasion::Empty => on_empty = Some(behavior),
                Occasion::Error => on_error = Some(behavior),
            }
        }
        self.expect_close(")", open)?;
        Ok(ExprKind::JsonQuery(Box::new(JsonQuery {
            input,
            path,
            wrapper,
            on_empty,
            on_error,
        })))
    }

    fn json_wrapper(&mut self) -> Parse<Option<JsonWrapper>> {
        let wrapper = if self.eat_word("WITHOUT") {
            JsonWrapper::Without
        } else if self.eat_word("WITH") {
            if self.eat_word("CONDITIONAL") {
                JsonWrapper::Conditional
            } else {
                self.eat_word("UNCONDITIONAL");
                JsonWrapper::Unconditional
            }
        } else {
            return Ok(None);
        };
        self.eat_word("ARRAY");
        self.expect_word("WRAPPER")?;
        Ok(Some(wrapper))
    }

    pub(super) fn json_exists(&mut self) -> Parse<ExprKind> {
        let (open, input, path) = self.json_head()?;
        let on_error = if self.eat_word("TRUE") {
            Some(JsonExistsOnError::True)
        } else if self.eat_word("FALSE") {
            Some(JsonExistsOnError::False)
        } else if self.eat_word("UNKNOWN") {
            Some(JsonExistsOnError::Unknown)
        } else if self.eat_word("ERROR") {
            Some(JsonExistsOnError::Error)
        } else {
            None
        };
        if on_error.is_some() {
            self.expect_words(&["ON", "ERROR"])?;
        }
        self.expect_close(")", open)?;
        Ok(ExprKind::JsonExists {
            input: Box::new(input),
            path: Box::new(path),
            on_error,
        })
    }

    fn json_on_null(&mut self) -> Option<JsonOnNull> {
        if self.eat_words(&["NULL", "ON", "NULL"]) {
            Some(JsonOnNull::Null)
        } else if self.eat_words(&["ABSENT", "ON", "NULL"]) {
            Some(JsonOnNull::Absent)
        } else {
            None
        }
    }

    fn at_json_on_null(&self) -> bool {
        self.at_words(&["NULL", "ON", "NULL"]) || self.at_words(&["ABSENT", "ON", "NULL"])
    }

    pub(super) fn json_object(&mut self, aggregate: bool) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let mut entries = Vec::new();
        if !self.at_symbol(")") && !self.at_json_on_null() {
            entries.push(self.json_entry()?);
            while !aggregate && self.eat_symbol(",") {
                entries.push(self.json_entry()?);
            }
        }
        if aggregate && entries.is_empty() {
            return Err(self.unexpected("a key"));
        }
        let on_null = self.json_on_null();
        self.close_arguments(open)?;
        Ok(ExprKind::JsonObject {
            aggregate,
            entries,
            on_null,
        })
    }

    /// Reads `[KEY] key VALUE value` or `key : value`.
    fn json_entry(&mut self) -> Parse<(Expr, Expr)> {
        let with_key = self.at_word("KEY")
            && !self.is_word_at(1, "VALUE")
            && !self.is_symbol_at(1, ":")
            && !self.is_symbol_at(1, ".");
        if with_key {
            self.advance();
        }
        let key = self.expression()?;
        if !with_key && self.at_symbol(":") {
            self.advance();
        } else {
            self.expect_word("VALUE")?;
        }
        let value = self.expression()?;
        self.refuse_json_format()?;
        Ok((key, value))
    }

    pub(super) fn json_array(&mut self, aggregate: bool) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let mut items = Vec::new();
        if !self.at_symbol(")") && !self.at_json_on_null() {
            items.push(self.expression()?);
            self.refuse_json_format()?;
            while !aggregate && self.eat_symbol(",") {
                items.push(self.expression()?);
                self.refuse_json_format()?;
            }
        }
        if aggregate && items.is_empty() {
            return Err(self.unexpected("an expression"));
        }
        let on_null = self.json_on_null();
        self.close_arguments(open)?;
        Ok(ExprKind::JsonArray {
            aggregate,
            items,
            on_null,
        })
    }
}
