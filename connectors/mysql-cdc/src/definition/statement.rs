//! Statements of the binary log: which of them change tables, and how.

use super::alter::parse_alterations;
use super::create::{parse_body, parse_charset_option};
use super::lexer::{Token, Tokens};
use super::{Alteration, Change, Dialect, NotUnderstood, TableDefinition, TableName};

/// Returns what a statement of a QUERY event changes; empty if nothing.
#[must_use]
pub fn parse(statement: &str, default_database: &str, dialect: Dialect) -> Vec<Change> {
    // Most statements are BEGIN, COMMIT and the like: told apart before they are cut into pieces.
    if !could_be_ddl(statement) {
        return Vec::new();
    }
    let mut parser = Parser {
        tokens: Tokens::of(statement, dialect),
        database: default_database,
        tables: Vec::new(),
    };
    match parser.statement() {
        Ok(changes) => changes,
        Err(error) => vec![Change::NotUnderstood {
            tables: parser.tables,
            reason: error.to_string(),
        }],
    }
}

const FIRST_WORDS: [&str; 6] = ["CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "SET"];

fn could_be_ddl(statement: &str) -> bool {
    let text = statement.trim_start();
    // A comment may stand in front.
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return !text.is_empty();
    }
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let first = &text[..end];
    FIRST_WORDS
        .iter()
        .any(|word| word.eq_ignore_ascii_case(first))
}

struct Parser<'a> {
    tokens: Tokens<'a>,
    database: &'a str,
    /// The tables that the statement is about, as far as it was read.
    tables: Vec<TableName>,
}

type Changes = Result<Vec<Change>, NotUnderstood>;

