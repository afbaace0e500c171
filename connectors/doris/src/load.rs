//! The loads of one table: at most one is open, and rows flow into it between checkpoints.
//!
//! ```text
//! begin(epoch) ─► first row: open part 0 ─► … rows … ─► full: end it, part 1 opens with the next row ─► prepare: end it
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_connector::{ConnectorError, Epoch, ErrorKind, Retry};

use crate::answer::{LoadAnswer, LoadStatus, is_about_login};
use crate::body::BodyEncoder;
use crate::client::{Client, Headers, chain, unreachable};
use crate::figures::LoadFigures;
use crate::http::{HttpError, Started};
use crate::open::{OpenLoad, Piece};
use crate::recovery::{LabelStem, Prepared, now_ms};
use crate::settings::{BodyFormat, Compression, LoadLimits, Settings};

/// How many loads under labels of one part may be met that others left there.
const TRIES_MAX: u32 = 100;
/// How long Doris may be overloaded before the epoch is given up.
const OVERLOAD_PATIENCE: Duration = Duration::from_mins(10);
/// How long the fate of a load whose answer is lost may stay unclear.
const FATE_PATIENCE: Duration = Duration::from_secs(60);
/// Pauses while Doris is overloaded.
const PAUSE_FIRST: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How much of Doris's error log is shown.
const ERROR_LOG_BYTES_MAX: usize = 600;

/// Which table a load goes to, and how.
#[derive(Clone)]
pub(crate) struct Target {
    /// The table's name in the file.
    pub(crate) sink: String,
    pub(crate) db: String,
    pub(crate) table: String,
    pub(crate) stem: LabelStem,
    pub(crate) headers: Headers,
    pub(crate) format: BodyFormat,
    pub(crate) compression: Compression,
}

/// The loads of one table of a dataflow.
pub(crate) struct TableLoad {
    client: Client,
    target: Target,
    separator: Vec<u8>,
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
    /// Whether rows are dropped: they are in the table already, and are only read again for another one.
    pub(crate) is_muted: bool,
    figures: Arc<LoadFigures>,
}

