//! What lies between a source and a sink, as the runtime sees it.

use std::sync::Arc;

use arrow_array::ArrayRef;

/// A program of one lane: rows in, rows out. Made once for each lane, used for all its batches.
pub trait Transform: Send {
    /// Returns the sink's columns for the `rows` rows of `columns`.
    ///
    /// # Errors
    /// The first row that fails, and why.
    fn run(
        &mut self,
        columns: &[ArrayRef],
        rows: usize,
        now_ms: i64,
    ) -> Result<Transformed, (usize, String)>;
}

/// Makes the program of a lane.
pub type TransformFactory = Arc<dyn Fn() -> Box<dyn Transform> + Send + Sync>;

/// What a program made of a batch.
#[derive(Debug)]
pub struct Transformed {
    /// The sink's persisted columns.
    pub columns: Vec<ArrayRef>,
    /// How many rows they have.
    pub rows: usize,
    /// For each row out, the row in that it came from; `None` = the same rows in the same order.
    pub origins: Option<Vec<u32>>,
    /// How many rows were left out because a NULL would have gone into a NOT NULL column.
    pub not_null_dropped: u64,
}
