//! GROUP BY without a window, SELECT DISTINCT, and aggregates over everything.
//!
//! # Flink
//! `GroupAggFunction` and `MiniBatchGroupAggFunction`, 1.17. The first row of a key gives `+I`; each row after it gives
//! `-U` and `+U`, or nothing if the results stay the same and state lives for ever; the row that takes the last one
//! back gives `-D`, and the state is gone. A row that is taken back before the key has any is left out.
//!
//! # State
//! A group a key: how many rows it has (where rows can be taken back), and what its aggregates keep.

mod output;
#[cfg(test)]
mod tests;

use arrow_schema::DataType;
use millrace_connector::RowKind;
use millrace_state::{Change, StateError, StateReader, StateWriter};

use crate::aggregates::{AggregateSpec, Aggregates, GROUPS_TABLE};
use crate::groups::Groups;
use crate::rows::EncodedRows;
use crate::stored::{corrupt, put_i64, take_i64};
use crate::{Batch, Context, Operator, OperatorError, Output, RowCodec, Ttl, Watermark};

use output::{Changes, Pending};

/// What a [`GroupAggregate`] does.
#[derive(Clone, Debug)]
pub struct GroupAggregateSpec {
    /// The input's columns that are the key; none = one group of all rows.
    pub keys: Vec<usize>,
    /// The Arrow types of the keys.
    pub key_types: Vec<DataType>,
    /// The calls. The output has the keys, then a column a call.
    pub aggregates: Vec<AggregateSpec>,
    /// Whether the input has `-U` or `-D`.
    pub retract: bool,
    /// Whether `-U` goes out.
    pub update_before: bool,
    /// `table.exec.state.ttl`.
    pub ttl: Option<Ttl>,
    /// When changes go out.
    pub emit: Emit,
    /// Whether the input ends: a group of all rows then has results without rows, too.
    pub bounded: bool,
}

/// When changes of a group go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emit {
    /// With each row, as in Flink without mini-batches.
    EachRow,
    /// Once a batch, the rows of a key in it taken together.
    EachBatch,
    /// `table.exec.mini-batch.enabled`: once so many rows have come, so much time has passed, or a watermark comes.
    MiniBatch {
        /// `table.exec.mini-batch.size`.
        rows_max: usize,
        /// `table.exec.mini-batch.allow-latency`.
        latency_ms: i64,
    },
}

/// Groups rows by key and aggregates them.
#[derive(Debug)]
pub struct GroupAggregate {
    spec: GroupAggregateSpec,
    codec: RowCodec,
    groups: Groups,
    aggregates: Aggregates,
    /// How many rows each group has.
    counts: Vec<i64>,
    pending: Pending,
}

impl GroupAggregate {
    /// Returns the operator without state.
    ///
    /// # Errors
    /// A key of a type that has no place in Flink.
    pub fn new(spec: GroupAggregateSpec) -> Result<Self, OperatorError> {
        Ok(Self {
            codec: RowCodec::new(spec.key_types.iter().cloned())?,
            groups: Groups::new(spec.ttl),
            aggregates: Aggregates::new(spec.aggregates.clone()),
            counts: Vec::new(),
            pending: Pending::default(),
            spec,
        })
    }

    /// Drops what is too old, before anything looks at it.
    fn expire(&mut self, now_ms: i64) {
        for group in self.groups.expired(now_ms) {
            self.drop_group(group);
        }
    }

    fn drop_group(&mut self, group: u32) {
        self.aggregates.reset(group);
        self.counts[group as usize] = 0;
        self.groups.remove(group);
    }

    /// Finds the group of each row; counts rows, and says which are the first or last of their group.
    fn assign(
        &mut self,
        batch: &Batch,
        keys: &EncodedRows,
        ctx: &Context,
    ) -> Result<Assigned, OperatorError> {
        if batch.kinds.is_none() && !self.spec.retract && self.spec.ttl.is_none() {
            return Ok(self.assign_added(keys, ctx));
        }
        let mut assigned = Assigned::with_capacity(batch.rows);
        let each_row = self.spec.emit == Emit::EachRow;
        let mut removed = Vec::new();
        for row in 0..batch.rows {
            let is_added = match batch.kind(row) {
                RowKind::Insert | RowKind::UpdateAfter => true,
                kind if !self.spec.retract => return Err(OperatorError::UnexpectedKind(kind)),
                RowKind::UpdateBefore | RowKind::Delete => false,
            };
            let key = keys.row(row);
            let found = match assigned.previous(keys, row) {
                Some(group) => Some(group),
                None => self.groups.find(key),
            };
            let found = match found {
                Some(group) if self.groups.is_over(group, ctx.now_ms) => {
                    self.drop_group(group);
                    None
                }
                found => found,
            };
            let Some(group) = found else {
                if is_added {
                    let group = self.add_group(key);
                    self.groups.touch(group, ctx.now_ms);
                    self.counts[group as usize] = 1;
                    assigned.push(group, 1, Step::First);
                } else {
                    assigned.push(NO_GROUP, 0, Step::Skipped);
                }
                continue;
            };
            self.groups.touch(group, ctx.now_ms);
            let count = &mut self.counts[group as usize];
            *count += if is_added { 1 } else { -1 };
            let is_last = self.spec.retract && *count == 0 && each_row;
            assigned.push(
                group,
                if is_added { 1 } else { -1 },
                if is_last { Step::Last } else { Step::Next },
            );
            if is_last {
                self.groups.remove(group);
                removed.push(group);
                assigned.forget();
            }
        }
        assigned.removed = removed;
        Ok(assigned)
    }