impl TableLoad {
    pub(crate) fn new(
        client: Client,
        settings: &Settings,
        target: Target,
        figures: Arc<LoadFigures>,
    ) -> Self {
        Self {
            client,
            separator: BodyEncoder::separator(&target.format),
            target,
            is_two_phase: settings.is_two_phase,
            allows_filtered: settings.allows_filtered,
            retries_max: settings.retries_max,
            limits: settings.limits.clone(),
            epoch: None,
            part: 0,
            open: None,
            prepared: Vec::new(),
            strangers: Vec::new(),
            is_muted: false,
            figures,
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    fn name(&self) -> String {
        format!("{}.{}", self.target.db, self.target.table)
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

    /// Takes rows.
    pub(crate) fn write(&mut self, piece: &Piece<'_>) -> Result<(), ConnectorError> {
        if piece.rows == 0 || self.is_muted {
            return Ok(());
        }
        if self.open.is_none() {
            let load = self.open()?;
            self.open = Some(load);
        }
        let load = self.open.as_mut().expect("it was opened above");
        let sent = load.push(piece, &self.separator);
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

    /// Opens a load under the first label of this part that is free.
    fn open(&mut self) -> Result<OpenLoad, ConnectorError> {
        let epoch = self.epoch.expect("`begin` comes before rows");
        let action = format!("begin a load into {}", self.name());
        let (mut attempt, mut refusals, mut pause) = (0, 0, PAUSE_FIRST);
        let begun = Instant::now();
        while attempt < TRIES_MAX {
            let label = self.target.stem.label(epoch, self.part, attempt);
            let started = self
                .start(&label)
                .map_err(|error| unreachable(&action, error))?;
            let response = match started {
                Started::Continue(connection) => {
                    tracing::debug!(label, node = %connection.node(), "load opened");
                    let figures = Arc::clone(&self.figures);
                    return Ok(OpenLoad::new(
                        connection,
                        label,
                        self.target.compression,
                        figures,
                    ));
                }
                Started::Answered(response) => response,
            };
            let (why, is_overload) = match LoadAnswer::parse(&response) {
                Ok(answer) if answer.meaning() == LoadStatus::LabelExists => {
                    self.meet_stranger(&label, &answer);
                    attempt += 1;
                    continue;
                }
                Ok(answer) if answer.is_overload() => (answer.message().to_owned(), true),
                Ok(answer) => return Err(refused(&action, answer.message())),
                Err(said) if is_about_login(&said) => return Err(refused(&action, &said)),
                Err(said) => (said, false),
            };
            let is_over = if is_overload {
                LoadFigures::add(&self.figures.overloads, 1);
                begun.elapsed() > OVERLOAD_PATIENCE
            } else {
                refusals += 1;
                refusals > self.retries_max
            };
            if is_over {
                let text = format!("cannot {action}: {why}");
                return Err(ConnectorError::new(
                    ErrorKind::Rejected,
                    Retry::Restart,
                    text,
                ));
            }
            tracing::warn!(
                why,
                table = self.name(),
                pause_ms = pause.as_millis(),
                "Doris takes no load now; trying again"
            );
            LoadFigures::add(&self.figures.retries, 1);
            self.sleep(pause)?;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        let text = format!("cannot {action}: {TRIES_MAX} labels of epoch {epoch} are taken");
        Err(ConnectorError::new(ErrorKind::Rejected, Retry::Never, text)
            .help("another pipeline uses the same names: give each its own 'sink.label-prefix'"))
    }

    fn start(&self, label: &str) -> Result<Started, HttpError> {
        let mut headers = self.target.headers.clone();
        headers.push(("label".to_owned(), label.to_owned()));
        let target = &self.target;
        self.client.start_load(&target.db, &target.table, &headers)
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
        self.figures.waited(pause);
        Ok(())
    }

    /// Ends the open load, if there is one, and takes its answer.
    fn end_part(&mut self) -> Result<(), ConnectorError> {
        let Some(load) = self.open.take() else {
            return Ok(());
        };
        let (label, rows, bytes) = (load.label.clone(), load.rows, load.bytes);
        let action = format!("load {rows} rows into {} (label {label})", self.name());
        let txn = match load.end() {
            Ok(response) => {
                let answer =
                    LoadAnswer::parse(&response).map_err(|said| refused(&action, &said))?;
                self.judge(&action, &answer, rows)?;
                answer.txn_id
            }
            Err((error, is_sent)) => self.find_out(&action, &label, error, is_sent)?,
        };
        LoadFigures::add(&self.figures.loads, 1);
        LoadFigures::add(&self.figures.rows, rows);
        LoadFigures::add(&self.figures.bytes, bytes);
        if self.is_two_phase {
            self.prepared.push(Prepared {
                sink: self.target.sink.clone(),
                db: self.target.db.clone(),
                table: self.target.table.clone(),
                label,
                txn,
                rows,
                prepared_ms: now_ms(),
            });
        }
        self.part += 1;
        Ok(())
    }

    fn judge(&self, action: &str, answer: &LoadAnswer, rows: u64) -> Result<(), ConnectorError> {
        match answer.meaning() {
            LoadStatus::Done => self.check_rows(action, answer, rows)?,
            LoadStatus::LabelExists | LoadStatus::Failed => {
                return Err(self.explain_failed(action, answer));
            }
        }
        if self.is_two_phase && (!answer.two_phase_commit.is_true() || answer.txn_id < 0) {
            let text = format!("cannot {action}: Doris did not prepare it but committed at once");
            return Err(ConnectorError::new(ErrorKind::Rejected, Retry::Never, text)
                .help("this Doris has no two-phase commit: set 'sink.enable-2pc' = 'false'"));
        }
        Ok(())
    }

    /// Finds out what became of a load whose answer is lost, by its label: nobody else had it. Returns its transaction.
    fn find_out(
        &self,
        action: &str,
        label: &str,
        lost: HttpError,
        is_sent: bool,
    ) -> Result<i64, ConnectorError> {
        // Doris throws away what did not come whole.
        if !is_sent || matches!(lost, HttpError::Cancelled) {
            return Err(unreachable(action, lost));
        }
        tracing::warn!(label, error = %chain(&lost), "the answer to a load is lost; asking for its label");
        let begun = Instant::now();
        while begun.elapsed() < FATE_PATIENCE {
            if let Ok(Started::Answered(response)) = self.start(label)
                && let Ok(answer) = LoadAnswer::parse(&response)
                && answer.meaning() == LoadStatus::LabelExists
            {
                match (answer.existing_job_status.as_str(), self.is_two_phase) {
                    ("PRECOMMITTED", true) | ("FINISHED", false) => {
                        tracing::info!(label, "the load had arrived");
                        return Ok(answer.related_transaction().unwrap_or(-1));
                    }
                    ("RUNNING", _) => {}
                    _ => break,
                }
            } else if self.client.label_state(&self.target.db, label).is_ok() {
                // The label is free: its load was thrown away. What was opened by asking ends with its connection.
                break;
            }
            self.sleep(PAUSE_FIRST)?;
        }
        Err(unreachable(action, lost))
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
        LoadFigures::add(&self.figures.filtered_rows, answer.number_filtered_rows);
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
            if answer.is_overload() {
                LoadFigures::add(&self.figures.overloads, 1);
            }
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
            "'sink.bad-rows' = 'skip' or 'dead-letter' takes out rows that are too long, out of range or NULL; 'sink.properties.max_filter_ratio' says how many others Doris may leave out; 'sink.properties.strict_mode' = 'false' lets values that do not fit become NULL",
        )
    }

    /// A body that breaks off: Doris may have said why.
    fn explain_broken(&mut self, error: HttpError) -> ConnectorError {
        let action = format!("load rows into {}", self.name());
        let load = self.open.take().expect("a load was open");
        if matches!(error, HttpError::Cancelled) {
            return unreachable(&action, error);
        }
        match load.answer().map(|said| LoadAnswer::parse(&said)) {
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
