//! Statements in the log: frames of transactions, definitions, and changes that were not logged as rows.

use std::borrow::Cow;

use millrace_connector::{ConnectorError, ErrorKind, Retry};

use super::Stream;
use super::transaction::Transaction;
use crate::definition::{TableName, ddl};
use crate::events::{self, Query, RawEvent, strip_words};
use crate::out::Out;
use crate::position::Place;
use crate::tables::damaged;

impl Stream {
    pub(super) fn query(
        &mut self,
        event: &RawEvent,
        compressed: bool,
        start: &Place,
        _out: &mut Out,
    ) -> Result<(), ConnectorError> {
        let query = events::query(&event.body, compressed)
            .ok_or_else(|| damaged("a QUERY event is cut short", start))?;
        let text = query.text.trim();
        if self.transaction.is_none() {
            // Before 5.6, and where MariaDB sends no GTID, BEGIN is the first event.
            self.start_transaction(Transaction {
                place: start.clone(),
                ..Transaction::default()
            });
        }
        if text.eq_ignore_ascii_case("BEGIN") || text.eq_ignore_ascii_case("START TRANSACTION") {
            if let Some(trx) = &mut self.transaction {
                trx.has_begun = true;
            }
            return Ok(());
        }
        if text.eq_ignore_ascii_case("COMMIT") || text.eq_ignore_ascii_case("ROLLBACK") {
            self.end_transaction();
            return Ok(());
        }
        if let Some(name) = events::xa_name(text, "START") {
            self.xa_started(name);
            return Ok(());
        }
        if events::xa_name(text, "END").is_some() {
            return Ok(());
        }
        for (verb, is_committed) in [("COMMIT", true), ("ROLLBACK", false)] {
            if let Some(name) = events::xa_name(text, verb) {
                let name = name.to_owned();
                return self.xa_ended(&name, is_committed);
            }
        }
        self.statement(&query, start)
    }

    fn statement(&mut self, query: &Query<'_>, start: &Place) -> Result<(), ConnectorError> {
        if !self.is_replaying_xa() {
            if let Some(table) = written_table(query) {
                self.statement_event(&table, start)?;
            } else {
                for change in ddl::parse(&query.text, &query.database, query.mode) {
                    tracing::debug!(place = %start, ?change, "a definition changes");
                    self.tables.apply(&change);
                }
            }
        }
        // CREATE TABLE … SELECT comes with its rows.
        let opens = query
            .text
            .trim_end()
            .to_ascii_uppercase()
            .ends_with("START TRANSACTION");
        if let Some(trx) = &mut self.transaction {
            trx.has_begun |= opens;
            if !trx.has_begun {
                self.end_transaction();
            }
        }
        Ok(())
    }

    /// A change that was logged as a statement cannot be turned into rows.
    fn statement_event(&mut self, table: &TableName, start: &Place) -> Result<(), ConnectorError> {
        if !self.config.matcher.matches(table) {
            return Ok(());
        }
        let text = format!(
            "a change of {table} at {start} was logged as a statement (binlog_format=STATEMENT or MIXED in the writing session) and cannot be read"
        );
        if self.config.properties.fails_on_statements {
            return Err(ConnectorError::new(ErrorKind::Data, Retry::Never, text)
                .help("let the writing application SET binlog_format='ROW'"));
        }
        tracing::warn!(table = self.config.table, "{text}");
        Ok(())
    }
}

/// Returns the table that an INSERT, UPDATE, DELETE or REPLACE writes to.
fn written_table(query: &Query<'_>) -> Option<TableName> {
    let text = skip_comments(&query.text);
    let mut rest = ["INSERT", "REPLACE", "UPDATE", "DELETE"]
        .iter()
        .find_map(|verb| strip_words(text, &[verb]))?;
    loop {
        let shorter = [
            "LOW_PRIORITY",
            "HIGH_PRIORITY",
            "DELAYED",
            "QUICK",
            "IGNORE",
            "INTO",
            "FROM",
        ]
        .iter()
        .find_map(|word| strip_words(rest, &[word]));
        match shorter {
            Some(shorter) => rest = shorter,
            None => break,
        }
    }
    let (first, rest) = name(rest)?;
    match rest
        .trim_start()
        .strip_prefix('.')
        .and_then(|rest| name(rest.trim_start()))
    {
        Some((second, _)) => Some(TableName::new(first, second)),
        None => Some(TableName::new(query.database.clone(), first)),
    }
}

fn skip_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    while let Some(comment) = rest.strip_prefix("/*") {
        match comment.split_once("*/") {
            Some((_, after)) if !comment.starts_with('!') => rest = after.trim_start(),
            _ => break,
        }
    }
    rest
}

fn name(text: &str) -> Option<(Cow<'_, str>, &str)> {
    if let Some(quoted) = text.strip_prefix('`') {
        let mut at = 0;
        loop {
            at += quoted[at..].find('`')?;
            if !quoted[at + 1..].starts_with('`') {
                return Some((quoted[..at].replace("``", "`").into(), &quoted[at + 1..]));
            }
            at += 2;
        }
    }
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(text.len());
    (end > 0).then(|| (text[..end].into(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_table_of_a_statement() {
        let table = |text: &'static str| {
            let query = Query {
                database: "d".into(),
                text: text.into(),
                mode: Default::default(),
            };
            written_table(&query).map(|table| table.to_string())
        };
        assert_eq!(table("INSERT INTO a.b VALUES (1)").as_deref(), Some("a.b"));
        assert_eq!(
            table("/* x */ update low_priority `we``ird` set x=1").as_deref(),
            Some("d.we`ird")
        );
        assert_eq!(table("DELETE FROM t WHERE 1").as_deref(), Some("d.t"));
        assert_eq!(table("CREATE TABLE t (a int)"), None);
        assert_eq!(table("INSERTED"), None);
    }
}
