//! The state that both ports share: tables, transactions, faults, and the folder that keeps them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::fault::{Fault, FaultPoint, Faults};
use crate::journal::{Event, Journal};
use crate::rows::Snapshot;
use crate::schema::TableSchema;
use crate::transaction::{Begun, Book, Handle, Limits, Transaction, TransactionState};

/// Why the stand-in cannot do what a test asks.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// The folder.
    #[error("the stand-in's folder cannot be used")]
    Io(#[from] io::Error),
    /// There is no such table.
    #[error("unknown table '{0}'")]
    UnknownTable(String),
    /// A table cannot be made so.
    #[error("{0}")]
    Schema(String),
}

/// Limits and forms that a test may set; the defaults are Doris's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `stream_load_default_timeout_second`, for loads without a `timeout` header.
    pub load_timeout_ms: i64,
    /// `stream_load_default_precommit_timeout_second`.
    pub precommit_timeout_ms: i64,
    /// `streaming_label_keep_max_second`.
    pub label_keep_ms: i64,
    /// `label_num_threshold`.
    pub labels_max: usize,
    /// Whether messages look as in Doris 1.2 and 2.0 (with a stack trace) or as in 2.1 and later.
    pub old_messages: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            load_timeout_ms: 259_200_000,
            precommit_timeout_ms: 3_600_000,
            label_keep_ms: 43_200_000,
            labels_max: 2000,
            old_messages: false,
        }
    }
}

/// How many error texts are kept for `ErrorURL`.
const ERROR_LOGS_MAX: usize = 1000;

type TableName = (String, String);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) databases: BTreeSet<String>,
    pub(crate) tables: BTreeMap<TableName, TableSchema>,
    /// How often rows or columns went that were there.
    generation: u64,
    book: Book,
    /// The visible loads of each table by version.
    loads: HashMap<TableName, BTreeMap<u64, i64>>,
    faults: Faults,
    settings: Settings,
    error_logs: BTreeMap<i64, String>,
}

