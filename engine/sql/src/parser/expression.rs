//! Expressions by precedence climbing.
//!
//! # Flink
//! Binding powers are half of those in Calcite's `SqlStdOperatorTable`; all operators bind to the left.

use millrace_connector::Span;

use super::{Parse, Parser};
use crate::ast::{
    BinaryOperator, CaseBranch, Expr, ExprKind, IsTest, JsonKind, QuantifiedSet, UnaryOperator,
};
use crate::keyword::is_reserved;
use crate::lexer::TokenKind;

const OR: u8 = 11;
const AND: u8 = 12;
const NOT: u8 = 13;
const IS: u8 = 14;
const COMPARE: u8 = 15;
const LIKE: u8 = 16;
const MULTISET: u8 = 18;
const ADD: u8 = 20;
const MULTIPLY: u8 = 30;
const SIGN: u8 = 40;

/// An operator behind an expression.
#[derive(Clone, Copy)]
enum Infix {
    Binary(BinaryOperator, usize),
    Between,
    In,
    Like,
    Similar,
    Is,
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Parse<Expr> {
        self.nested(|parser| parser.expression_above(0))
    }

    /// Reads an expression that ends before IN, LIKE, comparisons and all that binds less.
    pub(super) fn expression_without_in(&mut self) -> Parse<Expr> {
        self.nested(|parser| parser.expression_above(LIKE))
    }

    /// Reads an expression whose operators bind tighter than `floor`.
    fn expression_above(&mut self, floor: u8) -> Parse<Expr> {
        let mut left = self.prefix()?;
        let mut links = 0;
        while let Some((infix, power, negated)) = self.infix() {
            if power <= floor {
                break;
            }
            let operator = self.peek().span;
            self.link(&mut links, operator)?;
            left = self.apply_infix(left, infix, power, negated)?;
        }
        Ok(left)
    }

    fn prefix(&mut self) -> Parse<Expr> {
        let start = self.peek().span;
        let (op, power) = if self.at_symbol("-") {
            (UnaryOperator::Minus, SIGN)
        } else if self.at_symbol("+") {
            (UnaryOperator::Plus, SIGN)
        } else if self.at_word("NOT") {
            (UnaryOperator::Not, NOT)
        } else {
            let primary = self.primary()?;
            return self.postfix(primary);
        };
        self.advance();
        let expr = self.nested(|parser| parser.expression_above(power))?;
        let kind = ExprKind::Unary {
            op,
            expr: Box::new(expr),
        };
        Ok(Expr::new(kind, self.since(start)))
    }

    fn postfix(&mut self, mut expr: Expr) -> Parse<Expr> {
        let mut links = 0;
        loop {
            let span = self.peek().span;
            if self.eat_symbol("[") {
                self.link(&mut links, span)?;
                let index = Box::new(self.expression()?);
                self.expect_close("]", span)?;
                let whole = self.since(expr.span);
                expr = Expr::new(
                    ExprKind::Item {
                        expr: Box::new(expr),
                        index,
                    },
                    whole,
                );
            } else if self.at_symbol(".") && self.is_ident_at(1) {
                self.link(&mut links, span)?;
                self.advance();
                let field = self.ident("a field name")?;
                let whole = self.since(expr.span);
                expr = Expr::new(
                    ExprKind::Field {
                        expr: Box::new(expr),
                        field,
                    },
                    whole,
                );
            } else {
                return Ok(expr);
            }
        }
    }

