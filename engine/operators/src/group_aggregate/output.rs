//! Changes of groups as rows.

use arrow_array::{Array, ArrayRef};
use millrace_connector::RowKind;
use millrace_functions::aggregate::Trace;

use super::{Assigned, Step};
use crate::columns::{concat, indices, mark_changes, take};
use crate::{Batch, OperatorError};

/// What each row of a batch changed.
pub(super) struct Changes<'a> {
    pub(super) steps: &'a [Step],
    pub(super) traces: &'a [Trace],
    pub(super) update_before: bool,
    /// Whether an update goes out that changes nothing: where state has a time to live, it keeps that of operators
    /// behind this one alive.
    pub(super) repeats: bool,
}

impl Changes<'_> {
    /// Returns them as rows: the keys of `batch`, then the results.
    pub(super) fn emit(&self, batch: &Batch, keys: &[usize]) -> Result<Batch, OperatorError> {
        let rows = self.steps.len();
        let mut changed = vec![self.repeats; rows];
        if !self.repeats {
            for trace in self.traces {
                match &trace.changed {
                    Some(marks) => changed.iter_mut().zip(marks).for_each(|(a, b)| *a |= b),
                    None => mark_changes(&trace.before, &trace.after, &mut changed),
                }
            }
        }
        let mut plan = RowPlan::new(rows);
        for (row, step) in self.steps.iter().enumerate() {
            plan.push(row, *step, changed[row], self.update_before);
        }
        let (sources, values, kinds) = plan.finish();
        let mut columns = Vec::with_capacity(keys.len() + self.traces.len());
        for key in keys {
            columns.push(take(&batch.columns[*key], &sources)?);
        }
        for trace in self.traces {
            let both = concat(&[&trace.before, &trace.after])?;
            columns.push(take(&both, &values)?);
        }
        Ok(Batch::changes(columns, kinds))
    }
}

/// Which rows go out: each with the row that it comes from, and the place of its results among those before all rows,
/// followed by those after them.
struct RowPlan {
    rows: u32,
    sources: Vec<u32>,
    values: Vec<u32>,
    kinds: Vec<RowKind>,
}

impl RowPlan {
    fn new(rows: usize) -> Self {
        Self {
            rows: u32::try_from(rows).expect("a batch has fewer than 2^31 rows"),
            sources: Vec::with_capacity(2 * rows),
            values: Vec::with_capacity(2 * rows),
            kinds: Vec::with_capacity(2 * rows),
        }
    }

    fn push(&mut self, row: usize, step: Step, is_changed: bool, update_before: bool) {
        let row = u32::try_from(row).expect("a batch has fewer than 2^31 rows");
        let mut emit = |kind: RowKind, value: u32| {
            self.sources.push(row);
            self.values.push(value);
            self.kinds.push(kind);
        };
        match step {
            Step::Skipped => {}
            Step::First => emit(RowKind::Insert, self.rows + row),
            Step::Last => emit(RowKind::Delete, row),
            Step::Next if is_changed => {
                if update_before {
                    emit(RowKind::UpdateBefore, row);
                }
                emit(RowKind::UpdateAfter, self.rows + row);
            }
            Step::Next => {}
        }
    }

    fn finish(
        self,
    ) -> (
        arrow_array::UInt32Array,
        arrow_array::UInt32Array,
        Vec<RowKind>,
    ) {
        (indices(self.sources), indices(self.values), self.kinds)
    }
}

/// Groups that changed since changes went out.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) groups: Vec<u32>,
    /// The results of `groups` as they were, in parts.
    pub(super) before: Vec<Vec<ArrayRef>>,
    /// Whether nothing of the group has gone out yet.
    is_new: Vec<bool>,
    /// Whether each group is in `groups`.
    is_pending: Vec<bool>,
    /// How many rows went into them.
    pub(super) rows: usize,
    /// When they go out at the latest.
    pub(super) due_ms: Option<i64>,
}

impl Pending {
    /// Notes the groups of a batch; returns those that were not pending.
    pub(super) fn note(&mut self, assigned: &Assigned, end: usize) -> Vec<u32> {
        self.is_pending.resize(end, false);
        let first = self.groups.len();
        for (group, step) in assigned.groups.iter().zip(&assigned.steps) {
            let is_pending = &mut self.is_pending[*group as usize];
            if *step != Step::Skipped && !std::mem::replace(is_pending, true) {
                self.groups.push(*group);
                self.is_new.push(*step == Step::First);
            }
        }
        self.groups[first..].to_vec()
    }

    /// Notes rows that wait for the next multiple of the latency.
    pub(super) fn wait(&mut self, rows: usize, now_ms: i64, latency_ms: i64) {
        self.rows += rows;
        let latency_ms = latency_ms.max(1);
        if !self.groups.is_empty() {
            let next_ms = (now_ms.div_euclid(latency_ms) + 1) * latency_ms;
            self.due_ms.get_or_insert(next_ms);
        }
    }

    /// Returns the changes as rows.
    pub(super) fn emit(
        &self,
        keys: &[ArrayRef],
        after: &[ArrayRef],
        is_gone: impl Fn(u32) -> bool,
        update_before: bool,
        repeats: bool,
    ) -> Result<Batch, OperatorError> {
        let before = (0..after.len())
            .map(|call| {
                let parts: Vec<&dyn Array> = self.before.iter().map(|part| &*part[call]).collect();
                concat(&parts)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut changed = vec![repeats; self.groups.len()];
        for (before, after) in before.iter().zip(after) {
            mark_changes(before, after, &mut changed);
        }
        let mut plan = RowPlan::new(self.groups.len());
        for (row, group) in self.groups.iter().enumerate() {
            let step = match (self.is_new[row], is_gone(*group)) {
                (true, true) => Step::Skipped,
                (true, false) => Step::First,
                (false, true) => Step::Last,
                (false, false) => Step::Next,
            };
            plan.push(row, step, changed[row], update_before);
        }
        let (sources, values, kinds) = plan.finish();
        let mut columns = Vec::with_capacity(keys.len() + after.len());
        for key in keys {
            columns.push(take(key, &sources)?);
        }
        for (before, after) in before.iter().zip(after) {
            let both = concat(&[before, after])?;
            columns.push(take(&both, &values)?);
        }
        Ok(Batch::changes(columns, kinds))
    }
}
