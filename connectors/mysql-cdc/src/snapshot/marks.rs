//! Marks: what a chunk's query has certainly seen, and what it cannot have seen.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_connector::{Cancel, ConnectorError, ErrorKind, Retry};
use mysql::Conn;
use mysql::prelude::Queryable;

use super::Chunk;
use crate::config::Config;
use crate::connection::{failure, rows, text, wait};
use crate::gtid::{Gtid, GtidSet};
use crate::position::Place;
use crate::server::{self, Server};

/// What the queries of a wave have certainly seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Low {
    /// These transactions.
    Gtids(GtidSet),
    /// All that ends here or before.
    Place(Place),
}

impl Low {
    /// Tells whether the transaction of an event was seen.
    pub(super) fn has_seen(&self, at: &Place, gtid: Option<&Gtid>) -> bool {
        match (self, gtid) {
            (Self::Gtids(set), Some(gtid)) => set.contains(gtid),
            (Self::Gtids(_), None) => false,
            (Self::Place(place), _) => place.reaches(at),
        }
    }
}

/// Chunks that were read between two marks.
pub(crate) struct Wave {
    /// What the queries of each chunk have certainly seen: one mark for all, or one for each place of a snapshot.
    pub(crate) lows: Vec<Arc<Low>>,
    /// What the queries saw ends here or before.
    pub(crate) high: Place,
    pub(crate) chunks: Vec<Chunk>,
}

/// How long before a query the log's end must have been seen, where neither GTIDs nor a consistent snapshot tell what
/// the query sees: transactions are in the log before others see them, with semi-synchronous replicas much longer.
const MARGIN: Duration = Duration::from_secs(10);
const MARGIN_SEMI_SYNCHRONOUS: Duration = Duration::from_secs(30);
/// How often the log's end is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);
/// How long transactions in the log may stay unseen.
const UNSEEN_MAX: Duration = Duration::from_secs(120);

/// Takes marks.
pub(super) struct Marks {
    samples: VecDeque<(Instant, Place)>,
}

impl Marks {
    pub(super) fn new() -> Self {
        Self {
            samples: VecDeque::new(),
        }
    }

    /// Takes the low mark, at or behind where the stream stands.
    pub(super) fn low(
        &mut self,
        conn: &mut Conn,
        config: &Config,
        server: &Server,
        behind: &(GtidSet, Place),
        cancel: &Cancel,
    ) -> Result<Low, ConnectorError> {
        if server.has_gtids {
            return executed(conn, config, &behind.0, cancel).map(Low::Gtids);
        }
        self.old_end(conn, config, server, &behind.1, cancel)
            .map(Low::Place)
    }

    /// Takes the high mark.
    pub(super) fn high(conn: &mut Conn, config: &Config) -> Result<Place, ConnectorError> {
        let end = server::log_end(conn, config)?;
        Ok(Place::new(end.file, end.pos))
    }

    /// Returns where the log ended a while ago.
    fn old_end(
        &mut self,
        conn: &mut Conn,
        config: &Config,
        server: &Server,
        behind: &Place,
        cancel: &Cancel,
    ) -> Result<Place, ConnectorError> {
        let margin = if server.is_semi_synchronous {
            MARGIN_SEMI_SYNCHRONOUS
        } else {
            MARGIN
        };
        loop {
            let end = server::log_end(conn, config)?;
            self.samples
                .push_back((Instant::now(), Place::new(end.file, end.pos)));
            while let Some((_, next)) = self
                .samples
                .get(1)
                .filter(|(time, _)| time.elapsed() >= margin)
            {
                debug_assert!(next.reaches(&self.samples[0].1), "a log grows");
                self.samples.pop_front();
            }
            if let Some((time, place)) = self.samples.front()
                && time.elapsed() >= margin
                && place.reaches(behind)
            {
                return Ok(place.clone());
            }
            stopped(cancel)?;
            wait(SAMPLE_EVERY, cancel);
        }
    }
}

/// Begins a consistent snapshot at or behind where the stream stands, and returns its place.
pub(super) fn consistent(
    conn: &mut Conn,
    config: &Config,
    behind: &Place,
    cancel: &Cancel,
) -> Result<Place, ConnectorError> {
    loop {
        let place = consistent_snapshot(conn, config)?;
        // The log may run ahead of what others see: the stream must not have passed what they do not.
        if place.reaches(behind) {
            return Ok(place);
        }
        conn.query_drop("COMMIT")
            .map_err(|error| failure(config, &error, "end a transaction"))?;
        stopped(cancel)?;
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn stopped(cancel: &Cancel) -> Result<(), ConnectorError> {
    if cancel.is_cancelled() {
        return Err(ConnectorError::new(
            ErrorKind::Unreachable,
            Retry::Restart,
            "told to stop",
        ));
    }
    Ok(())
}

/// Returns the transactions that every new query sees, once they are all that the stream has passed.
fn executed(
    conn: &mut Conn,
    config: &Config,
    behind: &GtidSet,
    cancel: &Cancel,
) -> Result<GtidSet, ConnectorError> {
    let begin = Instant::now();
    loop {
        let executed = server::gtids(conn, config, "gtid_executed")?;
        if behind.is_subset_of(&executed) {
            return Ok(executed);
        }
        stopped(cancel)?;
        if begin.elapsed() > UNSEEN_MAX {
            let text = format!(
                "MySQL at {} has transactions in its binary log that are not executed after {} s: {}",
                config.address(),
                UNSEEN_MAX.as_secs(),
                behind.without(&executed)
            );
            return Err(ConnectorError::new(
                ErrorKind::Rejected,
                Retry::Restart,
                text,
            ));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn consistent_snapshot(conn: &mut Conn, config: &Config) -> Result<Place, ConnectorError> {
    let ask = |error: &mysql::Error| failure(config, error, "begin a consistent snapshot");
    conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        .map_err(|error| ask(&error))?;
    let found = rows(conn, "SHOW STATUS LIKE 'binlog_snapshot_%'").map_err(|error| ask(&error))?;
    let value = |name: &str| {
        let row = found
            .iter()
            .find(|row| text(row, 0).is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
        text(row, 1)
    };
    let place = value("binlog_snapshot_file")
        .filter(|file| !file.is_empty())
        .zip(value("binlog_snapshot_position").and_then(|pos| pos.parse().ok()))
        .map(|(file, pos)| Place::new(file, pos));
    place.ok_or_else(|| {
        ConnectorError::new(
            ErrorKind::Rejected,
            Retry::Restart,
            format!(
                "MySQL at {} does not tell the place of a consistent snapshot",
                config.address()
            ),
        )
    })
}
