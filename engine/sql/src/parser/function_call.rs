//! Calls: the plain form, and the forms with words between their arguments.

use millrace_connector::{Diagnostic, Span, Spanned};

use super::{Failed, Parse, Parser};
use crate::ast::{
    Expr, ExprKind, FunctionArgument, FunctionCall, Ident, ObjectName, TimeUnit, TrimSide,
};
use crate::keyword::{is_context_variable, is_function_word};

impl Parser<'_> {
    /// Reads a call that has words between its arguments; `None` if it is a plain one.
    pub(super) fn special_call(&mut self, word: &str, call: bool) -> Parse<Option<ExprKind>> {
        if !call {
            return Ok(None);
        }
        Ok(Some(match word {
            "CAST" => self.cast(false)?,
            "TRY_CAST" => self.cast(true)?,
            "EXTRACT" => self.extract()?,
            "TRIM" => self.trim()?,
            "POSITION" => self.position()?,
            "OVERLAY" => self.overlay()?,
            "SUBSTRING" => return self.substring(),
            "FLOOR" => return self.round_to(false),
            "CEIL" | "CEILING" => return self.round_to(true),
            "TIMESTAMPADD" => self.timestamp_add()?,
            "TIMESTAMPDIFF" => self.timestamp_diff()?,
            "JSON_VALUE" => self.json_value()?,
            "JSON_QUERY" => self.json_query()?,
            "JSON_EXISTS" => self.json_exists()?,
            "JSON_OBJECT" => self.json_object(false)?,
            "JSON_OBJECTAGG" => self.json_object(true)?,
            "JSON_ARRAY" => self.json_array(false)?,
            "JSON_ARRAYAGG" => self.json_array(true)?,
            "CONVERT" => {
                let span = self.peek().span;
                return Err(self.report(
                    Diagnostic::error("MR0218", "CONVERT is not supported", span)
                        .help("use CAST(value AS type), ENCODE or DECODE"),
                ));
            }
            _ => return Ok(None),
        }))
    }

    pub(super) fn boxed_expression(&mut self) -> Parse<Box<Expr>> {
        self.expression().map(Box::new)
    }

    fn cast(&mut self, try_cast: bool) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let expr = self.boxed_expression()?;
        self.expect_word("AS")?;
        let data_type = self.data_type()?;
        self.expect_close(")", open)?;
        Ok(ExprKind::Cast {
            try_cast,
            expr,
            data_type,
        })
    }

    fn extract(&mut self) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let unit = self.time_unit()?;
        self.expect_word("FROM")?;
        let expr = self.boxed_expression()?;
        self.expect_close(")", open)?;
        Ok(ExprKind::Extract { unit, expr })
    }

    fn trim(&mut self) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let side = if self.eat_word("BOTH") {
            Some(TrimSide::Both)
        } else if self.eat_word("LEADING") {
            Some(TrimSide::Leading)
        } else if self.eat_word("TRAILING") {
            Some(TrimSide::Trailing)
        } else {
            None
        };
        let mut characters = None;
        let expr = if side.is_some() && self.eat_word("FROM") {
            self.boxed_expression()?
        } else {
            let first = self.boxed_expression()?;
            if side.is_some() || self.at_word("FROM") {
                self.expect_word("FROM")?;
                characters = Some(first);
                self.boxed_expression()?
            } else {
                first
            }
        };
        self.expect_close(")", open)?;
        Ok(ExprKind::Trim {
            side: side.unwrap_or(TrimSide::Both),
            characters,
            expr,
        })
    }

    fn position(&mut self) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        // IN belongs to POSITION here, so the needle must be no larger expression.
        let needle = Box::new(self.expression_without_in()?);
        self.expect_word("IN")?;
        let expr = self.boxed_expression()?;
        let start = if self.eat_word("FROM") {
            Some(self.boxed_expression()?)
        } else {
            None
        };
        self.expect_close(")", open)?;
        Ok(ExprKind::Position {
            needle,
            expr,
            start,
        })
    }

    fn overlay(&mut self) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let expr = self.boxed_expression()?;
        self.expect_word("PLACING")?;
        let replacement = self.boxed_expression()?;
        self.expect_word("FROM")?;
        let start = self.boxed_expression()?;
        let length = if self.eat_word("FOR") {
            Some(self.boxed_expression()?)
        } else {
            None
        };
        self.expect_close(")", open)?;
        Ok(ExprKind::Overlay {
            expr,
            replacement,
            start,
            length,
        })
    }

    fn substring(&mut self) -> Parse<Option<ExprKind>> {
        let before = self.at;
        self.advance();
        let open = self.expect_symbol("(")?;
        let expr = self.boxed_expression()?;
        if !self.eat_word("FROM") {
            return self.plain_call_from(before, vec![*expr]).map(Some);
        }
        let start = self.boxed_expression()?;
        let length = if self.eat_word("FOR") {
            Some(self.boxed_expression()?)
        } else {
            None
        };
        self.expect_close(")", open)?;
        Ok(Some(ExprKind::Substring {
            expr,
            start,
            length,
        }))
    }

    fn round_to(&mut self, ceil: bool) -> Parse<Option<ExprKind>> {
        let before = self.at;
        self.advance();
        let open = self.expect_symbol("(")?;
        let expr = self.boxed_expression()?;
        if !self.eat_word("TO") {
            return self.plain_call_from(before, vec![*expr]).map(Some);
        }
        let unit = self.time_unit()?;
        self.expect_close(")", open)?;
        Ok(Some(ExprKind::RoundTo { ceil, expr, unit }))
    }

    /// Finishes a call whose name is the token at `name_at` and whose first arguments have been read.
    fn plain_call_from(&mut self, name_at: usize, first: Vec<Expr>) -> Parse<ExprKind> {
        let span = self.tokens[name_at].span;
        let open = self.tokens[name_at + 1].span;
        let mut args: Vec<FunctionArgument> = first
            .into_iter()
            .map(|value| FunctionArgument { name: None, value })
            .collect();
        while self.eat_symbol(",") {
            args.push(self.argument()?);
        }
        self.close_arguments(open)?;
        let mut call = self.empty_call(self.ident_of(name_at));
        call.args = args;
        call.parenthesized = true;
        self.call_tail(&mut call)?;
        call.span = self.since(span);
        Ok(ExprKind::Function(Box::new(call)))
    }

    fn ident_of(&self, at: usize) -> Ident {
        let span = self.tokens[at].span;
        Ident {
            value: self.source(span).to_owned(),
            quoted: false,
            span,
        }
    }

    fn empty_call(&self, name: Ident) -> FunctionCall {
        let span = name.span;
        FunctionCall {
            name: ObjectName {
                parts: vec![name],
                span,
            },
            parenthesized: false,
            distinct: false,
            args: Vec::new(),
            within_group: Vec::new(),
            filter: None,
            ignore_nulls: None,
            over: None,
            span,
        }
    }

    fn timestamp_add(&mut self) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let unit = self.timestamp_unit()?;
        self.expect_symbol(",")?;
        let count = self.boxed_expression()?;
        self.expect_symbol(",")?;
        let expr = self.boxed_expression()?;
        self.expect_close(")", open)?;
        Ok(ExprKind::TimestampAdd { unit, count, expr })
    }

    fn timestamp_diff(&mut self) -> Parse<ExprKind> {
        self.advance();
        let open = self.expect_symbol("(")?;
        let unit = self.timestamp_unit()?;
        self.expect_symbol(",")?;
        let from = self.boxed_expression()?;
        self.expect_symbol(",")?;
        let to = self.boxed_expression()?;
        self.expect_close(")", open)?;
        Ok(ExprKind::TimestampDiff { unit, from, to })
    }

    /// Reads the unit of EXTRACT, FLOOR and CEIL.
    fn time_unit(&mut self) -> Parse<Spanned<TimeUnit>> {
        let unit = match self.word_at(0).map(str::to_ascii_uppercase).as_deref() {
            Some("MILLENNIUM") => TimeUnit::Millennium,
            Some("CENTURY") => TimeUnit::Century,
            Some("DECADE") => TimeUnit::Decade,
            Some("ISOYEAR") => TimeUnit::IsoYear,
            Some("DOW") => TimeUnit::DayOfWeek,
            Some("ISODOW") => TimeUnit::IsoDayOfWeek,
            Some("DOY") => TimeUnit::DayOfYear,
            Some("MILLISECOND") => TimeUnit::Millisecond,
            Some("MICROSECOND") => TimeUnit::Microsecond,
            Some("NANOSECOND") => TimeUnit::Nanosecond,
            Some("EPOCH") => TimeUnit::Epoch,
            word => match word.and_then(plain_unit) {
                Some(unit) => unit,
                None => return Err(self.unexpected("a unit such as YEAR, DAY or SECOND")),
            },
        };
        Ok(Spanned::new(unit, self.advance().span))
    }

    /// Reads the unit of TIMESTAMPADD and TIMESTAMPDIFF.
    fn timestamp_unit(&mut self) -> Parse<Spanned<TimeUnit>> {
        let word = self.word_at(0).map(str::to_ascii_uppercase);
        let word = word.as_deref().unwrap_or_default();
        let unit = match word.strip_prefix("SQL_TSI_").unwrap_or(word) {
            "FRAC_SECOND" if word.starts_with("SQL_TSI_") => Some(TimeUnit::Nanosecond),
            "FRAC_SECOND" | "MICROSECOND" => Some(TimeUnit::Microsecond),
            "NANOSECOND" => Some(TimeUnit::Nanosecond),
            word => plain_unit(word),
        };
        let Some(unit) = unit else {
            return Err(self.unexpected("SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, QUARTER or YEAR"));
        };
        Ok(Spanned::new(unit, self.advance().span))
    }

    /// Tells whether a call of a function by name begins here.
    pub(super) fn at_function_call(&self) -> bool {
        if self.is_symbol_at(1, "(") {
            return self.at_ident() || self.word_at(0).is_some_and(is_function_word);
        }
        let mut ahead = 0;
        while self.is_ident_at(ahead) && self.is_symbol_at(ahead + 1, ".") {
            ahead += 2;
        }
        ahead > 0 && self.is_ident_at(ahead) && self.is_symbol_at(ahead + 1, "(")
    }

    pub(super) fn at_context_variable(&self) -> bool {
        self.word_at(0).is_some_and(is_context_variable)
    }

    pub(super) fn context_variable(&mut self) -> Expr {
        let name = self.ident_of(self.at);
        let span = self.advance().span;
        Expr::new(ExprKind::Function(Box::new(self.empty_call(name))), span)
    }

    pub(super) fn named_call(&mut self) -> Parse<Expr> {
        let call = self.function_call()?;
        let span = call.span;
        Ok(Expr::new(ExprKind::Function(Box::new(call)), span))
    }

    pub(super) fn function_call(&mut self) -> Parse<FunctionCall> {
        let start = self.peek().span;
        let name = if self.at_ident() {
            self.object_name("a function name")?
        } else {
            let name = self.ident_of(self.at);
            let span = self.advance().span;
            ObjectName {
                parts: vec![name],
                span,
            }
        };
        let open = self.expect_symbol("(")?;
        let mut call = self.empty_call(name.last().clone());
        call.name = name;
        call.parenthesized = true;
        if self.eat_word("DISTINCT") {
            call.distinct = true;
        } else {
            self.eat_word("ALL");
        }
        if !self.at_symbol(")") {
            call.args = self.arguments(open)?;
        }
        self.close_arguments(open)?;
        self.call_tail(&mut call)?;
        call.span = self.since(start);
        Ok(call)
    }

    fn arguments(&mut self, open: Span) -> Parse<Vec<FunctionArgument>> {
        let mut args = vec![self.argument()?];
        while self.at_symbol(",") {
            let comma = self.advance().span;
            if self.at_symbol(")") {
                self.trailing_comma(comma);
                self.advance();
                return Err(Failed);
            }
            if self.at_statement_end() {
                return Err(self.not_closed(")", open));
            }
            args.push(self.argument()?);
        }
        Ok(args)
    }

    /// Reads an argument: a value, `name => value`, `*`, `TABLE t`, `DESCRIPTOR(a)`, `DEFAULT`, a query.
    fn argument(&mut self) -> Parse<FunctionArgument> {
        let name = if self.at_ident() && self.is_symbol_at(1, "=>") {
            let name = self.ident("a parameter name")?;
            self.expect_symbol("=>")?;
            Some(name)
        } else {
            None
        };
        let start = self.peek().span;
        let kind = if self.at_symbol("*") {
            self.advance();
            ExprKind::Star
        } else if self.at_word("DEFAULT") {
            self.advance();
            ExprKind::Default
        } else if self.at_word("TABLE") && self.is_ident_at(1) {
            self.advance();
            ExprKind::TableArgument(self.object_name("a table name")?)
        } else if self.at_word("DESCRIPTOR") && self.is_symbol_at(1, "(") {
            self.advance();
            ExprKind::Descriptor(self.parenthesized_list(|parser| parser.ident("a column name"))?)
        } else if self.at_query_start() && !self.at_symbol("(") {
            ExprKind::Subquery(Box::new(self.query()?))
        } else {
            let value = self.expression()?;
            return Ok(FunctionArgument { name, value });
        };
        let value = Expr::new(kind, self.since(start));
        Ok(FunctionArgument { name, value })
    }

    /// Reads what may follow a call's parentheses: WITHIN GROUP, IGNORE NULLS, FILTER, OVER.
    pub(super) fn call_tail(&mut self, call: &mut FunctionCall) -> Parse<()> {
        if self.eat_words(&["WITHIN", "GROUP"]) {
            let open = self.expect_symbol("(")?;
            call.within_group = self.order_by()?;
            self.expect_close(")", open)?;
        }
        if self.eat_words(&["IGNORE", "NULLS"]) {
            call.ignore_nulls = Some(true);
        } else if self.eat_words(&["RESPECT", "NULLS"]) {
            call.ignore_nulls = Some(false);
        }
        if self.at_word("FILTER") && self.is_symbol_at(1, "(") {
            self.advance();
            let open = self.advance().span;
            self.expect_word("WHERE")?;
            call.filter = Some(self.expression()?);
            self.expect_close(")", open)?;
        }
        if self.eat_word("OVER") {
            call.over = Some(self.over()?);
        }
        Ok(())
    }
}

fn plain_unit(word: &str) -> Option<TimeUnit> {
    Some(match word {
        "YEAR" => TimeUnit::Year,
        "QUARTER" => TimeUnit::Quarter,
        "MONTH" => TimeUnit::Month,
        "WEEK" => TimeUnit::Week,
        "DAY" => TimeUnit::Day,
        "HOUR" => TimeUnit::Hour,
        "MINUTE" => TimeUnit::Minute,
        "SECOND" => TimeUnit::Second,
        _ => return None,
    })
}
