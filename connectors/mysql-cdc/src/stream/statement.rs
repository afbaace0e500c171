//! Statements in the log: frames of transactions, definitions, and changes that were not logged as rows.

use millrace_connector::{ConnectorError, ErrorKind, Retry};

use super::Stream;
use super::transaction::Transaction;
use crate::definition::{TableName, Written, written};
use crate::events::{self, Query, RawEvent};
use crate::position::Place;
use crate::tables::damaged;

impl Stream {
    pub(super) fn query(&mut self, event: &RawEvent, start: &Place) -> Result<(), ConnectorError> {
        let query = events::query(event.code, &event.body, self.server.is_mariadb)
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
        self.statement(&query, event, start)
    }

    fn statement(
        &mut self,
        query: &Query<'_>,
        event: &RawEvent,
        start: &Place,
    ) -> Result<(), ConnectorError> {
        if !self.is_replaying_xa() {
            let is_wanted = self.wants_rows(event);
            match written(&query.text, &query.database, query.dialect) {
                Written::Tables(tables) if is_wanted => {
                    for table in tables.iter().filter(|table| self.tables.matches(table)) {
                        self.statement_event(Some(table), start)?;
                    }
                }
                Written::Unknown if is_wanted => self.statement_event(None, start)?,
                _ => {}
            }
            for change in query.changes() {
                tracing::debug!(place = %start, ?change, "a definition changes");
                self.tables.apply(&change);
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
    fn statement_event(
        &self,
        table: Option<&TableName>,
        start: &Place,
    ) -> Result<(), ConnectorError> {
        let what = match table {
            Some(table) => format!("a change of {table}"),
            None => "a change of tables that the statement does not name".to_owned(),
        };
        let text = format!(
            "{what} at {start} was logged as a statement (binlog_format=STATEMENT or MIXED in the writing session) and cannot be read"
        );
        if self.config.properties.fails_on_statements {
            return Err(ConnectorError::new(ErrorKind::Data, Retry::Never, text)
                .help("let the writing application SET binlog_format='ROW'"));
        }
        tracing::warn!(table = self.config.table, "{text}");
        Ok(())
    }

    /// Tells whether rows of the transaction in progress are wanted at this second.
    fn wants_rows(&self, event: &RawEvent) -> bool {
        let is_left_out = self.transaction.as_ref().is_some_and(|trx| trx.is_left_out);
        !is_left_out && u64::from(event.timestamp) >= self.from_seconds
    }
}
