//! What an operator is.

use millrace_connector::RowKind;
use millrace_state::{StateError, StateReader, StateWriter};
use thiserror::Error;

use crate::Batch;

/// A point in event time, milliseconds since the epoch: no row with an earlier or equal time is expected any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watermark(pub i64);

impl Watermark {
    /// Before any watermark.
    pub const NONE: Self = Self(i64::MIN);
    /// The input has ended.
    pub const END: Self = Self(i64::MAX);
}

/// What an operator is told with each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Processing time, milliseconds since the epoch. It never goes back.
    pub now_ms: i64,
    /// The combined watermark of the operator's inputs before this call.
    pub watermark: Watermark,
}

/// An operator of one lane. All calls come from the lane's thread, one after another.
///
/// ```text
///  restore? ─► ((batch | watermark | timer | flush) more*)* ─► snapshot ─► …
/// ```
pub trait Operator: Send {
    /// Takes rows of an input.
    ///
    /// # Errors
    /// A row that fails, counted in the batch; or state that cannot be used.
    fn batch(
        &mut self,
        input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError>;

    /// Goes on with the last call where that one has stopped because [`Output::is_full`], and tells whether there is still
    /// more. It is called behind every other call, with what came out so far handed on, until there is no more; so one
    /// call that gives out millions of rows never holds them at once.
    ///
    /// # Errors
    /// As for the call that it goes on with.
    fn more(&mut self, _ctx: &Context, _out: &mut Output) -> Result<bool, OperatorError> {
        Ok(false)
    }

    /// Takes a watermark: the minimum over its inputs, greater than the one before. An operator that holds rows back
    /// gives them out here, and then hands the watermark on.
    ///
    /// # Errors
    /// As for [`Operator::batch`], without a row.
    fn watermark(
        &mut self,
        watermark: Watermark,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        out.watermark(watermark);
        Ok(())
    }

    /// Is called when processing time has reached [`Operator::next_timer_ms`].
    ///
    /// # Errors
    /// As for [`Operator::batch`], without a row.
    fn timer(&mut self, _ctx: &Context, _out: &mut Output) -> Result<(), OperatorError> {
        Ok(())
    }

    /// Returns the processing time at which it wants [`Operator::timer`] to be called.
    fn next_timer_ms(&self) -> Option<i64> {
        None
    }

    /// Gives out rows that it holds back only to write fewer (mini-batches); called before each snapshot and at the end.
    ///
    /// # Errors
    /// As for [`Operator::batch`], without a row.
    fn flush(&mut self, _ctx: &Context, _out: &mut Output) -> Result<(), OperatorError> {
        Ok(())
    }

    /// Writes what changed since the last snapshot, or since it was restored.
    ///
    /// # Errors
    /// State that cannot be written.
    fn snapshot(&mut self, _writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        Ok(())
    }

    /// Takes the state of a checkpoint; called before anything else, or never.
    ///
    /// # Errors
    /// State that cannot be used.
    fn restore(&mut self, _reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        Ok(())
    }

    /// Returns how many keys it holds, and about how many bytes.
    fn size(&self) -> (u64, u64) {
        (0, 0)
    }

    /// Returns how many rows it dropped because they came after the watermark that closed their window.
    fn late_rows(&self) -> u64 {
        0
    }
}

/// What an operator gives out in one call, in order.
#[derive(Debug, Default)]
pub struct Output {
    pub(crate) items: Vec<Item>,
}

#[derive(Debug)]
pub(crate) enum Item {
    Batch(Batch),
    Watermark(Watermark),
}

/// How many batches and watermarks one call gives out before it waits for [`Operator::more`].
const ITEMS_MAX: usize = 16;

impl Output {
    /// Tells whether so much was given out that the rest should wait for [`Operator::more`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.items.len() >= ITEMS_MAX
    }

    /// Gives out rows; a batch without rows is left out.
    pub fn batch(&mut self, batch: Batch) {
        debug_assert!(
            batch
                .columns
                .iter()
                .all(|column| column.len() == batch.rows)
        );
        debug_assert!(
            batch
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.len() == batch.rows)
        );
        if batch.rows > 0 {
            self.items.push(Item::Batch(batch));
        }
    }

    /// Gives out a watermark behind the rows so far.
    pub fn watermark(&mut self, watermark: Watermark) {
        self.items.push(Item::Watermark(watermark));
    }

    /// Takes what was given out: rows one by one with their kinds, for tests.
    pub fn take_batches(&mut self) -> Vec<Batch> {
        self.items
            .drain(..)
            .filter_map(|item| match item {
                Item::Batch(batch) => Some(batch),
                Item::Watermark(_) => None,
            })
            .collect()
    }
}

/// Why an operator cannot go on.
#[derive(Debug, Error)]
pub enum OperatorError {
    /// A row of the batch.
    #[error("{message}")]
    Row {
        /// The row, counted in the batch that was given.
        row: usize,
        /// What is wrong with it.
        message: String,
    },
    /// No single row.
    #[error("{0}")]
    Failed(String),
    /// A kind of change that the plan had ruled out.
    #[error("a {0} row reached an operator that takes only insertions")]
    UnexpectedKind(RowKind),
    /// The state.
    #[error(transparent)]
    State(#[from] StateError),
}
