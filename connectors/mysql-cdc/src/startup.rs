//! Where the first start begins, and whether a later one can go on.

use std::time::{Duration, Instant};

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};
use mysql::Conn;

use crate::birth::Birth;
use crate::config::{Config, Startup};
use crate::connection::{rows, text, wait};
use crate::dump::{Dump, End, From, Identity, Next};
use crate::events::{self, code, file_number};
use crate::failover;
use crate::gtid::GtidSet;
use crate::history;
use crate::position::{Place, State};
use crate::server::{self, LogEnd, Server};
use crate::snapshot;
use crate::stream::{CLASH_WAIT, CLASHES_MAX, is_clash};
use crate::tables::damaged;

/// `skip-events` counts every event that Flink CDC is sent, from the two that the server makes up in front on.
const FRAME_EVENTS: u64 = 2;

/// How long a server may lack transactions that were read: a replica may be behind.
pub(crate) const BEHIND_MAX: Duration = Duration::from_secs(15);

/// What starting needs.
pub(crate) struct Starter<'a> {
    pub(crate) config: &'a Config,
    pub(crate) server: &'a Server,
    pub(crate) identity: &'a Identity,
    pub(crate) cancel: &'a Cancel,
    pub(crate) conn: &'a mut Conn,
}

/// Returns the failure of a position that the server does not have any more.
pub(crate) fn gone(position: &str, reason: &str) -> ConnectorError {
    ConnectorError::new(
        ErrorKind::Rejected,
        Retry::Never,
        format!("the position {position} is gone: {reason}"),
    )
    .help("changes are lost to this pipeline; start anew with 'initial', or choose another offset")
}

fn fault(message: String, help: &str) -> ConnectorError {
    ConnectorError::new(ErrorKind::Config, Retry::Never, message).help(help)
}

