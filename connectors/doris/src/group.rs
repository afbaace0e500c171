//! The group that prepares and commits the loads of its tables, in the order in which they were prepared.

use std::collections::BTreeSet;

use millrace_connector::sink::{
    CommitOutcome, CommitRole, Committable, Figure, Mark, SinkGroup, SinkWriter,
};
use millrace_connector::{ConnectorError, Epoch, ErrorKind, LaneId, Retry};
use serde::{Deserialize, Serialize};

use crate::client::Target;
use crate::member::Member;
use crate::recovery::{self, Aborted, Committed, Prepared};

/// What a checkpoint keeps.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Handles {
    loads: Vec<Prepared>,
}

impl Handles {
    fn of(committable: &Committable) -> Result<Self, ConnectorError> {
        if committable.0.is_null() {
            return Ok(Self::default());
        }
        serde_json::from_value(committable.0.clone()).map_err(|error| {
            let text = "the checkpoint's handles of Doris loads cannot be read";
            ConnectorError::new(ErrorKind::Internal, Retry::Never, text).caused_by(error)
        })
    }
}

/// What became of an epoch's loads into one table.
struct Fate<'a> {
    first: &'a Prepared,
    committed: usize,
    /// Why Doris threw some away.
    lost: Option<String>,
}

impl Fate<'_> {
    fn is_of(&self, prepared: &Prepared) -> bool {
        let first = self.first;
        (&first.sink, &first.db, &first.table) == (&prepared.sink, &prepared.db, &prepared.table)
    }
}

pub(crate) struct DorisSinkGroup {
    role: CommitRole,
    members: Vec<Member>,
    /// The epoch that this process has prepared last.
    prepared_epoch: Option<Epoch>,
}

impl DorisSinkGroup {
    pub(crate) fn new(role: CommitRole, members: Vec<Member>) -> Self {
        Self {
            role,
            members,
            prepared_epoch: None,
        }
    }

    /// Returns the table of a load; the login is the same for a table's whole life.
    fn member(&self, prepared: &Prepared) -> Option<usize> {
        self.members
            .iter()
            .position(|member| member.is_of(prepared))
    }

    /// Returns the table of a load, or any: a cluster's nodes commit for all tables.
    fn member_or_any(&self, prepared: &Prepared) -> &Member {
        &self.members[self.member(prepared).unwrap_or(0)]
    }

    /// Commits loads one after the other: of two with one key, the later one must win. `None` where nobody can say.
    fn commit_all<'a>(
        &self,
        loads: &'a [Prepared],
    ) -> Result<Option<Vec<Fate<'a>>>, ConnectorError> {
        let mut fates: Vec<Fate<'a>> = Vec::new();
        for prepared in loads {
            let place = fates.iter().position(|fate| fate.is_of(prepared));
            let place = place.unwrap_or_else(|| {
                fates.push(Fate {
                    first: prepared,
                    committed: 0,
                    lost: None,
                });
                fates.len() - 1
            });
            let fate = &mut fates[place];
            let member = self.member_or_any(prepared);
            if fate.lost.is_some() {
                // All parts are written again together.
                match recovery::withdraw(&member.client, prepared) {
                    Aborted::Yes => {}
                    Aborted::TooLate => fate.committed += 1,
                    Aborted::Unknown => return Ok(None),
                }
                continue;
            }
            let is_repeatable = member.is_repeatable(prepared);
            match recovery::commit(&member.client, prepared, is_repeatable)? {
                Committed::Yes => fate.committed += 1,
                Committed::Unknown => return Ok(None),
                Committed::Lost(why) => fate.lost = Some(why),
            }
        }
        Ok(Some(fates))
    }

    /// Returns the members whose rows must be written again, and sees to it that no other table gets them twice.
    fn losses(&self, fates: &[Fate<'_>]) -> Result<Vec<usize>, ConnectorError> {
        let mut lost = BTreeSet::new();
        for fate in fates {
            let Some(why) = &fate.lost else { continue };
            let index = self
                .member(fate.first)
                .ok_or_else(|| unknown_table(fate, why))?;
            if fate.committed > 0 && !self.members[index].is_repeatable(fate.first) {
                return Err(half_lost(fate, why));
            }
            lost.insert(index);
        }
        for index in &lost {
            for load in self.members[*index].loads() {
                let mut load = load.lock();
                let mut fates = fates.iter();
                let is_lost = fates.any(|fate| {
                    let first = fate.first;
                    let is_same =
                        load.target().db == first.db && load.target().table == first.table;
                    is_same && fate.lost.is_some()
                });
                load.is_muted = !is_lost;
            }
        }
        Ok(lost.into_iter().collect())
    }

    /// Frees what others left under this group's labels: nobody can commit it any more.
    fn abort_strangers(&self) {
        for member in &self.members {
            for load in member.loads() {
                let mut load = load.lock();
                let db = load.target().db.clone();
                for transaction in load.take_strangers() {
                    let target = Target::Id(transaction);
                    if let Err(error) = recovery::abort(&member.client, &db, target) {
                        tracing::warn!(%error, "a transaction is left to Doris's time-out");
                    }
                }
            }
        }
    }
}

