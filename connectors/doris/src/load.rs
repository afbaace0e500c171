//! The loads of one table: at most one is open, and rows flow into it between checkpoints.
//!
//! ```text
//! begin(epoch) ─► first row: open part 0 ─► … rows … ─► full: end it, part 1 opens with the next row ─► prepare: end it
//! ```

use std::time::{Duration, Instant};

use millrace_connector::{ConnectorError, Epoch, ErrorKind, Retry};

use crate::answer::{LoadAnswer, LoadStatus, is_about_login};
use crate::client::{Client, Headers, chain, unreachable};
use crate::http::{Connection, HttpError, Started};
use crate::recovery::{LabelStem, Prepared, now_ms};
use crate::settings::{LoadLimits, Settings};

/// Rows are sent in chunks of about this size.
const CHUNK_BYTES: usize = 256 << 10;
/// Room for a chunk's size before it, in hexadecimal of fixed width.
const CHUNK_HEAD: usize = 10;
/// How many loads under labels of one part may be met that others left there.
const TRIES_MAX: u32 = 100;
/// Pauses while Doris is overloaded.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How much of Doris's error log is shown.
const ERROR_LOG_BYTES_MAX: usize = 600;

/// The loads of one table of a dataflow.
pub(crate) struct TableLoad {
    client: Client,
    db: String,
    table: String,
    stem: LabelStem,
    headers: Headers,
    is_two_phase: bool,
    allows_filtered: bool,
    retries_max: u32,
    limits: LoadLimits,
    epoch: Option<Epoch>,
    part: u32,
    open: Option<OpenLoad>,
    prepared: Vec<Prepared>,
    /// Transactions of labels of ours that a predecessor or another copy left.
    strangers: Vec<i64>,
}

struct OpenLoad {
    connection: Connection,
    label: String,
    opened: Instant,
    rows: u64,
    bytes: u64,
    /// A chunk under way, room for its head first.
    chunk: Vec<u8>,
}

impl TableLoad {
    pub(crate) fn new(
        client: Client,
        settings: &Settings,
        stem: LabelStem,
        headers: Headers,
    ) -> Self {
        Self {
            client,
            db: settings.db.clone(),
            table: settings.table.clone(),
            stem,
            headers,
            is_two_phase: settings.is_two_phase,
            allows_filtered: settings.allows_filtered,
            retries_max: settings.retries_max,
            limits: settings.limits.clone(),
            epoch: None,
            part: 0,
            open: None,
            prepared: Vec::new(),
            strangers: Vec::new(),
        }
    }

    fn name(&self) -> String {
        format!("{}.{}", self.db, self.table)
    }

    pub(crate) fn begin(&mut self, epoch: Epoch) {
        assert!(
            self.open.is_none(),
            "the epoch before is prepared or discarded"
        );
        self.epoch = Some(epoch);
        self.part = 0;
        self.prepared.clear();
    }

    /// Takes rows, `separator` between each two; `ends` has where each row ends in `bytes`.
    pub(crate) fn write(
        &mut self,
        bytes: &[u8],
        ends: &[usize],
        separator: &[u8],
    ) -> Result<(), ConnectorError> {
        if ends.is_empty() {
            return Ok(());
        }
        if self.open.is_none() {
            let load = self.open()?;
            self.open = Some(load);
        }
        let load = self.open.as_mut().expect("it was opened above");
        let sent = load.push(bytes, ends, separator);
        if let Err(error) = sent {
            return Err(self.explain_broken(error));
        }
        let load = self.open.as_ref().expect("it was opened above");
        let limits = &self.limits;
        if load.bytes >= limits.bytes_max
            || load.rows >= limits.rows_max
            || limits
                .age_max
                .is_some_and(|age| load.opened.elapsed() >= age)
        {
            self.end_part()?;
        }
        Ok(())
    }

    /// Ends what is open and returns what is prepared.
    pub(crate) fn prepare(&mut self, epoch: Epoch) -> Result<Vec<Prepared>, ConnectorError> {
        assert_eq!(self.epoch, Some(epoch), "the epoch was begun");
        self.end_part()?;
        Ok(std::mem::take(&mut self.prepared))
    }

    /// Drops what is open: Doris aborts a load whose sender is gone.
    pub(crate) fn drop_open(&mut self) {
        self.open = None;
    }

