//! Reading: splits, readers and batches.
//!
//! ```text
//! open ─► discover ─► reader(lane) ─► assign(splits) ─► poll … poll ─► (assign more) ─► poll … Finished
//!             ▲            (lane's thread)
//!             └── again at every discovery interval, on the coordinator's thread
//! ```

use std::time::Duration;

use arrow_array::ArrayRef;

use crate::{
    ConnectorError, ErrorKind, Figure, LaneId, Position, Positions, Retry, RowKind, SplitId,
};

/// A split and where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitStart {
    /// The split.
    pub split: SplitId,
    /// The first thing to read.
    pub position: Position,
}

/// An open source, owned by the coordinator of its dataflow. Never called from a lane.
pub trait Source: Send {
    /// Tells it that the pipeline has read this table before, also where none of its splits is known here (other slots may
    /// read them all): what `discover` finds from now on has come up since. Called before the first `discover`.
    fn resume(&mut self) {}

    /// Returns the splits that `known` lacks, each with the position where its startup mode begins. Called first
    /// with the positions of the checkpoint (empty on a first start), then at every discovery interval.
    ///
    /// # Errors
    /// What the other side said; a first call without any split is an error if none can come.
    fn discover(&mut self, known: &Positions) -> Result<Vec<SplitStart>, ConnectorError>;

    /// Returns how often to look for new splits; `None` = never.
    fn discovery_interval(&self) -> Option<Duration> {
        None
    }

    /// Returns the reader of a lane. Called once for each lane, before its thread starts.
    ///
    /// # Errors
    /// What the other side said.
    fn reader(&mut self, lane: LaneId) -> Result<Box<dyn SplitReader>, ConnectorError>;

    /// Makes the readers end each of these splits before its position, as in a bounded read: a recorded range is to be read
    /// once more, with the very same rows. Called before `reader`.
    ///
    /// # Errors
    /// It cannot read the same rows twice.
    fn stop_at(&mut self, _ends: &Positions) -> Result<(), ConnectorError> {
        let text = "this source cannot read a range of rows a second time";
        Err(ConnectorError::new(ErrorKind::Config, Retry::Never, text))
    }

    /// Tells the other side how far a committed epoch has come, for lag tools. Best effort: a failure is logged.
    ///
    /// # Errors
    /// What the other side said.
    fn publish(&mut self, positions: &Positions) -> Result<(), ConnectorError>;

    /// Returns how many records lie between `positions` and the end, where the other side tells.
    fn lag(&mut self, positions: &Positions) -> Option<u64>;

    /// Returns its figures since it was opened. Cheap; called every few seconds.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}

/// The reader of one lane. Lives on the lane's thread.
pub trait SplitReader: Send {
    /// Adds splits to read.
    ///
    /// # Errors
    /// What the other side said.
    fn assign(&mut self, splits: &[SplitStart]) -> Result<(), ConnectorError>;

    /// Returns the next batch, waiting at most `limit.wait` for the first record.
    ///
    /// # Errors
    /// An error of kind `Data` names split, position and cause.
    fn poll(&mut self, limit: &PollLimit) -> Result<Poll, ConnectorError>;
}

/// How much one poll may bring.
#[derive(Clone, Copy, Debug)]
pub struct PollLimit {
    /// Most records.
    pub rows_max: usize,
    /// Most bytes, but at least one record.
    pub bytes_max: usize,
    /// Longest wait for a first record.
    pub wait: Duration,
}

/// What a poll brought.
#[derive(Debug)]
pub enum Poll {
    /// Records.
    Batch(SourceBatch),
    /// Nothing in time.
    Idle,
    /// All splits are read to their bounded end.
    Finished,
}

/// Decoded rows and the positions after them.
pub struct SourceBatch {
    /// The wanted columns in the order of the projection, each of `rows` values.
    pub columns: Vec<ArrayRef>,
    /// How many rows.
    pub rows: usize,
    /// The rows' kinds; `None` = all `+I`.
    pub kinds: Option<Vec<RowKind>>,
    /// The positions after this batch of the splits that it read from.
    pub positions: Vec<SplitStart>,
    /// How many records were read.
    pub records: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// How many records were left out under the table's policy for bad records.
    pub skipped: u64,
    /// Names the record a row came from.
    pub origin: Box<dyn RowOrigin>,
}

impl std::fmt::Debug for SourceBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceBatch")
            .field("rows", &self.rows)
            .field("positions", &self.positions)
            .finish_non_exhaustive()
    }
}

/// Names the record a row came from.
pub trait RowOrigin: Send {
    /// Returns for example `topic 'orders', partition 3, offset 17`.
    fn describe(&self, row: usize) -> String;

    /// Returns the splits of all rows, in their order, for watermarks; empty where that is not told, and then each row is
    /// taken to come from every split of the batch's positions.
    fn runs(&self) -> Vec<SplitRun> {
        Vec::new()
    }
}

/// Rows of one split that follow each other in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitRun {
    /// The split.
    pub split: SplitId,
    /// The row behind the last one.
    pub end: usize,
}
