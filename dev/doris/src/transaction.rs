//! The book of labels and transactions: pure state, no I/O, no clock.
//!
//! ```text
//! begin ─► PREPARE ─► PRECOMMITTED ─► COMMITTED ─► VISIBLE ─► forgotten
//!             └────────────┴────────► ABORTED ───────────────► forgotten
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TransactionState {
    /// Its load is under way.
    Prepare,
    /// Its rows are there, unseen.
    Precommitted,
    /// It counts.
    Committed,
    /// Its rows are seen.
    Visible,
    /// Its rows are gone.
    Aborted,
}

impl TransactionState {
    /// Returns the word as Doris shows it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Prepare => "PREPARE",
            Self::Precommitted => "PRECOMMITTED",
            Self::Committed => "COMMITTED",
            Self::Visible => "VISIBLE",
            Self::Aborted => "ABORTED",
        }
    }

    fn is_final(self) -> bool {
        matches!(self, Self::Visible | Self::Aborted)
    }
}

/// One load with its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its number.
    pub id: i64,
    /// Its database.
    pub db: String,
    /// Its table.
    pub table: String,
    /// Its label, unique within the database while it is not aborted.
    pub label: String,
    /// Where it stands.
    pub state: TransactionState,
    /// When it came to this state, in milliseconds since 1970.
    pub since_ms: i64,
    /// How long it may be in PREPARE.
    pub timeout_ms: i64,
    /// Rows loaded.
    pub rows: u64,
    /// The place in the order of commits.
    pub version: Option<u64>,
    /// Why it was aborted.
    pub reason: String,
}

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) precommit_timeout_ms: i64,
    pub(crate) label_keep_ms: i64,
    pub(crate) labels_max: usize,
}

/// Which transaction a request means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Handle {
    Id(i64),
    Label(String),
}

/// The result of asking for a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// A transaction of this number is open.
    Open(i64),
    /// The label is taken by this transaction, in this state.
    Taken(i64, TransactionState),
}

/// What changed, in the order in which it did: for the journal.
#[derive(Debug, Default)]
pub(crate) struct Book {
    transactions: BTreeMap<i64, Transaction>,
    last_id: i64,
    last_version: u64,
}

const FIRST_ID: i64 = 1000;

impl Book {
    /// Takes over a transaction as the journal has it; `None` state means forgotten.
    pub(crate) fn restore(&mut self, transaction: Transaction) {
        self.last_id = self.last_id.max(transaction.id);
        self.last_version = self.last_version.max(transaction.version.unwrap_or(0));
        self.transactions.insert(transaction.id, transaction);
    }

