//! What an aggregate is once its types are known, and what the state of its groups can do.

use std::fmt::Debug;

use arrow_array::{Array, ArrayRef, UInt32Array};
use arrow_select::concat::concat;
use arrow_select::take::take;
use hashbrown::HashMap;
use millrace_connector::FlinkType;

use crate::RowError;

/// An aggregate function whose types are known. One instance serves all states of a pipeline.
pub trait Aggregate: Debug + Send + Sync {
    /// Returns the result's type.
    fn return_type(&self) -> &FlinkType;

    /// Returns the state of no groups.
    fn state(&self) -> Box<dyn AggregateState>;

    /// Tells whether Flink can merge two states of it. Where it cannot, it refuses the function in windows that are
    /// merged: SESSION, HOP and CUMULATE.
    fn merges(&self) -> bool {
        true
    }
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

/// Takes an entry of a group: its key, and its value or `None` if it was removed.
pub type EntryVisitor<'a> = dyn FnMut(u32, &[u8], Option<&[u8]>) + 'a;

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
        trace_in_rounds(self, rows)
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
    fn take_entries(&mut self, _visit: &mut EntryVisitor<'_>) {}

    /// Sets an entry that [`AggregateState::take_entries`] gave; `None` = other bytes. It counts as unchanged.
    fn read_entry(&mut self, _group: u32, _key: &[u8], _value: &[u8]) -> Option<()> {
        None
    }

    /// Returns about how many bytes it holds.
    fn bytes(&self) -> usize;
}

/// Traces rows in rounds: the first row of each group, then the second of those that have one, and so on.
pub(super) fn trace_in_rounds<S: AggregateState + ?Sized>(
    state: &mut S,
    rows: Rows<'_>,
) -> Result<Trace, RowError> {
    let rounds = rounds(rows.groups);
    if let [_] = rounds.as_slice() {
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
    for round in &rounds {
        let picked = |row: &u32| *row as usize;
        let groups: Vec<u32> = round.iter().map(|row| rows.groups[picked(row)]).collect();
        let signs = rows.signs.map(|signs| {
            let signs = round.iter().map(|row| signs[picked(row)]);
            signs.collect::<Vec<i8>>()
        });
        let places = UInt32Array::from(round.clone());
        let args: Vec<ArrayRef> = rows.args.iter().map(|arg| taken(arg, &places)).collect();
        before.push(state.value(&groups));
        let part = Rows {
            groups: &groups,
            args: &args,
            signs: signs.as_deref(),
        };
        state.fold(part).map_err(|error| RowError {
            row: round[error.row] as usize,
            ..error
        })?;
        after.push(state.value(&groups));
    }
    let mut places = vec![0; rows.groups.len()];
    for (place, row) in rounds.iter().flatten().enumerate() {
        places[*row as usize] = u32::try_from(place).expect("a batch has fewer than 2^32 rows");
    }
    let places = UInt32Array::from(places);
    Ok(Trace {
        before: taken(&joined(&before), &places),
        after: taken(&joined(&after), &places),
        changed: None,
    })
}

/// Returns the rows of each round; without rows there is one that is empty.
fn rounds(groups: &[u32]) -> Vec<Vec<u32>> {
    let mut rounds: Vec<Vec<u32>> = vec![Vec::with_capacity(groups.len())];
    let mut seen: HashMap<u32, usize> = HashMap::with_capacity(groups.len());
    for (row, group) in (0..).zip(groups) {
        let round = seen.entry(*group).or_insert(0);
        if *round == rounds.len() {
            rounds.push(Vec::new());
        }
        rounds[*round].push(row);
        *round += 1;
    }
    rounds
}

fn taken(column: &ArrayRef, places: &UInt32Array) -> ArrayRef {
    take(column, places, None).expect("each place is in the column")
}

fn joined(parts: &[ArrayRef]) -> ArrayRef {
    let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
    concat(&parts).expect("the results of one aggregate have one type")
}