impl Starter<'_> {
    /// Returns where the startup mode begins.
    pub(crate) fn first(&mut self) -> Result<State, ConnectorError> {
        let mut state = match &self.config.startup {
            Startup::Initial | Startup::Snapshot => {
                let mut state = self.latest()?;
                let tables = server::tables(self.conn, self.config)?;
                state.snapshot = Some(snapshot::begin(tables));
                state
            }
            Startup::Latest => self.latest()?,
            Startup::Earliest => self.earliest()?,
            Startup::File {
                file,
                pos,
                skip_events,
                skip_rows,
            } => State {
                skip_events: skip_events.saturating_sub(FRAME_EVENTS),
                rows_done: *skip_rows,
                ..self.file(file, *pos)?
            },
            Startup::Gtids {
                set,
                skip_events,
                skip_rows,
            } => State {
                skip_events: skip_events.saturating_sub(FRAME_EVENTS),
                rows_done: *skip_rows,
                ..self.gtids(set)?
            },
            Startup::Timestamp(seconds) => self.timestamp(*seconds)?,
        };
        state.server.clone_from(&self.server.identity);
        Ok(state)
    }

    fn latest(&mut self) -> Result<State, ConnectorError> {
        if self.server.has_gtids {
            let set = server::gtids(self.conn, self.config, "gtid_executed")?;
            return Ok(of_gtids(&set));
        }
        let end = server::log_end(self.conn, self.config)?;
        Ok(of_place(&end.file, end.pos))
    }

    fn earliest(&mut self) -> Result<State, ConnectorError> {
        if self.server.has_gtids {
            let set = server::gtids(self.conn, self.config, "gtid_purged")?;
            return Ok(of_gtids(&set));
        }
        let files = self.files()?;
        Ok(of_place(&files[0].file, 4))
    }

    fn files(&mut self) -> Result<Vec<LogEnd>, ConnectorError> {
        let files = server::log_files(self.conn, self.config)?;
        if files.is_empty() {
            let text = format!("MySQL at {} has no binary logs", self.config.address());
            return Err(fault(text, "start the server with --log-bin"));
        }
        Ok(files)
    }

    fn file(&mut self, file: &str, pos: u64) -> Result<State, ConnectorError> {
        self.check_place(&Place::new(file, pos))?;
        if !self.server.has_gtids {
            return Ok(of_place(file, pos));
        }
        let set = self.gtids_before(&Place::new(file, pos))?;
        Ok(of_gtids(&set))
    }

    /// Returns the transactions that lie before a place.
    fn gtids_before(&mut self, place: &Place) -> Result<GtidSet, ConnectorError> {
        let mut set = GtidSet::default();
        let from = From::File {
            file: place.file.clone(),
            pos: 4,
        };
        history::scan(
            self.config,
            self.server,
            self.identity,
            &from,
            self.cancel,
            |event, at| {
                // What a file begins with tells of what lies before it, wherever in it reading begins.
                let is_head = matches!(
                    event.code,
                    code::FORMAT_DESCRIPTION
                        | code::PREVIOUS_GTIDS
                        | code::MARIADB_START_ENCRYPTION
                );
                if at.reaches(place) && !is_head {
                    return Ok(false);
                }
                match event.code {
                    code::PREVIOUS_GTIDS => match GtidSet::decode(&event.body) {
                        Some(before) => set.add_all(&before),
                        None => return Err(damaged("a PREVIOUS_GTIDS event is cut short", at)),
                    },
                    code::GTID | code::GTID_TAGGED => {
                        if let Some(gtid) = event.gtid.clone().or_else(|| events::gtid(&event.body))
                        {
                            set.add(&gtid);
                        }
                    }
                    _ => {}
                }
                Ok(true)
            },
        )?;
        Ok(set)
    }

    fn check_place(&mut self, place: &Place) -> Result<(), ConnectorError> {
        let files = self.files()?;
        let kept = format!(
            "the server keeps {}…{}",
            files[0].file,
            files[files.len() - 1].file
        );
        match files.iter().find(|known| known.file == place.file) {
            None => Err(gone(&place.to_string(), &kept)),
            Some(known) if place.pos > known.pos => {
                let reason = format!("{} has {} bytes; {kept}", known.file, known.pos);
                Err(gone(&place.to_string(), &reason))
            }
            Some(_) => Ok(()),
        }
    }

    fn gtids(&mut self, set: &GtidSet) -> Result<State, ConnectorError> {
        if !self.server.has_gtids {
            let text = format!(
                "MySQL at {} has no GTIDs (MariaDB, or gtid_mode is not ON)",
                self.config.address()
            );
            return Err(fault(
                text,
                "give 'scan.startup.specific-offset.file' and 'scan.startup.specific-offset.pos'",
            ));
        }
        self.check_gtids(set)?;
        Ok(of_gtids(set))
    }

    fn check_gtids(&mut self, set: &GtidSet) -> Result<(), ConnectorError> {
        let executed = server::gtids(self.conn, self.config, "gtid_executed")?;
        if !set.is_subset_of(&executed) {
            let reason = format!(
                "the server has not executed {} (it was reset, or is another one)",
                set.without(&executed)
            );
            return Err(gone(&format!("GTID set {set}"), &reason));
        }
        self.check_purged(set)
    }

    /// Waits until the server has executed what was read: a replica may be a little behind.
    fn await_gtids(&mut self, read: &GtidSet) -> Result<(), ConnectorError> {
        let begin = Instant::now();
        loop {
            let executed = server::gtids(self.conn, self.config, "gtid_executed")?;
            if read.is_subset_of(&executed) {
                return Ok(());
            }
            if begin.elapsed() >= BEHIND_MAX || self.cancel.is_cancelled() {
                let missing = read.without(&executed);
                return Err(failover::lacks_transactions(self.config, &missing));
            }
            wait(Duration::from_millis(200), self.cancel);
        }
    }

    fn check_purged(&mut self, set: &GtidSet) -> Result<(), ConnectorError> {
        let purged = server::gtids(self.conn, self.config, "gtid_purged")?;
        let lost = purged.without(set);
        if !lost.is_empty() {
            let files = self.files()?;
            let reason = format!(
                "the server purged {lost} and keeps {}…{}",
                files[0].file,
                files[files.len() - 1].file
            );
            return Err(gone(&format!("GTID set {set}"), &reason));
        }
        Ok(())
    }

    fn timestamp(&mut self, seconds: u64) -> Result<State, ConnectorError> {
        let files = self.files()?;
        let mut begin = files[0].file.clone();
        for file in files.iter().rev() {
            if self.first_second(&file.file)? <= seconds {
                begin.clone_from(&file.file);
                break;
            }
        }
        let state = if self.server.has_gtids {
            let set = self.gtids_before(&Place::new(begin, 4))?;
            of_gtids(&set)
        } else {
            of_place(&begin, 4)
        };
        Ok(State {
            from_ts: seconds,
            ..state
        })
    }

    /// Returns the second of a file's first event.
    fn first_second(&mut self, file: &str) -> Result<u64, ConnectorError> {
        let from = From::File {
            file: file.to_owned(),
            pos: 4,
        };
        let mut first = None;
        history::scan(
            self.config,
            self.server,
            self.identity,
            &from,
            self.cancel,
            |event, _| {
                if event.timestamp != 0 {
                    first = Some(u64::from(event.timestamp));
                }
                Ok(first.is_none())
            },
        )?;
        Ok(first.unwrap_or(0))
    }

    /// Checks that reading can go on from a checkpoint.
    pub(crate) fn verify(&mut self, state: &State) -> Result<(), ConnectorError> {
        if state.server == self.server.identity {
            let log = Birth::of(state);
            log.check(
                self.conn,
                self.config,
                self.server,
                self.identity,
                self.cancel,
            )?;
        }
        if self.server.has_gtids {
            self.await_gtids(&state.read_gtids())?;
            return self.check_purged(&state.gtids());
        }
        if state.server != self.server.identity {
            return Err(failover::other_server(
                self.config,
                &self.server.identity,
                &state.server,
            ));
        }
        let first = state
            .xa
            .iter()
            .map(|xa| xa.place.clone())
            .min_by_key(|place| (file_number(&place.file), place.pos));
        self.check_place(&first.unwrap_or_else(|| state.place()))?;
        self.warn_of_retention(state);
        Ok(())
    }

    /// Tells when the position lies in the oldest file: the server may purge it next.
    fn warn_of_retention(&mut self, state: &State) {
        let Ok(files) = self.files() else { return };
        let days = rows(
            self.conn,
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds','expire_logs_days')",
        );
        let keeps = days.ok().and_then(|rows| {
            let shown = rows
                .iter()
                .filter_map(|row| Some(format!("{}={}", text(row, 0)?, text(row, 1)?)));
            Some(shown.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
        });
        if files.len() > 1 && files[0].file == state.file {
            tracing::warn!(table = self.config.table, place = %state.place(), keeps = keeps.unwrap_or_default(), "the position lies in the oldest binary log that the server keeps: it may be purged before it is read");
        }
    }

    /// Tries whether the server sends its log: the right to that cannot be asked for.
    pub(crate) fn try_dump(&mut self) -> Result<(), ConnectorError> {
        let end = server::log_end(self.conn, self.config)?;
        let from = From::File {
            file: end.file.clone(),
            pos: end.pos,
        };
        let mut clashes = 0;
        let mut dump = Dump::start(self.config, self.server, self.identity, &from, true)?;
        loop {
            match dump.next(Duration::from_secs(10)) {
                Next::Event(_) => {}
                // What is left of the process before may still be connected.
                Next::End(End::Refused { message, .. })
                    if is_clash(&message)
                        && clashes < CLASHES_MAX
                        && !self.cancel.is_cancelled() =>
                {
                    clashes += 1;
                    tracing::warn!(
                        table = self.config.table,
                        server_id = self.identity.server_id,
                        "another client is connected with the same server-id"
                    );
                    wait(CLASH_WAIT * clashes, self.cancel);
                    dump = Dump::start(self.config, self.server, self.identity, &from, true)?;
                }
                Next::Idle | Next::End(End::Log) => return Ok(()),
                Next::End(End::Refused { code, message }) => {
                    let at = Place::new(end.file, end.pos);
                    return Err(crate::stream::refusal(
                        self.config,
                        self.identity,
                        &at,
                        code,
                        &message,
                    ));
                }
                Next::End(End::Lost(text) | End::Damaged(text)) => {
                    let text = format!(
                        "lost MySQL at {} while trying to read its binary log: {text}",
                        self.config.address()
                    );
                    return Err(ConnectorError::new(
                        ErrorKind::Unreachable,
                        Retry::Restart,
                        text,
                    ));
                }
            }
        }
    }

    /// Returns where the server is asked to begin for `state`.
    pub(crate) fn from(&self, state: &State) -> From {
        if self.server.has_gtids {
            From::Gtids(state.gtids())
        } else {
            From::File {
                file: state.file.clone(),
                pos: state.trx_pos,
            }
        }
    }
}

fn of_place(file: &str, pos: u64) -> State {
    State {
        file: file.to_owned(),
        pos,
        trx_pos: pos,
        ..State::default()
    }
}

fn of_gtids(set: &GtidSet) -> State {
    State {
        gtid_set: set.to_string(),
        ..State::default()
    }
}
