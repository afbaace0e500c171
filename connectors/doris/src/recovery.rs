//! Labels, what a checkpoint keeps of prepared loads, and how they are committed again.
//!
//! ```text
//! label = prefix _ db _ table _ hash(prefix, pipeline, dataflow, db, table, member) _ slot _ epoch _ part [_ try]
//! ```
//! A number of an epoch is used again when a process dies between prepare and manifest. What it left under the label must
//! not be touched at once: a copy of the slot that still runs may yet write the manifest that counts. So the next
//! free try is taken, and what was found is aborted only after this process has committed the epoch itself, which proves
//! that nobody else will (the manifest is put on condition that it is not there).

use std::time::{Duration, Instant};

use millrace_connector::{ConnectorError, Epoch, ErrorKind, FNV_BASIS, OpenContext, Retry, fnv1a};
use serde::{Deserialize, Serialize};

use crate::answer::Decision;
use crate::client::{Client, Target, chain, unreachable};
use crate::http::HttpError;

/// Doris's bound on labels.
const LABEL_BYTES_MAX: usize = 128;
/// How long one call asks again for a commit.
const COMMIT_PATIENCE: Duration = Duration::from_secs(60);
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// `stream_load_default_precommit_timeout_second`: a transaction that Doris has forgotten was not aborted before this.
const PRECOMMIT_TIMEOUT_MS: i64 = 3_600_000;
/// How far the clocks of two hosts may differ.
const CLOCK_SLACK_MS: i64 = 60_000;

/// The part of a table's labels that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LabelStem(String);

impl LabelStem {
    /// Makes the stem from names only, never from time or chance.
    pub(crate) fn new(
        prefix: &str,
        (db, table): (&str, &str),
        ctx: &OpenContext,
        member: usize,
    ) -> Self {
        let member = member.to_string();
        let names = [prefix, &ctx.pipeline, &ctx.dataflow, db, table, &member];
        let mut readable: String = [prefix, db, table]
            .iter()
            .filter(|name| !name.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join("_")
            .chars()
            .map(|c| match c {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => c,
                _ => '-',
            })
            .collect();
        // Each name is ended by a byte that no name has.
        let ended = names.iter().flat_map(|name| name.bytes().chain([0xff]));
        let tail = format!("_{:016x}_{}", fnv1a(FNV_BASIS, ended), ctx.slot);
        // `_epoch_part_try`: an epoch has 20 digits at most, part and try four.
        readable.truncate(LABEL_BYTES_MAX - tail.len() - 21 - 11 - 11);
        Self(readable + &tail)
    }

    /// Returns the label of a part of an epoch, at its `attempt`th try from 0.
    pub(crate) fn label(&self, epoch: Epoch, part: u32, attempt: u32) -> String {
        match attempt {
            0 => format!("{}_{epoch}_{part}", self.0),
            _ => format!("{}_{epoch}_{part}_{attempt}", self.0),
        }
    }
}

/// A load that is durable and unseen: what a checkpoint keeps of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Prepared {
    /// The table's name in the file.
    #[serde(default)]
    pub(crate) sink: String,
    pub(crate) db: String,
    pub(crate) table: String,
    pub(crate) label: String,
    /// Its transaction; below zero where only the label is known.
    pub(crate) txn: i64,
    pub(crate) rows: u64,
    /// When it was prepared, in milliseconds since 1970.
    pub(crate) prepared_ms: i64,
}

impl Prepared {
    fn name(&self) -> String {
        format!(
            "transaction {} of {}.{} (label {}, {} rows)",
            self.txn, self.db, self.table, self.label, self.rows
        )
    }

    fn target(&self) -> Target<'_> {
        if self.txn < 0 {
            Target::Label(&self.label)
        } else {
            Target::Id(self.txn)
        }
    }
}

pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// What is known after asking for a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    Yes,
    Unknown,
    /// Doris has thrown it away, for this reason.
    Lost(String),
}

