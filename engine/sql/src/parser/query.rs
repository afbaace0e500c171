//! Queries: WITH, SELECT, set operations, ORDER BY and LIMIT.

use millrace_connector::{Diagnostic, Spanned};

use super::{Parse, Parser};
use crate::ast::{
    Cte, Expr, GroupBy, GroupItem, Ident, ObjectName, OrderItem, Query, QueryBody, Select,
    SelectItem, SetOperator,
};
use crate::lexer::TokenKind;

impl Parser<'_> {
    /// Tells whether a query begins here, parentheses or not.
    pub(super) fn at_query_start(&self) -> bool {
        let mut ahead = 0;
        while self.is_symbol_at(ahead, "(") {
            ahead += 1;
        }
        self.is_query_word_at(ahead)
    }

    fn is_query_word_at(&self, ahead: usize) -> bool {
        self.is_word_at(ahead, "SELECT")
            || self.is_word_at(ahead, "WITH")
            || self.is_word_at(ahead, "VALUES")
            || (self.is_word_at(ahead, "TABLE") && !self.is_symbol_at(ahead + 1, "("))
    }

    /// Tells whether `(` comes next and a query is what it holds.
    pub(super) fn query_in_parentheses(&self) -> bool {
        self.at_symbol("(") && self.at_query_start()
    }

    pub(super) fn parenthesized_query(&mut self) -> Parse<Query> {
        let open = self.expect_symbol("(")?;
        let query = self.query()?;
        self.expect_close(")", open)?;
        Ok(query)
    }

    pub(super) fn query(&mut self) -> Parse<Query> {
        self.nested(Self::query_inner)
    }

    fn query_inner(&mut self) -> Parse<Query> {
        let start = self.peek().span;
        let mut with = Vec::new();
        if self.eat_word("WITH") {
            if self.at_word("RECURSIVE") {
                let span = self.peek().span;
                return Err(self.report(Diagnostic::error(
                    "MR0218",
                    "WITH RECURSIVE is not supported by Flink",
                    span,
                )));
            }
            with = self.comma_list(Self::cte)?;
        }
        let body = self.set_operations(0)?;
        let order_by = if self.at_word("ORDER") {
            self.order_by()?
        } else {
            Vec::new()
        };
        let (mut limit, mut offset) = (None, None);
        loop {
            if self.eat_word("LIMIT") {
                if !self.eat_word("ALL") {
                    limit = Some(self.expression()?);
                }
            } else if self.eat_word("OFFSET") {
                offset = Some(self.expression()?);
                if !self.eat_word("ROWS") {
                    self.eat_word("ROW");
                }
            } else if self.eat_word("FETCH") {
                limit = Some(self.fetch()?);
            } else {
                break;
            }
        }
        Ok(Query {
            with,
            body,
            order_by,
            limit,
            offset,
            span: self.since(start),
        })
    }

    /// Reads `{FIRST|NEXT} n {ROW|ROWS} ONLY` behind FETCH.
    fn fetch(&mut self) -> Parse<Expr> {
        if !self.eat_word("FIRST") {
            self.expect_word("NEXT")?;
        }
        let count = self.expression()?;
        if !self.eat_word("ROWS") {
            self.expect_word("ROW")?;
        }
        self.expect_word("ONLY")?;
        Ok(count)
    }

    fn cte(&mut self) -> Parse<Cte> {
        let name = self.ident("a name")?;
        let columns = if self.at_symbol("(") {
            self.column_names()?
        } else {
            Vec::new()
        };
        self.expect_word("AS")?;
        let query = self.parenthesized_query()?;
        let span = self.since(name.span);
        Ok(Cte {
            name,
            columns,
            query,
            span,
        })
    }

    /// Reads set operations that bind tighter than `floor`: INTERSECT before UNION and EXCEPT.
    fn set_operations(&mut self, floor: u8) -> Parse<QueryBody> {
        let mut left = self.query_body()?;
        let mut links = 0;
        loop {
            let (op, power) = if self.at_word("UNION") {
                (SetOperator::Union, 1)
            } else if self.at_any_word(&["EXCEPT", "MINUS"]) {
                (SetOperator::Except, 1)
            } else if self.at_word("INTERSECT") {
                (SetOperator::Intersect, 2)
            } else {
                return Ok(left);
            };
            if power <= floor {
                return Ok(left);
            }
            let operator = self.advance().span;
            self.link(&mut links, operator)?;
            let all = self.eat_word("ALL");
            if !all {
                self.eat_word("DISTINCT");
            }
            let right = self.set_operations(power)?;
            let span = left.span().to(right.span());
            left = QueryBody::SetOperation {
                op,
                all,
                left: Box::new(left),
                right: Box::new(right),
                span,
            };
        }
    }

    fn query_body(&mut self) -> Parse<QueryBody> {
        let start = self.peek().span;
        if self.at_word("SELECT") {
            return Ok(QueryBody::Select(Box::new(self.select()?)));
        }
        if self.query_in_parentheses() {
            let mut query = self.parenthesized_query()?;
            query.span = self.since(start);
            return Ok(QueryBody::Nested(Box::new(query)));
        }
        if self.eat_word("VALUES") {
            let rows = self.comma_list(Self::values_row)?;
            let span = self.since(start);
            return Ok(QueryBody::Values { rows, span });
        }
        if self.eat_word("TABLE") {
            let name = self.object_name("a table name")?;
            let span = self.since(start);
            return Ok(QueryBody::Table { name, span });
        }
        Err(self.unexpected("SELECT or VALUES"))
    }

    /// Reads a row of VALUES: `(a, b)`, `ROW(a, b)` or a single value.
    fn values_row(&mut self) -> Parse<Spanned<Vec<Expr>>> {
        let start = self.peek().span;
        if self.at_word("ROW") && self.is_symbol_at(1, "(") {
            self.advance();
        }
        let values = if self.at_symbol("(") && !self.query_in_parentheses() {
            self.parenthesized_list(Self::expression)?
        } else {
            vec![self.expression()?]
        };
        Ok(Spanned::new(values, self.since(start)))
    }

    fn select(&mut self) -> Parse<Select> {
        let start = self.expect_word("SELECT")?;
        let hints = self.hints()?;
        if self.at_word("STREAM") {
            self.advance();
        }
        let distinct = self.eat_word("DISTINCT");
        if !distinct {
            self.eat_word("ALL");
        }
        let items = self.select_items()?;
        let from = if self.eat_word("FROM") {
            self.comma_list(Self::table_ref)?
        } else {
            Vec::new()
        };
        let selection = self.clause("WHERE")?;
        let group_by = if self.at_word("GROUP") {
            Some(self.group_by()?)
        } else {
            None
        };
        let having = self.clause("HAVING")?;
        let windows = if self.eat_word("WINDOW") {
            self.comma_list(Self::named_window)?
        } else {
            Vec::new()
        };
        // QUALIFY is no reserved word, so an alias could have taken it; behind WHERE it cannot be one.
        let qualify = self.clause("QUALIFY")?;
        Ok(Select {
            distinct,
            hints,
            items,
            from,
            selection,
            group_by,
            having,
            windows,
            qualify,
            span: self.since(start),
        })
    }

    fn clause(&mut self, word: &str) -> Parse<Option<Expr>> {
        if self.eat_word(word) {
            return self.expression().map(Some);
        }
        Ok(None)
    }

    fn select_items(&mut self) -> Parse<Vec<SelectItem>> {
        let mut items = vec![self.select_item()?];
        while self.at_symbol(",") {
            let comma = self.advance().span;
            if self.at_any_word(&["FROM", "WHERE"])
                || self.at_statement_end()
                || self.at_symbol(")")
            {
                // What follows can still be read, so that more errors are found.
                self.trailing_comma(comma);
                break;
            }
            items.push(self.select_item()?);
        }
        let item_follows = match self.peek().kind {
            TokenKind::Quoted(_) | TokenKind::Text(..) | TokenKind::Exact => true,
            TokenKind::Word => self.at_ident(),
            _ => false,
        };
        if item_follows {
            self.missing_comma();
            return Err(super::Failed);
        }
        Ok(items)
    }

    fn select_item(&mut self) -> Parse<SelectItem> {
        let start = self.peek().span;
        if self.eat_symbol("*") {
            return Ok(SelectItem::Wildcard(start));
        }
        if let Some(item) = self.qualified_wildcard()? {
            return Ok(item);
        }
        let expr = self.expression()?;
        let alias = if self.eat_word("AS") {
            Some(self.alias()?)
        } else if self.at_ident() {
            Some(self.ident("an alias")?)
        } else {
            None
        };
        Ok(SelectItem::Expr { expr, alias })
    }

    fn alias(&mut self) -> Parse<Ident> {
        self.ident("an alias")
    }

    fn qualified_wildcard(&mut self) -> Parse<Option<SelectItem>> {
        let mut ahead = 0;
        while self.is_ident_at(ahead) && self.is_symbol_at(ahead + 1, ".") {
            ahead += 2;
        }
        if ahead == 0 || !self.is_symbol_at(ahead, "*") {
            return Ok(None);
        }
        let name: ObjectName = self.object_name("a name")?;
        self.expect_symbol(".")?;
        self.expect_symbol("*")?;
        let span = self.since(name.span);
        Ok(Some(SelectItem::QualifiedWildcard { name, span }))
    }

    fn group_by(&mut self) -> Parse<GroupBy> {
        let start = self.expect_word("GROUP")?;
        self.expect_word("BY")?;
        let distinct = self.eat_word("DISTINCT");
        if !distinct {
            self.eat_word("ALL");
        }
        let items = self.comma_list(Self::group_item)?;
        Ok(GroupBy {
            distinct,
            items,
            span: self.since(start),
        })
    }

    fn group_item(&mut self) -> Parse<GroupItem> {
        let start = self.peek().span;
        if self.at_words(&["GROUPING", "SETS"]) {
            self.at += 2;
            let sets = self.group_list()?;
            return Ok(GroupItem::GroupingSets(Spanned::new(
                sets,
                self.since(start),
            )));
        }
        for (word, build) in [
            ("CUBE", GroupItem::Cube as fn(_) -> _),
            ("ROLLUP", GroupItem::Rollup as fn(_) -> _),
        ] {
            if self.at_word(word) && self.is_symbol_at(1, "(") {
                self.advance();
                let sets = self.group_list()?;
                return Ok(build(Spanned::new(sets, self.since(start))));
            }
        }
        if self.at_symbol("(") && self.is_symbol_at(1, ")") {
            self.at += 2;
            return Ok(GroupItem::Set(Spanned::new(Vec::new(), self.since(start))));
        }
        let expr = self.expression()?;
        if let crate::ast::ExprKind::Row {
            explicit: false,
            fields,
        } = expr.kind
        {
            return Ok(GroupItem::Set(Spanned::new(fields, expr.span)));
        }
        Ok(GroupItem::Expr(expr))
    }

    fn group_list(&mut self) -> Parse<Vec<GroupItem>> {
        self.nested(|parser| parser.parenthesized_list(Self::group_item))
    }

    pub(super) fn order_by(&mut self) -> Parse<Vec<OrderItem>> {
        self.expect_words(&["ORDER", "BY"])?;
        self.comma_list(|parser| {
            let expr = parser.expression()?;
            let descending = parser.eat_word("DESC");
            if !descending {
                parser.eat_word("ASC");
            }
            let nulls_first = if parser.eat_words(&["NULLS", "FIRST"]) {
                Some(true)
            } else if parser.eat_words(&["NULLS", "LAST"]) {
                Some(false)
            } else {
                None
            };
            Ok(OrderItem {
                expr,
                descending,
                nulls_first,
            })
        })
    }
}
