//! What an aggregate is once its types are known, and what the state of its groups can do.

use std::fmt::Debug;

use arrow_array::{Array, ArrayRef};
use arrow_select::concat::concat;
use millrace_connector::FlinkType;

use crate::RowError;

/// An aggregate function whose types are known. One instance serves all states of a pipeline.
pub trait Aggregate: Debug + Send + Sync {
    /// Returns the result's type.
    fn return_type(&self) -> &FlinkType;

    /// Returns the state of no groups.
    fn state(&self) -> Box<dyn AggregateState>;
}

/// Rows to fold into a state.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The group of each row.
    pub groups: &'a [u32],
    /// The arguments, each with a value a row.
    pub args: &'a [ArrayRef],
    /// What a row does: `1` adds it, `-1` takes it back, `0` leaves the group as it is (a filter said no); `None` = all
    /// add.
    pub signs: Option<&'a [i8]>,
}

/// The values of each row's group, as they were just before that row and just after it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Before each row.
    pub before: ArrayRef,
    /// After each row.
    pub after: ArrayRef,
    /// Whether each row changed what Flink compares to tell an update, where that is not the result alone: what the
    /// planner computes a result of is compared instead of it.
    pub changed: Option<Vec<bool>>,
}

/// The state of an aggregate for many groups, numbered from 0.
///
/// # State in checkpoints
/// What a group holds is its own bytes ([`AggregateState::write`]) and, for functions that keep values, entries beside
/// them: a set of many values would else be written whole with each change.
pub trait AggregateState: Debug + Send {
    /// Makes room for so many groups; new ones are empty.
    fn resize(&mut self, groups: usize);

    /// Empties a group.
    fn reset(&mut self, group: u32);

    /// Folds rows, in their order.
    ///
    /// # Errors
    /// The first row that fails.
    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError>;

    /// Folds rows, in their order, and returns what each of them changed.
    ///
    /// # Errors
    /// The first row that fails.
    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        trace_by_row(self, rows)
    }

    /// Folds the state of each group of `from` into the group of `into` at the same place; `from` stays as it is.
    ///
    /// # Errors
    /// As for [`AggregateState::fold`]; the row is the place in `from`.
    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError>;

    /// Returns the results of groups, in their order.
    fn value(&self, groups: &[u32]) -> ArrayRef;

    /// Appends a group's own bytes.
    fn write(&self, group: u32, out: &mut Vec<u8>);

    /// Takes a group's own bytes off the front of `bytes`; `None` = bytes that [`AggregateState::write`] did not make.
    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()>;

    /// Calls `visit` with each entry that was set or removed (no value) since it was last called, and forgets them.
    fn take_entries(&mut self, _visit: &mut dyn FnMut(u32, &[u8], Option<&[u8]>)) {}

    /// Sets an entry that [`AggregateState::take_entries`] gave; `None` = other bytes. It counts as unchanged.
    fn read_entry(&mut self, _group: u32, _key: &[u8], _value: &[u8]) -> Option<()> {
        None
    }

    /// Returns about how many bytes it holds.
    fn bytes(&self) -> usize;
}

/// Traces rows one by one, or all at once where no group comes twice.
pub(super) fn trace_by_row<S: AggregateState + ?Sized>(
    state: &mut S,
    rows: Rows<'_>,
) -> Result<Trace, RowError> {
    let mut seen = rows.groups.to_vec();
    seen.sort_unstable();
    if seen.windows(2).all(|pair| pair[0] != pair[1]) {
        let before = state.value(rows.groups);
        state.fold(rows)?;
        let after = state.value(rows.groups);
        return Ok(Trace {
            before,
            after,
            changed: None,
        });
    }
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for row in 0..rows.groups.len() {
        let group = &rows.groups[row..=row];
        let args: Vec<ArrayRef> = rows.args.iter().map(|arg| arg.slice(row, 1)).collect();
        before.push(state.value(group));
        let one = Rows {
            groups: group,
            args: &args,
            signs: rows.signs.map(|signs| &signs[row..=row]),
        };
        state.fold(one).map_err(|error| RowError { row, ..error })?;
        after.push(state.value(group));
    }
    Ok(Trace {
        before: joined(&before),
        after: joined(&after),
        changed: None,
    })
}

fn joined(parts: &[ArrayRef]) -> ArrayRef {
    let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
    concat(&parts).expect("the results of one aggregate have one type")
}