/// Commits a prepared load, also one that is committed already. `is_repeatable` tells whether its rows may be written again
/// though they may be there.
///
/// # Errors
/// It can never be committed, or the login is refused.
pub(crate) fn commit(
    client: &Client,
    prepared: &Prepared,
    is_repeatable: bool,
) -> Result<Committed, ConnectorError> {
    let begun = Instant::now();
    let mut pause = PAUSE_FIRST;
    loop {
        let why = match client.decide(&prepared.db, prepared.target(), "commit") {
            Ok(Decision::Done | Decision::AlreadyCommitted) => return Ok(Committed::Yes),
            Ok(Decision::NotFound) => {
                // By its label, a transaction that is visible already is not found either.
                match client.label_state(&prepared.db, &prepared.label).as_deref() {
                    Ok("VISIBLE" | "COMMITTED") => return Ok(Committed::Yes),
                    Ok("ABORTED") => return Ok(Committed::Lost("it is aborted".into())),
                    _ => return judge_forgotten(prepared, now_ms(), is_repeatable),
                }
            }
            Ok(Decision::AlreadyAborted(said)) => return Ok(Committed::Lost(said)),
            Ok(Decision::StillLoading) => {
                let text = format!("{} is in the checkpoint but still loading", prepared.name());
                return Err(ConnectorError::new(ErrorKind::Internal, Retry::Never, text));
            }
            Ok(Decision::Unauthorized(said)) => {
                let text = format!("cannot commit {}: {said}", prepared.name());
                return Err(ConnectorError::new(ErrorKind::Auth, Retry::Never, text));
            }
            Ok(Decision::Refused(said)) => said,
            Err(HttpError::Cancelled) => return Ok(Committed::Unknown),
            Err(error) => chain(&error),
        };
        let cancel = &client.patience().cancel;
        if begun.elapsed() > COMMIT_PATIENCE || cancel.is_cancelled() {
            tracing::warn!(
                why,
                transaction = prepared.txn,
                "no clear answer to a commit"
            );
            return Ok(Committed::Unknown);
        }
        tracing::debug!(
            why,
            transaction = prepared.txn,
            "asking for the commit again"
        );
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Tells whether Doris knows the label of a load: another cluster does not, nor one that has kept it for three days.
pub(crate) fn is_known(client: &Client, prepared: &Prepared) -> Result<bool, ConnectorError> {
    match client.label_state(&prepared.db, &prepared.label) {
        Ok(state) => Ok(state != "UNKNOWN"),
        Err(why) => {
            let text = format!("cannot ask Doris for {}: {why}", prepared.name());
            Err(ConnectorError::new(
                ErrorKind::Unreachable,
                Retry::Restart,
                text,
            ))
        }
    }
}

/// Doris forgets only what is finished: a transaction that it does not know was committed, unless it was aborted before. Only
/// its time-out could have done that.
fn judge_forgotten(
    prepared: &Prepared,
    now_ms: i64,
    is_repeatable: bool,
) -> Result<Committed, ConnectorError> {
    let age_ms = now_ms - prepared.prepared_ms;
    if age_ms < PRECOMMIT_TIMEOUT_MS - CLOCK_SLACK_MS {
        tracing::warn!(
            transaction = prepared.txn,
            age_ms,
            "Doris has forgotten a transaction that was prepared less than an hour ago: it was committed"
        );
        return Ok(Committed::Yes);
    }
    let text = format!(
        "Doris knows nothing of {}, prepared {} s ago: nobody can say whether it was committed or timed out",
        prepared.name(),
        age_ms / 1000
    );
    if is_repeatable {
        tracing::warn!(
            "{text}; its rows are written again, which changes nothing in a UNIQUE table"
        );
        return Ok(Committed::Lost("it is forgotten".into()));
    }
    Err(
        ConnectorError::new(ErrorKind::Rejected, Retry::Never, text).help(format!(
            "look in Doris whether its rows are in {0}.{1}; if not, or after deleting them, remove this checkpoint's file 'chk-N' and start: the one before writes them again to every sink",
            prepared.db, prepared.table
        )),
    )
}

/// Aborts a load that must not count; one that is gone is fine.
pub(crate) fn abort(client: &Client, db: &str, target: Target<'_>) -> Result<(), ConnectorError> {
    let action = match target {
        Target::Id(id) => format!("abort transaction {id} in Doris"),
        Target::Label(label) => format!("abort the load of label {label} in Doris"),
    };
    match client.decide(db, target, "abort") {
        Ok(Decision::Done | Decision::AlreadyAborted(_) | Decision::NotFound) => Ok(()),
        Ok(Decision::AlreadyCommitted) => {
            let text = format!("cannot {action}: it is committed, though its epoch does not count");
            Err(ConnectorError::new(ErrorKind::Internal, Retry::Never, text))
        }
        Ok(Decision::Unauthorized(said)) => {
            let text = format!("cannot {action}: {said}");
            Err(ConnectorError::new(ErrorKind::Auth, Retry::Never, text))
        }
        Ok(Decision::Refused(said)) => {
            let text = format!("cannot {action}: {said}");
            Err(ConnectorError::new(
                ErrorKind::Rejected,
                Retry::Backoff,
                text,
            ))
        }
        Ok(Decision::StillLoading) => {
            let text = format!("cannot {action}: it is loading");
            Err(ConnectorError::new(
                ErrorKind::Rejected,
                Retry::Backoff,
                text,
            ))
        }
        Err(error) => Err(unreachable(&action, error)),
    }
}

/// What is known after asking for an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aborted {
    Yes,
    /// It is committed.
    TooLate,
    Unknown,
}

/// Aborts a prepared load whose other parts are lost, so that all of them can be written again.
pub(crate) fn withdraw(client: &Client, prepared: &Prepared) -> Aborted {
    match client.decide(&prepared.db, prepared.target(), "abort") {
        // Nobody commits a later part before an earlier one, so one that is forgotten was thrown away too.
        Ok(Decision::Done | Decision::AlreadyAborted(_) | Decision::NotFound) => Aborted::Yes,
        Ok(Decision::AlreadyCommitted) => Aborted::TooLate,
        _ => Aborted::Unknown,
    }
}

/// Throws a prepared load away.
pub(crate) fn discard(client: &Client, prepared: &Prepared) -> Result<(), ConnectorError> {
    abort(client, &prepared.db, prepared.target())
}

#[cfg(test)]
mod tests {
    use millrace_connector::Cancel;

    use super::*;

    fn context(pipeline: &str) -> OpenContext {
        OpenContext {
            pipeline: pipeline.into(),
            dataflow: "main".into(),
            names: None,
            slot: 0,
            lanes: 1,
            buffer_bytes_max: 1 << 20,
            checkpointing: true,
            checkpoint_interval: Duration::from_secs(10),
            cancel: Cancel::default(),
        }
    }

    #[test]
    fn labels_differ_by_every_name_and_fit_doris() {
        let stem = |prefix: &str, table: &str, pipeline: &str, member| {
            LabelStem::new(prefix, ("db", table), &context(pipeline), member)
        };
        let first = stem("p", "t", "a", 0);
        assert_eq!(first, stem("p", "t", "a", 0));
        for other in [
            stem("q", "t", "a", 0),
            stem("p", "u", "a", 0),
            stem("p", "t", "b", 0),
            stem("p", "t", "a", 1),
        ] {
            assert_ne!(first, other);
        }
        assert_ne!(stem("x", "y_z", "a", 0), stem("x_db_y", "z", "a", 0));
        let long = stem(&"长prefix.".repeat(40), &"t".repeat(60), "a", 0);
        let label = long.label(Epoch(u64::MAX), u32::MAX, u32::MAX);
        assert!(label.len() <= LABEL_BYTES_MAX, "{label}");
        assert!(
            label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        assert_ne!(first.label(Epoch(1), 0, 0), first.label(Epoch(1), 0, 1));
    }

    #[test]
    fn a_forgotten_transaction_counts_while_it_cannot_have_timed_out() {
        let prepared = Prepared {
            sink: "t".into(),
            db: "db".into(),
            table: "t".into(),
            label: "l".into(),
            txn: 7,
            rows: 1,
            prepared_ms: 1_000_000,
        };
        let judge =
            |age: i64, is_repeatable| judge_forgotten(&prepared, 1_000_000 + age, is_repeatable);
        assert_eq!(judge(3_000_000, false).unwrap(), Committed::Yes);
        assert_eq!(judge(3_600_000, false).unwrap_err().retry, Retry::Never);
        assert!(matches!(judge(3_600_000, true), Ok(Committed::Lost(_))));
    }
}