    /// Looks at the operator that comes next: what it is, how it binds, and whether NOT stands before it.
    fn infix(&self) -> Option<(Infix, u8, bool)> {
        if let TokenKind::Symbol(symbol) = self.peek().kind {
            use BinaryOperator as B;
            let (op, power) = match symbol {
                "+" => (B::Plus, ADD),
                "-" => (B::Minus, ADD),
                "*" => (B::Multiply, MULTIPLY),
                "/" => (B::Divide, MULTIPLY),
                "%" => (B::Modulo, MULTIPLY),
                "||" => (B::Concat, MULTIPLY),
                "=" => (B::Eq, COMPARE),
                "<>" => (B::NotEq, COMPARE),
                "<" => (B::Lt, COMPARE),
                "<=" => (B::LtEq, COMPARE),
                ">" => (B::Gt, COMPARE),
                ">=" => (B::GtEq, COMPARE),
                _ => return None,
            };
            return Some((Infix::Binary(op, 1), power, false));
        }
        let negated = self.at_word("NOT");
        let word = self.word_at(usize::from(negated))?.to_ascii_uppercase();
        match word.as_str() {
            "BETWEEN" => Some((Infix::Between, LIKE, negated)),
            "IN" => Some((Infix::In, LIKE, negated)),
            "LIKE" => Some((Infix::Like, LIKE, negated)),
            "SIMILAR" => Some((Infix::Similar, LIKE, negated)),
            _ if negated => None,
            "AND" => Some((Infix::Binary(BinaryOperator::And, 1), AND, false)),
            "OR" => Some((Infix::Binary(BinaryOperator::Or, 1), OR, false)),
            "IS" => Some((Infix::Is, IS, false)),
            "OVERLAPS" => Some((Infix::Binary(BinaryOperator::Overlaps, 1), COMPARE, false)),
            "MEMBER" if self.is_word_at(1, "OF") => {
                Some((Infix::Binary(BinaryOperator::MemberOf, 2), COMPARE, false))
            }
            "SUBMULTISET" if self.is_word_at(1, "OF") => Some((
                Infix::Binary(BinaryOperator::SubmultisetOf, 2),
                COMPARE,
                false,
            )),
            "MULTISET" => self.multiset_operator(),
            _ => None,
        }
    }

    fn multiset_operator(&self) -> Option<(Infix, u8, bool)> {
        let op = match self.word_at(1)?.to_ascii_uppercase().as_str() {
            "UNION" => BinaryOperator::MultisetUnion,
            "INTERSECT" => BinaryOperator::MultisetIntersect,
            "EXCEPT" => BinaryOperator::MultisetExcept,
            _ => return None,
        };
        let quantified = self.is_word_at(2, "ALL") || self.is_word_at(2, "DISTINCT");
        let words = if quantified { 3 } else { 2 };
        Some((Infix::Binary(op, words), MULTISET, false))
    }

    fn apply_infix(&mut self, left: Expr, infix: Infix, power: u8, negated: bool) -> Parse<Expr> {
        let start = left.span;
        let operator = self.peek().span;
        if negated {
            self.advance();
        }
        let expr = Box::new(left);
        let kind = match infix {
            Infix::Binary(op, words) => {
                for _ in 0..words {
                    self.advance();
                }
                let op_span = self.since(operator);
                self.binary(expr, op, op_span, power)?
            }
            Infix::Between => self.between(expr, negated)?,
            Infix::In => self.in_set(expr, negated)?,
            Infix::Like => {
                self.advance();
                self.like_pattern(expr, negated, false)?
            }
            Infix::Similar => {
                self.advance();
                self.expect_word("TO")?;
                self.like_pattern(expr, negated, true)?
            }
            Infix::Is => self.is_test(expr)?,
        };
        Ok(Expr::new(kind, self.since(start)))
    }

    fn binary(
        &mut self,
        left: Box<Expr>,
        op: BinaryOperator,
        op_span: Span,
        power: u8,
    ) -> Parse<ExprKind> {
        let comparison = matches!(
            op,
            BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
        );
        if comparison && self.at_any_word(&["SOME", "ANY", "ALL"]) && self.is_symbol_at(1, "(") {
            let all = self.at_word("ALL");
            self.advance();
            let right = if self.query_in_parentheses() {
                QuantifiedSet::Query(Box::new(self.parenthesized_query()?))
            } else {
                QuantifiedSet::List(self.parenthesized_list(|parser| parser.expression())?)
            };
            return Ok(ExprKind::Quantified {
                expr: left,
                op,
                all,
                right,
            });
        }
        let right = Box::new(self.nested(|parser| parser.expression_above(power))?);
        Ok(ExprKind::Binary {
            op,
            left,
            right,
            op_span,
        })
    }

    fn between(&mut self, expr: Box<Expr>, negated: bool) -> Parse<ExprKind> {
        self.expect_word("BETWEEN")?;
        let symmetric = self.eat_word("SYMMETRIC");
        if !symmetric {
            self.eat_word("ASYMMETRIC");
        }
        let low = Box::new(self.nested(|parser| parser.expression_above(LIKE))?);
        self.expect_word("AND")?;
        let high = Box::new(self.nested(|parser| parser.expression_above(LIKE))?);
        Ok(ExprKind::Between {
            expr,
            negated,
            symmetric,
            low,
            high,
        })
    }