impl Parser<'_> {
    fn statement(&mut self) -> Changes {
        if self.tokens.eat_all(&["SET", "STATEMENT"]) {
            // MariaDB's `SET STATEMENT name=value FOR statement`.
            while !self.tokens.eat("FOR") {
                if self.tokens.next().is_none() {
                    return Ok(Vec::new());
                }
            }
        }
        if self.tokens.eat("CREATE") {
            return self.create();
        }
        if self.tokens.eat("ALTER") {
            return self.alter();
        }
        if self.tokens.eat("DROP") {
            return self.drop();
        }
        if self.tokens.eat("RENAME") {
            return self.rename();
        }
        if self.tokens.eat("TRUNCATE") {
            self.tokens.eat("TABLE");
            return Ok(vec![Change::Truncate(self.table()?)]);
        }
        Ok(Vec::new())
    }

    fn table(&mut self) -> Result<TableName, NotUnderstood> {
        let table = parse_table_name(&mut self.tokens, self.database)?;
        self.tables.push(table.clone());
        Ok(table)
    }

    fn is_schema(&mut self) -> bool {
        self.tokens.eat_any(&["DATABASE", "SCHEMA"])
    }

    fn if_exists(&mut self) -> bool {
        self.tokens.eat_all(&["IF", "EXISTS"])
    }

    fn create(&mut self) -> Changes {
        let or_replace = self.tokens.eat_all(&["OR", "REPLACE"]);
        if self.is_schema() {
            self.tokens.eat_all(&["IF", "NOT", "EXISTS"]);
            let database = self.tokens.name()?;
            return self.database_charset(&database);
        }
        if self.tokens.eat("SEQUENCE") {
            return self.create_sequence(or_replace);
        }
        if self.tokens.eat_all(&["UNIQUE", "INDEX"]) {
            return self.create_unique();
        }
        // A temporary table's rows are not in the log.
        if !self.tokens.eat("TABLE") {
            return Ok(Vec::new());
        }
        let if_not_exists = self.tokens.eat_all(&["IF", "NOT", "EXISTS"]);
        let table = self.table()?;
        let mut changes = Vec::new();
        if or_replace {
            changes.push(Change::Drop(table.clone()));
        }
        let is_in_parentheses = self.tokens.is_sign('(') && self.tokens.is_word_at(1, "LIKE");
        if is_in_parentheses {
            self.tokens.next();
        }
        if self.tokens.eat("LIKE") {
            let like = parse_table_name(&mut self.tokens, self.database)?;
            changes.push(Change::CreateLike {
                table,
                like,
                if_not_exists,
            });
            return Ok(changes);
        }
        let definition = parse_body(&mut self.tokens, table)?;
        changes.push(Change::Create {
            definition: Box::new(definition),
            if_not_exists,
        });
        Ok(changes)
    }

    /// An index changes no column, but for the one that MariaDB may hide.
    fn create_unique(&mut self) -> Changes {
        while !self.tokens.eat("ON") {
            if self.tokens.next().is_none() {
                return Ok(Vec::new());
            }
        }
        Ok(vec![Change::Alter {
            table: self.table()?,
            alterations: vec![Alteration::AddUnique],
        }])
    }

    /// MariaDB's sequences have rows in the log as tables have.
    fn create_sequence(&mut self, or_replace: bool) -> Changes {
        let if_not_exists = self.tokens.eat_all(&["IF", "NOT", "EXISTS"]);
        let name = self.table()?;
        let mut changes = Vec::new();
        if or_replace {
            changes.push(Change::Drop(name.clone()));
        }
        changes.push(Change::Create {
            definition: Box::new(TableDefinition::sequence(name)),
            if_not_exists,
        });
        Ok(changes)
    }

    fn database_charset(&mut self, database: &str) -> Changes {
        let mut changes = Vec::new();
        while !self.tokens.is_at_end() {
            match parse_charset_option(&mut self.tokens)? {
                Some(charset) => {
                    changes = vec![Change::DatabaseCharset {
                        database: database.to_owned(),
                        charset,
                    }]
                }
                None => {
                    self.tokens.next();
                }
            }
        }
        Ok(changes)
    }

    fn alter(&mut self) -> Changes {
        if self.is_schema() {
            // Without a name it is the default database.
            let has_name = matches!(self.tokens.peek(), Some(Token::Name(_)))
                || ![
                    "DEFAULT",
                    "CHARACTER",
                    "CHARSET",
                    "COLLATE",
                    "READ",
                    "UPGRADE",
                ]
                .iter()
                .any(|word| self.tokens.is_word(word));
            let database = if has_name {
                self.tokens.name()?
            } else {
                self.database.to_owned()
            };
            return self.database_charset(&database);
        }
        while self.tokens.eat_any(&["ONLINE", "OFFLINE", "IGNORE"]) {}
        if !self.tokens.eat("TABLE") {
            return Ok(Vec::new());
        }
        self.if_exists();
        let table = self.table()?;
        self.skip_wait();
        let alterations = parse_alterations(&mut self.tokens, self.database)?;
        if alterations.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Change::Alter { table, alterations }])
    }

    /// Skips MariaDB's `WAIT n` and `NOWAIT`.
    fn skip_wait(&mut self) {
        if self.tokens.is_word("WAIT") && matches!(self.tokens.peek_at(1), Some(Token::Word(_))) {
            self.tokens.next();
            self.tokens.next();
        }
        self.tokens.eat("NOWAIT");
    }

    fn drop(&mut self) -> Changes {
        if self.is_schema() {
            self.if_exists();
            return Ok(vec![Change::DropDatabase(self.tokens.name()?)]);
        }
        if !self.tokens.eat_any(&["TABLE", "TABLES", "SEQUENCE"]) {
            return Ok(Vec::new());
        }
        self.if_exists();
        let mut changes = Vec::new();
        loop {
            changes.push(Change::Drop(self.table()?));
            if !self.tokens.eat_sign(',') {
                return Ok(changes);
            }
        }
    }

    fn rename(&mut self) -> Changes {
        if !self.tokens.eat_any(&["TABLE", "TABLES"]) {
            return Ok(Vec::new());
        }
        self.if_exists();
        let mut changes = Vec::new();
        loop {
            let from = self.table()?;
            self.skip_wait();
            self.tokens.expect("TO")?;
            let to = self.table()?;
            changes.push(Change::Rename { from, to });
            if !self.tokens.eat_sign(',') {
                return Ok(changes);
            }
        }
    }
}

/// Reads a table's name, perhaps with its database's.
pub(crate) fn parse_table_name(
    tokens: &mut Tokens<'_>,
    default_database: &str,
) -> Result<TableName, NotUnderstood> {
    if tokens.eat_sign('.') {
        return Ok(TableName::new(default_database, tokens.name()?));
    }
    let first = tokens.name()?;
    if tokens.eat_sign('.') {
        return Ok(TableName::new(first, tokens.name()?));
    }
    Ok(TableName::new(default_database, first))
}