    /// Finds the group of each row where rows only come, in one short loop: it waits for memory most of the time, so the
    /// look-ups of several rows should overlap.
    fn assign_added(&mut self, keys: &EncodedRows, ctx: &Context) -> Assigned {
        let mut assigned = Assigned::with_capacity(keys.len());
        for key in keys.iter() {
            let (group, is_new) = self.groups.find_or_add(key);
            assigned.groups.push(group);
            assigned
                .steps
                .push(if is_new { Step::First } else { Step::Next });
        }
        self.make_room();
        for group in &assigned.groups {
            self.groups.touch(*group, ctx.now_ms);
        }
        assigned
    }

    fn add_group(&mut self, key: &[u8]) -> u32 {
        let (group, _) = self.groups.find_or_add(key);
        self.make_room();
        group
    }

    fn make_room(&mut self) {
        if self.groups.end() > self.counts.len() {
            // By half more, so that states do not grow row by row.
            let room = self.groups.end() + self.groups.end() / 2 + 16;
            self.counts.resize(room, 0);
            self.aggregates.resize(room);
        }
    }

    /// Gives out the changes of each row.
    fn each_row(
        &mut self,
        batch: &Batch,
        assigned: &Assigned,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        let traces = self
            .aggregates
            .trace(batch, &assigned.groups, assigned.signs())?;
        for group in &assigned.removed {
            self.aggregates.reset(*group);
            self.counts[*group as usize] = 0;
        }
        let changes = Changes {
            steps: &assigned.steps,
            traces: &traces,
            update_before: self.spec.update_before,
            repeats: self.spec.ttl.is_some(),
        };
        out.batch(changes.emit(batch, &self.spec.keys)?);
        Ok(())
    }

    /// Notes the results of groups as they are before the batch, and folds it.
    fn hold_back(&mut self, batch: &Batch, assigned: &Assigned) -> Result<(), OperatorError> {
        let fresh = self.pending.note(assigned, self.counts.len());
        if !fresh.is_empty() {
            self.pending.before.push(self.aggregates.values(&fresh));
        }
        self.aggregates
            .fold(batch, &assigned.groups, assigned.signs())
    }

    /// Gives out the results of no rows, if there were none.
    fn result_of_nothing(&mut self, out: &mut Output) {
        if self.groups.end() > 0 {
            return;
        }
        let group = self.add_group(&[]);
        out.batch(Batch::inserts(self.aggregates.values(&[group]), 1));
    }

    /// Gives out what became of the groups that changed since the last time.
    fn emit_pending(&mut self, out: &mut Output) -> Result<(), OperatorError> {
        let pending = std::mem::take(&mut self.pending);
        if pending.groups.is_empty() {
            return Ok(());
        }
        let keys = pending.groups.iter().map(|group| self.groups.key(*group));
        let keys = self.codec.decode(keys)?;
        let after = self.aggregates.values(&pending.groups);
        let is_gone = |group: u32| self.spec.retract && self.counts[group as usize] == 0;
        let repeats = self.spec.ttl.is_some();
        out.batch(pending.emit(&keys, &after, is_gone, self.spec.update_before, repeats)?);
        for group in &pending.groups {
            if self.spec.retract && self.counts[*group as usize] == 0 {
                self.drop_group(*group);
            }
        }
        Ok(())
    }
}

/// The number of no group: rows that are left out.
const NO_GROUP: u32 = 0;

/// What a row is for its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It takes nothing back that is there.
    Skipped,
    First,
    Next,
    /// It takes the last row back.
    Last,
}

/// The rows of a batch with their groups.
#[derive(Debug)]
struct Assigned {
    groups: Vec<u32>,
    signs: Vec<i8>,
    steps: Vec<Step>,
    /// Groups that have lost their last row.
    removed: Vec<u32>,
    all_added: bool,
    /// The last row whose key has the group that it was given.
    last: Option<usize>,
}

