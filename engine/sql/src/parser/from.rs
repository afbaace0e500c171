//! FROM: tables, subqueries, functions and joins.

use millrace_connector::Span;

use super::{Parse, Parser};
use crate::ast::{JoinConstraint, JoinKind, TableAlias, TableRef, TableRefKind};

impl Parser<'_> {
    /// Reads a table and the joins behind it.
    pub(super) fn table_ref(&mut self) -> Parse<TableRef> {
        self.nested(Self::joined_tables)
    }

    fn joined_tables(&mut self) -> Parse<TableRef> {
        let mut left = self.table_factor()?;
        let mut links = 0;
        loop {
            let start = self.peek().span;
            let natural = self.at_word("NATURAL");
            let Some((kind, words)) = self.join_kind(usize::from(natural)) else {
                return Ok(left);
            };
            self.at += words + usize::from(natural);
            self.link(&mut links, start)?;
            let right = self.table_factor()?;
            let constraint = self.join_constraint()?;
            let span = self.since(left.span);
            left = TableRef {
                kind: TableRefKind::Join {
                    left: Box::new(left),
                    right: Box::new(right),
                    kind,
                    natural,
                    constraint,
                },
                span,
            };
        }
    }

    /// Looks at the words of a join from `ahead`; returns how many they are.
    fn join_kind(&self, ahead: usize) -> Option<(JoinKind, usize)> {
        let kind = match self.word_at(ahead)?.to_ascii_uppercase().as_str() {
            "JOIN" => return Some((JoinKind::Inner, 1)),
            "INNER" => JoinKind::Inner,
            "LEFT" => JoinKind::Left,
            "RIGHT" => JoinKind::Right,
            "FULL" => JoinKind::Full,
            "CROSS" => JoinKind::Cross,
            _ => return None,
        };
        let outer = usize::from(self.is_word_at(ahead + 1, "OUTER"));
        self.is_word_at(ahead + 1 + outer, "JOIN")
            .then_some((kind, 2 + outer))
    }

    fn join_constraint(&mut self) -> Parse<JoinConstraint> {
        if self.eat_word("ON") {
            return self.expression().map(JoinConstraint::On);
        }
        if self.eat_word("USING") {
            return self.column_names().map(JoinConstraint::Using);
        }
        Ok(JoinConstraint::None)
    }

    fn table_factor(&mut self) -> Parse<TableRef> {
        let start = self.peek().span;
        let lateral = self.eat_word("LATERAL");
        let kind = if self.at_symbol("(") {
            match self.parenthesized_table(lateral, start)? {
                Ok(kind) => kind,
                Err(table) => return Ok(table),
            }
        } else if self.at_word("UNNEST") && self.is_symbol_at(1, "(") {
            self.advance();
            let exprs = self.parenthesized_list(Self::expression)?;
            let with_ordinality = self.eat_words(&["WITH", "ORDINALITY"]);
            TableRefKind::Unnest {
                exprs,
                with_ordinality,
                alias: self.table_alias()?,
            }
        } else if self.at_word("TABLE") && self.is_symbol_at(1, "(") {
            self.advance();
            let open = self.advance().span;
            let call = Box::new(self.function_call()?);
            self.expect_close(")", open)?;
            TableRefKind::Function {
                lateral,
                call,
                alias: self.table_alias()?,
            }
        } else if self.at_function_call() {
            TableRefKind::Function {
                lateral,
                call: Box::new(self.function_call()?),
                alias: self.table_alias()?,
            }
        } else {
            return self.named_table(start);
        };
        Ok(TableRef {
            kind,
            span: self.since(start),
        })
    }

    /// Reads `(query) alias`, or a table or join in parentheses (the inner `Err`).
    fn parenthesized_table(
        &mut self,
        lateral: bool,
        start: Span,
    ) -> Parse<Result<TableRefKind, TableRef>> {
        // `((SELECT …) UNION …)` is a query, `((SELECT …) t JOIN u …)` is not: the inner one tells.
        if self.at_query_start() && !self.is_symbol_at(1, "(") {
            let query = Box::new(self.parenthesized_query()?);
            return Ok(Ok(TableRefKind::Subquery {
                lateral,
                query,
                alias: self.table_alias()?,
            }));
        }
        let open = self.expect_symbol("(")?;
        if self.at_query_start() && self.set_operator_behind_parentheses() {
            let query = Box::new(self.query()?);
            self.expect_close(")", open)?;
            return Ok(Ok(TableRefKind::Subquery {
                lateral,
                query,
                alias: self.table_alias()?,
            }));
        }
        let mut table = self.table_ref()?;
        self.expect_close(")", open)?;
        table.span = self.since(start);
        Ok(Err(table))
    }

    /// Tells whether a word that goes on with a query follows the parentheses that open here.
    fn set_operator_behind_parentheses(&self) -> bool {
        let mut depth = 0usize;
        let mut ahead = 0;
        loop {
            if self.is_symbol_at(ahead, "(") {
                depth += 1;
            } else if self.is_symbol_at(ahead, ")") {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            } else if self.is_symbol_at(ahead, ";") || self.at + ahead >= self.tokens.len() {
                return false;
            }
            ahead += 1;
        }
        ["UNION", "INTERSECT", "EXCEPT", "MINUS", "ORDER", "LIMIT"]
            .iter()
            .any(|word| self.is_word_at(ahead + 1, word))
    }

    fn named_table(&mut self, start: Span) -> Parse<TableRef> {
        let name = self.object_name("a table")?;
        let hints = self.hints()?;
        let system_time = if self.at_words(&["FOR", "SYSTEM_TIME"]) {
            self.at += 2;
            self.expect_words(&["AS", "OF"])?;
            Some(self.expression_without_in()?)
        } else {
            None
        };
        let unsupported = self.unsupported_table_suffix();
        let alias = if unsupported.is_none() {
            self.table_alias()?
        } else {
            None
        };
        let table = TableRef {
            kind: TableRefKind::Named {
                name,
                hints,
                system_time,
                alias,
            },
            span: self.since(start),
        };
        let suffix = unsupported.or_else(|| self.unsupported_table_suffix());
        let Some(word) = suffix else {
            return Ok(table);
        };
        let what = self.source(word).to_ascii_uppercase();
        self.advance();
        if self.at_any_word(&["BERNOULLI", "SYSTEM"]) {
            self.advance();
        }
        self.skip_parentheses()?;
        self.table_alias()?;
        Ok(TableRef {
            kind: TableRefKind::Unsupported {
                what,
                input: Box::new(table),
                word,
            },
            span: self.since(start),
        })
    }

    /// Tells where a clause stands that is read over and left to the caller to refuse.
    fn unsupported_table_suffix(&self) -> Option<Span> {
        let clauses = ["MATCH_RECOGNIZE", "TABLESAMPLE", "PIVOT", "UNPIVOT"];
        self.at_any_word(&clauses).then(|| self.peek().span)
    }

    fn skip_parentheses(&mut self) -> Parse<()> {
        let open = self.expect_symbol("(")?;
        let mut depth = 1usize;
        while depth > 0 {
            if self.at_statement_end() {
                return Err(self.not_closed(")", open));
            }
            if self.at_symbol("(") {
                depth += 1;
            } else if self.at_symbol(")") {
                depth -= 1;
            }
            self.advance();
        }
        Ok(())
    }

    pub(super) fn table_alias(&mut self) -> Parse<Option<TableAlias>> {
        if !self.eat_word("AS") && !self.at_ident() {
            return Ok(None);
        }
        let name = self.ident("an alias")?;
        let columns = if self.at_symbol("(") {
            self.column_names()?
        } else {
            Vec::new()
        };
        Ok(Some(TableAlias { name, columns }))
    }
}
