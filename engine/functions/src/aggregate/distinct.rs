//! DISTINCT: an aggregate over each value of its argument once.
//!
//! # Flink
//! `DistinctAggCodeGen`, 1.17: a value is given to the function when its count becomes 1 and taken from it when it
//! becomes 0 again. NULL is a value here; the function itself leaves it out or not.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use millrace_connector::FlinkType;

use super::codec::ValueCodec;
use super::counted::Counted;
use super::state::{Aggregate, AggregateState, EntryVisitor, Rows, Trace};
use crate::RowError;

/// An aggregate that sees each value once.
#[derive(Debug)]
pub(super) struct Distinct {
    inner: Arc<dyn Aggregate>,
    /// The Arrow types of the arguments: a value is all of them together.
    args: Vec<DataType>,
}

impl Distinct {
    pub(super) fn new(inner: Arc<dyn Aggregate>, args: Vec<DataType>) -> Self {
        Self { inner, args }
    }
}

impl Aggregate for Distinct {
    fn return_type(&self) -> &FlinkType {
        self.inner.return_type()
    }

    fn merges(&self) -> bool {
        self.inner.merges()
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Once {
            inner: self.inner.state(),
            codec: ValueCodec::new(&self.args),
            values: Counted::default(),
        })
    }
}

#[derive(Debug)]
struct Once {
    inner: Box<dyn AggregateState>,
    codec: ValueCodec,
    values: Counted,
}

impl Once {
    /// Returns what each row does to the function inside.
    fn signs(&mut self, rows: Rows<'_>) -> Vec<i8> {
        let encoded = self.codec.encode(rows.args);
        let mut signs = Vec::with_capacity(rows.groups.len());
        for (row, group) in rows.groups.iter().enumerate() {
            let sign = rows.signs.map_or(1, |signs| signs[row]);
            if sign == 0 {
                signs.push(0);
                continue;
            }
            let value = encoded.row(row);
            let count = self.values.change(*group, value.data(), sign.into());
            signs.push(match (sign, count) {
                (1, 1) => 1,
                (-1, 0) => -1,
                _ => 0,
            });
        }
        signs
    }
}

impl AggregateState for Once {
    fn resize(&mut self, groups: usize) {
        self.inner.resize(groups);
        self.values.resize(groups);
    }

    fn reset(&mut self, group: u32) {
        self.inner.reset(group);
        self.values.reset(group);
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let signs = self.signs(rows);
        self.inner.fold(Rows {
            signs: Some(&signs),
            ..rows
        })
    }

    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        let signs = self.signs(rows);
        self.inner.trace(Rows {
            signs: Some(&signs),
            ..rows
        })
    }

    /// Gives the values of `from` to the groups of `into` that have not got them yet.
    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            let mut values: Vec<(Box<[u8]>, i64)> = self
                .values
                .of_group(*from)
                .map(|(value, count)| (value.into(), count))
                .collect();
            values.reverse();
            let mut signs = Vec::with_capacity(values.len());
            for (value, count) in &values {
                let after = self.values.change(*into, value, *count);
                let before = after - count;
                signs.push(match (before > 0, after > 0) {
                    (false, true) => 1,
                    (true, false) => -1,
                    _ => 0,
                });
            }
            let args = self.codec.decode(values.iter().map(|(value, _)| &**value));
            self.inner.fold(Rows {
                groups: &vec![*into; values.len()],
                args: &args,
                signs: Some(&signs),
            })?;
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        self.inner.value(groups)
    }

    fn write(&self, group: u32, out: &mut Vec<u8>) {
        self.inner.write(group, out);
    }

    fn read(&mut self, group: u32, bytes: &mut &[u8]) -> Option<()> {
        self.inner.read(group, bytes)
    }

    fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        let mut key = Vec::new();
        let mut marked = |mark: u8, group: u32, entry: &[u8], value: Option<&[u8]>| {
            key.clear();
            key.push(mark);
            key.extend_from_slice(entry);
            visit(group, &key, value);
        };
        self.values
            .take_entries(&mut |group, entry, value| marked(VALUE, group, entry, value));
        self.inner
            .take_entries(&mut |group, entry, value| marked(INNER, group, entry, value));
    }

    fn read_entry(&mut self, group: u32, key: &[u8], value: &[u8]) -> Option<()> {
        match key.split_first()? {
            (&VALUE, key) => self.values.read_entry(group, key, value),
            (&INNER, key) => self.inner.read_entry(group, key, value),
            _ => None,
        }
    }

    fn bytes(&self) -> usize {
        self.inner.bytes() + self.values.bytes()
    }
}

/// Marks of entries: the values themselves, and what the function inside keeps.
const VALUE: u8 = 0;
const INNER: u8 = 1;