impl Assigned {
    fn with_capacity(rows: usize) -> Self {
        Self {
            groups: Vec::with_capacity(rows),
            signs: Vec::with_capacity(rows),
            steps: Vec::with_capacity(rows),
            removed: Vec::new(),
            all_added: true,
            last: None,
        }
    }

    fn push(&mut self, group: u32, sign: i8, step: Step) {
        self.all_added &= sign == 1;
        self.last = (step != Step::Skipped).then_some(self.groups.len());
        self.groups.push(group);
        self.signs.push(sign);
        self.steps.push(step);
    }

    fn forget(&mut self) {
        self.last = None;
    }

    /// Returns the group of the row before, if it has the same key.
    fn previous(&self, keys: &EncodedRows, row: usize) -> Option<u32> {
        let last = self.last?;
        (keys.row(last) == keys.row(row)).then(|| self.groups[last])
    }

    fn signs(&self) -> Option<&[i8]> {
        (!self.all_added).then_some(&self.signs)
    }
}

impl Operator for GroupAggregate {
    fn batch(
        &mut self,
        _input: usize,
        batch: Batch,
        ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        self.groups.settle();
        self.expire(ctx.now_ms);
        let keys = self.codec.encode_some(&batch, &self.spec.keys)?;
        let assigned = self.assign(&batch, &keys, ctx)?;
        if self.groups.end() == 0 {
            return Ok(());
        }
        if self.spec.emit == Emit::EachRow {
            return self.each_row(&batch, &assigned, out);
        }
        self.hold_back(&batch, &assigned)?;
        match self.spec.emit {
            Emit::MiniBatch {
                rows_max,
                latency_ms,
            } => {
                self.pending.wait(batch.rows, ctx.now_ms, latency_ms);
                if self.pending.rows >= rows_max {
                    self.emit_pending(out)?;
                }
                Ok(())
            }
            Emit::EachRow | Emit::EachBatch => self.emit_pending(out),
        }
    }

    fn watermark(
        &mut self,
        watermark: Watermark,
        _ctx: &Context,
        out: &mut Output,
    ) -> Result<(), OperatorError> {
        self.emit_pending(out)?;
        if watermark == Watermark::END && self.spec.bounded && self.spec.keys.is_empty() {
            self.result_of_nothing(out);
        }
        out.watermark(watermark);
        Ok(())
    }

    fn timer(&mut self, _ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        self.emit_pending(out)
    }

    fn next_timer_ms(&self) -> Option<i64> {
        self.pending.due_ms
    }

    fn flush(&mut self, _ctx: &Context, out: &mut Output) -> Result<(), OperatorError> {
        self.emit_pending(out)
    }

    fn snapshot(&mut self, writer: &mut dyn StateWriter) -> Result<(), OperatorError> {
        debug_assert!(self.pending.groups.is_empty(), "flush comes first");
        let (aggregates, counts, retract) = (&self.aggregates, &self.counts, self.spec.retract);
        self.groups.take_changes(|key, group, value, is_there| {
            if is_there {
                if retract {
                    put_i64(value, counts[group as usize]);
                }
                aggregates.write(group, value);
            }
            writer.write(Change {
                table: GROUPS_TABLE,
                partition: key,
                key: &[],
                value: is_there.then_some(value.as_slice()),
            });
        });
        let groups = &self.groups;
        self.aggregates
            .write_entries(writer, |group, _| groups.key(group));
        self.groups.recycle();
        Ok(())
    }

    fn restore(&mut self, reader: &mut dyn StateReader) -> Result<(), OperatorError> {
        reader.for_each(&mut |change| self.restore_entry(change))?;
        Ok(())
    }

    fn size(&self) -> (u64, u64) {
        let bytes = self.groups.bytes()
            + self.aggregates.bytes()
            + self.counts.capacity() * size_of::<i64>();
        (self.groups.len() as u64, bytes as u64)
    }
}

impl GroupAggregate {
    fn restore_entry(&mut self, change: Change<'_>) -> Result<(), StateError> {
        let mut value = change.value.ok_or_else(|| corrupt("a removed entry"))?;
        let group = self.add_group(change.partition);
        if change.table != GROUPS_TABLE {
            return self
                .aggregates
                .read_entry(change.table, group, change.key, value);
        }
        self.groups.restore(group, &mut value)?;
        self.counts[group as usize] = if self.spec.retract {
            take_i64(&mut value).ok_or_else(|| corrupt("a count"))?
        } else {
            1
        };
        self.aggregates.read(group, &mut value)
    }
}