    /// Returns the transactions that stand under labels of ours and are not ours.
    pub(crate) fn take_strangers(&mut self) -> Vec<i64> {
        std::mem::take(&mut self.strangers)
    }

    pub(crate) fn db(&self) -> &str {
        &self.db
    }

    /// Opens a load under the first label of this part that is free.
    fn open(&mut self) -> Result<OpenLoad, ConnectorError> {
        let epoch = self.epoch.expect("`begin` comes before rows");
        let action = format!("begin a load into {}", self.name());
        let (mut attempt, mut refusals, mut pause) = (0, 0, PAUSE_FIRST);
        while attempt < TRIES_MAX {
            let label = self.stem.label(epoch, self.part, attempt);
            let mut headers = self.headers.clone();
            headers.push(("label".to_owned(), label.clone()));
            let started = self
                .client
                .start_load(&self.db, &self.table, &headers)
                .map_err(|error| unreachable(&action, error))?;
            let response = match started {
                Started::Continue(connection) => {
                    tracing::debug!(label, node = %connection.node(), "load opened");
                    return Ok(OpenLoad::new(connection, label));
                }
                Started::Answered(response) => response,
            };
            let why = match LoadAnswer::parse(&response) {
                Ok(answer) if answer.meaning() == LoadStatus::LabelExists => {
                    self.meet_stranger(&label, &answer);
                    attempt += 1;
                    continue;
                }
                Ok(answer) if answer.is_overload() => answer.message().to_owned(),
                Ok(answer) => return Err(refused(&action, answer.message())),
                Err(said) if is_about_login(&said) => return Err(refused(&action, &said)),
                Err(said) => said,
            };
            refusals += 1;
            if refusals > self.retries_max {
                return Err(ConnectorError::new(
                    ErrorKind::Rejected,
                    Retry::Restart,
                    format!("cannot {action}: {why}"),
                ));
            }
            tracing::warn!(
                why,
                table = self.name(),
                "Doris takes no load now; trying again"
            );
            self.sleep(pause)?;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        let text = format!("cannot {action}: {TRIES_MAX} labels of epoch {epoch} are taken");
        Err(ConnectorError::new(ErrorKind::Rejected, Retry::Never, text)
            .help("another pipeline uses the same names: give each its own 'sink.label-prefix'"))
    }

    fn meet_stranger(&mut self, label: &str, answer: &LoadAnswer) {
        let transaction = answer.related_transaction();
        let state = answer.existing_job_status.as_str();
        tracing::info!(
            label,
            state,
            transaction,
            "the label is taken; taking the next"
        );
        if state != "FINISHED" && self.is_two_phase {
            self.strangers.extend(transaction);
        }
    }

    fn sleep(&self, pause: Duration) -> Result<(), ConnectorError> {
        let begun = Instant::now();
        while begun.elapsed() < pause {
            if self.client.patience().cancel.is_cancelled() {
                return Err(unreachable("wait for Doris", HttpError::Cancelled));
            }
            std::thread::sleep(Duration::from_millis(50).min(pause));
        }
        Ok(())
    }

    /// Ends the open load, if there is one, and takes its answer.
    fn end_part(&mut self) -> Result<(), ConnectorError> {
        let Some(load) = self.open.take() else {
            return Ok(());
        };
        let (label, rows) = (load.label.clone(), load.rows);
        let action = format!("load {rows} rows into {} (label {label})", self.name());
        let response = load.end().map_err(|error| unreachable(&action, error))?;
        let answer = LoadAnswer::parse(&response).map_err(|said| refused(&action, &said))?;
        match answer.meaning() {
            LoadStatus::Done => self.check_rows(&action, &answer, rows)?,
            LoadStatus::LabelExists | LoadStatus::Failed => {
                return Err(self.explain_failed(&action, &answer));
            }
        }
        if self.is_two_phase {
            if !answer.two_phase_commit.is_true() || answer.txn_id < 0 {
                let text =
                    format!("cannot {action}: Doris did not prepare it but committed at once");
                return Err(ConnectorError::new(ErrorKind::Rejected, Retry::Never, text)
                    .help("this Doris has no two-phase commit: set 'sink.enable-2pc' = 'false'"));
            }
            self.prepared.push(Prepared {
                db: self.db.clone(),
                table: self.table.clone(),
                label,
                txn: answer.txn_id,
                rows,
                prepared_ms: now_ms(),
            });
        }
        self.part += 1;
        Ok(())
    }

    /// A load that says Success may still have left rows out.
    fn check_rows(
        &self,
        action: &str,
        answer: &LoadAnswer,
        rows: u64,
    ) -> Result<(), ConnectorError> {
        if answer.number_filtered_rows > 0 && !self.allows_filtered {
            return Err(self.explain_failed(action, answer));
        }
        if answer.number_filtered_rows > 0 {
            tracing::warn!(
                table = self.name(),
                rows = answer.number_filtered_rows,
                "Doris left rows out, as 'max_filter_ratio' allows"
            );
        }
        if answer.number_total_rows != rows {
            let text = format!(
                "cannot {action}: Doris counts {} rows in it",
                answer.number_total_rows
            );
            return Err(ConnectorError::new(ErrorKind::Data, Retry::Never, text));
        }
        Ok(())
    }

    fn explain_failed(&self, action: &str, answer: &LoadAnswer) -> ConnectorError {
        let Some(url) = &answer.error_url else {
            return refused(action, answer.message());
        };
        let mut text = format!(
            "cannot {action}: Doris refuses {} of the rows: {}",
            answer.number_filtered_rows,
            answer.message()
        );
        if let Some(mut log) = self.client.error_log(url) {
            log.truncate(log.floor_char_boundary(ERROR_LOG_BYTES_MAX));
            text = format!("{text}; {}", log.trim());
        }
        ConnectorError::new(ErrorKind::Data, Retry::Never, text).help(
            "'sink.properties.max_filter_ratio' says how many rows Doris may leave out, 'sink.properties.strict_mode' = 'false' lets values that do not fit become NULL",
        )
    }

    /// A body that breaks off: Doris may have said why.
    fn explain_broken(&mut self, error: HttpError) -> ConnectorError {
        let action = format!("load rows into {}", self.name());
        let load = self.open.take().expect("a load was open");
        if matches!(error, HttpError::Cancelled) {
            return unreachable(&action, error);
        }
        match load
            .connection
            .answer()
            .map(|said| LoadAnswer::parse(&said))
        {
            Ok(Ok(answer)) => self.explain_failed(&action, &answer),
            Ok(Err(said)) => refused(&action, &said),
            Err(second) => {
                tracing::debug!(error = %chain(&second), "no answer to a broken load");
                unreachable(&action, error)
            }
        }
    }
}

fn refused(action: &str, said: &str) -> ConnectorError {
    let (kind, retry) = if is_about_login(said) {
        (ErrorKind::Auth, Retry::Never)
    } else {
        (ErrorKind::Rejected, Retry::Restart)
    };
    ConnectorError::new(kind, retry, format!("cannot {action}: {said}"))
}

impl OpenLoad {
    fn new(connection: Connection, label: String) -> Self {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 4);
        chunk.resize(CHUNK_HEAD, b'0');
        Self {
            connection,
            label,
            opened: Instant::now(),
            rows: 0,
            bytes: 0,
            chunk,
        }
    }

