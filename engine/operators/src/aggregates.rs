//! The aggregate calls of an operator, and their states for its groups.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use millrace_functions::RowError;
use millrace_functions::aggregate::{Aggregate, AggregateState, Rows, Trace};
use millrace_state::{Change, StateError, StateWriter, TableId};

use crate::stored::corrupt;
use crate::{Batch, OperatorError};

/// An aggregate call of a plan.
#[derive(Clone, Debug)]
pub struct AggregateSpec {
    /// The function with its types.
    pub aggregate: Arc<dyn Aggregate>,
    /// The input's columns that are its arguments.
    pub columns: Vec<usize>,
    /// The BOOLEAN column of FILTER; rows where it is not TRUE do not count.
    pub filter: Option<usize>,
}

/// The states of several calls over the same groups.
#[derive(Debug)]
pub(crate) struct Aggregates {
    specs: Vec<AggregateSpec>,
    states: Vec<Box<dyn AggregateState>>,
}

/// The table of the groups themselves; the entries of call `n` stand in table `n + 1`.
pub(crate) const GROUPS_TABLE: TableId = TableId(0);

impl Aggregates {
    pub(crate) fn new(specs: Vec<AggregateSpec>) -> Self {
        assert!(
            specs.len() < usize::from(u8::MAX),
            "tables are numbered in a byte"
        );
        let states = specs.iter().map(|spec| spec.aggregate.state()).collect();
        Self { specs, states }
    }

    pub(crate) fn resize(&mut self, groups: usize) {
        for state in &mut self.states {
            state.resize(groups);
        }
    }

    pub(crate) fn reset(&mut self, group: u32) {
        for state in &mut self.states {
            state.reset(group);
        }
    }

    /// Folds the rows of a batch into their groups.
    pub(crate) fn fold(
        &mut self,
        batch: &Batch,
        groups: &[u32],
        signs: Option<&[i8]>,
    ) -> Result<(), OperatorError> {
        for (spec, state) in self.specs.iter().zip(&mut self.states) {
            with_rows(spec, batch, groups, signs, |rows| state.fold(rows))?;
        }
        Ok(())
    }

    /// Folds the rows of a batch and returns for each call what each row changed.
    pub(crate) fn trace(
        &mut self,
        batch: &Batch,
        groups: &[u32],
        signs: Option<&[i8]>,
    ) -> Result<Vec<Trace>, OperatorError> {
        let calls = self.specs.iter().zip(&mut self.states);
        calls
            .map(|(spec, state)| with_rows(spec, batch, groups, signs, |rows| state.trace(rows)))
            .collect()
    }

    /// Folds the groups of `from` into those of `into`.
    pub(crate) fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), OperatorError> {
        for state in &mut self.states {
            state
                .merge(into, from)
                .map_err(|error| OperatorError::Failed(error.message))?;
        }
        Ok(())
    }

    /// Returns the results of groups, a column a call.
    pub(crate) fn values(&self, groups: &[u32]) -> Vec<ArrayRef> {
        self.states
            .iter()
            .map(|state| state.value(groups))
            .collect()
    }

    pub(crate) fn write(&self, group: u32, out: &mut Vec<u8>) {
        for state in &self.states {
            state.write(group, out);
        }
    }

    pub(crate) fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Result<(), StateError> {
        for state in &mut self.states {
            state
                .read(group, bytes)
                .ok_or_else(|| corrupt("an aggregate"))?;
        }
        Ok(())
    }

    /// Writes the entries that changed; `place` appends a group's part of the entries' key and returns its partition.
    pub(crate) fn write_entries<'a>(
        &mut self,
        writer: &mut dyn StateWriter,
        place: impl Fn(u32, &mut Vec<u8>) -> &'a [u8],
    ) {
        let mut full = Vec::new();
        for (call, state) in self.states.iter_mut().enumerate() {
            let table = TableId(u8::try_from(call + 1).expect("fewer than 255 calls"));
            state.take_entries(&mut |group, key, value| {
                full.clear();
                let partition = place(group, &mut full);
                full.extend_from_slice(key);
                writer.write(Change {
                    table,
                    partition,
                    key: &full,
                    value,
                });
            });
        }
    }

    /// Takes an entry of a table of its own back.
    pub(crate) fn read_entry(
        &mut self,
        table: TableId,
        group: u32,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StateError> {
        let state = usize::from(table.0)
            .checked_sub(1)
            .and_then(|call| self.states.get_mut(call));
        state
            .and_then(|state| state.read_entry(group, key, value))
            .ok_or_else(|| corrupt("an entry of an aggregate"))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.states.iter().map(|state| state.bytes()).sum()
    }
}

/// Calls `with` with the arguments of a call, its filter among the signs.
fn with_rows<R>(
    spec: &AggregateSpec,
    batch: &Batch,
    groups: &[u32],
    signs: Option<&[i8]>,
    with: impl FnOnce(Rows<'_>) -> Result<R, RowError>,
) -> Result<R, OperatorError> {
    let args: Vec<ArrayRef> = spec
        .columns
        .iter()
        .map(|column| ArrayRef::clone(&batch.columns[*column]))
        .collect();
    let filtered = spec
        .filter
        .map(|filter| filtered(&batch.columns[filter], signs));
    with(Rows {
        groups,
        args: &args,
        signs: filtered.as_deref().or(signs),
    })
    .map_err(|RowError { row, message }| OperatorError::Row { row, message })
}

fn filtered(filter: &ArrayRef, signs: Option<&[i8]>) -> Vec<i8> {
    let filter = filter.as_boolean();
    (0..filter.len())
        .map(|row| {
            if filter.is_valid(row) && filter.value(row) {
                signs.map_or(1, |signs| signs[row])
            } else {
                0
            }
        })
        .collect()
}