impl State {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Database(name) => {
                self.databases.insert(name);
            }
            Event::DropDatabase(name) => {
                self.databases.remove(&name);
            }
            Event::Table(schema) => {
                let name = (schema.db.clone(), schema.table.clone());
                self.databases.insert(schema.db.clone());
                self.tables.insert(name, schema);
                self.generation += 1;
            }
            Event::DropTable(name) => {
                self.tables.remove(&name);
                self.loads.remove(&name);
                self.generation += 1;
            }
            Event::Truncate(name) => {
                self.loads.remove(&name);
                self.generation += 1;
            }
            Event::Transaction(transaction) => {
                self.note_visible(&transaction);
                self.book.restore(transaction);
            }
            Event::Forget(id) => self.book.forget(id),
        }
    }

    fn note_visible(&mut self, transaction: &Transaction) {
        if let (TransactionState::Visible, Some(version)) = (transaction.state, transaction.version)
        {
            let name = (transaction.db.clone(), transaction.table.clone());
            self.loads
                .entry(name)
                .or_default()
                .insert(version, transaction.id);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    /// State first, then journal: always locked in this order.
    state: Mutex<State>,
    journal: Mutex<Journal>,
}

impl Cluster {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder.join("rows"))?;
        let mut state = State::default();
        let journal = Journal::open(&folder.join("journal.jsonl"), |event| state.apply(event))?;
        let cluster = Self {
            folder: folder.to_owned(),
            state: Mutex::new(state),
            journal: Mutex::new(journal),
        };
        cluster.abort_all_prepare()?;
        Ok(cluster)
    }

    /// A BE that restarts has lost the loads under way.
    fn abort_all_prepare(&self) -> io::Result<()> {
        let open: Vec<i64> = {
            let state = self.state.lock();
            let prepare = |found: &&Transaction| found.state == TransactionState::Prepare;
            state
                .book
                .all()
                .filter(prepare)
                .map(|found| found.id)
                .collect()
        };
        for id in open {
            self.abort_open(id, "coordinate BE is restart")?;
        }
        Ok(())
    }

    fn record(&self, state: &mut State, id: i64, sync: bool) -> io::Result<()> {
        let Some(transaction) = state.book.get(id).cloned() else {
            return Ok(());
        };
        if transaction.state == TransactionState::Aborted {
            // What is left of it is only disk space.
            let _ = fs::remove_file(self.rows_path(id));
        }
        state.note_visible(&transaction);
        self.journal
            .lock()
            .append(&Event::Transaction(transaction), sync)
    }

    /// Does what time does.
    pub(crate) fn pass_time(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        let settings = &state.settings;
        let limits = Limits {
            precommit_timeout_ms: settings.precommit_timeout_ms,
            label_keep_ms: settings.label_keep_ms,
            labels_max: settings.labels_max,
        };
        let (changed, forgotten) = state.book.pass_time(&limits, now_ms());
        for id in changed {
            self.record(&mut state, id, false)?;
        }
        for id in forgotten {
            self.journal.lock().append(&Event::Forget(id), false)?;
        }
        Ok(())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Lets a change of the catalog happen, and keeps it.
    pub(crate) fn change(&self, event: Event) -> Result<(), ClusterError> {
        let mut state = self.state.lock();
        self.journal.lock().append(&event, true)?;
        state.apply(event);
        Ok(())
    }

    pub(crate) fn begin(
        &self,
        (db, table, label): (&str, &str, &str),
        timeout_ms: Option<i64>,
    ) -> io::Result<Begun> {
        self.pass_time()?;
        let mut state = self.state.lock();
        let timeout_ms = timeout_ms.unwrap_or(state.settings.load_timeout_ms);
        let begun = state.book.begin((db, table, label), timeout_ms, now_ms());
        if let Begun::Open(id) = begun {
            self.record(&mut state, id, false)?;
        }
        Ok(begun)
    }

    /// Tells whether a load may go on; the error says why not.
    pub(crate) fn check_loading(&self, id: i64) -> io::Result<Result<(), String>> {
        self.pass_time()?;
        let state = self.state.lock();
        Ok(match state.book.get(id) {
            Some(found) if found.state == TransactionState::Prepare => Ok(()),
            Some(found) => Err(format!(
                "transaction [{id}] is already aborted: {}",
                found.reason
            )),
            None => Err(format!("transaction [{id}] not found")),
        })
    }

    pub(crate) fn finish_load(&self, id: i64, to: TransactionState, rows: u64) -> io::Result<bool> {
        let mut state = self.state.lock();
        let done = state.book.finish_load(id, to, rows, now_ms());
        if done {
            self.record(&mut state, id, true)?;
        }
        Ok(done)
    }

    pub(crate) fn abort_open(&self, id: i64, reason: &str) -> io::Result<()> {
        let mut state = self.state.lock();
        state.book.abort_open(id, reason, now_ms());
        self.record(&mut state, id, false)
    }

    /// Commits or aborts by request; the inner error is Doris's text.
    pub(crate) fn decide(
        &self,
        db: &str,
        handle: &Handle,
        is_commit: bool,
    ) -> io::Result<Result<i64, String>> {
        self.pass_time()?;
        let mut state = self.state.lock();
        let result = if is_commit {
            state.book.commit(db, handle, now_ms())
        } else {
            state.book.abort(db, handle, now_ms())
        };
        if let Ok(id) = result {
            self.record(&mut state, id, true)?;
        }
        Ok(result)
    }

    pub(crate) fn label_state(&self, db: &str, label: &str) -> io::Result<&'static str> {
        self.pass_time()?;
        let state = self.state.lock();
        let found = state.book.of_label(db, label);
        Ok(found.map_or("UNKNOWN", |found| found.state.word()))
    }

    pub(crate) fn transactions(&self) -> io::Result<Vec<Transaction>> {
        self.pass_time()?;
        Ok(self.state.lock().book.all().cloned().collect())
    }

    pub(crate) fn rows_path(&self, id: i64) -> PathBuf {
        self.folder.join("rows").join(format!("{id}.jsonl"))
    }

    /// Returns where the rows are that a query would see.
    pub(crate) fn snapshot(&self, db: &str, table: &str) -> Result<Snapshot, ClusterError> {
        self.pass_time()?;
        let name = (db.to_owned(), table.to_owned());
        let state = self.state.lock();
        let schema = state.tables.get(&name).cloned();
        let unknown = || ClusterError::UnknownTable(format!("{db}.{table}"));
        let loads = state.loads.get(&name).into_iter().flatten();
        Ok(Snapshot {
            schema: schema.ok_or_else(unknown)?,
            generation: state.generation,
            loads: loads
                .map(|(version, id)| (*version, self.rows_path(*id)))
                .collect(),
        })
    }

    /// Returns the rows that a query would see, as objects by column.
    pub(crate) fn rows(&self, db: &str, table: &str) -> Result<Vec<Value>, ClusterError> {
        let snapshot = self.snapshot(db, table)?;
        let mut rows = Vec::new();
        snapshot.visit(&|_| true, &mut |cells| {
            let columns = snapshot.schema.columns.iter().zip(cells);
            let shown = columns
                .filter(|(column, _)| !column.hidden)
                .map(|(column, cell)| (column.name.clone(), cell.clone()));
            rows.push(Value::Object(shown.collect::<Map<_, _>>()));
            Ok(())
        })?;
        Ok(rows)
    }

    pub(crate) fn strikes(&self, point: FaultPoint) -> bool {
        self.state.lock().faults.strikes(point)
    }

    pub(crate) fn add_fault(&self, fault: Fault) {
        self.state.lock().faults.add(fault);
    }

    pub(crate) fn clear_faults(&self) {
        self.state.lock().faults.clear();
    }

    pub(crate) fn settings(&self) -> Settings {
        self.state.lock().settings.clone()
    }

    pub(crate) fn set_settings(&self, settings: Settings) {
        self.state.lock().settings = settings;
    }

    pub(crate) fn keep_error_log(&self, id: i64, text: String) {
        let logs = &mut self.state.lock().error_logs;
        logs.insert(id, text);
        if logs.len() > ERROR_LOGS_MAX {
            logs.pop_first();
        }
    }

    pub(crate) fn error_log(&self, id: i64) -> Option<String> {
        self.state.lock().error_logs.get(&id).cloned()
    }
}

pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
