//! Statements that change rows: which tables they write to.
//!
//! With row images in the log there are none; a session with `binlog_format` STATEMENT or MIXED writes them.

use super::lexer::{Token, Tokens};
use super::statement::parse_table_name;
use super::{Dialect, NotUnderstood, TableName};

/// What a statement writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It changes no rows.
    Nothing,
    /// These tables.
    Tables(Vec<TableName>),
    /// Rows, but the statement does not say of which tables.
    Unknown,
}

/// Returns what a statement writes to.
pub(crate) fn written(statement: &str, database: &str, dialect: Dialect) -> Written {
    let mut parser = Parser {
        tokens: Tokens::of(statement, dialect),
        database,
    };
    match parser.statement() {
        Ok(Some(tables)) => Written::Tables(tables),
        Ok(None) => Written::Nothing,
        Err(_) => Written::Unknown,
    }
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    database: &'a str,
}

/// A table that a statement names, and what it calls it.
struct Reference {
    table: TableName,
    alias: String,
}

type Found<T> = Result<T, NotUnderstood>;

impl Parser<'_> {
    fn statement(&mut self) -> Found<Option<Vec<TableName>>> {
        if self.tokens.eat_all(&["SET", "STATEMENT"]) {
            while !self.tokens.eat("FOR") {
                if self.tokens.next().is_none() {
                    return Ok(None);
                }
            }
        }
        if self.tokens.eat("WITH") {
            self.skip_common_tables()?;
        }
        if self.tokens.eat_any(&["INSERT", "REPLACE"]) {
            self.skip_words(&["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE", "INTO"]);
            return Ok(Some(vec![self.table()?]));
        }
        if self.tokens.eat("UPDATE") {
            self.skip_words(&["LOW_PRIORITY", "IGNORE"]);
            return self.update().map(Some);
        }
        if self.tokens.eat("DELETE") {
            self.skip_words(&["LOW_PRIORITY", "QUICK", "IGNORE", "HISTORY"]);
            return self.delete().map(Some);
        }
        if self.tokens.eat("LOAD") {
            while !self.tokens.eat_all(&["INTO", "TABLE"]) {
                if self.tokens.next().is_none() {
                    return Err(self.tokens.expected("INTO TABLE"));
                }
            }
            return Ok(Some(vec![self.table()?]));
        }
        if self.tokens.eat("CREATE") {
            return self.create();
        }
        // A function that writes: logged as it was called.
        if self.tokens.is_word("SELECT") || self.tokens.is_word("DO") || self.tokens.is_word("CALL")
        {
            return Err(self.tokens.wrong("tables are not named".to_owned()));
        }
        Ok(None)
    }

    /// A table made from a query has its rows from the same statement.
    fn create(&mut self) -> Found<Option<Vec<TableName>>> {
        self.tokens.eat_all(&["OR", "REPLACE"]);
        if !self.tokens.eat("TABLE") {
            return Ok(None);
        }
        self.tokens.eat_all(&["IF", "NOT", "EXISTS"]);
        let table = self.table()?;
        while let Some(token) = self.tokens.next() {
            if matches!(token, Token::Word(word) if word.eq_ignore_ascii_case("SELECT")) {
                return Ok(Some(vec![table]));
            }
        }
        Ok(None)
    }

    fn skip_words(&mut self, words: &[&str]) {
        while self.tokens.eat_any(words) {}
    }

    fn table(&mut self) -> Found<TableName> {
        parse_table_name(&mut self.tokens, self.database)
    }

    /// Skips `name [(columns)] AS (query), …`.
    fn skip_common_tables(&mut self) -> Found<()> {
        self.tokens.eat("RECURSIVE");
        loop {
            self.tokens.name()?;
            if self.tokens.is_sign('(') {
                self.tokens.skip_parentheses()?;
            }
            self.tokens.expect("AS")?;
            self.tokens.skip_parentheses()?;
            if !self.tokens.eat_sign(',') {
                return Ok(());
            }
        }
    }

    /// Reads the tables of joins up to one of `ends`, or to the end.
    fn references(&mut self, ends: &[&str]) -> Found<Vec<Reference>> {
        let mut found = Vec::new();
        let mut is_expected = true;
        while !self.tokens.is_at_end() && !ends.iter().any(|end| self.tokens.is_word(end)) {
            if self.tokens.is_sign('(') {
                if self.tokens.is_word_at(1, "SELECT") || !is_expected {
                    // A query, a list of names, a condition: nothing in it is written to.
                    self.tokens.skip_parentheses()?;
                    is_expected = false;
                } else {
                    self.tokens.next();
                }
            } else if self.tokens.eat_sign(',') || self.tokens.eat_any(&["JOIN", "STRAIGHT_JOIN"]) {
                is_expected = true;
            } else if is_expected {
                found.push(self.reference()?);
                is_expected = false;
            } else {
                self.tokens.next();
            }
        }
        Ok(found)
    }

    fn reference(&mut self) -> Found<Reference> {
        let table = self.table()?;
        if self.tokens.is_word("PARTITION") && self.tokens.peek_at(1) == Some(&Token::Sign('(')) {
            self.tokens.next();
            self.tokens.skip_parentheses()?;
        }
        const NEXT: [&str; 18] = [
            "SET",
            "JOIN",
            "INNER",
            "CROSS",
            "LEFT",
            "RIGHT",
            "NATURAL",
            "STRAIGHT_JOIN",
            "ON",
            "USING",
            "WHERE",
            "ORDER",
            "LIMIT",
            "USE",
            "IGNORE",
            "FORCE",
            "FOR",
            "RETURNING",
        ];
        let is_as = self.tokens.eat("AS");
        let has_alias = match self.tokens.peek() {
            Some(Token::Name(_)) => true,
            Some(Token::Word(_)) => is_as || !NEXT.iter().any(|word| self.tokens.is_word(word)),
            _ => false,
        };
        let alias = if has_alias {
            self.tokens.name()?
        } else {
            table.table.clone()
        };
        Ok(Reference { table, alias })
    }

    /// Only tables whose columns are set are written to.
    fn update(&mut self) -> Found<Vec<TableName>> {
        let references = self.references(&["SET"])?;
        self.tokens.expect("SET")?;
        if references.len() < 2 {
            return Ok(references.into_iter().map(|it| it.table).collect());
        }
        let mut written = Vec::new();
        let mut begins = true;
        while let Some(token) = self.tokens.peek() {
            match token {
                Token::Sign('(') => {
                    self.tokens.skip_parentheses()?;
                    continue;
                }
                Token::Sign(',') => begins = true,
                Token::Word(word) if !begins && is_end_of_assignments(word) => break,
                Token::Word(_) | Token::Name(_) if begins => {
                    begins = false;
                    let mut names = vec![self.tokens.name()?];
                    while self.tokens.eat_sign('.') {
                        names.push(self.tokens.name()?);
                    }
                    let [.., table, _] = &names[..] else {
                        // Without the table's name it may be any of them.
                        return Ok(references.into_iter().map(|it| it.table).collect());
                    };
                    let table = find(&references, table)?;
                    if !written.contains(&table) {
                        written.push(table);
                    }
                    continue;
                }
                _ => {}
            }
            self.tokens.next();
        }
        Ok(written)
    }

    fn delete(&mut self) -> Found<Vec<TableName>> {
        let is_in_front = self.tokens.eat("FROM");
        let mut targets = Vec::new();
        loop {
            targets.push(self.target()?);
            if !self.tokens.eat_sign(',') {
                break;
            }
        }
        let references = match (is_in_front, targets.len()) {
            (false, _) => {
                self.tokens.expect("FROM")?;
                self.references(&["WHERE", "ORDER", "LIMIT", "RETURNING"])?
            }
            (true, _) if self.tokens.eat("USING") => {
                self.references(&["WHERE", "ORDER", "LIMIT", "RETURNING"])?
            }
            (true, _) => Vec::new(),
        };
        // A name may be one that the references give.
        let resolved = targets.into_iter().map(|target| {
            let found = find(&references, &target.table);
            found.unwrap_or(target)
        });
        Ok(resolved.collect())
    }

    /// Reads `name`, `name.*` or `database.name.*`.
    fn target(&mut self) -> Found<TableName> {
        let first = self.tokens.name()?;
        let mut names = vec![first];
        while self.tokens.eat_sign('.') {
            if self.tokens.eat_sign('*') {
                break;
            }
            names.push(self.tokens.name()?);
        }
        Ok(match &names[..] {
            [database, table, ..] => TableName::new(database.as_str(), table.as_str()),
            [table] => TableName::new(self.database, table.as_str()),
            [] => return Err(self.tokens.expected("a name")),
        })
    }
}

