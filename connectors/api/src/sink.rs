//! Writing: groups of sinks that commit in one act, and the writers of lanes.
//!
//! ```text
//! open_group ─► fence ─► read_mark ─┬─► begin(N) ─► lanes write ─► prepare(N) ─► commit(N) ─► begin(N+1) …
//!                                   └─► (recovery: recommit(N) or discard(N) of the last manifest)
//! ```
//! `prepare` makes everything written since `begin` durable but invisible (or, without exactly-once, simply
//! durable). What happens in `commit` depends on the role: see [`CommitRole`].

use arrow_array::ArrayRef;
use serde::{Deserialize, Serialize};

pub use crate::figure::Figure;
use crate::{ConnectorError, Epoch, LaneId, Names, RowKind};

/// How a group takes part in the decision about an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitRole {
    /// Its own transaction is the deciding act and carries a [`Mark`]; at most one group of a dataflow may be this.
    Decides,
    /// Its prepared output is committed after the decision, by handles that can be committed again.
    Follows,
    /// It only flushes: at-least-once or none.
    Flushes,
}

/// What a deciding transaction says about the epoch it commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The committed epoch.
    pub epoch: Epoch,
    /// The generation it belongs to.
    pub generation: u64,
    /// The slot.
    pub slot: u32,
    /// The digest of its manifest.
    pub digest: String,
}

/// Handles of prepared output, in the connector's own form; kept in the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Committable(pub serde_json::Value);

/// What is known after a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitOutcome {
    /// It is committed.
    Committed,
    /// It is certainly not committed.
    NotCommitted,
    /// Nobody can say; [`SinkGroup::read_mark`] after [`SinkGroup::fence`] will.
    Unknown,
    /// The other side has thrown away all that these members had prepared, counted as in `open_group`; what the other
    /// members had prepared is committed. The epoch's rows must be written to these members again. Only for
    /// [`CommitRole::Follows`].
    Lost(Vec<usize>),
}

/// Sinks that commit together, owned by the coordinator. Never called from a lane. All calls block, bounded in time.
pub trait SinkGroup: Send {
    /// Returns how it takes part.
    fn role(&self) -> CommitRole;

    /// Takes the group's names at the other side for itself: whoever used them before can commit nothing more, and
    /// what they left open is aborted. May be called again after [`CommitOutcome::Unknown`].
    ///
    /// # Errors
    /// What the other side said.
    fn fence(&mut self) -> Result<(), ConnectorError>;

    /// Returns the mark of the last committed epoch. Only for [`CommitRole::Decides`], after `fence`.
    ///
    /// # Errors
    /// What the other side said.
    fn read_mark(&mut self) -> Result<Option<Mark>, ConnectorError>;

    /// Returns the writer of a lane for a member, counted as in `open_group`. Called before the lane's thread starts.
    ///
    /// # Errors
    /// What the other side said.
    fn writer(
        &mut self,
        member: usize,
        lane: LaneId,
    ) -> Result<Box<dyn SinkWriter>, ConnectorError>;

    /// Opens an epoch. No writer is active.
    ///
    /// # Errors
    /// What the other side said.
    fn begin(&mut self, epoch: Epoch) -> Result<(), ConnectorError>;

    /// Makes all output of the epoch durable but invisible. No writer is active.
    ///
    /// # Errors
    /// What the other side said; the epoch must then be discarded.
    fn prepare(&mut self, epoch: Epoch) -> Result<Committable, ConnectorError>;

    /// Commits the prepared epoch. With [`CommitRole::Decides`] the mark goes into the same act. Must be repeatable for
    /// [`CommitRole::Follows`], also by a later process that has only the committable.
    ///
    /// # Errors
    /// Only for failures that say for certain that nothing was committed, and why.
    fn commit(
        &mut self,
        epoch: Epoch,
        committable: &Committable,
        mark: &Mark,
    ) -> Result<CommitOutcome, ConnectorError>;

    /// Throws the epoch's output away; also by a later process that has only the committable.
    ///
    /// # Errors
    /// What the other side said.
    fn discard(
        &mut self,
        epoch: Epoch,
        committable: Option<&Committable>,
    ) -> Result<(), ConnectorError>;

    /// Returns the names that it has at the other side, where they are to be kept. Only for [`CommitRole::Decides`].
    fn names(&self) -> Option<Names> {
        None
    }

    /// Tells whether the other side knows of prepared output that was prepared under another address. Only for
    /// [`CommitRole::Follows`].
    ///
    /// # Errors
    /// What the other side said.
    fn knows(&mut self, _committable: &Committable) -> Result<bool, ConnectorError> {
        Ok(true)
    }

    /// Returns its figures since it was opened. Cheap; called every few seconds.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}

/// The writer of one lane into one sink. Lives on the lane's thread.
pub trait SinkWriter: Send {
    /// Hands rows over. Blocks while the other side is slow: that is the back pressure.
    ///
    /// # Errors
    /// What the other side said; kind `Data` for a row that cannot be written.
    fn write(&mut self, rows: &SinkBatch<'_>) -> Result<Written, ConnectorError>;
}

/// Rows for a sink: its persisted columns (physical and writable metadata) in table order.
#[derive(Clone, Copy, Debug)]
pub struct SinkBatch<'a> {
    /// The columns, each of `rows` values.
    pub columns: &'a [ArrayRef],
    /// How many rows.
    pub rows: usize,
    /// The rows' kinds; `None` = all `+I`.
    pub kinds: Option<&'a [RowKind]>,
}

/// What was handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// Rows that were left out, or put elsewhere, because they do not fit the sink.
    pub bad_rows: u64,
}