    pub(crate) fn forget(&mut self, id: i64) {
        self.transactions.remove(&id);
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Transaction> {
        self.transactions.values()
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Transaction> {
        self.transactions.get(&id)
    }

    /// Returns the newest transaction of a label.
    pub(crate) fn of_label(&self, db: &str, label: &str) -> Option<&Transaction> {
        self.transactions
            .values()
            .rev()
            .find(|found| found.db == db && found.label == label)
    }

    pub(crate) fn begin(
        &mut self,
        (db, table, label): (&str, &str, &str),
        timeout_ms: i64,
        now_ms: i64,
    ) -> Begun {
        let blocking = self.transactions.values().find(|found| {
            found.db == db && found.label == label && found.state != TransactionState::Aborted
        });
        if let Some(found) = blocking {
            return Begun::Taken(found.id, found.state);
        }
        self.last_id = self.last_id.max(FIRST_ID) + 1;
        let id = self.last_id;
        self.transactions.insert(
            id,
            Transaction {
                id,
                db: db.to_owned(),
                table: table.to_owned(),
                label: label.to_owned(),
                state: TransactionState::Prepare,
                since_ms: now_ms,
                timeout_ms,
                rows: 0,
                version: None,
                reason: String::new(),
            },
        );
        Begun::Open(id)
    }

    /// Moves a transaction in PREPARE on to `state`; `false` when it is not in PREPARE any more.
    pub(crate) fn finish_load(
        &mut self,
        id: i64,
        state: TransactionState,
        rows: u64,
        now_ms: i64,
    ) -> bool {
        let next_version = self.last_version + 1;
        let Some(found) = self
            .transactions
            .get_mut(&id)
            .filter(|found| found.state == TransactionState::Prepare)
        else {
            return false;
        };
        found.state = state;
        found.rows = rows;
        found.since_ms = now_ms;
        if state != TransactionState::Precommitted {
            found.version = Some(next_version);
            self.last_version = next_version;
        }
        true
    }

    /// Moves a transaction that is not final to ABORTED.
    pub(crate) fn abort_open(&mut self, id: i64, reason: &str, now_ms: i64) {
        if let Some(found) = self.transactions.get_mut(&id).filter(|found| {
            matches!(
                found.state,
                TransactionState::Prepare | TransactionState::Precommitted
            )
        }) {
            found.state = TransactionState::Aborted;
            found.reason = reason.to_owned();
            found.since_ms = now_ms;
        }
    }

    /// Commits by request; the error is Doris's detail text.
    pub(crate) fn commit(&mut self, db: &str, handle: &Handle, now_ms: i64) -> Result<i64, String> {
        let id = self.resolve(db, handle, &[TransactionState::Precommitted])?;
        let next_version = self.last_version + 1;
        let found = self.find(db, id)?;
        match found.state {
            TransactionState::Precommitted => {
                found.state = TransactionState::Committed;
                found.since_ms = now_ms;
                found.version = Some(next_version);
                self.last_version = next_version;
                Ok(id)
            }
            TransactionState::Aborted => Err(format!(
                "transaction [{id}] is already aborted. abort reason: {}",
                found.reason
            )),
            TransactionState::Prepare => {
                Err(format!("transaction [{id}] is prepare, not pre-committed."))
            }
            TransactionState::Committed => Err(format!(
                "transaction [{id}] is already committed, not pre-committed."
            )),
            TransactionState::Visible => Err(format!(
                "transaction [{id}] is already visible, not pre-committed."
            )),
        }
    }

    /// Aborts by request; the error is Doris's detail text.
    pub(crate) fn abort(&mut self, db: &str, handle: &Handle, now_ms: i64) -> Result<i64, String> {
        let states = [TransactionState::Precommitted, TransactionState::Prepare];
        let id = self.resolve(db, handle, &states)?;
        let found = self.find(db, id)?;
        match found.state {
            TransactionState::Aborted => Err(format!(
                "transaction [{id}] is already aborted, abort reason: {}",
                found.reason
            )),
            TransactionState::Committed | TransactionState::Visible => Err(format!(
                "transaction [{id}] is already {}, could not abort.",
                found.state.word()
            )),
            TransactionState::Prepare | TransactionState::Precommitted => {
                self.abort_open(id, "User Abort", now_ms);
                Ok(id)
            }
        }
    }

    fn find(&mut self, db: &str, id: i64) -> Result<&mut Transaction, String> {
        self.transactions
            .get_mut(&id)
            .filter(|found| found.db == db)
            .ok_or_else(|| format!("transaction [{id}] not found"))
    }

    fn resolve(
        &self,
        db: &str,
        handle: &Handle,
        states: &[TransactionState],
    ) -> Result<i64, String> {
        let label = match handle {
            Handle::Id(id) => return Ok(*id),
            Handle::Label(label) => label,
        };
        let of_label: Vec<_> = self
            .transactions
            .values()
            .filter(|found| found.db == db && found.label == *label)
            .collect();
        if of_label.is_empty() {
            return Err(format!("transaction not found, label={label}"));
        }
        states
            .iter()
            .find_map(|state| of_label.iter().find(|found| found.state == *state))
            .map(|found| found.id)
            .ok_or_else(|| format!("running transaction not found, label={label}"))
    }

    /// Does what time does, and returns which transactions changed and which are forgotten: never the same ones, since the
    /// caller has to see what became visible.
    pub(crate) fn pass_time(&mut self, limits: &Limits, now_ms: i64) -> (Vec<i64>, Vec<i64>) {
        let mut changed = Vec::new();
        for found in self.transactions.values_mut() {
            let age = now_ms - found.since_ms;
            let expired = match found.state {
                TransactionState::Prepare => age > found.timeout_ms,
                TransactionState::Precommitted => age > limits.precommit_timeout_ms,
                TransactionState::Committed => {
                    found.state = TransactionState::Visible;
                    found.since_ms = now_ms;
                    changed.push(found.id);
                    false
                }
                TransactionState::Visible | TransactionState::Aborted => false,
            };
            if expired {
                found.state = TransactionState::Aborted;
                found.reason = "timeout by txn manager".to_owned();
                found.since_ms = now_ms;
                changed.push(found.id);
            }
        }
        let mut forgotten: Vec<i64> = self
            .transactions
            .values()
            .filter(|found| {
                found.state.is_final()
                    && now_ms - found.since_ms > limits.label_keep_ms
                    && !changed.contains(&found.id)
            })
            .map(|found| found.id)
            .collect();
        forgotten.extend(self.over_threshold(limits.labels_max, &forgotten, &changed));
        for id in &forgotten {
            self.transactions.remove(id);
        }
        (changed, forgotten)
    }

    /// Returns the oldest finished transactions of each database that has too many of them.
    fn over_threshold(&self, labels_max: usize, gone: &[i64], fresh: &[i64]) -> Vec<i64> {
        let mut finished: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
        for found in self.transactions.values() {
            if found.state.is_final() && !gone.contains(&found.id) && !fresh.contains(&found.id) {
                finished.entry(&found.db).or_default().push(found.id);
            }
        }
        finished
            .into_values()
            .flat_map(|ids| {
                let over = ids.len().saturating_sub(labels_max);
                ids.into_iter().take(over)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        precommit_timeout_ms: 1000,
        label_keep_ms: 10_000,
        labels_max: 2,
    };

    fn open(book: &mut Book, label: &str) -> i64 {
        match book.begin(("db", "t", label), 500, 0) {
            Begun::Open(id) => id,
            Begun::Taken(..) => panic!("the label is free"),
        }
    }

    #[test]
    fn a_label_blocks_until_its_transaction_is_aborted() {
        let mut book = Book::default();
        let id = open(&mut book, "a");
        assert_eq!(
            book.begin(("db", "t", "a"), 500, 0),
            Begun::Taken(id, TransactionState::Prepare)
        );
        book.abort("db", &Handle::Label("a".into()), 0).unwrap();
        assert_eq!(book.begin(("db", "t", "a"), 500, 0), Begun::Open(id + 1));
        assert_eq!(book.begin(("other", "t", "a"), 500, 0), Begun::Open(id + 2));
    }

    #[test]
    fn repeated_requests_are_answered_in_the_words_of_doris() {
        let mut book = Book::default();
        let id = open(&mut book, "a");
        let by_id = Handle::Id(id);
        let detail = book.commit("db", &by_id, 0).unwrap_err();
        assert_eq!(
            detail,
            format!("transaction [{id}] is prepare, not pre-committed.")
        );
        assert!(book.finish_load(id, TransactionState::Precommitted, 1, 0));
        book.commit("db", &by_id, 0).unwrap();
        let detail = book.commit("db", &by_id, 0).unwrap_err();
        assert_eq!(
            detail,
            format!("transaction [{id}] is already committed, not pre-committed.")
        );
        book.pass_time(&LIMITS, 1);
        let detail = book.commit("db", &by_id, 0).unwrap_err();
        assert_eq!(
            detail,
            format!("transaction [{id}] is already visible, not pre-committed.")
        );
        let detail = book.abort("db", &by_id, 0).unwrap_err();
        assert_eq!(
            detail,
            format!("transaction [{id}] is already VISIBLE, could not abort.")
        );
        let detail = book
            .commit("db", &Handle::Label("a".into()), 0)
            .unwrap_err();
        assert_eq!(detail, "running transaction not found, label=a");
        let detail = book
            .commit("db", &Handle::Label("b".into()), 0)
            .unwrap_err();
        assert_eq!(detail, "transaction not found, label=b");
    }

    #[test]
    fn time_aborts_what_hangs_and_forgets_what_is_done() {
        let mut book = Book::default();
        let loading = open(&mut book, "a");
        let prepared = open(&mut book, "b");
        book.finish_load(prepared, TransactionState::Precommitted, 1, 0);
        book.pass_time(&LIMITS, 600);
        assert_eq!(book.get(loading).unwrap().state, TransactionState::Aborted);
        assert_eq!(
            book.get(prepared).unwrap().state,
            TransactionState::Precommitted
        );
        book.pass_time(&LIMITS, 1001);
        assert_eq!(book.get(prepared).unwrap().reason, "timeout by txn manager");
        let third = open(&mut book, "c");
        book.finish_load(third, TransactionState::Visible, 1, 1001);
        let (_, forgotten) = book.pass_time(&LIMITS, 1002);
        assert_eq!(forgotten, vec![loading], "two finished ones are kept");
        let detail = book.commit("db", &Handle::Id(loading), 0).unwrap_err();
        assert_eq!(detail, format!("transaction [{loading}] not found"));
    }
}