    fn in_set(&mut self, expr: Box<Expr>, negated: bool) -> Parse<ExprKind> {
        self.expect_word("IN")?;
        if self.query_in_parentheses() {
            return Ok(ExprKind::InSubquery {
                expr,
                negated,
                query: Box::new(self.parenthesized_query()?),
            });
        }
        Ok(ExprKind::InList {
            expr,
            negated,
            list: self.parenthesized_list(|parser| parser.expression())?,
        })
    }

    fn like_pattern(&mut self, expr: Box<Expr>, negated: bool, similar: bool) -> Parse<ExprKind> {
        let pattern = Box::new(self.nested(|parser| parser.expression_above(LIKE))?);
        let escape = if self.eat_word("ESCAPE") {
            Some(Box::new(
                self.nested(|parser| parser.expression_above(LIKE))?,
            ))
        } else {
            None
        };
        Ok(ExprKind::Like {
            expr,
            negated,
            similar,
            pattern,
            escape,
        })
    }

    fn is_test(&mut self, expr: Box<Expr>) -> Parse<ExprKind> {
        self.expect_word("IS")?;
        let negated = self.eat_word("NOT");
        if self.eat_word("DISTINCT") {
            self.expect_word("FROM")?;
            let right = Box::new(self.nested(|parser| parser.expression_above(COMPARE))?);
            return Ok(ExprKind::IsDistinctFrom {
                left: expr,
                negated,
                right,
            });
        }
        let test = match self.word_at(0).map(str::to_ascii_uppercase).as_deref() {
            Some("NULL") => IsTest::Null,
            Some("TRUE") => IsTest::True,
            Some("FALSE") => IsTest::False,
            Some("UNKNOWN") => IsTest::Unknown,
            Some("EMPTY") => IsTest::Empty,
            Some("A") if self.is_word_at(1, "SET") => {
                self.advance();
                IsTest::Set
            }
            Some("JSON") => IsTest::Json(self.json_kind()),
            _ => return Err(self.unexpected("NULL, TRUE, FALSE, UNKNOWN, DISTINCT FROM or JSON")),
        };
        self.advance();
        Ok(ExprKind::Is {
            expr,
            negated,
            test,
        })
    }

    /// Looks behind JSON for a kind and stops at its last word.
    fn json_kind(&mut self) -> JsonKind {
        let kind = match self.word_at(1).map(str::to_ascii_uppercase).as_deref() {
            Some("VALUE") => JsonKind::Value,
            Some("SCALAR") => JsonKind::Scalar,
            Some("ARRAY") => JsonKind::Array,
            Some("OBJECT") => JsonKind::Object,
            _ => return JsonKind::Value,
        };
        self.advance();
        kind
    }

    fn primary(&mut self) -> Parse<Expr> {
        let start = self.peek().span;
        if let Some(literal) = self.literal()? {
            return Ok(literal);
        }
        let kind = match &self.peek().kind {
            TokenKind::Symbol("(") => return self.parenthesized(),
            TokenKind::Symbol("?") => {
                self.advance();
                ExprKind::Parameter
            }
            TokenKind::Symbol("{") => {
                self.advance();
                self.expect_word("FN")?;
                let call = self.expression()?;
                self.expect_symbol("}")?;
                call.kind
            }
            TokenKind::Quoted(_) => return self.name_or_call(),
            TokenKind::Word => return self.word_expression(),
            _ => return Err(self.unexpected("an expression")),
        };
        Ok(Expr::new(kind, self.since(start)))
    }

    /// Reads `(query)`, `(a)` or the row `(a, b)`.
    fn parenthesized(&mut self) -> Parse<Expr> {
        let open = self.peek().span;
        if self.query_in_parentheses() && !self.is_symbol_at(1, "(") {
            let query = Box::new(self.parenthesized_query()?);
            return Ok(Expr::new(ExprKind::Subquery(query), self.since(open)));
        }
        self.advance();
        let mut fields = self.comma_list(|parser| parser.expression())?;
        self.close_arguments(open)?;
        let span = self.since(open);
        if fields.len() == 1 {
            let inner = fields.remove(0);
            return self.difference(inner.kind, span);
        }
        let explicit = false;
        Ok(Expr::new(ExprKind::Row { explicit, fields }, span))
    }