fn unknown_table(fate: &Fate<'_>, why: &str) -> ConnectorError {
    let first = fate.first;
    let text = format!(
        "Doris has thrown away loads into {}.{} ({why}), and the file no longer writes there",
        first.db, first.table
    );
    ConnectorError::new(ErrorKind::Rejected, Retry::Never, text).help(format!(
        "start once with the file as it was before, with its table '{}': it loads the rows again",
        first.sink
    ))
}

fn half_lost(fate: &Fate<'_>, why: &str) -> ConnectorError {
    let first = fate.first;
    let text = format!(
        "a part of an epoch is in {0}.{1}, and Doris has thrown away another (label {2} and after: {why}); \
         in a table that is not UNIQUE, loading all of it again would double the first part",
        first.db, first.table, first.label
    );
    ConnectorError::new(ErrorKind::Rejected, Retry::Never, text).help(format!(
        "delete the rows of that epoch from {0}.{1}, then remove that epoch's file 'chk-N' and start: the checkpoint before writes them again to every sink; \
         a larger 'sink.load.max-bytes' keeps an epoch in one load",
        first.db, first.table
    ))
}

impl SinkGroup for DorisSinkGroup {
    fn role(&self) -> CommitRole {
        self.role
    }

    /// Does nothing: a predecessor's loads are invisible until somebody commits them, and only the manifest that was
    /// written first lets anybody do so. See `recovery` for what happens to its labels.
    fn fence(&mut self) -> Result<(), ConnectorError> {
        Ok(())
    }

    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError> {
        Ok(None)
    }

    fn writer(&mut self, member: usize, _: LaneId) -> Result<Box<dyn SinkWriter>, ConnectorError> {
        Ok(Box::new(self.members[member].writer()))
    }

    fn begin(&mut self, epoch: Epoch) -> Result<(), ConnectorError> {
        for load in self.members.iter().flat_map(Member::loads) {
            load.lock().begin(epoch);
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError> {
        let mut handles = Handles::default();
        for load in self.members.iter().flat_map(Member::loads) {
            let prepared = load.lock().prepare(epoch);
            match prepared {
                Ok(loads) => handles.loads.extend(loads),
                Err(error) => {
                    // No manifest has them, and none will: this epoch has failed.
                    for prepared in &handles.loads {
                        let client = &self.member_or_any(prepared).client;
                        if let Err(error) = recovery::discard(client, prepared) {
                            tracing::debug!(%error, "a transaction is left to Doris's time-out");
                        }
                    }
                    return Err(error);
                }
            }
        }
        self.prepared_epoch = Some(epoch);
        if self.role == CommitRole::Flushes {
            return Ok(Committable::default());
        }
        let value = serde_json::to_value(&handles).expect("handles are JSON");
        Ok(Committable(value))
    }

    fn commit(
        &mut self,
        epoch: Epoch,
        committable: &Committable,
        _: &Mark,
    ) -> Result<CommitOutcome, ConnectorError> {
        if self.role == CommitRole::Flushes {
            return Ok(CommitOutcome::Committed);
        }
        let handles = Handles::of(committable)?;
        let Some(fates) = self.commit_all(&handles.loads)? else {
            return Ok(CommitOutcome::Unknown);
        };
        let lost = self.losses(&fates)?;
        if !lost.is_empty() {
            return Ok(CommitOutcome::Lost(lost));
        }
        if self.prepared_epoch == Some(epoch) {
            self.abort_strangers();
        }
        Ok(CommitOutcome::Committed)
    }

    fn discard(
        &mut self,
        _: Epoch,
        committable: Option<&Committable>,
    ) -> Result<(), ConnectorError> {
        let Some(committable) = committable else {
            // What is prepared stays: whether its manifest was written may be unknown.
            for load in self.members.iter().flat_map(Member::loads) {
                load.lock().drop_open();
            }
            return Ok(());
        };
        for prepared in &Handles::of(committable)?.loads {
            recovery::discard(&self.member_or_any(prepared).client, prepared)?;
        }
        Ok(())
    }

    fn knows(&mut self, committable: &Committable) -> Result<bool, ConnectorError> {
        for prepared in &Handles::of(committable)?.loads {
            if !recovery::is_known(&self.member_or_any(prepared).client, prepared)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn figures(&self) -> Vec<Figure> {
        let figures = self.members.iter();
        figures
            .flat_map(|member| member.figures.of(&member.spec.name))
            .collect()
    }
}