    fn push(&mut self, bytes: &[u8], ends: &[usize], separator: &[u8]) -> Result<(), HttpError> {
        let mut start = 0;
        for end in ends {
            if self.rows > 0 {
                self.chunk.extend_from_slice(separator);
            }
            self.chunk.extend_from_slice(&bytes[start..*end]);
            self.bytes += (end - start + separator.len()) as u64;
            self.rows += 1;
            start = *end;
            if self.chunk.len() >= CHUNK_BYTES {
                self.send_chunk()?;
            }
        }
        Ok(())
    }

    fn send_chunk(&mut self) -> Result<(), HttpError> {
        let length = self.chunk.len() - CHUNK_HEAD;
        if length == 0 {
            return Ok(());
        }
        self.chunk[..CHUNK_HEAD].copy_from_slice(format!("{length:08x}\r\n").as_bytes());
        self.chunk.extend_from_slice(b"\r\n");
        self.connection.write(&self.chunk)?;
        self.chunk.truncate(CHUNK_HEAD);
        Ok(())
    }

    fn end(mut self) -> Result<crate::http::Response, HttpError> {
        let sent = self
            .send_chunk()
            .and_then(|()| self.connection.write(b"0\r\n\r\n"));
        match (sent, self.connection.answer()) {
            // A server that refuses answers before it has read all, and closes.
            (_, Ok(response)) => Ok(response),
            (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error),
        }
    }
}
