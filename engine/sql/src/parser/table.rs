//! `CREATE TABLE` and `CREATE VIEW`.

use millrace_connector::{Diagnostic, Span, Spanned};

use super::{Failed, Parse, Parser};
use crate::ast::{
    Column, ColumnKind, CreateTable, CreateView, Like, LikeRule, LikeStrategy, ObjectName,
    OptionPair, PrimaryKey, Watermark,
};
use crate::lexer::TokenKind;

/// One entry between the parentheses of CREATE TABLE.
enum Element {
    Column(Column, Option<PrimaryKey>),
    PrimaryKey(PrimaryKey),
    Watermark(Watermark),
}

/// What stands between the parentheses of CREATE TABLE.
#[derive(Default)]
struct Elements {
    columns: Vec<Column>,
    primary_key: Option<PrimaryKey>,
    watermark: Option<Watermark>,
}

impl Parser<'_> {
    /// Reads what follows `CREATE [OR REPLACE] [TEMPORARY] TABLE`; goes on after a broken list to find what else is wrong.
    pub(super) fn create_table(&mut self, temporary: bool, or_replace: bool) -> Parse<CreateTable> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name("a table name")?;
        let elements = if self.at_symbol("(") {
            self.table_elements()
        } else {
            Ok(Elements::default())
        };
        let comment = self.comment()?;
        let partitioned_by = if self.eat_words(&["PARTITIONED", "BY"]) {
            self.column_names()?
        } else {
            Vec::new()
        };
        let options = self.options()?;
        let like = if self.at_word("LIKE") {
            Some(self.like()?)
        } else {
            None
        };
        let query = if self.eat_word("AS") {
            Some(self.query()?)
        } else {
            None
        };
        let elements = match elements {
            Ok(elements) => elements,
            Err(Failed) => {
                // The columns are lost, but what follows them has been looked at.
                if !self.at_statement_end() && !self.at_new_statement() {
                    self.skip_statement();
                }
                return Err(Failed);
            }
        };
        let options_span = options.as_ref().map(|options| options.span);
        Ok(CreateTable {
            temporary,
            or_replace,
            if_not_exists,
            name,
            columns: elements.columns,
            primary_key: elements.primary_key,
            watermark: elements.watermark,
            comment,
            partitioned_by,
            options: options.map_or_else(Vec::new, |options| options.value),
            options_span,
            like,
            query,
        })
    }

    fn table_elements(&mut self) -> Parse<Elements> {
        let open = self.expect_symbol("(")?;
        let mut elements = Elements::default();
        let mut failed = false;
        for element in self.list_until_close(open, Self::table_element)? {
            let key = match element {
                Element::Column(column, key) => {
                    elements.columns.push(column);
                    key
                }
                Element::PrimaryKey(key) => Some(key),
                Element::Watermark(watermark) => {
                    if let Some(first) = &elements.watermark {
                        self.duplicate("watermark", watermark.span, first.span);
                        failed = true;
                    }
                    elements.watermark = Some(watermark);
                    None
                }
            };
            if let Some(key) = key {
                if let Some(first) = &elements.primary_key {
                    self.duplicate("primary key", key.span, first.span);
                    failed = true;
                }
                elements.primary_key = Some(key);
            }
        }
        if failed { Err(Failed) } else { Ok(elements) }
    }

    fn duplicate(&mut self, what: &str, second: Span, first: Span) {
        let _reported: Failed = self.report(
            Diagnostic::error("MR0219", format!("a table has one {what} only"), second)
                .label(format!("a second {what}"))
                .also(first, "the first one")
                .help("remove one of them"),
        );
    }

    fn table_element(&mut self) -> Parse<Element> {
        if self.at_words(&["WATERMARK", "FOR"]) {
            return self.watermark().map(Element::Watermark);
        }
        if self.at_word("PRIMARY") || self.at_word("UNIQUE") {
            let start = self.peek().span;
            return self.table_constraint(start, None).map(Element::PrimaryKey);
        }
        if self.at_word("CONSTRAINT") {
            let start = self.advance().span;
            let name = self.ident("a constraint name")?;
            return self
                .table_constraint(start, Some(name))
                .map(Element::PrimaryKey);
        }
        let (column, key) = self.column()?;
        Ok(Element::Column(column, key))
    }

    fn table_constraint(
        &mut self,
        start: Span,
        name: Option<crate::ast::Ident>,
    ) -> Parse<PrimaryKey> {
        self.refuse_unique()?;
        self.expect_words(&["PRIMARY", "KEY"])?;
        let columns = self.column_names()?;
        let not_enforced = self.enforcement()?;
        Ok(PrimaryKey {
            name,
            columns,
            not_enforced,
            span: self.since(start),
        })
    }

    fn refuse_unique(&mut self) -> Parse<()> {
        if !self.at_word("UNIQUE") {
            return Ok(());
        }
        let span = self.peek().span;
        Err(self.report(
            Diagnostic::error(
                "MR0218",
                "UNIQUE constraints are not supported by Flink",
                span,
            )
            .help("use PRIMARY KEY (…) NOT ENFORCED"),
        ))
    }

    /// Reads `[NOT] ENFORCED`; tells whether NOT was written.
    fn enforcement(&mut self) -> Parse<bool> {
        if self.eat_word("NOT") {
            self.expect_word("ENFORCED")?;
            return Ok(true);
        }
        self.eat_word("ENFORCED");
        Ok(false)
    }

    fn watermark(&mut self) -> Parse<Watermark> {
        let start = self.peek().span;
        self.expect_words(&["WATERMARK", "FOR"])?;
        let column = self.object_name("a column name")?;
        self.expect_word("AS")?;
        let expr = self.expression()?;
        Ok(Watermark {
            column,
            expr,
            span: self.since(start),
        })
    }

    fn column(&mut self) -> Parse<(Column, Option<PrimaryKey>)> {
        let name = self.ident("a column name")?;
        let start = name.span;
        let mut key = None;
        let kind = if self.eat_word("AS") {
            ColumnKind::Computed {
                expr: self.expression()?,
            }
        } else {
            let data_type = self.data_type()?;
            if self.eat_word("METADATA") {
                let from = if self.eat_word("FROM") {
                    Some(self.string("a metadata key in quotes")?)
                } else {
                    None
                };
                let is_virtual = self.eat_word("VIRTUAL");
                ColumnKind::Metadata {
                    data_type,
                    from,
                    is_virtual,
                }
            } else {
                key = self.column_constraint(&name)?;
                ColumnKind::Physical { data_type }
            }
        };
        let comment = self.comment()?;
        let column = Column {
            name,
            kind,
            comment,
            span: self.since(start),
        };
        Ok((column, key))
    }

    fn column_constraint(&mut self, column: &crate::ast::Ident) -> Parse<Option<PrimaryKey>> {
        let start = self.peek().span;
        let name = if self.eat_word("CONSTRAINT") {
            Some(self.ident("a constraint name")?)
        } else {
            None
        };
        self.refuse_unique()?;
        if name.is_none() && !self.at_word("PRIMARY") {
            return Ok(None);
        }
        self.expect_words(&["PRIMARY", "KEY"])?;
        let not_enforced = self.enforcement()?;
        Ok(Some(PrimaryKey {
            name,
            columns: vec![column.clone()],
            not_enforced,
            span: self.since(start),
        }))
    }

    pub(super) fn comment(&mut self) -> Parse<Option<Spanned<String>>> {
        if !self.eat_word("COMMENT") {
            return Ok(None);
        }
        self.string("a comment in quotes").map(Some)
    }

    /// Reads `WITH ('key' = 'value', …)`, if it is there.
    pub(super) fn options(&mut self) -> Parse<Option<Spanned<Vec<OptionPair>>>> {
        if !self.at_word("WITH") {
            return Ok(None);
        }
        let start = self.advance().span;
        let open = self.expect_symbol("(")?;
        if self.eat_symbol(")") {
            return Ok(Some(Spanned::new(Vec::new(), self.since(start))));
        }
        let pairs = self.list_until_close(open, Self::option_pair)?;
        Ok(Some(Spanned::new(pairs, self.since(start))))
    }

    fn option_pair(&mut self) -> Parse<OptionPair> {
        let key = match self.peek().kind {
            TokenKind::Text(..) => self.string("an option's key in quotes")?,
            _ => return Err(self.option_without_quotes("key")),
        };
        if !self.at_symbol("=") {
            let found = self.peek().span;
            return Err(self.report(
                Diagnostic::error(
                    "MR0220",
                    format!("option '{}' has no value", key.value),
                    key.span,
                )
                .label("a key without a value")
                .also(found, "`=` is expected here")
                .help(format!("write '{}' = 'value'", key.value)),
            ));
        }
        self.advance();
        match self.peek().kind {
            TokenKind::Text(..) => Ok((key, self.option_value()?)),
            _ => Err(self.option_without_quotes("value")),
        }
    }

    fn option_without_quotes(&mut self, part: &str) -> Failed {
        let token = self.peek().clone();
        if token.kind == TokenKind::Symbol(")") || token.kind == TokenKind::Symbol(",") {
            return self.unexpected(&format!("an option's {part} in quotes"));
        }
        // The key or value goes on to the next separator: `sink.max-retries`, `-1`, `json`.
        let mut end = token.span;
        let mut ahead = 0;
        while !matches!(
            self.peek_at(ahead).kind,
            TokenKind::Symbol("=" | "," | ")" | ";") | TokenKind::End | TokenKind::Text(..)
        ) {
            end = self.peek_at(ahead).span;
            ahead += 1;
        }
        let span = token.span.to(end);
        let text = self.source(span).to_owned();
        self.report(
            Diagnostic::error("MR0220", format!("an option's {part} is a string"), span)
                .label("not in quotes")
                .help(format!("write '{}'", text.trim_matches(['`', '"']))),
        )
    }

    fn like(&mut self) -> Parse<Like> {
        let start = self.expect_word("LIKE")?;
        let source = self.object_name("a table name")?;
        let mut rules = Vec::new();
        if self.eat_symbol("(") {
            while !self.eat_symbol(")") {
                rules.push(self.like_rule()?);
            }
        }
        Ok(Like {
            source,
            rules,
            span: self.since(start),
        })
    }

    fn like_rule(&mut self) -> Parse<LikeRule> {
        let start = self.peek().span;
        let strategy = if self.eat_word("INCLUDING") {
            LikeStrategy::Including
        } else if self.eat_word("EXCLUDING") {
            LikeStrategy::Excluding
        } else if self.eat_word("OVERWRITING") {
            LikeStrategy::Overwriting
        } else {
            return Err(self.unexpected("INCLUDING, EXCLUDING, OVERWRITING or `)`"));
        };
        let features = [
            "ALL",
            "CONSTRAINTS",
            "GENERATED",
            "METADATA",
            "OPTIONS",
            "PARTITIONS",
            "WATERMARKS",
        ];
        if !self.at_any_word(&features) {
            return Err(self.unexpected(
                "ALL, CONSTRAINTS, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS",
            ));
        }
        let word = self.advance().span;
        Ok(LikeRule {
            strategy,
            feature: self.source(word).to_ascii_uppercase(),
            span: start.to(word),
        })
    }

    /// Reads what follows `CREATE [OR REPLACE] [TEMPORARY] VIEW`.
    pub(super) fn create_view(&mut self, temporary: bool, or_replace: bool) -> Parse<CreateView> {
        let if_not_exists = self.if_not_exists()?;
        let name: ObjectName = self.object_name("a view name")?;
        let columns = if self.at_symbol("(") {
            self.column_names()?
        } else {
            Vec::new()
        };
        let comment = self.comment()?;
        self.expect_word("AS")?;
        let query = self.query()?;
        Ok(CreateView {
            temporary,
            or_replace,
            if_not_exists,
            name,
            columns,
            comment,
            query,
        })
    }
}