    /// Reads the unit behind `(left - right)`, if there is one.
    fn difference(&mut self, kind: ExprKind, span: Span) -> Parse<Expr> {
        let units = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];
        match kind {
            ExprKind::Binary {
                op: BinaryOperator::Minus,
                left,
                right,
                ..
            } if self.at_any_word(&units) => {
                let qualifier = self.interval_qualifier()?;
                let kind = ExprKind::Difference {
                    left,
                    right,
                    qualifier,
                };
                Ok(Expr::new(kind, self.since(span)))
            }
            kind => Ok(Expr::new(kind, span)),
        }
    }

    /// Reads an expression that begins with a word: a name, a call or a form of its own.
    fn word_expression(&mut self) -> Parse<Expr> {
        let start = self.peek().span;
        let Some(word) = self.word_at(0) else {
            return Err(self.unexpected("an expression"));
        };
        let upper = word.to_ascii_uppercase();
        let bracket = self.is_symbol_at(1, "[");
        let call = self.is_symbol_at(1, "(");
        let kind = match upper.as_str() {
            "CASE" => self.case()?,
            "EXISTS" | "UNIQUE" if call => {
                self.advance();
                let query = Box::new(self.parenthesized_query()?);
                if upper == "EXISTS" {
                    ExprKind::Exists(query)
                } else {
                    ExprKind::Unique(query)
                }
            }
            "ARRAY" if bracket => ExprKind::Array(self.bracketed()?),
            "MAP" if bracket => ExprKind::Map(self.bracketed()?),
            "MULTISET" if bracket => ExprKind::Multiset(self.bracketed()?),
            "ARRAY" if call => self.collection_query("ARRAY")?,
            "MAP" if call => self.collection_query("MAP")?,
            "MULTISET" if call => self.collection_query("MULTISET")?,
            "ROW" if call => {
                self.advance();
                let open = self.advance().span;
                let fields = if self.at_symbol(")") {
                    Vec::new()
                } else {
                    self.comma_list(|parser| parser.expression())?
                };
                self.close_arguments(open)?;
                ExprKind::Row {
                    explicit: true,
                    fields,
                }
            }
            _ => match self.special_call(&upper, call)? {
                Some(kind) => kind,
                None => return self.name_or_call(),
            },
        };
        Ok(Expr::new(kind, self.since(start)))
    }

    fn collection_query(&mut self, word: &'static str) -> Parse<ExprKind> {
        self.advance();
        let query = Box::new(self.parenthesized_query()?);
        Ok(ExprKind::CollectionQuery(word, query))
    }

    /// Reads `word[a, b]`.
    fn bracketed(&mut self) -> Parse<Vec<Expr>> {
        self.advance();
        let open = self.expect_symbol("[")?;
        let items = if self.at_symbol("]") {
            Vec::new()
        } else {
            self.comma_list(|parser| parser.expression())?
        };
        self.expect_close("]", open)?;
        Ok(items)
    }

    fn case(&mut self) -> Parse<ExprKind> {
        let case = self.expect_word("CASE")?;
        let operand = if self.at_word("WHEN") {
            None
        } else {
            Some(Box::new(self.expression()?))
        };
        let mut branches = Vec::new();
        while self.eat_word("WHEN") {
            let when = self.comma_list(|parser| parser.expression())?;
            self.expect_word("THEN")?;
            let then = self.expression()?;
            branches.push(CaseBranch { when, then });
        }
        if branches.is_empty() {
            return Err(self.unexpected("`WHEN`"));
        }
        let otherwise = if self.eat_word("ELSE") {
            Some(Box::new(self.expression()?))
        } else {
            None
        };
        if !self.at_word("END") {
            let failed = self.unexpected("`END`");
            if let Some(diagnostic) = self.diagnostics.last_mut() {
                *diagnostic = diagnostic.clone().also(case, "of this CASE");
            }
            return Err(failed);
        }
        self.advance();
        Ok(ExprKind::Case {
            operand,
            branches,
            otherwise,
        })
    }

    /// Reads a name of any number of parts, or a call of the function of that name.
    fn name_or_call(&mut self) -> Parse<Expr> {
        if self.at_function_call() {
            return self.named_call();
        }
        if self.at_context_variable() {
            return Ok(self.context_variable());
        }
        if self.word_at(0).is_some_and(is_reserved) {
            return Err(self.not_a_name("an expression"));
        }
        let name = self.object_name("an expression")?;
        Ok(Expr::new(ExprKind::Identifier(name.parts), name.span))
    }
}
