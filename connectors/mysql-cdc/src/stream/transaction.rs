//! Transactions: where they begin and end, what of them was passed already, and those in two phases.

use millrace_connector::{ConnectorError, ErrorKind, Retry};

use super::{Resume, Stream};
use crate::decode::Bytes;
use crate::events::{self, RawEvent, code};
use crate::gtid::{Gtid, GtidSet};
use crate::inner::Inner;
use crate::kept::Kept;
use crate::position::{PendingXa, Place};
use crate::tables::damaged;

/// The transaction in progress.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    pub(crate) place: Place,
    pub(crate) gtid: Option<Gtid>,
    /// Row events that were passed, of every table.
    pub(crate) events: u64,
    /// Rows that were passed, of the tables that are read.
    pub(crate) rows: u64,
    /// What was passed in an earlier life.
    pub(super) skip: Option<Resume>,
    /// A statement is not its end.
    pub(crate) has_begun: bool,
    /// Its rows are wanted (`debezium.gtid.source.*`).
    pub(crate) is_left_out: bool,
    /// The XA transaction that it prepares, with its events.
    pub(super) xa: Option<(String, Kept)>,
    /// The XA transaction that it commits.
    pub(super) commits: Option<PendingXa>,
}

/// A prepared XA transaction.
#[derive(Debug)]
pub(crate) struct Xa {
    name: String,
    place: Place,
    gtid: String,
    events: Kept,
}

impl Xa {
    pub(crate) fn pending(&self) -> PendingXa {
        PendingXa {
            name: self.name.clone(),
            gtid: self.gtid.clone(),
            place: self.place.clone(),
        }
    }
}

impl Transaction {
    pub(crate) fn gtid_text(&self) -> String {
        set_of(self.gtid.as_ref()).to_string()
    }

    /// Returns how many row events, and how many rows of the next, were passed in this life or an earlier one.
    pub(super) fn done(&self) -> (u64, u64) {
        match &self.skip {
            Some(skip) => (skip.events, skip.rows),
            None => (self.events, 0),
        }
    }

    /// Notes that an event with so many rows was passed.
    pub(super) fn pass(&mut self, rows: u64) {
        self.rows += rows;
        if self
            .skip
            .as_ref()
            .is_some_and(|skip| skip.counted_by.is_some() && skip.trx_rows <= self.rows)
        {
            self.skip = None;
        }
    }

    /// Notes that only so many rows of the event in hand were passed.
    pub(super) fn stop_at_row(&mut self, rows: u64) {
        self.events = self.events.saturating_sub(1);
        self.skip = Some(Resume {
            gtid: self.gtid_text(),
            events: self.events,
            rows,
            trx_rows: self.rows + rows,
            counted_by: None,
        });
    }

    /// Tells whether its events are kept for later.
    pub(crate) fn keeps(&self) -> bool {
        self.xa.is_some()
    }

    pub(crate) fn keep(&mut self, event: RawEvent) -> Result<(), ConnectorError> {
        match &mut self.xa {
            Some((_, events)) => events.push(event).map_err(|error| not_kept(&error)),
            None => Ok(()),
        }
    }
}

fn not_kept(error: &std::io::Error) -> ConnectorError {
    let folder = std::env::temp_dir();
    ConnectorError::new(
        ErrorKind::Internal,
        Retry::Restart,
        format!(
            "cannot keep an XA transaction in {}: {error}",
            folder.display()
        ),
    )
    .help("make room there, or set TMPDIR")
}

fn set_of(gtid: Option<&Gtid>) -> GtidSet {
    let mut set = GtidSet::default();
    if let Some(gtid) = gtid {
        set.add(gtid);
    }
    set
}

impl Stream {
    /// Takes the event that begins a transaction.
    pub(super) fn begin(&mut self, event: &RawEvent, start: &Place) -> Result<(), ConnectorError> {
        let mut trx = Transaction {
            place: start.clone(),
            ..Transaction::default()
        };
        match event.code {
            code::GTID => {
                let gtid = events::gtid(&event.body)
                    .ok_or_else(|| damaged("a GTID event is cut short", start))?;
                trx.gtid = Some(gtid);
            }
            code::GTID_TAGGED => trx.gtid.clone_from(&event.gtid),
            code::MARIADB_GTID => {
                let read = events::mariadb_gtid(&event.body)
                    .ok_or_else(|| damaged("a GTID event is cut short", start))?;
                trx.has_begun = !read.is_standalone;
                trx.xa = read.prepares.map(|name| (name, Kept::default()));
            }
            _ => {}
        }
        self.start_transaction(trx);
        Ok(())
    }

