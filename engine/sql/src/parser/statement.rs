//! Statements, and where one ends and the next begins.

use millrace_connector::{Diagnostic, Span, Spanned, did_you_mean};

use super::{Failed, Parse, Parser};
use crate::ast::{Drop, DropDatabase, Explain, Ident, Insert, Statement};
use crate::keyword::{STATEMENT_WORDS, starts_statement};
use crate::lexer::TokenKind;

/// What EXPLAIN may show besides the plan, in Flink 1.17.
const EXPLAIN_DETAILS: &[&str] = &[
    "ESTIMATED_COST",
    "CHANGELOG_MODE",
    "JSON_EXECUTION_PLAN",
    "PLAN_ADVICE",
];

impl Parser<'_> {
    pub(super) fn statements(&mut self) -> Vec<Spanned<Statement>> {
        let mut statements = Vec::new();
        loop {
            while self.eat_symbol(";") {}
            if self.at_end() || self.diagnostics.len() >= super::ERRORS_MAX {
                return statements;
            }
            let before = self.at;
            let start = self.peek().span;
            self.depth = 0;
            match self.statement() {
                Ok(statement) => {
                    let span = self.since(start);
                    statements.push(Spanned::new(statement, span));
                    self.end_statement(start);
                }
                Err(Failed) => {
                    if self.at == before {
                        self.advance();
                    }
                    self.skip_statement();
                }
            }
        }
    }

    /// Expects `;` or the end; reports what stands there instead and goes on behind it.
    fn end_statement(&mut self, start: Span) {
        if self.at_statement_end() {
            return;
        }
        let next = self.peek().span;
        if self.word_at(0).is_some_and(starts_statement) && self.at_line_start() {
            let end = self.previous().end as usize;
            let _reported: Failed = self.report(
                Diagnostic::error(
                    "MR0212",
                    "a semicolon is missing between two statements",
                    Span::new(end, end),
                )
                .label("`;` is missing here")
                .also(next, "the next statement begins here")
                .help("end each statement with `;`"),
            );
            return;
        }
        if self.at_symbol(")") {
            let _reported: Failed = self.report(
                Diagnostic::error("MR0210", "`)` closes nothing", next)
                    .label("no `(` belongs to this")
                    .also(
                        Span::new(start.start as usize, start.end as usize),
                        "in this statement",
                    )
                    .help("remove it, or add the missing `(`"),
            );
        } else {
            let _reported: Failed = self.unexpected("`;` or the end of the text");
        }
        self.skip_statement();
    }

    fn statement(&mut self) -> Parse<Statement> {
        let start = self.peek().span;
        if self.at_query_start() {
            return self.query().map(Statement::Query);
        }
        let Some(word) = self.word_at(0) else {
            return Err(self.unexpected("a statement"));
        };
        match word.to_ascii_uppercase().as_str() {
            "CREATE" => self.create(),
            "DROP" => self.drop_statement(),
            "INSERT" => self.insert().map(Statement::Insert),
            "SET" => self.set(),
            "RESET" => self.reset(),
            "EXPLAIN" => self.explain(),
            "USE" => self.use_statement(),
            "EXECUTE" if self.is_word_at(1, "STATEMENT") => self.statement_set(),
            "BEGIN" if self.is_word_at(1, "STATEMENT") => self.statement_set(),
            "EXECUTE" if self.is_word_at(1, "INSERT") => {
                self.advance();
                self.insert().map(Statement::Insert)
            }
            "END" => Err(self.report(
                Diagnostic::error("MR0201", "`END` without a statement set", start)
                    .help("a statement set begins with EXECUTE STATEMENT SET BEGIN"),
            )),
            _ if starts_statement(word) => Ok(self.unsupported()),
            _ => Err(self.unknown_statement(word)),
        }
    }

    /// # Flink
    /// `SqlRichExplain`: `EXPLAIN [PLAN FOR | detail {, detail}] {query | INSERT | statement set}`.
    fn explain(&mut self) -> Parse<Statement> {
        self.expect_word("EXPLAIN")?;
        let mut details = Vec::new();
        if self.eat_word("PLAN") {
            self.expect_word("FOR")?;
        } else {
            while let Some(word) = self.word_at(0) {
                let word = word.to_ascii_uppercase();
                if !EXPLAIN_DETAILS.contains(&word.as_str()) {
                    break;
                }
                details.push(Spanned::new(word, self.peek().span));
                self.advance();
                if !self.eat_symbol(",") {
                    break;
                }
            }
        }
        let start = self.peek().span;
        let statement = if self.at_query_start() {
            self.query().map(Statement::Query)?
        } else if self.is_word_at(0, "INSERT") {
            self.insert().map(Statement::Insert)?
        } else if self.is_word_at(1, "STATEMENT") {
            self.statement_set()?
        } else {
            return Err(self.unexpected("a query, an INSERT or a statement set"));
        };
        let statement = Box::new(Spanned::new(statement, self.since(start)));
        Ok(Statement::Explain(Explain { details, statement }))
    }

    fn unknown_statement(&mut self, word: &str) -> Failed {
        let span = self.peek().span;
        let diagnostic = Diagnostic::error("MR0213", format!("`{word}` begins no statement"), span)
            .label("not a statement");
        let help = match did_you_mean(word, STATEMENT_WORDS.iter().copied()) {
            Some(meant) => format!("did you mean {meant}?"),
            None => {
                "a statement begins with CREATE, INSERT, SET, EXECUTE STATEMENT SET …".to_owned()
            }
        };
        self.report(diagnostic.help(help))
    }

    /// Reads over a statement of Flink that a pipeline file has no use for.
    fn unsupported(&mut self) -> Statement {
        let span = self.peek().span;
        let mut words = Vec::new();
        while let Some(word) = self.word_at(words.len()) {
            words.push(word.to_ascii_uppercase());
            if words.len() == 2 {
                break;
            }
        }
        let end = self.peek_at(words.len().saturating_sub(1)).span;
        self.advance();
        self.skip_statement();
        Statement::Unsupported {
            what: words.join(" "),
            span: span.to(end),
        }
    }

    fn create(&mut self) -> Parse<Statement> {
        let start = self.peek().span;
        self.expect_word("CREATE")?;
        let or_replace = self.eat_word("OR");
        if or_replace {
            self.expect_word("REPLACE")?;
        }
        let temporary = self.eat_word("TEMPORARY");
        let system = temporary && self.eat_word("SYSTEM");
        if !system && self.eat_word("TABLE") {
            return self
                .create_table(temporary, or_replace)
                .map(Statement::CreateTable);
        }
        if !system && self.eat_word("VIEW") {
            return self
                .create_view(temporary, or_replace)
                .map(Statement::CreateView);
        }
        if !temporary && self.eat_word("CATALOG") {
            let name = self.ident("a catalog name")?;
            let options = self
                .options()?
                .map_or_else(Vec::new, |options| options.value);
            return Ok(Statement::CreateCatalog { name, options });
        }
        if !temporary && self.eat_word("DATABASE") {
            return self.create_database();
        }
        if self.eat_word("FUNCTION") {
            return self.create_function();
        }
        let Some(word) = self.word_at(0) else {
            return Err(self.unexpected("TABLE, VIEW, FUNCTION, CATALOG or DATABASE"));
        };
        let what = self.peek().span;
        let kinds = [
            "TABLE",
            "VIEW",
            "FUNCTION",
            "CATALOG",
            "DATABASE",
            "TEMPORARY",
        ];
        let diagnostic = Diagnostic::error(
            "MR0213",
            format!("CREATE {word} is no statement"),
            start.to(what),
        );
        let help = match did_you_mean(word, kinds) {
            Some(meant) => format!("did you mean CREATE {meant}?"),
            None => "TABLE, VIEW, FUNCTION, CATALOG or DATABASE can be created".to_owned(),
        };
        Err(self.report(diagnostic.help(help)))
    }

    pub(super) fn if_not_exists(&mut self) -> Parse<bool> {
        if !self.at_words(&["IF", "NOT"]) {
            return Ok(false);
        }
        self.expect_words(&["IF", "NOT", "EXISTS"])?;
        Ok(true)
    }

    fn if_exists(&mut self) -> bool {
        self.eat_words(&["IF", "EXISTS"])
    }

    fn create_database(&mut self) -> Parse<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name("a database name")?;
        if self.eat_word("COMMENT") {
            self.string("a comment in quotes")?;
        }
        self.options()?;
        Ok(Statement::CreateDatabase {
            if_not_exists,
            name,
        })
    }

    fn create_function(&mut self) -> Parse<Statement> {
        self.if_not_exists()?;
        let name = self.object_name("a function name")?;
        self.expect_word("AS")?;
        let class_name = self.string("a class name in quotes")?;
        if self.eat_word("LANGUAGE") && !self.eat_word("JAVA") && !self.eat_word("SCALA") {
            self.expect_word("PYTHON")?;
        }
        if self.eat_word("USING") {
            self.comma_list(|parser| {
                parser.expect_word("JAR")?;
                parser.string("a path in quotes")
            })?;
        }
        Ok(Statement::CreateFunction { name, class_name })
    }

    fn drop_database(&mut self) -> Parse<Statement> {
        self.expect_words(&["DROP", "DATABASE"])?;
        let if_exists = self.if_exists();
        let name = self.object_name("a database name")?;
        let cascade = self.eat_word("CASCADE");
        if !cascade {
            self.eat_word("RESTRICT");
        }
        Ok(Statement::DropDatabase(DropDatabase {
            if_exists,
            name,
            cascade,
        }))
    }

    fn drop_statement(&mut self) -> Parse<Statement> {
        if self.is_word_at(1, "DATABASE") {
            return self.drop_database();
        }
        let table = if self.is_word_at(1, "TEMPORARY") {
            2
        } else {
            1
        };
        let is_table = self.is_word_at(table, "TABLE");
        if !is_table && !self.is_word_at(table, "VIEW") {
            return Ok(self.unsupported());
        }
        self.at += table + 1;
        let if_exists = self.if_exists();
        let name = self.object_name("a name")?;
        let drop = Drop {
            temporary: table == 2,
            if_exists,
            name,
        };
        Ok(if is_table {
            Statement::DropTable(drop)
        } else {
            Statement::DropView(drop)
        })
    }

    fn use_statement(&mut self) -> Parse<Statement> {
        if self.is_word_at(1, "MODULES") {
            return Ok(self.unsupported());
        }
        self.expect_word("USE")?;
        let catalog = self.eat_word("CATALOG");
        let name = self.object_name("a name")?;
        Ok(Statement::Use { catalog, name })
    }

    pub(super) fn insert(&mut self) -> Parse<Insert> {
        self.expect_word("INSERT")?;
        let overwrite = self.eat_word("OVERWRITE");
        if !overwrite {
            self.expect_word("INTO")?;
        }
        self.eat_word("TABLE");
        let target = self.object_name("the name of a sink")?;
        let hints = self.hints()?;
        let partition = if self.eat_word("PARTITION") {
            self.parenthesized_list(|parser| {
                let column = parser.ident("a column name")?;
                parser.expect_symbol("=")?;
                Ok((column, parser.expression()?))
            })?
        } else {
            Vec::new()
        };
        let columns = if self.at_symbol("(") && !self.query_in_parentheses() {
            Some(self.column_names()?)
        } else {
            None
        };
        let query = self.query()?;
        Ok(Insert {
            target,
            hints,
            partition,
            columns,
            query,
            overwrite,
        })
    }

    /// Reads `(a, b)`.
    pub(super) fn column_names(&mut self) -> Parse<Vec<Ident>> {
        let open = self.expect_symbol("(")?;
        self.list_until_close(open, |parser| parser.ident("a column name"))
    }

    fn statement_set(&mut self) -> Parse<Statement> {
        let start = self.peek().span;
        if self.eat_word("BEGIN") {
            self.expect_words(&["STATEMENT", "SET"])?;
            self.expect_symbol(";")?;
        } else {
            self.expect_words(&["EXECUTE", "STATEMENT", "SET", "BEGIN"])?;
        }
        let head = self.since(start);
        let mut inserts = Vec::new();
        let mut failed = false;
        loop {
            while self.eat_symbol(";") {}
            if self.eat_word("END") {
                break;
            }
            if self.at_end() {
                return Err(self.report(
                    Diagnostic::error("MR0210", "this statement set is not closed", head)
                        .label("no END belongs to this")
                        .help("write `END;` behind the last INSERT"),
                ));
            }
            let first = self.peek().span;
            match self.insert() {
                Ok(insert) => {
                    inserts.push(Spanned::new(insert, self.since(first)));
                    if !self.at_word("END") {
                        self.end_statement(first);
                    }
                }
                Err(Failed) => {
                    failed = true;
                    if self.peek().span == first {
                        self.advance();
                    }
                    self.skip_statement();
                }
            }
        }
        if failed {
            return Err(Failed);
        }
        Ok(Statement::StatementSet(inserts))
    }

    fn set(&mut self) -> Parse<Statement> {
        let word = self.expect_word("SET")?;
        if self.at_statement_end() {
            return Ok(Statement::Unsupported {
                what: "SET".to_owned(),
                span: word,
            });
        }
        let key = self.setting_key()?;
        self.expect_symbol("=")?;
        let value = self.quoted_or_bare("a value in quotes")?;
        Ok(Statement::Set { key, value })
    }

    fn reset(&mut self) -> Parse<Statement> {
        self.expect_word("RESET")?;
        let key = if self.at_statement_end() {
            None
        } else {
            Some(self.setting_key()?)
        };
        Ok(Statement::Reset { key })
    }

    /// Reads a key in quotes or bare: `table.exec.state.ttl`.
    fn setting_key(&mut self) -> Parse<Spanned<String>> {
        self.quoted_or_bare("a key in quotes")
    }

    fn quoted_or_bare(&mut self, expected: &str) -> Parse<Spanned<String>> {
        if matches!(self.peek().kind, TokenKind::Text(..)) {
            return self.string(expected);
        }
        if self.peek().kind != TokenKind::Bare {
            return Err(self.unexpected(expected));
        }
        let span = self.peek().span;
        self.advance();
        Ok(Spanned::new(self.source(span).to_owned(), span))
    }
}
