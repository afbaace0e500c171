//! FIRST_VALUE and LAST_VALUE over rows that may be taken back.
//!
//! # Flink
//! `FirstValueWithRetractAggFunction` and `LastValueWithRetractAggFunction`, 1.17: of equal values the one that came
//! first is taken back. Flink orders by the millisecond of arrival and within it by order of arrival, which is the same.

use arrow_array::{Array, ArrayRef};
use millrace_connector::FlinkType;
use millrace_connector::physical::arrow_type;

use super::codec::{ValueCodec, ValueList};
use super::kept::Kept;
use super::state::{Aggregate, AggregateState, EntryVisitor, Rows, Trace};
use crate::RowError;

/// The first or last value of a changing list.
#[derive(Debug)]
pub(super) struct Edge {
    is_first: bool,
    return_type: FlinkType,
}

impl Edge {
    pub(super) fn new(is_first: bool, return_type: FlinkType) -> Self {
        Self {
            is_first,
            return_type,
        }
    }
}

impl Aggregate for Edge {
    fn return_type(&self) -> &FlinkType {
        &self.return_type
    }

    fn merges(&self) -> bool {
        false
    }

    fn state(&self) -> Box<dyn AggregateState> {
        Box::new(Values {
            is_first: self.is_first,
            codec: ValueCodec::new(&[arrow_type(&self.return_type.kind)]),
            kept: Kept::default(),
        })
    }
}

#[derive(Debug)]
struct Values {
    is_first: bool,
    codec: ValueCodec,
    kept: Kept,
}

impl Values {
    fn apply(&mut self, group: u32, sign: i8, value: &[u8]) {
        match sign {
            1 => self.kept.push(group, value),
            -1 => {
                self.kept.remove(group, value);
            }
            _ => {}
        }
    }

    fn edge(&self, group: u32) -> Option<&[u8]> {
        let mut values = self.kept.of_group(group);
        if self.is_first {
            values.next()
        } else {
            values.next_back()
        }
    }
}

impl AggregateState for Values {
    fn resize(&mut self, groups: usize) {
        self.kept.resize(groups);
    }

    fn reset(&mut self, group: u32) {
        self.kept.reset(group);
    }

    fn fold(&mut self, rows: Rows<'_>) -> Result<(), RowError> {
        let values = &rows.args[0];
        let encoded = self.codec.encode(rows.args);
        for (row, group) in rows.groups.iter().enumerate() {
            if values.is_valid(row) {
                let sign = rows.signs.map_or(1, |signs| signs[row]);
                self.apply(*group, sign, encoded.row(row).data());
            }
        }
        Ok(())
    }

    fn trace(&mut self, rows: Rows<'_>) -> Result<Trace, RowError> {
        let values = &rows.args[0];
        let encoded = self.codec.encode(rows.args);
        let (mut before, mut after) = (ValueList::default(), ValueList::default());
        for (row, group) in rows.groups.iter().enumerate() {
            before.push(self.edge(*group));
            if values.is_valid(row) {
                let sign = rows.signs.map_or(1, |signs| signs[row]);
                self.apply(*group, sign, encoded.row(row).data());
            }
            after.push(self.edge(*group));
        }
        Ok(Trace {
            before: before.decode(&self.codec),
            after: after.decode(&self.codec),
            changed: None,
        })
    }

    fn merge(&mut self, into: &[u32], from: &[u32]) -> Result<(), RowError> {
        for (into, from) in into.iter().zip(from) {
            self.kept.merge(*into, *from);
        }
        Ok(())
    }

    fn value(&self, groups: &[u32]) -> ArrayRef {
        self.codec
            .decode_options(groups.iter().map(|group| self.edge(*group)))
    }

    fn write(&self, _group: u32, _out: &mut Vec<u8>) {}

    fn read(&mut self, _group: u32, _bytes: &mut &[u8]) -> Option<()> {
        Some(())
    }

    fn take_entries(&mut self, visit: &mut EntryVisitor<'_>) {
        self.kept.take_entries(visit);
    }

    fn read_entry(&mut self, group: u32, key: &[u8], value: &[u8]) -> Option<()> {
        self.kept.read_entry(group, key, value)
    }

    fn bytes(&self) -> usize {
        self.kept.bytes()
    }
}