    pub(super) fn start_transaction(&mut self, mut trx: Transaction) {
        let sources = &self.config.properties.gtid_sources;
        if let Some(gtid) = &trx.gtid
            && !sources.takes_all()
        {
            trx.is_left_out = !sources.takes(&gtid.source.uuid_text());
        }
        if self
            .replays_xa
            .as_ref()
            .is_some_and(|(until, _)| trx.place.reaches(until))
        {
            self.replays_xa = None;
        }
        let is_replayed = self.is_replaying_xa();
        let fits = |resume: &Resume| {
            resume.gtid.is_empty() || trx.gtid.is_none() || resume.gtid == trx.gtid_text()
        };
        if !is_replayed && self.resume.as_ref().is_some_and(fits) {
            trx.skip = self.resume.take();
        }
        self.skip_events.1 = self.skip_events.0;
        self.transaction = Some(trx);
    }

    /// Tells whether the log is read again only for XA transactions that were prepared before the position.
    pub(super) fn is_replaying_xa(&self) -> bool {
        let Some((_, wanted)) = &self.replays_xa else {
            return false;
        };
        let place = self.transaction.as_ref().map(|trx| &trx.place);
        !wanted.iter().any(|xa| Some(&xa.place) == place)
    }

    /// The transaction is over, its rows count.
    pub(super) fn end_transaction(&mut self) {
        let Some(trx) = self.transaction.take() else {
            return;
        };
        if let Some(gtid) = &trx.gtid {
            self.gtids.add(gtid);
        }
        // Rows to leave out are of the first transaction that has any.
        if let Some(skip) = trx
            .skip
            .filter(|skip| skip.gtid.is_empty() && skip.rows > 0)
        {
            self.resume = Some(skip);
        }
    }

    /// Returns the XA transactions that a restart needs again.
    pub(super) fn pending_xa(&self) -> Vec<PendingXa> {
        if let Some((_, xa)) = &self.replays_xa {
            return xa.clone();
        }
        let committing = self
            .transaction
            .iter()
            .filter_map(|trx| trx.commits.clone());
        self.pending
            .values()
            .map(Xa::pending)
            .chain(committing)
            .collect()
    }

    /// `XA START` begins to keep events.
    pub(super) fn xa_started(&mut self, name: &str) {
        if let Some(trx) = &mut self.transaction {
            trx.has_begun = true;
            if trx.xa.is_none() {
                trx.xa = Some((name.to_owned(), Kept::default()));
            }
        }
    }

    /// The XA transaction in progress is prepared, or with one phase committed.
    pub(super) fn xa_prepared(&mut self, event: &RawEvent) -> Result<(), ConnectorError> {
        let mut body = Bytes::new(&event.body);
        let one_phase = body
            .uint(1)
            .ok_or_else(|| damaged("an XA_PREPARE event is cut short", &self.at))?;
        let Some(trx) = &mut self.transaction else {
            return Ok(());
        };
        let Some((name, kept)) = trx.xa.take() else {
            self.end_transaction();
            return Ok(());
        };
        if one_phase != 0 {
            let events = kept.into_events().map_err(|error| not_kept(&error))?;
            self.inner = Some(Inner::Kept(events));
            return Ok(());
        }
        let xa = Xa {
            name: name.clone(),
            place: trx.place.clone(),
            gtid: trx.gtid_text(),
            events: kept,
        };
        if !self.is_replaying_xa() {
            self.pending.insert(name, xa);
        }
        self.end_transaction();
        Ok(())
    }

    /// A prepared XA transaction ended.
    pub(super) fn xa_ended(
        &mut self,
        name: &str,
        is_committed: bool,
    ) -> Result<(), ConnectorError> {
        if self.is_replaying_xa() {
            self.end_transaction();
            return Ok(());
        }
        match self.pending.remove(name) {
            Some(xa) if is_committed => {
                // Until all its rows are out, a restart needs them again.
                if let Some(trx) = &mut self.transaction {
                    trx.commits = Some(xa.pending());
                }
                let events = xa.events.into_events().map_err(|error| not_kept(&error))?;
                self.inner = Some(Inner::Kept(events));
            }
            _ => {
                if is_committed {
                    tracing::warn!(table = self.config.table, place = %self.at, xid = name, "an XA transaction was committed that was prepared before the first event read; its rows are not known");
                }
                self.end_transaction();
            }
        }
        Ok(())
    }
}