fn is_end_of_assignments(word: &str) -> bool {
    ["WHERE", "ORDER", "LIMIT", "RETURNING"]
        .iter()
        .any(|end| word.eq_ignore_ascii_case(end))
}

fn find(references: &[Reference], name: &str) -> Found<TableName> {
    let found = references
        .iter()
        .find(|it| it.alias.eq_ignore_ascii_case(name));
    found
        .map(|it| it.table.clone())
        .ok_or_else(|| NotUnderstood {
            reason: "unknown table".to_owned(),
            near: name.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_table_that_a_statement_writes_to() {
        for (statement, expected) in [
            ("INSERT INTO a.b VALUES (1)", "a.b"),
            ("insert high_priority ignore t (x) values (1)", "d.t"),
            ("REPLACE t SET a=1", "d.t"),
            ("INSERT INTO t SELECT * FROM u", "d.t"),
            ("/* x */ update low_priority `we``ird` set x=1", "d.we`ird"),
            ("/*! INSERT */ INTO t VALUES (1)", "d.t"),
            ("# c\nUPDATE t SET a=1 WHERE b IN (SELECT b FROM u)", "d.t"),
            (
                "UPDATE a JOIN e.b AS x ON a.i=x.i SET x.v=a.v, x.w=1 WHERE a.z",
                "e.b",
            ),
            ("UPDATE a, b SET a.v=b.v, b.w=f(a.x, 1), d.a.y=2", "d.a,d.b"),
            ("UPDATE a, b SET v=1", "d.a,d.b"),
            ("UPDATE (a JOIN b USING (i)) SET b.v=1", "d.b"),
            (
                "UPDATE a JOIN (SELECT 1 AS i) q ON q.i=a.i SET a.v=1",
                "d.a",
            ),
            ("DELETE FROM t WHERE 1", "d.t"),
            ("DELETE QUICK FROM e.t PARTITION (p0) LIMIT 1", "e.t"),
            (
                "DELETE a, b.* FROM a JOIN b JOIN c WHERE a.i=b.i",
                "d.a,d.b",
            ),
            (
                "DELETE FROM x, y USING e.a AS x JOIN b y ON x.i=y.i",
                "e.a,d.b",
            ),
            ("DELETE e.a.* FROM e.a, b", "e.a"),
            (
                "WITH q AS (SELECT 1), r (x) AS (SELECT 2) DELETE FROM t",
                "d.t",
            ),
            (
                "WITH RECURSIVE q AS (SELECT 1) UPDATE t, q SET t.a=1",
                "d.t",
            ),
            (
                "LOAD DATA INFILE '/x' INTO TABLE `t` FIELDS TERMINATED BY ','",
                "d.t",
            ),
            ("LOAD XML LOCAL INFILE 'x' REPLACE INTO TABLE e.t", "e.t"),
            (
                "SET STATEMENT max_statement_time=1 FOR INSERT INTO t VALUES (1)",
                "d.t",
            ),
            ("CREATE TABLE t AS SELECT 1", "d.t"),
            ("CREATE TABLE IF NOT EXISTS t (a int) (SELECT 1)", "d.t"),
        ] {
            let Written::Tables(tables) = written(statement, "d", Dialect::default()) else {
                panic!("{statement}");
            };
            let shown: Vec<String> = tables.iter().map(ToString::to_string).collect();
            assert_eq!(shown.join(","), expected, "{statement}");
        }
        for statement in [
            "CREATE TABLE t (a int comment 'SELECT')",
            "CREATE TEMPORARY TABLE t SELECT 1",
            "CREATE VIEW v AS SELECT 1",
            "INSERTED",
            "SAVEPOINT `a`",
            "GRANT INSERT ON t TO x",
            "DROP TABLE t",
        ] {
            let found = written(statement, "d", Dialect::default());
            assert_eq!(found, Written::Nothing, "{statement}");
        }
        for statement in ["SELECT `d`.`f`(1)", "DO f()", "UPDATE", "DELETE FROM"] {
            let found = written(statement, "d", Dialect::default());
            assert_eq!(found, Written::Unknown, "{statement}");
        }
    }
}
